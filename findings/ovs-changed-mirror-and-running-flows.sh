#!/usr/bin/env bash
# Open vSwitch: a mirror that is made or removed does not reach the flows that are running.
#
# Guest a talks to b all the time. With 3.1.0 a mirror that is made meanwhile copies none of it, for as long as
# the flow lasts; ovs-vsctl waited for the switch and said that the change was carried out. 3.5.0 copies at
# once. A mirror that is removed meanwhile goes on copying with both: the database shows no mirror, and
# the port still gets each frame. Something that has nothing to do with mirrors makes the switch look again:
# here a purge of its flows; a port that comes does it, too.
#
# Needs root and mmdebstrap. Seen with 3.1.0 and 3.5.0.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
try_on bookworm openvswitch-switch=3.1.0-2+deb12u1
try_on trixie openvswitch-switch=3.5.0-1+b1

# copies TEXT CONDITION...: how many copies come within 3 s from a second from now on. The capture goes on all
# the time, for its beginning is a change of the port, which makes the switch look again.
copies() {
  local number
  sleep 1
  number=$(frames host)
  sleep 3
  number=$(($(frames host) - number))
  seen "$1: copies in 3 s" "$number" test "$number" "${@:2}"
}

look_again() { ovs-appctl -t /run/vswitchd.ctl revalidator/purge; }

experiment() {
  start_switch
  three_guests
  ovs-vsctl add-port br0 out -- set interface out type=internal
  ip link set out up
  capture host out icmp
  pings a 10.0.0.2 50 # The switch has learned where a and b are.
  ip netns exec a ping -q -i 0.02 10.0.0.2 >/dev/null &
  sleep 3

  ovs-vsctl -- --id=@a get port a -- --id=@out get port out \
    -- --id=@m create mirror name=m select_src_port=@a output_port=@out -- set bridge br0 mirrors=@m >/dev/null
  case $(ovs-vswitchd --version) in
    *' 3.1.'*) copies "mirror made while the flow runs" -eq 0 ;;
    *) copies "mirror made while the flow runs" -gt 50 ;;
  esac
  look_again
  copies "flows purged" -gt 50
  ovs-vsctl clear bridge br0 mirrors
  copies "mirror removed, $(ovs-vsctl --columns=name list mirror | wc -l) in the database" -gt 50
  look_again
  copies "flows purged" -eq 0
}

finding "$@"
