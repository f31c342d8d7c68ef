#!/usr/bin/env bash
# Open vSwitch: ovsdb-server goes on with the old certificate after the files of certificate and private key changed.
#
# The server looks at the times of both files whenever it wakes, and a comment in its source says that it reads both when
# either changed. It reads them only if, at the moment when it sees a new time of the private key's file, the
# certificate's file is new as well. So a certificate that is renewed for the same private key is never read. A new pair
# is never read either, if its private key comes first and the server wakes before the certificate comes; it is read if
# the certificate comes first. The log has no word of it. What helps is a touch of the private key's file once
# both files are there. It is known: openvswitch/ovs-issues 365.
#
# Needs root and mmdebstrap. Seen with 3.1.0 and 3.5.0.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
try_on bookworm openvswitch-switch=3.1.0-2+deb12u1 openssl
try_on trixie openvswitch-switch=3.5.0-1+b1 openssl

# pair NAME: a private key /run/NAME.key, and its certificate /run/NAME.crt of that name.
pair() {
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "/run/$1.key" 2>/dev/null
  certificate "$1" "$1.key"
}
certificate() { openssl req -x509 -key "/run/$2" -out "/run/$1.crt" -days 9 -subj "/CN=$1" 2>/dev/null; }

# put FILE NAME: as tools that renew certificates do, in one step. The server wakes afterwards, and looks at its files.
put() {
  cp "/run/$1" "/run/tls/new"
  mv "/run/tls/new" "/run/tls/$2"
  wake
}
wake() { ovs-appctl -t /run/server.ctl version >/dev/null; }

# shown: whose certificate a new client gets to see.
shown() {
  openssl s_client -connect 127.0.0.1:6640 </dev/null 2>/dev/null |
    openssl x509 -noout -subject -nameopt multiline | sed -n 's/^ *commonName *= //p'
}

# server: a new one, with the first pair.
server() {
  if [ -n "${pid:-}" ]; then
    kill "$pid"
    wait "$pid" || true
  fi
  rm -rf /run/tls /run/server.*
  mkdir /run/tls
  cp /run/first.key /run/tls/key
  cp /run/first.crt /run/tls/crt
  ovsdb-server /run/some.db --remote=pssl:6640:127.0.0.1 --private-key=/run/tls/key --certificate=/run/tls/crt \
    --ca-cert=none --unixctl=/run/server.ctl --log-file=/run/server.log -vconsole:off 2>/dev/null &
  pid=$!
  wait_for 20 wake
  wait_for 20 shown
  local name
  name=$(shown)
  seen "$1: the server begins with the certificate" "$name" test "$name" = first
}

# after TEXT NAME
after() {
  local name
  name=$(shown)
  seen "   after $1 it shows" "$name" test "$name" = "$2"
}

experiment() {
  printf '   %s\n' "$(ovsdb-server --version | sed -n 1p)"
  ovsdb-tool create /run/some.db /usr/share/openvswitch/vswitch.ovsschema
  pair first
  pair second
  certificate renewed first.key

  server "a certificate for the same private key"
  put renewed.crt crt
  after "the certificate changed" first
  silent
  touch /run/tls/key
  after "a touch of the private key" renewed

  server "a new pair, the private key first"
  put second.key key
  after "the private key changed" first
  put second.crt crt
  after "the certificate changed, too," first
  silent
  touch /run/tls/key
  after "a touch of the private key" second

  server "a new pair, the certificate first"
  put second.crt crt
  after "the certificate changed" first
  put second.key key
  after "the private key changed, too," second
}

# The log has the warning of --ca-cert=none from the start.
silent() {
  local lines
  lines=$(grep -i 'ssl\|tls\|certificate\|key' /run/server.log | grep -vc 'validation disabled' || true)
  seen "   lines of its log about it" "$lines" test "$lines" = 0
}

finding "$@"
