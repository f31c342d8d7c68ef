"""A virtualization host in namespaces: Open vSwitch with the userspace datapath, guests, a collector.

    netns web ---veth--- +-----+                +--------+
    netns plc ---veth--- | br0 | ==tunnels==>   | br-wan | ---veth--- netns collector 192.0.2.9
    netns hmi ---veth--- +-----+                +--------+
                                     its internal port is the tunnels' end, 192.0.2.1

Used by the demo and by the system tests, always inside the namespaces that inside.py makes: a private
/run, so that names and paths are the usual ones and nobody else's. Processes are ended by their ID.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BIN = os.path.abspath(os.environ.get("VMIRROR_BIN", os.path.join(ROOT, "build", "release", "bin")))
# A root with another Open vSwitch (tests/roots/make), whose programs go before this machine's.
OVS_ROOT = os.path.abspath(os.environ["VMIRROR_OVS_ROOT"]) if os.environ.get("VMIRROR_OVS_ROOT") else ""
if OVS_ROOT:
    os.environ["PATH"] = f"{OVS_ROOT}/programs:{os.environ['PATH']}"
SCHEMA = OVS_ROOT + "/usr/share/openvswitch/vswitch.ovsschema"
OVSDB = "unix:/run/openvswitch/db.sock"

# Which datapath the bridges have: "netdev", in userspace, or "system", the kernel's (tests/kernel).
DATAPATH = os.environ.get("VMIRROR_DATAPATH", "netdev")
# How many times longer than usual to wait for anything, on a machine that is slow.
PATIENCE = float(os.environ.get("VMIRROR_PATIENCE", "1"))

# No IPv6 by itself: the traffic is what the tests make.
QUIET = "net.ipv6.conf.all.disable_ipv6=1"
HOST_ADDRESS, COLLECTOR_ADDRESS = "192.0.2.1", "192.0.2.9"
#        name   address      MAC (of vendors that everybody knows)   UUID
GUESTS = {
    "web": ("10.0.0.11", "52:54:00:00:00:11", "aaaaaaaa-0000-4000-8000-000000000011"),
    "plc": ("10.0.0.12", "00:80:f4:00:00:12", "aaaaaaaa-0000-4000-8000-000000000012"),
    "hmi": ("10.0.0.13", "00:0e:8c:00:00:13", "aaaaaaaa-0000-4000-8000-000000000013"),
}


class Failed(Exception):
    """A command or a wait that failed, with what is needed to see why."""


def run(*command, check=True, timeout=60):
    """Runs a command; returns what it printed."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False,
                          timeout=timeout * PATIENCE)
    if check and done.returncode != 0:
        raise Failed(f"`{' '.join(map(str, command))}` failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()


def wait_for(what, condition, seconds=20.0):
    """Waits until `condition()` is true (or gives something true, which is returned). An exception
    of a command that fails is a `not yet`."""
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    reason = ""
    while True:
        try:
            if result := condition():
                return result
        except (Failed, json.JSONDecodeError) as error:
            reason = f": {error}"
        if time.monotonic() > end:
            raise Failed(f"waited {seconds:g} s for {what}{reason}")
        time.sleep(0.02)


def guest_port(name):
    """The switch's port of a guest, named as libvirt would."""
    return f"vnet-{name}"


class World:
    """All processes and namespaces; `directory` takes logs and what daemons keep."""

    bridges = ("br0", "br-wan")  #: For the guests, and as the tunnels' underlay.
    guests = GUESTS  #: Name -> address, MAC, UUID of the guests that are namespaces.
    default_offloads = False  #: Guests keep the offloads that every NIC of a guest has by default.
    prefix = ()  #: Words before every command: they enter the namespaces of a host (cluster.py).

    def __init__(self, directory):
        self.directory = directory
        self.processes = {}
        for folder in (directory, "/run/openvswitch"):
            os.makedirs(folder, exist_ok=True)

    def run(self, *command, **options):
        """Runs a command where this world is; returns what it printed."""
        return run(*self.prefix, *command, **options)

    # ---- Processes ----

    def log_of(self, name):
        return os.path.join(self.directory, name + ".log")

    def spawn(self, name, *command, netns=None, stdout=None):
        """Starts a process that lives on under `name`; its output goes to a log of that name."""
        if netns:
            command = ("ip", "netns", "exec", netns, *command)
        with open(self.log_of(name), "ab") as log:
            process = subprocess.Popen([str(c) for c in (*self.prefix, *command)],
                                       stdin=subprocess.DEVNULL, stdout=stdout or log, stderr=log)
        self.processes[name] = process
        return process

    def alive(self, name):
        return name in self.processes and self.processes[name].poll() is None

    def kill(self, name, signal_number=signal.SIGKILL):
        """Sends a signal and waits for the process's end."""
        process = self.processes.pop(name, None)
        if process is None:
            return None
        process.send_signal(signal_number)
        try:
            return process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Failed(f"{name} did not end within 20 s of signal {signal_number}; see "
                         f"{self.log_of(name)}") from None

    def stop_all(self):
        for name in list(self.processes):
            self.kill(name)

    def save_logs(self, prefix):
        """Copies the logs out of the private /run; returns the folder."""
        folder = tempfile.mkdtemp(prefix=prefix)
        shutil.copytree(self.directory, folder, dirs_exist_ok=True, ignore=_not_files)
        return folder

    # ---- The switch ----

    def start_database(self, *arguments):
        database = os.path.join(self.directory, "conf.db")
        if not os.path.exists(database):
            self.run("ovsdb-tool", "create", database, SCHEMA)
        self.spawn("ovsdb-server", "ovsdb-server", database, "--remote=punix:/run/openvswitch/db.sock",
                   "--remote=db:Open_vSwitch,Open_vSwitch,manager_options", "--no-chdir",
                   "--unixctl=/run/openvswitch/ovsdb-server.ctl", "-vconsole:warn", *arguments)
        wait_for("ovsdb-server", lambda: self.run("ovs-vsctl", "--no-wait", "--timeout=2", "init") == "")

    def start_vswitchd(self):
        userspace = () if DATAPATH == "system" else ("--disable-system",)
        self.spawn("ovs-vswitchd", "ovs-vswitchd", OVSDB, *userspace, "--no-chdir",
                   "--unixctl=/run/openvswitch/ovs-vswitchd.ctl", "-vconsole:warn")
        wait_for("ovs-vswitchd", lambda: "true" in self.vswitchd_ctl("version") or True)

    def vswitchd_ctl(self, *words):
        return self.run("ovs-appctl", "-T", "5", "-t", "/run/openvswitch/ovs-vswitchd.ctl", *words)

    def vsctl(self, *words):
        return self.run("ovs-vsctl", f"--timeout={20 * PATIENCE:.0f}", *words)

    def start_switch(self, *database_arguments):
        """ovsdb-server, ovs-vswitchd and the bridges."""
        self.start_database(*database_arguments)
        self.start_vswitchd()
        self.run("sysctl", "-qw", QUIET, check=False)
        version = self.run("ovs-vswitchd", "--version").split()[3]  # ovs-ctl says it so on a real host.
        self.vsctl("set", "Open_vSwitch", ".", f"ovs_version={version}",
                   "other_config:stats-update-interval=5000")
        for bridge in self.bridges:
            self.vsctl("--may-exist", "add-br", bridge, "--", "set", "bridge", bridge,
                       f"datapath_type={DATAPATH}")
        self.raise_bridges()

    def raise_bridges(self):
        """Brings the bridges' own devices up. They are new ones each time that ovs-vswitchd starts."""
        for bridge in self.bridges:
            wait_for(f"device {bridge}", lambda b=bridge: self.run("ip", "link", "show", b))
            self.run("ip", "link", "set", bridge, "up")
        if "br-wan" in self.bridges:
            self.run("ip", "address", "replace", HOST_ADDRESS + "/24", "dev", "br-wan")

    # ---- Machines ----

    def add_machine(self, name, bridge, port, address, mac=None, mtu=1500):
        """A network namespace on a veth pair, whose end `port` is the bridge's (None: nobody's)."""
        self.run("ip", "netns", "add", name)
        self.run("ip", "-n", name, "link", "set", "lo", "up")
        self.run("ip", "link", "add", port, "mtu", mtu, "type", "veth", "peer", "name", "eth0", "mtu", mtu,
            "netns", name)
        if mac:
            self.run("ip", "-n", name, "link", "set", "eth0", "address", mac)
        self.plain_frames(port)
        self.plain_frames("eth0", netns=name)
        self.run("ip", "netns", "exec", name, "sysctl", "-qw", QUIET, check=False)
        self.run("ip", "-n", name, "address", "add", address + "/24", "dev", "eth0")
        self.run("ip", "-n", name, "link", "set", "eth0", "up")
        self.run("ip", "link", "set", port, "up")
        if bridge:
            self.vsctl("add-port", bridge, port)

    def plain_frames(self, port, netns=None):
        """Switches off the offloads that merge frames or leave out checksums."""
        if self.default_offloads:
            return
        where = ("ip", "netns", "exec", netns) if netns else ()
        self.run(*where, "ethtool", "-K", port, "tx", "off", "tso", "off", "gso", "off", "gro", "off",
                 check=False)

    def plug(self, name):
        """Adds a guest's port to br0 as libvirt does on start and re-plug."""
        _, mac, uuid = self.guests[name]
        port = guest_port(name)
        self.vsctl("--if-exists", "del-port", port, "--", "add-port", "br0", port, "--", "set",
                   "Interface", port, f'external-ids:attached-mac="{mac}"',
                   f'external-ids:iface-id="{name}-nic0"', f'external-ids:vm-id="{uuid}"',
                   f'external-ids:vm-name="{name}"', "external-ids:iface-status=active")

    def add_guest(self, name):
        address, mac, _ = self.guests[name]
        self.add_machine(name, "br0", guest_port(name), address, mac)
        self.plug(name)

    def add_collector(self):
        # Copies are longer than what they copy: the way to a collector needs room for that.
        self.add_machine("collector", "br-wan", "wan-collector", COLLECTOR_ADDRESS, mtu=9000)

    def in_machine(self, name, *command, **options):
        return self.run("ip", "netns", "exec", name, *command, **options)

    # ---- Traffic ----

    def serve(self, machine, kind):
        process = self.spawn(f"{machine}-{kind}", sys.executable, os.path.join(HERE, "traffic.py"),
                             "serve", kind, netns=machine, stdout=subprocess.PIPE)
        if process.stdout.readline() != b"ready\n":
            raise Failed(f"no {kind} server in {machine}; see {self.log_of(f'{machine}-{kind}')}")
        process.stdout.close()

    def traffic(self, machine, *words):
        self.in_machine(machine, sys.executable, os.path.join(HERE, "traffic.py"), *words)

    def talk(self, rounds=4):
        """One of everything: ARP, ICMP, TCP, DNS, mDNS, Modbus/TCP. Most of it has to do with plc."""
        address = {name: guest[0] for name, guest in GUESTS.items()}
        self.traffic("hmi", "ping", address["plc"], 3)
        self.traffic("web", "ping", address["hmi"], 2)
        self.traffic("hmi", "modbus", address["plc"], rounds * 4)
        self.traffic("web", "http", address["plc"], rounds)
        self.traffic("plc", "dns", address["web"], rounds)
        self.traffic("plc", "mdns", address["plc"], "pump-7")

    def talk_until(self, what, condition, seconds=40.0):
        """Talks, is silent for longer than the switch takes to write its counters (5 s), and again."""
        def burst():
            self.talk()
            try:
                return wait_for(what, condition, 7)
            except Failed:
                return None
        return wait_for(what, burst, seconds)

    def start_guests(self):
        for name in GUESTS:
            self.add_guest(name)
        self.serve("web", "dns")
        self.serve("plc", "modbus")
        self.serve("plc", "http")

    # ---- What the switch says ----

    def rows(self, table, *columns):
        """The rows of a table as dicts; sets and maps as Python's."""
        out = json.loads(self.vsctl("--format=json", f"--columns={','.join(columns)}", "list", table))
        return [dict(zip(out["headings"], map(_plain, row))) for row in out["data"]]

    def mirrors(self):
        """All mirrors by name: selected and output ports by their names, in words one can compare."""
        rows = self.rows("Mirror", "name", "select_src_port", "select_dst_port", "output_port",
                         "output_vlan", "snaplen", "external_ids")
        ports = {row["_uuid"]: row["name"] for row in self.rows("Port", "_uuid", "name")}
        out = {}
        for row in rows:
            names = {key: sorted(ports.get(uuid, uuid) for uuid in _many(row[key]))
                     for key in ("select_src_port", "select_dst_port", "output_port")}
            out.setdefault(row["name"], []).append({**row, **names})
        return out

    def port_counters(self, port):
        """What the switch counted: frames that the guest sent and received."""
        [row] = [r for r in self.rows("Interface", "name", "statistics") if r["name"] == port]
        statistics = row["statistics"] or {}
        return statistics.get("rx_packets", 0), statistics.get("tx_packets", 0)


def _not_files(folder, names):
    """Sockets and the like, which can't be copied."""
    paths = [os.path.join(folder, name) for name in names]
    return [os.path.basename(p) for p in paths if not os.path.isfile(p) and not os.path.isdir(p)]


def _plain(value):
    """RFC 7047's notation of sets, maps and UUIDs as Python values."""
    if isinstance(value, list) and len(value) == 2:
        kind, inner = value
        if kind == "uuid":
            return inner
        if kind == "set":
            return [_plain(v) for v in inner]
        if kind == "map":
            return {_plain(k): _plain(v) for k, v in inner}
    return value


def _many(value):
    return value if isinstance(value, list) else [value]
