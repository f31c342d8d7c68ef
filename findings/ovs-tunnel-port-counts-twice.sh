#!/usr/bin/env bash
# Open vSwitch's userspace datapath counts each packet that leaves by a tunnel port twice.
#
# A guest sends 50 packets into a VXLAN port. 50 packets arrive at the other end, but the port's own
# statistics say 100: once the frame alone, and once more with the tunnel's headers, in tx_packets and in
# tx_bytes. So these counters can't be compared with what the other end received, and a rate that is made of
# them is double. Received packets are counted once.
#
# Needs root and mmdebstrap. Seen with 3.1.0 and 3.5.0.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
try_on bookworm openvswitch-switch=3.1.0-2+deb12u1
try_on trixie openvswitch-switch=3.5.0-1+b1

experiment() {
  start_switch
  collector
  bridge br0
  machine a br0 10.0.0.1 10.0.0.2 # 10.0.0.2 is behind the tunnel, and silent.
  ovs-vsctl add-port br0 tunnel -- set interface tunnel type=vxlan options:remote_ip=192.0.2.9 options:key=7
  settle
  local packets bytes
  packets=$(counter interface tunnel tx_packets) bytes=$(counter interface tunnel tx_bytes)

  capture collector eth0 udp port 4789
  pings a 10.0.0.2 50
  settle
  end_capture
  packets=$(($(counter interface tunnel tx_packets) - packets))
  bytes=$(($(counter interface tunnel tx_bytes) - bytes))

  seen "packets that the guest sent and the other end received" "$(frames collector)" test "$(frames collector)" = 50
  seen "tx_packets of the tunnel's port" "$packets" test "$packets" = 100
  # A ping is 98 bytes, and 148 in VXLAN.
  seen "tx_bytes of the tunnel's port" "$bytes" test "$bytes" = $((50 * (98 + 148)))
}

finding "$@"
