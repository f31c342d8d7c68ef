"""vmirror-esxi-span when the host fails or the run is killed, at each of its calls in turn: what is left is mended by the
next run, and undone exactly."""

import copy
import shutil
import unittest

from host import BUSYBOX, SPAN, Host, configuration, group, world

ENABLE = ("enable", "--switch", "vSwitch0", "--apply")
FOUND = group(vlan=5, mac=False)
HOW = ("fail", "fail_stdout", "done_fail", "die_before", "die_after")


def found(state):
    state["groups"]["found"] = copy.deepcopy(FOUND)


def prepared(steps):
    """A host after these runs."""
    host = Host(world(found))
    for words in steps:
        code, out, _ = host.run(*words)
        assert code == 0, out
    return host


@unittest.skipUnless(BUSYBOX, "no busybox (Debian: busybox-static)")
class CutOff(unittest.TestCase):
    def sweep(self, steps, words, offset):
        """`words` after `steps`, with each of its calls failing in turn, in one of the ways of HOW; `offset` says with which
        it begins. Then again, without a fault, and back."""
        with prepared(steps) as start, prepared(steps) as good:
            before = len(good.state["calls"])
            self.assertEqual(good.run(*words)[0], 0)
            calls = len(good.state["calls"]) - before
            self.assertGreater(calls, 4)
            for number in range(1, calls + 1):
                how = HOW[(number + offset) % len(HOW)]
                with self.subTest(words, call=number, how=how), Host(copy.deepcopy(start.state)) as host:
                    if steps:
                        shutil.copytree(start.store, host.store)
                    host.state["faults"][before + number] = how
                    code, out, err = host.run(*words)
                    if code == 0:  # A call that only serves people, or one that has another way.
                        self.assertEqual(host.configuration(), good.configuration(), out)
                    elif how.startswith("die"):
                        self.assertEqual(code, -9)
                    else:
                        self.assertEqual(code, 1)
                        self.assertRegex(err, "^vmirror-esxi-span: .+ \\(.+\\): .+\n$")
                    self.assertEqual(host.run(*words)[0], 0)
                    self.assertEqual(host.configuration(), good.configuration())
                    self.assertEqual(host.run("disable", "--apply")[0], 0)
                    self.assertEqual(host.configuration(), configuration(world(found)))
                    self.assertEqual(host.records(), [])

    def test_enable(self):
        self.sweep((), ENABLE, 0)

    def test_enable_a_list(self):
        self.sweep((), (*ENABLE[:-1], "--vlan", "7,8", "--apply"), 1)

    def test_adopt(self):
        self.sweep((), (*ENABLE[:-1], "--name", "found", "--adopt", "--vlan", "4095", "--apply"), 2)

    def test_duplicates(self):
        self.sweep((ENABLE,), ("duplicates", "--switch", "vSwitch0", "--apply"), 3)

    def test_disable(self):
        self.sweep((ENABLE, (*ENABLE[:-1], "--name", "found", "--adopt", "--vlan", "9", "--apply"),
                    ("duplicates", "--switch", "vSwitch0", "--apply")), ("disable", "--apply"), 4)

    def test_disable_after_a_run_that_was_cut_off(self):
        """Not mended but undone: whatever enable had done by then is gone."""
        words = (*ENABLE[:-1], "--name", "found", "--adopt", "--vlan", "4095", "--apply")
        for start in (ENABLE, words):
            with prepared((start,)) as whole:
                calls = len(whole.state["calls"])
            for number in range(1, calls + 1):
                with self.subTest(start, call=number), Host(world(found)) as host:
                    first = host.configuration()
                    host.state["faults"][number] = "die_after"
                    host.run(*start)
                    code, out, err = host.run("disable", "--apply")
                    self.assertEqual(code, 0, out + err)
                    self.assertEqual(host.configuration(), first)

    def test_a_signal_is_told(self):
        with Host() as host:
            # The shell handles a signal once the command that it waits for has ended.
            host.state["faults"][3] = "terminate"
            code, _, err = host.run(*ENABLE)
            self.assertEqual((code, "interrupted" in err), (1, True), err)
            self.assertEqual(host.run(*ENABLE)[0], 0)
            self.assertEqual(host.state["groups"][SPAN], group(vlan=4095, promiscuous=True))


if __name__ == "__main__":
    unittest.main(verbosity=2)
