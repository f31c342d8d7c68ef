"""Policies in a store: applied once, their mirrors come on all hosts (stores.py), and outlive the leader and the links."""

import json
import os
import unittest

import system
from stores import HOSTS, POLICY, Joined


class StoreTest(system.SystemTest):
    """Hosts with a server each, for the class."""

    names = HOSTS

    @classmethod
    def setUpClass(cls):
        if reason := os.environ.get("VMIRROR_SKIP", ""):
            raise unittest.SkipTest(reason)
        directory = os.path.join(system.DIRECTORY, cls.__name__)
        cls.world = Joined(directory, cls.names, cls.make_certificates(directory))
        cls.addClassCleanup(cls.world.stop_all)
        cls.hosts = list(cls.world.hosts.values())
        cls.start_hosts()

    @classmethod
    def start_hosts(cls):
        for host in cls.hosts:
            host.make_server()
            host.start_machines()
            host.start_agent()

    @classmethod
    def make_certificates(cls, _directory):
        """The folder; None: the hosts talk by plain TCP."""
        return None

    @classmethod
    def tearDownClass(cls):
        pass  # The clean-up of the class does it, also when setting up failed.

    def mirrored_everywhere(self, ports, hosts=None):
        self.eventually(f"mirrors of {ports}", lambda: all(
            host.mirrored_ports() == ports for host in hosts or self.hosts))

    def leader(self):
        """The host whose server leads."""
        return self.eventually("a leader", lambda: next(
            (h for h in self.hosts if h.server_status()["role"] == "leader"), None))

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
        leader = self.leader()
        before = [h.rows("Mirror", "_uuid") for h in self.hosts]
        leader.kill_server()
        self.eventually("a policy to be taken", lambda: self.hosts[1].daemon.apply(
            POLICY.format(name="hmis", port="vnet-hmi")))
        self.mirrored_everywhere(["vnet-hmi", "vnet-plc"])
        self.assertEqual([h.rows("Mirror", "_uuid") for h in self.hosts], before)
        self.assertTrue(leader.cluster_command("start")["well"])

    def test_3_who_is_cut_off_goes_on_and_says_since_when(self):
        c = self.leader()  # The others have to elect one, and their agents to find it.
        a = next(h for h in self.hosts if h is not c)
        c.cut_off(True)
        self.addCleanup(c.cut_off, False)
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
        self.assertEqual(c.daemon.run("wait", "more", "--for", "realised", "--timeout", "50").returncode, 0)
        # Its server, back with a higher term, may have them elect once more.
        self.eventually("its agent to be connected", lambda: c.store()["state"] == "connected")

    def test_4_a_bad_policy_and_one_in_both_places_are_told(self):
        a, b, _ = self.hosts
        a.run("ovsdb-client", "--timeout=10", "--no-leader-only", "transact", f"unix:{a.store_folder}/store.sock",
              json.dumps(["vmirror", {"op": "insert", "table": "Policy", "uuid-name": "new", "row": {
                  "name": "future", "yaml": "policy: future\ncolour: red\n", "generation": 1}},
                  {"op": "mutate", "table": "Cluster", "where": [],
                   "mutations": [["policies", "insert", ["named-uuid", "new"]]]}]))
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

    def test_5a_a_policy_with_a_ttl_ends_everywhere(self):
        a, b, _ = self.hosts
        text = "policy: incident\nselect: [{port: vnet-plc}]\ntargets: [{erspan: {address: 192.0.2.9}}]\nttl: 4s\n"

        def hosts_with_it():
            return {s["host"] for s in b.daemon.ask("sessions", "--all-hosts")["sessions"] if "incident" in s["policies"]}

        for _ in range(2):  # Applied again after its end, it begins anew.
            a.daemon.apply(text)
            self.eventually("its sessions", lambda: hosts_with_it() == set(HOSTS))
            self.eventually("its end", lambda: not hosts_with_it())
            row = self.policies(b)["incident"]
            self.assertIn("it ended at " + row["ends"], row["realised"]["reason"])
            self.assertEqual({p["name"]: p["state"] for p in b.daemon.ask("policies")["policies"]}["incident"], "expired")
        a.daemon.run("delete", "incident")

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


if __name__ == "__main__":
    system.main(__file__)
