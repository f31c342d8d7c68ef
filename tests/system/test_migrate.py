"""Live migrations of a real guest between two hosts: monitoring goes with it, without losing a frame.

VMIRROR_MIGRATIONS is the number of migrations in a row (20).
"""

import os

import cluster as c
import system

MIGRATIONS = int(os.environ.get("VMIRROR_MIGRATIONS", "20"))


class Migrate(c.ClusterTest):

    def test_no_frame_is_lost_over_migrations_in_a_row(self):
        guest = c.Guest("g1", 1)
        self.cluster.start_guest(guest, self.a)
        self.addCleanup(self.cluster.end_guest, guest)
        source, to = self.a, self.b
        for number in range(MIGRATIONS):
            with self.subTest(migration=number, to=to.name):
                self.cluster.migrate(guest, source, to)
            source, to = to, source
        self.eventually("the guest on one host", lambda: self.one_at_home(guest))
        account = self.cluster.account(guest)
        print(account)
        self.assertEqual(account["recorder_lost"], 0)
        self.assertGreater(account["peer_frames"], MIGRATIONS * 50)
        self.assertEqual(account["missing"], 0, account)
        self.assertEqual((account["connections"], account["closed"]), (1, 0), "its TCP connection broke")


if __name__ == "__main__":
    system.main(__file__, c.unavailable)
