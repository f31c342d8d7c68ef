"""A real Suricata 8 beside vmirror, in a root of its own: on one capture both give a flow the same community ID, and on the
re-injection NIC Suricata sees the guests' bare frames, and alerts."""

import glob
import ipaddress
import json
import os
import shutil

import system
import world as w

ROOT = os.environ.get("VMIRROR_SURICATA_ROOT", os.path.join(w.ROOT, "build", "roots", "suricata"))
SHARED = "/run/shared"  # In the root: what the test and Suricata share.
CONFIG = os.path.join(w.ROOT, "packaging", "ids", "suricata.yaml")


def missing():
    if os.geteuid() != 0:
        return "it needs root, to enter Suricata's root"
    return "" if os.path.exists(ROOT) else f"no Suricata in {ROOT} (./run roots)"


def lines(path):
    """The events of a file that may end within a line."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def flow_ids(events):
    """Community ID -> the two ends, of flows of TCP, UDP and ICMP."""
    out = {}
    for event in events:
        if event["event_type"] == "flow" and "community_id" in event:
            out[event["community_id"]] = frozenset(ipaddress.ip_address(event[end]) for end in ("src_ip", "dest_ip"))
    return out


class Suricata(system.SystemTest):
    with_collector = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared = os.path.join(cls.world.directory, "suricata")
        os.makedirs(cls.shared)
        os.makedirs(ROOT + SHARED, exist_ok=True)
        for what, where in ((cls.shared, SHARED), ("/dev", "/dev"), ("/sys", "/sys")):
            cls.world.run("mount", "--rbind", what, ROOT + where)
        cls.world.run("mount", "-t", "proc", "proc", ROOT + "/proc")
        shutil.copy(CONFIG, cls.shared)
        with open(os.path.join(cls.shared, "ping.rules"), "w", encoding="utf-8") as file:
            file.write('alert icmp any any -> any any (msg:"a ping of a guest"; itype:8; sid:1; rev:1;)\n')

    def suricata(self, *words):
        return ["chroot", ROOT, "suricata", "-c", f"{SHARED}/suricata.yaml", "-l", SHARED, *words]

    def eve(self):
        return os.path.join(self.shared, "eve.json")

    def test_community_ids_join_the_events_of_both(self):
        joined = 0
        for name in ("dns", "dns_tcp", "http", "icmp", "icmp6", "modbus", "mqtt", "tls"):
            for capture in glob.glob(os.path.join(w.ROOT, "tests", "protocols", name, name + ".pcap")):
                with self.subTest(name):
                    ours = flow_ids(json.loads(line) for line in self.world.run(
                        os.path.join(w.BIN, "vmirror"), "analyze", "--eve", "-", capture).splitlines()
                        if line.startswith("{"))
                    shutil.copy(capture, os.path.join(self.shared, "c.pcap"))
                    if os.path.exists(self.eve()):
                        os.remove(self.eve())
                    self.world.run(*self.suricata("-S", "/dev/null", "-k", "none", "-r", f"{SHARED}/c.pcap"))
                    theirs = flow_ids(lines(self.eve()))
                    self.assertTrue(theirs)
                    self.assertLessEqual(theirs.items(), ours.items())
                    joined += len(theirs)
        self.assertGreaterEqual(joined, 6)

    def test_frames_of_guests_reach_it_and_it_alerts(self):
        if os.path.exists(self.eve()):
            os.remove(self.eve())
        self.world.in_machine("collector", "ip", "link", "add", "mon0", "mtu", "9000", "type", "veth", "peer", "name",
                              "mon1", "mtu", "9000")
        for link in ("mon0", "mon1"):
            self.world.in_machine("collector", "ip", "link", "set", link, "up")
        host = system.host_daemon(self.world).start()
        collector = system.Daemon(self.world, "collector", {
            "inputs": [{"interface": "eth0", "accept": "encapsulated", "reinject": "mon0"}]}, netns="collector").start()
        try:
            host.write_policy("watch", "policy: watch\nselect: [{vm: '*'}]\ntargets: [{erspan: {address: "
                              f"{w.COLLECTOR_ADDRESS}, session: 7}}}}]\n")
            self.world.spawn("suricata", *self.suricata("-S", f"{SHARED}/ping.rules", "--af-packet", "-k", "none"),
                             netns="collector")

            def alerts():
                if not os.path.exists(self.eve()):
                    return []
                return [event for event in lines(self.eve()) if event["event_type"] == "alert"]
            guests = {guest[0] for guest in w.GUESTS.values()}
            self.world.talk_until("alerts of pings between guests", lambda: any(
                {event["src_ip"], event["dest_ip"]} <= guests for event in alerts()))
            self.assertEqual({event["alert"]["signature"] for event in alerts()}, {"a ping of a guest"})
        finally:
            self.world.kill("suricata", 15)
            host.stop()
            collector.stop()


if __name__ == "__main__":
    system.main(__file__, missing)
