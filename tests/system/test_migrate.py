"""Live migrations of a real guest between two hosts: monitoring goes with it, without losing a frame, and
the record says so. However a migration ends, the mirrors are where the guest is and nowhere else.

VMIRROR_MIGRATIONS is the number of migrations in a row (20).
"""

import functools
import os
import signal
import time
import unittest

import cluster as c
import system
import world as w
from records import out_of_order, seconds, times

MIGRATIONS = int(os.environ.get("VMIRROR_MIGRATIONS", "20"))
#: MiB/s: the guest's memory takes a second or more, so that there is time to disturb.
SLOW = ("--bandwidth", "8")
METADATA = ('<metadata><v:guest xmlns:v="urn:vmirror:guest:1"><v:label key="role" value="{role}"/></v:guest>'
            "</metadata>")


def once_more(test):
    """The test, and again with another guest where QEMU lost this one: nothing was to be seen of it any more."""
    @functools.wraps(test)
    def wrapped(self):
        try:
            return test(self)
        except (w.Failed, AssertionError) as error:
            if not isinstance(error, c.GuestHangs) and not self.guest.panicked(self.cluster.directory):
                raise
            print(f"{error}; once more")
        self.doCleanups()
        self.setUp()
        return test(self)
    return wrapped


class MigrateTest(c.ClusterTest):
    """A guest `guest` that talks on host a at each test's begin, and is gone at its end."""

    number = 0

    def __init_subclass__(cls, **more):
        super().__init_subclass__(**more)
        for name, test in list(vars(cls).items()):
            if name.startswith("test_"):
                setattr(cls, name, once_more(test))

    def setUp(self):
        type(self).number += 1
        self.guest = self.make_guest(f"g{self.number}", self.number)
        self.addCleanup(self.cluster.end_guest, self.guest)
        self.start_guest()

    def start_guest(self):
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
        account = {}

        def enough():
            account.update(self.cluster.account(self.guest, since))
            return account["peer_frames"] > 50
        self.eventually("frames that the peer saw", enough)
        print(account)
        self.assertEqual(account["recorder_lost"], 0)
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

    def told(self, state, count=1):
        """The newest record as both hosts have it; what it lacks must be explained in it."""
        for host in (self.a, self.b):
            record = self.record(host, state, count)
            self.assertTrue(record["gap_frames"] == 0 or record["notes"], (host.name, self.notes([record])))
        return record

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
        if ends_well and process.poll() is None:
            self.a.hurry(self.guest)
        status = process.wait(120)
        self.a.processes.pop("migration", None)
        self.assertEqual(status == 0, ends_well, f"see {self.a.log_of('migration')}")


class InARow(MigrateTest):

    def test_no_frame_is_lost_over_migrations_in_a_row(self):
        source, to = self.a, self.b
        for number in range(MIGRATIONS):
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
                self.assertEqual(out_of_order(record), [], record)
            # Of its frames the recorders know the numbered ones alone, and the records all.
            self.assertLessEqual(account["duplicates"], sum(r["duplicates"] for r in records), account)
            self.check_told(host, records)

    def check_told(self, host, records):
        """The same by the other two ways: EVE and metrics."""
        def events():
            return [e["migration"] for e in host.events("migration") if e["migration"]["vm"] == self.guest.name]
        self.eventually("all in EVE", lambda: len(events()) >= MIGRATIONS)
        self.assertEqual(events(), records)
        if self.number > 1:
            return  # The metrics have also those of the guest before.
        wanted = {'vmirror_migrations_total{state="done"}': MIGRATIONS,
                  "vmirror_migration_duplicates_total": sum(r["duplicates"] for r in records),
                  "vmirror_migration_downtimes_total": MIGRATIONS}
        for record in records:
            handover = f'vmirror_migration_handovers_total{{state="{record["handover"]["state"]}"}}'
            wanted[handover] = wanted.get(handover, 0) + 1
        # None of the others counted anything: a gap, one that is not known, another end.
        told = {name: number for name, number in host.metrics().items()
                if name.startswith("vmirror_migration") and number}
        self.assertEqual({k: v for k, v in told.items() if k != "vmirror_migration_downtime_seconds_total"},
                         {k: v for k, v in wanted.items() if v})

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


class Selected(MigrateTest):
    """By what only libvirt knows."""

    policy = ("policy: watch\nselect: [{vm: resident}, {vm: 'named-*'}, {title: 'The pump *'}, "
              "{labels: {role: pump}}, {network: ot}]\ntargets: [local]\n")
    kinds = {"test_by_title": {"title": "The pump station"},
             "test_by_label_of_its_metadata": {"metadata": METADATA.format(role="pump")}}

    def start_guest(self):
        if "silent" not in self._testMethodName:
            super().start_guest()

    def make_guest(self, name, number):
        if "silent" in self._testMethodName:
            return c.Guest("other", number)
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
        self.unmirrored(self.b)
        self.record(self.a, "done")
        self.cluster.migrate(self.guest, self.b, self.a, "--dname", "named-2")
        self.settled(self.a)
        self.nothing_missing(time.time())
        self.assertIn("no policy selects the guest on hostb: it was not mirrored there", self.told("done", 2)["notes"])

    def unmirrored(self, host):
        """It is there, its agent knows what it is called, and no mirror is asked for."""
        self.eventually("no mirror for `other`", lambda: host.daemon.in_sync() and host.ports_of(self.guest) and
                        host.presence(self.guest, "other") and not host.mirrored_macs(self.guest))

    def test_by_label_that_a_silent_guest_is_given_while_it_runs(self):
        """In the words of docs/OPERATING.md."""
        self.a.virsh("define", self.a.keep_xml(self.guest, self.guest.silent_xml()))
        self.addCleanup(self.a.virsh, "undefine", self.guest.uuid)
        self.a.virsh("start", "--paused", self.guest.uuid)
        self.unmirrored(self.a)
        words = ("metadata", self.guest.uuid, "--uri", "urn:vmirror:guest:1")
        self.a.virsh(*words, "--key", "vmirror", "--set", '<guest><label key="role" value="pump"/></guest>',
                     "--live", "--config")
        self.eventually("its mirror", lambda: self.a.mirrored(self.guest))
        self.a.virsh(*self.a.migrate_words(self.guest, self.b))
        self.eventually("the label went with it", lambda: self.one_at_home(self.guest))
        self.b.virsh(*words, "--remove", "--live")
        self.unmirrored(self.b)

    def test_by_network_the_one_nic_of_a_silent_guest_that_is_on_it(self):
        on_network, on_bridge = "52:54:00:00:0a:01", "52:54:00:00:0a:02"
        for host in (self.a, self.b):
            path = os.path.join(host.directory, "ot.xml")
            with open(path, "w", encoding="utf-8") as out:
                out.write(c.NETWORK.format(network="ot"))
            host.virsh("net-create", path)
            self.addCleanup(host.virsh, "net-destroy", "ot")
            self.addCleanup(self.cluster.end_guest, self.guest)  # Before its network.
        self.a.start_silent(self.guest, "--paused", nics=self.guest.nic_xml(on_bridge) +
                            self.guest.nic_xml(on_network, "ot"))
        for to in (self.a, self.b):
            if to is self.b:
                self.a.virsh(*self.a.migrate_words(self.guest, self.b))
            self.eventually(f"two NICs on {to.name}", lambda at=to: sorted(at.presence(self.guest)) ==
                            [on_network, on_bridge])
            self.eventually("a mirror of one", lambda at=to: at.daemon.in_sync() and
                            at.mirrored_macs(self.guest) == [on_network])


class Disturbed(MigrateTest):

    def presence(self):
        """Of the guest's NIC on a and on b."""
        return [host.presence(self.guest).get(self.guest.mac) for host in (self.a, self.b)]

    def test_an_aborted_migration_leaves_the_source_as_it_was(self):
        self.assertEqual(self.presence(), ["active", None])
        process = self.start_migration()
        self.assertEqual(self.presence(), ["active", "incoming"])
        self.a.virsh("domjobabort", self.guest.uuid)
        self.finish(process, ends_well=False)
        self.settled(self.a)
        self.nothing_missing()
        self.told("aborted")
        self.assertEqual(self.presence(), ["active", "gone"])

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
        self.told("aborted")

    def test_a_destination_that_dies_leaves_the_source_as_it_was(self):
        process = self.start_migration()
        os.kill(self.b.qemu_pid(self.guest), signal.SIGKILL)
        self.finish(process, ends_well=False)
        self.settled(self.a)
        self.nothing_missing()
        self.told("aborted")

    def test_frames_that_a_network_floods_are_counted_as_duplicates(self):
        """The hosts' network is a hub, and their switches learn nothing: what the peer sends comes to both."""
        hub = ("ip", "link", "set", self.cluster.wire, "type", "bridge", "ageing_time")
        w.run(*hub, 0)
        self.addCleanup(w.run, *hub, 30000)
        for host in (self.a, self.b):
            host.vsctl("set", "Bridge", "br0", "flood-vlans=0")
            self.addCleanup(host.vsctl, "clear", "Bridge", "br0", "flood-vlans")
            host.run("ovs-ofctl", "mod-port", "br0", "vnet-resident", "no-flood")
            self.addCleanup(host.run, "ovs-ofctl", "mod-port", "br0", "vnet-resident", "flood")
        # Not the guest's own: b's port would count them as received, and no engine can tell that they were
        # not meant for it (agent/control/affinity/frame_ledger.hpp).
        own = f"in_port=uplink,dl_src={self.guest.mac}"
        self.b.run("ovs-ofctl", "add-flow", "br0", f"priority=9,{own},actions=drop")
        self.addCleanup(self.b.run, "ovs-ofctl", "del-flows", "br0", own)

        process = self.start_migration()
        self.eventually("many frames on both hosts", lambda: self.copies(self.b) > 300)
        self.finish(process)
        self.settled(self.b)
        account = self.nothing_missing()
        record = self.told("done")
        self.assertEqual(record["gap_frames"], 0, record)
        ran_there = seconds(record, "resumed")
        twice = self.copies(self.b, ran_there)
        print(f"duplicates: {twice} before it ran on b; the record has {record['destination']['duplicates']}")
        self.assertGreater(account["duplicates"], 200)
        # The engine is read each 250 ms, and has frames of others than the recorder, too: ARP and TCP.
        self.assertGreaterEqual(record["destination"]["duplicates"], self.copies(self.b, ran_there - 1))
        self.assertLess(record["destination"]["duplicates"], 1.5 * twice)

    def copies(self, host, until=float("inf")):
        """Frames to the guest that were recorded there before that time."""
        return sum(at < until for at in times(host.recording, self.guest.address, kinds=("VMP",)))

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
        self.assertTrue(self.told("done")["source"]["postcopy"])

    def test_a_guest_that_is_paused_migrates_paused_and_is_mirrored(self):
        self.a.virsh("suspend", self.guest.uuid)
        process = self.start_migration()
        self.finish(process)
        self.eventually("the guest paused on b", lambda: self.b.state(self.guest) == "paused" and
                        self.one_at_home(self.guest))
        self.b.virsh("resume", self.guest.uuid)
        self.settled(self.b)
        self.nothing_missing()
        self.told("done")

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
        self.told("done")
        self.assertEqual(self.b.presence(self.guest), {self.guest.mac: "active", mac: "gone"})

    def test_a_port_that_is_plugged_again(self):
        [port] = self.a.ports_of(self.guest)
        ids = self.a.vsctl("get", "Interface", port, "external_ids").strip("{}").split(", ")
        self.a.vsctl("del-port", port)
        self.a.vsctl("add-port", "br0", port, "--", "set", "Interface", port,
                     *(f"external_ids:{one}" for one in ids))
        self.settled(self.a)
        plugged = time.time()
        self.cluster.migrate(self.guest, self.a, self.b)
        self.settled(self.b)
        self.nothing_missing(plugged)
        self.told("done")

    @staticmethod
    def libvirt(host):
        """What the host's agent says of its libvirtd."""
        return host.daemon.ask("status")["libvirt"]

    def libvirt_is(self, host, state, error, connections):
        """Waits until it says so; `error` is a part of it. A libvirtd that hangs is given up after 6 s."""
        seen = {}

        def right():
            seen.update(self.libvirt(host))
            return (seen["state"] == state and error in (seen["error"] or "") and bool(seen["error"]) == bool(error)
                    and seen["connections"] >= connections)
        try:
            w.wait_for(f"libvirtd {state}", right)
        except w.Failed as failed:
            self.fail(f"{failed}: {seen}")
        self.assertEqual(host.metrics()["vmirror_hypervisor_up"], state == "connected")

    def test_a_libvirtd_that_hangs_is_given_up_and_asked_again_for_all(self):
        gone, came = c.Guest("gone", 201), c.Guest("came", 202)
        self.a.start_silent(gone, "--paused")
        self.addCleanup(self.cluster.end_guest, came)
        self.eventually("the guest `gone`", lambda: self.a.presence(gone) == {gone.mac: "active"})
        connections = self.libvirt(self.a)["connections"]
        self.libvirt_is(self.a, "connected", "", connections)
        libvirtd = self.a.processes["libvirtd"]
        libvirtd.send_signal(signal.SIGSTOP)
        try:
            self.libvirt_is(self.a, "unreachable", "libvirtd does not answer", connections)
            self.assertTrue(self.a.mirrored(self.guest))
            os.kill(self.a.qemu_pid(gone), signal.SIGKILL)
            creating = self.a.background("creating", "create", self.a.keep_xml(came, came.silent_xml()), "--paused")
        finally:
            libvirtd.send_signal(signal.SIGCONT)
        self.assertEqual(creating.wait(30), 0, f"see {self.a.log_of('creating')}")
        self.libvirt_is(self.a, "connected", "", connections + 1)
        # The switch has no names: that it knows this one is libvirt's word.
        self.eventually("what happened meanwhile", lambda: (self.a.presence(gone), self.a.presence(came)) ==
                        ({gone.mac: "gone"}, {came.mac: "active"}))
        self.settled(self.a)
        self.nothing_missing()

    def test_libvirtd_is_restarted_in_the_middle(self):
        for host in (self.a, self.b):
            with self.subTest(restarted=host.name):
                connections = self.libvirt(host)["connections"]
                before = len(self.records(self.a))
                process = self.start_migration()
                host.kill("libvirtd")
                self.eventually("the agent to see it", lambda at=host: self.libvirt(at)["state"] == "unreachable")
                process.kill()  # It waits for ever when the source's libvirtd is gone.
                process.wait()
                self.a.processes.pop("migration", None)
                host.start_libvirtd()
                self.eventually("no migration any more", lambda: not self.both_have_it(), 60)
                self.settled(self.cluster.where(self.guest))
                self.libvirt_is(host, "connected", "", connections + 1)
                record = self.told("done" if self.cluster.where(self.guest) is self.b else "aborted", before + 1)
                self.assertRegex("; ".join(record["notes"]), f"libvirt on {host.name} (is|was) not reachable")
                if self.cluster.where(self.guest) is self.b:
                    self.cluster.migrate(self.guest, self.b, self.a)
                    self.settled(self.a)
        self.nothing_missing()

    def both_have_it(self):
        return self.a.state(self.guest) and self.b.state(self.guest)


if __name__ == "__main__":
    system.main(__file__, c.unavailable)
