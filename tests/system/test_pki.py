"""The store with certificates and roles, on real servers: what operators, agents, viewers and strangers may do; attacks
with a stolen certificate; certificates that are renewed and a CA that is replaced while all runs."""

import json
import os
import re
import shutil
import subprocess
import time
import unittest

import system
import test_store
import world as w
from daemon import Daemon
from stores import HOSTS, POLICY

FOLDER = "pki"  #: Of the CA, below the class's folder.
VMIRROR = os.path.join(w.BIN, "vmirror")


def expired_certificate(folder, name, common_name):
    """A certificate of the folder's CA that `vmirror pki` does not make: of three days ago, for a day."""
    key, request, certificate = (os.path.join(folder, f"{name}.{end}") for end in ("key", "csr", "crt"))
    w.run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={common_name}")
    w.run("faketime", "-f", "-3d", "openssl", "x509", "-req", "-in", request, "-CA", os.path.join(folder, "ca.pem"), "-CAkey",
          os.path.join(folder, "ca.key"), "-CAcreateserial", "-days", "1", "-out", certificate)
    with open(os.path.join(folder, f"{name}.pem"), "w", encoding="ascii") as out:
        for part in (key, certificate):
            with open(part, encoding="ascii") as text:
                out.write(text.read())


def transact(own, authority, address, *operations, prefix=()):
    """By ovsdb-client with a holder's file: the answers, or the error of the connection."""
    done = subprocess.run([str(c) for c in (
        *prefix, "ovsdb-client", "--timeout=10", "--no-leader-only", "-p", own, "-c", own, "-C", authority, "transact",
        f"ssl:{address}:6651", json.dumps(["vmirror", *operations]))], capture_output=True, text=True, timeout=30, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr


class Certified(test_store.StoreTest):
    """Hosts whose servers, relays and agents have certificates, and people who have."""

    @classmethod
    def pki_command(cls, *words, folder=None):
        return w.run(VMIRROR, "pki", *words, "--folder", folder or cls.folder)

    @classmethod
    def make_certificates(cls, directory):
        cls.folder = os.path.join(directory, FOLDER)
        os.makedirs(directory, exist_ok=True)
        cls.pki_command("init")
        for name in cls.names:
            cls.pki_command("issue", name)
            cls.pki_command("server", name)
            cls.pki_command("relay", name)
        for name in ("alice", "bob"):
            cls.pki_command("operator", name)
        cls.pki_command("operator", "victor", "--role", "viewer")
        return cls.folder

    def as_holder(self, holder, *words, host=None, text=None, check=True):
        """`vmirror` of a person with a certificate, who asks the store itself; what became of it."""
        host = host or self.hosts[0]
        store = os.path.join(host.directory, f"{holder}.yaml")
        with open(store, "w", encoding="utf-8") as out:
            json.dump(self.world.store_as(holder), out)
        done = subprocess.run([str(c) for c in (*host.prefix, VMIRROR, *words, "--store", store)], input=text,
                              capture_output=True, text=True, timeout=60, check=False)
        if check and done.returncode not in (0, 2):
            raise w.Failed(f"{words} as {holder}: {done.stderr}")
        return done

    def transact(self, holder, *operations, server=None, folder=None):
        """As a holder, from another host than the server's."""
        server = server or self.hosts[0]
        return transact(os.path.join(folder or self.folder, f"{holder}.pem"), os.path.join(self.folder, "ca.pem"),
                        server.address, *operations, prefix=self.hosts[1].prefix)

    def rows_of(self, *tables, host=None):
        """As the server itself has them, by its Unix socket."""
        host = host or self.hosts[0]
        return {table: host.run("ovsdb-client", "--timeout=10", "--no-leader-only", "--no-headings", "dump",
                                f"unix:{host.store_folder}/store.sock", "vmirror", table) for table in tables}

    def settled_rows(self, *tables):
        """The same once the agents have nothing more to report of guests that are silent."""
        def settled():
            states = {s["state"] for s in self.hosts[0].daemon.ask("get", "sessions")["sessions"]}
            before = self.rows_of(*tables)
            time.sleep(2)
            return states == {"ready"} and self.rows_of(*tables) == before and before
        return self.eventually("each session ready, and told so", settled, 60)


class Secured(Certified):
    """What each holder may do, and attacks."""

    def test_1_an_operator_sets_policies_and_is_their_author(self):
        a, b, c = self.hosts
        early = self.as_holder("operator-alice", "apply", "-", text=POLICY.format(name="plcs", port="vnet-plc"), check=False)
        self.assertEqual(early.returncode, 1, early)
        self.assertIn("vmirror cluster grant", early.stderr)
        self.assertEqual(a.cluster_command("grant", "alice"), {"operators": ["alice"]})
        self.as_holder("operator-alice", "apply", "-", text=POLICY.format(name="plcs", port="vnet-plc"))
        self.mirrored_everywhere(["vnet-plc"])
        self.assertEqual(self.policies(b)["plcs"]["set_by"], "operator:alice")
        self.assertEqual(self.as_holder("operator-alice", "wait", "plcs", "--for", "realised").returncode, 0)
        # Another operator replaces it, and is its author from then on; a third person is none.
        c.cluster_command("grant", "bob")
        self.as_holder("operator-bob", "apply", "-", text=POLICY.format(name="plcs", port="vnet-*"), host=c)
        self.mirrored_everywhere(["vnet-hmi", "vnet-plc"])
        self.assertEqual(self.policies(b)["plcs"]["set_by"], "operator:bob")
        self.assertEqual(a.cluster_command("revoke", "bob"), {"operators": ["alice"]})
        refused = self.as_holder("operator-bob", "delete", "plcs", check=False)
        self.assertEqual(refused.returncode, 1, refused)
        self.as_holder("operator-alice", "delete", "plcs")
        self.mirrored_everywhere([])
        removals = json.loads(self.as_holder("viewer-victor", "get", "removals", "--json").stdout)["removals"]
        self.assertEqual([(r["policy"], r["removed_by"]) for r in removals], [("plcs", "operator:alice")])
        self.assertEqual(b.daemon.ask("get", "removals")["removals"], removals)
        # As root on a server's host, without a certificate.
        store = os.path.join(a.directory, "root.yaml")
        with open(store, "w", encoding="utf-8") as out:
            json.dump({"servers": [f"unix:{a.store_folder}/store.sock"]}, out)
        subprocess.run([str(x) for x in (*a.prefix, VMIRROR, "apply", "-", "--store", store)], text=True, check=True,
                       capture_output=True, input=POLICY.format(name="plcs", port="vnet-plc"))
        self.mirrored_everywhere(["vnet-plc"])
        self.assertEqual(self.policies(b)["plcs"]["set_by"], "root@hosta")
        # Many who name operators at once, and take them back, do not undo each other.
        names = [f"op{n}" for n in range(6)]
        for word, operators in (("grant", ["alice", *names]), ("revoke", ["alice"])):
            asked = [subprocess.Popen([str(x) for x in (*self.hosts[n % 3].prefix, VMIRROR, "cluster", word, name, "--folder",
                                                        self.hosts[n % 3].store_folder)], stdout=subprocess.DEVNULL)
                     for n, name in enumerate(names)]
            self.assertEqual([one.wait(30) for one in asked], [0] * len(names))
            self.eventually(f"all to be done: {word}", lambda is_=operators: a.cluster_command("operators") == {"operators": is_}, 5)

    def test_2_an_agent_and_a_viewer_read_and_set_nothing(self):
        a, b, _ = self.hosts
        before = self.rows_of("Policy", "Cluster")
        by_agent = b.daemon.run("apply", "-", input=POLICY.format(name="mine", port="vnet-*"), check=False)
        self.assertEqual(by_agent.returncode, 1, by_agent)
        self.assertIn("this certificate may not change the store", by_agent.stderr)
        self.assertEqual(b.daemon.run("delete", "plcs", check=False).returncode, 1)
        self.assertEqual(b.daemon.run("delete", "--host", "hosta", check=False).returncode, 1)
        for words in (("get", "policies"), ("get", "hosts"), ("get", "sessions")):
            self.assertIn("hosta" if words[1] != "policies" else "plcs",
                          self.as_holder("viewer-victor", *words, "--json").stdout)
        by_viewer = self.as_holder("viewer-victor", "apply", "-", text=POLICY.format(name="mine", port="x"), check=False)
        self.assertEqual(by_viewer.returncode, 1, by_viewer)
        self.assertEqual(self.rows_of("Policy", "Cluster"), before)
        self.mirrored_everywhere(["vnet-plc"])

    @staticmethod
    def attacks():
        """What the certificate of hostb must not be able to do, by name."""
        insert = lambda table, **row: {"op": "insert", "table": table, "uuid-name": "new", "row": row}
        everywhere = {"where": []}
        refer = {"op": "mutate", "table": "Cluster", "where": [], "mutations": [["policies", "insert", ["named-uuid", "new"]]]}
        return {
            "a policy": [insert("Policy", name="evil", yaml="x", set_by="hostb"), refer],
            "a policy in an operator's name": [insert("Policy", name="evil", yaml="x", set_by="operator:alice"), refer],
            "a removal in an operator's name": [insert("Removal", policy="plcs", removed_by="operator:alice")],
            "a removal": [insert("Removal", policy="plcs", removed_by="hostb"),
                          {"op": "mutate", "table": "Cluster", "where": [], "mutations": [["removals", "insert", ["named-uuid", "new"]]]}],
            "no removals": [{"op": "update", "table": "Cluster", "where": [], "row": {"removals": ["set", []]}}],
            "another remover": [{"op": "update", "table": "Removal", "where": [], "row": {"removed_by": "operator:bob"}}],
            "another text": [{"op": "update", "table": "Policy", "where": [], "row": {"yaml": "x"}}],
            "another author": [{"op": "update", "table": "Policy", "where": [], "row": {"set_by": "hostb"}}],
            "no policies": [{"op": "delete", "table": "Policy", **everywhere}],
            "no references": [{"op": "update", "table": "Cluster", "where": [], "row": {"policies": ["set", []]}}],
            "the generation": [{"op": "update", "table": "Cluster", "where": [], "row": {"generation": 0}}],
            "itself an operator": [{"op": "update", "table": "Cluster", "where": [],
                                    "row": {"operators": ["map", [["hostb", "hostb"]]]}}],
            "no cluster": [{"op": "delete", "table": "Cluster", **everywhere}],
            "another host": [insert("Host", name="hostz", generation=9)],
            "another host's row": [{"op": "update", "table": "Host", "where": [["name", "==", "hosta"]], "row": {"generation": 999}}],
            "its row as another's": [{"op": "update", "table": "Host", "where": [["name", "==", "hostb"]], "row": {"name": "hostz"}}],
            "no hosts": [{"op": "delete", "table": "Host", **everywhere}],
            "another host's session": [insert("Session", host="hosta", name="evil", state="active")],
            "another host's state": [{"op": "update", "table": "Session", "where": [["host", "==", "hosta"]], "row": {"state": "x"}}],
            "no sessions of another": [{"op": "delete", "table": "Session", "where": [["host", "==", "hosta"]]}],
            "a session to another": [{"op": "update", "table": "Session", "where": [["host", "==", "hostb"]], "row": {"host": "hosta"}}],
            "no permissions": [{"op": "delete", "table": "RBAC_Permission", **everywhere}],
            "a role": [insert("RBAC_Role", name="root")],
            "more rights": [{"op": "update", "table": "RBAC_Permission", "where": [], "row": {"authorization": ["set", [""]]}}],
        }

    #: What an agent may write of its own host, which nobody else may, and nobody by a relay.
    OWN_ROWS = {
        "its host": lambda name: [{"op": "insert", "table": "Host", "row": {"name": name, "generation": 9}}],
        "its session": lambda name: [{"op": "insert", "table": "Session", "row": {"host": name, "name": "evil", "state": "active"}}],
    }

    def test_3_a_stolen_certificate_writes_its_hosts_rows_alone(self):
        a = self.hosts[0]
        insert = lambda table, **row: {"op": "insert", "table": table, "uuid-name": "new", "row": row}
        self.eventually("sessions of all hosts", lambda: len(a.daemon.ask("get", "sessions")["sessions"]) == 3)
        before = self.rows_of("Policy", "Cluster", "Removal", "RBAC_Role", "RBAC_Permission")
        for server in self.hosts:
            for name, operations in self.attacks().items():
                with self.subTest(attack=name, server=server.name):
                    answers = self.transact("host-hostb", *operations, server=server)
                    self.assertIn("permission error", [x.get("error") for x in answers if x], answers)
        self.assertEqual(self.rows_of(*before), before)
        # A policy to which nobody refers is gone at once; another name is no way to another's text.
        lonely = self.transact("host-hostb", insert("Policy", name="evil", yaml="x", set_by="hostb"))
        self.assertEqual(len(lonely), 1, lonely)
        self.assertNotIn("evil", self.rows_of("Policy")["Policy"])
        taken = self.transact("host-hostb", insert("Policy", name="plcs", yaml="x", set_by="hostb"))
        self.assertNotIn('"x"', self.rows_of("Policy")["Policy"], taken)
        # Roles and the schema are the server's own, and so is where it listens.
        own = os.path.join(self.folder, "host-hostb.pem")
        schema = os.path.join(a.store_folder, "vmirror.ovsschema")
        for database, words in (("vmirror", ("convert", f"ssl:{a.address}:6651", schema)),
                                ("vmirror_server", ("transact", f"ssl:{a.address}:6651", json.dumps(
                                    ["vmirror_server", {"op": "delete", "table": "Server", "where": []}])))):
            done = subprocess.run([str(x) for x in (*self.hosts[1].prefix, "ovsdb-client", "--timeout=10", "--no-leader-only",
                                                    "-p", own, "-c", own, "-C", os.path.join(self.folder, "ca.pem"), *words)],
                                  capture_output=True, text=True, timeout=30, check=False)
            self.assertIn("permission error", done.stdout + done.stderr, database)
        # It is not that nothing could be written: its own rows can.
        mine = self.transact("host-hostb", {"op": "update", "table": "Host", "where": [["name", "==", "hostb"]],
                                            "row": {"fault": "mine"}})
        self.assertEqual(mine, [{"count": 1}])

    def test_4_strangers_and_expired_certificates_get_no_connection(self):
        strange = os.path.join(self.world.directory, "strange")
        self.pki_command("init", folder=strange)
        self.pki_command("issue", "hostb", folder=strange)
        expired_certificate(self.folder, "expired", "hostb")
        select = {"op": "select", "table": "Policy", "where": []}
        self.assertEqual(len(self.transact("host-hostb", select)), 1)
        for holder, folder in (("host-hostb", strange), ("expired", self.folder)):
            with self.subTest(holder=holder, folder=folder):
                self.assertRegex(self.transact(holder, select, folder=folder), r"(?i)protocol error|alert|ssl|failed|closed")
        for protocol in ("-tls1", "-tls1_1"):
            done = subprocess.run([str(x) for x in (
                *self.hosts[1].prefix, "openssl", "s_client", protocol, "-cipher", "ALL:@SECLEVEL=0", "-connect",
                f"{self.hosts[0].address}:6651", "-cert", os.path.join(self.folder, "host-hostb.pem"), "-key",
                os.path.join(self.folder, "host-hostb.pem"))], input="", capture_output=True, text=True, timeout=30, check=False)
            self.assertIn("Cipher is (NONE)", done.stdout, protocol)
        stranger = Daemon(self.hosts[1], "stranger", {
            "switch": {"driver": "ovs", "remote": w.OVSDB, "owner": "stranger"},
            "store": {**self.world.store_as("host-hostb"),
                      **dict.fromkeys(("private_key", "certificate"), os.path.join(strange, "host-hostb.pem"))}}).start()
        self.eventually("its certificate to be refused",
                        lambda: stranger.ask("status")["store"]["state"] == "unreachable" and
                        stranger.ask("status")["store"]["error"])
        self.assertIsNone(stranger.ask("status")["store"]["generation"])
        stranger.stop()

    def test_5_who_only_reads_writes_nothing_at_any_server(self):
        """Each certificate may write rows of its common name: whose certificate is for reading has none."""
        before = self.settled_rows("Policy", "Cluster", "Host", "Session")
        for holder, name in (("viewer-victor", "viewer:victor"), ("relay-hostb", "relay:hostb")):
            for what, operations in {**self.attacks(), **{w: make(name) for w, make in self.OWN_ROWS.items()}}.items():
                with self.subTest(holder=holder, attack=what):
                    answers = self.transact(holder, *operations)
                    self.assertIn("permission error", [x.get("error") for x in answers if x], answers)
        self.assertEqual(self.rows_of(*before), before)

    def test_5a_through_a_relay_nobody_writes(self):
        a, b, _ = self.hosts
        told = b.make_relay()
        self.assertEqual((told["relay"], told["connected"], told["well"]), (True, True, True))
        by_socket = f"unix:{b.relay_folder}/store.sock"
        by_tls = b.relay_remote

        def ask(remote, holder, *operations):
            key = os.path.join(self.folder, f"{holder}.pem")
            return json.loads(b.run("ovsdb-client", "--timeout=10", "--no-leader-only", "-p", key, "-c", key, "-C",
                                    f"{self.folder}/ca.pem", "transact", remote, json.dumps(["vmirror", *operations])))

        [policies] = ask(by_tls, "viewer-victor", {"op": "select", "table": "Policy", "where": [], "columns": ["name"]})
        self.assertEqual(policies["rows"], [{"name": "plcs"}])
        before = self.settled_rows("Policy", "Cluster", "Host", "Session", "RBAC_Role", "RBAC_Permission")
        allowed = {("host-hostb", "its host"), ("host-hostb", "its session"), ("operator-alice", "no references"),
                   ("operator-alice", "the generation")}  # By the roles.
        # The stolen certificate of an agent, an operator's, the relay's own; root on the relay's host.
        for holder, name, remote in (("host-hostb", "hostb", by_tls), ("operator-alice", "operator:alice", by_tls),
                                     ("relay-hostb", "relay:hostb", by_tls), ("relay-hostb", "relay:hostb", by_socket)):
            for what, operations in {**self.attacks(), **{w: make(name) for w, make in self.OWN_ROWS.items()}}.items():
                with self.subTest(holder=holder, remote=remote, attack=what):
                    answers = ask(remote, holder, *operations)
                    [error] = {x.get("error") for x in answers if x} - {None}
                    # Roles say no first; where they allow it, the relay does.
                    self.assertIn(error, ("permission error", "not allowed"), answers)
                    if (holder, what) in allowed:
                        self.assertEqual(error, "not allowed", answers)
        # Nor is there a way by the relay's list of where it listens.
        remotes = json.dumps(["vmirror_server", {"op": "update", "table": "Connection", "where": [], "row": {"read_only": False}}])
        for remote in (by_socket, by_tls):
            key = os.path.join(self.folder, "relay-hostb.pem")
            self.assertIn("permission error", b.run("ovsdb-client", "--timeout=10", "-p", key, "-c", key, "-C",
                                                    f"{self.folder}/ca.pem", "transact", remote, remotes))
        self.assertEqual(self.rows_of(*before), before)
        for words in (("grant", "eve"), ("restore", "/dev/null"), ("upgrade",), ("firewall",)):
            done = subprocess.run([str(x) for x in (*b.prefix, VMIRROR, "cluster", *words, "--folder", b.relay_folder)],
                                  capture_output=True, text=True, timeout=30, check=False)
            self.assertEqual(done.returncode, 1, words)
            self.assertIn("this is a relay", done.stderr, words)
        self.assertTrue(b.cluster_command("leave", folder=b.relay_folder)["left"])
        self.world.relays.clear()

    def test_6_two_agents_of_one_host_are_told(self):
        a, b, _ = self.hosts
        self.assertIsNone(a.store()["rival"])
        second = Daemon(b, "second", {"host": "hosta", "switch": {"driver": "ovs", "remote": w.OVSDB, "owner": "second"},
                                      "store": self.world.store_as("host-hosta")}).start()
        self.eventually("both to find each other", lambda: a.store()["rival"] and second.ask("status")["store"]["rival"], 60)
        told = {h["name"]: h["fault"] for h in b.daemon.ask("get", "hosts")["hosts"]}
        self.assertIn("another agent reports as this host", told["hosta"])
        self.assertEqual(b.daemon.run("get", "hosts").returncode, 2)
        second.stop()

    def test_7_only_members_reach_the_members_port(self):
        """ovsdb-server takes every certificate of the CA for a member's at that port, so a rule of the host has to."""
        if not shutil.which("nft"):
            self.skipTest("no nft (install nftables: ./run deps test)")
        a = self.hosts[0]
        w.run("ip", "netns", "add", "thief")
        self.addCleanup(w.run, "ip", "netns", "delete", "thief")
        w.run("ip", "link", "add", "mgmt-thief", "type", "veth", "peer", "name", "eth0", "netns", "thief")
        w.run("ip", "link", "set", "mgmt-thief", "master", self.world.management, "up")
        w.run("ip", "-n", "thief", "address", "add", "10.9.0.66/24", "dev", "eth0")
        w.run("ip", "-n", "thief", "link", "set", "eth0", "up")
        own = os.path.join(self.folder, "host-hostb.pem")

        def reaches(port):
            done = subprocess.run(["ip", "netns", "exec", "thief", "timeout", "5", "openssl", "s_client", "-connect",
                                   f"{a.address}:{port}", "-cert", own, "-key", own, "-CAfile", f"{self.folder}/ca.pem"],
                                  input="", capture_output=True, text=True, timeout=30, check=False)
            return "Verification: OK" in done.stdout

        self.eventually("the port to be reached", lambda: reaches(6652))
        for host in self.hosts:
            rules = os.path.join(host.directory, "rules.nft")
            with open(rules, "w", encoding="ascii") as out:
                out.write(host.cluster_command("firewall")["rules"])
            for _ in range(2):  # Again they take the place of themselves.
                host.run("nft", "-f", rules)
        self.assertFalse(reaches(6652))
        self.assertTrue(reaches(6651))
        leader = next(h for h in self.hosts if h.server_status()["role"] == "leader")
        leader.kill_server()
        self.eventually("another leader", lambda: any(
            h.server_status()["role"] == "leader" for h in self.hosts if h is not leader), 60)
        self.assertTrue(leader.cluster_command("start")["well"])

    def serials(self):
        return {c["file"]: c["serial"] for c in json.loads(self.pki_command("list", "--json"))["certificates"]}

    def restart_servers(self):
        """One after the other, so that every connection is made anew."""
        for host in self.hosts:
            host.kill_server()
            self.assertTrue(host.cluster_command("start")["well"])

    def all_are_connected(self, name):
        self.eventually("the operator's policy to be taken", lambda: self.as_holder(
            "operator-alice", "apply", "-", text=POLICY.format(name=name, port="vnet-plc")).returncode == 0, 60)
        self.eventually("all agents to take it in", lambda: self.policies(self.hosts[0])[name]["observed"] == 3, 60)

    def test_8_a_new_certificate_and_a_new_ca_without_an_outage(self):
        self.hosts[0].cluster_command("grant", "alice")
        self.all_are_connected("before")
        mirrors = [h.rows("Mirror", "_uuid") for h in self.hosts]
        pids = [h.processes[h.name].pid for h in self.hosts]
        before = self.serials()
        self.pki_command("renew", "--all")
        self.assertFalse(set(before.values()) & {s for f, s in self.serials().items() if f != "ca.pem"})
        self.all_are_connected("renewed")
        # A new CA: trusted beside the old one first, then all certificates, then alone.
        self.pki_command("rotate")
        self.restart_servers()
        self.all_are_connected("both")
        self.pki_command("renew", "--all")
        self.pki_command("retire")
        old = self.serials()
        self.assertEqual(sum(1 for f in old if f == "ca.pem"), 1)
        self.restart_servers()
        self.all_are_connected("new")
        self.assertEqual([h.rows("Mirror", "_uuid") for h in self.hosts], mirrors)
        self.assertEqual([h.processes[h.name].pid for h in self.hosts], pids, "no agent was started anew")
        for host in self.hosts:
            self.assertEqual(host.store()["state"], "connected")


class Upgrade(unittest.TestCase):
    """A store of schema 1: nothing refers to its policies, and its server has no roles."""

    def setUp(self):
        if reason := os.environ.get("VMIRROR_SKIP", ""):
            self.skipTest(reason)
        self.folder = os.path.join(system.DIRECTORY, "upgrade")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.pki, self.store = (os.path.join(self.folder, name) for name in ("pki", "store"))
        for words in (("init",), ("server", "one"), ("issue", "one")):
            w.run(VMIRROR, "pki", *words, "--folder", self.pki)

    def cluster(self, *words):
        return json.loads(w.run(VMIRROR, "cluster", *words, "--folder", self.store, "--json"))

    def end_server(self):
        w.run("ovs-appctl", "-t", f"{self.store}/server.ctl", "exit")
        w.wait_for("the server to end", lambda: not os.path.exists(f"{self.store}/server.pid"))

    def make_old(self):
        """In place of the server that `cluster init` made, one as it was made before there were roles."""
        with open(os.path.join(w.HERE, "..", "..", "agent", "control", "store", "vmirror.ovsschema"), encoding="utf-8") as text:
            schema = json.load(text)
        tables = schema["tables"]
        schema["version"] = "1.0.0"
        tables["Policy"]["isRoot"] = True
        for table, columns in (("Cluster", ("policies", "removals", "operators")), ("Host", ("instance",))):
            for column in columns:
                del tables[table]["columns"][column]
        for table in ("Removal", "RBAC_Role", "RBAC_Permission"):
            del tables[table]
        old, settings = (os.path.join(self.store, name) for name in ("old.ovsschema", "server.json"))
        with open(old, "w", encoding="utf-8") as out:
            json.dump(schema, out)
        for name in ("store.db", "remotes.db"):
            os.remove(os.path.join(self.store, name))
        w.run("ovsdb-tool", "create-cluster", f"{self.store}/store.db", old, "ssl:127.0.0.1:6652")
        with open(settings, encoding="utf-8") as text:
            values = json.load(text)
        del values["roles"]
        with open(settings, "w", encoding="utf-8") as out:
            json.dump(values, out)

    def policies(self):
        told = w.run("ovsdb-client", "--no-headings", "dump", f"unix:{self.store}/store.sock", "vmirror", "Policy", "name")
        return told.split()[2:]  # After "Policy table".

    def test_policies_stay_and_roles_come(self):
        self.cluster("init", "--address", "127.0.0.1", "--pki", self.pki, "--name", "one")
        self.end_server()
        self.make_old()
        self.cluster("start")
        self.addCleanup(self.end_server)
        own, authority = os.path.join(self.pki, "host-one.pem"), os.path.join(self.pki, "ca.pem")
        for name in ("plcs", "hmis"):  # Schema 1: every certificate may.
            transact(own, authority, "127.0.0.1", {"op": "insert", "table": "Policy", "row": {"name": name, "yaml": "x"}})
        self.assertEqual(self.policies(), ["hmis", "plcs"])
        early = subprocess.run([VMIRROR, "cluster", "grant", "alice", "--folder", self.store], capture_output=True, text=True, check=False)
        self.assertEqual(early.returncode, 1, early)
        self.assertIn("vmirror cluster upgrade", early.stderr)
        self.assertEqual(self.cluster("upgrade"), {"was": "1.0.0", "schema": "2.1.0", "roles": True})
        self.assertEqual(self.cluster("grant", "alice"), {"operators": ["alice"]})
        self.assertEqual(self.cluster("upgrade"), {"was": "2.1.0", "schema": "2.1.0", "roles": True})
        self.assertEqual(self.cluster("operators"), {"operators": ["alice"]})
        self.assertEqual(self.policies(), ["hmis", "plcs"])
        [refused] = [answer for answer in transact(own, authority, "127.0.0.1", {
            "op": "update", "table": "Cluster", "where": [], "row": {"policies": ["set", []]}}) if answer]
        self.assertEqual(refused["error"], "permission error")
        # A later version of vmirror was here: what its schema has besides would be lost.
        with open(f"{self.store}/vmirror.ovsschema", encoding="utf-8") as text:
            schema = json.load(text)
        schema["version"] = "3.0.0"
        later = os.path.join(self.store, "later.ovsschema")
        with open(later, "w", encoding="utf-8") as out:
            json.dump(schema, out)
        w.run("ovsdb-client", "convert", f"unix:{self.store}/store.sock", later)
        back = subprocess.run([VMIRROR, "cluster", "upgrade", "--folder", self.store], capture_output=True, text=True, check=False)
        self.assertEqual(back.returncode, 1, back)
        self.assertIn("3.0.0 is later than", back.stderr)

    def test_a_store_alone_is_used_with_its_new_schema_at_once(self):
        """ovsdb-server alone tells clients the schema with which it began until it begins anew."""
        self.cluster("init")
        self.addCleanup(self.end_server)
        self.end_server()
        with open(f"{self.store}/vmirror.ovsschema", encoding="utf-8") as text:
            schema = json.load(text)
        schema["version"] = "2.0.0"
        del schema["tables"]["Removal"], schema["tables"]["Cluster"]["columns"]["removals"]
        old, settings, policy = (os.path.join(self.folder, name) for name in ("old", "store.yaml", "policy.yaml"))
        for file, value in ((old, schema), (settings, {"servers": [f"unix:{self.store}/store.sock"]}),
                            (policy, {"policy": "plcs", "select": [{"port": "p"}], "targets": ["local"]})):
            with open(file, "w", encoding="utf-8") as out:
                json.dump(value, out)
        os.remove(f"{self.store}/store.db")
        w.run("ovsdb-tool", "create", f"{self.store}/store.db", old)
        self.cluster("start")
        ask = lambda *words: w.run(VMIRROR, *words, "--store", settings)
        ask("apply", policy)
        self.assertEqual(self.cluster("upgrade"), {"was": "2.0.0", "schema": "2.1.0", "roles": False})
        self.assertEqual(self.policies(), ["plcs"])
        ask("delete", "plcs")
        [removal] = json.loads(ask("get", "removals", "--json"))["removals"]
        self.assertEqual((removal["policy"], removal["generation"]), ("plcs", 2))


class Commands(unittest.TestCase):
    """`vmirror pki` by itself."""

    def setUp(self):
        if reason := os.environ.get("VMIRROR_SKIP", ""):
            self.skipTest(reason)
        self.folder = os.path.join(system.DIRECTORY, "commands")
        shutil.rmtree(self.folder, ignore_errors=True)

    def pki(self, *words):
        return subprocess.run([VMIRROR, "pki", *words, "--folder", self.folder], capture_output=True, text=True,
                              timeout=30, check=False)

    def test_openssl_takes_the_certificates_and_list_tells_what_expires(self):
        self.assertEqual(self.pki("issue", "kvm7").returncode, 1)
        self.assertEqual(self.pki("init").returncode, 0)
        self.assertEqual(self.pki("init").returncode, 1)
        self.assertEqual(self.pki("issue", "kvm7", "--address", "192.0.2.7").returncode, 0)
        self.assertEqual(self.pki("server", "kvm7", "--address", "2001:db8::7").returncode, 0)
        self.assertEqual(self.pki("issue", "operator:eve").returncode, 1)
        self.assertEqual(self.pki("issue", "kvm8", "--address", "kvm8").returncode, 64)
        self.assertEqual(self.pki("operator", "eve", "--role", "root").returncode, 64)
        authority = os.path.join(self.folder, "ca.pem")
        for name, words in (("host-kvm7", ["DNS:kvm7, IP Address:192.0.2.7"]), ("server-kvm7", ["IP Address:2001:DB8:0:0:0:0:0:7"])):
            file = os.path.join(self.folder, name + ".pem")
            for purpose in ("sslserver", "sslclient"):
                w.run("openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", authority, file)
            told = w.run("openssl", "x509", "-in", file, "-noout", "-ext", "subjectAltName")
            for word in words:
                self.assertIn(word, re.sub(r"\s+", " ", told))
            self.assertEqual(os.stat(file).st_mode & 0o777, 0o600)
        self.assertEqual(self.pki("list").returncode, 0)
        self.assertEqual(self.pki("list", "--within", "366").returncode, 2)
        self.assertEqual(self.pki("issue", "soon", "--days", "5").returncode, 0)
        listed = self.pki("list", "--json")
        self.assertEqual(listed.returncode, 2)
        self.assertEqual({c["name"]: c["days_left"] for c in json.loads(listed.stdout)["certificates"]}["soon"], 4)
        self.assertEqual(json.loads(self.pki("renew", "--json").stdout), {"renewed": [os.path.join(self.folder, "host-soon.pem")]})
        self.assertEqual(self.pki("list").returncode, 0)

    def test_a_ca_is_replaced(self):
        authority, file = (os.path.join(self.folder, name) for name in ("ca.pem", "host-kvm7.pem"))
        before = os.path.join(self.folder, "before.pem")
        for words in (("init",), ("issue", "kvm7"), ("issue", "kvm8")):
            self.assertEqual(self.pki(*words).returncode, 0, words)
        shutil.copy(file, before)
        self.assertEqual(self.pki("rotate").returncode, 0)
        self.assertEqual(self.pki("renew", "kvm7").returncode, 0)
        for one in (before, file):  # Both CAs are trusted.
            w.run("openssl", "verify", "-CAfile", authority, one)
        early = self.pki("retire")
        self.assertEqual(early.returncode, 1, early)
        self.assertIn("host-kvm8.pem", early.stderr)
        self.assertEqual(self.pki("renew", "--all").returncode, 0)
        self.assertEqual(self.pki("retire").returncode, 0)
        w.run("openssl", "verify", "-CAfile", authority, file)
        with self.assertRaises(w.Failed):
            w.run("openssl", "verify", "-CAfile", authority, before)


if __name__ == "__main__":
    system.main(__file__, lambda: system.lacking("openssl", "faketime"))
