"""Kills: vmirrord at random points, the switch's daemons. Afterwards the mirrors are as the policy says,
none doubled, none orphaned, foreign ones untouched.

VMIRROR_KILLS is the number of kills of vmirrord (10; `./run soak` makes 100), VMIRROR_SEED the random
sequence's start.
"""

import os
import random
import signal
import time
import unittest

import system
import world as w

KILLS = int(os.environ.get("VMIRROR_KILLS", "10"))
POLICIES = {
    "all": "policy: all\nselect: [{vm: '*'}]\ntargets: [local]\n",
    "plc": ("policy: plc\nselect: [{vm: plc}]\n"
            f"targets: [{{erspan: {{address: {w.COLLECTOR_ADDRESS}, version: 2, session: 7}}}}]\n"),
    "web": "policy: web\nselect: [{vm: web}]\ndirection: in\ntargets: [{rspan: {vlan: 300, restrict: true}}]\n",
}
#: Port -> directions that must be mirrored, of each policy.
WANTED = {"all": {w.guest_port(name) for name in w.GUESTS}, "plc": {"vnet-plc"}, "web": {"vnet-web"}}


class Crash(system.SystemTest):
    with_collector = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.world.vsctl("--", "--id=@p", "get", "Port", "vnet-hmi", "--", "--id=@m", "create", "Mirror",
                        "name=foreign", "select_dst_port=@p", "output_vlan=99", "--", "add", "Bridge",
                        "br-wan", "mirrors", "@m")
        cls.foreign = cls.world.mirrors()["foreign"]
        cls.host = system.host_daemon(cls.world)

    def tearDown(self):
        self.host.kill()

    def owned(self):
        """Ours by name. A name that is there twice is a mirror that was doubled."""
        out = {}
        for name, rows in self.world.mirrors().items():
            self.assertEqual(len(rows), 1, f"mirror {name} is there {len(rows)} times")
            if name != "foreign":
                self.assertIn("vmirror-owner", rows[0]["external_ids"])
                out[name] = rows[0]
        return out

    def check(self, policies):
        """The switch is as the policies say, to the last object."""
        self.eventually("the daemon in sync", lambda: self.host.ask("status") and self.host.in_sync(), 60)
        self.check_switch(policies)

    def check_switch(self, policies):
        mirrors = list(self.owned().values())
        self.assertEqual(len(mirrors), len(policies), mirrors)
        self.assertEqual(sorted(m["select_dst_port"] for m in mirrors),
                         sorted(sorted(WANTED[name]) for name in policies))
        used = {port for m in mirrors for port in m["output_port"]}
        ours = {row["name"] for row in self.world.rows("Port", "name", "external_ids")
                if "vmirror-owner" in (row["external_ids"] or {})}
        self.assertEqual(ours, used, "ports of ours that no mirror uses, or the other way round")
        self.assertEqual(self.world.mirrors()["foreign"], self.foreign)

    def set_policies(self, names):
        for name, text in POLICIES.items():
            if name in names:
                self.host.write_policy(name, text)
            elif os.path.exists(os.path.join(self.host.policies, name + ".yaml")):
                self.host.remove_policy(name)

    def test_vmirrord_is_killed_at_random_points(self):
        seed = int(os.environ.get("VMIRROR_SEED", "1"))
        dice = random.Random(seed)
        print(f"{KILLS} kills, VMIRROR_SEED={seed}")
        for number in range(KILLS):
            names = [name for name in POLICIES if dice.random() < 0.6]
            with self.subTest(kill=number, policies=names):
                self.set_policies(names)
                self.world.spawn("host", os.path.join(w.BIN, "vmirrord"), "--config", self.host.config)
                time.sleep(dice.random() * 0.25)
                self.host.kill()
                if number % 5 == 4 or number == KILLS - 1:
                    self.host.start()
                    self.check(names)
                    self.host.kill()

    def test_prune_takes_away_what_a_crash_left(self):
        self.set_policies(["all", "plc"])
        self.host.start()
        self.check(["all", "plc"])
        self.host.kill()
        self.set_policies([])
        self.assertEqual(len(self.owned()), 2)
        self.host.start()
        self.host.run("apply", "--prune")
        self.check([])

    def test_prune_works_without_a_daemon(self):
        self.set_policies(["all", "plc"])
        self.host.start()
        self.check(["all", "plc"])
        self.host.kill()
        self.set_policies(["plc"])
        self.host.run("apply", "--prune", "--config", self.host.config)
        self.check_switch(["plc"])
        self.set_policies([])
        self.host.run("apply", "--prune", "--config", self.host.config)
        self.check_switch([])

    def test_the_switch_is_killed_and_comes_back(self):
        self.set_policies(["all", "plc"])
        self.host.start()
        self.check(["all", "plc"])
        for name, start in (("ovsdb-server", lambda: self.world.start_database()),
                            ("ovs-vswitchd", lambda: self.world.start_vswitchd())):
            for _ in range(2):
                with self.subTest(name):
                    self.world.kill(name)
                    time.sleep(0.3)
                    status = self.host.ask("status")  # It answers meanwhile.
                    self.assertIn("switch", status)
                    start()
                    self.check(["all", "plc"])

    def test_a_switch_that_hangs_shows_mirrors_that_nobody_believes(self):
        self.set_policies(["all"])
        self.host.start()
        self.check(["all"])
        vswitchd = self.world.processes["ovs-vswitchd"]
        vswitchd.send_signal(signal.SIGSTOP)
        try:
            self.set_policies(["all", "plc"])
            self.eventually("both mirrors in the database", lambda: len(self.owned()) == 2)
            switch = self.eventually("a stalled switch", lambda: [
                s for s in [self.host.ask("status")["switch"]] if s["state"] == "stalled"])[0]
            # Whichever is known first: the daemon does not answer, or does nothing of what it was asked.
            self.assertRegex(switch["error"]["what"], "gives no sign of life|has carried out no change")
            self.eventually("sessions that nobody believes",
                            lambda: set(self.host.sessions().values()) == {"unknown"})
        finally:
            vswitchd.send_signal(signal.SIGCONT)
        self.eventually("a switch that works", lambda: self.host.ask("status")["switch"]["state"] == "connected")
        self.assertNotIn("unknown", self.host.sessions().values())

    def test_a_policy_that_changes_while_the_database_is_away_is_caught_up(self):
        self.set_policies(["all"])
        self.host.start()
        self.check(["all"])
        self.world.kill("ovsdb-server")
        self.set_policies(["plc"])
        self.eventually("unknown sessions", lambda: "unknown" in self.host.sessions().values() or
                        self.host.ask("status")["switch"]["state"] != "connected")
        self.world.start_database()
        self.check(["plc"])


if __name__ == "__main__":
    system.main(__file__)
