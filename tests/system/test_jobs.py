"""Only migrations are migrations: libvirt saves, dumps and snapshots a guest with QEMU's migration into a
file, which must leave no trace; and a migration is one from its first moment on.
"""

import os
import signal
import time

import cluster as c
import system
import world as w
from test_migrate import MigrateTest as _MigrateTest

#: libvirtd's hook on the destination: the guest's start there waits while the file is.
HOLD = '#!/bin/sh\n[ "$2" != prepare ] || while [ -e /run/libvirt/hold ]; do sleep 0.1; done\n'


class Saved(_MigrateTest):

    def trace(self):
        """All that a host tells of migrations: records, EVE, metrics."""
        status = self.a.daemon.ask("status")["migrations"]
        metrics = {name: number for name, number in self.a.metrics().items()
                   if name.startswith("vmirror_migration") and number}
        return self.records(self.a), self.a.events("migration"), metrics, status["open"], status["kept"]

    def job(self, *words):
        """One of libvirt's jobs, of which virsh returns at the end."""
        self.a.virsh(*words, timeout=120)

    def test_what_backups_do_leaves_no_trace(self):
        into = os.path.join(self.cluster.directory, "kept")
        nothing = ([], [], {}, 0, 0)
        for words in (("dump", self.guest.name, into, "--live"),
                      ("dump", self.guest.name, into, "--memory-only", "--live"),
                      ("dump", self.guest.name, into),
                      ("snapshot-create-as", self.guest.name, "one", "--memspec", into + ".memory", "--live"),
                      ("save", self.guest.name, into), ("restore", into)):
            with self.subTest(job=words[0]):
                self.job(*words)
                self.assertEqual(self.trace(), nothing)
        self.a.virsh("snapshot-delete", self.guest.name, "one", "--metadata", check=False)
        self.settled(self.a)
        self.job("save", self.guest.name, into)
        self.job("restore", into)
        # A record that a job began would be told by a later beat.
        time.sleep(2)
        self.assertEqual(self.trace(), nothing)

        before = time.time()
        self.cluster.migrate(self.guest, self.a, self.b)
        self.settled(self.b)
        record = self.told("done")
        self.assertGreater(_seconds(record["started"]), before - 1)
        self.assertEqual(record["gap_frames"], 0, record)

    def test_managed_save(self):
        self.a.virsh("define", os.path.join(self.a.directory, self.guest.name + ".xml"))
        self.addCleanup(self.a.virsh, "undefine", self.guest.uuid, "--managed-save", check=False)
        self.job("managedsave", self.guest.name)
        self.job("start", self.guest.name)
        self.settled(self.a)
        time.sleep(2)
        self.assertEqual(self.records(self.a), [])


class Silent(c.ClusterTest):

    def test_what_qemu_announces_is_no_frame_of_the_guest(self):
        guest = c.Guest("announced", 120)
        self.addCleanup(self.cluster.end_guest, guest)
        self.a.start_silent(guest)
        self.eventually("its mirror", lambda: self.a.mirrored(guest))
        self.a.virsh(*self.a.migrate_words(guest, self.b))

        def record():
            [one] = self.b.daemon.ask("migrations", guest.uuid)["migrations"] or [None]
            return one and one["state"] == "done" and one
        record = self.eventually("its record", record)
        # RARP, from its MAC to everybody.
        self.eventually("QEMU's announcement", lambda: any(
            guest.mac in (flow["src_ip"], flow["dest_ip"]) for flow in self.b.daemon.ask("flows")["flows"]))
        self.assertIsNone(record["first_frame"], record)
        self.assertIsNone(record["last_frame"], record)


class Alone(c.ClusterTest):
    """Agents that are not linked: nobody but libvirt tells the source."""

    @staticmethod
    def settings_of(host):
        return {"libvirt": {"uri": "qemu:///system"}}

    def setUp(self):
        for host in (self.a, self.b):
            os.makedirs(host.path("/etc/libvirt/hooks"), exist_ok=True)
            hook = host.path("/etc/libvirt/hooks/qemu")
            with open(hook, "w", encoding="ascii") as out:
                out.write(HOLD)
            os.chmod(hook, 0o755)
            host.kill("libvirtd", signal.SIGTERM)
            host.start_libvirtd()

    def test_a_migration_without_any_pass_through_the_memory(self):
        """QEMU 11.1 sends no event for the first pass. Here the destination does not even start the guest, so
        that no QEMU sends any."""
        guest, held = c.Guest("held", 130), self.b.path("/run/libvirt/hold")
        self.addCleanup(self.cluster.end_guest, guest)
        self.a.start_silent(guest)
        self.eventually("its mirror, and its name", lambda: self.a.mirrored(guest) and self.a.presence(guest))
        with open(held, "w", encoding="ascii"):
            pass
        began = time.time()
        process = self.a.background("migration", *self.a.migrate_words(guest, self.b))

        def records():
            return self.a.daemon.ask("migrations", guest.uuid)["migrations"]
        try:
            self.eventually("a record of it", lambda: [r["state"] for r in records()] == ["running"], 15)
            self.assertEqual(self.b.ports_of(guest), [])
            self.assertIsNone(process.poll())
            print(f"the record began {_seconds(records()[0]['started']) - began:.2f} s after virsh")
        finally:
            self.a.virsh("domjobabort", guest.uuid, check=False)
            os.remove(held)
        self.assertNotEqual(process.wait(60), 0)
        self.a.processes.pop("migration")
        self.eventually("its end", lambda: [r["state"] for r in records()] == ["aborted"])


def _seconds(text):
    return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone


if __name__ == "__main__":
    system.main(__file__, c.unavailable)
