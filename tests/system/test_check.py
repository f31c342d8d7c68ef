"""`vmirror check` where the monitor interface is not as it should be."""

import system


def finding(answer, check):
    return next(f for f in answer["findings"] if f["id"] == check)


class MonitorNic(system.SystemTest):
    with_collector = True

    def test_an_offload_that_merges_frames_is_named_with_its_command(self):
        collector = system.collector_daemon(self.world).start()

        def told(offload):
            self.world.in_machine("collector", "ethtool", "-K", "eth0", "gro", offload)
            return finding(collector.ask("check"), "monitor-nic")
        on = told("on")
        self.assertEqual(on["verdict"], "warn", on)
        self.assertEqual(on["evidence"], "eth0: merges frames by generic-receive-offload")
        self.assertIn("`ethtool -K eth0 generic-receive-offload off`", on["remedy"])
        off = told("off")
        self.assertEqual(off["verdict"], "not told", off)
        self.assertIn("ring not available: the driver veth has none to tell of", off["evidence"])
        self.assertIn("no offload merges frames", off["evidence"])
        self.assertIn("0 frames missed", off["evidence"])


if __name__ == "__main__":
    system.main(__file__)
