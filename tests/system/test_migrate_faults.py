"""Parts that are killed during a migration: on either host, at each of its steps. Afterwards the guest is
monitored within a second of the part's return, nothing of ours is left over, and the record says what
was lost.

VMIRROR_FAULTS is a regular expression that chooses from the whole matrix, `agent of hostb` or `.` for all
of it (`./run soak`); without it a short selection runs.
"""

import itertools
import os
import re
import subprocess
import time

import cluster as c
import records
import system
import world as w
from test_migrate import SLOW

PARTS = ("agent", "libvirtd", "ovs-vswitchd", "ovsdb-server")
STEPS = ("before the port", "pre-copy", "switch-over", "after")
SHORT = """agent of hostb, before the port|agent of hosta, switch-over|agent of hostb, pre-copy|
libvirtd of hosta, pre-copy|ovs-vswitchd of hostb, pre-copy|ovsdb-server of hostb, pre-copy|
libvirtd of hostb, switch-over|ovsdb-server of hosta, after""".replace("\n", "")
CHOSEN = os.environ.get("VMIRROR_FAULTS", SHORT)
CASES = [case for case in itertools.product(PARTS, ("hosta", "hostb"), STEPS)
         if re.search(CHOSEN, "{} of {}, {}".format(*case))]
#: What a record says of frames that were lost with a part, unless its gap has them.
LOST = {"agent": r"the agent on \w+ was down", "libvirtd": r"libvirt on \w+ (was|is) not reachable",
        "ovs-vswitchd": r"copies come out on \w+ was down|mirrors on \w+ were not all in place",
        "ovsdb-server": r"the switch on \w+ could not be read"}
#: Seconds from a part's return to the guest's next recorded frame, and from an agent's to mirrors that are
#: as the policy says; more where other tests run beside. Counted from the guest's first frame that the
#: switch forwards again: Open vSwitch's userspace datapath forwards nothing until ovs-vswitchd is connected
#: to ovsdb-server, to which it comes back after 1, 2 or 4 s.
WITHIN = 5.0 if CHOSEN == SHORT else 1.0
DOWN = 0.3


class Faults(c.ClusterTest):

    def setUp(self):
        self.guest = None

    def tearDown(self):
        if self.guest:
            self.cluster.end_guest(self.guest)

    # ---- The parts ----

    def kill(self, part, host):
        host.kill(host.name if part == "agent" else part)

    def bring_back(self, part, host):
        """Starts it again; returns the time at which it answered."""
        {"agent": host.daemon.start, "libvirtd": host.start_libvirtd, "ovs-vswitchd": host.start_vswitchd,
         "ovsdb-server": host.start_database}[part]()
        return time.time()

    # ---- A case ----

    def home(self, number):
        """A guest that talks on host a: the one of the case before, where it is still well."""
        if self.guest and self.cluster.where(self.guest) is self.b and self.b.state(self.guest) == "running":
            self.b.virsh(*self.b.migrate_words(self.guest, self.a), timeout=60, check=False)
        if self.guest and not (self.a.state(self.guest) == "running" and self.one_at_home(self.guest)):
            self.cluster.end_guest(self.guest)
            self.clear_what_libvirt_left()
            self.guest = None
        if not self.guest:
            self.guest = c.Guest(f"g{number}", number)
            self.cluster.start_guest(self.guest, self.a)
        self.eventually("the guest mirrored on a", lambda: self.a.mirrored(self.guest), 10)

    def clear_what_libvirt_left(self):
        """libvirt does not come back to a port that it could not delete."""
        for host in (self.a, self.b):
            for port in host.ports_of(self.guest):
                host.vsctl("--if-exists", "del-port", port)

    def until_suspended(self):
        """Returns when libvirt tells that the guest stopped on the source."""
        words = [*map(str, self.a.prefix), "virsh", "-q", "-c", "qemu:///system", "event", "--event",
                 "lifecycle", "--timeout", "60", "--loop"]
        return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)

    def migrate_with_fault(self, part, host, step):
        """Returns the time of the part's return."""
        words = self.a.migrate_words(self.guest, self.b, *(SLOW if step == "pre-copy" else ()))
        events = self.until_suspended() if step == "switch-over" else None
        if step == "before the port":
            self.kill(part, host)
        migration = self.a.background("migration", *words)
        if step == "pre-copy":
            w.wait_for("pre-copy", lambda: migration.poll() is not None or
                       self.a.copies_memory(self.guest) and self.b.ports_of(self.guest), 30)
        elif step == "switch-over":
            for line in events.stdout:
                if re.search("Suspended|Stopped", line):
                    break
        elif step == "after":
            migration.wait(60)
        if step != "before the port":
            self.kill(part, host)
        if events:
            events.kill()
            events.wait()
            events.stdout.close()
        time.sleep(DOWN)
        back = self.bring_back(part, host)
        if part == "agent":
            w.wait_for("the agent in sync", host.daemon.in_sync, 20)
            self.synced = time.time() - back
        try:
            migration.wait(20)
        except subprocess.TimeoutExpired:
            self.a.virsh("domjobabort", self.guest.uuid, check=False)
            migration.kill()  # virsh waits for a libvirtd that is another one now.
            migration.wait()
        self.a.processes.pop("migration", None)
        return back

    def test_parts_that_are_killed(self):
        for number, (part, name, step) in enumerate(CASES, 1):
            with self.subTest(part=part, host=name, step=step):
                self.home(number)
                host = self.cluster.hosts[name]
                self.synced = 0.0
                before = {r["id"] for r in self.all_records()}
                began = time.time()
                back = self.migrate_with_fault(part, host, step)
                self.check(part, back, began, before, f"{part} of {name}, {step}")

    # ---- The end ----

    def all_records(self):
        return [r for host in (self.a, self.b)
                for r in host.daemon.ask("migrations", self.guest.uuid)["migrations"]]

    @staticmethod
    def received(host):
        return host.daemon.ask("status")["frames"]["received"]

    def recorded_after(self, moment):
        """The time of the guest's first frame in a recording from `moment` on, or None."""
        times = [at for host in (self.a, self.b)
                 for at in records.times(host.recording, self.guest.address) if at >= moment]
        return min(times, default=None)

    def forwarded_after(self, moment):
        """The time of the guest's first frame that the peer got from `moment` on, or None."""
        return records.first_from_guest(self.cluster.peer_log(self.guest), moment)

    def check(self, part, back, began, before, what):
        w.wait_for("the guest on one host, or on none", lambda: not (self.a.state(self.guest) and
                                                                    self.b.state(self.guest)), 30)
        home = self.cluster.where(self.guest)
        if home and home.state(self.guest) == "paused":
            home.virsh("resume", self.guest.uuid)  # libvirt leaves that to a person.
            back = time.time()
        again = None
        if home:
            first = self.eventually("a frame of the guest's in a recording",
                                    lambda: self.recorded_after(back), 20)
            self.eventually("the engine takes frames in", lambda: self.received(home) > 0, 10)
            forwarded = self.eventually("a frame of the guest's at the peer",
                                        lambda: self.forwarded_after(back), 20)
            again = max(first - forwarded, self.synced)
            self.eventually("the guest mirrored where it is", lambda: home.mirrored(self.guest), 10)
        self.clear_what_libvirt_left_elsewhere(home)
        self.no_orphans()
        account = self.cluster.account(self.guest, began) if home else None
        told = self.told(before, at_least=1 if home is self.b else 0)
        print(f"{what}: {'on ' + home.name if home else 'the guest is gone'}; "
              f"forwarding {home and round(forwarded - back, 3)} s after the return, monitored again after "
              f"{again if again is None else round(again, 3)} s; "
              f"missing {account and account['missing']} of {account and account['peer_frames']}; {told}",
              flush=True)
        if again is not None:
            self.assertLess(again, WITHIN, what)
        for _, gap, notes in told:
            self.assertTrue(notes or gap is not None, f"a gap that is not known, and no note says why: {what}")
        if account and account["missing"] and home is self.b:
            self.assertTrue(any(gap is None or gap >= account["missing"] or
                                any(re.search(LOST[part], note) for note in notes) for _, gap, notes in told),
                            f"{account['missing']} frames are missing and no record says so: {what}: {told}")
        # Frames that a switch floods, with nothing learned yet, can be a gap that nobody can explain
        # (agent/control/affinity/frame_ledger.hpp): asked of the whole matrix, where a person looks.
        for _, gap, notes in told if CHOSEN != SHORT else ():
            self.assertTrue(notes or not gap, f"a gap of {gap} frames, and no note says why: {what}")

    def clear_what_libvirt_left_elsewhere(self, home):
        for host in (self.a, self.b):
            if host is not home:
                for port in host.ports_of(self.guest):
                    host.vsctl("--if-exists", "del-port", port)

    def no_orphans(self):
        """On each host one mirror of ours, of exactly the ports that the policy selects; no port of ours
        that no mirror uses."""
        for host in (self.a, self.b):
            wanted = sorted(["vnet-resident", *host.ports_of(self.guest)])

            def right(host=host, wanted=wanted):
                mirrors = [m for rows in host.mirrors().values() for m in rows]
                ours = {row["name"] for row in host.rows("Port", "name", "external_ids")
                        if "vmirror-owner" in (row["external_ids"] or {})}
                return (len(mirrors) == 1 and mirrors[0]["select_src_port"] == wanted and
                        mirrors[0]["select_dst_port"] == wanted and
                        ours == set(mirrors[0]["output_port"]) and host.daemon.in_sync())
            self.eventually(f"one right mirror on {host.name}", right, 15)

    def told(self, before, at_least):
        """(state, gap, notes) of the records since then, once they have ended."""
        def ended():
            news = [r for r in self.all_records() if r["id"] not in before]
            if len(news) < at_least or any(r["state"] == "running" for r in news):
                raise w.Failed(f"there are {news}")
            return [True, news]
        _, news = self.eventually(f"{at_least} records or more that ended", ended, 40)
        return [(r["state"], r["gap_frames"], r["notes"]) for r in news]


if __name__ == "__main__":
    system.main(__file__, c.unavailable)
