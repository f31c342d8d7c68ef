"""Several virtualization hosts on one machine, each in namespaces of its own, with guests that migrate.

     hosta                        hostb                         10.9.0.0/24 between the hosts:
    +---------------------+      +---------------------+        libvirt's migrations, the agents' link
    | libvirtd  vmirrord  |=mgmt=| libvirtd  vmirrord  |
    | QEMU guest          |      |                     |
    |   |  +-------+      |      |  +-------+          |
    |   +--|  br0  |      |      |  |  br0  |          |        10.0.0.0/24 for the guests: a Linux
    |      +-------+      |      |  +-------+          |        bridge joins the hosts' uplinks
    +---------|-----------+      +------|--------------+
              +------------ wire -------+------ netns peer 10.0.0.1, which nobody mirrors

Each host has its own network, mounts and host name, its own ovsdb-server, ovs-vswitchd, libvirtd and
vmirrord. Its private folders are in DIRECTORY/HOST and can be read from outside. Guests are real: QEMU
without KVM, started by libvirt (guest/image.py). Always inside the namespaces that inside.py makes.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest
import uuid

import records
import system
import world as w
from daemon import Daemon
from guest import image

#: Private to each host: what it does not share with the machine that the tests run on.
PRIVATE = ("/run/openvswitch", "/run/libvirt", "/run/netns", "/run/vmirror", "/etc/libvirt", "/var/lib/libvirt",
           "/var/log/libvirt", "/var/cache/libvirt")
PEER_ADDRESS = "10.0.0.1"
QEMU = "/usr/bin/qemu-system-x86_64"
METRICS = 9477  #: vmirrord's port of metrics, on each host's loopback.

LIBVIRTD_CONF = """\
listen_tls = 0
listen_tcp = 1
auth_tcp = "none"
auth_unix_rw = "none"
auth_unix_ro = "none"
host_uuid = "{uuid}"
log_outputs = "2:stderr"
"""
# No cgroups, no namespaces, no security labels, no virtlogd: a container has none to give.
QEMU_CONF = """\
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
"""
DOMAIN = """\
<domain type="qemu">
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <title>{title}</title>
  {metadata}
  <memory unit="MiB">{memory}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch="x86_64" machine="pc">hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{initramfs}</initrd>
    <cmdline>console=ttyS0 quiet panic=1 {words}</cmdline>
  </os>
  <features><acpi/></features>
  <on_reboot>destroy</on_reboot>
  <devices>
    <emulator>{qemu}</emulator>
    {nics}
    <serial type="file"><source path="{console}"/></serial>
    <memballoon model="none"/>
  </devices>
</domain>
"""
# Without a kernel: what libvirt and the switch say of it is real, and it costs little.
SILENT = """\
<domain type="qemu">
  <name>{name}</name><uuid>{uuid}</uuid>
  <memory unit="MiB">8</memory>
  <os><type arch="x86_64" machine="pc">hvm</type></os>
  <devices><emulator>{qemu}</emulator>{nics}<memballoon model="none"/><controller type="usb" model="none"/></devices>
</domain>
"""
ON_BRIDGE = '<interface type="bridge"><source bridge="br0"/><virtualport type="openvswitch"/>'
ON_NETWORK = '<interface type="network"><source network="{network}"/>'
# A network whose guests' ports are br0's.
NETWORK = """\
<network><name>{network}</name><forward mode="bridge"/><bridge name="br0"/><virtualport type="openvswitch"/></network>
"""
# Checksums are in the frames: the userspace datapath passes on what it gets.
NIC = """\
{where}
  <mac address="{mac}"/>
  <model type="virtio"/>
  <driver name="qemu"><host csum="off" gso="off" tso4="off" tso6="off" ecn="off" ufo="off" mrg_rxbuf="off"/>
    <guest csum="off" tso4="off" tso6="off" ecn="off" ufo="off"/></driver>
  <rom enabled="no"/>
</interface>
"""


def unavailable():
    """What a cluster can't do without and isn't here; empty: nothing."""
    if os.geteuid() != 0:
        return "not root (libvirtd and guests in namespaces need it)"
    for program, package in (("libvirtd", "libvirt-daemon"), ("virsh", "libvirt-clients"),
                             (QEMU, "qemu-system-x86"), ("ovs-vswitchd", "openvswitch-switch")):
        if not shutil.which(program):
            return f"no {program} (install {package}: ./run deps migrate demo)"
    return image.unavailable()


class GuestHangs(w.Failed):
    """A guest is running, and sends nothing at all: not a frame, not an ARP request, by the count of the
    device that QEMU writes to, before any switch has it. Seen seldom, on a busy machine: QEMU without KVM
    does not go on after a migration."""


class Guest:
    """What a guest is; where it runs is libvirt's to say."""

    def __init__(self, name, number, title="", metadata=""):
        self.name, self.title, self.metadata = name, title or f"the guest {name}", metadata
        self.uuid = f"bbbbbbbb-0000-4000-8000-{number:012d}"
        self.address = f"10.0.0.{100 + number}"
        self.mac = f"52:54:00:00:01:{number:02x}"

    def nic_xml(self, mac=None, network=None):
        where = ON_NETWORK.format(network=network) if network else ON_BRIDGE
        return NIC.format(where=where, mac=mac or self.mac)

    def silent_xml(self, nics=None):
        return SILENT.format(name=self.name, uuid=self.uuid, qemu=QEMU, nics=nics or self.nic_xml())

    def xml(self, directory, kernel, initramfs, interval):
        return DOMAIN.format(
            name=self.name, uuid=self.uuid, title=self.title, metadata=self.metadata, memory=image.memory(), kernel=kernel,
            initramfs=initramfs, qemu=QEMU, nics=self.nic_xml(),
            console=self.console(directory),
            words=f"vm.address={self.address} vm.peer={PEER_ADDRESS} vm.interval={interval}")

    def console(self, directory):
        return os.path.join(directory, self.name + ".console")

    def panicked(self, directory):
        """Its kernel did, by its console. Seen seldom, on a busy machine: QEMU without KVM after a migration."""
        path = self.console(directory)
        if not os.path.exists(path):
            return False  # A silent guest has none.
        with open(path, encoding="utf-8", errors="replace") as console:
            return "Kernel panic" in console.read()


class Host(w.World):
    """One host: a World whose commands run in its namespaces."""

    bridges = ("br0",)

    def __init__(self, cluster, name, number):
        super().__init__(os.path.join(cluster.directory, name))
        self.cluster, self.name = cluster, name
        self.address = f"10.9.0.{number}"
        self.uuid = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        self.guests = {"resident": (f"10.0.0.{10 + number}", f"52:54:00:00:02:{number:02x}",
                                    f"cccccccc-0000-4000-8000-{number:012d}")}
        self.spawn("namespaces", "unshare", "--mount", "--net", "--uts", "sleep", "infinity")
        pid = self.processes["namespaces"].pid
        w.wait_for(f"{name}'s namespaces", lambda: all(
            os.readlink(f"/proc/{pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}")
            for kind in ("mnt", "net", "uts")))
        self.prefix = ("nsenter", "-t", pid, "-n", "-m", "-u")
        self.run("hostname", name)
        self.run("mount", "-t", "sysfs", "sysfs", "/sys")
        self.run("ip", "link", "set", "lo", "up")
        for path in PRIVATE:
            os.makedirs(self.path(path))
            os.makedirs(path, exist_ok=True)
            self.run("mount", "--bind", self.path(path), path)
        self._name_libvirts_user()
        self.link("mgmt", cluster.management, f"{self.address}/24")

    def _name_libvirts_user(self):
        """libvirtd does not start without this name, which a package of services would have made."""
        for path, line in (("/etc/passwd", "libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin\n"),
                           ("/etc/group", "libvirt-qemu:x:64055:\n")):
            with open(path, encoding="utf-8") as text:
                known = text.read()
            with open(self.path(path), "w", encoding="utf-8") as out:
                out.write(known if "libvirt-qemu:" in known else known + line)
            self.run("mount", "--bind", self.path(path), path)

    def path(self, inside):
        """Where one of its private files is, from outside."""
        return self.directory + inside

    def link(self, name, bridge, address=None):
        """A NIC of the host, whose other end is a port of a bridge outside."""
        port = f"{bridge}-{self.name}"
        w.run("ip", "link", "add", port, "type", "veth", "peer", "name", name, "netns",
              self.processes["namespaces"].pid)
        w.run("ip", "link", "set", port, "master", bridge, "up")
        if address:
            self.run("ip", "address", "add", address, "dev", name)
        self.run("ip", "link", "set", name, "up")

    # ---- Its daemons ----

    def start(self, policy, **settings):
        """Everything, with a resident guest that the policy should select, so that the local port is
        always there; and the recorder on that port."""
        self.start_switch()
        self.link("uplink", self.cluster.wire)
        self.plain_frames("uplink")
        self.vsctl("add-port", "br0", "uplink")
        self.add_guest("resident")
        self.start_libvirtd()
        self.daemon = Daemon(self, self.name, {
            "switch": {"driver": "ovs", "remote": w.OVSDB}, "local": {"offloads_off": True},
            "export": {"prometheus": {"address": "127.0.0.1", "port": METRICS}},
            **self.cluster.settings_of(self), **settings})
        self.daemon.write_policy("watch", policy)
        self.daemon.start()
        w.wait_for(f"the local port of {self.name}", lambda: self.run("ip", "link", "show", "vmr-br0"))
        self.spawn("recorder", sys.executable, os.path.join(w.HERE, "recorder.py"), "vmr-br0",
                   self.recording)
        w.wait_for(f"{self.name}'s recorder", lambda: os.path.exists(self.recording) and
                   os.path.getsize(self.recording))

    @property
    def recording(self):
        return os.path.join(self.directory, "recording")

    def start_libvirtd(self):
        for name, text in (("libvirtd.conf", LIBVIRTD_CONF.format(uuid=self.uuid)), ("qemu.conf", QEMU_CONF)):
            with open(self.path("/etc/libvirt/" + name), "w", encoding="utf-8") as out:
                out.write(text)
        self.spawn("libvirtd", "libvirtd", "--listen", "--config", "/etc/libvirt/libvirtd.conf",
                   "--pid-file", "/run/libvirt/libvirtd.pid")
        w.wait_for(f"libvirtd of {self.name}", lambda: self.virsh("list") or True)

    def virsh(self, *words, **options):
        return self.run("virsh", "-q", "-c", "qemu:///system", *words, **options)

    def background(self, name, *words):
        """A virsh command that goes on by itself; `wait` its process for the end."""
        return self.spawn(name, "virsh", "-q", "-c", "qemu:///system", *words)

    # ---- What its agent says ----

    def metrics(self):
        """Its Prometheus metrics as they are from now on: {name with labels: number}. A text is told for a second."""
        time.sleep(1.1)
        text = self.run(sys.executable, "-c", "import sys, urllib.request as u; "
                        "sys.stdout.write(u.urlopen(sys.argv[1], timeout=10).read().decode())",
                        f"http://127.0.0.1:{METRICS}/metrics")
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, value in lines}

    def events(self, kind):
        """The EVE events of that type that it told so far."""
        with open(self.daemon.eve, encoding="utf-8") as lines:
            # The last line may be half there.
            return [event for event in map(json.loads, (line for line in lines if line.endswith("\n")))
                    if event["event_type"] == kind]

    def presence(self, guest, name=None):
        """Of its NICs here, by MAC. Without its name, which libvirt alone can tell, it has none."""
        return {one["mac"]: one["presence"] for one in self.daemon.ask("locations")["locations"]
                if one["vm_uuid"] == guest.uuid and one["vm"] == (name or guest.name)}

    # ---- Guests ----

    def keep_xml(self, guest, text):
        """Writes a guest's description to a file, and returns its path."""
        path = os.path.join(self.directory, guest.name + ".xml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def define_and_start(self, guest, interval=5):
        kernel, initramfs = self.cluster.image
        self.virsh("create", self.keep_xml(guest, guest.xml(self.cluster.directory, kernel, initramfs, interval)))

    def start_silent(self, guest, *options, nics=None):
        """Starts it without a kernel; with the option --paused, not even the BIOS runs."""
        self.virsh("create", self.keep_xml(guest, guest.silent_xml(nics)), *options)

    def state(self, guest):
        """What libvirt says: "running", "paused"; empty when it isn't there."""
        try:
            return self.virsh("domstate", guest.uuid)
        except w.Failed:
            return ""

    def qemu_pid(self, guest):
        """The guest's process, by libvirt's own note."""
        with open(self.path(f"/run/libvirt/qemu/{guest.name}.pid"), encoding="ascii") as text:
            return int(text.read())

    def ports_of(self, guest):
        """Names of its ports on this host's switch."""
        return [row["name"] for row in self.rows("Interface", "name", "external_ids")
                if (row["external_ids"] or {}).get("vm-id") == guest.uuid]

    def mirrored_macs(self, guest):
        """MACs of its NICs whose ports here a mirror selects, in both directions."""
        macs = {row["name"]: row["external_ids"]["attached-mac"] for row in
                self.rows("Interface", "name", "external_ids")
                if (row["external_ids"] or {}).get("vm-id") == guest.uuid}
        mirrors = [m for rows in self.mirrors().values() for m in rows]
        return sorted(mac for port, mac in macs.items()
                      if any(port in m["select_src_port"] and port in m["select_dst_port"] for m in mirrors))

    def mirrored(self, guest):
        """True when all of its ports here are selected by a mirror, in both directions."""
        ports = self.ports_of(guest)
        mirrors = [m for rows in self.mirrors().values() for m in rows]
        return bool(ports) and all(any(port in m["select_src_port"] and port in m["select_dst_port"]
                                       for m in mirrors) for port in ports)

    def copies_memory(self, guest):
        """True while a migration from here is in pre-copy."""
        return "Memory processed" in self.virsh("domjobinfo", guest.uuid)

    def sends_nothing(self, guest, seconds=3):
        """It runs here, and its ports' devices get nothing from it for so long."""
        def sent():
            return [self.run("cat", f"/sys/class/net/{port}/statistics/rx_packets") for port in self.ports_of(guest)]
        before = sent()
        time.sleep(seconds)
        return bool(before) and self.state(guest) == "running" and sent() == before

    def hurry(self, guest):
        """A slow migration from here goes on without a bound of its speed."""
        self.virsh("migrate-setspeed", guest.uuid, 10000)

    def migrate_words(self, guest, to, *options):
        return ("migrate", "--live", *options, guest.uuid, f"qemu+tcp://{to.address}/system",
                f"tcp://{to.address}")


class Cluster(w.World):
    """The hosts, what joins them, and the peer."""

    wire, management = "wire", "mgmt"

    def __init__(self, directory, hosts=("hosta", "hostb"), settings_of=None):
        super().__init__(directory)
        self.settings_of = settings_of or self.settings
        self.image = image.build(os.path.join(os.path.dirname(w.BIN), "guest"))
        for bridge in (self.wire, self.management):
            w.run("ip", "link", "add", bridge, "type", "bridge")
            w.run("ip", "link", "set", bridge, "up")
        self.add_machine("peer", None, "wire-peer", PEER_ADDRESS)
        w.run("ip", "link", "set", "wire-peer", "master", self.wire)
        self.hosts = {name: Host(self, name, number) for number, name in enumerate(hosts, 1)}

    def settings(self, host):
        """Of a vmirrord that asks libvirt and is linked to the other hosts' agents."""
        return {"libvirt": {"uri": "qemu:///system"},
                "peers": {"listen": f"{host.address}:9478", "insecure": True,
                          "hosts": [{"host": other.name, "address": other.address}
                                    for other in self.hosts.values() if other is not host]}}

    def start(self, policy):
        for host in self.hosts.values():
            host.start(policy)

    def stop_all(self):
        for host in self.hosts.values():
            self._end_guests(host)
            host.stop_all()
        super().stop_all()
        # By name: a namespace's own links go some time after it.
        ends = [f"{bridge}-{name}" for bridge in (self.wire, self.management) for name in self.hosts]
        for link in ("wire-peer", *ends, self.wire, self.management):
            w.run("ip", "link", "delete", link, check=False)
        w.run("ip", "netns", "delete", "peer", check=False)

    def _end_guests(self, host):
        """By libvirt's notes of their processes: libvirtd itself may be gone."""
        folder = host.path("/run/libvirt/qemu")
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            if name.endswith(".pid"):
                try:
                    with open(os.path.join(folder, name), encoding="ascii") as text:
                        os.kill(int(text.read()), signal.SIGKILL)
                except (OSError, ValueError):
                    pass

    # ---- A guest that talks ----

    def talk_with(self, guest, interval=5):
        """Starts the peer's side, which goes on until the end."""
        log = self.peer_log(guest)
        process = self.spawn(f"peer-{guest.name}", sys.executable, os.path.join(w.HERE, "peer.py"),
                             PEER_ADDRESS, guest.address, interval, log, netns="peer",
                             stdout=subprocess.PIPE)
        if process.stdout.readline() != b"ready\n":
            raise w.Failed(f"no peer for {guest.name}; see {self.log_of('peer-' + guest.name)}")
        process.stdout.close()

    def start_guest(self, guest, host, interval=5):
        """Boots it on a host, and returns once the peer heard from it, and it from the peer."""
        self.talk_with(guest, interval)
        host.define_and_start(guest, interval)
        w.wait_for(f"{guest.name} to talk", lambda: self.heard(guest) > 50, 120)

    def end_guest(self, guest):
        for host in self.hosts.values():
            if host.state(guest):
                host.virsh("destroy", guest.uuid)
        self.kill(f"peer-{guest.name}", signal.SIGTERM)
        if os.path.exists(self.peer_log(guest)):
            os.rename(self.peer_log(guest), self.peer_log(guest) + ".old")

    def peer_log(self, guest):
        return os.path.join(self.directory, f"peer-{guest.name}.frames")

    def heard(self, guest):
        """Answers of the guest's that the peer has so far."""
        with open(self.peer_log(guest), encoding="ascii") as log:
            return len(re.findall(r"^echo ", log.read(), re.M))

    def where(self, guest):
        """The host that it runs on, as libvirt says."""
        for host in self.hosts.values():
            if host.state(guest) in ("running", "paused"):
                return host
        return None

    def migrate(self, guest, source, to, *options):
        """One live migration; returns its seconds. The guest has talked from there when it is over."""
        began = time.monotonic()
        source.virsh(*source.migrate_words(guest, to, *options), timeout=120)
        took = time.monotonic() - began
        before = self.heard(guest)
        try:
            w.wait_for(f"{guest.name} to talk from {to.name}", lambda: self.heard(guest) > before + 5, 90)
        except w.Failed as error:
            if to.sends_nothing(guest):
                raise GuestHangs(f"{error}: it hangs") from None
            raise
        return took

    def account(self, guest, since=0.0):
        """Peer and recorders compared (records.py)."""
        return records.compare(self.peer_log(guest), [h.recording for h in self.hosts.values()], guest.address,
                               since)


class ClusterTest(system.SystemTest):
    """One cluster for the class."""

    policy = "policy: watch\nselect: [{vm: resident}, {uuid: 'bbbbbbbb-*'}]\ntargets: [local]\n"
    settings_of = None
    hosts = ("hosta", "hostb")

    @classmethod
    def setUpClass(cls):
        if reason := os.environ.get("VMIRROR_SKIP", ""):
            raise unittest.SkipTest(reason)
        cls.world = cls.cluster = Cluster(os.path.join(system.DIRECTORY, cls.__name__), cls.hosts,
                                          cls.settings_of)
        cls.addClassCleanup(cls.cluster.stop_all)
        try:
            cls.cluster.start(cls.policy)
        except w.Failed:
            print(f"the logs are in {cls.cluster.save_logs('vmirror-test-')}", file=sys.stderr)
            raise
        cls.a, cls.b = (*cls.cluster.hosts.values(), None)[:2]

    @classmethod
    def tearDownClass(cls):
        pass  # The clean-up of the class does it, also when setting up failed.

    def one_at_home(self, guest):
        """It runs on one host, is mirrored there, and nothing of it is on the others."""
        home = self.cluster.where(guest)
        return home is not None and home.mirrored(guest) and all(
            not host.ports_of(guest) for host in self.cluster.hosts.values() if host is not home)
