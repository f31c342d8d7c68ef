"""The command lines of the programs and of `run`: help, version, exit codes. Needs no root and no switch."""

import os
import re
import resource
import shutil
import socket
import subprocess
import tempfile
import unittest

import world as w

PROGRAMS = ("vmirror", "vmirrord", "vmirror-hook", "vmirror-extcap")
RUN = os.path.join(w.ROOT, "run")


def call(program, *words):
    done = subprocess.run([os.path.join(w.BIN, program), *words], stdin=subprocess.DEVNULL, timeout=60,
                          capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def helps(words=None):
    """The words of each program and command, with what --help says of it."""
    for one in [words] if words else [[program] for program in PROGRAMS]:
        text = call(*one, "--help")[1]
        yield one, text
        section = re.search(r"^Subcommands:\n((?:  .*\n)+)", text, re.MULTILINE)
        for command in re.findall(r"^  ([a-z]\S*)", section.group(1), re.MULTILINE) if section else ():
            yield from helps([*one, command])


def plain(roff):
    """The words of a man page."""
    text = re.sub(r"(?m)^\.(TP|PP|nf|fi|IP)$|^\.(SH|SS|B|TH|IP) ", "", roff)
    text = re.sub(r"\\f[BIRP]|\\[,/&]", "", text).replace("\\-", "-").replace("\\e", "\\")
    return " ".join(text.split())


class Programs(unittest.TestCase):
    def test_help_has_an_example_and_goes_to_standard_output(self):
        for program in PROGRAMS:
            with self.subTest(program):
                code, out, err = call(program, "--help")
                self.assertEqual((code, err), (0, ""))
                self.assertIn("Example: ", out)
                self.assertIn("64 wrong", out)

    def test_the_example_of_each_command_is_a_right_command_line(self):
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        with tempfile.TemporaryDirectory() as folder:
            environment = {"PATH": os.path.abspath(w.BIN) + ":" + os.environ["PATH"], "VMIRROR_SOCKET": folder + "/none"}
            # Without rights, a daemon and files the command fails, or waits, but its words are right.
            try:
                subprocess.run([*user, os.path.join(w.BIN, "vmirror"), "--version"], capture_output=True, check=True)
            except (OSError, subprocess.CalledProcessError):
                self.skipTest(f"{w.BIN} is closed to other users")
            for words, text in helps(["vmirror"]):
                example = re.search(r"^Example: (.+)", text, re.MULTILINE).group(1)
                name = " ".join(words)
                with self.subTest(name):
                    if len(words) > 1:
                        self.assertIn(name, example)
                    for one in re.split(r" && | \| ", example):
                        if not one.startswith("vmirror "):
                            continue
                        done = subprocess.run([*user, "timeout", "3", "sh", "-c", one], cwd="/", env=environment, stdin=subprocess.DEVNULL,
                                              capture_output=True, text=True, check=False)
                        self.assertNotIn(done.returncode, (64, 70, 126, 127), one + ": " + done.stderr)

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
                if program.startswith("vmirror-"):
                    self.assertTrue(err)
                else:  # Who says it, and where more is to be had.
                    self.assertRegex(err, rf"^{program}[a-z ]*: .*`{program} --help`")

    def test_the_benches_have_help_too(self):
        if not os.path.exists(os.path.join(w.BIN, "vmirror_bench")):
            self.skipTest("no vmirror_bench (cmake --build build/release --target benches)")
        code, out, err = call("vmirror_bench", "--help")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("64 wrong", out)
        self.assertIn("Example: vmirror_bench", out)
        names = [line.split()[0] for line in call("vmirror_bench", "--list")[1].splitlines()]
        for name in names:
            self.assertIn(f"\n  {name} ", out)
        for word in ("--hlep", "-x"):
            code, out, err = call("vmirror_bench", word)
            self.assertEqual((code, out), (64, ""))
            self.assertIn(f"no option `{word}`; see --help", err)

    @unittest.skipUnless(shutil.which("help2man"), "no help2man (apt-get install help2man)")
    def test_each_command_has_a_man_page_with_the_text_of_its_help(self):
        with tempfile.TemporaryDirectory() as folder:
            w.run(os.path.join(w.ROOT, "debian", "manual"), w.BIN, folder, timeout=300)
            pages = set(os.listdir(folder))
            expected = set()
            for words, text in helps():
                page = "-".join(words) + (".8" if words[0] in ("vmirrord", "vmirror-hook") else ".1")
                expected.add(page)
                with self.subTest(page):
                    with open(os.path.join(folder, page), encoding="utf-8") as file:
                        roff = file.read()
                    self.assertRegex(roff, r"(?m)^\.SH EXAMPLES\n\.nf\n.*\S")
                    self.assertRegex(roff, r'(?m)^\.SH "EXIT STATUS"\n(.|\n)*64 wrong')
                    self.assertIn("\n" + "-".join(words) + " \\-", roff)
                    said = plain(roff)
                    for line in text.splitlines():
                        line = " ".join(line.split())
                        if not line.endswith(":") and not line.startswith("Usage:"):
                            self.assertIn(line, said)
            self.assertEqual(pages, expected)

    def check(self, folder, text):
        path = os.path.join(folder, "vmirrord.yaml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return call("vmirrord", "--check", "--config", path)

    def test_check_says_what_start_would(self):
        with tempfile.TemporaryDirectory() as folder:
            base = f"socket: {folder}/run/control.sock\nstate: {folder}/state\n"
            os.mkdir(folder + "/policies.d")
            switch = base + f"policies: {folder}/policies.d\nswitch: {{remote: 'unix:{folder}/db.sock', timeout_ms: 100}}\n"
            with open(folder + "/policies.d/a.yaml", "w", encoding="utf-8") as out:
                out.write("policy: a\nselect: [{port: p}]\ntargets: [lokal]\n")
            for text, code, words in (
                    (base, 0, []),
                    (base + "export: {eve: [{file: /a}, {file: /a}]}", 1, ["vmirrord.yaml"]),
                    (base + "switch: {driver: esxi}", 1, ["vmirrord.yaml"]),
                    (base + f"export: {{eve: [{{file: {folder}/none/eve.json}}]}}", 0, [f"create {folder}/none"]),
                    (base + "inputs: [{interface: no-such-nic}]", 0, ["there is no interface no-such-nic"]),
                    (base + "inputs: [{pair: [lo, no-such-nic]}]", 0, ["there is no interface no-such-nic"]),
                    (f"socket: {folder}/policies.d/a.yaml/control.sock", 1, ["the control socket can't be created"]),
                    (switch, 0, ["a.yaml:3: unknown target `lokal`", f"{folder}/db.sock"]),
                    (switch.replace("policies.d", "none"), 0, ["the folder of policies can't be read"])):
                with self.subTest(text):
                    got, out, err = self.check(folder, text)
                    self.assertEqual(got, code, err)
                    for word in words:
                        self.assertIn(word, err)
                    self.assertEqual(bool(err), bool(words), err)
                    self.assertEqual("is good" in out, code == 0)
            self.assertFalse(os.path.exists(folder + "/run"), "a check creates nothing")

    def test_a_fault_ends_a_program_by_a_message_and_a_code(self):
        """Memory that is not there, on the main thread of `vmirror` and on a worker's of `vmirrord`."""
        with open(os.path.join(w.BIN, "vmirror"), "rb") as program:
            if b"__asan_init" in program.read():
                self.skipTest("the address sanitizer needs more address space than the limit leaves")
        megabytes = 64 << 20, 128 << 20
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "vmirrord.yaml")
            with open(path, "w", encoding="utf-8") as out:
                out.write(f"{{socket: {folder}/control.sock, state: {folder}, inputs: [{{interface: lo}}], "
                          "analysis: {max_flows: 4194304}}")
            capture = os.path.join(w.ROOT, "tests", "golden", "cases", "erspan1.pcap")
            for limit, (program, *words) in zip(megabytes, (("vmirror", "analyze", capture),
                                                            ("vmirrord", "--config", path))):
                with self.subTest(program):
                    done = subprocess.run([os.path.join(w.BIN, program), *words], stdin=subprocess.DEVNULL,
                                          capture_output=True, text=True, timeout=60, check=False,
                                          preexec_fn=lambda n=limit: resource.setrlimit(resource.RLIMIT_AS, (n, n)))
                    self.assertEqual(done.returncode, 70, done.stderr)
                    self.assertIn(f"{program}: ended by a fault of its own: std::bad_alloc", done.stderr)

    def test_the_log_has_priorities_for_journald_and_times_for_others(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "vmirrord.yaml")
            with open(path, "w", encoding="utf-8") as out:
                out.write(f"{{socket: {folder}/control.sock, state: {folder}}}")
            for journal, line in ((True, r"<6>serves\n"), (False, r"\d{4}-\S+ info serves\n")):
                ours, theirs = os.pipe()
                stream = os.fstat(theirs)
                name = f"{stream.st_dev}:{stream.st_ino}" if journal else "1:1"
                with open(ours, encoding="utf-8") as log, subprocess.Popen(
                        [os.path.join(w.BIN, "vmirrord"), "--config", path], stdout=theirs,
                        env={**os.environ, "JOURNAL_STREAM": name}) as daemon:
                    os.close(theirs)
                    self.assertRegex(log.readline(), line)
                    daemon.terminate()

    def test_a_service_manager_learns_that_it_serves_lives_and_stops(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(folder + "/notify")
            manager.settimeout(60)
            path = os.path.join(folder, "vmirrord.yaml")
            with open(path, "w", encoding="utf-8") as out:
                out.write(f"{{socket: {folder}/control.sock, state: {folder}}}")
            with subprocess.Popen([os.path.join(w.BIN, "vmirrord"), "--config", path], stdout=subprocess.DEVNULL,
                                  env={**os.environ, "NOTIFY_SOCKET": folder + "/notify"}) as daemon:
                told = [manager.recv(100)]
                while told[-2:] != [b"WATCHDOG=1"] * 2:
                    told.append(manager.recv(100))
                daemon.terminate()
                while told[-1] != b"STOPPING=1":
                    told.append(manager.recv(100))
            self.assertEqual([one for one in told if one != b"WATCHDOG=1"], [b"READY=1", b"STOPPING=1"])

    @unittest.skipIf(os.geteuid() != 0, "only root may become another user")
    def test_a_socket_that_is_root_s_says_so(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            os.mkdir(folder + "/run", 0o700)
            vmirror = shutil.copy(os.path.join(w.BIN, "vmirror"), folder)
            done = subprocess.run([vmirror, "status", "--socket", folder + "/run/control.sock"], user=65534, cwd="/",
                                  capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("no answer: Permission denied", done.stderr)
            self.assertIn("(run as root)", done.stderr)

    def test_the_daemon_makes_the_folder_of_its_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path, control = os.path.join(folder, "vmirrord.yaml"), os.path.join(folder, "run", "vmirror", "control.sock")
            with open(path, "w", encoding="utf-8") as out:
                out.write(f"{{socket: {control}, state: {folder}/state}}")
            with subprocess.Popen([os.path.join(w.BIN, "vmirrord"), "--config", path], stdout=subprocess.DEVNULL) as daemon:
                w.wait_for("an answer, or the daemon's end", lambda: daemon.poll() is not None
                           or call("vmirror", "status", "--socket", control)[0] == 0)
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
