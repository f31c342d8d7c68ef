"""vmirror-vcsim's inventory as an independent client sees it: standard switches, ports, moves, power, 500 VMs on 20 hosts."""

import time
import unittest

import test_client
from test_client import WHY

if not WHY:
    from client import encapsulated, fault_type, vim, wait
    from pyVmomi import VmomiSupport

OPTION = "Net.ReversePathFwdCheckPromisc"


def group_spec(name="SPAN", vlan=4095, **security):
    return vim.host.PortGroup.Specification(name=name, vlanId=vlan, vswitchName="vSwitch0", policy=vim.host.NetworkPolicy(
        security=vim.host.NetworkPolicy.SecurityPolicy(**security)))


class StandardSwitch(test_client.Served):
    def groups(self, host):
        return {group.spec.name: group for group in host.configManager.networkSystem.networkInfo.portgroup}

    def test_a_port_group_on_each_host(self):
        client = self.client()
        hosts = client.every(vim.HostSystem)
        for host in hosts:
            host.configManager.networkSystem.AddPortGroup(group_spec(allowPromiscuous=True))
            security = self.groups(host)["SPAN"].computedPolicy.security
            self.assertEqual((security.allowPromiscuous, security.macChanges, security.forgedTransmits), (True, True, True))
            with self.assertRaises(fault_type("AlreadyExists")):
                host.configManager.networkSystem.AddPortGroup(group_spec())
        self.assertEqual(len([one for one in client.every(vim.Network) if one.name == "SPAN"]), 1)
        network = hosts[0].configManager.networkSystem
        network.UpdatePortGroup("SPAN", group_spec(vlan=7))
        found = self.groups(hosts[0])["SPAN"]
        self.assertEqual((found.spec.vlanId, found.computedPolicy.security.allowPromiscuous), (7, False), "the whole is replaced")
        self.assertEqual(self.groups(hosts[1])["SPAN"].spec.vlanId, 4095)
        switch = network.networkInfo.vswitch[0]
        switch.spec.policy.security.allowPromiscuous = True
        network.UpdateVirtualSwitch("vSwitch0", switch.spec)
        self.assertTrue(self.groups(hosts[0])["SPAN"].computedPolicy.security.allowPromiscuous, "inherited")
        switch.spec.policy.security.allowPromiscuous = False
        network.UpdateVirtualSwitch("vSwitch0", switch.spec)
        for wrong, kind in ((group_spec(vlan=4096), "InvalidArgument"), (group_spec(name="VM Network"), "AlreadyExists")):
            with self.assertRaises(fault_type(kind)):
                network.UpdatePortGroup("SPAN", wrong)
        with self.assertRaises(fault_type("NotFound")):
            network.UpdatePortGroup("nowhere", group_spec())
        for host in hosts:
            host.configManager.networkSystem.RemovePortGroup("SPAN")
        self.assertEqual([one.name for one in client.every(vim.Network) if one.name == "SPAN"], [])
        self.assertEqual({host["name"]: [group["Name"] for group in host["port_groups"]] for host in self.server.state()["hosts"]},
                         {host.name: ["VM Network", "Management Network"] for host in hosts})

    def test_the_option_has_a_type(self):
        options = self.client().every(vim.HostSystem)[0].configManager.advancedOption
        self.assertEqual([one.value for one in options.QueryOptions(OPTION)], [0])

        def put(value, key=OPTION):
            options.UpdateOptions([vim.option.OptionValue(key=key, value=value)])

        for value in (VmomiSupport.vmodlTypes["int"](1), "1", VmomiSupport.vmodlTypes["long"](2)):
            with self.assertRaises(fault_type("InvalidArgument")):
                put(value)
        with self.assertRaises(fault_type("InvalidName")):
            put("1", "Net.Nothing")
        put(VmomiSupport.vmodlTypes["long"](1))
        self.assertEqual([host["reverse_path_check"] for host in self.server.state()["hosts"]], [1, 0], "each host has its own")

    def test_an_appliance_gets_its_second_adapter(self):
        client = self.client()
        vm = client.every(vim.VirtualMachine)[0]
        vm.runtime.host.configManager.networkSystem.AddPortGroup(group_spec(allowPromiscuous=True))
        card = vim.vm.device.VirtualVmxnet3(backing=vim.vm.device.VirtualEthernetCard.NetworkBackingInfo(deviceName="SPAN"), key=-1)
        wait(vm.ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[vim.vm.device.VirtualDeviceSpec(operation="add", device=card)])))
        cards = [one for one in vm.config.hardware.device if isinstance(one, vim.vm.device.VirtualEthernetCard)]
        self.assertEqual([getattr(one.backing, "deviceName", None) for one in cards], [None, "SPAN"])
        with self.assertRaises(fault_type("ResourceInUse")):
            vm.runtime.host.configManager.networkSystem.RemovePortGroup("SPAN")
        wait(vm.ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[vim.vm.device.VirtualDeviceSpec(operation="remove", device=cards[1])])))
        vm.runtime.host.configManager.networkSystem.RemovePortGroup("SPAN")


class Ports(test_client.Served):
    OPTIONS = ("--vms", "8", "--standard", "1", "--opaque", "1", "--ephemeral", "1", "--bare", "1")

    def test_what_the_criteria_choose(self):
        client = self.client()
        every = client.ports()
        kinds = sorted((port.connectee.type for port in every))
        self.assertEqual(kinds, ["hostVmkVnic"] * 2 + ["pnic"] * 2 + ["vmVnic"] * 5)
        group = next(one for one in client.every(vim.dvs.DistributedVirtualPortgroup) if "DVPG1" in one.name)
        host = client.every(vim.HostSystem)[0]
        for criteria, count in (({"uplinkPort": True}, 2), ({"uplinkPort": False}, 7), ({"portgroupKey": [group.key], "inside": True}, 1),
                                ({"portgroupKey": [group.key], "inside": False}, 8), ({"portKey": [every[0].key, "999"]}, 1),
                                ({"connected": True}, 9), ({"connected": False}, 0)):
            with self.subTest(criteria):
                self.assertEqual(len(client.ports(**criteria)), count)
        self.assertEqual({port.proxyHost.name for port in client.ports(host=[host])}, {host.name})

    def test_vms_of_each_kind(self):
        backings = []
        for vm in self.client().every(vim.VirtualMachine):
            cards = [one for one in vm.config.hardware.device if isinstance(one, vim.vm.device.VirtualEthernetCard)]
            backings += [type(card.backing).__name__.rsplit(".", 1)[1] for card in cards] or ["none"]
        self.assertEqual(backings, ["NetworkBackingInfo", "OpaqueNetworkBackingInfo", "DistributedVirtualPortBackingInfo", "none"]
                         + ["DistributedVirtualPortBackingInfo"] * 4)

    def test_an_ephemeral_port_gets_another_key(self):
        client = self.client(user="admin")
        vm = client.every(vim.VirtualMachine)[2]

        def keys():
            return next(one["ports"] for one in self.server.state()["vms"] if one["name"] == vm.name)

        before, = keys()
        wait(vm.PowerOffVM_Task())
        self.assertEqual((keys(), client.ports(portKey=[before])), ([""], []))
        wait(vm.PowerOnVM_Task())
        after, = keys()
        self.assertNotEqual(after, before)
        steady = client.every(vim.VirtualMachine)[4]
        before = [one["ports"] for one in self.server.state()["vms"] if one["name"] == steady.name]
        wait(steady.PowerOffVM_Task())
        self.assertEqual([one["ports"] for one in self.server.state()["vms"] if one["name"] == steady.name], before)
        wait(steady.PowerOnVM_Task())

    def test_counters_are_those_of_the_last_refresh(self):
        client = self.client()
        key = client.vm_ports()[0]
        self.server.order("port_traffic", key=key, packets=40)
        self.assertEqual(client.ports(portKey=[key])[0].state.stats.packetsInUnicast, 0)
        client.switch.RefreshDVPortState([key])
        self.assertEqual(client.ports(portKey=[key])[0].state.stats.packetsInUnicast, 40)


class PortGroups(test_client.Served):
    OPTIONS = Ports.OPTIONS

    def test_a_mirrored_port_does_not_move_to_a_promiscuous_group(self):
        client, admin = self.client(), self.client(user="admin")
        vm = client.every(vim.VirtualMachine)[5]
        card = next(one for one in vm.config.hardware.device if isinstance(one, vim.vm.device.VirtualEthernetCard))
        client.change("add", encapsulated(card.backing.port.portKey))
        group = next(one for one in admin.every(vim.dvs.DistributedVirtualPortgroup) if "DVPG1" in one.name)
        setting = vim.dvs.VmwareDistributedVirtualSwitch.VmwarePortConfigPolicy(
            securityPolicy=vim.dvs.VmwareDistributedVirtualSwitch.SecurityPolicy(
                inherited=False, allowPromiscuous=vim.BoolPolicy(inherited=False, value=True)))
        wait(group.ReconfigureDVPortgroup_Task(vim.dvs.DistributedVirtualPortgroup.ConfigSpec(defaultPortConfig=setting)))
        card.backing.port = vim.dvs.PortConnection(switchUuid=card.backing.port.switchUuid, portgroupKey=group.key)
        spec = vim.vm.ConfigSpec(deviceChange=[vim.vm.device.VirtualDeviceSpec(operation="edit", device=card)])
        with self.assertRaises(vim.fault.VspanPortMoveFault):
            wait(vm.ReconfigVM_Task(spec))
        client.change("remove", client.sessions()[0])
        wait(vm.ReconfigVM_Task(spec))
        self.assertEqual(len(client.ports(portgroupKey=[group.key], inside=True)), 2)


class Moves(test_client.Served):
    def test_a_move_is_told_to_who_waits(self):
        client, admin = self.client(), self.client(user="admin")
        vms, hosts = client.every(vim.VirtualMachine), client.every(vim.HostSystem)
        client.watch_vms()
        first = client.updates("")
        self.assertEqual(len(first.filterSet[0].objectSet), len(vms))
        vm, to = vms[0], hosts[1]
        self.assertEqual(vm.runtime.host, hosts[0])
        wait(admin.every(vim.VirtualMachine)[0].MigrateVM_Task(host=to, priority="defaultPriority"))
        update = client.updates(first.version)
        change = next(one for one in update.filterSet[0].objectSet if one.obj == vm).changeSet[0]
        self.assertEqual((change.name, change.val), ("runtime.host", to))
        port = next(one for one in client.ports() if one.connectee.connectedEntity == vm)
        self.assertEqual(port.proxyHost, to, "its port has come along")
        event, = [one for one in client.content.eventManager.QueryEvents(vim.event.EventFilterSpec())
                  if isinstance(one, vim.event.VmMigratedEvent)]
        self.assertEqual((event.vm.vm, event.host.host, event.sourceHost.host), (vm, to, hosts[0]))
        self.assertIn(vm, to.vm)
        self.assertNotIn(vm, hosts[0].vm)
        wait(admin.every(vim.VirtualMachine)[0].RelocateVM_Task(vim.vm.RelocateSpec(host=hosts[0])))
        self.assertEqual(vm.runtime.host, hosts[0])
        with self.assertRaises(fault_type("NoPermission")):
            vm.MigrateVM_Task(host=to, priority="defaultPriority")


class Cluster(test_client.Served):
    def test_rules_of_drs(self):
        client = self.client()
        cluster, = client.every(vim.ClusterComputeResource)
        sensor, source = client.every(vim.VirtualMachine)[:2]
        together = vim.cluster.AffinityRuleSpec(name="vmirror-sensor", enabled=True, vm=[sensor, source])
        wait(cluster.ReconfigureComputeResource_Task(vim.cluster.ConfigSpecEx(
            rulesSpec=[vim.cluster.RuleSpec(operation="add", info=together)]), True))
        rule, = cluster.configurationEx.rule
        self.assertEqual((rule.name, rule.vm), ("vmirror-sensor", [sensor, source]))
        wait(cluster.ReconfigureComputeResource_Task(vim.cluster.ConfigSpecEx(
            rulesSpec=[vim.cluster.RuleSpec(operation="remove", removeKey=rule.key)]), True))
        self.assertEqual(cluster.configurationEx.rule, [])
        self.assertEqual(client.content.about.apiVersion, "8.0.1.0")


class Esxi(test_client.Served):
    OPTIONS = ("--esx", "--vms", "3")

    def test_a_host_without_vcenter(self):
        client = self.client()
        self.assertEqual(client.content.about.apiType, "HostAgent")
        self.assertEqual(len(client.every(vim.VirtualMachine)), 3)
        network = client.every(vim.HostSystem)[0].configManager.networkSystem
        network.AddPortGroup(group_spec(allowPromiscuous=True))
        self.assertIn("SPAN", [group.spec.name for group in network.networkInfo.portgroup])
        network.RemovePortGroup("SPAN")


class Many(test_client.Served):
    OPTIONS = ("--vms", "500", "--hosts", "20", "--standard", "20")

    def test_five_hundred_vms_on_twenty_hosts(self):
        client = self.client()
        hosts = client.every(vim.HostSystem)
        began = time.monotonic()
        answer = client.content.propertyCollector.RetrieveContents([client.vm_spec()])
        print(f"500 VMs read in {time.monotonic() - began:.2f} s")
        self.assertEqual((len(answer), len(hosts)), (500, 20))
        where = {}
        macs = set()
        for content in answer:
            found = {one.name: one.val for one in content.propSet}
            where.setdefault(found["runtime.host"], []).append(found["name"])
            macs.update(one.macAddress for one in found["config.hardware.device"] if isinstance(one, vim.vm.device.VirtualEthernetCard))
        self.assertEqual({len(names) for names in where.values()}, {25})
        self.assertEqual(len(macs), 500)
        keys = client.vm_ports()
        self.assertEqual(len(set(keys)), 480)
        client.change("add", encapsulated(*keys))
        self.assertEqual(len(client.sessions()[0].sourcePortReceived.portKey), 480)


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
