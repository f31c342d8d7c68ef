"""What the numbers in copies tell a collector of loss: two sessions of one switch, a switch that starts
again."""
# versions: all
# datapaths: all

import os

import system
import world as w

TWO = ("policy: two\nselect: [{{vm: plc}}]\ntargets:\n"
       "  - erspan: {{address: {to}, version: 2, session: 41}}\n"
       "  - erspan: {{address: {to}, version: 3, session: 42}}\n").format(to=w.COLLECTOR_ADDRESS)
ONE = ("policy: one\nselect: [{{vm: plc}}]\n"
       "targets: [{{erspan: {{address: {to}, version: 2, session: 43}}}}]\n").format(to=w.COLLECTOR_ADDRESS)


class Numbers(system.SystemTest):
    with_collector = True

    def setUp(self):
        self.host = system.host_daemon(self.world).start()
        self.collector = system.collector_daemon(self.world).start()

    def tearDown(self):
        self.host.stop()
        self.collector.stop()
        for name in os.listdir(self.host.policies):
            os.remove(os.path.join(self.host.policies, name))

    def input(self):
        [one] = self.collector.ask("status")["inputs"]
        return one

    def copies(self, session):
        return next((s for s in self.input()["sessions"] if s["session"] == session), None)

    def talk_until(self, what, condition):
        def burst():
            self.world.talk()
            return condition()
        return self.eventually(what, burst, 60)

    def test_two_sessions_of_one_switch_show_no_loss(self):
        self.host.write_policy("two", TWO)
        self.talk_until("copies of both", lambda: all(
            (self.copies(session) or {"received": 0})["received"] > 100 for session in (41, 42)))
        [sender] = self.input()["senders"]
        self.assertEqual((sender["sender"], sender["encapsulation"], sender["sessions"], sender["rule"]),
                         (w.HOST_ADDRESS, "erspan", 2, "per sender"))
        self.assertEqual((sender["lost"], sender["duplicate"], sender["restarts"]), (0, 0, 0))
        for session in (41, 42):
            copies = self.copies(session)
            self.assertEqual((copies["rule"], copies["lost"]), ("per sender", None))

    def test_a_switch_that_starts_again_repeats_nothing(self):
        # Fewer copies than the numbers that the collector remembers, so that it sees them all again.
        self.host.write_policy("one", ONE)
        ping = ("hmi", "ping", w.GUESTS["plc"][0], 1)

        def some(more_than):
            self.world.traffic(*ping)
            return (self.copies(43) or {"received": 0})["received"] > more_than
        self.eventually("some copies", lambda: some(20), 60)
        before = self.copies(43)["received"]
        self.assertLess(before, 60)
        self.world.kill("ovs-vswitchd")
        self.world.start_vswitchd()
        self.world.raise_bridges()
        self.talk_until("copies as before", lambda: self.copies(43)["received"] > before + 200)
        copies = self.copies(43)
        self.assertEqual((copies["restarts"], copies["duplicate"], copies["lost"]), (1, 0, 0))


if __name__ == "__main__":
    system.main(__file__)
