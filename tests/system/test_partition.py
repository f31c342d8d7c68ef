"""A store of three servers whose network is split, by bridges in namespaces: no policy that was acknowledged is lost, each
agent that is cut off goes on with its last policies and says since when, and no mirror is doubled or left behind."""

import os
import shutil
import subprocess

import system
import test_store
import world as w
from stores import POLICY

PORTS = ("vnet-hmi", "vnet-plc")


class Partition(test_store.StoreTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.acknowledged = {}  #: By name: the port that the policy selects.

    # ---- The network ----

    def split(self, *groups):
        """Each group of hosts has a bridge of its own from now on."""
        for number, group in enumerate(groups):
            bridge = f"part{number}"
            if not os.path.exists(f"/sys/class/net/{bridge}"):
                w.run("ip", "link", "add", bridge, "type", "bridge", check=False)
                w.run("ip", "link", "set", bridge, "up")
            for host in group:
                w.run("ip", "link", "set", f"{self.world.management}-{host.name}", "master", bridge)

    def heal(self):
        for host in self.hosts:
            w.run("ip", "link", "set", f"{self.world.management}-{host.name}", "master", self.world.management)

    # ---- Policies ----

    def begin_apply(self, host, name, port):
        """`vmirror apply` on a host, which asks again for up to 30 s while there is no leader."""
        applying = subprocess.Popen([os.path.join(w.BIN, "vmirror"), "apply", "-", "--wait", "0"], stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                    env={**os.environ, "VMIRROR_SOCKET": host.daemon.socket})
        applying.stdin.write(POLICY.format(name=name, port=port))
        applying.stdin.close()
        return applying

    def is_acknowledged(self, applying, name, port):
        """0: it is watched already, 2: not yet; 1: an error, after which the policy may be there or not."""
        code = applying.wait(60)
        told = applying.stdout.read() + applying.stderr.read()
        applying.stdout.close()
        applying.stderr.close()
        self.assertIn(code, (0, 1, 2), told)
        if code != 1:
            self.acknowledged[name] = port
        return code != 1

    def apply(self, host, name, port):
        self.assertTrue(self.is_acknowledged(self.begin_apply(host, name, port), name, port))

    @staticmethod
    def policies_here(host):
        return {p["name"]: p["state"] for p in host.daemon.ask("policies")["policies"]}

    def mirrors(self, host):
        """What the switch's mirrors select, each port as often as it is selected."""
        return sorted(port for rows in host.mirrors().values() for m in rows for port in m["select_src_port"])

    def holds_everywhere(self, maybe=()):
        """All that was acknowledged, no more than that and `maybe`; and of each mirror one."""
        def holds(host):
            there = set(self.policies_here(host))
            ports = sorted({self.acknowledged.get(name) or dict(maybe)[name] for name in there})
            return set(self.acknowledged) <= there <= set(self.acknowledged) | set(dict(maybe)) and self.mirrors(host) == ports
        self.eventually("all policies on all hosts", lambda: all(holds(host) for host in self.hosts), 60)
        self.assertEqual(len({str(sorted(self.policies_here(h))) for h in self.hosts}), 1)
        self.eventually("all agents to be connected", lambda: all(h.store()["state"] == "connected" for h in self.hosts))

    def go_on_cut_off(self, hosts, before):
        """Each of these agents says that it is cut off, and since when, and keeps policies and mirrors; over a crash, too."""
        self.eventually("the loss to be noticed", lambda: all(h.store()["state"] == "unreachable" for h in hosts), 60)
        since = [h.store()["since"] for h in hosts]
        hosts[0].daemon.kill()
        hosts[0].start_agent()
        self.eventually("the crashed agent's mirrors", lambda: self.mirrors(hosts[0]) == before[hosts[0].name][1])
        for host in hosts:
            self.assertEqual((self.policies_here(host), self.mirrors(host)), before[host.name])
        self.assertEqual([h.store()["since"] for h in hosts], since)

    def state(self):
        return {h.name: (self.policies_here(h), self.mirrors(h)) for h in self.hosts}

    # ---- Tests ----

    def test_1_the_minority_is_cut_off_and_loses_nothing(self):
        self.apply(self.hosts[0], "first", "vnet-plc")
        self.holds_everywhere()
        for number, with_leader in enumerate((True, False)):
            with self.subTest(leader_in_minority=with_leader):
                leader = self.leader()
                small = leader if with_leader else next(h for h in self.hosts if h is not leader)
                large = [h for h in self.hosts if h is not small]
                before = self.state()
                self.split([small], large)
                self.addCleanup(self.heal)
                waiting = self.begin_apply(small, f"small{number}", "vnet-plc")
                self.apply(large[0], f"large{number}", "vnet-hmi")
                self.eventually("it on the larger side", lambda n=number, of=large: all(f"large{n}" in self.policies_here(h) for h in of))
                self.go_on_cut_off([small], before)
                self.heal()
                done = self.is_acknowledged(waiting, f"small{number}", "vnet-plc")
                self.holds_everywhere(() if done else ((f"small{number}", "vnet-plc"),))
                if not done:
                    self.apply(small, f"small{number}", "vnet-plc")

    def test_2_without_a_majority_nobody_changes_anything(self):
        hosts = self.hosts
        before = self.state()
        self.split(*([host] for host in hosts))
        self.addCleanup(self.heal)
        self.go_on_cut_off(list(hosts), before)
        waiting = self.begin_apply(hosts[0], "nobody", "vnet-hmi")
        self.assertEqual(self.state(), before)
        self.assertIsNone(waiting.poll(), "nothing is acknowledged without a majority")
        self.heal()
        done = self.is_acknowledged(waiting, "nobody", "vnet-hmi")
        self.holds_everywhere(() if done else (("nobody", "vnet-hmi"),))

    def test_3_a_server_that_is_put_back_to_an_old_copy_catches_up(self):
        for is_leader in (False, True):
            with self.subTest(leader=is_leader):
                leader = self.leader()
                host = leader if is_leader else next(h for h in self.hosts if h is not leader)
                database = os.path.join(host.store_folder, "store.db")
                shutil.copy(database, database + ".old")
                name = f"after-the-copy-{int(is_leader)}"
                self.apply(self.hosts[0], name, "vnet-hmi")
                self.holds_everywhere()
                before = {h.name: h.rows("Mirror", "_uuid") for h in self.hosts}
                host.kill_server()
                os.replace(database + ".old", database)
                self.assertTrue(host.cluster_command("start")["well"])
                self.eventually("its copy to have the policy", lambda h=host, n=name: n in h.run(
                    "ovsdb-client", "--timeout=5", "--no-leader-only", "--no-headings", "dump", f"unix:{h.store_folder}/store.sock",
                    "vmirror", "Policy", "name"))
                self.holds_everywhere()
                self.assertEqual({h.name: h.rows("Mirror", "_uuid") for h in self.hosts}, before)


if __name__ == "__main__":
    system.main(__file__)
