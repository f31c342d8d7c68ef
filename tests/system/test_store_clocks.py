"""A store on hosts whose clocks are an hour ahead and an hour behind: policies come and end everywhere at one time, nothing
that was acknowledged is lost when the leader dies, and no mirror is doubled or left behind."""

import glob
import time

import system
import test_store
from stores import HOSTS, POLICY

FAKETIME = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), "")
TERM = 6  # seconds
INCIDENT = f"policy: incident\nselect: [{{port: vnet-plc}}]\ntargets: [{{erspan: {{address: 192.0.2.9}}}}]\nttl: {TERM}s\n"
#: Its switch, its server of the store and its agent go by this clock.
CLOCKS = {"hosta": "+0", "hostb": "+1h", "hostc": "-1h"}


class Clocks(test_store.StoreTest):
    @classmethod
    def start_hosts(cls):
        for host in cls.hosts:
            host.prefix = (*host.prefix, "env", f"LD_PRELOAD={FAKETIME}", f"FAKETIME={CLOCKS[host.name]}",
                           "FAKETIME_DONT_FAKE_MONOTONIC=1")
        super().start_hosts()

    def mirrors(self, host):
        return sorted(port for rows in host.mirrors().values() for m in rows for port in m["select_src_port"])

    def test_1_the_clocks_differ(self):
        now = [float(host.run("date", "+%s")) for host in self.hosts]
        self.assertAlmostEqual(now[1] - now[0], 3600, delta=60)
        self.assertAlmostEqual(now[2] - now[0], -3600, delta=60)

    def test_2_policies_hold_everywhere_whoever_leads(self):
        for number, host in enumerate(self.hosts):
            with self.subTest(set_by=host.name):
                host.daemon.apply(POLICY.format(name=f"of-{host.name}", port=("vnet-plc", "vnet-hmi", "vnet-*")[number]))
                self.eventually("it on all hosts", lambda h=host: all(f"of-{h.name}" in self.policies(o) for o in self.hosts))
        self.mirrored_everywhere(["vnet-hmi", "vnet-plc"])
        for _ in range(2):
            leader = self.leader()
            leader.kill_server()
            alive = next(h for h in self.hosts if h is not leader)
            alive.daemon.apply(POLICY.format(name=f"without-{leader.name}", port="vnet-plc"))
            self.assertTrue(leader.cluster_command("start")["well"])
            self.eventually("it on all hosts", lambda of=leader: all(f"without-{of.name}" in self.policies(o) for o in self.hosts), 60)
        for host in self.hosts:
            self.assertEqual(self.mirrors(host), ["vnet-hmi", "vnet-plc"], "each mirrored once")

    def test_3_a_term_is_as_long_by_every_clock(self):
        for setter in self.hosts:
            with self.subTest(set_by=setter.name):
                begun = time.monotonic()
                setter.daemon.apply(INCIDENT)

                def of(host):
                    return {p["name"]: p["state"] for p in host.daemon.ask("policies")["policies"]}.get("incident")
                self.eventually("it in force everywhere", lambda: all(of(h) == "in force" for h in self.hosts), TERM - 1)
                self.eventually("its end everywhere", lambda: all(of(h) == "expired" for h in self.hosts))
                self.assertGreaterEqual(time.monotonic() - begun, TERM)
                self.assertLess(time.monotonic() - begun, TERM + 10)
        self.assertEqual(set(CLOCKS), set(HOSTS))


if __name__ == "__main__":
    system.main(__file__, lambda: "" if FAKETIME else "not installed: libfaketime (faketime)")
