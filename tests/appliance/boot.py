"""The appliance's images: booted under QEMU with UEFI, and held against each other. `./run test-appliance`; not in CI.

    boot.py [-v] [CLASS.TEST...]        build/appliance has vmirror.qcow2, .ova, .vhdx, and bare.qcow2 to compare with
    Example: python3 tests/appliance/boot.py -v Boot.test_virtio

    QEMU without KVM, Q35, OVMF
      disk       vmirror.qcow2, never written to
      seed       a FAT image named CIDATA with user-data and meta-data (NoCloud)
      NIC 1      management, QEMU's own network: an address by DHCP, no way to the outside
      NIC 2      monitor: each datagram on a Unix socket is a frame; the test sends DNS questions
      ttyS0      the console; ttyS1: what the test's user data lets the machine tell: vmirrord's EVE, and lines "== NAME JSON"

VMIRROR_APPLIANCE is another folder of images. Boot prints the time to the first frame analysed, and its ratio to the bare image's
time to a login prompt."""

import hashlib
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "demo"))
import capture  # pylint: disable=wrong-import-position
IMAGES = os.environ.get("VMIRROR_APPLIANCE", os.path.join(ROOT, "build", "appliance"))
OVMF = "/usr/share/OVMF"
PATIENCE_S = 500  #: For a boot without KVM beside builds.
NAME = "sensor.example"
MACS = ("52:54:00:aa:00:01", "52:54:00:aa:00:02")

#: Disk and NICs as the hypervisors have them.
HARDWARE = {
    "virtio": (["-device", "virtio-blk-pci,drive=disk,bootindex=1", "-device", "virtio-blk-pci,drive=seed"], "virtio-net-pci"),
    "vmware": (["-device", "pvscsi,id=scsi", "-device", "scsi-hd,bus=scsi.0,drive=disk,bootindex=1",
                "-device", "scsi-hd,bus=scsi.0,drive=seed"], "vmxnet3"),
}

TELLER = """[Unit]
DefaultDependencies=no
[Service]
ExecStart=/bin/sh -c 'until [ -e /var/log/vmirror/eve.json ]; do sleep 0.2; done; exec tail -n +1 -F /var/log/vmirror/eve.json >/dev/ttyS1'
"""

TELL = r"""#!/bin/sh
# What the test wants to know, once cloud-init is done.
until vmirror status --json >/run/status && grep -q '"host": *"told-by-user-data"' /run/status; do sleep 1; done
tell() { printf '== %s %s\n' "$1" "$2" >/dev/ttyS1; }
tell status "$(tr -d '\n' </run/status)"
tell links "$(ip -d -j address | tr -d '\n')"
tell offloads "$(ethtool -k monitor | sed -n 's/^\(.*\): \(on\|off\).*/"\1":"\2"/p' | paste -sd, | sed 's/.*/{&}/')"
tell policies "\"$(ls /etc/vmirror/policies.d)\""
tell credentials "\"$(stat -c '%U %a' /etc/vmirror/secret.txt)\""
tell sshd "\"$(sshd -T 2>/dev/null | grep -E '^(passwordauthentication|permitrootlogin) ' | sort | paste -sd' ')\""
tell secureboot "\"$(od -An -t u1 -j4 -N1 /sys/firmware/efi/efivars/SecureBoot-* | tr -d ' ')\""
tell failed "\"$(systemctl list-units --failed --plain --no-legend | cut -d' ' -f1 | paste -sd' ')\""
tell drivers "\"$(for one in management monitor; do basename "$(readlink -f /sys/class/net/$one/device/driver)"; done | paste -sd' ')\""
pid=$(pgrep -x vmirrord)
before=$(awk '{print $14 + $15}' /proc/$pid/stat); sleep 20; after=$(awk '{print $14 + $15}' /proc/$pid/stat)
tell idle "{\"rss_kb\": $(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' /proc/$pid/status), \"ticks_in_20_s\": $((after - before))}"
tell end true
"""

USER_DATA = {
    "hostname": "sensor7",
    "vmirror": {
        "configuration": {"host": "told-by-user-data", "inputs": [{"interface": "monitor", "offloads_off": True}],
                          "export": {"eve": [{"file": "/var/log/vmirror/eve.json"}]}},
        "files": {"secret.txt": "username=a\npassword=b\n"},
        "policies": [{"policy": "later", "select": [{"vm": "dc-*"}], "targets": ["local"]}],
    },
    "write_files": [{"path": "/run/tell", "content": TELL}],
    "bootcmd": [["sh", "-c", f"cat >/run/systemd/system/tell-eve.service <<'END'\n{TELLER}END\nsystemctl daemon-reload; "
                 "systemctl start --no-block tell-eve"]],
    "runcmd": [["systemd-run", "--no-block", "sh", "/run/tell"]],  # /run is mounted noexec.
}


def missing(*images):
    for program, package in (("qemu-system-x86_64", "qemu-system-x86"), ("qemu-img", "qemu-utils"), ("mcopy", "mtools")):
        if not shutil.which(program):
            return f"no {program} (Debian: {package})"
    if not os.path.exists(f"{OVMF}/OVMF_CODE_4M.fd"):
        return "no UEFI for QEMU (Debian: ovmf)"
    for name in images:
        if not os.path.exists(os.path.join(IMAGES, name)):
            return f"no {name} in {IMAGES} (./run appliance; ./run test-appliance makes bare.qcow2)"
    return ""


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def dns_question(number):
    """A frame: a guest asks for NAME."""
    name = b"".join(bytes([len(label)]) + label.encode() for label in NAME.split(".")) + b"\0"
    dns = struct.pack("!6H", number & 0xffff, 0x0100, 1, 0, 0, 0) + name + struct.pack("!2H", 1, 1)
    return capture.udp(("525400000010", "192.0.2.10"), ("525400000053", "192.0.2.53"), (40000 + number % 1000, 53), dns)


class Guest:
    """A machine that boots an image. Use with `with`."""

    def __init__(self, image, hardware="virtio", user_data=None, secure=False):
        self.folder = tempfile.mkdtemp(prefix="vmirror-appliance-")
        self.console, self.told = self.path("console.log"), self.path("told.log")
        self.frames = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.frames.setblocking(False)
        self.frames.bind(self.path("from"))
        self.sent = 0
        shutil.copy(f"{OVMF}/OVMF_VARS_4M{'.ms' if secure else ''}.fd", self.path("vars"))
        self.seed(user_data or {})
        devices, nic = HARDWARE[hardware]
        machine = ["-machine", "q35,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on"] if secure else [
            "-machine", "q35"]
        self.words = [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", *machine, "-smp", "2", "-m", "2048", "-nodefaults",
            "-display", "none", "-no-reboot",
            "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={OVMF}/OVMF_CODE_4M{'.secboot' if secure else ''}.fd",
            "-drive", f"if=pflash,unit=1,format=raw,file={self.path('vars')}",
            "-drive", f"if=none,id=disk,format=qcow2,snapshot=on,file={os.path.join(IMAGES, image)}",
            "-drive", f"if=none,id=seed,format=raw,readonly=on,file={self.path('seed')}", *devices,
            "-netdev", "user,id=management,restrict=on", "-device", f"{nic},netdev=management,mac={MACS[0]},romfile=",
            "-netdev", f"dgram,id=monitor,local.type=unix,local.path={self.path('to')},remote.type=unix,remote.path={self.path('from')}",
            "-device", f"{nic},netdev=monitor,mac={MACS[1]},romfile=", "-device", "virtio-rng-pci",
            "-serial", f"file:{self.console}", "-serial", f"file:{self.told}"]

    def __enter__(self):
        self.began = time.monotonic()
        self.process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return self

    def __exit__(self, kind, *_):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        self.frames.close()
        if kind is None:
            shutil.rmtree(self.folder)
        else:
            sys.stderr.write(f"console and what was told: {self.folder}\n")

    def path(self, name):
        return os.path.join(self.folder, name)

    def seed(self, user_data):
        with open(self.path("user-data"), "w", encoding="utf-8") as out:
            out.write("#cloud-config\n" + yaml.safe_dump(user_data))
        with open(self.path("meta-data"), "w", encoding="utf-8") as out:
            out.write("instance-id: test\nlocal-hostname: sensor7\n")
        with open(self.path("seed"), "wb") as out:
            out.truncate(2 << 20)
        run("mformat", "-i", self.path("seed"), "-v", "CIDATA", "::")
        run("mcopy", "-i", self.path("seed"), self.path("user-data"), self.path("meta-data"), "::")

    def read(self, path):
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as source:
            return source.read()

    def send(self):
        self.sent += 1
        try:
            self.frames.sendto(dns_question(self.sent), self.path("to"))
        except OSError:
            pass  # Not there yet, or nobody takes them yet.

    def until(self, what, done):
        """Sends frames until `done` gives a value; it, and the seconds since the start."""
        while True:
            value = done()
            if value:
                return value, time.monotonic() - self.began
            if self.process.poll() is not None:
                raise AssertionError(f"{what}: QEMU ended: {self.process.stderr.read().decode()}")
            if time.monotonic() - self.began > PATIENCE_S:
                raise AssertionError(f"{what}: not within {PATIENCE_S} s; the console ends with\n{self.read(self.console)[-2000:]}")
            self.send()
            time.sleep(0.25)

    def analysed(self):
        return [line for line in self.read(self.told).splitlines() if '"event_type":"dns"' in line.replace(" ", "") and NAME in line]

    def tells(self):
        """NAME -> value, of the lines "== NAME JSON"."""
        return {found[1]: json.loads(found[2]) for found in re.finditer(r"^== (\w+) (.+)$", self.read(self.told).replace("\r", ""), re.M)}


WHY_NOT_BOOT = missing("vmirror.qcow2")


@unittest.skipIf(WHY_NOT_BOOT, WHY_NOT_BOOT)
class Boot(unittest.TestCase):
    def look(self, hardware, driver, secure=False):
        with Guest("vmirror.qcow2", hardware, USER_DATA, secure) as guest:
            _, seconds = guest.until("a frame analysed", guest.analysed)
            print(f"{hardware}{', Secure Boot' if secure else ''}: the first frame is analysed {seconds:.0f} s after the machine's start")
            guest.until("what it tells", lambda: "end" in guest.tells())
            told = guest.tells()
        with self.subTest("the configuration is that of the user data"):
            self.assertEqual(told["status"]["host"], "told-by-user-data")
            self.assertEqual(told["policies"], "later.yaml")
            self.assertEqual(told["credentials"], "vmirror 600")
        links = {one["ifname"]: one for one in told["links"]}
        with self.subTest("the NICs"):
            self.assertEqual([links[role]["address"] for role in ("management", "monitor")], list(MACS))
            self.assertEqual(told["drivers"], f"{driver} {driver}")
            self.assertIn("inet", [one["family"] for one in links["management"]["addr_info"]])
        with self.subTest("the monitor has no address, takes all frames, merges none"):
            self.assertEqual(links["monitor"]["addr_info"], [])
            self.assertGreaterEqual(links["monitor"]["promiscuity"], 1)
            self.assertIn("NOARP", links["monitor"]["flags"])
            for name in ("generic-receive-offload", "large-receive-offload"):
                self.assertEqual(told["offloads"][name], "off", name)
        with self.subTest("nobody comes in by a password"):
            self.assertEqual(told["sshd"], "passwordauthentication no permitrootlogin no")
        with self.subTest("no unit failed"):
            self.assertEqual(told["failed"], "")
        with self.subTest("Secure Boot"):
            self.assertEqual(told["secureboot"], "1" if secure else "0")
        with self.subTest("vmirrord is small"):
            self.assertLess(told["idle"]["rss_kb"], 40 * 1024)
        print(f"{hardware}: vmirrord has {told['idle']['rss_kb'] / 1024:.1f} MiB, and ran for {told['idle']['ticks_in_20_s'] / 20:.2f}% of a core"
              " with 4 frames a second, emulated")
        return seconds

    def test_virtio(self):
        seconds = self.look("virtio", "virtio_net")
        if reason := missing("bare.qcow2"):
            print(f"no comparison with a bare image: {reason}")
            return
        with Guest("bare.qcow2") as guest:
            _, bare = guest.until("a login prompt", lambda: " login: " in guest.read(guest.console))
        print(f"virtio: a bare image has its login prompt after {bare:.0f} s; ratio {seconds / bare:.2f}")

    def test_vmware(self):
        self.look("vmware", "vmxnet3")

    def test_secure_boot(self):
        self.look("virtio", "virtio_net", secure=True)


WHY_NOT_COMPARE = missing("vmirror.qcow2", "vmirror.ova", "vmirror.vhdx", "vmirror.vhdx.zip")
OVF = "{http://schemas.dmtf.org/ovf/envelope/1}"


@unittest.skipIf(WHY_NOT_COMPARE, WHY_NOT_COMPARE)
class Images(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="vmirror-ova-")
        with tarfile.open(os.path.join(IMAGES, "vmirror.ova")) as archive:
            cls.members = archive.getnames()
            archive.extractall(cls.folder)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def test_they_are_small(self):
        for name in ("vmirror.qcow2", "vmirror.ova", "vmirror.vhdx.zip"):
            size = os.path.getsize(os.path.join(IMAGES, name))
            print(f"{name}: {size / 1e6:.0f} MB")
            self.assertLessEqual(size, 300e6, name)

    def test_the_descriptor_is_first_and_the_sums_are_right(self):
        self.assertEqual(self.members, ["vmirror.ovf", "vmirror.mf", "vmirror-disk1.vmdk"])
        sums = {}
        with open(os.path.join(self.folder, "vmirror.mf"), encoding="utf-8") as source:
            lines = source.readlines()
        for line in lines:
            found = re.fullmatch(r"SHA256\((\S+)\)= ([0-9a-f]{64})\n", line)
            self.assertIsNotNone(found, line)
            sums[found[1]] = found[2]
        self.assertEqual(sorted(sums), ["vmirror-disk1.vmdk", "vmirror.ovf"])
        for name, expected in sums.items():
            with open(os.path.join(self.folder, name), "rb") as source:
                self.assertEqual(hashlib.file_digest(source, "sha256").hexdigest() if hasattr(hashlib, "file_digest")
                                 else hashlib.sha256(source.read()).hexdigest(), expected, name)

    def test_all_hold_the_same_disk(self):
        original = os.path.join(IMAGES, "vmirror.qcow2")
        for form, path in (("vmdk", os.path.join(self.folder, "vmirror-disk1.vmdk")), ("vhdx", os.path.join(IMAGES, "vmirror.vhdx"))):
            with self.subTest(form):
                info = json.loads(run("qemu-img", "info", "--output=json", path))
                self.assertEqual(info["format"], form)
                if form == "vmdk":
                    self.assertEqual(info["format-specific"]["data"]["create-type"], "streamOptimized")
                self.assertIn("Images are identical", run("qemu-img", "compare", "-F", form, "-f", "qcow2", original, path))


if __name__ == "__main__":
    unittest.main()
