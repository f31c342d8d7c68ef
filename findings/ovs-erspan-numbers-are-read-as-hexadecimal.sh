#!/usr/bin/env bash
# Open vSwitch: of an ERSPAN port's numbers key is read as decimal, erspan_idx and erspan_hwid as hexadecimal.
#
# A port has key=20 and, for type II, erspan_idx=20 or, for type III, erspan_hwid=20. The packets that leave it have the
# session ID 20, and the index or the hardware ID 32. The documentation of the options gives widths in bits, and no
# base; the database shows 20 in each. A collector that tells ports by the index sees another one than was asked for.
# A hardware ID of 48, which fits into 6 bits, is refused as invalid, and the port goes from the bridge.
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
  local told number
  printf '   -- key=20 erspan_idx=20, ERSPAN type II\n'
  sent erspan_ver=1 erspan_idx=20
  number=$(frames collector 'ip[30:2] & 0x3ff = 20')
  seen "session ID 20 (of 20 packets)" "$number" test "$number" = 20
  number=$(frames collector 'ip[32:4] & 0xfffff = 32')
  seen "index 32" "$number" test "$number" = 20

  printf '   -- key=20 erspan_hwid=20, ERSPAN type III\n'
  sent erspan_ver=2 erspan_dir=0 erspan_hwid=20
  number=$(frames collector 'ip[30:2] & 0x3ff = 20')
  seen "session ID 20 (of 20 packets)" "$number" test "$number" = 20
  number=$(frames collector '(ip[38:2] >> 4) & 0x3f = 32')
  seen "hardware ID 32" "$number" test "$number" = 20

  ovs-vsctl --timeout=20 set interface tunnel options:erspan_hwid=48 >/run/told 2>&1 || true
  wait_for 20 refused
  told=$(refused)
  seen "erspan_hwid=48: error of the interface" "$told" grep -q 'invalid erspan hardware ID: 48' <<<"$told"
}
refused() { ovs-vsctl get interface tunnel error | grep invalid; }

# sent OPTION...: the packets of 20 pings by an ERSPAN port with key=20 and these options.
sent() {
  ovs-vsctl --if-exists del-port tunnel -- add-port br0 tunnel \
    -- set interface tunnel type=erspan options:remote_ip=192.0.2.9 options:key=20 "${@/#/options:}" \
    -- --id=@a get port a -- --id=@t get port tunnel \
    -- --id=@m create mirror name=m select_src_port=@a output_port=@t -- set bridge br0 mirrors=@m >/dev/null
  sleep 1
  capture collector eth0 proto gre
  pings a 10.0.0.2 20
  sleep 1
  end_capture
}

finding "$@"
