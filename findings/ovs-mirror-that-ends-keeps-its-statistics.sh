#!/usr/bin/env bash
# Open vSwitch: a mirror that ends when its output becomes another bridge's port keeps its last statistics.
#
# A mirror without effect has empty statistics, which is the only sign of it in the database. That is so for one that
# is made with a port of another bridge as its output. A mirror that works, and is then given such an output,
# stops copying just the same; but its statistics stay as they were, so it looks like one whose guests are silent.
#
# Needs root and mmdebstrap. Seen with 3.1.0 and 3.5.0.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
try_on bookworm openvswitch-switch=3.1.0-2+deb12u1
try_on trixie openvswitch-switch=3.5.0-1+b1

experiment() {
  start_switch
  three_guests
  bridge br1
  local name
  for name in out:br0 far:br1; do
    ovs-vsctl add-port "${name#*:}" "${name%:*}" -- set interface "${name%:*}" type=internal
    ip link set "${name%:*}" up
  done

  local statistics
  ovs-vsctl -- --id=@a get port a -- --id=@far get port far \
    -- --id=@m create mirror name=m-far select_src_port=@a output_port=@far -- set bridge br0 mirrors=@m >/dev/null
  pings a 10.0.0.2 50
  settle
  statistics=$(ovs-vsctl get mirror m-far statistics)
  seen "made with the other bridge's port: statistics" "$statistics" test "$statistics" = '{}'

  ovs-vsctl clear bridge br0 mirrors
  ovs-vsctl -- --id=@a get port a -- --id=@out get port out \
    -- --id=@m create mirror name=m select_src_port=@a output_port=@out -- set bridge br0 mirrors=@m >/dev/null
  ovs-appctl -t /run/vswitchd.ctl revalidator/purge
  pings a 10.0.0.2 50
  settle
  statistics=$(counter mirror m tx_packets)
  seen "made with a port of its own bridge: tx_packets after 50 frames" "$statistics" test "$statistics" = 50

  ovs-vsctl -- --id=@far get port far -- set mirror m output_port=@far
  ovs-appctl -t /run/vswitchd.ctl revalidator/purge
  capture host far icmp
  pings a 10.0.0.2 50
  settle
  end_capture
  seen "then given the other bridge's port: copies of 50 frames" "$(frames host)" test "$(frames host)" = 0
  statistics=$(ovs-vsctl get mirror m statistics)
  seen "its statistics" "$statistics" test "$(counter mirror m tx_packets)" = 50
}

finding "$@"
