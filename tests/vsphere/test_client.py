"""vmirror-vcsim as an independent client sees it, pyvmomi over TLS: what it takes, what it refuses, what it does wrong on
order."""

import ssl
import time
import unittest

import vcsim

WHY = vcsim.missing()
try:
    from client import LOST, SPAN, Client, encapsulated, fault_type, session, until, vim, wait
except ImportError:
    WHY = WHY or "no pyVmomi (Debian: python3-pyvmomi)"


@unittest.skipIf(WHY, WHY)
class Served(unittest.TestCase):
    """One server for the class; each test begins with no session and no rule."""

    OPTIONS = ()
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.server = vcsim.Vcsim(*cls.OPTIONS)
        cls.addClassCleanup(cls.server.__exit__)

    def setUp(self):
        self.server.control("/rules", method="DELETE")
        for switch in self.server.state()["switches"] or []:
            for one in switch["sessions"] or []:
                self.server.order("remove_session", key=one["Key"])
        self.server.control("/log", method="DELETE")

    def client(self, **account):
        client = Client(self.server, **account)
        self.addCleanup(client.__exit__)
        return client

    def held(self):
        """The sessions as the server has them, whatever the API shows."""
        return self.server.state()["switches"][0]["sessions"] or []


class Sessions(Served):
    def test_each_type_is_made_edited_removed(self):
        client = self.client()
        a, b, c, d = client.vm_ports()[:4]
        cases = (
            ("GRE", encapsulated(a), {"enabled": False}),
            ("ERSPAN II", encapsulated(a, b, encapType="erspan2", erspanId=5, erspanCOS=3), {"erspanId": 1023}),
            ("ERSPAN III", encapsulated(a, encapType="erspan3", erspanId=1, erspanGraNanosec=True, mirroredPacketLength=60,
                                        samplingRate=65535), {"mirroredPacketLength": 128}),
            ("to IPv6", encapsulated(a, to="2001:db8::9"), {"description": "by vmirror"}),
            ("RSPAN source", session("remoteMirrorSource", [a], [b], {"uplinkPortName": ["Uplink 1"]}, encapsulationVlanId=100),
             {"encapsulationVlanId": 101}),
            ("RSPAN destination", session("remoteMirrorDest", (), {"vlans": [100]}, {"portKey": [d]}), {"stripOriginalVlan": True}),
            ("dvPort", session("dvPortMirror", [a, b], [c], {"portKey": [d]}), {"normalTrafficAllowed": False}),
        )
        for what, made, edit in cases:
            with self.subTest(what):
                before = client.switch.config.configVersion
                client.change("add", made)
                found, = client.sessions()
                self.assertTrue(found.key)
                for field in ("name", "sessionType", "encapType", "erspanId", "samplingRate", "mirroredPacketLength"):
                    self.assertEqual(getattr(found, field), getattr(made, field), field)
                self.assertNotEqual(client.switch.config.configVersion, before)
                for field, value in edit.items():
                    setattr(found, field, value)
                client.change("edit", found)
                edited, = client.sessions()
                self.assertEqual((edited.key, *(getattr(edited, field) for field in edit)), (found.key, *edit.values()))
                client.change("remove", edited)
                self.assertEqual(client.sessions(), [])

    def test_a_name_twice_is_two_sessions(self):
        client = self.client()
        a, b = client.vm_ports()[:2]
        client.change("add", encapsulated(a))
        client.change("add", encapsulated(b))
        self.assertEqual(len({one.key for one in client.sessions()}), 2)

    def test_what_is_refused(self):
        client = self.client()
        a, b, c, d = client.vm_ports()[:4]
        fault = vim.fault
        client.change("add", session("dvPortMirror", [a], [a], {"portKey": [d]}, name="there"))
        invalid, dv = fault_type("InvalidArgument"), "dvPortMirror"
        cases = (
            ("one destination of two", session(dv, [b], [b], {"portKey": [d]}), fault.VspanDestPortConflict),
            ("a source that is a destination", encapsulated(d), fault.VspanPortConflict),
            ("a destination that is a source", session(dv, [b], [b], {"portKey": [a]}), fault.VspanPortConflict),
            ("its own source", session(dv, [b, c], [b], {"portKey": [c]}), fault.VspanSameSessionPortConflict),
            ("no such port", encapsulated("999"), fault_type("NotFound")),
            ("no source", session("encapsulatedRemoteMirrorSource", to={"ipAddress": ["192.0.2.9"]}), invalid),
            ("no address", encapsulated(b, to="nowhere"), invalid),
            ("an ERSPAN ID too high", encapsulated(b, encapType="erspan2", erspanId=1024), invalid),
            ("a class of service too high", encapsulated(b, encapType="erspan2", erspanCOS=8), invalid),
            ("a length too short", encapsulated(b, mirroredPacketLength=59), invalid),
            ("a sampling rate too high", encapsulated(b, samplingRate=65536), invalid),
            ("an unknown type", session("mirror", [b], to={"portKey": [c]}), invalid),
            ("an unknown encapsulation", encapsulated(b, encapType="vxlan"), invalid),
            ("an unknown uplink", session("remoteMirrorSource", [b], to={"uplinkPortName": ["Uplink 9"]}), invalid),
            ("a destination of another type's", session("remoteMirrorSource", [b], to={"portKey": [c]}), invalid),
        )
        for what, made, kind in cases:
            with self.subTest(what):
                with self.assertRaises(kind):
                    client.change("add", made)
                self.assertEqual([one["Name"] for one in self.held()], ["there"])
        found, = client.sessions()
        for operation in ("edit", "remove"):
            lost = encapsulated(b)
            lost.key = "77"
            with self.assertRaises(invalid):
                client.change(operation, lost)
        with self.assertRaises(invalid):
            client.change("replace", found)

    def test_all_of_a_call_or_none(self):
        client = self.client()
        a, b = client.vm_ports()[:2]
        specs = [SPAN.VspanConfigSpec(vspanSession=one, operation="add") for one in (encapsulated(a), encapsulated("999"))]
        with self.assertRaises(fault_type("NotFound")):
            wait(client.reconfigure(*specs))
        self.assertEqual(self.held(), [])
        specs[1].vspanSession = encapsulated(b)
        wait(client.reconfigure(*specs))
        self.assertEqual(len(self.held()), 2)

    def test_promiscuous_ports_both_ways(self):
        client = self.client()
        a, b = client.vm_ports()[:2]
        self.server.order("port_promiscuous", key=a, on=True)
        with self.assertRaises(vim.fault.VspanPromiscuousPortNotSupported):
            client.change("add", encapsulated(a))
        self.server.order("port_promiscuous", key=a, on=False)
        client.change("add", encapsulated(a))
        setting = SPAN.VmwarePortConfigPolicy(securityPolicy=SPAN.SecurityPolicy(
            inherited=False, allowPromiscuous=vim.BoolPolicy(inherited=False, value=True)))

        def make(key):
            wait(client.switch.ReconfigureDVPort_Task([vim.dvs.DistributedVirtualPort.ConfigSpec(operation="edit", key=key, setting=setting)]))

        with self.assertRaises(vim.fault.VspanPortPromiscChangeFault):
            make(a)
        make(b)
        shown, = client.ports(portKey=[b])
        self.assertTrue(shown.config.setting.securityPolicy.allowPromiscuous.value)
        self.server.order("port_promiscuous", key=b, on=False)
        group = next(one for one in self.client(user="admin").every(vim.dvs.DistributedVirtualPortgroup) if "DVPG0" in one.name)
        for spec, kind in ((vim.dvs.DistributedVirtualPortgroup.ConfigSpec(defaultPortConfig=setting), vim.fault.VspanPortgroupPromiscChangeFault),
                           (vim.dvs.DistributedVirtualPortgroup.ConfigSpec(type="ephemeral"), vim.fault.VspanPortgroupTypeChangeFault)):
            with self.assertRaises(kind):
                wait(group.ReconfigureDVPortgroup_Task(spec))

    def test_an_old_version_is_refused(self):
        client = self.client()
        a, b = client.vm_ports()[:2]
        old = client.switch.config.configVersion
        client.change("add", encapsulated(a))
        with self.assertRaises(vim.fault.ConcurrentAccess):
            client.change("add", encapsulated(b), version=old)
        client.change("add", encapsulated(b))
        self.assertEqual(len(self.held()), 2)


class Rules(Served):
    """What goes wrong on order."""

    def add(self, client):
        client.change("add", encapsulated(client.vm_ports()[0]))

    def test_the_nth_call_fails(self):
        client = self.client()
        self.server.rule("ReconfigureDvs_Task", "fault", nth=2, fault="ConcurrentAccess")
        self.add(client)
        with self.assertRaises(vim.fault.ConcurrentAccess):
            client.change("add", encapsulated(client.vm_ports()[1]))
        self.assertEqual(len(self.held()), 1)
        client.change("add", encapsulated(client.vm_ports()[1]))
        self.assertEqual([call["outcome"] for call in self.server.calls("ReconfigureDvs_Task")], ["ok", "ConcurrentAccess", "ok"])

    def test_a_task_fails_late(self):
        for how, left in (("task", 0), ("task_done", 1)):
            with self.subTest(how):
                self.setUp()
                client = self.client()
                self.server.rule("ReconfigureDvs_Task", how, fault="DvsOperationBulkFault")
                with self.assertRaises(vim.fault.DvsOperationBulkFault):
                    self.add(client)
                self.assertEqual(len(self.held()), left)

    def test_the_connection_is_cut(self):
        for how, left in (("cut", 0), ("cut_after", 1)):
            with self.subTest(how):
                self.setUp()
                client = self.client()
                switch, made = client.switch, encapsulated(client.vm_ports()[0])
                spec = SPAN.ConfigSpec(configVersion=switch.config.configVersion,
                                       vspanConfigSpec=[SPAN.VspanConfigSpec(vspanSession=made, operation="add")])
                self.server.rule("ReconfigureDvs_Task", how)
                with self.assertRaises(LOST):
                    switch.ReconfigureDvs_Task(spec)
                until(lambda left=left: len(self.held()) == left)

    def test_the_session_expires(self):
        client = self.client()
        self.server.rule("CurrentTime", "expire")
        with self.assertRaises(vim.fault.NotAuthenticated):
            client.instance.CurrentTime()
        with self.assertRaises(vim.fault.NotAuthenticated):
            client.instance.CurrentTime()
        self.client().instance.CurrentTime()

    def test_vcenter_restarts(self):
        client = self.client()
        self.add(client)
        self.server.order("restart", down_ms=300)
        with self.assertRaises((vim.fault.NotAuthenticated, *LOST)):
            client.instance.CurrentTime()

        def again():
            try:
                return self.client()
            except (vim.fault.HostConnectFault, *LOST):
                return None

        self.assertEqual(len(until(again).sessions()), 1, "the switch has outlived it")

    def test_another_administrator_edits_just_before(self):
        client = self.client()
        self.server.rule("ReconfigureDvs_Task", "other_edit")
        with self.assertRaises(vim.fault.ConcurrentAccess):
            self.add(client)
        self.assertEqual(len(self.held()), 1)
        self.add(client)
        self.assertEqual(len(self.held()), 2)

    def test_a_busy_server(self):
        client = self.client()
        self.server.rule("CurrentTime", "status", status=503)
        with self.assertRaises(LOST):
            client.instance.CurrentTime()
        client.instance.CurrentTime()


class Rights(Served):
    OPTIONS = ("--account", "admin:admin:admin", "--account", "vmirror:vmirror:vmirror", "--account", "read:read:read",
               "--account", "half:half:System.Anonymous,System.View,System.Read,DVSwitch.Modify")

    def test_a_wrong_password(self):
        with self.assertRaises(vim.fault.InvalidLogin):
            Client(self.server, password="wrong")

    def test_a_wrong_certificate(self):
        with self.assertRaises(ssl.SSLError):
            self.server.tls, tls = ssl.create_default_context, self.server.tls
            try:
                Client(self.server)
            finally:
                self.server.tls = tls

    def test_what_each_role_may(self):
        client = self.client(user="admin")
        key = client.vm_ports()[0]
        refused = fault_type("NoPermission")
        for user, lacks in (("read", "DVSwitch.Modify"), ("half", "DVSwitch.Vspan")):
            with self.subTest(user):
                with self.assertRaises(refused) as caught:
                    self.client(user=user).change("add", encapsulated(key))
                self.assertEqual(caught.exception.privilegeId, lacks)
        vm = self.client().every(vim.VirtualMachine)[0]
        for call in (vm.PowerOffVM_Task, vm.Destroy_Task):
            with self.assertRaises(refused):
                call()
        self.client().change("add", encapsulated(key))
        self.assertEqual(len(self.held()), 1)
        self.assertTrue(any(call["outcome"] == "NoPermission" for call in self.server.calls("PowerOffVM_Task")))

    def test_reading_changes_nothing(self):
        client = self.client(user="read")
        client.vm_ports()
        client.sessions()
        self.assertEqual([call["method"] for call in self.server.calls() if call["changes"]], [])
        self.assertGreater(len(self.server.calls()), 5)


class Idle(Served):
    OPTIONS = ("--session-idle", "500ms")

    def test_an_idle_session_is_gone(self):
        client = self.client()
        time.sleep(1)
        with self.assertRaises(vim.fault.NotAuthenticated):
            client.instance.CurrentTime()


class Plain(Served):
    """The simulator as Debian has it: what it says and what it does are two things."""

    OPTIONS = ("--plain",)

    def test_a_session_is_taken_and_ignored(self):
        client = self.client()
        spec = SPAN.ConfigSpec(configVersion="1", vspanConfigSpec=[SPAN.VspanConfigSpec(vspanSession=encapsulated("0"), operation="add")])
        wait(client.switch.ReconfigureDvs_Task(spec))
        self.assertEqual(client.sessions(), [])


class Incapable(Served):
    OPTIONS = ("--deny", "encapRemoteSource", "--deny", "dvport", "--deny", "erspanProtocol")

    def test_what_the_switch_lacks_is_refused(self):
        client = self.client()
        can = client.switch.capability.featuresSupported.vspanCapability
        self.assertEqual((can.encapRemoteSourceSupported, can.dvportSupported, can.remoteSourceSupported), (False, False, True))
        a, b = client.vm_ports()[:2]
        for made in (encapsulated(a), session("dvPortMirror", [a], to={"portKey": [b]}),
                     session("remoteMirrorSource", [a], to={"uplinkPortName": ["Uplink 1"]}, encapType="erspan2")):
            with self.assertRaises(fault_type("NotSupported")):
                client.change("add", made)


class Merging(Served):
    OPTIONS = ("--edit-merges",)

    def test_an_edit_that_leaves_what_it_does_not_name(self):
        client = self.client()
        client.change("add", encapsulated(client.vm_ports()[0], encapType="erspan2", erspanId=7))
        key = client.sessions()[0].key
        client.change("edit", SPAN.VspanSession(key=key, enabled=False, stripOriginalVlan=False, normalTrafficAllowed=True))
        left, = client.sessions()
        self.assertEqual((left.erspanId, left.enabled, left.destinationPort.ipAddress), (7, False, ["192.0.2.9"]))


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")  # pyVim leaves sockets open.
