"""`./run demo --vsphere --json`: one object that has all that the demo is to show."""

import json
import os
import subprocess
import sys
import unittest

import test_driver

sys.path.insert(0, os.path.join(test_driver.ROOT, "tests", "system"))
# pylint: disable=wrong-import-position
import inside

WHY = test_driver.WHY or inside.unavailable()


@unittest.skipIf(WHY, WHY)
class Demo(unittest.TestCase):
    def test_the_chain_from_a_policy_to_assets(self):
        done = subprocess.run([sys.executable, os.path.join(test_driver.ROOT, "tests", "demo", "vsphere.py"), "--vsphere", "--json"],
                              env={**os.environ, "VMIRROR_BIN": test_driver.BIN}, capture_output=True, text=True, timeout=400, check=False)
        print(done.stderr)
        self.assertEqual(done.returncode, 0, done.stdout)
        told = json.loads(done.stdout)
        self.assertEqual([line.split()[0] for line in told["verdict"]], ["asked", "made", "seen", "moved", "proven"])
        self.assertEqual((told["session"]["SessionType"], told["session"]["EncapType"]), ("encapsulatedRemoteMirrorSource", "erspan2"))
        self.assertEqual([(one["session_id"], one["state_text"]) for one in told["sessions"]],
                         [(told["session"]["ErspanId"], "active (received)")])
        before, after = told["copies"]["before"], told["copies"]["after"]
        self.assertEqual((len(before), len(after)), (1, 2), "the copies come from each host's address in turn")
        self.assertGreater(min(after.values()), 10)
        record = told["migration"]
        self.assertEqual(record["state"], "done")
        self.assertNotEqual(record["source"]["host"], record["destination"]["host"])
        mac, = (at["mac"] for at in told["locations"] if at["vm"] == "plc")
        self.assertEqual([asset["ips"] for asset in told["assets"] if asset["mac"] == mac], [["10.0.0.12"]])
        self.assertIn(502, [flow["dest_port"] for flow in told["flows"]])


if __name__ == "__main__":
    unittest.main()
