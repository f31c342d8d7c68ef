#!/usr/bin/env bash
# Open vSwitch: in a clustered OVSDB each server grants a lock by itself, so that several clients hold it at once.
#
# A database has locks (RFC 7047, 4.1.8) by which clients agree on who works, and the operation `assert`, by which a
# transaction is carried out only for the lock's owner. The manual pages ovsdb(7), ovsdb-server(1) and (7) and
# ovsdb-client(1) set no limit to locks in a cluster; a list of plans in the source does. Two clients of one server
# behave as expected: the second waits, and its `assert` fails. Two clients of two servers of one cluster are both told
# that they have the lock, and the transactions of both, each with its `assert`, are carried out on the one database.
# So locks elect nobody in a cluster.
#
# Needs root and mmdebstrap. Seen with 3.1.0 and 3.5.0.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
try_on bookworm openvswitch-switch=3.1.0-2+deb12u1
try_on trixie openvswitch-switch=3.5.0-1+b1

SCHEMA='{"name": "D", "version": "1.0.0", "tables": {"T": {"columns": {"by": {"type": "string"}}}}}'

experiment() {
  printf '   %s\n' "$(ovsdb-server --version | sed -n 1p)"
  echo "$SCHEMA" >/run/schema
  ovsdb-tool create-cluster /run/1.db /run/schema tcp:127.0.0.1:6641
  ovsdb-tool join-cluster /run/2.db D tcp:127.0.0.1:6642 tcp:127.0.0.1:6641
  ovsdb-tool join-cluster /run/3.db D tcp:127.0.0.1:6643 tcp:127.0.0.1:6641
  local number
  for number in 1 2 3; do
    ovsdb-server "/run/$number.db" --remote="ptcp:663$number:127.0.0.1" --unixctl="/run/$number.ctl" \
      --log-file="/run/$number.log" -vconsole:off 2>/dev/null &
    wait_for 60 ovsdb-client --timeout=5 wait "tcp:127.0.0.1:663$number" D connected
  done

  exec {a}<>/dev/tcp/127.0.0.1/6631 {b}<>/dev/tcp/127.0.0.1/6631 {c}<>/dev/tcp/127.0.0.1/6632
  client 'a of server 1' "$a" true 'carried out'
  client 'b of server 1' "$b" false refused
  client 'c of server 2' "$c" true 'carried out'
  printf '   a once more\n'
  adds "$a" 'a once more' 'carried out'
  sleep 2 # A follower may be behind.
  local rows
  rows=$(ovsdb-client --format=csv --no-headings dump tcp:127.0.0.1:6633 D T by | sed '1d; s/"//g' | paste -sd,)
  seen "rows of the database, by server 3" "$rows" test "$rows" = 'a of server 1,a once more,c of server 2'
}

# client NAME CONNECTION LOCKED RESULT: asks for the lock, and adds a row on condition that it has the lock.
client() {
  local lock
  ask "$2" 1 '{"id": 1, "method": "lock", "params": ["l"]}'
  lock=$(grep -o '"locked":[a-z]*' <<<"$answer" | sed 's/.*://')
  seen "$1 asks for the lock: locked" "$lock" test "$lock" = "$3"
  adds "$2" "$1" "$4"
}

# adds CONNECTION NAME RESULT
adds() {
  local result
  ask "$1" 2 '{"id": 2, "method": "transact", "params": ["D", {"op": "assert", "lock": "l"},
    {"op": "insert", "table": "T", "row": {"by": "'"$2"'"}}]}'
  case $answer in
    *'"not owner"'*) result=refused ;;
    *'"uuid"'*) result='carried out' ;;
    *) result=$answer ;;
  esac
  seen "   its transaction with assert" "$result" test "$result" = "$3"
}

# ask CONNECTION ID REQUEST: sets `answer`. Messages have no line ends; the server asks for a sign of life after 5 s.
ask() {
  local more end=$((SECONDS + 20))
  answer=
  printf '%s' '{"id": "echo", "result": [], "error": null}' "$3" >&"$1"
  until [[ $answer == *"\"id\":$2,"* ]]; do
    [ "$SECONDS" -lt "$end" ] || cannot "no answer to $3"
    IFS='' read -r -t 0.2 -d '' -u "$1" more || true
    answer+=$more
  done
}

finding "$@"
