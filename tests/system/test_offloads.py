"""Guests with the offloads that they have by default, as on every real host: their frames reach the switch,
and the mirror, as up to 64 KiB at once and with checksums that the NIC would finish. That is no fault of the
mirror, and what the engine makes of it is right. The userspace datapath drops such frames, or passes them on
without their checksums; so this runs on the kernel's."""
# datapaths: kernel

import os
import re
import sys

import system
import world as w

POLICY = 'policy: watch\nselect: [{vm: plc}]\ntargets: [local]\n'
MEGABYTES = 20
SESSION = "vnet-plc@local"


def largest_frame(log):
    """Bytes of the largest frame that tcpdump wrote down, and how many had no checksum yet."""
    with open(log, encoding="utf-8", errors="replace") as text:
        lines = text.read()
    return (max([int(n) for n in re.findall(r"length (\d+): ", lines)] or [0]),
            len(re.findall(r"cksum 0x\w+ \(incorrect", lines)))


class Offloads(system.SystemTest):
    default_offloads = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.world.serve("plc", "bulk")
        cls.host = system.host_daemon(cls.world, local={})  # As somebody who sets nothing.
        cls.host.write_policy("watch", POLICY)
        cls.host.start()

    def setUp(self):
        self.eventually("the mirror", lambda: self.world.mirrors() and self.host.in_sync())

    def flow(self):
        """The newest of plc's bulk flows: bytes from the client, and all of it."""
        flows = [f for f in self.host.ask("flows")["flows"] if f["server"].get("port") == 5001]
        return max(flows, key=lambda f: f["last"], default=None)

    def sent(self, flow):
        """Bytes that the sender of the bulk sent."""
        return flow["client"]["bytes"]

    def test_large_copies_are_counted_right(self):
        tap = self.world.spawn("tcpdump", "tcpdump", "--immediate-mode", "-l", "-n", "-e", "-vv", "-i", "vmr-br0",
                               "tcp", "port", "5001")
        self.eventually("tcpdump", lambda: "listening on" in self.world.run("cat", self.world.log_of("tcpdump")))
        self.world.traffic("web", "bulk", w.GUESTS["plc"][0], MEGABYTES)
        tap.terminate()
        tap.wait(20)
        length, unfinished = largest_frame(self.world.log_of("tcpdump"))
        print(f"largest copy {length} bytes, {unfinished} with an unfinished checksum", file=sys.stderr)
        self.assertGreater(length, 10000, "the guests' frames were small: this test tests nothing")
        self.assertGreater(unfinished, 0, "all checksums were finished: this test tests nothing")
        flow = self.eventually("the flow", lambda: (f := self.flow()) and self.sent(f) >= MEGABYTES << 20 and f)
        # Headers of the large frames come to little, and nothing is counted twice.
        self.assertLess(self.sent(flow), (MEGABYTES << 20) * 1.05)

    def test_nothing_calls_them_a_fault(self):
        def complete():
            rows = self.host.ask("status")["coverage"]
            return [row["ratio"] for row in rows] == [1.0] and rows[0]["counted"] > 100 and \
                self.host.sessions() == {SESSION: "active"}

        def bulk():
            self.world.traffic("web", "bulk", w.GUESTS["plc"][0], 2, 1)
            return w.wait_for("full coverage", complete, 7)
        self.eventually("coverage of 1 and an active session", bulk, 60)
        status = self.host.ask("status")
        self.assertEqual(status["frames"]["dropped"], {})
        self.assertEqual([i.get("warnings", []) for i in status["inputs"]], [[]])
        [session] = self.host.ask("sessions")["sessions"]
        self.assertEqual(session.get("warnings", []), [])

    def test_a_killed_switch_goes_on_copying_running_flows(self):
        bulk = self.world.spawn("bulk", sys.executable, os.path.join(w.HERE, "traffic.py"), "bulk",
                                w.GUESTS["plc"][0], "60", "1", netns="web")
        before = self.sent(self.eventually("the flow", self.flow))
        self.eventually("copies", lambda: self.sent(self.flow()) > before + (1 << 20))
        self.world.kill("ovs-vswitchd")
        try:
            killed = self.sent(self.flow())
            self.eventually("copies by the kernel alone", lambda: self.sent(self.flow()) > killed + (4 << 20), 60)
            self.assertIsNone(bulk.poll())
        finally:
            self.world.start_vswitchd()
            self.world.kill("bulk")


if __name__ == "__main__":
    system.main(__file__)
