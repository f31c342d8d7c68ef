#!/usr/bin/env bash
# Open vSwitch: on a slow disk the server of a clustered OVSDB carries one transaction out twice, and answers with the
# failure of the second time.
#
# The first transaction after the start of a cluster of one server, an `insert` that a client sends once, comes while the
# server still waits for its disk. The row is there once afterwards, and the answer is an error of the commit: the insert
# would be the second row of a table that may have one (`maxRows`). A client that sees the error takes the change for not
# done. On a fast disk the same transaction succeeds.
#
# The disk is slowed by a library that waits 1.5 s in fsync() and fdatasync().
#
# Needs root and mmdebstrap. Seen with 3.1.0 and 3.5.0.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
try_on bookworm openvswitch-switch=3.1.0-2+deb12u1 gcc libc6-dev
try_on trixie openvswitch-switch=3.5.0-1+b1 gcc libc6-dev

SCHEMA='{"name": "D", "version": "1.0.0", "tables": {"T": {"columns": {"n": {"type": "integer"}}, "isRoot": true, "maxRows": 1}}}'
SLOW='
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
static int slowly(const char *name, int fd) {
  usleep(1500000);
  return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}
int fsync(int fd) { return slowly("fsync", fd); }
int fdatasync(int fd) { return slowly("fdatasync", fd); }
'

# first_insert DISK PRELOAD: sets `answer` and `rows`.
first_insert() {
  ovsdb-tool create-cluster "/run/$1.db" /run/schema tcp:127.0.0.1:6641
  LD_PRELOAD=$2 ovsdb-server "/run/$1.db" --remote="punix:/run/$1.sock" --unixctl="/run/$1.ctl" --pidfile="/run/$1.pid" \
    --log-file="/run/$1.log" -vconsole:off 2>/dev/null &
  wait_for 20 test -S "/run/$1.sock"
  answer=$(ovsdb-client --timeout=30 --no-leader-only transact "unix:/run/$1.sock" '["D", {"op": "insert", "table": "T", "row": {"n": 1}}]')
  rows=$(ovsdb-client --timeout=30 --no-leader-only --format=csv --no-headings dump "unix:/run/$1.sock" D T n | sed 1d | paste -sd,)
  kill "$(cat "/run/$1.pid")"
}

experiment() {
  printf '   %s\n' "$(ovsdb-server --version | sed -n 1p)"
  echo "$SCHEMA" >/run/schema
  gcc -shared -fPIC -x c - -o /run/slow.so -ldl <<<"$SLOW"
  local answer rows results
  for disk in fast slow; do
    first_insert "$disk" "$([ "$disk" = fast ] || echo /run/slow.so)"
    results=$(grep -o '"uuid":\|"error":"[a-z ]*"' <<<"$answer" | paste -sd' ')
    if [ "$disk" = fast ]; then
      seen "on a fast disk, results of one insert" "$results" test "$results" = '"uuid":'
    else
      seen "on a slow disk, results of one insert" "$results" test "$results" = '"uuid": "error":"constraint violation"'
    fi
    seen "   rows of the table" "$rows" test "$rows" = 1
  done
}

finding "$@"
