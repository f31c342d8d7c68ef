#!/usr/bin/env bash
# Open vSwitch: the counters of a port have frames that never were in the bridge.
#
# A port on a device of the kernel (a tap, a veth) has the device's counters. What the host's own network stack sends
# through the device, such as IPv6's neighbour discovery where the host leaves IPv6 enabled on it, reaches the guest,
# passes no flow of the bridge, is copied by no mirror, and is in the port's tx_packets: a silent guest's port counts.
#
# Needs root and mmdebstrap. Seen with 3.1.0 and 3.5.0, with the userspace datapath.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
try_on bookworm openvswitch-switch=3.1.0-2+deb12u1
try_on trixie openvswitch-switch=3.5.0-1+b1

experiment() {
  start_switch
  bridge br0
  machine g br0 10.0.0.1
  ovs-vsctl add-port br0 out -- set interface out type=internal -- --id=@g get port g -- --id=@out get port out \
    -- --id=@m create mirror name=m select_src_port=@g select_dst_port=@g output_port=@out \
    -- set bridge br0 mirrors=@m >/dev/null
  settle
  local before
  before=$(counter interface g tx_packets)
  sysctl -qw net.ipv6.conf.g.disable_ipv6=0
  ip -6 address add 2001:db8::1/64 dev g nodad
  ping -6 -q -c 5 -W 1 2001:db8::9 >/dev/null || true
  settle
  local flows copies sent
  flows=$(ovs-ofctl dump-flows br0 | grep -o 'n_packets=[0-9]*')
  copies=$(counter mirror m tx_packets)
  sent=$(($(counter interface g tx_packets) - before))
  seen "the host asks for a neighbour 5 times; packets of the bridge's flow" "$flows" test "$flows" = n_packets=0
  seen "copies by the mirror of the port" "$copies" test "$copies" = 0
  seen "tx_packets of the port, more than before" "$sent" test "$sent" -ge 3
}

finding "$@"
