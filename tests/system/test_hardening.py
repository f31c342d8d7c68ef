"""How the programs were built, read from the programs themselves with readelf."""

import os
import re
import subprocess
import unittest

import world as w

PROGRAMS = ("vmirror", "vmirrord", "vmirror-hook", "vmirror-extcap")


def readelf(program, *what):
    return subprocess.run(["readelf", "--wide", *what, os.path.join(w.BIN, program)], capture_output=True, text=True,
                          timeout=120, check=True).stdout


def sanitized(program):
    with open(os.path.join(w.BIN, program), "rb") as text:
        content = text.read()
    return b"__asan_init" in content or b"__tsan_init" in content


class Hardening(unittest.TestCase):
    def setUp(self):
        for program in PROGRAMS:
            if sanitized(program):
                self.skipTest(f"{program} is built with a sanitizer")

    def test_position_independent(self):
        for program in PROGRAMS:
            self.assertRegex(readelf(program, "--file-header"), r"Type:\s+DYN", program)
            self.assertRegex(readelf(program, "--dynamic"), r"FLAGS_1\)\s.*\bPIE\b", program)

    def test_relocations_are_read_only_and_done_at_the_start(self):
        for program in PROGRAMS:
            self.assertRegex(readelf(program, "--program-headers"), r"GNU_RELRO", program)
        for program in PROGRAMS:
            self.assertRegex(readelf(program, "--dynamic"), r"BIND_NOW|FLAGS_1\)\s.*\bNOW\b", program)

    def test_no_stack_is_executable(self):
        for program in PROGRAMS:
            [flags] = re.findall(r"GNU_STACK(?:\s+0x[0-9a-f]+){5}\s+(\S+)", readelf(program, "--program-headers"))
            self.assertEqual(flags, "RW", program)

    def test_stacks_are_protected(self):
        for program in PROGRAMS:
            self.assertTrue("__stack_chk_fail" in readelf(program, "--symbols"), program)

    def test_functions_of_libc_are_checked(self):
        """_FORTIFY_SOURCE calls these where it can't tell a size. A static program has them from libc in any case."""
        for program in PROGRAMS[:2]:
            self.assertTrue(re.search(r"\b__\w+_chk\b", readelf(program, "--dyn-syms").replace("__stack_chk", "")), program)

    @unittest.skipIf(os.uname().machine != "x86_64", "CET is x86-64's")
    def test_functions_that_pointers_lead_to_are_marked(self):
        """For indirect branch tracking. A note in the program would need start files of libc that are marked, too, and
        those of Debian 12 are not."""
        for program in PROGRAMS:
            code = subprocess.run(["objdump", "--disassemble=main", "--no-show-raw-insn", os.path.join(w.BIN, program)],
                                  capture_output=True, text=True, timeout=300, check=True).stdout
            self.assertRegex(code, r"<main>:\n\s+[0-9a-f]+:\s+endbr64", program)


if __name__ == "__main__":
    unittest.main(verbosity=2)
