"""The packages on a machine as they are made for: installed beside Open vSwitch under systemd, upgraded, removed, purged.

VMIRROR_PACKAGES: the folder with the packages; VMIRROR_PACKAGE_ROOT: the root of the machine (`./run test-package` sets both)."""

import glob
import json
import os
import subprocess
import tempfile
import unittest

from machine import Machine, missing, until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PACKAGES = os.environ.get("VMIRROR_PACKAGES", os.path.join(ROOT, "build", "package"))
MACHINE = os.environ.get("VMIRROR_PACKAGE_ROOT", os.path.join(ROOT, "build", "roots", "package-bookworm"))
NAMES = ("vmirror", "vmirrord", "vmirror-hook")
CAPABILITIES = 1 << 12 | 1 << 13  # CAP_NET_ADMIN, CAP_NET_RAW: linux/capability.h
POLICY = "policy: plc\nselect: [{port: plc}]\ntargets: [local]\n"


def package(name):
    found = glob.glob(os.path.join(PACKAGES, f"{name}_*.deb"))
    return found[0] if found else ""


WHY = missing(MACHINE) or next((f"no package {name} in {PACKAGES}" for name in NAMES if not package(name)), "")


@unittest.skipIf(WHY, WHY)
class Packages(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.machine = self.enterContext(Machine(MACHINE))

    def enterContext(self, context):  # unittest has it from Python 3.11 on.
        out = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return out

    def give(self, path):
        inside = "/opt/" + os.path.basename(path)
        with open(path, "rb") as source, open(self.machine.path(inside), "wb") as to:
            to.write(source.read())
        return inside

    def install(self, paths):
        return self.machine.run("dpkg", "--install", *[self.give(path) for path in paths])

    def with_version(self, name, version):
        """The package again, as a later one."""
        folder = tempfile.mkdtemp(dir=self.machine.folder)
        subprocess.run(["dpkg-deb", "--raw-extract", package(name), folder + "/x"], check=True)
        control = os.path.join(folder, "x", "DEBIAN", "control")
        with open(control, encoding="utf-8") as source:
            lines = source.read()
        now = next(line for line in lines.splitlines() if line.startswith("Version: ")).split()[1]
        with open(control, "w", encoding="utf-8") as to:
            to.write(lines.replace(now, version))
        out = os.path.join(folder, f"{name}.deb")
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", folder + "/x", out], check=True, stdout=subprocess.DEVNULL)
        return out

    def shown(self, name):
        return self.machine.run("systemctl", "show", "--value", "--property", name, "vmirrord").stdout.strip()

    def status(self, key):
        return int(next(line for line in self.proc("status").splitlines() if line.startswith(key + ":")).split()[1], 16)

    def proc(self, name):
        return self.machine.run("cat", f"/proc/{self.shown('MainPID')}/{name}").stdout

    def ask(self, *words):
        done = self.machine.run("vmirror", *words, "--json", check=False)
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def mirrors(self):
        return self.machine.run("ovs-vsctl", "--bare", "--columns=_uuid", "list", "mirror").stdout.split()

    def watched(self, what):
        # The port is silent: that ovs-vswitchd's trace says "ready" takes its control socket.
        until(what, lambda: [one["state"] for one in self.ask("sessions").get("sessions", [])] == ["ready"])

    def test_a_life_on_a_host(self):
        machine = self.machine
        # Without IPv6's own frames the port is silent.
        machine.run("sh", "-c", "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 && ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev && "
                                "ip link add plc type veth peer name other && ip link set plc up && ip link set other up && "
                                "ovs-vsctl add-port br0 plc")
        self.install(package(name) for name in NAMES)
        with self.subTest("the service is up, as a user of its own with two capabilities"):
            until("active", lambda: machine.run("systemctl", "is-active", "vmirrord", check=False).stdout.strip() == "active")
            self.assertEqual(machine.run("stat", "--format", "%U", f"/proc/{self.shown('MainPID')}").stdout.strip(), "vmirror")
            self.assertEqual((self.status("CapEff"), self.status("CapBnd"), self.status("NoNewPrivs")), (CAPABILITIES, CAPABILITIES, 1))
        with self.subTest("it has the switch"):
            until("connected", lambda: self.ask("status").get("switch", {}).get("state") == "connected")
        with self.subTest("a policy comes in through it and is realised"):
            machine.run("vmirror", "apply", "-", "--wait", "0", check=False, given=POLICY)
            self.watched("a mirror")
            self.assertEqual(machine.run("ls", "/etc/vmirror/policies.d").stdout.split(), ["plc.yaml"])
        with self.subTest("the watchdog is fed, a reload is taken"):
            fed = self.shown("WatchdogTimestampMonotonic")
            until("fed", lambda: self.shown("WatchdogTimestampMonotonic") != fed)
            machine.run("systemctl", "reload", "vmirrord")
            self.assertIn("reads the policies anew", machine.run("journalctl", "-u", "vmirrord", "-o", "cat").stdout)
        with self.subTest("a restart of Open vSwitch does not lock it out"):
            machine.run("systemctl", "restart", "openvswitch-switch")
            until("connected again", lambda: self.ask("status").get("switch", {}).get("state") == "connected")
            self.watched("the mirror again")
        with self.subTest("an upgrade keeps the mirror"):
            before, process = self.mirrors(), self.shown("MainPID")
            self.install(self.with_version(name, "0.1.0+later") for name in NAMES)
            until("another process", lambda: self.shown("MainPID") not in ("0", process))
            self.watched("the mirror, by the new process")
            self.assertEqual(self.mirrors(), before)
        with self.subTest("manual, completions"):
            for page in ("man1/vmirror.1.gz", "man1/vmirror-apply.1.gz", "man8/vmirrord.8.gz", "man8/vmirror-hook.8.gz"):
                self.assertIn("Example:", machine.run("zcat", "/usr/share/man/" + page).stdout, page)
            completed = machine.run("bash", "-c", ". /usr/share/bash-completion/completions/vmirror; COMP_WORDS=(vmirror apply --dr)"
                                                  " COMP_CWORD=2; _vmirror; echo \"${COMPREPLY[@]}\"").stdout
            self.assertEqual(completed.strip(), "--dry-run")
        with self.subTest("removed: no mirror stays behind"):
            machine.run("dpkg", "--remove", "vmirrord", "vmirror-hook", "vmirror")
            self.assertEqual(self.mirrors(), [])
            self.assertEqual(machine.run("cat", "/etc/vmirror/policies.d/plc.yaml").stdout, POLICY)
        with self.subTest("purged: no file stays behind"):
            machine.run("dpkg", "--purge", "vmirrord", "vmirror-hook", "vmirror")
            left = machine.run("find", "/etc", "/usr", "/var", "-name", "*vmirror*").stdout.split()
            self.assertEqual([path for path in left if not path.startswith("/var/lib/systemd/")], [])

    def test_without_a_switch_it_waits(self):
        self.machine.run("systemctl", "stop", "openvswitch-switch")
        self.install(package(name) for name in ("vmirror", "vmirrord"))
        until("active", lambda: self.machine.run("systemctl", "is-active", "vmirrord", check=False).stdout.strip() == "active")
        until("says so", lambda: self.ask("status").get("switch", {}).get("state") not in (None, "connected"))


class Unit(unittest.TestCase):
    def test_its_exposure_is_low(self):
        told = subprocess.run(["systemd-analyze", "security", "--offline=true", os.path.join(ROOT, "debian", "vmirrord.service")],
                              capture_output=True, text=True, check=False).stdout
        self.assertLessEqual(float(told.split("exposure level for vmirrord.service: ")[1].split()[0]), 2.5)


if __name__ == "__main__":
    unittest.main()
