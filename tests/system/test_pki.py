"""`vmirror pki`: a CA and its certificates, as openssl sees them."""

import json
import os
import re
import shutil
import subprocess
import unittest

import system
import world as w

VMIRROR = os.path.join(w.BIN, "vmirror")


class Commands(unittest.TestCase):
    def setUp(self):
        if reason := os.environ.get("VMIRROR_SKIP", ""):
            self.skipTest(reason)
        self.folder = os.path.join(system.DIRECTORY, "commands")
        shutil.rmtree(self.folder, ignore_errors=True)

    def pki(self, *words):
        return subprocess.run([VMIRROR, "pki", *words, "--folder", self.folder], capture_output=True, text=True,
                              timeout=30, check=False)

    def test_openssl_takes_the_certificates_and_list_tells_what_expires(self):
        self.assertEqual(self.pki("issue", "kvm7").returncode, 1)
        self.assertEqual(self.pki("init").returncode, 0)
        self.assertEqual(self.pki("init").returncode, 1)
        self.assertEqual(self.pki("issue", "kvm7", "--address", "192.0.2.7").returncode, 0)
        self.assertEqual(self.pki("server", "kvm7", "--address", "2001:db8::7").returncode, 0)
        self.assertEqual(self.pki("issue", "operator:eve").returncode, 1)
        self.assertEqual(self.pki("issue", "kvm8", "--address", "kvm8").returncode, 1)
        authority = os.path.join(self.folder, "ca.pem")
        for name, words in (("host-kvm7", ["DNS:kvm7, IP Address:192.0.2.7"]), ("server-kvm7", ["IP Address:2001:DB8:0:0:0:0:0:7"])):
            file = os.path.join(self.folder, name + ".pem")
            for purpose in ("sslserver", "sslclient"):
                w.run("openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", authority, file)
            told = w.run("openssl", "x509", "-in", file, "-noout", "-ext", "subjectAltName")
            for word in words:
                self.assertIn(word, re.sub(r"\s+", " ", told))
            self.assertEqual(os.stat(file).st_mode & 0o777, 0o600)
        self.assertEqual(self.pki("list").returncode, 0)
        self.assertEqual(self.pki("list", "--within", "366").returncode, 2)
        self.assertEqual(self.pki("issue", "soon", "--days", "5").returncode, 0)
        listed = self.pki("list", "--json")
        self.assertEqual(listed.returncode, 2)
        self.assertEqual({c["name"]: c["days_left"] for c in json.loads(listed.stdout)["certificates"]}["soon"], 4)
        self.assertEqual(json.loads(self.pki("renew", "--json").stdout), {"renewed": [os.path.join(self.folder, "host-soon.pem")]})
        self.assertEqual(self.pki("list").returncode, 0)

    def test_a_ca_is_replaced(self):
        authority, file = (os.path.join(self.folder, name) for name in ("ca.pem", "host-kvm7.pem"))
        before = os.path.join(self.folder, "before.pem")
        for words in (("init",), ("issue", "kvm7"), ("issue", "kvm8")):
            self.assertEqual(self.pki(*words).returncode, 0, words)
        shutil.copy(file, before)
        self.assertEqual(self.pki("rotate").returncode, 0)
        self.assertEqual(self.pki("renew", "kvm7").returncode, 0)
        for one in (before, file):  # Both CAs are trusted.
            w.run("openssl", "verify", "-CAfile", authority, one)
        early = self.pki("retire")
        self.assertEqual(early.returncode, 1, early)
        self.assertIn("host-kvm8.pem", early.stderr)
        self.assertEqual(self.pki("renew", "--all").returncode, 0)
        self.assertEqual(self.pki("retire").returncode, 0)
        w.run("openssl", "verify", "-CAfile", authority, file)
        with self.assertRaises(w.Failed):
            w.run("openssl", "verify", "-CAfile", authority, before)


if __name__ == "__main__":
    system.main(__file__)
