"""What the host holds and what it refuses: the CIM state, the methods, the jobs."""

import unittest

import wsman
from served import ADD, CONNECTION, FILTERING, Served, VLAN, SECURITY, SWITCHES, VMS, double


class State(Served):
    def test_switches_and_what_is_connected_to_them(self):
        client = self.client()
        switches = {one["Name"]: one["ElementName"] for one in client.query("SELECT * FROM Msvm_VirtualEthernetSwitch")}
        self.assertEqual(sorted(switches.values()), ["Private", "vSwitch", "vSwitch_Span"])
        adapters = {one["InstanceID"]: one for cls in ("Synthetic", "Emulated")
                    for one in client.query(f"SELECT * FROM Msvm_{cls}EthernetPortSettingData")}
        found = set()
        for port in client.query(f"SELECT * FROM {CONNECTION}"):
            if port["InstanceID"].endswith("\\C"):
                # The path in Parent has its backslashes doubled.
                adapter = adapters[port["Parent"].split('"')[1].replace("\\\\", "\\")]
                self.assertEqual(port["InstanceID"], adapter["InstanceID"] + "\\C")
                to = switches[port["HostResource"].split('Name="')[2][:-1]] if port["HostResource"] else None
                found.add((adapter["ElementName"], to, port["EnabledState"]))
        self.assertEqual(found, {("Management", "vSwitch", "2"), ("Monitor", "vSwitch", "2"), ("Span", "vSwitch_Span", "2"),
                                 ("Network Adapter", "vSwitch", "2"), ("Legacy Network Adapter", None, "3")})

    def test_the_host_itself_and_checkpoints_are_among_the_systems(self):
        client = self.client()
        names = [one["ElementName"] for one in client.query("SELECT * FROM Msvm_ComputerSystem")]
        self.assertEqual(sorted(names), ["HV1", "SENSOR-HV1", "vm1", "vm2"])
        kinds = [one["VirtualSystemType"] for one in client.query("SELECT * FROM Msvm_VirtualSystemSettingData "
                                                                  "WHERE ElementName = 'vm2'")]
        self.assertEqual(sorted(kinds), ["Microsoft:Hyper-V:Snapshot:Realized", "Microsoft:Hyper-V:System:Realized"])

    def test_from_the_external_port_to_its_setting(self):
        client = self.client()
        nic = client.query("SELECT * FROM Msvm_ExternalEthernetPort WHERE ElementName = 'Ethernet 2'")[0]
        at = ('Msvm_ExternalEthernetPort.CreationClassName="Msvm_ExternalEthernetPort",DeviceID="%s",'
              'SystemCreationClassName="Msvm_ComputerSystem",SystemName="HV1"' % double(nic["DeviceID"]))
        keys = ("CreationClassName", "SystemCreationClassName", "SystemName")
        for link, result in (("Msvm_EthernetDeviceSAPImplementation", "Msvm_LANEndpoint"),
                             ("Msvm_ActiveConnection", "Msvm_LANEndpoint"),
                             ("Msvm_EthernetDeviceSAPImplementation", "Msvm_EthernetSwitchPort"),
                             ("Msvm_ElementSettingData", CONNECTION)):
            found = client.query(f"ASSOCIATORS OF {{{at}}} WHERE AssocClass = {link} ResultClass = {result}")
            self.assertEqual([one["__class"] for one in found], [result], link)
            own = "DeviceID" if result == "Msvm_EthernetSwitchPort" else "Name"
            at = result + "." + ",".join(f'{name}="{double(found[0].get(name) or "")}"' for name in (*keys, own))
        self.assertEqual(found[0]["InstanceID"], self.port("vSwitch_Span"))

    def test_templates_have_each_property(self):
        found = self.client().query(f"SELECT * FROM {SECURITY} WHERE InstanceID LIKE '%Default'")
        self.assertEqual(len(found), 1)
        self.assertEqual((found[0]["MonitorMode"], found[0]["EnableFixSpeed10G"]), ("0", "false"))

    def test_counters_grow_as_ordered(self):
        self.server.order("count", vm="vm1", adapter="Network Adapter", received=70, sent=30)
        found = self.client().enumerate(wsman.cim.WMI + "root/cimv2/*", "SELECT * FROM "
                                        "Win32_PerfRawData_NvspNicStats_HyperVVirtualNetworkAdapter WHERE Name LIKE 'vm1%'")
        self.assertEqual((found[0]["PacketsReceivedPersec"], found[0]["PacketsSentPersec"]), ("70", "30"))


class Changes(Served):
    def settings(self, port, cls=SECURITY):
        return next((one["features"].get(cls) for one in self.ports() if one["id"] == port), None)

    def test_a_mode_is_added_modified_removed(self):
        client, port = self.client(), self.port("vm1", "Network Adapter")
        self.assertEqual(self.add(client, VMS, port, SECURITY, MonitorMode=2, AllowMacSpoofing=True)[0], 4096)
        self.assertEqual(self.settings(port)["MonitorMode"], 2)
        held = self.feature(client, port)
        value, job = client.change(VMS, "ModifyFeatureSettings", "<p:FeatureSettings>" + wsman.embedded(
            SECURITY, InstanceID=held, MonitorMode=1) + "</p:FeatureSettings>")
        self.assertEqual((value, job["JobState"]), (4096, "7"))
        self.assertEqual([self.settings(port)[name] for name in ("MonitorMode", "AllowMacSpoofing")], [1, True])
        value, job = client.change(VMS, "RemoveFeatureSettings", wsman.reference(SECURITY, held, "FeatureSettings"))
        self.assertEqual((value, job["JobState"], self.settings(port)), (4096, "7", None))

    def test_the_external_port_by_the_service_of_switches(self):
        client, port = self.client(), self.port("vSwitch_Span")
        self.assertEqual(self.add(client, SWITCHES, port, SECURITY, MonitorMode=2)[1]["JobState"], "7")
        self.assertEqual(self.settings(port)["MonitorMode"], 2)

    def test_vlans_are_removed_and_added_never_modified(self):
        client, port = self.client(), self.port("SENSOR-HV1", "Monitor")
        self.add(client, VMS, port, VLAN, OperationMode=2, NativeVlanId=10, TrunkVlanIdArray=[10, 20])
        held = self.feature(client, port, VLAN)
        _, job = client.change(VMS, "ModifyFeatureSettings", "<p:FeatureSettings>" + wsman.embedded(
            VLAN, InstanceID=held, NativeVlanId=20) + "</p:FeatureSettings>")
        self.assertEqual((job["JobState"], job["ErrorCode"]), ("10", "32768"))
        self.assertIn("can't be modified", job["ErrorDescription"])
        shown = client.query(f"SELECT * FROM {VLAN} WHERE NativeVlanId = 10")[0]
        self.assertEqual((shown["TrunkVlanIdArray"], shown["PruneVlanIdArray"]), (["10", "20"], None))

    def test_what_is_refused(self):
        client = self.client()
        vm, own, checkpoint = self.port("vm1", "Network Adapter"), self.port("vSwitch_Span"), self.checkpoint_port()
        self.add(client, VMS, vm, VLAN, OperationMode=1, AccessVlanId=7)
        template = "Microsoft:Definition\\776E0BA7-94A1-41C8-8F28-951F524251B5\\Default"
        cases = (
            ("a VM's port by the service of switches", SWITCHES, ADD, self.added(vm, SECURITY, MonitorMode=2), 32773),
            ("a switch's port by the service of VMs", VMS, ADD, self.added(own, SECURITY, MonitorMode=2), 32773),
            ("a mode that is none", VMS, ADD, self.added(vm, SECURITY, MonitorMode=3), 32773),
            ("a trunk without VLANs", VMS, ADD, self.added(vm, VLAN, OperationMode=2), 32773),
            ("VLAN 4095", VMS, ADD, self.added(vm, VLAN, OperationMode=2, TrunkVlanIdArray=[4095]), 32773),
            ("a subnet of 25 bits", VMS, ADD, self.added(vm, SECURITY, VirtualSubnetId=1 << 24), 32773),
            ("no such port", VMS, ADD, self.added("Microsoft:X\\Y\\C", SECURITY, MonitorMode=2), 32773),
            ("a checkpoint", VMS, ADD, self.added(checkpoint, SECURITY, MonitorMode=2), 32775),
            ("no settings", VMS, ADD, wsman.reference(CONNECTION, vm, "AffectedConfiguration"), 32773),
            ("MOF", VMS, ADD, wsman.reference(CONNECTION, vm, "AffectedConfiguration")
             + f"<p:FeatureSettings>instance of {SECURITY} {{ MonitorMode = 2; }};</p:FeatureSettings>", 32773),
            ("a wrong type", VMS, ADD, wsman.reference(CONNECTION, vm, "AffectedConfiguration")
             + "<p:FeatureSettings>" + wsman.embedded(SECURITY, MonitorMode=2).replace("uint8", "uint16")
             + "</p:FeatureSettings>", 32773),
            ("a template", VMS, "ModifyFeatureSettings", "<p:FeatureSettings>" + wsman.embedded(
                SECURITY, InstanceID=template, MonitorMode=2) + "</p:FeatureSettings>", 32775),
            ("what is not there", VMS, "RemoveFeatureSettings",
             wsman.reference(SECURITY, vm + "\\776E0BA7-94A1-41C8-8F28-951F524251B5\\X", "FeatureSettings"), 32773))
        for name, service, method, body, code in cases:
            with self.subTest(name):
                before = self.server.state()
                self.assertEqual(client.invoke(service, method, body), (code, None))
                self.assertTrue(self.server.calls(f"Invoke:{method}")[-1]["why"])
                self.assertEqual(self.server.state(), before)

    def test_a_removal_takes_no_embedded_instance(self):
        with self.assertRaises(wsman.FaultError) as caught:
            self.client().invoke(VMS, "RemoveFeatureSettings",
                                 "<p:FeatureSettings>" + wsman.embedded(SECURITY, MonitorMode=0) + "</p:FeatureSettings>")
        self.assertEqual(caught.exception.subcode, "w:InvalidParameter")

    def test_a_second_setting_and_a_migrating_vm(self):
        client, port = self.client(), self.port("vm1", "Network Adapter")
        self.add(client, VMS, port, SECURITY, MonitorMode=2)
        _, job = self.add(client, VMS, port, SECURITY, MonitorMode=1)
        self.assertEqual((job["JobState"], self.settings(port)["MonitorMode"]), ("10", 2))
        self.server.order("mode", vm="vm1", migrating=True)
        self.addCleanup(self.server.order, "mode", vm="vm1", migrating=False)
        self.assertEqual(client.invoke(VMS, ADD, self.added(port, VLAN, OperationMode=1, AccessVlanId=1))[0], 32775)

    def test_a_job_takes_time_and_vanishes(self):
        client, port = self.client(), self.port("vm1", "Network Adapter")
        self.server.rule("Invoke", "job", seconds=3600)
        _, job = client.invoke(VMS, ADD, self.added(port, SECURITY, MonitorMode=2))
        self.assertIn(client.get("Msvm_ConcreteJob", {"InstanceID": job})["JobState"], ("2", "3", "4"))
        self.assertIsNone(self.settings(port))
        _, other = client.invoke(VMS, ADD, self.added(port, VLAN, OperationMode=1, AccessVlanId=7))
        self.assertEqual(client.finish(other)["JobState"], "7")
        self.server.order("forget", host="HV1")
        with self.assertRaises(wsman.FaultError) as caught:
            client.get("Msvm_ConcreteJob", {"InstanceID": other})
        self.assertEqual((caught.exception.subcode, caught.exception.code), ("a:DestinationUnreachable", 2150858752))

    def test_jobs_and_calls_fail_on_order(self):
        client, port = self.client(), self.port("vm1", "Network Adapter")
        for done, left in ((False, None), (True, 2)):
            self.server.rule("Invoke:" + ADD, "job", code=32768, text="No.", done=done)
            _, job = self.add(client, VMS, port, SECURITY, MonitorMode=2)
            self.assertEqual((job["JobState"], job["ErrorSummaryDescription"]), ("10", "No."))
            self.assertEqual((self.settings(port) or {}).get("MonitorMode"), left)
        self.server.rule("Invoke:" + ADD, "return", code=32769, nth=2)
        codes = [client.invoke(VMS, ADD, self.added(port, VLAN, OperationMode=1, AccessVlanId=7))[0] for _ in range(3)]
        self.assertEqual(codes, [4096, 32769, 4096])

    def test_another_administrator_edits_just_before(self):
        client, port = self.client(), self.port("vm1", "Network Adapter")
        self.add(client, VMS, port, SECURITY, MonitorMode=2)
        held = self.feature(client, port)
        self.server.rule("Invoke", "order", order={"do": "feature", "vm": "vm1", "adapter": "Network Adapter", "class": SECURITY})
        self.assertEqual(client.invoke(VMS, "ModifyFeatureSettings", "<p:FeatureSettings>" + wsman.embedded(
            SECURITY, InstanceID=held, MonitorMode=0) + "</p:FeatureSettings>"), (32773, None))

    def test_extensions(self):
        client = self.client()
        held = client.query("SELECT * FROM Msvm_EthernetSwitchExtension WHERE ExtensionType = 1")[0]
        keys = {name: held[name] for name in ("CreationClassName", "Name", "SystemCreationClassName", "SystemName")}
        for state, value in (("2", 0), ("3", 0), ("9", 1)):
            got = client.invoke("Msvm_EthernetSwitchExtension", "RequestStateChange",
                                f"<p:RequestedState>{state}</p:RequestedState>", keys)
            self.assertEqual(got, (value, None))
            self.assertEqual(client.get("Msvm_EthernetSwitchExtension", keys)["EnabledState"], "3" if state == "9" else state)
        self.server.order("extension", host="HV1", switch=held["SystemName"], id=FILTERING, state=5)
        self.assertEqual(client.invoke("Msvm_EthernetSwitchExtension", "RequestStateChange",
                                       "<p:RequestedState>3</p:RequestedState>", {**keys, "Name": FILTERING}), (1, None))

    def test_notes_of_vms_and_switches(self):
        client = self.client()
        for service, cls, owner in ((VMS, "Msvm_VirtualSystemSettingData", self.server.state()["vms"][1]),
                                    (SWITCHES, "Msvm_VirtualEthernetSwitchSettingData",
                                     self.server.state()["hosts"][0]["switches"][0])):
            setting = "Microsoft:" + owner["id"]
            _, job = client.change(service, "ModifySystemSettings", "<p:SystemSettings>" + wsman.embedded(
                cls, InstanceID=setting, Notes=["line 1", "<2>"]) + "</p:SystemSettings>")
            self.assertEqual(job["JobState"], "7")
            self.assertEqual(client.get(cls, {"instanceid": setting.lower()})["Notes"], ["line 1", "<2>"])


class AtOnce(Served):
    OPTIONS = ("--job-ms", "0", "--old")

    def test_a_change_without_a_job_names_what_it_made(self):
        client, port = self.client(), self.port("vm1", "Network Adapter")
        self.assertEqual(client.invoke(VMS, ADD, self.added(port, SECURITY, MonitorMode=2)), (0, None))
        self.assertTrue(self.feature(client, port).startswith(port + "\\"))

    def test_an_old_host_lacks_what_came_later(self):
        client, port = self.client(), self.port("vm1", "Network Adapter")
        self.assertIsNone(client.query(f"SELECT * FROM {SECURITY} WHERE InstanceID LIKE '%Default'")[0]["EnableFixSpeed10G"])
        self.assertEqual(client.invoke(VMS, ADD, self.added(port, SECURITY, EnableFixSpeed10G=True))[0], 32773)


class Cluster(Served):
    OPTIONS = ("--hosts", "2", "--vms", "4")
    SPACE = wsman.Client.R.replace("virtualization/v2", "MSCluster")

    def subscribe(self, client, query="SELECT * FROM MSCluster_EventGroupStateChange WHERE EventNewState = 0"):
        body = ('<e:Subscribe><e:Delivery Mode="http://schemas.dmtf.org/wbem/wsman/1/wsman/Pull"/><e:Expires>PT600S</e:Expires>'
                f'<w:Filter Dialect="http://schemas.microsoft.com/wbem/wsman/1/WQL">{query}</w:Filter></e:Subscribe>')
        root = client.call("http://schemas.xmlsoap.org/ws/2004/08/eventing/Subscribe", self.SPACE + "/*", body)
        return root.findtext(".//n:EnumerationContext", None, wsman.NAMES)

    def test_a_move_takes_the_features_along_and_is_told(self):
        client, other = self.client(), self.client(host="HV2")
        port = self.port("vm1", "Network Adapter")
        self.add(client, VMS, port, SECURITY, MonitorMode=2)
        context = self.subscribe(client)
        short = {"OperationTimeout": "<w:OperationTimeout>PT0.2S</w:OperationTimeout>"}
        with self.assertRaises(wsman.FaultError) as caught:
            client.pull(self.SPACE + "/*", context, header=short)
        self.assertEqual((caught.exception.subcode, caught.exception.code), ("w:TimedOut", 2150858793))
        self.server.order("move", vm="vm1", to="HV2")
        root = client.pull(self.SPACE + "/*", context)
        event = wsman.values(root.find(".//n:Items", wsman.NAMES)[0])
        self.assertEqual((event["EventObjectName"], event["EventNode"]), ("vm1", "HV2"))
        self.assertNotEqual(root.findtext(".//n:EnumerationContext", None, wsman.NAMES), context)
        self.assertEqual(client.query(f"SELECT * FROM {SECURITY} WHERE MonitorMode = 2"), [])
        self.assertEqual(self.feature(other, port)[:len(port)], port)
        groups = {one["Name"]: one["OwnerNode"] for one in client.enumerate(self.SPACE + "/MSCluster_ResourceGroup")}
        self.assertEqual(groups, {"vm1": "HV2", "vm2": "HV2", "vm3": "HV1", "vm4": "HV2"})

    def test_who_may_not_and_what_is_not_there(self):
        cases = (("narrow", "Secret-3", self.SPACE + "/MSCluster_Node", "w:AccessDenied"),
                 ("nobody", "Secret-2", wsman.Client.R + "/Msvm_ComputerSystem", "w:AccessDenied"),
                 ("vmirror", "Secret-1", self.SPACE + "/MSCluster_None", "a:DestinationUnreachable"))
        for user, password, resource, subcode in cases:
            with self.subTest(resource), self.assertRaises(wsman.FaultError) as caught:
                self.client(user=user, password=password).enumerate(resource)
            self.assertEqual(caught.exception.subcode, subcode)

    def test_other_events_are_refused(self):
        with self.assertRaises(wsman.FaultError) as caught:
            self.subscribe(self.client(), "SELECT * FROM __InstanceModificationEvent WITHIN 2")
        self.assertEqual(caught.exception.subcode, "e:FilteringRequestedUnavailable")


if __name__ == "__main__":
    unittest.main(verbosity=2)
