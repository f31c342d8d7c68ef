"""What the system tests share: a world for each test class, inside namespaces, or a skip that says why.

A file of tests ends with

    if __name__ == "__main__":
        system.main(__file__)
"""

import os
import shutil
import sys
import unittest

import inside
import world as w
from daemon import Daemon, collector_daemon, host_daemon

DIRECTORY = "/run/test"


class SystemTest(unittest.TestCase):
    """One world for the class: its tests find it as the last one left it, and clean up after
    themselves."""

    with_collector = False
    default_offloads = False
    database_arguments = ()

    @classmethod
    def setUpClass(cls):
        if reason := os.environ.get("VMIRROR_SKIP", ""):
            raise unittest.SkipTest(reason)
        cls.world = w.World(os.path.join(DIRECTORY, cls.__name__))
        cls.world.default_offloads = cls.default_offloads
        os.makedirs(cls.world.directory, exist_ok=True)
        cls.world.start_switch(*cls.database_arguments)
        cls.world.start_guests()
        if cls.with_collector:
            cls.world.add_collector()

    @classmethod
    def tearDownClass(cls):
        cls.world.stop_all()
        for name in [*w.GUESTS, "collector"]:
            w.run("ip", "netns", "delete", name, check=False)
        for link in ("br0", "br-wan"):
            w.run("ip", "link", "delete", link, check=False)

    def run(self, result=None):
        """Keeps the logs of a test that failed."""
        before = len(result.failures) + len(result.errors) if result else 0
        out = super().run(result)
        if result and len(result.failures) + len(result.errors) > before:
            for name, process in self.world.processes.items():
                if process.poll() is not None:
                    print(f"{name} had ended with {process.returncode}", file=sys.stderr)
            print(f"the logs are in {self.world.save_logs('vmirror-test-')}", file=sys.stderr)
        return out

    def eventually(self, what, condition, seconds=30.0):
        try:
            return w.wait_for(what, condition, seconds)
        except w.Failed as error:
            return self.fail(str(error))

    def talk_until(self, what, condition):
        """World.talk_until, as an assertion."""
        try:
            return self.world.talk_until(what, condition)
        except w.Failed as error:
            return self.fail(f"{error}; the daemon says {self.host.ask('status')['coverage']}")


def lacking(*tools):
    """Names the programs that a test needs and that are not installed; empty: all are here."""
    names = [tool for tool in tools if not shutil.which(tool)]
    return f"not installed: {', '.join(names)}" if names else ""


def no_switch():
    """Says so where the Open vSwitch that was asked for (VMIRROR_OVS_ROOT) isn't here."""
    return f"no Open vSwitch in {w.OVS_ROOT} (./run roots)" if w.OVS_ROOT and not os.path.exists(w.SCHEMA) else ""


def main(path, unavailable=lambda: ""):
    """Runs a file's tests; `unavailable` says what they need besides namespaces and isn't here."""
    if "--inside" in sys.argv:
        sys.argv.remove("--inside")
        inside.enter("vmirror-test")
        unittest.main(module="__main__", verbosity=2)
    elif reason := inside.unavailable() or no_switch() or unavailable():
        os.environ["VMIRROR_SKIP"] = reason
        unittest.main(module="__main__", verbosity=2)
    else:
        sys.exit(inside.run(os.path.abspath(path), *sys.argv[1:]))
