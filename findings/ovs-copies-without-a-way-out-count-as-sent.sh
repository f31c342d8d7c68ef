#!/usr/bin/env bash
# Open vSwitch's userspace datapath: copies that no route leads out count as sent.
#
# A mirror's output is an ERSPAN port whose remote address no route reaches. Nothing leaves, on any device.
# Still mirror and tunnel port count each copy in tx_packets, tx_dropped and tx_errors don't exist or stay 0, the
# port's error is empty and its link up, and ovs-vsctl said nothing. What shows it is what is missing:
# tunnel_egress_iface in the port's status.
#
# Needs root and mmdebstrap. Seen with 3.1.0 and 3.5.0.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
try_on bookworm openvswitch-switch=3.1.0-2+deb12u1
try_on trixie openvswitch-switch=3.5.0-1+b1

experiment() {
  start_switch
  collector
  three_guests
  ovs-vsctl add-port br0 tunnel -- set interface tunnel type=erspan options:remote_ip=198.51.100.9 options:key=1 \
    options:erspan_ver=1 options:erspan_idx=1 -- --id=@a get port a -- --id=@t get port tunnel \
    -- --id=@m create mirror name=m select_src_port=@a output_port=@t -- set bridge br0 mirrors=@m >/dev/null
  capture collector eth0 proto gre
  pings a 10.0.0.2 50
  settle
  end_capture

  local value route
  route=$(ovs-appctl -t /run/vswitchd.ctl ovs/route/lookup 198.51.100.9 2>&1 || true)
  seen "the switch's route to 198.51.100.9" "$(sed -n 1p <<<"$route")" test "${route/Not found/}" != "$route"
  seen "copies on the underlay's port" "$(frames collector)" test "$(frames collector)" = 0
  value=$(counter mirror m tx_packets)
  seen "tx_packets of the mirror" "$value" test "$value" = 50
  value=$(counter interface tunnel tx_packets)
  seen "tx_packets of the tunnel's port" "$value" test "$value" = 50
  value="$(counter interface tunnel tx_dropped) $(counter interface tunnel tx_errors)"
  seen "its tx_dropped and tx_errors" "$value" test "$value" = "0 0"
  value="$(ovs-vsctl get interface tunnel error) $(ovs-vsctl get interface tunnel link_state)"
  seen "its error and link_state" "$value" test "$value" = "[] up"
  value=$(ovs-vsctl get interface tunnel status)
  seen "its status" "$value" test "${value/egress/}" = "$value"
}

finding "$@"
