"""`./run demo --hyperv --json`: one object that has all that the demo is to show, also when it fails."""

import json
import os
import subprocess
import sys
import unittest

import tools

DEMO = os.path.join(tools.ROOT, "tests", "demo", "hyperv.py")
REASON = tools.unavailable()


def run(**environment):
    done = subprocess.run([sys.executable, DEMO, "--hyperv", "--json"], env={**os.environ, **environment},
                          capture_output=True, text=True, timeout=500, check=False)
    print(done.stderr)
    return done.returncode, json.loads(done.stdout)


class Demo(unittest.TestCase):

    @unittest.skipIf(REASON, REASON)
    def test_a_document_a_move_and_the_undo(self):
        status, told = run()
        self.assertEqual(status, 0, told)
        wmi = told["wmi"]
        self.assertEqual([line.split()[0] for line in told["verdict"]],
                         ["asked", "seen", "moved", "proven", "undone"])
        if "skipped" in wmi:
            print("the agent's half is skipped: " + wmi["skipped"])
            self.assertIn(wmi["skipped"], told["verdict"][0])
        else:
            for line, text in zip(told["verdict"], ("NTLM", "HV1 vm1/", "vm1 to HV2, known after", "mended", "HV1 and HV2 are as they were")):
                self.assertIn(text, line)
            self.assertEqual((wmi["undone"], wmi["logon"]), (True, ["NTLM"]))
        self.assertEqual([(s["Name"], s["ComputerName"]) for s in told["applied"] if s["State"] == "ready"],
                         [("dc1", "hv1"), ("plc", "hv2")])
        self.assertEqual([(s["Name"], s["ComputerName"]) for s in told["sessions"] if s["State"] == "ready"],
                         [("dc1", "hv2"), ("plc", "hv2")])
        self.assertEqual([c for c in told["checks"] if c["Passed"] is False], [])
        self.assertIn("copies against the capture", [c["Check"] for c in told["checks"]])
        self.assertEqual((told["error"], told["undone"]), ("", True))

    def test_without_dotnet_it_says_so(self):
        status, told = run(PATH="/nowhere")
        self.assertEqual((status, list(told)), (1, ["error", "logs"]))
        self.assertIn("no .NET SDK", told["error"])


class Tests(unittest.TestCase):

    def test_without_dotnet_they_are_skipped_by_name(self):
        done = subprocess.run([sys.executable, os.path.join(tools.ROOT, "tests", "hyperv", "run.py"), "Session"],
                              env={**os.environ, "PATH": "/nowhere"}, capture_output=True, text=True, check=True)
        self.assertIn("[  SKIPPED ] Session", done.stdout)
        self.assertIn("Skipped\nno .NET SDK", done.stdout)
        self.assertNotIn("OK ]", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
