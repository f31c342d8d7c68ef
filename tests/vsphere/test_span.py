"""vmirrord on standard switches of vmirror-vcsim: the SPAN port group is made, kept and taken away, on a vCenter and on a
stand-alone ESXi; what can't be had says so."""

import json
import time
import unittest

import test_driver
from test_driver import policy, until

MAC = "00:50:56:00:00:99"
NAME, MADE = "SPAN Network", "SPAN Network (vmirror)"
WITH = {"span": NAME, "adapter": MAC, "span_park": "VM Network"}
# Nothing of ours on the host, and the sensor's adapters.
AT_FIRST = (["VM Network", "Management Network"], ["VM Network", "VM Network"])


class Standard(test_driver.Served):
    """The first VM is the sensor; the third is on its host, the second on the other."""
    OPTIONS = ("--vms", "3", "--standard", "3", "--account", "vmirror:vmirror:vmirror", "--account", "look:look:read",
               "--account", "half:half:System.Anonymous,System.View,System.Read,Sessions.ValidateSession,Host.Config.Network")

    def setUp(self):
        super().setUp()
        state = self.server.state()
        self.sensor, self.source = state["vms"][0]["name"], state["vms"][2]["name"]
        self.server.order("adapter", vm=self.sensor, name="VM Network", key=MAC)

    def host(self, number=0):
        return self.server.state()["hosts"][number]

    def group(self, name=MADE):
        """Its specification on the first host, or None."""
        return next((group for group in self.host()["port_groups"] if group["Name"] == name), None)

    def there(self):
        """The first host's port groups, and those that the sensor is on."""
        return [group["Name"] for group in self.host()["port_groups"]], self.vm(0)["nets"]

    def span(self, **options):
        return self.agent(**{**WITH, **options})

    def mirror(self, agent, vm=None):
        agent.write("p", policy(f"vm: {vm or self.source}", "local"))

    def promiscuous(self, name=MADE):
        group = self.group(name)
        return group and (group["Policy"]["Security"] or {}).get("AllowPromiscuous")

    def in_place(self):
        return self.promiscuous() and self.vm(0)["nets"] == ["VM Network", MADE]

    def served(self, agent):
        session = self.session(agent)
        return session and session["state"] == "active" and session

    def session(self, agent):
        sessions = list(agent.sessions().values())
        return sessions[0] if len(sessions) == 1 else None

    def refused(self, agent, *words):
        return until(words, lambda: (lambda s: s and s["state"] == "refused" and all(word in s["reason"] for word in words))(
            self.session(agent)))


class Life(Standard):
    def test_it_is_made_kept_and_taken_away(self):
        agent = self.span()
        self.assertEqual(self.there(), AT_FIRST)
        self.mirror(agent)
        until("made", self.in_place)
        group = self.group()
        self.assertEqual((group["VlanId"], group["VswitchName"]), (4095, "vSwitch0"))
        self.assertEqual(group["Policy"]["Security"], {"AllowPromiscuous": True, "MacChanges": None, "ForgedTransmits": None})
        self.assertEqual([one["Name"] for one in self.host(1)["port_groups"]], AT_FIRST[0], "no sensor, no port group")
        session = until("served", lambda: self.served(agent))
        self.assertIn(f"{self.sensor}/Network adapter 2", json.dumps(session))
        self.assertIn("every frame of the switch", json.dumps(session))
        with self.subTest("drift is mended, and the rest of the policy left alone"):
            self.server.order("port_group", host=self.host()["name"], name=MADE, on=False, vlan=12)
            until("mended", lambda: self.promiscuous() and self.group()["VlanId"] == 4095)
            self.assertIs(self.group()["Policy"]["Security"]["ForgedTransmits"], False)
        with self.subTest("at rest one long poll"):
            until("served again", lambda: self.served(agent))
            time.sleep(1)
            self.server.control("/log", method="DELETE")
            time.sleep(3)
            self.assertLessEqual({call["method"] for call in self.server.calls()}, {"WaitForUpdatesEx"})
        agent.remove("p")
        until("gone", lambda: self.there() == AT_FIRST)

    def test_an_agent_that_ends_takes_it_away(self):
        agent = self.span()
        self.mirror(agent)
        until("made", self.in_place)
        agent.process.terminate()
        agent.process.wait()
        self.assertEqual(self.there(), AT_FIRST)

    def test_a_plan_changes_nothing(self):
        agent = self.span(acts="true", user="look")
        self.mirror(agent)
        plan = until("a plan", lambda: (lambda done: done.returncode == 2 and done.stdout)(agent.run("plan")))
        for words in (f"create port group vSwitch0@{self.host()['name']}/{MADE}: every VLAN", f"/{MADE}: Accept",
                      f"create adapter vSwitch0@{self.host()['name']}/{self.sensor}/Network adapter 2: on port group {MADE}"):
            self.assertIn(words, plan)
        until("refused", lambda: "Host.Config.Network" in json.dumps(agent.ask("status")))
        self.assertEqual(self.there(), AT_FIRST)
        self.assertEqual({call["method"] for call in self.server.calls() if call["changes"] and call["outcome"] == "ok"}, set())

    def test_an_adopted_port_group_keeps_the_rest(self):
        self.server.order("port_group", host=self.host()["name"], name="VM Network", on=False, vlan=0)
        agent = self.agent(span="VM Network", span_adopt="true", adapter=MAC)
        self.mirror(agent)
        until("accepted", lambda: self.promiscuous("VM Network"))
        until("served", lambda: self.served(agent))
        self.assertIs(self.group("VM Network")["Policy"]["Security"]["ForgedTransmits"], False)
        agent.remove("p")
        until("rejected", lambda: self.promiscuous("VM Network") is False)
        self.assertEqual(self.there(), AT_FIRST)


class Refused(Standard):
    def test_a_machine_on_another_host(self):
        agent = self.span()
        self.mirror(agent, self.server.state()["vms"][1]["name"])
        self.refused(agent, self.sensor, f"is on {self.host()['name']}", f"have a sensor on {self.host(1)['name']}")

    def test_drift_that_is_not_to_be_repaired_is_reported(self):
        agent = self.span(span_repair="false")
        self.mirror(agent)
        until("made", self.in_place)
        self.server.order("port_group", host=self.host()["name"], name=MADE, on=False, vlan=4095)
        self.refused(agent, "rejects promiscuous mode", "span_repair: true")
        time.sleep(1)
        self.assertFalse(self.promiscuous())

    def test_what_the_server_refuses_is_explained(self):
        for rule, account, words in (
                (("AddPortGroup", "RestrictedVersion"), "vmirror", ("licence of this ESXi", "scripts for ESXi's shell")),
                (None, "look", ("Host.Config.Network",)),
                (None, "half", ("VirtualMachine.Config.EditDevice",)),
                (("ReconfigVM_Task", "VmConfigFault"), "vmirror", ("can't go to port group",))):
            with self.subTest(words):
                if rule:
                    self.server.rule(rule[0], "fault" if rule[0] == "AddPortGroup" else "task", fault=rule[1], times=10000)
                agent = self.span(user=account)
                self.mirror(agent)
                told = until(words, lambda words=words, agent=agent: (lambda text: all(word in text for word in words) and text)(
                    json.dumps(agent.ask("status")) + json.dumps(agent.ask("sessions"))))
                self.assertTrue(told)
                self.doCleanups()
                self.setUp()


class Faults(Standard):
    """Whatever happens to a call, what is wanted is there in the end, and all is gone after it."""

    def test_each_call_that_changes_something_fails_in_each_way(self):
        agent = self.span()
        for method in ("AddPortGroup", "ReconfigVM_Task", "UpdatePortGroup", "RemovePortGroup", "RetrievePropertiesEx"):
            for how in ("cut", "cut_after", "expire", "fault"):
                with self.subTest(f"{how} at {method}"):
                    self.server.rule(method, how, **({"fault": "HostConfigFault"} if how == "fault" else {}))
                    self.mirror(agent)
                    until("made", self.in_place)
                    agent.remove("p")
                    until("gone", lambda: self.there() == AT_FIRST)
                    self.assertEqual(self.server.control("/fired"), 1)
                    self.server.control("/rules", method="DELETE")


class Duplicates(Standard):
    OPTIONS = Standard.OPTIONS + ("--teamed",)

    def test_they_are_told_or_prevented(self):
        with self.subTest("told"):
            agent = self.span()
            self.mirror(agent)
            until("made", self.in_place)
            until("told", lambda: "Net.ReversePathFwdCheckPromisc is 1" in json.dumps(self.session(agent)))
            self.assertEqual((self.host()["reverse_path_check"], self.host()["twice"]), (0, [MADE]))
            agent.process.terminate()
            agent.process.wait()
        with self.subTest("prevented"):
            agent = self.span(span_duplicates="set")
            self.mirror(agent)
            until("made", self.in_place)
            until("set", lambda: self.host()["reverse_path_check"] == 1)
            self.assertIsNone(self.host()["twice"])
            self.assertEqual(self.host(1)["reverse_path_check"], 0, "no port group of ours is there")

    def test_the_option_alone_has_no_effect(self):
        """One that comes to a port group in promiscuous mode needs that mode switched off and on."""
        agent = self.span()
        self.mirror(agent)
        until("made", self.in_place)
        agent.process.kill()
        agent.process.wait()
        self.assertEqual(self.host()["twice"], [MADE])
        self.mirror(self.span(span_duplicates="set"))
        until("prevented", lambda: self.host()["reverse_path_check"] == 1 and self.host()["twice"] is None and self.promiscuous())


class Drs(Standard):
    def rules(self):
        return {rule["Name"]: rule["Enabled"] for rule in self.server.state()["rules"] or []}

    def test_a_sensor_and_its_source_are_kept_together(self):
        away = self.server.state()["vms"][1]["name"]
        name = f"vmirror: {self.sensor} with {away}"
        agent = self.span(drs_rules="true")
        self.mirror(agent, away)
        until("served", lambda: self.served(agent))
        self.assertEqual(self.rules(), {name: True})
        self.assertEqual(self.vm(1)["host"], self.vm(0)["host"], "DRS has moved it")
        self.server.order("rule", name=name, on=False)
        until("enabled again", lambda: self.rules() == {name: True})
        self.server.order("rule", name=name, on=True)
        until("there again", lambda: self.rules() == {name: True})
        agent.remove("p")
        until("gone", lambda: self.rules() == {})

    def groups(self):
        return {group["name"]: (group["hosts"], sorted(group["members"])) for group in self.server.state()["groups"] or []}

    def test_a_sensor_and_its_sources_are_kept_on_some_hosts(self):
        other, name = self.host(1)["name"], f"vmirror: {self.sensor} and its sources"
        meant = {name: (False, sorted([self.sensor, self.source])), f"vmirror: hosts for {self.sensor}": (True, [other])}
        agent = self.span(drs_hosts=f"nowhere {other[:-1]}[{other[-1]}]")
        self.mirror(agent)
        until("a rule", lambda: self.rules() == {name: True} and self.groups() == meant)

        def served_there():
            # A machine on a port group that the other host lacks can't go there, until the agent has parked its adapter.
            self.server.order("balance")
            return self.vm(0)["nets"] == ["VM Network", MADE] and {self.vm(n)["host"] for n in (0, 2)} == {other}
        until("served there", served_there)
        with self.subTest("drift is mended"):
            for on in (False, True):
                self.server.order("rule", name=name, on=on)
                until("mended", lambda: self.rules() == {name: True} and self.groups() == meant)
        with self.subTest("another source joins"):
            sources = sorted(one["name"] for one in self.server.state()["vms"])
            agent.write("p", policy("}, {".join(f"vm: {one}" for one in sources if one != self.sensor), "local"))
            until("all", lambda: self.groups().get(name) == (False, sources))
        agent.remove("p")
        until("gone", lambda: (self.rules(), self.groups()) == ({}, {}))

    def test_hosts_that_are_not_there_make_no_rule(self):
        agent = self.span(drs_hosts="nowhere")
        self.mirror(agent)
        until("made", self.in_place)
        self.assertEqual((self.rules(), self.groups()), ({}, {}))

    def test_groups_of_somebody_else_stay(self):
        self.server.order("host_group", name="theirs")
        before = self.groups()
        self.assertEqual(list(before), ["theirs"])
        agent = self.span(drs_hosts="*", drs_rules="true")
        self.mirror(agent)
        until("rules", lambda: len(self.rules()) == 2 and len(self.groups()) == 3)
        agent.remove("p")
        until("as before", lambda: (self.rules(), self.groups()) == ({}, before))

    def test_without_the_wish_there_are_none(self):
        agent = self.span()
        self.mirror(agent)
        until("made", self.in_place)
        self.assertEqual(self.rules(), {})
        self.assertEqual(self.server.calls("ReconfigureComputeResource_Task"), [])

    def test_an_account_without_the_privilege(self):
        agent = self.span(user="half", drs_rules="true")
        self.mirror(agent, self.server.state()["vms"][1]["name"])
        until("told", lambda: "Host.Inventory.EditCluster" in json.dumps(agent.ask("status")))
        self.assertEqual(self.rules(), {})


class Esxi(Standard):
    """Without a vCenter."""
    OPTIONS = ("--esx", "--vms", "3")

    def test_it_is_made_and_taken_away(self):
        agent = self.span()
        self.mirror(agent)
        until("made", self.in_place)
        until("served", lambda: self.served(agent))
        agent.remove("p")
        until("gone", lambda: self.there() == AT_FIRST)


if __name__ == "__main__":
    unittest.main()
