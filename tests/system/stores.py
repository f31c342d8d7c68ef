"""Hosts in namespaces that share a store of policies: each has Open vSwitch, guests, an agent, and a server of one
OVSDB cluster (RAFT), made by `vmirror cluster`.

     hosta                    hostb                    hostc           10.9.0.0/24 between the hosts:
    +------------------+     +------------------+     +-----------+    the store's servers, and the
    | vmirrord   br0   |     | vmirrord   br0   |     | ...       |    agents that talk to them
    | ovsdb-server of  |=====| ovsdb-server of  |=====|           |
    | the store        |mgmt | the store        |     |           |
    +------------------+     +------------------+     +-----------+
"""

import contextlib
import json
import os
import signal
import sys

import cluster
import world as w
from daemon import Daemon

HOSTS = ("hosta", "hostb", "hostc")
RELAY_PORT = 6653
POLICY = "policy: {name}\nselect: [{{port: '{port}'}}]\ntargets: [local]\n"


class Host(cluster.Host):
    """A host with two guests, without libvirt."""

    def __init__(self, joined, name, number):
        super().__init__(joined, name, number)
        self.guests = {guest: (f"10.0.{number}.{n}", f"52:54:00:0{number}:00:{n:02x}",
                               f"dddddddd-0000-4000-8000-{number:06d}{n:06d}") for n, guest in enumerate(("plc", "hmi"), 11)}
        self.daemon = None

    def start_machines(self):
        self.start_switch()
        for guest in self.guests:
            self.add_guest(guest)

    def talk(self, rounds=4):
        self.in_machine("hmi", sys.executable, os.path.join(w.HERE, "traffic.py"), "ping", self.guests["plc"][0], rounds)

    # ---- Its server of the store ----

    @property
    def store_folder(self):
        return os.path.join(self.directory, "store")

    @property
    def relay_folder(self):
        return os.path.join(self.directory, "relay")

    def cluster_command(self, *words, folder=None):
        """`vmirror cluster` on this host; its answer as JSON."""
        return json.loads(self.run(os.path.join(w.BIN, "vmirror"), "cluster", *words, "--folder",
                                   folder or self.store_folder, "--json"))

    def make_server(self):
        first = next(iter(self.cluster.hosts.values()))
        pki = self.cluster.pki
        here = ("--address", self.address, *(("--pki", pki, "--name", self.name) if pki else ("--insecure",)))
        if self is first:
            return self.cluster_command("init", *here)
        return self.cluster_command("join", *here, "--to", f"{'ssl' if pki else 'tcp'}:{first.address}:6652")

    def make_relay(self):
        """A relay of all servers beside this host's own; agents that start from then on read by it."""
        pki = self.cluster.pki
        here = ("--pki", pki, "--name", self.name) if pki else ("--insecure",)
        to = [word for server in self.cluster.servers() for word in ("--to", server)]
        told = self.cluster_command("relay", "--address", self.address, "--clients-port", RELAY_PORT, *here, *to,
                                    folder=self.relay_folder)
        self.cluster.relays.append(self.relay_remote)
        return told

    @property
    def relay_remote(self):
        return f"{'ssl' if self.cluster.pki else 'tcp'}:{self.address}:{RELAY_PORT}"

    def server_status(self):
        return self.cluster_command("status")

    def kill_server(self, folder=None):
        pid = int(self.run("cat", os.path.join(folder or self.store_folder, "server.pid")))
        os.kill(pid, signal.SIGKILL)
        w.wait_for(f"the server {pid} to end", lambda: not os.path.exists(f"/proc/{pid}"))

    # ---- Its agent ----

    def start_agent(self):
        if self.daemon is None:
            self.daemon = Daemon(self, self.name, {
                "on_stop": "keep", "switch": {"driver": "ovs", "remote": w.OVSDB},
                "local": {"offloads_off": True}, "store": self.cluster.store_as(f"host-{self.name}")})
        self.daemon.start()

    def store(self):
        return self.daemon.ask("status")["store"]

    def mirrored_ports(self):
        return sorted({port for rows in self.mirrors().values() for m in rows for port in m["select_src_port"]})

    def cut_off(self, cut):
        self.run("ip", "link", "set", "mgmt", "down" if cut else "up")


class Joined(w.World):
    """The hosts and the bridge that joins them. `pki`: a folder with the certificates of their servers and agents, by
    `vmirror pki`; None: by plain TCP."""

    management = "mgmt"

    def __init__(self, directory, hosts, pki=None):
        super().__init__(directory)
        self.pki = pki
        self.relays = []
        w.run("ip", "link", "add", self.management, "type", "bridge")
        w.run("ip", "link", "set", self.management, "up")
        self.hosts = {name: Host(self, name, number) for number, name in enumerate(hosts, 1)}

    def servers(self):
        return [f"{'ssl' if self.pki else 'tcp'}:{host.address}:6651" for host in self.hosts.values()]

    def store_as(self, holder):
        """How the store is reached, with the certificate of a holder: "host-hosta", "operator-alice"."""
        reached = {"servers": self.servers(), "relays": self.relays}
        if not self.pki:
            return {**reached, "insecure": True}
        return {**reached, "ca_certificate": os.path.join(self.pki, "ca.pem"),
                **dict.fromkeys(("private_key", "certificate"), os.path.join(self.pki, f"{holder}.pem"))}

    def stop_all(self):
        for host in self.hosts.values():
            for folder in (host.store_folder, host.relay_folder):
                if os.path.exists(os.path.join(folder, "server.pid")):
                    with contextlib.suppress(ProcessLookupError):  # Killed by a test.
                        host.kill_server(folder)
            host.stop_all()
        super().stop_all()
        for link in (*(f"{self.management}-{name}" for name in self.hosts), self.management):
            w.run("ip", "link", "delete", link, check=False)
