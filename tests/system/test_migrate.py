"""Live migrations of a real guest between two hosts: monitoring goes with it, without losing a frame, and
the record says so. However a migration ends, the mirrors are where the guest is and nowhere else.

VMIRROR_MIGRATIONS is the number of migrations in a row (20).
"""

import os
import signal
import time
import unittest

import cluster as c
import system
import world as w

MIGRATIONS = int(os.environ.get("VMIRROR_MIGRATIONS", "20"))
#: MiB/s: the guest's memory takes a second or more, so that there is time to disturb.
SLOW = ("--bandwidth", "8")
METADATA = ('<metadata><v:guest xmlns:v="urn:vmirror:guest:1"><v:label key="role" value="{role}"/></v:guest>'
            "</metadata>")
#: The switch's clock and libvirt's events come by two ways; a record may have them this much out of order.
SLACK = 0.05


def seconds(record, step):
    """A step's time of a record as seconds since 1970."""
    text = record[step]
    whole, _, rest = text.rstrip("Z").partition(".")
    return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone + float("0." + (rest or "0"))


class MigrateTest(c.ClusterTest):
    """A guest `guest` that talks on host a at each test's begin, and is gone at its end."""

    number = 0

    def setUp(self):
        type(self).number += 1
        self.guest = self.make_guest(f"g{self.number}", self.number)
        self.addCleanup(self.cluster.end_guest, self.guest)
        self.cluster.start_guest(self.guest, self.a)

    def make_guest(self, name, number):
        return c.Guest(name, number)

    def settled(self, home):
        """It is on `home`, mirrored there, and the other host has nothing of it; it is heard."""
        def right():
            return self.cluster.where(self.guest) is home and self.one_at_home(self.guest)
        self.eventually(f"{self.guest.name} on {home.name}, mirrored there alone", right)
        before = self.cluster.heard(self.guest)
        self.eventually(f"{self.guest.name} to talk", lambda: self.cluster.heard(self.guest) > before + 10)

    def nothing_missing(self, since=0.0):
        account = self.cluster.account(self.guest, since)
        print(account)
        self.assertEqual(account["recorder_lost"], 0)
        self.assertGreater(account["peer_frames"], 50)
        self.assertEqual(account["missing"], 0, account)
        return account

    def record(self, host, state, count=1):
        """The newest of `count` records that the host's agent has of the guest, once it has that state."""
        def there():
            records = self.records(host)
            return len(records) == count and records[-1]["state"] == state and records[-1]
        try:
            return w.wait_for(f"{count} records on {host.name}, the last {state}", there, 30)
        except w.Failed as error:
            return self.fail(f"{error}; hosta: {self.notes(self.records(self.a))}; "
                             f"hostb: {self.notes(self.records(self.b))}")

    @staticmethod
    def notes(records):
        return [(r["id"][-28:], r["state"], r["gap_frames"], *r["notes"]) for r in records]

    def records(self, host):
        return host.daemon.ask("migrations", self.guest.uuid)["migrations"]

    def start_migration(self, *options):
        """From a to b, slowly; returns virsh's process once it is in pre-copy and b mirrors the port."""
        process = self.a.background("migration", *self.a.migrate_words(self.guest, self.b, *SLOW, *options))
        self.eventually("pre-copy, and the mirror on the destination", lambda: self.b.mirrored(self.guest) and
                        self.a.copies_memory(self.guest))
        self.assertIsNone(process.poll(), "the migration was too quick to disturb")
        return process

    def finish(self, process, ends_well=True):
        status = process.wait(120)
        self.a.processes.pop("migration", None)
        self.assertEqual(status == 0, ends_well, f"see {self.a.log_of('migration')}")


class InARow(MigrateTest):

    def test_no_frame_is_lost_over_migrations_in_a_row(self):
        source, to = self.a, self.b
        for number in range(MIGRATIONS):
            with self.subTest(migration=number, to=to.name):
                self.cluster.migrate(self.guest, source, to)
                self.counted(to, number + 1)
            source, to = to, source
        self.settled(source)
        account = self.nothing_missing()
        self.assertGreater(account["peer_frames"], MIGRATIONS * 50)
        self.assertEqual((account["connections"], account["closed"]), (1, 0), "its TCP connection broke")

        for host in (self.a, self.b):
            self.counted(host, MIGRATIONS)
            records = self.records(host)
            self.assertEqual([(r["vm"], r["gap_frames"], r["gap_ms"]) for r in records],
                             [(self.guest.name, 0, 0)] * MIGRATIONS, self.notes(records))
            for record in records:
                self.check_order(record)

    def counted(self, host, count):
        """Waits for a record that is complete: the counters of the destination are read after a second
        there, so that a guest that goes on sooner has an unknown gap."""
        def known():
            records = self.records(host)
            return len(records) == count and records[-1]["gap_frames"] is not None
        try:
            w.wait_for("a complete record", known, 15)
        except w.Failed as error:
            self.fail(f"{error}: {self.notes(self.records(host))}")

    def check_order(self, record):
        for earlier, later in (("port_added", "mirror_active"), ("mirror_active", "suspended"),
                               ("suspended", "resumed"), ("resumed", "first_frame"),
                               ("suspended", "mirror_removed"), ("last_frame", "mirror_removed")):
            with self.subTest(record["id"], earlier=earlier, later=later):
                self.assertLessEqual(seconds(record, earlier), seconds(record, later) + SLACK)


class Selected(MigrateTest):
    """By what only libvirt knows."""

    policy = ("policy: watch\nselect: [{vm: resident}, {vm: 'named-*'}, {title: 'The pump *'}, "
              "{labels: {role: pump}}]\ntargets: [local]\n")
    kinds = {"test_by_title": {"title": "The pump station"},
             "test_by_label_of_its_metadata": {"metadata": METADATA.format(role="pump")}}

    def make_guest(self, name, number):
        kind = self.kinds.get(self._testMethodName)
        return c.Guest("other", number, **kind) if kind else c.Guest("named-1", number)

    def there(self):
        """It boots for seconds before its first frame, by when its name is known."""
        self.cluster.migrate(self.guest, self.a, self.b)
        self.settled(self.b)
        self.nothing_missing()

    def test_by_name(self):
        self.there()

    def test_by_title(self):
        self.there()

    def test_by_label_of_its_metadata(self):
        self.there()


    def test_by_the_name_that_a_migration_gives_it(self):
        """libvirt renames no running guest, but a migration can."""
        self.cluster.migrate(self.guest, self.a, self.b, "--dname", "other")
        self.eventually("no mirror for `other`", lambda: self.b.daemon.in_sync() and
                        self.b.ports_of(self.guest) and not self.b.mirrored(self.guest))
        self.cluster.migrate(self.guest, self.b, self.a, "--dname", "named-2")
        self.settled(self.a)


class Disturbed(MigrateTest):

    def test_an_aborted_migration_leaves_the_source_as_it_was(self):
        process = self.start_migration()
        self.a.virsh("domjobabort", self.guest.uuid)
        self.finish(process, ends_well=False)
        self.settled(self.a)
        self.nothing_missing()
        self.record(self.a, "aborted")

    def test_an_abort_that_only_the_source_can_know_of(self):
        process = self.start_migration()
        self.b.kill(self.b.name)  # Its agent: who told the source's, in the test before.
        self.a.virsh("domjobabort", self.guest.uuid)
        self.finish(process, ends_well=False)
        try:
            self.eventually("an aborted migration", lambda: self.records(self.a) and
                            self.records(self.a)[-1]["state"] == "aborted", 20)
        finally:
            self.b.daemon.start()
        self.settled(self.a)
        self.nothing_missing()
        self.record(self.a, "aborted")

    def test_a_destination_that_dies_leaves_the_source_as_it_was(self):
        process = self.start_migration()
        os.kill(self.b.qemu_pid(self.guest), signal.SIGKILL)
        self.finish(process, ends_well=False)
        self.settled(self.a)
        self.nothing_missing()
        self.record(self.a, "aborted")

    def test_post_copy(self):
        try:
            process = self.start_migration("--postcopy")
        except (AssertionError, w.Failed):
            with open(self.a.log_of("migration"), encoding="utf-8") as log:
                raise unittest.SkipTest(f"post-copy is not to be had here: {log.read().strip()[-200:]}") from None
        try:
            self.a.virsh("migrate-postcopy", self.guest.uuid)
        except w.Failed as error:
            self.a.virsh("domjobabort", self.guest.uuid, check=False)
            process.wait(60)
            raise unittest.SkipTest(f"post-copy is not to be had here: {error}") from None
        self.finish(process)
        self.settled(self.b)
        self.nothing_missing()
        self.assertTrue(self.record(self.a, "done")["source"]["postcopy"])

    def test_a_guest_that_is_paused_migrates_paused_and_is_mirrored(self):
        self.a.virsh("suspend", self.guest.uuid)
        process = self.start_migration()
        self.finish(process)
        self.eventually("the guest paused on b", lambda: self.b.state(self.guest) == "paused" and
                        self.one_at_home(self.guest))
        self.b.virsh("resume", self.guest.uuid)
        self.settled(self.b)
        self.nothing_missing()

    def test_a_nic_that_is_plugged_in_and_out(self):
        mac = f"52:54:00:00:09:{self.number:02x}"
        path = os.path.join(self.a.directory, "nic.xml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(self.guest.nic_xml(mac))
        self.a.virsh("attach-device", self.guest.uuid, path, "--live")
        self.eventually("two NICs, mirrored", lambda: len(self.a.ports_of(self.guest)) == 2 and
                        self.a.mirrored(self.guest))
        self.cluster.migrate(self.guest, self.a, self.b)
        self.eventually("two NICs on b", lambda: len(self.b.ports_of(self.guest)) == 2)
        self.settled(self.b)
        self.b.virsh("detach-interface", self.guest.uuid, "bridge", "--mac", mac, "--live")
        self.eventually("one NIC", lambda: len(self.b.ports_of(self.guest)) == 1)
        self.settled(self.b)
        self.nothing_missing()

    def test_a_port_that_is_plugged_again(self):
        [port] = self.a.ports_of(self.guest)
        ids = self.a.vsctl("get", "Interface", port, "external_ids").strip("{}").split(", ")
        self.a.vsctl("del-port", port)
        self.a.vsctl("add-port", "br0", port, "--", "set", "Interface", port,
                     *(f"external_ids:{one}" for one in ids))
        self.settled(self.a)
        self.cluster.migrate(self.guest, self.a, self.b)
        self.settled(self.b)

    def test_libvirtd_is_restarted_in_the_middle(self):
        for host in (self.a, self.b):
            with self.subTest(restarted=host.name):
                process = self.start_migration()
                host.kill("libvirtd")
                process.kill()  # It waits for ever when the source's libvirtd is gone.
                process.wait()
                self.a.processes.pop("migration", None)
                host.start_libvirtd()
                self.eventually("no migration any more", lambda: not self.both_have_it(), 60)
                self.settled(self.cluster.where(self.guest))
                if self.cluster.where(self.guest) is self.b:
                    self.cluster.migrate(self.guest, self.b, self.a)
                    self.settled(self.a)
        self.nothing_missing()

    def both_have_it(self):
        return self.a.state(self.guest) and self.b.state(self.guest)


if __name__ == "__main__":
    system.main(__file__, c.unavailable)
