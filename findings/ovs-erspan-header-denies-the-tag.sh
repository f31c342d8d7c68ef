#!/usr/bin/env bash
# Open vSwitch's userspace datapath: the ERSPAN header says that a tagged frame has no VLAN.
#
# A guest of VLAN 20 is mirrored to an ERSPAN port. The copy has an 802.1Q tag with VLAN 20. The header in front of
# it has a field for the frame's VLAN, and the bits En, which say whether the frame came with a tag, and
# whether the tag is still there (3). It says VLAN 0 and En 0: came without a tag. That is so with types II and III.
# In type III the bit P, which is 1 for an Ethernet frame, is 0, too.
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
  ovs-vsctl set port a tag=20 -- set port b tag=20
  local version options inner copies
  for version in 1 2; do
    options="options:erspan_ver=$version"
    # Where the copied frame begins, from the outer IP header: after it, GRE with a number, and the ERSPAN header.
    if [ "$version" = 1 ]; then
      options+=" options:erspan_idx=1"
      inner=$((20 + 8 + 8))
    else
      options+=" options:erspan_dir=0 options:erspan_hwid=1"
      inner=$((20 + 8 + 12))
    fi
    printf '   -- ERSPAN type %s\n' "$([ "$version" = 1 ] && echo II || echo III)"
    # shellcheck disable=SC2086  # A list of words.
    ovs-vsctl add-port br0 tunnel -- set interface tunnel type=erspan options:remote_ip=192.0.2.9 options:key=1 $options \
      -- --id=@a get port a -- --id=@t get port tunnel \
      -- --id=@m create mirror name=m select_src_port=@a output_port=@t -- set bridge br0 mirrors=@m >/dev/null
    sleep 1
    capture collector eth0 proto gre
    pings a 10.0.0.2 20
    sleep 1
    end_capture
    copies=$(frames collector "ip[$((inner + 12)):2] = 0x8100 and ip[$((inner + 14)):2] & 0xfff = 20")
    seen "copies that have a tag of VLAN 20" "$copies" test "$copies" = 20
    copies=$(frames collector "ip[28:2] & 0xfff = 0 and ip[30:2] & 0x1800 = 0")
    seen "copies whose header says VLAN 0, En 0" "$copies" test "$copies" = 20
    [ "$version" = 1 ] || {
      copies=$(frames collector "ip[38:2] & 0x8000 = 0")
      seen "copies whose header says P 0" "$copies" test "$copies" = 20
    }
    ovs-vsctl clear bridge br0 mirrors -- del-port tunnel
  done
}

finding "$@"
