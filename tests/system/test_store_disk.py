"""A server of the store whose disk is full: what was acknowledged is lost nowhere, `cluster status` says it where the
server itself looks healthy, and the remedy that it names mends it. And a server that is gone for good."""

import os
import subprocess
import time

import system
import test_store
import world as w
from stores import POLICY


class Disk(test_store.StoreTest):
    def cluster_status(self, host):
        """The exit code and the answer."""
        done = subprocess.run([*map(str, host.prefix), os.path.join(w.BIN, "vmirror"), "cluster", "status", "--folder", host.store_folder],
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def move_to_small_disk(self, host):
        """Its folder is a file system of 24 MB from now on."""
        host.kill_server()
        kept = host.store_folder + ".kept"
        os.rename(host.store_folder, kept)
        os.mkdir(host.store_folder)
        host.run("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", host.store_folder)
        host.run("cp", "-a", kept + "/.", host.store_folder)
        self.assertTrue(host.cluster_command("start")["well"])

    def fill(self, host, megabytes=None):
        host.run("dd", "if=/dev/zero", f"of={host.store_folder}/filler", "bs=64k",
                 *(() if megabytes is None else (f"count={16 * megabytes}",)), check=False)

    def apply(self, host, name):
        host.daemon.apply(POLICY.format(name=name, port="vnet-plc"))
        self.acknowledged.add(name)

    def test_1_a_follower_with_a_full_disk(self):
        self.acknowledged = set()
        leader = self.leader()
        host, other = (h for h in self.hosts if h is not leader)
        self.move_to_small_disk(host)
        self.assertEqual(self.cluster_status(host)[0], 0)

        self.fill(host, 12)
        code, said = self.cluster_status(host)
        self.assertEqual(code, 2)
        self.assertIn("MiB left and should have", said)

        self.fill(host)
        for n in range(3):
            self.apply(leader, f"full-{n}")
        self.eventually("the spoilt file to be told", lambda: "its file is spoilt" in self.cluster_status(host)[1])
        self.assertEqual(self.cluster_status(host)[0], 2)
        for healthy in (leader, other):
            self.assertEqual(self.cluster_status(healthy)[0], 0)

        # As the status says.
        host.run("rm", f"{host.store_folder}/filler")
        member = next(m for m in leader.server_status()["members"] if host.address in m["address"])
        leader.cluster_command("remove", member["address"])
        again = host.cluster_command("join", "--replace", "--address", host.address, "--insecure", "--to",
                                     f"tcp:{leader.address}:6652")
        self.assertTrue(again["well"], again)
        self.assertIn("store.db.replaced", host.run("ls", host.store_folder))
        self.apply(other, "after")
        self.eventually("all policies on all hosts", lambda: all(
            self.acknowledged <= set(self.policies(h)) for h in self.hosts))
        self.mirrored_everywhere(["vnet-plc"])
        host.kill_server()
        self.assertTrue(host.cluster_command("start")["well"], "it starts from its file again")

    def test_2_a_server_that_is_gone_for_good_is_removed(self):
        leader = self.leader()
        gone = next(h for h in self.hosts if h is not leader)
        gone.kill_server()
        member = next(m for m in leader.server_status()["members"] if gone.address in m["address"])
        left = leader.cluster_command("remove", member["id"])
        self.assertEqual(len(left["members"]), 2)
        for server, why in (("tcp:10.9.0.99:6652", "no member"), (leader.server_status()["server_id"], "this is the server here")):
            done = subprocess.run([*map(str, leader.prefix), os.path.join(w.BIN, "vmirror"), "cluster", "remove", server, "--folder",
                                   leader.store_folder], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(why, done.stderr)


#: Of a disk that needs 400 ms for each write that must last.
SLOW_DISK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
static int slowly(const char *name, int fd) {
  usleep(400000);
  return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}
int fsync(int fd) { return slowly("fsync", fd); }
int fdatasync(int fd) { return slowly("fdatasync", fd); }
"""


class SlowDisk(test_store.StoreTest):
    """Two of three servers have it, so that each change waits for one of them; the first of all leads at first."""

    @classmethod
    def start_hosts(cls):
        library = os.path.join(cls.world.directory, "slow_disk.so")
        subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", library, "-ldl"], input=SLOW_DISK, text=True, check=True)
        for number, host in enumerate(cls.hosts):
            fast = host.prefix
            if number < 2:
                host.prefix = (*fast, "env", f"LD_PRELOAD={library}")
            host.make_server()
            host.prefix = fast
            host.start_machines()
            host.start_agent()

    def apply(self, host, name):
        """How long it took until it was acknowledged."""
        begun = time.monotonic()
        host.daemon.apply(POLICY.format(name=name, port="vnet-plc"))
        self.acknowledged.add(name)
        return time.monotonic() - begun

    def holds_everywhere(self):
        self.eventually("all policies on all hosts", lambda: all(self.acknowledged <= set(self.policies(h)) for h in self.hosts), 60)
        self.mirrored_everywhere(["vnet-plc"])
        for host in self.hosts:
            self.assertEqual([p for rows in host.mirrors().values() for m in rows for p in m["select_src_port"]], ["vnet-plc"])

    def test_nothing_is_lost_or_doubled(self):
        self.acknowledged = set()
        took = [self.apply(host, f"of-{host.name}") for host in self.hosts]
        self.assertGreater(min(took), 0.4, "each change waits for a slow disk")
        self.holds_everywhere()
        leader = self.leader()
        leader.kill_server()
        self.apply(next(h for h in self.hosts if h is not leader), "without-the-leader")
        self.assertTrue(leader.cluster_command("start")["well"])
        self.holds_everywhere()


if __name__ == "__main__":
    system.main(__file__, lambda: system.lacking("gcc"))
