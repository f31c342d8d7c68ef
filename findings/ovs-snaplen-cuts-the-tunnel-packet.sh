#!/usr/bin/env bash
# Open vSwitch's userspace datapath: a mirror's snaplen with a tunnel as output makes packets that no host takes.
#
# snaplen is documented as cutting the frame before it is sent to the output port, which may be a tunnel. The
# userspace datapath puts the tunnel's headers on first and cuts then: with a snaplen of 100, the packet that
# leaves has 100 bytes in all, the IP header in it still says the uncut length, and ERSPAN's bit T (truncated)
# is 0. The collector's IP stack drops each one as truncated, while mirror and port count them as sent.
#
# Needs root and mmdebstrap. Seen with 3.1.0 and 3.5.0.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
try_on bookworm openvswitch-switch=3.1.0-2+deb12u1
try_on trixie openvswitch-switch=3.5.0-1+b1

# truncated: packets that the collector's IP stack dropped as shorter than they say.
truncated() { ip netns exec collector gawk '$1 == "IpExt:" && !n++ { split($0, names) }
  $1 == "IpExt:" { for (i in names) if (names[i] == "InTruncatedPkts") value = $i } END { print value }' /proc/net/netstat; }

experiment() {
  start_switch
  collector
  three_guests
  local options before copies
  for options in "erspan options:key=5 options:erspan_ver=1 options:erspan_idx=1" "gre options:key=5"; do
    printf '   -- %s\n' "${options%% *}"
    # shellcheck disable=SC2086  # A list of words.
    ovs-vsctl add-port br0 tunnel -- set interface tunnel options:remote_ip=192.0.2.9 type=$options \
      -- --id=@a get port a -- --id=@t get port tunnel \
      -- --id=@m create mirror name=m select_src_port=@a output_port=@t snaplen=100 -- set bridge br0 mirrors=@m >/dev/null
    sleep 1
    before=$(truncated)
    capture collector eth0 proto gre
    pings a 10.0.0.2 50 -s 400 # 442 bytes each.
    settle
    end_capture
    copies=$(frames collector)
    seen "copies that arrived, of 50 frames" "$copies" test "$copies" = 50
    copies=$(frames collector "len = 100 and ip[2:2] > 442")
    seen "of 100 bytes, the IP header says $(lengths)" "$copies" test "$copies" = 50
    [ "${options%% *}" = gre ] || {
      copies=$(frames collector 'ip[30:2] & 0x0400 = 0')
      seen "without ERSPAN's bit T" "$copies" test "$copies" = 50
    }
    copies=$(($(truncated) - before))
    seen "dropped as truncated by the collector's IP stack" "$copies" test "$copies" -ge 50
    copies=$(counter mirror m tx_packets)
    seen "tx_packets of the mirror" "$copies" test "$copies" = 50
    ovs-vsctl clear bridge br0 mirrors -- del-port tunnel
  done
}

# lengths: the total lengths in the copies' outer IP headers.
lengths() { tcpdump -Z root -nvr /run/collector.pcap 2>/dev/null | grep -o 'GRE (47), length [0-9]*' | sed 's/.* //' | sort -u | tr '\n' ' '; }

finding "$@"
