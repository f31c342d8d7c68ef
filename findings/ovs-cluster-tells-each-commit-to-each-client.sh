#!/usr/bin/env bash
# Open vSwitch: each client of a clustered OVSDB is told of each commit, also of rows that it does not watch.
#
# A client asks for tables, columns and rows (monitor_cond, ovsdb-server(7)), and gets what changes in these. The client
# library of Open vSwitch, which ovs-vsctl uses, also watches the server's own database `_Server`, by default with the
# column `index` of a clustered database, which grows with each commit. Here a client waits for a column of one row, and
# others change another table a hundred times. From a server with a database of its own it gets no byte for that (an echo
# may come); from a clustered one more than a hundred bytes a commit. So the bytes that a store sends for one change grow
# with its clients, however little they watch, and those of a change by each client with their square.
#
# Needs root and mmdebstrap. Seen with 3.1.0 and 3.5.0: 41 and 13,939 bytes with both.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
try_on bookworm openvswitch-switch=3.1.0-2+deb12u1
try_on trixie openvswitch-switch=3.5.0-1+b1

COMMITS=100
SCHEMA=/usr/share/openvswitch/vswitch.ovsschema

experiment() {
  printf '   %s\n' "$(ovsdb-server --version | sed -n 1p)"
  ovsdb-tool create /run/alone.db "$SCHEMA"
  ovsdb-tool create-cluster /run/cluster.db "$SCHEMA" tcp:127.0.0.1:6641 2>/dev/null
  local kind port=6630 bytes
  for kind in alone cluster; do
    port=$((port + 1))
    ovsdb-server "/run/$kind.db" --remote="ptcp:$port:127.0.0.1" --unixctl="/run/$kind.ctl" \
      --log-file="/run/$kind.log" -vconsole:off 2>/dev/null &
    wait_for 60 ovs-vsctl --db="tcp:127.0.0.1:$port" --no-wait --timeout=5 init
    ovs-vsctl --db="tcp:127.0.0.1:$port" --no-wait wait-until Open_vSwitch . external_ids:end=yes &
    local waits=$!
    wait_for 20 connected "$port"
    sleep 1
    bytes=$(received "$port")
    changes "$port"
    bytes=$(($(received "$port") - bytes))
    if [ "$kind" = alone ]; then
      seen "a server with a database of its own: bytes that the client got" "$bytes" test "$bytes" -lt 500
    else
      seen "a clustered server: bytes that the client got" "$bytes" test "$bytes" -gt $((COMMITS * 100))
    fi
    ovs-vsctl --db="tcp:127.0.0.1:$port" --no-wait set Open_vSwitch . external_ids:end=yes
    wait "$waits"
  done
}

# changes PORT: rows of another table, each in a transaction of its own.
changes() {
  local number
  for ((number = 0; number < COMMITS; number++)); do
    ovs-vsctl --db="tcp:127.0.0.1:$1" --no-wait -- --id=@ssl create SSL private_key=k certificate="c$number" ca_cert=c \
      -- set Open_vSwitch . ssl=@ssl >/dev/null
  done
}

connected() { ss -Htn state established "dport = :$1" | grep -q .; }

# received PORT: bytes that the longest connection to the port has got.
received() {
  ss -Htni state established "dport = :$1" | grep -o 'bytes_received:[0-9]*' | sed 's/.*://' | sort -n | tail -n 1
}

finding "$@"
