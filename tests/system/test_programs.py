"""The command lines of the programs and of `run`: help, version, exit codes. Needs no root and no switch."""

import os
import subprocess
import tempfile
import unittest

import world as w

PROGRAMS = ("vmirror", "vmirrord", "vmirror-hook")
RUN = os.path.join(w.ROOT, "run")


def call(program, *words):
    done = subprocess.run([os.path.join(w.BIN, program), *words], stdin=subprocess.DEVNULL, timeout=60,
                          capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


class Programs(unittest.TestCase):
    def test_help_has_an_example_and_goes_to_standard_output(self):
        for program in PROGRAMS:
            with self.subTest(program):
                code, out, err = call(program, "--help")
                self.assertEqual((code, err), (0, ""))
                self.assertIn("Example: ", out)
                self.assertIn("64 wrong", out)

    def test_the_version_is_one(self):
        said = {call(program, "--version")[:2] for program in PROGRAMS}
        versions = {out.split()[-1] for code, out in said if code == 0}
        self.assertEqual((len(said), len(versions)), (len(PROGRAMS), 1), said)

    def test_a_wrong_command_line_is_64(self):
        for program, words in (("vmirror", ["stauts"]), ("vmirror", []), ("vmirrord", ["--chekc"]),
                               ("vmirrord", ["serve"]), ("vmirrord", ["--config"]), ("vmirror-hook", []),
                               ("vmirror-hook", ["--hlep"])):
            with self.subTest(program=program, words=words):
                code, out, err = call(program, *words)
                self.assertEqual((code, out), (64, ""))
                self.assertTrue(err)

    def test_check_says_what_start_would(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "vmirrord.yaml")
            for text, code in (("{}", 0), ("export: {eve: [{file: /a}, {file: /a}]}", 1), ("switch: {driver: esxi}", 1)):
                with open(path, "w", encoding="utf-8") as out:
                    out.write(text)
                got, _, err = call("vmirrord", "--check", "--config", path)
                self.assertEqual(got, code, text)
                self.assertEqual(path in err, code != 0, err)

    def test_the_daemon_makes_the_folder_of_its_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path, socket = os.path.join(folder, "vmirrord.yaml"), os.path.join(folder, "run", "vmirror", "control.sock")
            with open(path, "w", encoding="utf-8") as out:
                out.write(f"{{socket: {socket}, state: {folder}/state}}")
            with subprocess.Popen([os.path.join(w.BIN, "vmirrord"), "--config", path], stdout=subprocess.DEVNULL) as daemon:
                w.wait_for("an answer, or the daemon's end", lambda: daemon.poll() is not None
                           or call("vmirror", "status", "--socket", socket)[0] == 0)
                daemon.terminate()
            self.assertEqual(daemon.returncode, 0)


class Run(unittest.TestCase):
    def test_every_command_has_help_that_does_nothing_else(self):
        usage = subprocess.run([RUN, "help"], capture_output=True, text=True, check=True).stdout
        commands = {line.split()[0] for line in usage.splitlines() if line[:2] == "  " and line[2:3].isalpha()}
        self.assertIn("test", commands)
        for command in sorted(commands):
            with self.subTest(command):
                done = subprocess.run([RUN, command, "--help"], capture_output=True, text=True, timeout=10, check=False)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertIn(f"  {command} ", done.stdout)
                self.assertIn("Example: ./run ", done.stdout)
                self.assertIn("./run " + command, usage, "an example among all")


if __name__ == "__main__":
    unittest.main(verbosity=2)
