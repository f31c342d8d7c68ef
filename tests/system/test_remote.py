"""How far sessions to a collector are proven: copies that never leave, that leave, that arrive."""
# datapaths: all Remote.test_a_neighbour_that_answers_no_arp_gets_nothing Remote.test_an_underlay_that_is_no_bridge
# versions: Remote.test_without_a_route_nothing_is_sent Remote.test_delivered_is_what_the_collector_counts

import os
import signal
import unittest

import system
import world as w
from daemon import Daemon

SILENT_NEIGHBOUR, FAR_AWAY, ELSEWHERE = "192.0.2.77", "198.51.100.9", "203.0.113.9"
ERSPAN = "{{erspan: {{address: {address}, version: {version}, session: {session}}}}}"
GRE = "{{gre: {{address: {address}, key: {session}}}}}"


def policy(address, target=ERSPAN, select="vm: plc", session=5, version=2, more=""):
    text = target.format(address=address, session=session, version=version)
    return f"policy: remote\nselect: [{{{select}}}]\ntargets: [{text}]\n{more}"


class Remote(system.SystemTest):
    """A host and a collector whose agents are linked, over the way that the copies take."""

    with_collector = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = system.host_daemon(cls.world, peers={
            "listen": f"{w.HOST_ADDRESS}:9478", "insecure": True,
            "hosts": [{"host": "collector", "address": w.COLLECTOR_ADDRESS}]}).start()
        cls.collector = Daemon(cls.world, "collector", {
            "inputs": [{"interface": "eth0", "accept": "encapsulated"}],
            "peers": {"insecure": True, "hosts": [{"host": "host", "address": w.HOST_ADDRESS}]}},
            netns="collector").start()

    def tearDown(self):
        for name in os.listdir(self.host.policies):
            os.remove(os.path.join(self.host.policies, name))
        self.eventually("no mirrors", lambda: not self.world.mirrors())

    def session(self):
        sessions = self.host.ask("sessions")["sessions"]
        return sessions[0] if len(sessions) == 1 else {"state": "none", "proof": None, "reason": ""}

    def becomes(self, what, *words, talk=True, seconds=90):
        """Waits, while guests talk, until the session is `what` ("active (sent)"), for a reason with
        these words; returns it."""
        seen = {}

        def right():
            if talk:
                self.world.traffic("hmi", "ping", w.GUESTS["plc"][0], 15)
            seen.update(self.session())
            return what == seen.get("state_text", seen["state"]) and all(
                word in seen["reason"] for word in words) and seen
        try:
            return w.wait_for(what, right, seconds)
        except w.Failed as error:
            return self.fail(f"{error}: it is {seen.get('state_text')}: {seen['reason']}")

    def test_without_a_route_nothing_is_sent(self):
        self.host.write_policy("remote", policy(FAR_AWAY))
        self.becomes("failed", "no route to " + FAR_AWAY)
        self.assertEqual(self.host.run("sessions", check=False).returncode, 2)
        self.world.run("ip", "route", "add", FAR_AWAY, "via", w.COLLECTOR_ADDRESS)
        try:
            self.becomes("active (sent)", "br-wan")
            self.assertEqual(self.host.run("sessions", "--proven", check=False).returncode, 0)
        finally:
            self.world.run("ip", "route", "del", FAR_AWAY)
        self.becomes("failed", "no route to " + FAR_AWAY)

    def test_a_neighbour_that_answers_no_arp_gets_nothing(self):
        self.host.write_policy("remote", policy(SILENT_NEIGHBOUR))
        states = set()

        def failed():
            self.world.traffic("hmi", "ping", w.GUESTS["plc"][0], 15)
            session = self.session()
            states.add(session.get("state_text"))
            codes = [self.host.run("sessions", *more, check=False).returncode for more in ((), ("--proven",))]
            if session.get("state_text") == self.session().get("state_text") == "active, not proven":
                self.assertEqual(codes, [0, 2])
            return session["state"] == "failed" and "answer ARP" in session["reason"]
        self.eventually("a failed session", failed, 90)
        self.assertFalse({"active (sent)", "active (delivered)"} & states, states)

    def test_an_address_of_the_host_itself_is_no_collector(self):
        for address in (w.HOST_ADDRESS, "127.0.0.1"):
            with self.subTest(address):
                self.host.write_policy("remote", policy(address))
                self.becomes("refused", address, "this host's own", talk=False)

    def test_an_underlay_that_is_no_bridge(self):
        self.world.run("ip", "link", "add", "ul0", "type", "veth", "peer", "name", "ul1")
        try:
            for link in ("ul0", "ul1"):
                self.world.run("ip", "link", "set", link, "up")
            self.world.run("ip", "address", "add", "203.0.113.1/24", "dev", "ul0")
            self.host.write_policy("remote", policy(ELSEWHERE))
            # The kernel sends by any device, and nobody is at its end.
            self.becomes("failed", *(("ul0", "no port of a bridge") if w.DATAPATH == "netdev" else ("answer ARP",)))
        finally:
            self.world.run("ip", "link", "del", "ul0")

    def test_delivered_is_what_the_collector_counts(self):
        for target, version in ((ERSPAN, 2), (ERSPAN, 3), (GRE, 0)):
            with self.subTest(target=target, version=version):
                self.host.write_policy("remote", policy(w.COLLECTOR_ADDRESS, target, version=version,
                                                        session=20 + version))
                session = self.becomes("active (delivered)", "collector")
                self.assertEqual(session["proof"], "delivered")
                self.assertEqual(session["warnings"], [])
                self.host.remove_policy("remote")
                self.eventually("no mirrors", lambda: not self.world.mirrors())

    def test_a_collector_that_is_down_receives_nothing(self):
        self.host.write_policy("remote", policy(w.COLLECTOR_ADDRESS, session=30))
        self.becomes("active (delivered)")
        for number in (signal.SIGKILL, signal.SIGTERM):
            with self.subTest(number.name):
                self.world.kill("collector", number)
                # With traffic: where the last two writings of counters fell within bursts, sent is not proven.
                self.becomes("active (sent)", "the agent of collector", "is not linked")
                self.becomes("active (sent)", "whether they arrive is not known")
                self.collector.start()
                self.becomes("active (delivered)")

    def test_copies_that_vanish_on_their_way(self):
        self.host.write_policy("remote", policy(w.COLLECTOR_ADDRESS, session=31))
        self.becomes("active (delivered)")
        self.world.run("ovs-ofctl", "add-flow", "br-wan", "priority=100,ip,nw_proto=47,actions=drop")
        try:
            self.becomes("failed", "collector", "received")
        finally:
            self.world.run("ovs-ofctl", "--strict", "del-flows", "br-wan", "priority=100,ip,nw_proto=47")
        self.becomes("active (delivered)", seconds=180)  # Some may have come: that is told for a minute.

    def test_a_path_that_is_too_small_is_told(self):
        self.host.write_policy("remote", policy(w.COLLECTOR_ADDRESS, session=32))
        for mtu, needed in ((1500, "1550"), (1600, None)):
            with self.subTest(mtu):
                self.world.run("ip", "link", "set", "wan-collector", "mtu", mtu)
                self.world.in_machine("collector", "ip", "link", "set", "eth0", "mtu", mtu)
                session = self.eventually("the warning" if needed else "no warning", lambda: (
                    (s := self.session()) and s["state"] in ("active", "ready") and
                    bool(s["warnings"]) == bool(needed) and s))
                for word in (needed, "1500", "br-wan", "jumbo") if needed else ():
                    self.assertIn(word, session["warnings"][0])
                    self.assertIn(word, self.host.run("explain", session["name"]).stdout)
        self.world.run("ip", "link", "set", "wan-collector", "mtu", 9000)
        self.world.in_machine("collector", "ip", "link", "set", "eth0", "mtu", 9000)

    def test_snaplen_is_refused_where_it_cuts_the_tunnel(self):
        for target in (ERSPAN, GRE):
            with self.subTest(target):
                self.host.write_policy("remote", policy(w.COLLECTOR_ADDRESS, target, more="snaplen: 100\n"))
                self.becomes("refused", "userspace datapath", "snaplen", talk=False)
        self.host.write_policy("remote", policy(w.COLLECTOR_ADDRESS))
        self.becomes("active (delivered)")

    def test_what_carries_the_copies_is_not_copied(self):
        def copies():
            return sum(s["received"] for i in self.collector.ask("status")["inputs"] for s in i["sessions"]
                       if s["session"] == 33)
        self.host.write_policy("remote", policy(w.COLLECTOR_ADDRESS, select="port: wan-collector", session=33))
        self.becomes("refused", "br-wan", "wan-collector", talk=False)
        self.world.traffic("collector", "ping", w.HOST_ADDRESS, 5)
        self.assertLess(copies(), 10)

    def test_a_bond_of_the_underlay_is_not_copied(self):
        names = ("b1", "b2")
        for name in names:
            self.world.run("ip", "link", "add", name, "type", "veth", "peer", "name", name + "p")
            self.world.run("ip", "link", "set", name, "up")
        self.world.vsctl("add-bond", "br-wan", "bond0", *names)
        try:
            self.host.write_policy("remote", policy(w.COLLECTOR_ADDRESS, select="port: bond0", session=34))
            self.becomes("refused", "leads out of the host", talk=False)
            self.assertEqual(self.world.mirrors(), {})
        finally:
            self.world.vsctl("del-port", "br-wan", "bond0")
            for name in names:
                self.world.run("ip", "link", "del", name)


if __name__ == "__main__":
    system.main(__file__)
