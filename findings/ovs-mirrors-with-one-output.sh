#!/usr/bin/env bash
# Open vSwitch: of several mirrors with one output, the sender's decides how a frame is copied.
#
# Mirror m-a selects guest a in both directions and has no snaplen. Mirror m-b selects guest b in both
# directions, with a snaplen of 100. Both copy to one port. That a frame between a and b is copied once is
# documented. What is not: the copy is made by the mirror that selects the sender, with its snaplen, and it
# alone counts. So m-a, which asks for whole frames, gets what b sends to a cut to 100 bytes; and each
# mirror's statistics show half of what it selects.
#
# Needs root and mmdebstrap. Seen with 3.1.0 and 3.5.0.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
try_on bookworm openvswitch-switch=3.1.0-2+deb12u1
try_on trixie openvswitch-switch=3.5.0-1+b1

experiment() {
  start_switch
  three_guests
  ovs-vsctl add-port br0 out -- set interface out type=internal
  ip link set out up
  ovs-vsctl -- --id=@a get port a -- --id=@b get port b -- --id=@out get port out \
    -- --id=@ma create mirror name=m-a select_src_port=@a select_dst_port=@a output_port=@out \
    -- --id=@mb create mirror name=m-b select_src_port=@b select_dst_port=@b output_port=@out snaplen=100 \
    -- set bridge br0 mirrors=@ma,@mb >/dev/null

  capture host out icmp
  pings a 10.0.0.2 50 -s 400 # 442 bytes each, and as many answers.
  settle
  end_capture

  local a b whole cut
  a=$(counter mirror m-a tx_packets) b=$(counter mirror m-b tx_packets)
  whole=$(frames host 'icmp[0] = 8 and greater 442') cut=$(frames host 'icmp[0] = 0 and less 100')
  seen "frames from a to b, all selected by both: whole copies" "$whole" test "$whole" = 50
  seen "frames from b to a, all selected by both: copies of 100 bytes" "$cut" test "$cut" = 50
  seen "copies in all" "$(frames host)" test "$(frames host)" = 100
  seen "tx_packets of m-a, which selects all 100" "$a" test "$a" = 50
  seen "tx_packets of m-b, which selects all 100" "$b" test "$b" = 50
}

finding "$@"
