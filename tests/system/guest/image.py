"""A guest small enough to boot in seconds without KVM: Debian's cloud kernel, and an initramfs of busybox,
the modules of a virtio NIC and talker.c. Built once, and again when one of its parts changes.

    kernel, initramfs = build(FOLDER)

Other guests have an initramfs of their own: pack().
"""

import glob
import hashlib
import os
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
BUSYBOX = "/bin/busybox"
MODULES = ("virtio_pci", "virtio_net", "acpiphp", "shpchp")  # The last two: hot-plug, where it's a module.


class Unavailable(Exception):
    """A part that this machine lacks, in words."""


def kernel_release():
    """The newest cloud kernel that has both its image and its modules here."""
    found = [path.removeprefix("/boot/vmlinuz-") for path in glob.glob("/boot/vmlinuz-*cloud*")]
    found = [release for release in found if os.path.isdir("/lib/modules/" + release)]
    if not found:
        raise Unavailable("no kernel for guests (install linux-image-cloud-amd64)")
    return max(found, key=lambda release: [int(n) for n in release.replace("-", ".").split(".") if n.isdigit()])


def memory():
    """MiB that a guest needs: Linux 6.12 ends for want of memory where 6.1 runs."""
    return 96 if [int(n) for n in kernel_release().split(".")[:2]] < [6, 12] else 224


def unavailable():
    """What a guest can't be built without and isn't here; empty: nothing."""
    for program, package in ((BUSYBOX, "busybox-static"), ("gcc", "gcc"), ("cpio", "cpio"), ("xz", "xz-utils")):
        if not shutil.which(program):
            return f"no {program} (install {package})"
    try:
        release = kernel_release()
    except Unavailable as error:
        return str(error)
    if not os.access("/boot/vmlinuz-" + release, os.R_OK):
        return f"/boot/vmlinuz-{release} can't be read (run as root)"
    return ""


def modules_in_order(release, wanted):
    """The files of these modules and of what they need, each after what it needs."""
    folder = "/lib/modules/" + release
    needs = {}
    with open(folder + "/modules.dep", encoding="utf-8") as lines:
        for line in lines:
            module, _, rest = line.partition(":")
            needs[module] = rest.split()
    out = []

    def add(module):
        for needed in needs[module]:
            add(needed)
        if module not in out:
            out.append(module)
    for name in wanted:
        for module in needs:
            if os.path.basename(module).split(".ko")[0] == name:
                add(module)
    return [os.path.join(folder, module) for module in out]


def build(folder):
    """Paths of the kernel and of the initramfs in `folder`."""
    return pack(folder, "guest", os.path.join(HERE, "init"), MODULES, [os.path.join(HERE, "talker.c")])


def pack(folder, name, init, modules, sources=()):
    """Paths of the kernel, and of an initramfs in `folder` whose first process is the script `init`: with
    busybox, these modules (/modules/order has them in order), and the programs of these C files in /bin."""
    release = kernel_release()
    mark = hashlib.sha256(f"{release} {modules}".encode())
    for part in (init, *sources, os.path.join(HERE, "image.py")):
        with open(part, "rb") as data:
            mark.update(data.read())
    kernel, initramfs = "/boot/vmlinuz-" + release, os.path.join(folder, f"{name}-{mark.hexdigest()[:12]}.cpio")
    if not os.path.exists(initramfs):
        os.makedirs(folder, exist_ok=True)
        _write(release, initramfs, init, modules, sources)
    return kernel, initramfs


def _write(release, initramfs, init, modules, sources):
    root = f"{initramfs}.root.{os.getpid()}"
    for name in ("bin", "modules", "proc", "sys", "dev"):
        os.makedirs(os.path.join(root, name))
    try:
        shutil.copy(BUSYBOX, os.path.join(root, "bin", "busybox"))
        os.symlink("busybox", os.path.join(root, "bin", "sh"))
        shutil.copy(init, os.path.join(root, "init"))
        os.chmod(os.path.join(root, "init"), 0o755)
        for source in sources:
            program = os.path.basename(source).removesuffix(".c")
            subprocess.run(["gcc", "-static", "-O2", "-Wall", "-Wextra", "-Werror", "-o",
                            os.path.join(root, "bin", program), source], check=True)
        order = []
        for module in modules_in_order(release, modules):
            name = os.path.basename(module).removesuffix(".xz")
            order.append(name)
            with open(os.path.join(root, "modules", name), "wb") as out:
                if module.endswith(".xz"):
                    subprocess.run(["xz", "-dc", module], stdout=out, check=True)
                else:
                    with open(module, "rb") as data:
                        shutil.copyfileobj(data, out)
        with open(os.path.join(root, "modules", "order"), "w", encoding="utf-8") as out:
            out.write("\n".join(order) + "\n")
        names = subprocess.run(["find", ".", "-print0"], cwd=root, check=True, capture_output=True).stdout
        unfinished = f"{initramfs}.{os.getpid()}"
        with open(unfinished, "wb") as out:
            subprocess.run(["cpio", "--null", "--create", "--format=newc", "--quiet"], cwd=root,
                           input=names, stdout=out, check=True)
        os.rename(unfinished, initramfs)  # Whoever sees it sees all of it.
    finally:
        shutil.rmtree(root)
