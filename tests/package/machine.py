"""A machine of its own for a test: a root of Debian with systemd as its first process, by systemd-nspawn, without a network to
the outside. What it writes goes with it.

    with Machine("build/roots/package-bookworm") as machine:
        machine.run("systemctl", "is-active", "openvswitch-switch")"""

import os
import shutil
import subprocess
import tempfile
import time

PATIENCE_S = 120


def missing(root):
    """Why there is no machine, or an empty text."""
    if os.geteuid() != 0:
        return "it needs root, to boot a machine"
    for program in ("systemd-nspawn", "nsenter"):
        if shutil.which(program) is None:
            return f"no {program} (./run deps package)"
    return "" if os.path.isdir(root) else f"no {root} (./run test-package makes it)"


def until(what, condition, seconds=PATIENCE_S):
    deadline = time.monotonic() + seconds
    while True:
        seen = condition()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"within {seconds} s not {what}")
        time.sleep(0.1)


class Machine:
    def __init__(self, root):
        self.root = os.path.abspath(root)

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="vmirror-machine-")
        upper, work, self.at = (os.path.join(self.folder, name) for name in ("upper", "work", "root"))
        for path in (upper, work, self.at):
            os.mkdir(path)
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={self.root},upperdir={upper},workdir={work}", self.at],
                       check=True)
        self.console = open(os.path.join(self.folder, "console"), "w+", encoding="utf-8", errors="replace")
        # The userspace datapath of Open vSwitch makes its ports by tun.
        self.process = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--private-network", "--console=pipe",
             "--bind=/dev/net/tun", "--property=DeviceAllow=/dev/net/tun rwm", "--directory", self.at],
            stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console)
        try:
            self.leader = until("booting", self._leader)
            until("up", lambda: self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded"))
        except BaseException:
            self.console.seek(0)
            print(self.console.read()[-4000:])
            self.__exit__()
            raise
        return self

    def _leader(self):
        if self.process.poll() is not None:
            raise AssertionError(f"systemd-nspawn ended with {self.process.returncode}")
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as children:
            of = children.read().split()
        return int(of[0]) if of else None

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.console.close()
        subprocess.run(["umount", self.at], check=True)
        shutil.rmtree(self.folder)

    def run(self, *words, check=True, given=None):
        done = subprocess.run(["nsenter", "--target", str(self.leader), "--all", "--", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                               "DEBIAN_FRONTEND=noninteractive", *words], input=given, capture_output=True, text=True,
                              timeout=PATIENCE_S, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def path(self, inside):
        """A file of the machine, as this side sees it."""
        return self.at + inside
