"""Agents that read the store by relays, with certificates, and write to its servers: relays die, servers die, and both."""

import system
import test_pki
from stores import HOSTS, POLICY


class Relay(test_pki.Certified):
    """Three hosts with a server each; two of them have a relay, too."""

    @classmethod
    def setUpClass(cls):
        cls.relayed = []
        super().setUpClass()

    @classmethod
    def start_hosts(cls):
        for host in cls.hosts:
            host.make_server()
        cls.relayed = cls.hosts[:2]
        for host in cls.relayed:
            host.make_relay()
        for host in cls.hosts:
            host.start_machines()
            host.start_agent()

    def read_by(self):
        """The relay by which each host reads; None: the servers."""
        return [h.store()["relay"] for h in self.hosts]

    def apply(self, name, port):
        self.as_holder("operator-alice", "apply", "-", text=POLICY.format(name=name, port=port))

    def taken_in_everywhere(self, name):
        done = self.as_holder("operator-alice", "wait", name, "--for", "realised", "--timeout", "30", check=False)
        self.assertEqual(done.returncode, 0, done)

    def mirrors(self):
        return [{str(row) for row in h.rows("Mirror", "_uuid")} for h in self.hosts]

    def states(self):
        return [h.store()["state"] for h in self.hosts]

    def test_1_policies_come_by_relays_and_reports_go_to_the_servers(self):
        self.hosts[0].cluster_command("grant", "alice")
        remotes = {h.relay_remote for h in self.relayed}
        self.eventually("all to read by a relay", lambda: set(self.read_by()) <= remotes and self.states() == ["connected"] * 3)
        self.apply("plcs", "vnet-plc")
        self.mirrored_everywhere(["vnet-plc"])
        self.taken_in_everywhere("plcs")
        told = {(s["host"], s["name"]) for s in self.hosts[2].daemon.ask("get", "sessions")["sessions"]}
        self.assertEqual(told, {(name, "vnet-plc@local") for name in HOSTS})
        self.assertTrue(all(h.store()["reports"] for h in self.hosts))

    def test_2_a_relay_dies_and_another_is_read(self):
        mirrors = self.mirrors()
        one, other = self.relayed
        one.kill_server(one.relay_folder)
        self.eventually("all to read by the other", lambda: set(self.read_by()) == {other.relay_remote})
        self.apply("hmis", "vnet-hmi")
        self.mirrored_everywhere(["vnet-hmi", "vnet-plc"])
        self.taken_in_everywhere("hmis")
        self.assertEqual([before & now for before, now in zip(mirrors, self.mirrors())], mirrors, "none was made anew")

    def test_3_without_relays_the_servers_are_read_until_one_is_back(self):
        one, other = self.relayed
        other.kill_server(other.relay_folder)
        self.eventually("all to read from the servers", lambda: self.read_by() == [None] * 3 and self.states() == ["connected"] * 3)
        self.as_holder("operator-alice", "delete", "hmis")
        self.mirrored_everywhere(["vnet-plc"])
        told = one.cluster_command("start", folder=one.relay_folder)
        self.assertTrue(told["connected"])
        self.eventually("all to read by the relay", lambda: set(self.read_by()) == {one.relay_remote})
        self.apply("hmis", "vnet-hmi")
        self.taken_in_everywhere("hmis")

    def test_4_who_reaches_neither_goes_on_and_says_since_when(self):
        c = self.hosts[2]
        c.cut_off(True)
        self.addCleanup(c.cut_off, False)
        self.eventually("the loss to be noticed", lambda: c.store()["state"] == "unreachable", 60)
        since = c.store()["since"]
        self.assertIsNone(c.store()["relay"])
        self.as_holder("operator-alice", "delete", "hmis")
        self.eventually("the policy to go elsewhere", lambda: all(h.mirrored_ports() == ["vnet-plc"] for h in self.hosts[:2]))
        self.assertEqual(c.mirrored_ports(), ["vnet-hmi", "vnet-plc"])
        self.assertEqual((c.store()["state"], c.store()["since"]), ("unreachable", since))
        c.cut_off(False)
        self.mirrored_everywhere(["vnet-plc"])
        self.eventually("it to read by the relay", lambda: c.store()["relay"] == self.relayed[0].relay_remote)

    def test_5_without_a_leader_the_relay_serves_and_what_cannot_be_written_is_said(self):
        a, b, c = self.hosts
        for host in (b, c):
            host.kill_server()
        a.daemon.write_policy("mine", POLICY.format(name="mine", port="vnet-hmi"))
        self.eventually("the mirror", lambda: a.mirrored_ports() == ["vnet-hmi", "vnet-plc"])
        self.eventually("the loss of the leader to be said",
                        lambda: "no connection to ovsdb-server" in (a.store()["error"] or ""), 40)
        for host in (b, c):
            host.cluster_command("start")
        self.eventually("what became of it in the store", lambda: {
            (s["host"], s["name"]) for s in b.daemon.ask("get", "sessions")["sessions"]} >= {("hosta", "vnet-hmi@local")}, 60)
        self.eventually("nothing to be said", lambda: self.states() == ["connected"] * 3 and a.store()["error"] is None)

    def test_6_a_store_of_an_old_copy_is_followed_through_a_relay(self):
        a, b, _ = self.hosts
        copy = f"{a.directory}/copy"
        a.cluster_command("backup", copy)
        self.apply("late", "vnet-hmi")
        self.mirrored_everywhere(["vnet-hmi", "vnet-plc"])
        a.cluster_command("restore", copy)
        self.eventually("the late policy to go", lambda: b.mirrored_ports() == ["vnet-plc"], 40)
        self.eventually("all to read by the relay", lambda: set(self.read_by()) == {self.relayed[0].relay_remote}, 40)


if __name__ == "__main__":
    system.main(__file__)
