#!/usr/bin/env bash
# Wireshark: of two DNP3 messages in one frame the second pass shows the last message twice.
#
# A TCP segment has two DNP3 messages: a delay measurement (function code 23) and a read (1). Each message is one
# transport segment, first and final, for which any sequence number is right; both have 0, as of a master that begins
# anew with each message. tshark shows the function codes 23 and 1. The second pass over the same frame shows two reads:
# with `tshark -2`, and in sharkd, whose method `frame` dissects a frame again that `load` has read. So two-pass runs
# count messages wrongly. With the sequence numbers 0 and 1 both passes are right.
#
# Needs root and mmdebstrap. Seen with 4.0.17 and 4.4.19.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
try_on bookworm tshark=4.0.17-0+deb12u3 wireshark-common=4.0.17-0+deb12u3
try_on trixie tshark=4.4.19-0+deb13u1 wireshark-common=4.4.19-0+deb13u1

# Link frames from 1 to 10: header of 8 bytes, CRC; transport header (c0: first, final, sequence 0; c1: sequence 1),
# application header (control, function), objects, CRC.
DELAY_0='05 64 08 c4 0a 00 01 00 fc 42  c0 c1 17 8c 0c'
READ_0='05 64 0b c4 0a 00 01 00 ac d1  c0 c2 01 3c 02 06 58 a6'
READ_1='05 64 0b c4 0a 00 01 00 ac d1  c1 c2 01 3c 02 06 bf 13'

experiment() {
  printf '   %s\n' "$(tshark --version 2>/dev/null | sed -n 1p)"
  passes "sequence numbers 0 and 0" "$DELAY_0 $READ_0" 1,1
  passes "sequence numbers 0 and 1" "$DELAY_0 $READ_1" 23,1
}

# functions [-2]: the function codes that tshark shows.
functions() { tshark "$@" -r /run/dnp3.pcap -T fields -e dnp3.al.func 2>/dev/null; }

# asked: those that sharkd shows of the frame.
asked() {
  printf '%s\n' '{"jsonrpc":"2.0","id":1,"method":"load","params":{"file":"/run/dnp3.pcap"}}' \
    '{"jsonrpc":"2.0","id":2,"method":"frame","params":{"frame":1,"proto":true}}' | sharkd - 2>/dev/null |
    grep -o 'Function Code: [^"]*(0x[0-9a-f]*)' | sed 's/.*(\(0x[0-9a-f]*\))/\1/' |
    while read -r code; do printf '%d\n' "$code"; done | paste -sd,
}

# passes TEXT BYTES CODES: the second pass shows these function codes.
passes() {
  printf '000000 %s\n' "$2" >/run/dnp3.txt
  text2pcap -q -T 40000,20000 /run/dnp3.txt /run/dnp3.pcap >/dev/null 2>&1
  local once twice told
  once=$(functions)
  twice=$(functions -2)
  told=$(asked)
  seen "$1: function codes by tshark" "$once" test "$once" = 23,1
  seen "   by tshark -2" "$twice" test "$twice" = "$3"
  seen "   by sharkd" "$told" test "$told" = "$3"
}

finding "$@"
