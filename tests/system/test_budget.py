"""Budgets: past one, the session of the lowest priority gives way, says so, and comes back by itself."""

import os
import signal
import sys
import unittest

import system
import world as w

# A stream of 500 datagrams a second is some 1.4 Mbit/s: one fits, two do not.
BUDGETS = [{"name": "host", "bits_per_second": "2M"}]
POLICY = "policy: {name}\nselect: [{{vm: {vm}}}]\ntargets: [local]\npriority: {priority}\n"
HIGH, LOW = "vnet-plc@local", "vnet-hmi@local"


class Budget(system.SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = system.host_daemon(cls.world, budgets=BUDGETS).start()
        cls.host.write_policy("high", POLICY.format(name="high", vm="plc", priority=10))

    def tearDown(self):
        for name in ("plc", "hmi"):
            self.world.kill("stream-" + name, signal.SIGTERM)

    def stream(self, guest):
        self.world.spawn("stream-" + guest, sys.executable, os.path.join(w.HERE, "traffic.py"), "stream", w.GUESTS["web"][0], guest, netns=guest)

    def states(self):
        return self.host.sessions()

    def session(self, name):
        return next(s for s in self.host.ask("sessions")["sessions"] if s["name"] == name)

    def budget(self):
        [budget] = self.host.ask("status")["budgets"]
        return budget

    def test_the_lowest_priority_gives_way_and_comes_back(self):
        self.host.write_policy("low", POLICY.format(name="low", vm="hmi", priority=1))
        self.stream("hmi")
        self.eventually("one stream fits", lambda: self.states().get(LOW) == "active")
        self.assertEqual(self.budget()["dropped"], 0)
        self.stream("plc")
        self.eventually("the low one gives way", lambda: self.states() == {HIGH: "active", LOW: "refused"}, 60)
        self.assertIn("budget `host` of 2000000 bits/s is too small", self.session(LOW)["reason"])
        budget = self.budget()
        self.assertEqual((budget["dropped"], budget["truncated"]), (1, 0))
        self.assertGreater(budget["asked_bits_per_second"], 2_000_000)
        self.assertLess(budget["used_bits_per_second"], 2_000_000)
        self.assertEqual(self.host.run("check", "--for", "1", check=False).returncode, 2)
        self.assertEqual(len([m for m in self.world.mirrors().values()]), 1)

        self.world.kill("stream-plc", signal.SIGTERM)
        self.eventually("there is room again", lambda: self.states().get(LOW) == "active", 90)
        self.assertEqual(self.budget()["dropped"], 0)

    def test_a_policy_may_have_its_copies_cut_instead(self):
        self.host.write_policy("low", POLICY.format(name="low", vm="hmi", priority=1) + "over_budget: {truncate: 64}\n")
        self.stream("plc")
        self.stream("hmi")
        self.eventually("the low one is cut", lambda: self.budget()["truncated"] == 1, 60)
        self.eventually("both are active", lambda: self.states() == {HIGH: "active", LOW: "active"}, 60)
        self.assertEqual(self.session(HIGH)["warnings"], [])
        [warning] = self.session(LOW)["warnings"]
        self.assertIn("copies are cut to 64 bytes: budget `host`", warning)
        cut = {tuple(m[0]["select_src_port"]): m[0]["snaplen"] for m in self.world.mirrors().values()}
        self.assertEqual(cut, {("vnet-plc",): [], ("vnet-hmi",): 64})
        self.assertIn("BUDGET", self.host.run("status", check=False).stdout)


if __name__ == "__main__":
    system.main(__file__)
