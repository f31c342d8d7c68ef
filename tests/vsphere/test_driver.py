"""vmirrord against vmirror-vcsim: a policy becomes mirroring sessions, a vMotion is followed, and what can't be had says so."""

import json
import os
import sys
import time
import unittest

import vcsim

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
# pylint: disable=wrong-import-position
from agent import BIN, ROOT, Agent, missing, until

WHY = vcsim.missing() or missing()
COLLECTOR, RECEIVER = "192.0.2.9", "192.0.2.50"
MARK = "made by vmirror, owner vmirror"


def policy(select, target, more=""):
    return f"policy: p\nselect: [{{{select}}}]\ntargets: [{target}]\n{more}"


ERSPAN = f"{{erspan: {{address: {COLLECTOR}, version: 3, session: 5}}}}"


@unittest.skipIf(WHY, WHY)
class Served(unittest.TestCase):
    OPTIONS = ()
    maxDiff = None

    def setUp(self):
        self.server = vcsim.Vcsim(*self.OPTIONS)
        self.addCleanup(self.server.__exit__)

    def agent(self, user="vmirror", password=None, **options):
        agent = Agent({"driver": "vsphere", "url": self.server.url.rsplit("/", 1)[0], "thumbprint": self.server.thumbprint,
                       **options}, user, password or user)
        self.addCleanup(agent.__exit__)
        return agent.__enter__()

    def held(self):
        """The sessions as the server has them."""
        return {one["Name"]: one for one in self.server.state()["switches"][0]["sessions"] or []}

    def vm(self, number):
        return self.server.state()["vms"][number]


class Driver(Served):
    def test_a_policy_is_kept_on_the_switch_and_taken_away(self):
        agent, vm = self.agent(receiver=RECEIVER), self.vm(1)
        agent.write("p", policy(f"vm: {vm['name']}", f"{ERSPAN}, local"))
        held = until("two sessions", lambda: len(self.held()) == 2 and self.held())
        made = held["vmirror-erspan-192.0.2.9-iii-5"]
        self.assertEqual((made["SessionType"], made["EncapType"], made["ErspanId"], made["Description"], made["Enabled"]),
                         ("encapsulatedRemoteMirrorSource", "erspan3", 5, MARK, True))
        for source in ("SourcePortTransmitted", "SourcePortReceived"):
            self.assertEqual(made[source]["PortKey"], vm["ports"])
        self.assertEqual(made["DestinationPort"]["IpAddress"], [COLLECTOR])
        local, = (one for name, one in held.items() if name.startswith("vmirror-local"))
        self.assertEqual(local["DestinationPort"]["IpAddress"], [RECEIVER])
        states = until("judged", lambda: (lambda s: len(s) == 2 and "active" in {one["state"] for one in s.values()} and s)(
            agent.sessions()))
        self.assertEqual({one["session_id"]: one["state"] for one in states.values()},
                         {5: "active", local["ErspanId"]: "pending"}, "no input of this agent takes the copies in")

        with self.subTest("drift is mended"):
            self.server.order("put_session", session={**made, "Enabled": False, "SamplingRate": 10})
            until("mended", lambda: self.held()[made["Name"]]["Enabled"] and self.held()[made["Name"]].get("SamplingRate") == 1)
        with self.subTest("another administrator's stays"):
            self.server.order("foreign_session", name="theirs")
            agent.remove("p")
            until("ours gone", lambda: list(self.held()) == ["theirs"])

    def test_an_rspan_vlan_is_received_by_an_adapter_of_the_agent(self):
        source, other, sensor = self.vm(0), self.vm(1), self.vm(2)
        agent, name = self.agent(rspan_adapter=sensor["macs"][0]), "vmirror-from-rspan"
        target = "{rspan: {vlan: 100}}"
        agent.write("p", policy(f"vm: {source['name']}", target))
        received = until("both ends", lambda: len(self.held()) == 2 and self.held().get(name))
        self.assertEqual((received["SessionType"], received["Enabled"], received["Description"], received["NormalTrafficAllowed"]),
                         ("remoteMirrorDest", True, MARK, True))
        self.assertEqual((received["SourcePortReceived"]["Vlans"], received["DestinationPort"]["PortKey"]), ([100], sensor["ports"]))
        with self.subTest("edited: another VLAN joins, in the one session that a port can have"):
            agent.write("q", policy(f"vm: {other['name']}", "{rspan: {vlan: 200}}").replace("policy: p", "policy: q"))
            until("both", lambda: sorted(self.held()[name]["SourcePortReceived"]["Vlans"]) == [100, 200])
            self.assertEqual(self.held()[name]["Key"], received["Key"])
            agent.remove("q")
            until("one", lambda: self.held()[name]["SourcePortReceived"]["Vlans"] == [100])
        with self.subTest("drift is mended"):
            self.server.order("put_session", session={**received, "Enabled": False})
            until("mended", lambda: self.held()[name]["Enabled"])
            self.server.order("remove_session", name=name)
            until("made anew", lambda: name in self.held())
        agent.remove("p")
        until("gone", lambda: self.held() == {})

    def test_a_port_that_is_taken_says_so(self):
        source, sensor, third = self.vm(0), self.vm(2), self.vm(3)
        agent = self.agent(rspan_adapter=sensor["macs"][0])
        port = {"PortKey": sensor["ports"]}
        span = {"Enabled": True, "NormalTrafficAllowed": True, "SessionType": "dvPortMirror", "SamplingRate": 1}
        for theirs, words in (
                ({"Name": "theirs", "SourcePortReceived": {"PortKey": third["ports"]}, "DestinationPort": port},
                 ("is the destination of session `theirs`", "end that session")),
                ({"Name": "theirs", "SourcePortTransmitted": port, "DestinationPort": {"PortKey": third["ports"]}},
                 ("is a transmitted source of session `theirs`", "end that session"))):
            with self.subTest(words[0]):
                self.server.order("put_session", session={**span, **theirs})
                agent.write("p", policy(f"vm: {source['name']}", "{rspan: {vlan: 100}}"))
                until(words, lambda words=words: all(word in json.dumps(agent.sessions()) for word in words))
                self.assertIn("vmirror-rspan-100", self.held(), "the sending end is served")
                self.server.order("remove_session", name="theirs")
                until("made", lambda: "vmirror-from-rspan" in self.held())
                agent.remove("p")
                until("gone", lambda: self.held() == {})

    def test_a_move_is_followed_within_a_second_and_recorded(self):
        agent, vm = self.agent(receiver=RECEIVER), self.vm(0)
        agent.write("p", policy(f"vm: {vm['name']}", ERSPAN))
        until("active", lambda: [one["state"] for one in agent.sessions().values()] == ["active"])
        self.assertEqual(agent.locations()[vm["name"]]["host"], vm["host"])
        to, = (host["name"] for host in self.server.state()["hosts"] if host["name"] != vm["host"])
        version = self.server.state()["switches"][0]["config_version"]
        began = time.monotonic()
        self.server.order("migrate", vm=vm["name"], host=to)
        until("moved", lambda: agent.locations().get(vm["name"], {}).get("host") == to)
        print(f"the move was in the location table after {time.monotonic() - began:.2f} s, of which the question takes some")
        self.assertEqual(self.server.state()["switches"][0]["config_version"], version, "the session follows by itself")
        record, = until("a record", lambda: agent.ask("migrations").get("migrations"))
        self.assertEqual((record["state"], record["source"]["host"], record["destination"]["host"]), ("done", vm["host"], to))
        self.assertIn("not measured", " ".join(record["destination"]["notes"]))

    def test_a_plan_changes_nothing(self):
        server = self.server
        agent = self.agent(user="look", receiver=RECEIVER, rspan_adapter=self.vm(0)["macs"][0])
        sensor, source = self.vm(0), self.vm(1)
        agent.write("p", policy(f"vm: {source['name']}", ERSPAN + ", {rspan: {vlan: 100}}"))
        plan = until("a plan", lambda: agent.run("plan").returncode == 2 and agent.run("plan"))
        for words in ("create mirror DVS0/vmirror-erspan-192.0.2.9-iii-5: encapsulatedRemoteMirrorSource erspan3 ID 5",
                      "create mirror DVS0/vmirror-rspan-100: remoteMirrorSource",
                      f"create mirror DVS0/vmirror-from-rspan: remoteMirrorDest VLANs {{100}} -> dvPort {{{sensor['ports'][0]}}}"):
            self.assertIn(words, plan.stdout)
        until("refused", lambda: "DVSwitch" in json.dumps(agent.ask("status")))
        self.assertEqual(self.held(), {}, "a reader's account gets nothing done")
        changing = {call["method"] for call in server.calls() if call["changes"] and call["outcome"] == "ok"}
        self.assertEqual(changing, set())

    OPTIONS = ("--account", "vmirror:vmirror:vmirror", "--account", "look:look:read")

    def test_at_rest_there_is_one_long_poll(self):
        agent, vm = self.agent(receiver=RECEIVER), self.vm(0)
        agent.write("p", policy(f"vm: {vm['name']}", ERSPAN))
        until("active", lambda: [one["state"] for one in agent.sessions().values()] == ["active"])
        time.sleep(2)
        self.server.control("/log", method="DELETE")
        time.sleep(5)
        self.assertLessEqual({call["method"] for call in self.server.calls()}, {"WaitForUpdatesEx"})

    def test_one_agent_for_each_owner(self):
        first, other, vm = self.agent(receiver=RECEIVER), self.agent(receiver=RECEIVER, owner="other"), self.vm(2)
        for agent in (first, other):
            agent.write("p", policy(f"vm: {vm['name']}", ERSPAN))
        until("both", lambda: sorted(self.held()) == ["other-erspan-192.0.2.9-iii-5", "vmirror-erspan-192.0.2.9-iii-5"])
        first.remove("p")
        until("one", lambda: sorted(self.held()) == ["other-erspan-192.0.2.9-iii-5"])
        time.sleep(1)
        self.assertEqual(sorted(self.held()), ["other-erspan-192.0.2.9-iii-5"])


class Refused(Served):
    OPTIONS = ("--vms", "6", "--standard", "1", "--opaque", "1", "--ephemeral", "1", "--bare", "1", "--deny", "erspanProtocol")

    def test_what_cannot_be_had_says_so_by_name(self):
        agent, vms = self.agent(), self.server.state()["vms"]
        agent.write("p", policy("vm: '*'", ERSPAN))
        until("read", lambda: len(agent.sessions()) >= 3)
        reasons = {name: one["reason"] for name, one in agent.sessions().items()}
        for vm, words in ((vms[0], "standard switch"), (vms[1], "NSX alone"), (vms[4], "erspanProtocolSupported")):
            port = vm["ports"][0] or vm["name"] + "/Network adapter 1"
            reason, = (text for name, text in reasons.items() if f"{port}@" in name)
            self.assertIn(words, reason)
        self.assertEqual(self.held(), {})

    def test_an_account_that_is_wrong(self):
        for options, words in (({"password": "wrong"}, "user or password is wrong"),
                               ({"thumbprint": "AA:" * 31 + "AA"}, "certificate")):
            with self.subTest(words):
                agent = self.agent(**options)
                until(words, lambda: words in json.dumps(agent.ask("status")))
                time.sleep(1)
                self.assertLessEqual(len(self.server.calls("Login")), 1, "the account is not locked")


class Lost(Served):
    OPTIONS = ("--vms", "4", "--standard", "1", "--bare", "0")

    def test_a_port_group_that_its_host_does_not_have(self):
        vm = self.vm(0)
        self.server.order("lose_group", host=vm["host"], name="VM Network")
        agent = self.agent()
        agent.write("p", policy(f"vm: {vm['name']}", ERSPAN))
        until("told", lambda: f"port group VM Network, which host {vm['host']} does not have (make it there" in json.dumps(
            agent.sessions()))

    def test_a_vcenter_that_restarts(self):
        agent, vm = self.agent(receiver=RECEIVER), self.vm(1)
        agent.write("p", policy(f"vm: {vm['name']}", ERSPAN))
        until("active", lambda: [one["state"] for one in agent.sessions().values()] == ["active"])
        held = self.held()
        logins = len(self.server.calls("Login"))
        self.server.order("restart", down_ms=1500)
        until("a new session", lambda: len(self.server.calls("Login")) > logins)
        self.assertEqual(self.held(), held, "what is on the switch stays")
        other = self.vm(2)
        agent.write("p", policy(f"vm: {other['name']}", ERSPAN))
        until("the other", lambda: [one["SourcePortReceived"]["PortKey"] for one in self.held().values()] == [other["ports"]])


class Ignored(Served):
    """A server that takes a session and ignores it, as the simulator does as Debian has it: reading back must tell."""

    def test_a_session_that_is_ignored_is_told(self):
        self.server.rule("ReconfigureDvs_Task", "task_ignored", times=1000)
        agent, vm = self.agent(), self.vm(0)
        agent.write("p", policy(f"vm: {vm['name']}", ERSPAN))
        words = "the switch took the change but does not show it"
        until("told", lambda: words in json.dumps(agent.ask("status")))
        session, = agent.sessions().values()
        self.assertNotEqual(session["state"], "active")
        self.assertEqual(self.held(), {})
        self.server.control("/rules", method="DELETE")
        until("mended", lambda: self.held())


class Plain(Served):
    """The simulator as Debian has it offers no mirroring, and does not hide that."""
    OPTIONS = ("--plain",)

    def test_its_switch_says_what_it_lacks(self):
        agent = self.agent()
        until("read", lambda: "vspanSupported" in json.dumps(agent.ask("status")))


if __name__ == "__main__":
    unittest.main()
