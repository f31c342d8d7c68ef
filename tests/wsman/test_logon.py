"""How vmirrord logs on to vmirror-wsman besides Basic: NTLM and Kerberos under the scheme Negotiate, as a WinRM offers them that
nobody changed."""

import json
import os
import sys
import time
import unittest
from unittest import mock

import kdc
import wsman
from test_driver import Hosts, policy

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
# pylint: disable=wrong-import-position
from agent import Agent, until

CHANGES = ("AddFeatureSettings", "RequestStateChange", "ModifySystemSettings")


class Logon(Hosts):
    """What each way does alike."""

    OPTIONS = ("--vms", "2", "--no-basic", "--strict-binding")
    SCHEME = ""

    def start(self):
        raise NotImplementedError

    def logged(self):
        return [one for one in self.server.calls() if one.get("operation")]

    def test_a_policy_is_kept_and_taken_away(self):
        before = self.server.state()
        agent = self.start()
        agent.write("p", policy("vm: vm1"))
        until("a source and a destination", lambda: (self.mode("vm1"), self.mode("SENSOR-HV1", "Monitor")) == (2, 1))
        agent.remove("p")
        state = until("no marks", lambda: (lambda now: "[vmirror]" not in json.dumps(now) and now)(self.server.state()))
        self.assertEqual(wsman.without_empty_lines(state), before)
        self.assertEqual({(one["account"], one["auth"]) for one in self.logged()}, {("vmirror", self.SCHEME)})
        self.assertEqual([one for one in self.server.calls() if one.get("auth") == "refused"], [])

    def test_questions_share_a_logon(self):
        """WinRM's logon is a connection's. What can't be sent twice begins a connection, so that libcurl does not repeat it: a
        change, and the attempt to subscribe to events. Later questions may share it."""
        self.start()
        until("twenty calls", lambda: len(self.logged()) > 20)
        calls = self.logged()
        begun = [one for one in calls if one["operation"] == "Subscribe"]
        self.assertLessEqual(len(begun), 1)
        self.assertEqual(len({one["connection"] for one in calls}), 1 + len(begun))

    def test_a_restart_of_winrm_is_another_logon(self):
        agent = self.start()
        until("read", lambda: len(agent.locations()) >= 2)
        self.server.order("restart", host="HV1")
        self.server.control("/log", method="DELETE")
        until("ten questions", lambda: len(self.logged()) > 10)
        agent.write("p", policy("vm: vm1"))
        until("a source", lambda: self.mode("vm1") == 2)

    def test_a_change_whose_answer_is_lost_is_sent_once(self):
        for change in CHANGES:
            self.server.rule("Invoke:" + change, "cut_after")
        agent = self.start()
        agent.write("p", policy("vm: vm1"))
        until("a source", lambda: self.mode("vm1") == 2 and self.mode("SENSOR-HV1", "Monitor") == 1)
        until("all rules obeyed", lambda: self.server.control("/fired") == len(CHANGES))
        self.assertNotIn("refuses user", json.dumps(agent.ask("status")))
        cut = [one for one in self.server.calls() if one.get("cut")]
        self.assertEqual(sorted(one["operation"] for one in cut), sorted("Invoke:" + change for change in CHANGES))
        for one in cut:  # What libcurl repeats by itself comes at once, on a connection of its own.
            again = [other for other in self.server.calls(one["operation"]) if other["n"] > one["n"]
                     and other["time"] - one["time"] < 0.02]
            self.assertEqual(again, [], one)


class Ntlm(Logon):
    SCHEME = "NTLM"

    def start(self, **more):
        return self.agent(auth="ntlm", **more)

    def test_the_account_may_name_its_host(self):
        agent = self.start(user="HV1\\vmirror")
        until("read", lambda: len(agent.locations()) >= 2)

    def test_a_wrong_password_is_sent_once(self):
        agent = self.start(password="wrong", on_stop="keep")
        status = until("told", lambda: (lambda s: "refuses user and password" in s and s)(json.dumps(agent.ask("status"))))
        self.assertIn("whether the domain allows NTLM", status)
        time.sleep(1)
        self.assertEqual(len([one for one in self.server.calls() if one.get("auth") == "refused"]), 1, "the account is not locked")


@unittest.skipIf(kdc.missing(), kdc.missing())
class Kerberos(Logon):
    SCHEME = "Kerberos"

    def setUp(self):
        self.kdc = self.enterContext(kdc.Kdc())
        self.enterContext(mock.patch.dict(os.environ, self.kdc.environment))
        self.server = wsman.Wsman("--job-ms", "20", "--keytab", self.kdc.keytab("HTTP/localhost"), *self.OPTIONS)
        self.addCleanup(self.server.__exit__)
        self.keytab = self.kdc.keytab("vmirror")

    def start(self, **more):
        return self.agent(user=None, **{"auth": "negotiate", "keytab": self.keytab, **more})

    def test_what_is_wrong_with_a_ticket_is_told(self):
        url = self.server.url.rsplit("/", 1)[0]
        for given, words in (({"keytab": os.path.join(self.kdc.folder, "none")}, ("no ticket of Kerberos", "klist -k")),
                             ({"keytab": ""}, ("no ticket of Kerberos", "kinit")),
                             ({"url": url.replace("localhost", "127.0.0.1")}, ("Kerberos fails", "as its domain does")),
                             ({"keytab": self.kdc.keytab("stranger")}, ("refuses", "klist"))):
            with self.subTest(given), Agent({"driver": "hyperv", "url": url, "thumbprint": self.server.thumbprint,
                                             "auth": "negotiate", "keytab": self.keytab, **given}, None, None, "keep") as agent:
                until(words, lambda words=words: (lambda s: all(one in s for one in words))(json.dumps(agent.ask("status"))))


class Offered(Hosts):
    OPTIONS = ("--vms", "1", "--no-negotiate")

    def test_a_host_that_offers_no_negotiate_says_so(self):
        agent = self.agent(auth="ntlm", on_stop="keep")
        until("told", lambda: "does not offer Negotiate, but Basic" in json.dumps(agent.ask("status")))


del Logon, Hosts

if __name__ == "__main__":
    unittest.main()
