"""The operator's day of docs/OPERATING.md: its blocks, run in their order as they stand in the manual."""

import os
import re
import subprocess
import tempfile
import unittest

import system
import world as w

BLOCK = re.compile(r"^```sh (\w+)(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^## An operator's day\n(.*?)^## ", re.MULTILINE | re.DOTALL)


def blocks():
    """(machine, "traffic" or "", text) of each block."""
    with open(os.path.join(w.ROOT, "docs", "OPERATING.md"), encoding="utf-8") as manual:
        return BLOCK.findall(SECTION.search(manual.read()).group(1))


class Day(system.SystemTest):
    with_collector = True

    def private(self, folder):
        """What is written there goes with this test."""
        scratch = tempfile.mkdtemp(dir="/run")
        for name in ("upper", "work"):
            os.mkdir(os.path.join(scratch, name))
        w.run("mount", "-t", "overlay", "overlay", "-o",
              f"lowerdir={folder},upperdir={scratch}/upper,workdir={scratch}/work", folder)

    def test_its_blocks_do_what_the_manual_says(self):
        for folder in ("/etc", "/var"):
            self.private(folder)
        self.assertEqual([machine for machine, _, _ in blocks()],
                         ["host", "host", "host", "host", "collector", "host", "collector", "host", "host"])
        said = [self.block(*block) for block in blocks()]
        self.assertIn("policy plc: 1 NIC: new 1", said[1])
        self.assertRegex(said[1], r"policy plc applied, in /etc/vmirror/policies.d/plc.yaml: 1 NIC: (ready|active|pending) 1")
        self.assertRegex(said[1], r"vnet-plc@local +plc +plc +both")
        self.assertIn("someone changed what is ours", said[2])
        self.assertIn("in sync", said[2])
        self.assertIn("4 frames captured, 0 lost by the kernel", said[3])
        self.assertRegex(said[5], r"policy hmi applied, in \S+: 1 NIC: ")
        self.assertRegex(said[6], r"(?m)^received 20 = analysed 20 ")
        self.assertRegex(said[6], r"traffic +pass +20 frames analysed")
        self.assertIn("vnet-hmi@erspan-192.0.2.9", said[7])
        self.assertIn("drained: no mirror of this daemon is left", said[8])
        self.assertEqual(self.world.mirrors(), {})

    def block(self, machine, traffic, text):
        enter = ("ip", "netns", "exec", machine) if machine != "host" else ()
        path = os.path.abspath(w.BIN) + ":" + os.environ["PATH"]
        log = os.path.join(self.world.directory, "day.log")
        with open(log, "wb") as out:
            process = subprocess.Popen([*enter, "bash", "-eu", "-c", text], cwd=self.world.directory, stdout=out,
                                       stderr=out, stdin=subprocess.DEVNULL, env={**os.environ, "PATH": path})
        self.world.processes["day"] = process

        def ended():
            if traffic:
                self.world.talk(1)
            return process.poll() is not None
        self.eventually(f"the end of a block:\n{text}", ended, 60)
        with open(log, encoding="utf-8", errors="replace") as out:
            said = out.read()
        self.assertEqual(process.returncode, 0, f"{text}\nsays:\n{said}")
        return said


if __name__ == "__main__":
    system.main(__file__)
