#!/usr/bin/env bash
# Open vSwitch: a default ACL of /run/openvswitch does not let another user use the sockets in it.
#
# The usual way to let a monitoring user reach sockets that a daemon makes anew at each start is a default ACL of their
# folder. ovsdb-server and ovs-vswitchd change the mode of their sockets to 0750 after they made them. The group bits of
# a mode are the mask of an ACL, so the inherited right to write, which connect() needs, has no effect. systemd-tmpfiles
# (`a+`) does not help then: it adds its entry, and leaves a mask that is there as it is, unless the line gives one.
#
# Needs root and mmdebstrap. Seen with 3.1.0 (systemd 252) and 3.5.0 (systemd 257).

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
try_on bookworm openvswitch-switch=3.1.0-2+deb12u1 acl=2.3.1-3 util-linux systemd
try_on trixie openvswitch-switch=3.5.0-1+b1 acl=2.3.2-2+b1 util-linux systemd

USER_ID=4711

rights() { getfacl --omit-header --numeric --absolute-names "$1" | grep -E "^(user:$USER_ID|mask)" | tr '\n\t' '  ' | tr -s ' '; }
connects() {
  if setpriv --reuid=$USER_ID --regid=$USER_ID --clear-groups ovs-vsctl --timeout=5 show >/run/told 2>&1; then echo yes; else
    grep -o 'Permission denied' /run/told
  fi
}

experiment() {
  mkdir -p /run/openvswitch /run/tmpfiles.d
  setfacl -m "u:$USER_ID:rx,d:u:$USER_ID:rwx" /run/openvswitch
  start_switch
  local socket=/run/openvswitch/db.sock
  seen "mode of the socket" "$(stat --format %a $socket)" test "$(stat --format %a $socket)" = 750
  seen "its ACL, from the default ACL with rwx" "$(rights $socket)" grep -q '^user:4711:rwx #effective:r-x mask::r-x' <<<"$(rights $socket)"
  seen "the user connects" "$(connects)" test "$(connects)" = "Permission denied"

  echo "a+ $socket - - - - u:$USER_ID:rw" >/run/tmpfiles.d/test.conf
  systemd-tmpfiles --create test.conf
  seen "after systemd-tmpfiles, a+ with u:$USER_ID:rw" "$(rights $socket)" grep -q 'mask::r-x' <<<"$(rights $socket)"
  echo "a+ $socket - - - - u:$USER_ID:rw,m::rwx" >/run/tmpfiles.d/test.conf
  systemd-tmpfiles --create test.conf
  seen "after a+ with u:$USER_ID:rw,m::rwx" "$(rights $socket)" grep -q 'mask::rwx' <<<"$(rights $socket)"
  seen "the user connects" "$(connects)" test "$(connects)" = yes
}

finding "$@"
