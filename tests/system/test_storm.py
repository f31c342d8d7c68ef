"""An event storm: guests started and stopped by libvirt as fast as it can. vmirrord keeps up, its memory
stays bounded, and it ends with the mirrors of what is there.

VMIRROR_STORM is the number of guests in all (20; `./run soak` makes it 500). They are real QEMU processes
with a NIC on br0, stopped before their first instruction and without a kernel, so that a storm is of
events and not of their boots. BATCH of them are up at a time.
"""

import os
import time

import cluster as c
import system

GUESTS = int(os.environ.get("VMIRROR_STORM", "20"))
BATCH = 10
#: KiB that vmirrord may grow by between the first batch's end and the last one's: what its threads' heaps
#: differ by from one moment to the next, and 4 for each guest since then, of which it keeps a row for an hour
#: (1 to 2 were measured).
GROWTH = 1024 + 4 * max(0, GUESTS - BATCH)


class Storm(c.ClusterTest):
    hosts = ("hosta",)
    policy = "policy: watch\nselect: [{vm: resident}, {vm: 'storm-*'}]\ntargets: [local]\n"

    def heap_kib(self):
        """Of vmirrord: its resident memory without its program and the ring, which are files'."""
        with open(f"/proc/{self.a.processes[self.a.name].pid}/status", encoding="ascii") as status:
            [kib] = [int(line.split()[1]) for line in status if line.startswith("RssAnon:")]
        return kib

    def mirrored_ports(self):
        mirrors = [m for rows in self.a.mirrors().values() for m in rows]
        self.assertLessEqual(len(mirrors), 1, "a mirror is doubled")
        return mirrors[0]["select_src_port"] if mirrors else []

    def paths(self, numbers):
        out = []
        for number in numbers:
            guest = c.Guest(f"storm-{number}", 1000 + number)
            mac = f"52:54:00:01:{number // 256:02x}:{number % 256:02x}"
            out.append((guest.name, self.a.keep_xml(guest, guest.silent_xml(guest.nic_xml(mac)))))
        return out

    def test_guests_come_and_go_in_a_storm(self):
        sizes, seen = [], 0
        began = time.monotonic()
        for first in range(0, GUESTS, BATCH):
            batch = self.paths(range(first, min(first + BATCH, GUESTS)))
            half = batch[:len(batch) // 2]
            # One half waits to be seen as mirrored; the other is gone before anybody looked.
            self.a.virsh("; ".join(f"create {path} --paused" for _, path in half), timeout=300)
            self.eventually("the guests' ports in the mirror",
                            lambda n=len(half): len(self.mirrored_ports()) == n + 1)
            seen += len(half)
            for name, path in batch[len(half):]:
                self.a.virsh(f"create {path} --paused; destroy {name}", timeout=60)
            self.a.virsh("; ".join(f"destroy {name}" for name, _ in half), timeout=300)
            self.eventually("the resident guest's port alone", lambda: self.mirrored_ports() == ["vnet-resident"])
            sizes.append(self.heap_kib())
        self.assertTrue(self.a.daemon.in_sync())
        self.eventually("no session but the resident's", lambda: list(self.a.daemon.sessions()) ==
                        ["vnet-resident@local"])
        self.eventually("no guest of the storm that is still here", lambda: not [
            one for one in self.a.daemon.ask("locations")["locations"]
            if (one["vm"] or "").startswith("storm-") and one["presence"] != "gone"])
        print(f"{GUESTS} guests in {time.monotonic() - began:.0f} s, {seen} of them seen mirrored; "
              f"vmirrord's own memory {sizes[0]} -> {sizes[-1]} KiB, most {max(sizes)}")
        self.assertLess(max(sizes) - sizes[0], GROWTH, sizes)
        status = self.a.daemon.ask("status")
        self.assertEqual((status["libvirt"]["guests"], status["libvirt"]["events_lost"]), (0, 0))
        self.assertEqual([limit for limit in status["limits"] if limit["overflow"]], [])


if __name__ == "__main__":
    system.main(__file__, c.unavailable)
