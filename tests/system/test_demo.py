"""`./run demo --migrate --json`: one object that has all that the demo is to show, also when it fails."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

import cluster as c
import inside
import records
import world as w

DEMO = os.path.join(w.ROOT, "tests", "demo", "migrate.py")
REASON = inside.unavailable() or c.unavailable()


def run(programs):
    """The demo with the programs of that folder: exit status, the object, and what it said besides."""
    done = subprocess.run([sys.executable, DEMO, "--migrate", "--json"], env={**os.environ, "VMIRROR_BIN": programs},
                          capture_output=True, text=True, timeout=400, check=False)
    print(done.stderr)
    return done.returncode, json.loads(done.stdout), done.stderr


@unittest.skipIf(REASON, REASON)
class Demo(unittest.TestCase):

    def test_a_guest_goes_there_and_back(self):
        status, told, _ = run(w.BIN)
        self.assertEqual(status, 0, told)
        self.assertEqual([line.split()[0] for line in told["verdict"]],
                         ["asked", "moved", "seen", "kept", "proven"], told["verdict"])
        self.assertRegex(told["verdict"][1], r"moved +hosta -> hostb: down for [\d.]+ ms, 0 frames not mirrored, \d+ flows handed over; "
                         r"hostb -> hosta: down for [\d.]+ ms, 0 frames not mirrored, \d+ flows handed over$")
        there, back = told["migrations"]
        self.assertEqual([(m["vm"], m["from"], m["to"], m["state"], m["gap_frames"], m["gap_ms"])
                          for m in (there, back)],
                         [("plc7", "hosta", "hostb", "done", 0, 0), ("plc7", "hostb", "hosta", "done", 0, 0)])
        for migration in (there, back):
            self.assertEqual(records.out_of_order(migration), [], migration)
            self.assertGreaterEqual(migration["duplicates"], 0)
        self.assertLess(records.seconds(there, "mirror_removed"), records.seconds(back, "suspended"))
        self.assertGreater(told["peer_frames"], 100)
        self.assertEqual((told["missing"], told["recorder_lost"]), (0, 0))
        self.assertLessEqual(told["duplicates"], there["duplicates"] + back["duplicates"])

    def test_what_fails_is_said(self):
        with tempfile.TemporaryDirectory() as folder:
            programs = os.path.join(folder, "bin")
            os.mkdir(programs)
            for name in ("guest", "bin/vmirror"):
                os.symlink(os.path.join(os.path.dirname(w.BIN), name), os.path.join(folder, name))
            daemon = os.path.join(programs, "vmirrord")
            with open(daemon, "w", encoding="ascii") as out:
                out.write("#!/bin/sh\necho it is broken >&2\nexit 3\n")
            os.chmod(daemon, 0o755)
            status, told, said = run(programs)
        self.assertEqual((status, list(told)), (1, ["error", "logs"]))
        self.assertRegex(told["error"], "^vmirrord of hosta ended with 3: it is broken")
        self.assertIn(told["error"], said)
        with open(os.path.join(told["logs"], "hosta", "hosta.log"), encoding="utf-8") as log:
            self.assertIn("it is broken", log.read())
        subprocess.run(["rm", "-r", told["logs"]], check=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
