"""What vmirrord may still do: its user, capabilities, system calls and files, as the kernel tells, on a real switch."""

import glob
import json
import os
import pwd
import shutil
import socket
import subprocess
import unittest

import system
import world as w

NET_ADMIN, NET_RAW = 1 << 12, 1 << 13
USER = "nobody"
POLICY = "policy: all\nselect: [{port: 'vnet-*'}]\ntargets: [local]\n"


def threads(pid):
    """The lines of /proc/PID/task/*/status that say what each thread may do."""
    for path in glob.glob(f"/proc/{pid}/task/*/status"):
        with open(path, encoding="ascii", errors="replace") as lines:
            yield dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)


class Privileges(system.SystemTest):
    def start(self, name, prepare=lambda host: None, **settings):
        self.host = system.Daemon(self.world, name, {"switch": {"driver": "ovs", "remote": w.OVSDB},
                                                     "local": {"offloads_off": True}, **settings})
        prepare(self.host)
        self.host.write_policy("all", POLICY)
        self.host.start()

    def tearDown(self):
        if hasattr(self, "host"):
            self.assertEqual(self.host.stop(), 0)

    def check_threads(self, uid):
        all_threads = list(threads(self.world.processes[self.host.name].pid))
        self.assertGreater(len(all_threads), 5)
        for thread in all_threads:
            with self.subTest(thread["Name"]):
                self.assertEqual(thread["Uid"].split(), [str(uid)] * 4)
                for mask in ("CapEff", "CapPrm", "CapBnd"):
                    self.assertEqual(int(thread[mask], 16) & ~(NET_ADMIN | NET_RAW), 0, mask)
                for mask in ("CapInh", "CapAmb"):
                    self.assertEqual(int(thread[mask], 16), 0, mask)
                self.assertEqual(int(thread["CapEff"], 16), NET_ADMIN | NET_RAW)
                self.assertEqual((thread["NoNewPrivs"], thread["Seccomp"]), ("1", "2"))

    def told(self):
        told = self.host.ask("status")["privileges"]
        self.assertEqual(told["capabilities"], ["CAP_NET_ADMIN", "CAP_NET_RAW"])
        self.assertTrue(told["no_new_privileges"])
        self.assertEqual(told["system_calls"], "in force")
        self.assertRegex(told["files"], "^(in force|not available: .+)$")
        return told

    def test_started_by_root(self):
        """It stays root's, and can do little with it; the sessions come all the same."""
        self.start("byroot")
        self.talk_until("active sessions", lambda: set(self.host.sessions().values()) == {"active"})
        self.assertEqual(self.told()["user"], "root")
        self.check_threads(0)

    def test_a_user_of_its_own(self):
        """Root starts it, and it goes on as another; that user has the switch's database by an ACL of the
        kernel's, or here by its group."""
        entry = pwd.getpwnam(USER)
        sockets = [w.OVSDB.removeprefix("unix:")]
        before = [(path, os.stat(path)) for path in sockets]

        def prepare(host):
            for path in sockets:
                os.chown(path, -1, entry.pw_gid)
                os.chmod(path, 0o770)
            for folder in (host.folder, host.policies):
                os.chown(folder, entry.pw_uid, entry.pw_gid)

        try:
            self.start("ownuser", prepare, user=USER)
            self.talk_until("active sessions", lambda: set(self.host.sessions().values()) == {"active"})
            self.assertEqual(self.told()["user"], USER)
            self.check_threads(entry.pw_uid)
            self.assertEqual(os.stat(self.host.socket).st_uid, entry.pw_uid)
            self.assertEqual(os.stat(self.host.state).st_uid, entry.pw_uid)
            self.host.apply("policy: more\nselect: [{port: 'vnet-*'}]\ntargets: [local]\npriority: 1\n")
            self.eventually("an applied policy", lambda: "more" in {p["name"] for p in self.host.ask("policies")["policies"]})
        finally:
            for path, was in before:
                os.chown(path, was.st_uid, was.st_gid)
                os.chmod(path, was.st_mode & 0o777)

    def test_without_access_the_status_says_why(self):
        """A user that may not open the switch's database."""
        self.start("noaccess", lambda host: os.chown(host.folder, pwd.getpwnam(USER).pw_uid, -1), user=USER, on_stop="keep")
        self.eventually("the reason", lambda: "ermission denied" in json.dumps(self.host.ask("status")["switch"]))

    def test_only_root_can_become_another(self):
        host = system.Daemon(self.world, "other", {"user": USER})
        for path in (host.folder, host.config, host.policies):
            shutil.chown(path, "daemon")
        done = subprocess.run(["setpriv", "--reuid", "daemon", "--clear-groups", os.path.join(w.BIN, "vmirrord"), "--config",
                               host.config], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("only root can go on as the user `nobody`", done.stderr)
        done = subprocess.run([os.path.join(w.BIN, "vmirrord"), "--check", "--config", self.no_such_user(host)],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no user `nobody-here`", done.stderr)

    @staticmethod
    def no_such_user(host):
        with open(host.config, encoding="utf-8") as config:
            text = config.read().replace(USER, "nobody-here")
        with open(host.config, "w", encoding="utf-8") as config:
            config.write(text)
        os.chown(host.config, 0, 0)
        return host.config


if __name__ == "__main__":
    system.main(__file__)
