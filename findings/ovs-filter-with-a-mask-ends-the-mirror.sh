#!/usr/bin/env bash
# Open vSwitch: a mirror's filter with a mask is taken, and the whole mirror ends.
#
# The column filter is documented as a match in the words of ovs-fields(7), with one exception, in_port. There
# `ip,nw_dst=10.0.0.0/24` is a match as any other. A mirror that has it is not made, or is ended if it was there:
# nothing is copied. ovs-vsctl waits for the switch and says nothing, exit code 0; the database shows mirror and
# filter. The only signs are a line in the log of ovs-vswitchd and statistics that are empty. Exact values work.
#
# Needs root and mmdebstrap. Seen with 3.5.0, where the column is new since 3.4.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
try_on trixie openvswitch-switch=3.5.0-1+b1

experiment() {
  start_switch
  three_guests
  ovs-vsctl add-port br0 out -- set interface out type=internal
  ip link set out up
  ovs-vsctl -- --id=@a get port a -- --id=@out get port out \
    -- --id=@m create mirror name=m select_src_port=@a output_port=@out -- set bridge br0 mirrors=@m >/dev/null
  capture host out icmp

  copied ip,nw_dst=10.0.0.2 50 exact
  copied ip,nw_dst=10.0.0.0/24 0 with a mask
  copied icmp,eth_src=02:00:0a:00:00:01 50 exact
  copied icmp,eth_src=02:00:00:00:00:00/ff:ff:00:00:00:00 0 with a mask
  seen "the log" "$(grep -c 'WARN.*filter' /run/vswitchd.log) warnings: $(grep -m 1 'WARN.*filter' /run/vswitchd.log | sed 's/.*WARN|//')" \
    grep -q 'WARN.*filter' /run/vswitchd.log
}

# copied FILTER NUMBER WORDS: copies of 50 pings from a to b, all of which match.
copied() {
  local before status=0 copies statistics
  ovs-vsctl set mirror m "filter=\"$1\"" || status=$?
  ovs-appctl -t /run/vswitchd.ctl revalidator/purge # Else flows that run go on being copied for a while.
  before=$(frames host)
  pings a 10.0.0.2 50
  settle
  copies=$(($(frames host) - before))
  statistics=$(ovs-vsctl get mirror m statistics)
  seen "$1 (${*:3}): ovs-vsctl's exit code" "$status" test "$status" = 0
  seen "   copies of 50 frames that match" "$copies" test "$copies" = "$2"
  if [ "$2" = 0 ]; then
    seen "   statistics" "$statistics" test "$statistics" = '{}'
  else
    seen "   statistics" "$statistics" test "$statistics" != '{}'
  fi
}

finding "$@"
