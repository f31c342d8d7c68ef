"""Policies in a store: three hosts in namespaces, each with Open vSwitch, an agent, and a server of one OVSDB
cluster (RAFT). A policy is applied once; its mirrors come on all hosts, and outlive the leader and the links.

     hosta                    hostb                    hostc           10.9.0.0/24 between the hosts:
    +------------------+     +------------------+     +-----------+    the store's servers, and the
    | vmirrord   br0   |     | vmirrord   br0   |     | ...       |    agents that talk to them
    | ovsdb-server of  |=====| ovsdb-server of  |=====|           |
    | the store        |mgmt | the store        |     |           |
    +------------------+     +------------------+     +-----------+
"""

import json
import os
import signal
import sys
import unittest

import cluster
import system
import test_appliance as certificates
import world as w
from daemon import Daemon

HOSTS = ("hosta", "hostb", "hostc")
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

    def cluster_command(self, *words):
        """`vmirror cluster` on this host; its answer as JSON."""
        return json.loads(self.run(os.path.join(w.BIN, "vmirror"), "cluster", *words, "--folder", self.store_folder,
                                   "--json"))

    def make_server(self):
        first = self.cluster.hosts[HOSTS[0]]
        tls = self.cluster.tls
        secure = [f"--{key.replace('_', '-')}={file}" for key, file in tls["server"].items()] if tls else ["--insecure"]
        here = ("--address", self.address, *secure)
        if self is first:
            return self.cluster_command("init", *here)
        return self.cluster_command("join", *here, "--to", f"tcp:{first.address}:6652")

    def server_status(self):
        return self.cluster_command("status")

    def kill_server(self):
        with open(os.path.join(self.store_folder, "server.pid"), encoding="ascii") as text:
            pid = int(text.read())
        os.kill(pid, signal.SIGKILL)
        w.wait_for(f"the server {pid} to end", lambda: not os.path.exists(f"/proc/{pid}"))

    # ---- Its agent ----

    def start_agent(self):
        if self.daemon is None:
            tls = self.cluster.tls
            servers = [f"{'ssl' if tls else 'tcp'}:{host.address}:6651" for host in self.cluster.hosts.values()]
            more = tls["agent"] if tls else {"insecure": True}
            self.daemon = Daemon(self, self.name, {
                "on_stop": "keep", "switch": {"driver": "ovs", "remote": w.OVSDB},
                "local": {"offloads_off": True}, "store": {"servers": servers, **more}})
        self.daemon.start()

    def store(self):
        return self.daemon.ask("status")["store"]

    def mirrored_ports(self):
        return sorted({port for rows in self.mirrors().values() for m in rows for port in m["select_src_port"]})

    def cut_off(self, cut):
        self.run("ip", "link", "set", "mgmt", "down" if cut else "up")


class Joined(w.World):
    """The hosts and the bridge that joins them. `tls`: the options of a server and the files of an agent; None: by
    plain TCP."""

    management = "mgmt"

    def __init__(self, directory, hosts, tls=None):
        super().__init__(directory)
        self.tls = tls
        w.run("ip", "link", "add", self.management, "type", "bridge")
        w.run("ip", "link", "set", self.management, "up")
        self.hosts = {name: Host(self, name, number) for number, name in enumerate(hosts, 1)}

    def stop_all(self):
        for host in self.hosts.values():
            if os.path.exists(os.path.join(host.store_folder, "server.pid")):
                host.kill_server()
            host.stop_all()
        super().stop_all()
        for link in (*(f"{self.management}-{name}" for name in self.hosts), self.management):
            w.run("ip", "link", "delete", link, check=False)


def tls_files(directory):
    """Of a server and of an agent, of one authority; and a key pair that this authority does not know."""
    os.makedirs(directory, exist_ok=True)
    of = {name: dict(zip(("private_key", "certificate", "ca_certificate"), files))
          for name, files in certificates.make_certificates(os.path.join(directory, "tls")).items()}
    other = certificates.make_certificates(os.path.join(directory, "other"))["agent"]
    stranger = {**of["agent"], "private_key": other[0], "certificate": other[1]}
    return {"server": of["switch"], "agent": of["agent"], "stranger": stranger}


class StoreTest(system.SystemTest):
    """Hosts with a server each, for the class."""

    names = HOSTS
    with_tls = False

    @classmethod
    def setUpClass(cls):
        if reason := os.environ.get("VMIRROR_SKIP", ""):
            raise unittest.SkipTest(reason)
        directory = os.path.join(system.DIRECTORY, cls.__name__)
        cls.world = Joined(directory, cls.names, tls_files(directory) if cls.with_tls else None)
        cls.addClassCleanup(cls.world.stop_all)
        cls.hosts = list(cls.world.hosts.values())
        for host in cls.hosts:
            host.make_server()
            host.start_machines()
            host.start_agent()

    @classmethod
    def tearDownClass(cls):
        pass  # The clean-up of the class does it, also when setting up failed.

    def mirrored_everywhere(self, ports, hosts=None):
        self.eventually(f"mirrors of {ports}", lambda: all(
            host.mirrored_ports() == ports for host in hosts or self.hosts))

    def policies(self, host):
        """The store's, by name, as one host's agent tells them."""
        return {row["name"]: row for row in host.daemon.ask("get", "policies")["policies"]}


class Store(StoreTest):
    def test_1_a_policy_is_applied_once_and_holds_everywhere(self):
        a, b, c = self.hosts
        a.daemon.apply(POLICY.format(name="plcs", port="vnet-plc"))
        self.mirrored_everywhere(["vnet-plc"])
        self.eventually("active sessions on all hosts", lambda: (
            [h.talk() for h in self.hosts] and
            all(h.daemon.sessions() == {"vnet-plc@local": "active"} for h in self.hosts)))
        waited = c.daemon.run("wait", "plcs", "--for", "proven", "--json")
        self.assertEqual(waited.returncode, 0, waited)
        row = self.policies(b)["plcs"]
        self.assertEqual((row["hosts"], row["observed"], row["sessions"], row["set_by"]), (3, 3, 3, "root@hosta"))
        self.assertEqual([row[key]["status"] for key in ("accepted", "realised", "proven")], ["true"] * 3)
        told = {(s["host"], s["name"], s["state"]) for s in b.daemon.ask("sessions", "--all-hosts")["sessions"]}
        self.assertEqual(told, {(name, "vnet-plc@local", "active") for name in HOSTS})
        self.assertEqual(len(b.daemon.ask("sessions", "--all-hosts", "--host", "hostc")["sessions"]), 1)
        # The same again changes nothing; what differs is told before it is applied.
        b.daemon.apply(POLICY.format(name="plcs", port="vnet-plc"))
        self.assertEqual(self.policies(b)["plcs"]["generation"], row["generation"])
        self.assertEqual(b.daemon.run("diff", "-", input=POLICY.format(name="plcs", port="vnet-plc")).returncode, 0)
        other = b.daemon.run("diff", "-", input=POLICY.format(name="plcs", port="vnet-x"))
        self.assertEqual((other.returncode, other.stdout.split("\n")[1:3]),
                         (2, ["-select: [{port: 'vnet-plc'}]", "+select: [{port: 'vnet-x'}]"]))

    def test_2_the_leader_dies(self):
        [leader] = [h for h in self.hosts if h.server_status()["role"] == "leader"]
        before = [h.rows("Mirror", "_uuid") for h in self.hosts]
        leader.kill_server()
        self.eventually("a policy to be taken", lambda: self.hosts[1].daemon.apply(
            POLICY.format(name="hmis", port="vnet-hmi")))
        self.mirrored_everywhere(["vnet-hmi", "vnet-plc"])
        self.assertEqual([h.rows("Mirror", "_uuid") for h in self.hosts], before)
        self.assertTrue(leader.cluster_command("start")["well"])

    def test_3_who_is_cut_off_goes_on_and_says_since_when(self):
        a, _, c = self.hosts
        c.cut_off(True)
        self.eventually("the loss to be noticed", lambda: c.store()["state"] == "unreachable", 60)
        since = c.store()["since"]
        a.daemon.apply(POLICY.format(name="more", port="vnet-*"))
        self.eventually("the policy on the others", lambda: self.policies(a)["more"]["observed"] == 2)
        self.assertEqual(self.policies(a)["more"]["realised"]["status"], "unknown")
        c.daemon.stop()
        c.start_agent()
        self.eventually("the policies as they were kept",
                        lambda: sorted(c.daemon.sessions()) == ["vnet-hmi@local", "vnet-plc@local"])
        self.assertEqual(c.mirrored_ports(), ["vnet-hmi", "vnet-plc"])
        self.assertEqual((c.store()["state"], c.store()["since"]), ("unreachable", since))
        c.cut_off(False)
        self.assertEqual(c.daemon.run("wait", "more", "--for", "realised", check=False).returncode, 0)
        self.assertEqual(c.store()["state"], "connected")

    def test_4_a_bad_policy_and_one_in_both_places_are_told(self):
        a, b, _ = self.hosts
        a.run("ovsdb-client", "--timeout=10", "--no-leader-only", "transact", f"unix:{a.store_folder}/store.sock",
              json.dumps(["vmirror", {"op": "insert", "table": "Policy", "row": {
                  "name": "future", "yaml": "policy: future\ncolour: red\n", "generation": 1}}]))
        b.daemon.write_policy("mine", POLICY.format(name="plcs", port="vnet-hmi"))
        self.eventually("both to be told", lambda: {
            p["file"]: p["state"] for p in b.daemon.ask("policies")["policies"] if p["error"]} == {
                "the store: future": "bad", os.path.join(b.daemon.policies, "mine.yaml"): "bad"})
        self.eventually("all hosts to refuse it", lambda: self.policies(a)["future"]["accepted"]["status"] == "false")
        self.assertEqual(b.mirrored_ports(), ["vnet-hmi", "vnet-plc"])
        b.daemon.remove_policy("mine")
        a.daemon.run("delete", "future")
        self.eventually("all to be well", lambda: b.daemon.ask("status")["policy_error"] is None)

    def test_5_a_copy_comes_back(self):
        a, b, _ = self.hosts
        copy = os.path.join(a.directory, "copy")
        a.cluster_command("backup", copy)
        b.daemon.run("delete", "hmis")
        self.eventually("the policy to go", lambda: "hmis" not in self.policies(a))
        a.cluster_command("restore", copy)
        self.eventually("the policy of the copy", lambda: "hmis" in {p["name"] for p in b.daemon.ask("policies")["policies"]})

    def test_6_what_is_deleted_goes_everywhere(self):
        for name in ("plcs", "hmis", "more"):
            self.hosts[2].daemon.run("delete", name)
        self.mirrored_everywhere([])
        self.eventually("no session to be told", lambda: not self.hosts[0].daemon.ask("get", "sessions")["sessions"])

    def test_7_a_server_leaves(self):
        a, _, c = self.hosts
        self.assertTrue(c.cluster_command("leave")["left"])
        self.eventually("two members", lambda: len(a.server_status()["members"]) == 2)
        a.daemon.apply(POLICY.format(name="last", port="vnet-plc"))
        self.mirrored_everywhere(["vnet-plc"])


class Encrypted(StoreTest):
    names = HOSTS[:1]
    with_tls = True

    def test_agents_with_a_certificate_are_let_in(self):
        [host] = self.hosts
        host.daemon.apply(POLICY.format(name="plcs", port="vnet-plc"))
        self.mirrored_everywhere(["vnet-plc"])
        self.assertEqual(self.policies(host)["plcs"]["observed"], 1)

    def test_strangers_are_not(self):
        [host] = self.hosts
        stranger = Daemon(host, "stranger", {
            "switch": {"driver": "ovs", "remote": w.OVSDB, "owner": "stranger"},
            "store": {"servers": [f"ssl:{host.address}:6651"], **self.world.tls["stranger"]}}).start()
        self.eventually("its certificate to be refused",
                        lambda: stranger.ask("status")["store"]["state"] == "unreachable" and
                        stranger.ask("status")["store"]["error"])
        self.assertIsNone(stranger.ask("status")["store"]["generation"])
        done = stranger.run("apply", "-", input=POLICY.format(name="bad", port="x"), check=False)
        self.assertEqual(done.returncode, 1, done)
        self.assertNotIn("bad", self.policies(host))
        stranger.stop()


if __name__ == "__main__":
    system.main(__file__)
