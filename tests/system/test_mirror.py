"""From a policy to frames: mirrors, what comes through them, and that they are kept true."""
# versions: all
# datapaths: all

import os
import signal
import unittest

import system
import world as w

PLC = "vnet-plc"
LOCAL = "policy: {name}\nselect: [{{vm: \"{vm}\"}}]\ntargets: [local]\n"
ERSPAN = ("policy: {name}\nselect: [{{vm: {vm}}}]\n"
          "targets: [{{erspan: {{address: {address}, version: {version}, session: {session}}}}}]\n")


def erspan(version, session, name="remote", vm="plc"):
    return ERSPAN.format(name=name, vm=vm, address=w.COLLECTOR_ADDRESS, version=version, session=session)


class Mirror(system.SystemTest):
    with_collector = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = system.host_daemon(cls.world).start()
        cls.collector = system.collector_daemon(cls.world).start()

    def tearDown(self):
        for name in os.listdir(self.host.policies):
            os.remove(os.path.join(self.host.policies, name))
        self.eventually("no mirrors", lambda: not self.owned())

    def owned(self):
        return [rows[0] for rows in self.world.mirrors().values()
                if "vmirror-owner" in (rows[0]["external_ids"] or {})]

    def one_mirror(self, select=(PLC,)):
        """Waits until the switch has exactly one mirror of ours, of these ports, and says so."""
        def right():
            mirrors = self.owned()
            return (len(mirrors) == 1 and mirrors[0]["select_src_port"] == sorted(select) and
                    mirrors[0]["select_dst_port"] == sorted(select) and
                    len(mirrors[0]["output_port"]) == 1 and self.host.in_sync() and mirrors[0])
        return self.eventually("one mirror", right)

    def test_frames_come_and_are_proven_complete(self):
        self.host.write_policy("watch", LOCAL.format(name="watch", vm="plc"))
        self.one_mirror()

        def complete():
            rows = self.host.ask("status")["coverage"]
            return ([row["ratio"] for row in rows] == [1.0] and rows[0]["counted"] > 50 and
                    self.host.sessions() == {f"{PLC}@local": "active"})
        self.talk_until("an active session and full coverage", complete)

        frames = self.host.ask("status")["frames"]
        self.assertEqual(frames["received"],
                         frames["analysed"] + frames["held"] + sum(frames["dropped"].values()))
        macs = {asset["mac"] for asset in self.host.ask("assets")["assets"]}
        self.assertTrue({guest[1] for guest in w.GUESTS.values()} <= macs)

    def test_erspan_of_both_types_reaches_the_collector(self):
        for version in (2, 3):
            with self.subTest(version=version):
                self.host.write_policy("remote", erspan(version, 40 + version))
                self.one_mirror()

                def copies(kind=f"erspan{version}", session=40 + version):
                    self.world.talk()
                    return [s for i in self.collector.ask("status")["inputs"] for s in i["sessions"]
                            if s["encapsulation"] == kind and s["session"] == session]
                [session] = self.eventually("copies at the collector", copies)
                self.assertEqual(session["sender"], w.HOST_ADDRESS)
                self.assertEqual(session["lost"], 0)

    def told_of_drifts(self):
        """How often the session's history says that it was changed by others."""
        return self.host.run("explain", f"{PLC}@local").stdout.count("someone changed what is ours")

    def test_hand_edits_are_repaired(self):
        self.host.write_policy("watch", LOCAL.format(name="watch", vm="plc"))
        name = self.one_mirror()["name"]
        port = self.one_mirror()["output_port"][0]
        for what, words in (("the selection emptied", ["clear", "Mirror", name, "select_src_port"]),
                            ("a snaplen set", ["set", "Mirror", name, "snaplen=64"]),
                            ("the output gone", ["del-port", "br0", port]),
                            ("the mirror gone", ["clear", "Bridge", "br0", "mirrors"])):
            with self.subTest(what):
                told = self.told_of_drifts()
                self.world.vsctl(*words)
                self.eventually("it to be mended", lambda: (mirror := self.one_mirror())["name"] == name and
                                mirror["snaplen"] == [])
                self.eventually("it to be said", lambda before=told: self.told_of_drifts() > before)

    def test_a_port_that_is_plugged_again_is_selected_again(self):
        self.host.write_policy("watch", LOCAL.format(name="watch", vm="plc"))
        self.one_mirror()
        for _ in range(3):
            self.world.plug("plc")
            self.one_mirror()

    def test_what_is_foreign_stays_as_it_is(self):
        self.world.vsctl("--", "--id=@p", "get", "Port", "vnet-web", "--", "--id=@m", "create", "Mirror",
                         "name=foreign", "select_src_port=@p", "output_vlan=77", "--", "add", "Bridge",
                         "br0", "mirrors", "@m")
        try:
            before = self.world.mirrors()["foreign"]
            self.host.write_policy("watch", LOCAL.format(name="watch", vm="*"))
            self.one_mirror([w.guest_port(name) for name in w.GUESTS])
            told = next(f for f in self.host.ask("check")["findings"] if f["id"] == "foreign-mirrors")
            self.assertEqual((told["verdict"], told["evidence"]),
                             ("warn", "foreign on br0 copies vnet-web to vlan 77"))
            self.host.remove_policy("watch")
            self.eventually("only the foreign mirror", lambda: list(self.world.mirrors()) == ["foreign"])
            self.assertEqual(self.world.mirrors()["foreign"], before)
        finally:
            self.world.vsctl("clear", "Bridge", "br0", "mirrors")

    def test_a_bad_policy_leaves_the_old_ones_in_force(self):
        self.host.write_policy("watch", LOCAL.format(name="watch", vm="plc"))
        before = self.one_mirror()
        self.host.write_policy("bad", "policy: bad\nselect: [{vm: web}]\ntargets: [local]\nsnapln: 5\n")
        error = self.eventually("the error", lambda: self.host.ask("status")["policy_error"])
        self.assertIn("bad.yaml:4", error["where"])
        self.assertIn("snapln", error["what"])
        self.assertIn("snaplen", error["remedy"])
        self.assertEqual(self.one_mirror(), before)

    def test_every_bridge_has_an_input_of_its_own(self):
        self.host.write_policy("watch", "policy: watch\nselect: [{vm: plc}, {port: wan-collector}]\n"
                               "targets: [local]\n")
        # Names are unique on a bridge, so that both are called alike.
        self.eventually("a mirror on each bridge",
                        lambda: [len(rows) for rows in self.world.mirrors().values()] == [2])

        def both():
            self.world.talk(1)
            self.world.traffic("collector", "ping", w.HOST_ADDRESS, 3)
            inputs = {i["name"]: i for i in self.host.ask("status")["inputs"]}
            return set(inputs) >= {"vmr-br0", "vmr-br-wan"} and all(
                inputs[name]["frames"]["analysed"] > 0 and "error" not in inputs[name]
                for name in ("vmr-br0", "vmr-br-wan"))
        self.eventually("frames of both bridges", both)

    def test_a_policy_that_selects_nothing_is_a_state(self):
        self.host.apply(LOCAL.format(name="nobody", vm="no-such-vm"))
        [policy] = [p for p in self.host.ask("status")["policies"] if p["name"] == "nobody"]
        self.assertEqual(policy["state"], "selects nothing")

    def test_a_policy_that_the_switch_refuses_displaces_none(self):
        """The mirror that it needs has the name of somebody else's."""
        self.world.vsctl("--", "--id=@m", "create", "Mirror", "name=vmirror-local-s64", "output_vlan=77",
                         "--", "add", "Bridge", "br0", "mirrors", "@m")
        try:
            self.host.write_policy("watch", LOCAL.format(name="watch", vm="plc"))
            before = self.one_mirror()
            self.host.write_policy("strict", LOCAL.format(name="strict", vm="plc") +
                                   "priority: 9\nsnaplen: 64\n")

            def policies():
                return {p["name"]: p for p in self.host.ask("status")["policies"]}
            self.eventually("the refusal", lambda: policies().get("strict", {}).get("state") == "refused")
            self.assertIn("isn't ours; policy `watch`", policies()["strict"]["reason"])
            self.assertEqual(policies()["watch"]["state"], "in force")
            self.assertEqual(self.one_mirror(), before)
            states = self.host.sessions()
            self.assertEqual(states.pop(f"{PLC}@local/strict"), "refused")
            self.assertEqual(list(states), [f"{PLC}@local"])
            self.assertNotEqual(states[f"{PLC}@local"], "refused")
        finally:
            self.world.vsctl("clear", "Bridge", "br0", "mirrors")
        # What was refused is asked for again.
        self.eventually("the other mirror",
                        lambda: [m["name"] for m in self.owned()] == ["vmirror-local-s64"])

    def test_a_loop_is_refused_with_the_reason(self):
        # Who has the collector's address is not in the database, unless somebody wrote it there.
        self.world.vsctl("set", "Interface", "wan-collector",
                         f'external_ids:ip="{w.COLLECTOR_ADDRESS}"')
        self.host.apply("policy: loop\nselect: [{port: wan-collector}]\n"
                        f"targets: [{{erspan: {{address: {w.COLLECTOR_ADDRESS}}}}}]\n")
        [session] = self.eventually("the refusal", lambda: [
            s for s in self.host.ask("sessions")["sessions"] if s["state"] == "refused"])
        self.assertNotEqual(session["reason"], "")
        self.assertEqual(self.owned(), [])


class Stop(system.SystemTest):
    def test_mirrors_go_or_stay_as_configured(self):
        for on_stop, left in (("keep", 1), ("remove", 0)):
            with self.subTest(on_stop):
                host = system.host_daemon(self.world, on_stop=on_stop)
                host.write_policy("watch", LOCAL.format(name="watch", vm="plc"))
                host.start()
                self.eventually("the mirror", lambda: len(self.world.mirrors()) == 1)
                self.assertEqual(host.stop(), 0)
                self.assertEqual(len(self.world.mirrors()), left)

    def test_reload_by_signal(self):
        host = system.host_daemon(self.world)
        host.start()
        host.write_policy("watch", LOCAL.format(name="watch", vm="plc"))
        self.world.processes["host"].send_signal(signal.SIGHUP)
        self.eventually("the mirror", lambda: len(self.world.mirrors()) == 1)
        host.remove_policy("watch")
        self.eventually("no mirror", lambda: not self.world.mirrors())
        host.stop()


if __name__ == "__main__":
    system.main(__file__)
