"""Runs system tests on a switch with the kernel datapath: in a machine of their own, for the kernel here may
lack openvswitch.ko.

    run.py [--accel ACCEL] [NAME...]     test_NAME.py; all that are marked, if none is named
                                         NAME:CLASS.TEST+CLASS.TEST: these of its tests
    run.py --list

    QEMU, Debian's cloud kernel
      vda  build/roots/kernel      Debian as it runs here, with openvswitch-switch; never written to
      vdb  /vmirror                the tests, the programs of VMIRROR_BIN and their libraries
      vdc                          what the tests leave in /tmp, a tar file
      ttyS0 the kernel's log, ttyS1 what the tests say

A system test joins by a line `# datapaths: all` (it runs on the userspace datapath, too) or
`# datapaths: kernel`; tests that are named there (CLASS.TEST CLASS.TEST) join alone. QEMU does without KVM, which a machine may show and not have; the tests' deadlines are
longer then. Prints what the tests print, and ends as they do.
"""

import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SYSTEM = os.path.join(os.path.dirname(HERE), "system")
sys.path.insert(0, SYSTEM)
# pylint: disable=wrong-import-position
import world as w
from guest import image

QEMU = "qemu-system-x86_64"
BASE = os.path.join(w.ROOT, "build", "roots", "kernel")
PACKAGES = ("openvswitch-common", "ieee-data", "iproute2", "ethtool", "procps", "python3", "util-linux", "kmod",
            "tcpdump")
MODULES = ("virtio_pci", "virtio_blk", "ext4")
SECONDS = 1500  #: For all of it; a machine that hangs is ended.


def marked():
    """The system tests that join, as NAME or NAME:CLASS.TEST+CLASS.TEST."""
    out = []
    for path in sorted(glob.glob(os.path.join(SYSTEM, "test_*.py"))):
        with open(path, encoding="utf-8") as text:
            if joins := re.search(r"^# datapaths: (?:all|kernel)((?: \w+\.\w+)*)$", text.read(), re.M):
                name = os.path.basename(path)[len("test_"):-len(".py")]
                out.append(":".join(filter(None, (name, "+".join(joins[1].split())))))
    return out


def suite():
    with open("/etc/os-release", encoding="utf-8") as text:
        return re.search(r"^VERSION_CODENAME=(\w+)", text.read(), re.M)[1]


def unavailable():
    """What this machine lacks for it; empty: nothing."""
    for program, package in ((QEMU, "qemu-system-x86"), ("mke2fs", "e2fsprogs")):
        if not shutil.which(program):
            return f"no {program} (install {package})"
    return image.unavailable()


def base_disk(release):
    """The disk vda, made once for each kernel."""
    disk = f"{BASE}-{release}.ext4"
    if not os.path.exists(disk):
        w.run(os.path.join(os.path.dirname(HERE), "roots", "make"), suite(), BASE, *PACKAGES, timeout=900)
        for folder in ("lib/modules", "vmirror"):
            os.makedirs(os.path.join(BASE, folder), exist_ok=True)
        w.run("cp", "-a", "--update", f"/lib/modules/{release}", BASE + "/lib/modules/")
        make_disk(BASE, disk, "1500M")
    return disk


def make_disk(folder, disk, size):
    unfinished = f"{disk}.{os.getpid()}"
    w.run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", folder, unfinished, size, timeout=300)
    os.rename(unfinished, disk)  # Whoever sees it sees all of it.


def libraries(programs):
    """Files of the shared libraries that these programs load."""
    out = w.run("ldd", *programs)
    return sorted(set(re.findall(r"=> (/\S+)", out)))


def tests_disk(folder):
    """The disk vdb, made afresh for each run."""
    content = os.path.join(folder, "vmirror")
    for name in ("tests/system", "tests/kernel", "tests/demo"):
        shutil.copytree(os.path.join(w.ROOT, name), os.path.join(content, name),
                        ignore=shutil.ignore_patterns("__pycache__"))
    programs = [os.path.join(w.BIN, name) for name in ("vmirror", "vmirrord", "vmirror-hook")]
    for name in ("bin", "lib"):
        os.mkdir(os.path.join(content, name))
    programs = [os.path.join(w.BIN, name) for name in ("vmirror", "vmirrord", "vmirror-hook")]
    for program in programs:
        w.run("strip", "--strip-debug", "-o", os.path.join(content, "bin", os.path.basename(program)), program)
    for library in libraries(programs[:2]):
        if not os.path.exists(BASE + library):
            shutil.copy(library, os.path.join(content, "lib"))
    disk = os.path.join(folder, "tests.ext4")
    make_disk(content, disk, "300M")
    return disk


def boot(folder, disk, names, accel):
    """Boots it, prints what the tests say as they say it, and returns their exit status."""
    kernel, initramfs = image.pack(os.path.join(w.ROOT, "build", "kernel"), "kernel",
                                    os.path.join(HERE, "init"), MODULES)
    said, console, left = (os.path.join(folder, name) for name in ("tests.log", "console.log", "left.tar"))
    with open(said, "wb"), open(left, "wb") as out:
        out.truncate(256 << 20)
    drives = [f"file={disk},format=raw,if=virtio,snapshot=on",
              f"file={tests_disk(folder)},format=raw,if=virtio,readonly=on", f"file={left},format=raw,if=virtio"]
    patience = 4 if accel == "tcg" else 1
    began = time.monotonic()
    machine = subprocess.Popen([
        QEMU, "-accel", accel, "-cpu", "max" if accel == "tcg" else "host", "-smp", "2", "-m", "1536",
        "-nodefaults", "-no-reboot", "-display", "none", "-kernel", kernel, "-initrd", initramfs,
        # On a busy machine the emulated timer is late, which the kernel takes for broken hardware.
        "-append", f"console=ttyS0 panic=1 no_timer_check vm.tests={','.join(names)} vm.patience={patience}",
        "-serial", f"file:{console}", "-serial", f"file:{said}",
        *(word for drive in drives for word in ("-drive", drive))], stdin=subprocess.DEVNULL)
    try:
        status = follow(machine, said, began)
    finally:
        machine.kill()
        machine.wait()
    if status != 0:
        keep = tempfile.mkdtemp(prefix="vmirror-kernel-")
        shutil.copy(console, keep)
        subprocess.run(["tar", "-xf", left, "-C", keep], check=False)
        print(f"the kernel's log and the tests' logs are in {keep}")
    print(f"on {accel} in {time.monotonic() - began:.0f} s")
    return status


def follow(machine, said, began):
    """Prints the tests' lines until they tell how they ended."""
    with open(said, encoding="utf-8", errors="replace", newline="") as lines:
        rest = ""
        while True:
            ended = machine.poll() is not None
            rest += lines.read()
            *whole, rest = rest.split("\n")
            for line in whole:
                print(line.rstrip("\r"), flush=True)
                if match := re.match(r"== exit (\d+)", line):
                    return int(match[1])
            if ended or time.monotonic() - began > SECONDS:
                print("the machine ended by itself" if ended else f"the machine was not done after {SECONDS} s")
                return 1
            time.sleep(0.2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accel", choices=("tcg", "kvm"), default="tcg",
                        help="QEMU's way to run it")
    parser.add_argument("--list", action="store_true", help="the tests that are marked")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if options.list:
        print("\n".join(marked()))
        return 0
    if reason := unavailable():
        sys.stderr.write(f"./run test-kernel: {reason}\n")
        return 77
    try:
        disk = base_disk(image.kernel_release())
    except w.Failed as error:
        sys.stderr.write(f"./run test-kernel: no root for the machine: {error}\n")
        return 77
    with tempfile.TemporaryDirectory(prefix="vmirror-kernel-") as folder:
        return boot(folder, disk, options.names or marked(), options.accel)


if __name__ == "__main__":
    sys.exit(main())
