# shellcheck shell=bash
# What the findings share; sourced. A script calls `try_on SUITE PACKAGE=VERSION...` for each release that it
# records, defines `experiment` and ends with `finding "$@"`.
#
# `experiment` runs in a root of its own: the pinned packages of that Debian suite, unpacked by mmdebstrap into
# a temporary folder from where this machine's apt fetches, in network, mount and process namespaces of its
# own. The namespaces end with the script, and with them all that it started; the folder is removed.
#
# Exit code: 0 the behaviour is as recorded, 1 it is not, 2 it could not be tried.

set -euo pipefail

releases=()
try_on() { releases+=("$*"); }

cannot() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 2
}

# ---- Outside: the roots ----------------------------------------------------------------------------

# make_root FOLDER SUITE PACKAGE...
make_root() {
  local folder=$1 suite=$2
  shift 2
  local archive line packages=(bash coreutils grep sed gawk iproute2 iputils-ping procps tcpdump "$@")
  archive=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' |
    sed -n 's/^Debian Debian //p' | sed -n 1p)
  [ -n "$archive" ] || cannot "apt knows no archive of Debian; add one to its sources"
  local options=(--quiet --variant=extract "--include=$(IFS=, && echo "${packages[*]}")")
  while read -r line; do options+=("--aptopt=${line%;}"); done < <(apt-config dump Acquire | grep -i '::proxy' || true)
  mmdebstrap "${options[@]}" "$suite" "$folder" "deb $archive $suite main" >"$folder.log" 2>&1 ||
    cannot "no root of $suite with $*: $(grep -m 3 '^E:' "$folder.log" || tail -n 3 "$folder.log")"
}

finding() {
  if [ "${1:-}" = --inside ]; then
    inside
    return 0
  fi
  if [ $# -gt 0 ]; then
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
    [ "$1" = --help ] && exit 0 || exit 2
  fi
  [ "$(id -u)" -eq 0 ] || cannot "needs root, for namespaces and packets"
  command -v mmdebstrap >/dev/null || cannot "needs mmdebstrap"
  local folder release words status result=0 number=0 child=
  folder=$(mktemp -d)
  # shellcheck disable=SC2064  # The folder's name is known now.
  trap '[ -z "$child" ] || { kill -KILL "$child"; wait "$child"; } 2>/dev/null || true; rm -rf --one-file-system "'"$folder"'"' EXIT
  for release in "${releases[@]}"; do
    read -ra words <<<"$release"
    number=$((number + 1))
    local root=$folder/$number
    make_root "$root" "${words[@]}"
    mkdir -p "$root/finding"
    rm -rf "${root:?}/var/run"
    ln -s /run "$root/var/run"
    echo '127.0.0.1 localhost' >"$root/etc/hosts"
    echo 'root:x:0:0:root:/root:/bin/bash' >"$root/etc/passwd"
    echo 'root:x:0:' >"$root/etc/group"
    cp "$0" "${BASH_SOURCE[0]}" "$root/finding/"
    printf '== Debian %s: %s\n' "${words[0]}" "${words[*]:1}"
    status=0
    unshare --mount --net --uts --ipc --pid --fork --kill-child bash -euc '
      mount --bind "$1" "$1"
      mount --bind /dev "$1/dev"
      mount -t proc proc "$1/proc"
      mount -t sysfs sysfs "$1/sys"
      mount -t tmpfs tmpfs "$1/run"
      exec env -i PATH=/usr/lib/openvswitch-switch:/usr/sbin:/usr/bin:/sbin:/bin \
        chroot "$1" bash "/finding/$2" --inside' - "$root" "${0##*/}" </dev/null &
    child=$!
    wait "$child" || status=$?
    child=
    rm -rf --one-file-system "$root"
    [ "$status" -le "$result" ] || result=$status
  done
  exit "$result"
}

# ---- Inside ----------------------------------------------------------------------------------------

changed=0

inside() {
  trap 'printf "%s: line %s failed\n" "${0##*/}" "$LINENO" >&2; exit 2' ERR
  set -E
  ip link set lo up
  sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 2>/dev/null || true
  experiment
  exit "$changed"
}

# seen TEXT VALUE CONDITION...: prints what was seen; CONDITION is a command that holds for what is recorded.
seen() {
  local text=$1 value=$2
  shift 2
  if "$@"; then
    printf '   %s: %s\n' "$text" "$value"
  else
    printf '   %s: %s   <- NOT AS RECORDED\n' "$text" "$value"
    changed=1
  fi
}

# wait_for SECONDS COMMAND...
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || cannot "waited in vain for: $*"
    sleep 0.1
  done
}

# A virtualization host: Open vSwitch with its userspace datapath.
start_switch() {
  mkdir -p /run/openvswitch /var/log/openvswitch /etc/openvswitch
  ovsdb-tool create /run/conf.db /usr/share/openvswitch/vswitch.ovsschema
  ovsdb-server /run/conf.db --remote=punix:/run/openvswitch/db.sock --unixctl=/run/ovsdb.ctl \
    --log-file=/run/ovsdb.log -vconsole:off 2>/dev/null &
  wait_for 20 ovs-vsctl --no-wait --timeout=2 init
  ovs-vswitchd --disable-system --unixctl=/run/vswitchd.ctl --log-file=/run/vswitchd.log -vconsole:off 2>/dev/null &
  wait_for 20 ovs-appctl -t /run/vswitchd.ctl version
  printf '   %s\n' "$(ovs-vswitchd --version | sed -n 1p)"
}

# bridge NAME [ADDRESS]
bridge() {
  ovs-vsctl add-br "$1" -- set bridge "$1" datapath_type=netdev
  ip link set dev "$1" up
  [ -z "${2:-}" ] || ip address add "$2/24" dev "$1"
}

# mac_of ADDRESS: the MAC of the machine that has it.
mac_of() {
  local number
  IFS=. read -ra number <<<"$1"
  printf '02:00:%02x:%02x:%02x:%02x' "${number[0]}" "${number[1]}" "${number[2]}" "${number[3]}"
}

# machine NAME BRIDGE ADDRESS [NEIGHBOUR...]: a namespace on a port of that name. It knows its neighbours' MACs.
machine() {
  local neighbour
  ip netns add "$1"
  ip -n "$1" link set lo up
  ip netns exec "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 2>/dev/null || true
  ip link add name "$1" type veth peer name eth0 address "$(mac_of "$3")" netns "$1"
  ip -n "$1" address add "$3/24" dev eth0
  ip -n "$1" link set eth0 up
  ip link set dev "$1" up
  for neighbour in "${@:4}"; do ip -n "$1" neigh add "$neighbour" lladdr "$(mac_of "$neighbour")" dev eth0; done
  ovs-vsctl add-port "$2" "$1"
}

# Bridge br0 with the guests a (10.0.0.1), b (10.0.0.2) and c (10.0.0.3), who know each other.
three_guests() {
  bridge br0
  machine a br0 10.0.0.1 10.0.0.2 10.0.0.3
  machine b br0 10.0.0.2 10.0.0.1 10.0.0.3
  machine c br0 10.0.0.3 10.0.0.1 10.0.0.2
}

# Bridge br-wan, where tunnels leave from 192.0.2.1, with the machine collector, 192.0.2.9, whose MAC is known.
collector() {
  bridge br-wan 192.0.2.1
  machine collector br-wan 192.0.2.9
  ovs-appctl -t /run/vswitchd.ctl tnl/neigh/set br-wan 192.0.2.9 "$(mac_of 192.0.2.9)" >/dev/null
}

# pings FROM ADDRESS COUNT [OPTION...]: 50 a second; unanswered ones are no failure.
pings() { ip netns exec "$1" ping -q -i 0.02 -W 1 -c "$3" "${@:4}" "$2" >/dev/null || true; }

# counter TABLE NAME KEY: of the column statistics; 0 where there is none.
counter() { ovs-vsctl --if-exists get "$1" "$2" "statistics:$3" | grep . || echo 0; }

# Until the switch has written its counters, which it does every 5 s.
settle() { sleep 7; }

# capture MACHINE DEVICE FILTER...: into /run/MACHINE.pcap, from now until `end_capture`. MACHINE `host` is here.
capture() {
  local machine=$1 enter=()
  [ "$machine" = host ] || enter=(ip netns exec "$machine")
  "${enter[@]}" tcpdump -U -Z root -ni "$2" -w "/run/$machine.pcap" "${@:3}" 2>/run/tcpdump.log &
  capturing=$!
  wait_for 20 grep -q listening /run/tcpdump.log
}
end_capture() {
  kill "$capturing"
  wait "$capturing" || true
}

# frames MACHINE [FILTER...]: how many were captured.
frames() { tcpdump -Z root --count -nr "/run/$1.pcap" "${@:2}" 2>/dev/null | sed -n "s/ packets\{0,1\}$//p"; }

# ---- libvirt ---------------------------------------------------------------------------------------

# libvirtd with QEMU without KVM; its hook writes what it is called with to /run/hooks.
start_libvirt() {
  echo 'libvirt-qemu:x:64055:64055::/:/bin/false' >>/etc/passwd
  printf '%s\n' 'libvirt-qemu:x:64055:' 'kvm:x:64056:' >>/etc/group
  mkdir -p /run/libvirt /etc/libvirt/hooks /var/lib/libvirt/qemu /var/log/libvirt/qemu /var/cache/libvirt/qemu
  printf '%s\n' 'auth_unix_rw = "none"' 'unix_sock_group = "root"' \
    'host_uuid = "00000000-0000-4000-8000-000000000001"' 'log_outputs = "3:file:/run/libvirtd.log"' >/run/libvirtd.conf
  printf '%s\n' 'user = "root"' 'group = "root"' 'security_driver = "none"' 'cgroup_controllers = [ ]' \
    'namespaces = [ ]' 'stdio_handler = "file"' >/etc/libvirt/qemu.conf
  # shellcheck disable=SC2016  # For the hook.
  printf '%s\n' '#!/bin/bash' 'echo "$2" >>/run/hooks' >/etc/libvirt/hooks/qemu
  chmod +x /etc/libvirt/hooks/qemu
  libvirtd --config /run/libvirtd.conf 2>/dev/null &
  export LIBVIRT_DEFAULT_URI=qemu:///system
  wait_for 30 virsh list
  printf '   %s\n' "$(virsh version | sed -n 's/^Running hypervisor: //p'), libvirt $(libvirtd --version | grep -o '[0-9.]*$')"
}

# guest [WORDS]: defines the guest g, which has no disk; WORDS are XML of its <os>.
guest() {
  cat >/run/g.xml <<XML
<domain type="qemu">
  <name>g</name>
  <memory unit="MiB">32</memory>
  <os><type arch="x86_64" machine="pc">hvm</type>${1:-}</os>
  <devices><memballoon model="none"/><controller type="usb" model="none"/></devices>
</domain>
XML
  virsh -q define /run/g.xml >/dev/null
}

# Writes all of libvirt's events of guests to /run/events, as virsh prints them: `events PATTERN` counts lines.
listen() {
  : >/run/events
  stdbuf -oL virsh event --all --loop --timeout 600 >>/run/events 2>&1 &
  sleep 2
}
events() { grep -c -- "$1" /run/events || true; }
