"""Clients that others wrote against vmirror-wsman: Debian's python3-winrm, Debian's Go client, curl.

What they can't reach is said by name in pywinrm_client.py and go/main.go.
"""

import hashlib
import http.client
import importlib.util
import json
import os
import shutil
import ssl
import subprocess
import sys
import unittest

import auth
import wsman
from served import SECURITY, VMS, Served

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "..", "..", "build", "wsman")
GO_LIBRARY = "/usr/share/gocode/src/github.com/masterzen/winrm"
LOGONS = (("ntlm", "vmirror", "NTLM"), ("ntlm", "HV1\\vmirror", "NTLM"), ("basic", "vmirror", "Basic"))
SWITCHES = ["Private", "vSwitch", "vSwitch_Span"]


class Clients(Served):
    def logged(self, scheme):
        """What every client's calls must have been."""
        calls = [one for one in self.server.calls() if "operation" in one]
        self.assertEqual({(one["account"], one["auth"]) for one in calls}, {("vmirror", scheme)})
        return calls


@unittest.skipIf(not importlib.util.find_spec("winrm"), "no python3-winrm")
class Pywinrm(Clients):
    def run_client(self, scheme, user, password="Secret-1"):
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith(("_proxy", "_ca_bundle"))}
        done = subprocess.run([sys.executable, os.path.join(HERE, "pywinrm_client.py"), self.server.url, self.server.certificate,
                               scheme, user, password, VMS, self.port("vm1", "Network Adapter")],
                              env=environment, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_it_reads_and_changes(self):
        for scheme, user, told_as in LOGONS:
            with self.subTest(scheme=scheme, user=user):
                self.setUp()
                self.server.rule("Enumerate", "fault", kind="timed out", nth=3)
                told = self.run_client(scheme, user)
                self.assertEqual(told["vendor"], "Microsoft Corporation")
                self.assertEqual(told["switches"], SWITCHES)
                self.assertEqual(told["added"]["ReturnValue"], "4096")
                job = self.client().finish(told["added"]["Selector"])
                self.assertEqual(job["JobState"], "7")
                features = [one["features"] for one in self.ports() if one["features"]]
                self.assertEqual([one[SECURITY]["MonitorMode"] for one in features], [2])
                self.assertIn("Msvm_None does not exist in the root/virtualization/v2 namespace", told["fault"])
                self.assertIn("'wsmanfault_code': '2150858752'", told["fault"])
                self.assertIn("'fault_subcode': 'a:DestinationUnreachable'", told["fault"])
                self.assertIn("no shells", told["shell"])
                self.assertEqual(told["timeout"], "WinRMOperationTimeoutError")
                self.assertIn({"CreationClassName": VMS}, [one["selectors"] for one in self.server.calls(
                    "Invoke:AddFeatureSettings")])

    def test_a_wrong_password(self):
        for scheme in ("ntlm", "basic"):
            self.assertIn("rejected", self.run_client(scheme, "vmirror", "wrong")["refused"])

    def test_a_connection_is_an_account_s(self):
        """NTLM is of a connection: one logon for many calls."""
        self.run_client("ntlm", "vmirror")
        calls = self.logged_by("NTLM")
        self.assertGreater(len(calls), 8)
        self.assertEqual(len({one["connection"] for one in calls}), 1)
        self.assertLessEqual(len([one for one in self.server.calls() if one.get("auth") == "challenge"]), 2)

    def logged_by(self, scheme):
        return [one for one in self.server.calls() if one.get("auth") == scheme]


@unittest.skipIf(not os.path.isdir(GO_LIBRARY), "no golang-github-masterzen-winrm-dev")
@unittest.skipIf(not shutil.which("go"), "no go (Debian: golang-go)")
class Go(Clients):
    @classmethod
    def setUpClass(cls):
        os.makedirs(BUILD, exist_ok=True)
        cls.program = os.path.abspath(os.path.join(BUILD, "winrm-client"))
        done = subprocess.run([os.path.join(HERE, "..", "vsphere", "offline-go"), "build", "-o", cls.program,
                               os.path.join(HERE, "go", "main.go")], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)
        super().setUpClass()

    def run_client(self, scheme, user, password="Secret-1"):
        port = self.server.url.split(":")[2].split("/")[0]
        done = subprocess.run([self.program, port, self.server.certificate, scheme, user, password],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_it_reads(self):
        for scheme, user, told_as in LOGONS:
            with self.subTest(scheme=scheme, user=user):
                self.server.control("/log", method="DELETE")
                told = self.run_client(scheme, user)
                self.assertEqual(sorted(told["switches"]), SWITCHES)
                # Its transport takes a fault's HTTP status 500 for success: a client without an error, and a shell without id.
                self.assertEqual(told["shell"], "")
                self.assertIn("no shells", self.server.calls()[-1]["fault"]["text"])
                # A Pull that says no MaxElements gets one item.
                self.assertEqual([one["items"] for one in self.logged(told_as) if one["operation"] == "Pull"], [1, 1, 1])

    def test_a_wrong_password(self):
        for scheme in ("ntlm", "basic"):
            self.assertIn("401", self.run_client(scheme, "vmirror", "wrong")["error"])


class GoUnbound(Go):
    """Debian's Go client doesn't bind: CbtHardeningLevel Strict refuses it."""

    OPTIONS = ("--strict-binding",)

    def test_it_reads(self):
        self.assertIn("401", self.run_client("ntlm", "vmirror")["error"])

    test_a_wrong_password = None


@unittest.skipIf(not shutil.which("curl"), "no curl")
class Curl(Clients):
    OPTIONS = ("--no-basic",)

    def test_it_finds_no_way_in_without_negotiate(self):
        """A client that knows Basic and the scheme NTLM alone: WinRM offers neither as it is installed."""
        for scheme in ("--basic", "--ntlm"):
            done = subprocess.run(["curl", "--silent", "--cacert", self.server.certificate, scheme, "--user", "vmirror:Secret-1",
                                   "--output", os.devnull, "--write-out", "%{http_code}", "--data", "x", self.server.url],
                                  capture_output=True, text=True, check=False)
            self.assertEqual((scheme, done.returncode, done.stdout), (scheme, 0, "401"))


class Bound(Pywinrm):
    """CbtHardeningLevel Strict: python3-winrm binds NTLM to the channel by the certificate's hash."""

    OPTIONS = ("--strict-binding",)

    def test_it_reads_and_changes(self):
        self.assertEqual(self.run_client("ntlm", "vmirror")["switches"], SWITCHES)

    def test_the_binding_of_another_certificate(self):
        """Somebody in the middle: a logon that is bound to his certificate."""
        import ntlm_auth.ntlm  # pylint: disable=import-outside-toplevel
        auth.load_legacy()
        with open(self.server.certificate, encoding="ascii") as file:
            right = hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read())).hexdigest().upper()
        for digest, status in ((right, 415), (right[::-1], 401), (None, 401)):
            with self.subTest(digest):
                client = wsman.Client(self.server)
                connection = http.client.HTTPSConnection("localhost", int(client.url.split(":")[2].split("/")[0]),
                                                         context=client.tls)
                self.addCleanup(connection.close)

                def send(token):
                    connection.request("POST", "/wsman", b"x", {"Authorization": "Negotiate " + token})
                    answer = connection.getresponse()
                    answer.read()
                    return answer
                ntlm = ntlm_auth.ntlm.Ntlm()
                challenge = send(ntlm.create_negotiate_message("HV1").decode()).headers["WWW-Authenticate"]
                ntlm.parse_challenge_message(challenge.split()[1])
                last = send(ntlm.create_authenticate_message("vmirror", "Secret-1", "HV1", server_certificate_hash=digest).decode())
                self.assertEqual(last.status, status)  # 415: let in, but no SOAP.

    test_a_wrong_password = test_a_connection_is_an_account_s = None


if __name__ == "__main__":
    unittest.main(verbosity=2)
