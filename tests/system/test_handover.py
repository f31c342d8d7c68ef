"""Analysis goes on over a live migration: the flows of a guest that talks are one flow each, told with one
id by both hosts' agents, which are linked by TLS.
"""

import os
import time
from datetime import datetime

import cluster as c
import system
import world as w
from test_migrate import SLOW


def make_certificates(folder, names):
    """A CA, and a certificate of it for each name; returns {name: the configuration's `tls`}."""
    os.makedirs(folder, exist_ok=True)

    def path(name):
        return os.path.join(folder, name)
    w.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
          "-subj", "/CN=test CA", "-keyout", path("ca.key"), "-out", path("ca.pem"))
    for name in names:
        w.run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
              f"/CN={name}", "-keyout", path(name + ".key"), "-out", path(name + ".csr"))
        w.run("openssl", "x509", "-req", "-days", "2", "-in", path(name + ".csr"), "-CA", path("ca.pem"), "-CAkey",
              path("ca.key"), "-CAcreateserial", "-out", path(name + ".pem"))
    return {name: {"certificate": path(name + ".pem"), "private_key": path(name + ".key"), "ca": path("ca.pem")}
            for name in names}


class Handover(c.ClusterTest):
    certificates = None

    @staticmethod
    def settings_of(host):
        cls = Handover
        names = ("hosta", "hostb")
        if cls.certificates is None:
            cls.certificates = make_certificates(os.path.join(host.cluster.directory, "tls"), names)
        number = {"hosta": 1, "hostb": 2}
        others = [name for name in names if name != host.name]
        return {"libvirt": {"uri": "qemu:///system"},
                "peers": {"listen": f"{host.address}:9478", "tls": cls.certificates[host.name],
                          "hosts": [{"host": name, "address": f"10.9.0.{number[name]}"} for name in others]}}

    def flows(self, host):
        """Its events of flows between the guest and the peer, by ports and protocol."""
        out = {}
        for event in host.events("flow") + host.events("flow_interim"):
            if {event.get("src_ip"), event.get("dest_ip")} == {self.guest.address, c.PEER_ADDRESS}:
                key = (event["proto"], event.get("src_port"), event.get("dest_port"))
                out.setdefault(key, []).append(event)
        return out

    def packets(self, event):
        return event["flow"]["pkts_toserver"] + event["flow"]["pkts_toclient"]

    def start(self, event):
        return datetime.strptime(event["flow"]["start"], "%Y-%m-%dT%H:%M:%S.%f%z")

    def test_a_handover_to_an_agent_that_dies_is_told_as_failed(self):
        guest = c.Guest("g2", 2)
        self.addCleanup(self.cluster.end_guest, guest)
        self.cluster.start_guest(guest, self.a)
        migration = self.a.background("migration", *self.a.migrate_words(guest, self.b, *SLOW))

        def records(host):
            return host.daemon.ask("migrations", guest.uuid)["migrations"]
        self.eventually("a to know where it goes", lambda: self.a.copies_memory(guest) and
                        records(self.a) and records(self.a)[0]["to"] == "hostb")
        self.b.kill(self.b.name)
        self.assertIsNone(migration.poll(), "the migration was too quick to disturb")
        self.a.hurry(guest)
        self.assertEqual(migration.wait(60), 0, f"see {self.a.log_of('migration')}")
        self.eventually("the handover to have failed", lambda:
                        records(self.a)[0]["handover"]["state"] == "failed")
        self.b.daemon.start()
        for host in (self.a, self.b):  # Also the one that was away: the other tells it.
            self.eventually(f"the record of {host.name}", lambda at=host: [
                r["state"] for r in records(at)] == ["done"])
            [record] = records(host)
            self.assertEqual(record["handover"]["state"], "failed", host.name)
            self.assertRegex(record["handover"]["reason"], "^peer hostb: ", host.name)

    def test_flows_go_on(self):
        self.guest = c.Guest("g1", 1)
        self.cluster.start_guest(self.guest, self.a)
        for host in (self.a, self.b):
            self.eventually(f"{host.name}'s link, encrypted", lambda: all(
                peer["state"] == "up" and peer["encrypted"] for peer in host.daemon.ask("status")["peers"]["hosts"]))
        time.sleep(1)  # Something to have been counted on the source.
        self.cluster.migrate(self.guest, self.a, self.b)

        def done():
            records = self.b.daemon.ask("migrations", "g1")["migrations"]
            return len(records) == 1 and records[0]["state"] == "done" and records[0]
        record = self.eventually("the record", done)
        self.assertEqual(record["handover"]["state"], "taken", record["handover"])
        self.assertGreaterEqual(record["handover"]["flows"], 2, record["handover"])
        self.assertEqual(record["handover"]["reason"], "")
        for host in (self.a, self.b):
            [event] = [e["migration"] for e in host.events("migration") if e["migration"]["vm"] == "g1"]
            self.assertEqual((event["state"], event["gap_frames"]), ("done", record["gap_frames"]))
        self.assertEqual(list(event), list(record), "the event has the record's keys")

        # At its end an agent tells all flows that go on.
        self.assertEqual(self.b.daemon.stop(), 0)
        self.assertEqual(self.a.daemon.stop(), 0)
        there, here = self.flows(self.a), self.flows(self.b)
        moved = {key: [e for e in events if e["flow"]["reason"] == "moved"] for key, events in there.items()}
        moved = {key: events for key, events in moved.items() if events}
        tcp = [key for key in moved if key[0] == "TCP"]
        self.assertTrue(tcp, there)
        self.assertTrue(any(key[0] == "UDP" for key in moved), there)
        for key, [source] in moved.items():
            self.assertEqual(len(here[key]), 1, here[key])
            [destination] = here[key]
            self.assertEqual(destination["flow_id"], source["flow_id"])
            # By each host's own clock, as far as the agents' link can tell them apart.
            apart = self.start(destination) - self.start(source)
            self.assertLess(abs(apart.total_seconds()), 0.01, key)
            self.assertEqual((source["event_type"], destination["event_type"]), ("flow_interim", "flow"))
            if key[0] != "ICMP":
                self.assertGreater(self.packets(destination), self.packets(source), key)
        # The guest's one connection was never begun anew: neither by the guest, nor by who analyses it.
        self.assertEqual([key for key in here if key[0] == "TCP"], tcp)


if __name__ == "__main__":
    system.main(__file__, c.unavailable)
