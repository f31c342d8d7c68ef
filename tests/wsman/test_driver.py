"""vmirrord against vmirror-wsman: a policy becomes port mirroring, a live migration is followed, and what can't be had says so."""

import json
import os
import sys
import time
import unittest

import wsman
from served import FILTERING, SECURITY, VLAN

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
# pylint: disable=wrong-import-position
from agent import Agent, missing, until

WHY = wsman.missing() or missing()
CAPTURE = "EA24CD6C-D17A-4348-9190-09F0D5BE83DD"


def policy(select, more=""):
    return f"policy: p\nselect: [{{{select}}}]\ntargets: [local]\n{more}"


@unittest.skipIf(WHY, WHY)
class Hosts(unittest.TestCase):
    OPTIONS = ("--vms", "2")
    maxDiff = None

    def setUp(self):
        self.server = wsman.Wsman("--job-ms", "20", *self.OPTIONS)
        self.addCleanup(self.server.__exit__)

    def agent(self, user="vmirror", password="Secret-1", on_stop="remove", **options):
        urls = " ".join(url.rsplit("/", 1)[0] for url in self.server.urls.values())
        agent = Agent({"driver": "hyperv", "url": urls, "monitor": "SENSOR-*/Monitor", "poll_ms": 100,
                       "thumbprint": " ".join([self.server.thumbprint] * len(self.server.urls)), **options}, user, password, on_stop)
        self.addCleanup(agent.__exit__)
        return agent.__enter__()

    def vm(self, name):
        return next(one for one in self.server.state()["vms"] if one["name"] == name)

    def features(self, vm, adapter="Network Adapter"):
        return next(one["port"]["features"] for one in self.vm(vm)["adapters"] if one["name"] == adapter)

    def mode(self, vm, adapter="Network Adapter"):
        return self.features(vm, adapter).get(SECURITY, {}).get("MonitorMode", 0)

    def switch(self, name="vSwitch", host=0):
        return next(one for one in self.server.state()["hosts"][host]["switches"] if one["name"] == name)

    @staticmethod
    def reason(agent, start):
        return next((one["reason"] for name, one in agent.sessions().items() if name.startswith(start)), "")


class Driver(Hosts):
    def test_a_policy_is_kept_on_the_switch_and_taken_away(self):
        before = self.server.state()
        agent = self.agent()
        agent.write("p", policy("vm: vm1"))
        until("a source and a destination", lambda: (self.mode("vm1"), self.mode("SENSOR-HV1", "Monitor")) == (2, 1))
        trunk = until("a trunk", lambda: self.features("SENSOR-HV1", "Monitor").get(VLAN))
        self.assertEqual((trunk["OperationMode"], trunk["NativeVlanId"], trunk["TrunkVlanIdArray"]), (2, 0, list(range(1, 4095))))
        until("capture", lambda: self.switch()["extensions"][CAPTURE] == 2)
        self.assertEqual(self.switch()["extensions"][FILTERING], 2)
        session = until("in place", lambda: "not on the switch" not in self.reason(agent, "vm1/") and agent.sessions())
        self.assertEqual(list(session), ["vm1/Network Adapter@local"])
        mark = json.loads(self.vm("vm1")["notes"][0].removeprefix("[vmirror] "))
        self.assertEqual(mark["marks"], [{"kind": "mode", "on": self.vm("vm1")["adapters"][0]["id"], "was": "None", "now": "Source",
                                          "for": ["vmirror/wmi"], "added": True}])
        with self.subTest("drift is mended"):
            self.server.order("feature", vm="vm1", adapter="Network Adapter", **{"class": SECURITY}, values={"MonitorMode": 0})
            until("mended", lambda: self.mode("vm1") == 2)
        with self.subTest("another administrator's stays"):
            self.server.order("feature", vm="vm2", adapter="Network Adapter", **{"class": SECURITY}, values={"MonitorMode": 2})
            until("told", lambda: "somebody else" in json.dumps(agent.sessions()))
            agent.remove("p")
            until("ours gone", lambda: (self.mode("vm1"), self.mode("SENSOR-HV1", "Monitor")) == (0, 0))
            until("as before", lambda: self.switch()["extensions"][CAPTURE] == 3
                  and not self.features("SENSOR-HV1", "Monitor").get(VLAN))
            self.assertEqual(self.mode("vm2"), 2)
        with self.subTest("setting by setting as before"):
            self.server.order("feature", vm="vm2", adapter="Network Adapter", **{"class": SECURITY})
            state = until("no marks", lambda: (lambda now: "[vmirror]" not in json.dumps(now) and now)(self.server.state()))
            self.assertEqual(wsman.without_empty_lines(state), before)

    def test_other_values_of_the_setting_stay(self):
        values = {"AllowMacSpoofing": True, "EnableDhcpGuard": True, "VirtualSubnetId": 5000}
        self.server.order("feature", vm="vm1", adapter="Network Adapter", **{"class": SECURITY}, values=values)
        agent = self.agent()
        agent.write("p", policy("vm: vm1"))
        until("a source", lambda: self.mode("vm1") == 2)
        self.assertLessEqual(values.items(), self.features("vm1")[SECURITY].items())
        agent.remove("p")
        until("no source", lambda: self.mode("vm1") == 0)
        self.assertLessEqual(values.items(), self.features("vm1")[SECURITY].items())

    def test_the_external_port_is_a_source_by_its_name(self):
        agent = self.agent(monitor="SENSOR-*/Span")
        agent.write("p", policy("port: 'external port'"))
        external = lambda: self.switch("vSwitch_Span")["ports"]["external"]["features"].get(SECURITY, {}).get("MonitorMode", 0)
        until("monitored", lambda: (external(), self.mode("SENSOR-HV1", "Span")) == (2, 1))
        self.assertIn("[vmirror]", json.dumps(self.switch("vSwitch_Span")["notes"]))
        self.assertEqual(self.switch()["ports"]["external"]["features"], {}, "no monitor adapter is on that switch")
        agent.remove("p")
        until("undone", lambda: (external(), self.mode("SENSOR-HV1", "Span")) == (0, 0))

    def test_a_plan_changes_nothing(self):
        agent = self.agent(user="narrow", password="Secret-3")
        self.server.rule("Invoke", "fault", kind="access denied", times=0)
        agent.write("p", policy("vm: vm1"))
        plan = until("a plan", lambda: agent.run("plan").returncode == 2 and agent.run("plan"))
        self.assertIn("create mirroring vSwitch/vm1/Network Adapter: source", plan.stdout)
        until("refused", lambda: "Hyper-V Administrators" in json.dumps(agent.ask("status")))
        self.assertEqual(self.mode("vm1"), 0)

    def test_at_rest_there_is_one_call_a_period(self):
        agent = self.agent(poll_ms=500)
        agent.write("p", policy("vm: vm1"))
        until("in place", lambda: self.mode("vm1") == 2 and self.switch()["extensions"][CAPTURE] == 2)
        until("at rest", lambda: (lambda n: (time.sleep(2), len(self.server.calls()) - n)[1])(len(self.server.calls())) <= 6)
        self.server.control("/log", method="DELETE")
        time.sleep(5)
        calls = self.server.calls()
        self.assertLessEqual(len([one for one in calls if one["operation"] == "Enumerate"]), 11)
        self.assertLessEqual({one["operation"] for one in calls}, {"Enumerate", "Pull"})

    def test_one_agent_for_each_owner(self):
        first, other = self.agent(), self.agent(owner="other", monitor="SENSOR-*/Span")
        first.write("p", policy("vm: vm1"))
        other.write("p", policy("port: 'external port'"))
        until("both", lambda: (self.mode("vm1"), self.mode("SENSOR-HV1", "Monitor"), self.mode("SENSOR-HV1", "Span")) == (2, 1, 1))
        first.remove("p")
        until("one", lambda: self.mode("vm1") == 0)
        self.assertEqual(self.mode("SENSOR-HV1", "Span"), 1)


class Cluster(Hosts):
    OPTIONS = ("--hosts", "2", "--vms", "4")

    def test_a_move_is_followed_and_recorded(self):
        agent = self.agent(poll_ms=500)
        agent.write("p", policy("vm: vm1"))
        until("a source", lambda: self.mode("vm1") == 2 and "vm1" in agent.locations())
        self.assertEqual(agent.locations()["vm1"]["host"], "HV1")
        began = time.monotonic()
        self.server.order("move", vm="vm1", to="HV2")
        until("moved", lambda: agent.locations().get("vm1", {}).get("host") == "HV2")
        print(f"the move was in the location table after {time.monotonic() - began:.2f} s, of which the question takes some")
        until("the other sensor takes them", lambda: self.mode("SENSOR-HV2", "Monitor") == 1)
        until("this one is free", lambda: self.mode("SENSOR-HV1", "Monitor") == 0)
        self.assertEqual(self.mode("vm1"), 2, "the mode moves with the VM")
        self.assertEqual(self.switch(host=1)["extensions"][CAPTURE], 2)

    def test_an_event_tells_a_move_between_two_questions(self):
        agent = self.agent(poll_ms=60000)
        agent.write("p", policy("vm: vm1"))
        until("a source", lambda: self.mode("vm1") == 2 and self.mode("SENSOR-HV1", "Monitor") == 1)
        until("subscribed", lambda: "cluster's events" in json.dumps(agent.ask("status")))
        for to in ("HV2", "HV1"):
            with self.subTest(to):
                began = time.monotonic()
                self.server.order("move", vm="vm1", to=to)
                until("moved", lambda to=to: agent.locations().get("vm1", {}).get("host") == to)
                print(f"by an event the move was in the location table after {time.monotonic() - began:.2f} s")
                until("the other sensor takes them", lambda to=to: self.mode("SENSOR-" + to, "Monitor") == 1)
        with self.subTest("a subscription that was lost is made anew"):
            for host in ("HV1", "HV2"):
                self.server.order("restart", host=host)
            before = len(self.server.calls("Subscribe"))
            until("subscribed anew", lambda: len(self.server.calls("Subscribe")) >= before + 2)
            self.server.order("move", vm="vm1", to="HV2")
            until("moved", lambda: agent.locations().get("vm1", {}).get("host") == "HV2")

    def test_a_node_that_dies_keeps_no_other_from_being_served(self):
        agent = self.agent()
        until("read", lambda: len(agent.locations()) == 6)
        self.server.rule("*", "status", status=503, times=0, host="HV2")
        agent.write("p", policy("vm: vm1"))
        until("a source", lambda: self.mode("vm1") == 2)
        until("told", lambda: "503" in json.dumps(agent.ask("status")))
        self.server.control("/rules", method="DELETE")
        agent.write("p", policy("vm: 'vm[12]'"))
        until("both", lambda: (self.mode("vm1"), self.mode("vm2")) == (2, 2))


class Affinity(Hosts):
    """One sensor for two nodes, which the cluster is asked to keep with its sources."""

    OPTIONS = ("--hosts", "2", "--vms", "4")
    WITH = {"monitor": "SENSOR-HV1/Monitor", "affinity_rules": "true"}
    NAME = "vmirror: SENSOR-HV1 with vm1"

    def setUp(self):
        super().setUp()
        self.server.order("role", vm="SENSOR-HV1")

    def rules(self):
        return self.server.state()["cluster"]["rules"]

    def groups(self, name=NAME):
        return sorted(self.rules().get(name, {}).get("groups", []))

    def test_a_rule_keeps_a_sensor_with_its_source(self):
        self.server.order("rule", name="theirs", type=4, groups=["vm2", "vm3"])
        before = self.server.state()
        agent = self.agent(**self.WITH)
        agent.write("p", policy("vm: vm1"))
        until("a rule", lambda: self.groups() == ["SENSOR-HV1", "vm1"])
        self.assertEqual({**self.rules()[self.NAME], "groups": None}, {"type": 2, "enabled": 1, "groups": None, "hidden": False})
        with self.subTest("somebody else's is left alone"):
            self.assertEqual(self.rules()["theirs"], before["cluster"]["rules"]["theirs"])
        with self.subTest("drift is mended"):
            self.server.order("rule", name=self.NAME, type=3, enabled=0, groups=["vm1", "vm4"])
            until("mended", lambda: self.groups() == ["SENSOR-HV1", "vm1"] and self.rules()[self.NAME]["enabled"] == 1)
            self.assertEqual(self.rules()[self.NAME]["type"], 2)
        with self.subTest("it stays while the source is alone, and brings the sensor after it"):
            self.server.order("move", vm="vm1", to="HV2")
            until("alone", lambda: "no monitor adapter" in self.reason(agent, "vm1/"))
            self.assertEqual(self.groups(), ["SENSOR-HV1", "vm1"])
            self.server.order("balance", to="HV2")
            until("served", lambda: "no monitor adapter" not in self.reason(agent, "vm1/")
                  and (self.mode("vm1"), self.mode("SENSOR-HV1", "Monitor")) == (2, 1))
            self.server.order("move", vm="vm1", to="HV1")
            self.server.order("move", vm="SENSOR-HV1", to="HV1")
        with self.subTest("taken away with the policy"):
            agent.remove("p")
            until("as before", lambda: wsman.without_empty_lines(self.server.state()) == before)

    def test_a_plan_tells_the_rule_and_makes_none(self):
        agent = self.agent(**self.WITH)
        self.server.rule("Invoke", "fault", kind="access denied", times=0)
        agent.write("p", policy("vm: vm1"))
        plan = until("a plan", lambda: agent.run("plan").returncode == 2 and agent.run("plan"))
        self.assertIn(f"create affinity rule cluster hvc1/{self.NAME}: same node for SENSOR-HV1,vm1", plan.stdout)
        self.assertEqual(self.rules(), {})

    def test_only_on_request(self):
        agent = self.agent(monitor=self.WITH["monitor"])
        agent.write("p", policy("vm: vm1"))
        until("a source", lambda: self.mode("vm1") == 2)
        time.sleep(1)
        self.assertEqual(self.rules(), {})
        self.assertFalse([one for one in self.server.calls() if "MSCluster_AffinityRule" in str(one.get("query"))])

    def test_a_rule_that_is_not_found_at_once(self):
        agent = self.agent(**self.WITH)
        self.server.order("hide_rules", on=True)
        agent.write("p", policy("vm: vm1"))
        until("made", lambda: self.server.calls("Invoke:CreateAffinityRule"))
        time.sleep(1.5)
        self.assertFalse(self.server.calls("Invoke:AddGroupToAffinityRule"))
        self.server.order("hide_rules", on=False)
        until("a rule", lambda: self.groups() == ["SENSOR-HV1", "vm1"])
        self.assertEqual(len(self.server.calls("Invoke:CreateAffinityRule")), 1)

    def test_a_creation_that_is_cut_in_the_middle_is_finished(self):
        agent = self.agent(**self.WITH)
        for call, how in (("Invoke:AddGroupToAffinityRule", "cut_before"), ("Invoke:CreateAffinityRule", "cut_after")):
            with self.subTest(call):
                self.server.rule(call, how)
                agent.write("p", policy("vm: vm1"))
                until("a rule", lambda: self.groups() == ["SENSOR-HV1", "vm1"])
                agent.remove("p")
                until("none", lambda: self.rules() == {})

    def test_what_the_cluster_refuses_says_so(self):
        agent = self.agent(**self.WITH)
        self.server.rule("Invoke:CreateAffinityRule", "return", code=5, times=0)
        agent.write("p", policy("vm: vm1"))
        until("told", lambda: "the cluster refuses it: error 5" in json.dumps(agent.ask("status")))
        until("mirrored all the same", lambda: (self.mode("vm1"), self.mode("SENSOR-HV1", "Monitor")) == (2, 1))

    def test_a_cluster_that_can_t_be_read_keeps_no_host_from_being_served(self):
        agent = self.agent(user="narrow", password="Secret-3", **self.WITH)
        agent.write("p", policy("vm: vm1"))
        until("a source", lambda: self.mode("vm1") == 2)
        until("told", lambda: "cluster that can't be read" in json.dumps(agent.ask("status")))
        until("warned", lambda: "no role of a failover cluster" in json.dumps(agent.sessions()))

    def test_what_no_rule_can_keep_says_so(self):
        agent = self.agent(**{**self.WITH, "monitor": "SENSOR-*/Monitor"})
        agent.write("p", policy("vm: vm1"))
        until("several sensors", lambda: "fits several VMs" in json.dumps(agent.sessions()))
        self.assertEqual(self.rules(), {})


class PreferredOwners(Affinity):
    """The same before Windows Server 2022."""

    OPTIONS = ("--hosts", "2", "--vms", "4", "--old")

    def owners(self):
        return self.server.state()["cluster"]["owners"]

    def test_a_rule_keeps_a_sensor_with_its_source(self):
        self.server.order("owners", group="vm2", nodes=["HV2", "HV1"])
        before = self.server.state()
        agent = self.agent(**self.WITH)
        agent.write("p", policy("vm: vm1"))
        until("preferred", lambda: self.owners().get("SENSOR-HV1") == ["HV1"])
        self.assertIn('"owners"', self.vm("SENSOR-HV1")["notes"][0])
        with self.subTest("where most of its sources are"):
            self.server.order("move", vm="vm1", to="HV2")
            until("preferred", lambda: self.owners().get("SENSOR-HV1") == ["HV2"])
            self.server.order("move", vm="vm1", to="HV1")
            until("preferred", lambda: self.owners().get("SENSOR-HV1") == ["HV1"])
        with self.subTest("taken away with the policy"):
            agent.remove("p")
            until("as before", lambda: wsman.without_empty_lines(self.server.state()) == before)

    def test_a_plan_tells_the_rule_and_makes_none(self):
        agent = self.agent(**self.WITH)
        self.server.rule("Invoke", "fault", kind="access denied", times=0)
        agent.write("p", policy("vm: vm1"))
        plan = until("a plan", lambda: agent.run("plan").returncode == 2 and agent.run("plan"))
        self.assertIn("create preferred owners cluster hvc1/SENSOR-HV1: HV1", plan.stdout)
        self.assertEqual(self.owners(), {})

    def test_a_creation_that_is_cut_in_the_middle_is_finished(self):
        before = self.server.state()
        agent = self.agent(**self.WITH)
        for how in ("cut_before", "cut_after"):
            with self.subTest(how):
                self.server.rule("Invoke:SetPreferredOwners", how)
                agent.write("p", policy("vm: vm1"))
                until("preferred", lambda: self.owners().get("SENSOR-HV1") == ["HV1"])
                self.server.rule("Invoke:SetPreferredOwners", how)
                agent.remove("p")
                until("as before", lambda: wsman.without_empty_lines(self.server.state()) == before)

    def test_what_the_cluster_refuses_says_so(self):
        agent = self.agent(**self.WITH)
        self.server.rule("Invoke:SetPreferredOwners", "fault", kind="access denied", times=0)
        agent.write("p", policy("vm: vm1"))
        until("told", lambda: "Access is denied" in json.dumps(agent.ask("status")))
        until("mirrored all the same", lambda: (self.mode("vm1"), self.mode("SENSOR-HV1", "Monitor")) == (2, 1))

    def test_owners_of_somebody_else_are_left_alone(self):
        self.server.order("owners", group="SENSOR-HV1", nodes=["HV2", "HV1"])
        agent = self.agent(**self.WITH)
        agent.write("p", policy("vm: vm1"))
        until("a source", lambda: self.mode("vm1") == 2)
        until("told", lambda: "set by somebody else" in json.dumps(agent.sessions()))
        self.assertEqual(self.owners(), {"SENSOR-HV1": ["HV2", "HV1"]})

    test_a_rule_that_is_not_found_at_once = None  # There are no rules.


class Polled(Hosts):
    """A cluster that grants no subscription."""

    OPTIONS = ("--hosts", "2", "--vms", "2", "--no-subscriptions")

    def test_a_move_is_known_by_questions(self):
        agent = self.agent()
        until("read", lambda: "vm1" in agent.locations())
        self.server.order("move", vm="vm1", to="HV2")
        until("moved", lambda: agent.locations().get("vm1", {}).get("host") == "HV2")
        self.assertNotIn("cluster's events", json.dumps(agent.ask("status")))
        self.assertEqual(len(self.server.calls("Subscribe")), 2, "one attempt a node")


class Sixteen(Hosts):
    OPTIONS = ("--hosts", "16", "--vms", "16")
    DELAY_S, MEANT_S = 0.1, 30

    def modes(self):
        """Of the sources and of the destinations, from one reading."""
        held = {(vm["name"], one["name"]): one["port"]["features"].get(SECURITY, {}).get("MonitorMode", 0)
                for vm in self.server.state()["vms"] for one in vm["adapters"]}
        return ([held[f"vm{n}", "Network Adapter"] for n in range(1, 17)],
                [held[f"SENSOR-HV{n}", "Monitor"] for n in range(1, 17)])

    def busy(self):
        """How many calls, and how much longer they took together than from the first to the last of them."""
        calls = [one for one in self.server.calls() if one.get("operation")]
        return len(calls), sum(one["ms"] for one in calls) / 1000 / (calls[-1]["time"] - calls[0]["time"])

    def test_a_recipe_is_applied_and_undone_on_all_nodes_side_by_side(self):
        before = self.server.state()
        agent = self.agent(poll_ms=2000)
        until("read", lambda: len(agent.locations()) >= 16)
        self.server.rule("*", "slow", seconds=self.DELAY_S, times=0)
        for what, change, done in (
                ("applied", lambda: agent.write("p", policy("vm: 'vm*'")),
                 lambda: self.modes() == ([2] * 16, [1] * 16)),
                ("undone", lambda: agent.remove("p"), lambda: "[vmirror]" not in json.dumps(self.server.state()))):
            self.server.control("/log", method="DELETE")
            began = time.monotonic()
            change()
            until(what, done, self.MEANT_S)
            took = time.monotonic() - began
            calls, side_by_side = self.busy()
            print(f"16 nodes, {self.DELAY_S * 1000:.0f} ms a call: {what} in {took:.1f} s, {calls} calls, "
                  f"{side_by_side:.1f} at a time")
            self.assertGreater(side_by_side, 4, "nodes are worked on side by side")
        self.assertEqual(wsman.without_empty_lines(self.server.state()), before)


class Many(Hosts):
    OPTIONS = ("--vms", "300")

    def test_a_host_is_read_by_few_calls(self):
        agent = self.agent(poll_ms=60000)
        until("read", lambda: len(agent.locations()) >= 300)
        calls = self.server.calls()
        print(f"300 VMs: {len(calls)} calls in {calls[-1]['time'] - calls[0]['time']:.2f} s")
        self.assertLessEqual(len(calls), 40)
        self.assertLessEqual(max(one["bytes_out"] for one in calls), 512000, "no answer is over WinRM's limit")


class Refused(Hosts):
    OPTIONS = ("--vms", "5")

    def test_what_cannot_be_had_says_so_by_name(self):
        self.server.order("iov", vm="vm3", adapter="Network Adapter", weight=100)
        self.server.order("feature", vm="SENSOR-HV1", adapter="Monitor", **{"class": VLAN},
                          values={"OperationMode": 1, "AccessVlanId": 10})
        self.server.order("feature", vm="vm4", adapter="Network Adapter", **{"class": VLAN},
                          values={"OperationMode": 1, "AccessVlanId": 10})
        self.server.order("feature", vm="vm5", adapter="Network Adapter", **{"class": SECURITY}, values={"MonitorMode": 1})
        agent = self.agent()
        agent.write("p", policy("vm: '*'"))
        for start, words in (("vm3/", "SR-IOV"), ("vm1/", "loses frames of the VLANs 0"), ("vm5/", "set by somebody else"),
                             ("SENSOR-HV1/Span", "within one virtual switch only"), ("SENSOR-HV1/Monitor", "monitor adapter")):
            with self.subTest(start):
                until(words, lambda start=start, words=words: words in self.reason(agent, start))
        until("the one that can be had", lambda: self.mode("vm4") == 2)

    def test_a_team_and_settings_that_hyperv_lacks(self):
        self.server.order("nic", host="HV1", switch="vSwitch", name="Microsoft Network Adapter Multiplexor Driver")
        agent = self.agent()
        agent.write("p", policy("vm: vm1"))
        until("told", lambda: "LBFO team" in self.reason(agent, "vm1/"))
        self.server.order("nic", host="HV1", switch="vSwitch", name="Ethernet")
        agent.write("p", policy("vm: vm1", "direction: in\n"))
        until("told", lambda: "both directions or none" in self.reason(agent, "vm1/"))


class Wrong(unittest.TestCase):
    """Bad input: the error names the host, the cause and the remedy."""

    CASES = (((), {"password": "wrong"}, ("refuses user and password", "winrm get")),
             ((), {"thumbprint": "AA" * 32}, ("certificate",)),
             (("--expired",), {"ca_file": True}, ("certificate", "expired")),
             (("--no-hyperv",), {}, ("root/virtualization/v2", "Install-WindowsFeature")),
             ((), {"user": "nobody", "password": "Secret-2"}, ("Access is denied", "Hyper-V Administrators")),
             (("--no-basic",), {}, ("refuses user and password", "Basic")),
             ((), {"url": "https://127.0.0.1:9"}, ("is WinRM on", "5986")))

    @unittest.skipIf(WHY, WHY)
    def test_each(self):
        for options, given, words in self.CASES:
            with self.subTest(f"{options} {given}"), wsman.Wsman("--vms", "1", *options) as server:
                account = {"user": "vmirror", "password": "Secret-1"}
                switch = {"driver": "hyperv", "url": server.url.rsplit("/", 1)[0], "thumbprint": server.thumbprint}
                for name, value in given.items():
                    (account if name in account else switch)[name] = value
                if given.get("ca_file"):
                    switch["ca_file"] = server.certificate
                    del switch["thumbprint"]
                with Agent(switch, **account, on_stop="keep") as agent:
                    status = until(words, lambda: (lambda s: all(one in s for one in words) and s)(json.dumps(agent.ask("status"))))
                    self.assertIn(switch["url"], status)
                    time.sleep(1)
                    self.assertLessEqual(len([one for one in server.calls() if one.get("auth") == "refused"]), 1,
                                         "the account is not locked")


if __name__ == "__main__":
    unittest.main()
