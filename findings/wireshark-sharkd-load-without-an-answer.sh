#!/usr/bin/env bash
# Wireshark: sharkd loads a capture whose last packet is not whole, and gives no answer to the request `load`.
#
# A capture that is being written, or was copied meanwhile, ends in the middle of a packet. tshark prints the packets
# before it, tells of the end on stderr, and exits with 2. sharkd, which talks JSON-RPC 2.0, loads these packets as well:
# later requests are answered with them. But the request `load` itself gets neither a result nor an error, though it
# has an id, and JSON-RPC wants an answer for each that has one. A client waits for ever, or takes the answer to its next
# request for that to `load`. The words about the end go to stderr. A file that is not there gets an error, as it should.
# 4.4.19 answers `load` in all cases.
#
# Needs root and mmdebstrap. Seen with 4.0.17; 4.4.19 does not do it.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
try_on bookworm tshark=4.0.17-0+deb12u3 wireshark-common=4.0.17-0+deb12u3
try_on trixie tshark=4.4.19-0+deb13u1 wireshark-common=4.4.19-0+deb13u1

experiment() {
  printf '   %s\n' "$(tshark --version 2>/dev/null | sed -n 1p)"
  local end=result
  case $(tshark --version 2>/dev/null) in *' 4.0.'*) end='no answer' ;; esac
  # 20 packets of 60 bytes, each with a header of 16 in the file.
  for _ in {1..20}; do
    printf '000000 02 00 00 00 00 02 02 00 00 00 00 01 88 b5%s\n' "$(printf ' 55%.0s' {1..46})"
  done >/run/packets
  text2pcap -q -F pcap /run/packets /run/whole.pcap >/dev/null 2>&1
  head -c -10 /run/whole.pcap >/run/cut.pcap

  shown whole 20 0
  loaded whole result 20
  shown cut 19 2
  loaded cut "$end" 19
  loaded none error 0
}

# shown FILE PACKETS CODE
shown() {
  local code=0 packets
  tshark -r "/run/$1.pcap" >/run/packets 2>/run/told || code=$?
  packets=$(wc -l </run/packets)
  seen "$1.pcap: packets by tshark" "$packets" test "$packets" = "$2"
  seen "   its exit code" "$code" test "$code" = "$3"
}

# loaded FILE ANSWER PACKETS: what `load` is answered with, and how many packets `status` counts then.
loaded() {
  local answer packets
  printf '%s\n' '{"jsonrpc":"2.0","id":1,"method":"load","params":{"file":"/run/'"$1"'.pcap"}}' \
    '{"jsonrpc":"2.0","id":2,"method":"status"}' | timeout 300 sharkd - >/run/answers 2>/run/told
  answer=$(sed -n 's/.*"id":1,"\([a-z]*\)".*/\1/p' /run/answers)
  packets=$(sed -n 's/.*"id":2,.*"frames":\([0-9]*\).*/\1/p' /run/answers)
  seen "$1.pcap: sharkd's answer to load" "${answer:-no answer}" test "${answer:-no answer}" = "$2"
  seen "   packets by its next answer, to status" "$packets" test "$packets" = "$3"
  if [ "$1" = cut ]; then
    seen "   on stderr" "$(grep -m 1 -o 'appears to have been cut short.*' /run/told)" grep -q 'cut short' /run/told
  fi
}

finding "$@"
