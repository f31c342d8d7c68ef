#!/usr/bin/env bash
# libvirt: a guest whose start fails gets no event, though its state says `failed` and its hooks were called.
#
# A guest's kernel is an empty file, so that QEMU ends before the guest is there. virsh says so, the guest's state is
# `shut off (failed)`, and the hook was called for the begin and for the end. Whoever follows guests by events
# sees nothing: there is a detail for it, Stopped Failed, and it isn't sent, neither for a guest that is defined
# nor for one that is made by `virsh create`. The same guest without that kernel starts with two events.
#
# Needs root and mmdebstrap. Seen with 9.0.0.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
try_on bookworm libvirt-daemon=9.0.0-4+deb12u2 libvirt-daemon-driver-qemu=9.0.0-4+deb12u2 \
  libvirt-clients=9.0.0-4+deb12u2 qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3

experiment() {
  start_libvirt
  local state status=0
  : >/run/empty-kernel
  guest '<kernel>/run/empty-kernel</kernel>'
  listen

  virsh -q start g >/run/answer 2>&1 || status=$?
  sleep 2
  seen "virsh start: $(grep -m 1 -o 'qemu.*' /run/answer || sed -n 1p /run/answer); exit code" "$status" test "$status" = 1
  state=$(virsh domstate --reason g | sed -n 1p)
  seen "the guest's state" "$state" test "$state" = "shut off (failed)"
  state=$(sort -u /run/hooks | tr '\n' ' ')
  seen "the hook was called for" "$state" test "$state" = "prepare release start stopped "
  seen "events of the guest's life" "$(events lifecycle)" test "$(events lifecycle)" = 0

  virsh -q undefine g >/dev/null
  : >/run/events
  virsh -q create /run/g.xml >/run/answer 2>&1 && status=0 || status=$?
  sleep 2
  seen "virsh create: exit code" "$status" test "$status" = 1
  seen "events of the guest's life" "$(events lifecycle)" test "$(events lifecycle)" = 0

  guest
  : >/run/events
  virsh -q start g >/dev/null
  sleep 2
  seen "without that kernel: events" "$(events lifecycle)" test "$(events lifecycle)" = 2
}

finding "$@"
