#!/usr/bin/env bash
# libvirt: `dump` and `save` are told as iterations of a migration, and `dump --memory-only` is told by nothing.
#
# The event migration-iteration is documented as a step of a migration that goes on. It also comes of jobs that move the
# guest nowhere: `virsh dump`, with and without --live, `save` and `managedsave`. At that time nothing in the event tells
# them from a migration; the operation in job-completed does, but that comes at the end. `dump --memory-only`, which makes
# a dump as well, sends neither of the two.
#
# Needs root and mmdebstrap. Seen with 9.0.0.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
try_on bookworm libvirt-daemon=9.0.0-4+deb12u2 libvirt-daemon-driver-qemu=9.0.0-4+deb12u2 \
  libvirt-clients=9.0.0-4+deb12u2 qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3

# job NUMBER OPERATION COMMAND...: it sends migration-iteration (0: none), and job-completed with that operation.
job() {
  local operation iterations
  : >/run/events
  virsh -q "${@:3}" >/dev/null
  sleep 2
  iterations=$(events migration-iteration)
  operation=$(sed -n 's/.*operation: //p' /run/events)
  if [ "$1" = 0 ]; then
    seen "virsh ${*:3}: events migration-iteration" "$iterations" test "$iterations" = 0
  else
    seen "virsh ${*:3}: events migration-iteration" "$iterations" test "$iterations" -ge 1
  fi
  seen "   the operation in job-completed" "${operation:-no such event}" test "$operation" = "$2"
}

experiment() {
  start_libvirt
  guest
  listen
  virsh -q start g >/dev/null
  sleep 2
  # Operations: 2 is save, 5 an outgoing migration, 8 dump.
  job 1 8 dump g /run/dump
  job 1 8 dump g /run/dump --live
  job 0 '' dump g /run/dump --memory-only
  job 1 2 save g /run/save
  virsh -q restore /run/save >/dev/null
  job 1 2 managedsave g
}

finding "$@"
