"""`./run demo` and `./run demo --cluster` with --json: one object, whose verdict has five lines of the same words."""

import json
import os
import subprocess
import sys
import unittest

import inside
import system
import world as w

WORDS = {"demo.py": ["asked", "seen", "proven", "found", "broken"], "store.py": ["asked", "seen", "moved", "proven", "broken"]}

REASON = inside.unavailable() or system.no_switch()


@unittest.skipIf(REASON, REASON)
class Demos(unittest.TestCase):
    def verdict(self, name):
        done = subprocess.run([sys.executable, os.path.join(w.ROOT, "tests", "demo", name), "--json"],
                              capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        told = json.loads(done.stdout)
        self.assertEqual([line.split()[0] for line in told["verdict"]], WORDS[name])
        self.assertRegex(told["verdict"][-1], r'by hand\. "someone changed what is ours": back in \d+ ms')
        return told

    def test_the_first_demo(self):
        told = self.verdict("demo.py")
        self.assertRegex(told["verdict"][-1], r"proven again: vnet-plc@local active \(received\)")
        self.assertIn("; not proven on this host: vnet-plc@erspan-192.0.2.9", told["verdict"][2])

    def test_of_a_cluster(self):
        self.assertTrue(self.verdict("store.py")["mirrors_kept"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
