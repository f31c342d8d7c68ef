"""WaitForUpdatesEx of vmirror-vcsim, as vCenter has it: versions, limits, a client that goes, a session that ends."""

import http.client
import threading
import unittest

import test_client
from test_client import WHY

if not WHY:
    from client import COLLECT, LOST, encapsulated, fault_type, until, vim


class Updates(test_client.Served):
    OPTIONS = ("--vms", "12")

    def setUp(self):
        super().setUp()
        self.watcher = self.client()
        self.watcher.watch_vms()
        self.hosts = [host["name"] for host in self.server.state()["hosts"]]

    def move(self, number):
        """The VM of that number to the other host; its name."""
        vm = self.server.state()["vms"][number]
        self.server.order("migrate", vm=vm["name"], host=next(name for name in self.hosts if name != vm["host"]))
        return vm["name"]

    @staticmethod
    def told(update):
        return [(one.obj.name, one.kind, [change.name for change in one.changeSet]) for one in update.filterSet[0].objectSet]

    def everything(self):
        first = self.watcher.updates("")
        self.assertEqual((len(first.filterSet[0].objectSet), first.truncated), (12, None))
        return first.version

    def test_a_move_and_nothing_else(self):
        version = self.everything()
        name = self.move(3)
        update = self.watcher.updates(version)
        self.assertEqual(self.told(update), [(name, "modify", ["runtime.host"])])
        self.assertIsNone(self.watcher.updates(update.version, seconds=0), "no more")

    def test_the_whole_each_time_it_is_asked(self):
        old = self.everything()
        self.assertNotEqual(self.everything(), old)
        with self.assertRaises(fault_type("InvalidCollectorVersion")):
            self.watcher.updates(old)

    def test_in_parts(self):
        parts, version = [], ""
        while True:
            update = self.watcher.updates(version, most=5)
            parts.append(len(update.filterSet[0].objectSet))
            version = update.version
            if not update.truncated:
                break
        self.assertEqual(parts, [5, 5, 2])
        self.assertIsNone(self.watcher.updates(version, seconds=0))

    def test_an_answer_that_was_lost_comes_again(self):
        version = self.everything()
        name = self.move(0)
        self.server.rule("WaitForUpdatesEx", "cut_after")
        with self.assertRaises(LOST):
            self.watcher.updates(version)
        update = self.watcher.updates(version)
        self.assertEqual(self.told(update)[0][0], name)
        later = self.move(1)
        self.assertEqual([one[0] for one in self.told(self.watcher.updates(update.version))], [later])
        with self.assertRaises(fault_type("InvalidCollectorVersion")):
            self.watcher.updates(version)

    def test_wrong_versions_and_times(self):
        version = self.everything()
        for wrong in ("77", "-", "x"):
            with self.assertRaises(fault_type("InvalidCollectorVersion")):
                self.watcher.updates(wrong)
        with self.assertRaises(fault_type("InvalidArgument")):
            self.watcher.updates(version, seconds=-1)
        self.assertIsNone(self.watcher.updates(version, seconds=1), "the time was up")

    def waiting(self, version):
        """A wait in a thread, seen by the server; its errors end up in the list."""
        errors = []

        def wait():
            try:
                self.watcher.updates(version)
            except Exception as error:
                errors.append(error)

        self.server.control("/log", method="DELETE")
        thread = threading.Thread(target=wait)
        thread.start()
        until(lambda: [call for call in self.server.calls("WaitForUpdatesEx") if call["outcome"] == "running"])
        return thread, errors

    def test_a_session_that_ends_ends_the_wait(self):
        thread, errors = self.waiting(self.everything())
        self.server.order("expire_sessions")
        thread.join()
        self.assertIsInstance(errors[0], vim.fault.NotAuthenticated)
        again = self.client()
        with self.assertRaises(fault_type("InvalidCollectorVersion")):
            again.updates("1")
        again.watch_vms()
        self.assertEqual(len(again.updates("").filterSet[0].objectSet), 12)

    def test_a_wait_is_cancelled(self):
        thread, errors = self.waiting(self.everything())
        cookie = self.watcher.instance._stub.cookie
        connection = http.client.HTTPSConnection(self.server.host, int(self.server.port), context=self.server.tls())
        connection.request("POST", "/sdk", self.envelope('<CancelWaitForUpdates xmlns="urn:vim25"><_this type="PropertyCollector">'
                                                         "propertyCollector</_this></CancelWaitForUpdates>"), {"Cookie": cookie})
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()
        thread.join()
        self.assertIsInstance(errors[0], fault_type("RequestCanceled"))

    @staticmethod
    def envelope(body):
        return ('<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
                f"{body}</soapenv:Body></soapenv:Envelope>")

    def test_a_client_that_went_takes_nothing_along(self):
        version = self.everything()
        self.server.control("/log", method="DELETE")
        connection = http.client.HTTPSConnection(self.server.host, int(self.server.port), context=self.server.tls())
        connection.request("POST", "/sdk", self.envelope(
            '<WaitForUpdatesEx xmlns="urn:vim25"><_this type="PropertyCollector">propertyCollector</_this>'
            f"<version>{version}</version></WaitForUpdatesEx>"), {"Cookie": self.watcher.instance._stub.cookie})
        until(lambda: self.server.calls("WaitForUpdatesEx"))
        connection.close()
        until(lambda: self.server.calls("WaitForUpdatesEx")[0]["outcome"] == "the client went")
        name = self.move(2)
        self.assertEqual(self.told(self.watcher.updates(version))[0][0], name)

    def test_many_moves_come_together(self):
        version = self.everything()
        names = {self.move(number) for number in range(6)}
        seen = set()
        while seen != names:
            update = self.watcher.updates(version)
            seen |= {one[0] for one in self.told(update)}
            version = update.version

    def test_sessions_of_a_switch_are_told_too(self):
        switch = self.watcher.switch
        client = self.client()
        client.content.propertyCollector.CreateFilter(COLLECT.FilterSpec(
            objectSet=[COLLECT.ObjectSpec(obj=vim.VmwareDistributedVirtualSwitch(switch._moId, client.instance._stub))],
            propSet=[COLLECT.PropertySpec(type=vim.DistributedVirtualSwitch, pathSet=["config"])]), False)
        first = client.updates("")
        self.watcher.change("add", encapsulated(self.watcher.vm_ports()[0]))
        change, = client.updates(first.version).filterSet[0].objectSet[0].changeSet
        self.assertEqual((change.name, len(change.val.vspanSession)), ("config", 1))


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
