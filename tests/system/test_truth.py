"""A local session is proven by its own frames, over windows that the switch's counters and the engine's
both cover: never by another's frames, never by counts of different times."""
# versions: Truth.test_a_silent_guest_is_proven_by_asking_the_switch Truth.test_what_floods_past_a_guest_takes_nothing_from_its_coverage

import os
import sys
import threading
import time
import unittest

import system
import world as w

PLC, WEB = "vnet-plc", "vnet-web"
MAC = {name: guest[1] for name, guest in w.GUESTS.items()}
NOBODY = "02:00:00:00:00:77"
POLICY = "policy: watch\nselect: [{select}]\ntargets: [local]\n"


class Truth(system.SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = system.host_daemon(cls.world).start()
        cls.machines = []

    def tearDown(self):
        for name in os.listdir(self.host.policies):
            os.remove(os.path.join(self.host.policies, name))
        self.eventually("no mirrors", lambda: not self.world.mirrors())
        for name, port in self.machines:
            self.world.vsctl("--if-exists", "del-port", port)
            w.run("ip", "netns", "delete", name, check=False)
        self.machines.clear()

    # ---- What is asked and told ----

    def watch(self, *ports, more=""):
        select = ", ".join(f"{{port: {port}}}" for port in ports)
        self.host.write_policy("watch", POLICY.format(select=select) + more)
        self.eventually("mirrors", lambda: self.host.in_sync() and self.world.mirrors() and all(
            self.session(port) for port in ports))

    def session(self, port):
        return next((s for s in self.host.ask("sessions")["sessions"]
                     if s["name"] == port + "@local"), None)

    def row(self, port):
        return next((r for r in self.host.ask("status")["coverage"] if r["port"] == "br0/" + port), None)

    def is_proven(self, port):
        session = self.session(port)
        return session and (session["state"], session["proof"]) == ("active", "received") and session

    def proven_while(self, port, machine, *words):
        """Waits until the session is proven, its guest talking meanwhile."""
        def talk():
            self.world.traffic(machine, "frames", *words)
            return self.is_proven(port)
        return self.eventually(f"{port} to be proven", talk, 60)

    def meanwhile(self, work, look):
        """What `look()` told, again and again, while `work()` went on."""
        thread = threading.Thread(target=work)
        thread.start()
        told = []
        while thread.is_alive():
            told.append(look())
            time.sleep(0.05)
        thread.join()
        return told

    def add_guest(self, name, mac, tag=None):
        """One more guest on br0."""
        port = "vnet-" + name
        self.world.add_machine(name, "br0", port, "10.9.0.1", mac)
        self.machines.append((name, port))
        self.world.vsctl("set", "Interface", port, f'external-ids:attached-mac="{mac}"')
        if tag:
            self.world.vsctl("set", "Port", port, f"tag={tag}")
        return port

    def add_internal(self, port, mac):
        """One whose counters are in the switch's database alone: its device is the host's."""
        self.world.vsctl("add-port", "br0", port, "--", "set", "Interface", port, "type=internal",
                         f'external-ids:attached-mac="{mac}"')
        self.machines.append((port, port))
        w.wait_for(port, lambda: w.run("ip", "link", "show", port))
        w.run("ip", "link", "set", port, "address", mac, "up")
        return port

    # ---- Windows ----

    def test_no_burst_makes_coverage_more_than_whole(self):
        """Across the writing of the switch's counters, and after a silence longer than its interval."""
        inner = self.add_internal("vnet-inner", "02:00:00:00:00:31")

        def send_plc(count, per_second):
            self.world.traffic("plc", "frames", NOBODY, count, per_second)

        def send_inner(count, per_second):
            w.run(sys.executable, os.path.join(w.HERE, "traffic.py"), "frames", NOBODY, count, per_second,
                  0, inner)
        for port, send in ((PLC, send_plc), (inner, send_inner)):
            with self.subTest(port):
                self.watch(port)

                def proven(of=port, by=send):
                    by(50, 1000)
                    time.sleep(1)
                    return self.is_proven(of)
                self.eventually(f"{port} to be proven", proven, 60)

                def bursts(by=send):
                    for _ in range(2):
                        by(3500, 500)
                        time.sleep(7)
                told = self.meanwhile(bursts, lambda: self.row(port))  # pylint: disable=cell-var-from-loop
                ratios = [row["ratio"] for row in told if row and row["ratio"] is not None]
                self.assertGreater(len(ratios), 10)
                self.assertLessEqual(max(ratios), 1.0)
                self.assertEqual({row.get("faults", 0) for row in told if row}, {0})
                row = self.eventually("whole coverage", lambda: self.row(port)["ratio"] == 1.0 and
                                      self.row(port))
                self.assertGreaterEqual(row["counted"], 3500)

    def test_frames_from_before_the_start_prove_nothing_against_it(self):
        host = self.host
        host.write_policy("watch", POLICY.format(select=f"{{port: {PLC}}}"))
        self.eventually("a session", lambda: self.session(PLC))
        self.assertEqual(host.stop(), 0)
        self.world.traffic("plc", "frames", NOBODY, 60, 60)
        host.start()
        self.eventually("a silent guest to be ready", lambda: self.session(PLC)["state"] == "ready")
        self.assertIn("nothing to copy", self.session(PLC)["reason"])
        told = self.meanwhile(lambda: time.sleep(22), lambda: self.session(PLC)["state"])
        self.assertEqual(set(told), {"ready"})

    # ---- Own frames ----

    def test_what_floods_past_a_guest_takes_nothing_from_its_coverage(self):
        self.watch(PLC)
        self.proven_while(PLC, "plc", MAC["web"], 50)
        w.run("ip", "-n", "hmi", "link", "set", "eth0", "down")
        try:
            self.world.vswitchd_ctl("fdb/flush", "br0")
            before = self.world.port_counters(PLC)[1]
            told = self.meanwhile(lambda: self.world.traffic("web", "frames", MAC["hmi"], 2400, 200),
                                  lambda: (self.row(PLC), self.session(PLC)["state"]))
            self.eventually("the flood to be counted",
                            lambda: self.world.port_counters(PLC)[1] - before >= 2000)
            self.assertEqual([row["ratio"] for row, _ in told if row["ratio"] is not None and
                              row["ratio"] < 0.99], [])
            self.assertEqual({state for _, state in told}, {"active"})
            self.eventually("whole coverage", lambda: self.row(PLC)["ratio"] == 1.0 and
                            self.row(PLC)["counted"] > 2000)
        finally:
            w.run("ip", "-n", "hmi", "link", "set", "eth0", "up")

    def test_two_guests_with_one_mac_are_two(self):
        mac = "02:00:00:00:00:21"
        first, second = (self.add_guest(f"twin{tag}", mac, tag) for tag in (10, 20))
        self.watch(first, second)
        self.eventually("both to be ready", lambda: {self.session(port)["state"]
                                                     for port in (first, second)} == {"ready"})
        self.world.traffic("twin10", "frames", NOBODY, 400, 200)
        self.eventually("the one that sent to be proven", lambda: self.is_proven(first))
        self.assertEqual(self.session(second)["state"], "ready")
        self.world.traffic("twin20", "frames", NOBODY, 150, 200)
        self.eventually("the other", lambda: self.is_proven(second))
        for port, frames in ((first, 400), (second, 150)):
            row = self.eventually("its own row", lambda: self.row(port)["ratio"] == 1.0 and self.row(port))  # pylint: disable=cell-var-from-loop
            self.assertEqual((row["received"], row["counted"]), (frames, frames))

    def test_a_mirror_that_replaces_another_begins_without_its_frames(self):
        port = self.add_guest("tenth", "02:00:00:00:00:41", 10)
        self.watch(port, more="vlans: [10]\n")
        self.proven_while(port, "tenth", NOBODY, 200)
        self.host.write_policy("watch", POLICY.format(select=f"{{port: {port}}}") + "vlans: [30]\n")
        self.eventually("the other mirror", lambda: self.session(port)["mirror"].endswith("-v30") and
                        self.session(port)["state"] != "active")
        told = self.meanwhile(lambda: self.world.traffic("tenth", "frames", NOBODY, 1200, 100),
                              lambda: self.session(port)["state"])
        self.assertNotIn("active", told)
        self.assertIn("VLAN 10", self.session(port)["reason"])

    def test_a_few_frames_of_many_are_no_proof(self):
        port = self.add_guest("torn", "02:00:00:00:00:51", 10)
        self.watch(port)
        self.eventually("the session", lambda: self.session(port)["state"] == "ready")

        # What an access port gets with a tag of its own is counted by it, and copied by nobody.
        told = self.meanwhile(
            lambda: self.world.traffic("torn", "frames", NOBODY, 6250, 250, 99, "eth0", 250),
            lambda: self.session(port))
        self.assertNotIn("active", {s["state"] for s in told})
        session = self.eventually("a failed session", lambda: self.session(port)["state"] == "failed" and
                                  self.session(port))
        self.assertRegex(session["reason"], r"moved \d+ frames since .*, the engine received .*\(0\.\d%\)")
        self.assertLess(self.row(port)["ratio"], 0.01)

    # ---- Silent guests ----

    def test_a_silent_guest_is_proven_by_asking_the_switch(self):
        def standing_still():  # The switch writes its counters every 5 s.
            before = self.world.port_counters(WEB)
            time.sleep(7)
            return self.world.port_counters(WEB) == before and before
        before = self.eventually("counters that stand still", standing_still, 60)
        self.watch(WEB)

        def told(what, *words):
            session = self.session(WEB)
            return session and session["state_text"] == what and all(
                word in session["reason"] for word in words) and session

        session = self.eventually("a proof", lambda: told("ready (traced)", "would copy"), 60)
        self.assertEqual(session["proof"], "traced")
        self.assertEqual(self.eventually("counters that stand still", standing_still, 60), before, "nothing was sent")
        self.assertEqual(self.host.run("sessions", "--proven", check=False).returncode, 0)
        # A mirror that the database shows as it should be, and that copies nothing.
        output = session["output"]
        self.world.run("ovs-ofctl", "mod-port", "br0", output, "no-forward")
        self.world.vsctl("set", "bridge", "br0", "external-ids:touched=1")
        try:
            self.eventually("a refutation", lambda: told("failed", "would not copy", output), 60)
            self.assertEqual(self.host.run("sessions", check=False).returncode, 2)
        finally:
            self.world.run("ovs-ofctl", "mod-port", "br0", output, "forward")
        self.eventually("a proof again", lambda: told("ready (traced)"), 60)
        self.proven_while(WEB, "web", NOBODY, 20, 200)

    def test_why_the_switch_cannot_be_asked_is_said(self):
        self.assertEqual(self.host.stop(), 0)
        os.rename("/run/openvswitch/ovs-vswitchd.ctl", "/run/openvswitch/aside")
        try:
            self.host.start()  # One that could open the socket before would take the daemon for dead.
            self.watch(WEB)
            self.eventually("the reason", lambda: (s := self.session(WEB)) and s["state_text"] == "ready" and
                            "trace not available" in s["reason"] and "no control socket" in s["reason"], 60)
            self.assertEqual(self.host.run("sessions", "--proven", check=False).returncode, 2)
        finally:
            os.rename("/run/openvswitch/aside", "/run/openvswitch/ovs-vswitchd.ctl")


if __name__ == "__main__":
    system.main(__file__)
