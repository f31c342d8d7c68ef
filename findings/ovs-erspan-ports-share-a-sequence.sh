#!/usr/bin/env bash
# Open vSwitch's userspace datapath numbers the packets of all its ERSPAN ports by one counter.
#
# Two ERSPAN ports, with the session IDs 1 and 2, each have their own mirror. A sequence number is a session's own
# elsewhere, so that a collector sees from it what was lost. Here the two sessions take turns: each shows gaps
# all the time, though nothing was lost, and a collector that gets only one of them can't tell these from loss.
#
# Needs root and mmdebstrap. Seen with 3.1.0 and 3.5.0.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
try_on bookworm openvswitch-switch=3.1.0-2+deb12u1
try_on trixie openvswitch-switch=3.5.0-1+b1

# numbers SESSION: the sequence numbers of its packets, as they came.
numbers() {
  tcpdump -Z root -nvr /run/collector.pcap "ip[30:2] & 0x3ff = $1" 2>/dev/null |
    sed -n 's/.*, seq \(0x\)\{0,1\}\([0-9a-f]*\).*/\1\2/p' | while read -r n; do echo $((n)); done
}

experiment() {
  start_switch
  collector
  three_guests
  local guest key=0
  for guest in a b; do
    key=$((key + 1))
    ovs-vsctl add-port br0 "tunnel$key" -- set interface "tunnel$key" type=erspan options:remote_ip=192.0.2.9 \
      "options:key=$key" options:erspan_ver=1 options:erspan_idx=1 \
      -- --id=@g get port "$guest" -- --id=@t get port "tunnel$key" \
      -- --id=@m create mirror "name=m-$guest" select_src_port=@g output_port=@t -- add bridge br0 mirrors @m >/dev/null
  done
  capture collector eth0 proto gre
  pings a 10.0.0.2 50
  sleep 1
  end_capture

  # How many gaps there are depends on how the two take turns, which they do less evenly on a busy machine.
  for key in 1 2; do
    seen "session $key: packets" "$(numbers $key | wc -l)" test "$(numbers $key | wc -l)" = 50
    seen "session $key: numbers that don't follow the last one" "$(gaps "$key")" test "$(gaps "$key")" -gt 0
    printf '      %s...\n' "$(numbers $key | sed -n 1,8p | tr '\n' ' ')"
  done
  local together
  together=$({ numbers 1; numbers 2; } | sort -n | uniq | gawk 'NR > 1 && $1 != last + 1 { n++ } { last = $1 } END { print NR, n + 0 }')
  seen "both together: different numbers, and gaps" "$together" test "$together" = "100 0"
}

gaps() { numbers "$1" | gawk 'NR > 1 && $1 != last + 1 { n++ } { last = $1 } END { print n + 0 }'; }

finding "$@"
