"""A host of the World as CIM instances, with the associations between them.

VM -> its settings -> its adapters and ports -> their features:

  Msvm_ComputerSystem --Msvm_SettingsDefineState--> Msvm_VirtualSystemSettingData
    --Msvm_VirtualSystemSettingDataComponent--> Msvm_SyntheticEthernetPortSettingData, Msvm_EthernetPortAllocationSettingData
      --Msvm_EthernetPortSettingDataComponent--> Msvm_EthernetSwitchPort...SettingData

The external (or internal) port -> its setting:

  Msvm_ExternalEthernetPort --Msvm_EthernetDeviceSAPImplementation--> Msvm_LANEndpoint --Msvm_ActiveConnection-->
  Msvm_LANEndpoint --Msvm_EthernetDeviceSAPImplementation--> Msvm_EthernetSwitchPort
    --Msvm_ElementSettingData--> Msvm_EthernetPortAllocationSettingData
"""

import schema
import world as state
from cim import Path, make, path_text

V2 = schema.V2
SERVICES = {"Msvm_VirtualSystemManagementService": "vmms", "Msvm_VirtualEthernetSwitchManagementService": "nvspwmi"}
EXTENSIONS = {state.CAPTURE: ("Microsoft-NDIS-Aufzeichnung", 1),  # A German host: names are translated, ids are not.
              state.FILTERING: ("Microsoft Windows Filtering Platform", 2)}
ADAPTER_RESOURCE, PORT_RESOURCE = 10, 33


def key(path):
    """By which a path is found: WMI ignores the case of names and of texts."""
    return (path.namespace.lower(), path.cls.lower(),
            tuple((name.lower(), key(value) if isinstance(value, Path) else str(value).lower()) for name, value in path.keys))


class View:
    """All instances of one host at one revision of the World."""

    def __init__(self, world, host):
        self.world, self.host = world, host
        self.instances, self.by_path, self.by_class, self.links = [], {}, {}, {}
        self._host()
        for switch in host.switches:
            self._switch(switch)
        for vm in world.on(host):
            self._vm(vm)
        self._definitions()
        self._cluster()

    def add(self, namespace, cls, **values):
        instance = make(namespace, cls, **values)
        self.instances.append(instance)
        self.by_class.setdefault((namespace, cls), []).append(instance)
        if instance.cls.keys():
            self.by_path[key(instance.path())] = instance
        return instance

    def link(self, cls, left, right, namespace=V2):
        names = [one.name for one in schema.find(namespace, cls).keys()]
        instance = self.add(namespace, cls, **dict(zip(names, (left.path(), right.path()))))
        for end in (left, right):
            self.links.setdefault(key(end.path()), []).append(instance)

    def lacks(self, cls):
        """Whether hosts of this version have no such class."""
        return self.host.old and cls.name == "MSCluster_AffinityRule"

    def find(self, path):
        return self.by_path.get(key(path))

    def of_class(self, namespace, name):
        """Instances of the class and of those below it."""
        return [one for (space, cls), many in self.by_class.items() if space == namespace
                and schema.is_a(schema.find(space, cls), name) for one in many]

    # ---- The host ----

    def _host(self):
        name = self.host.name
        self.add(V2, "Msvm_ComputerSystem", CreationClassName="Msvm_ComputerSystem", Name=name, ElementName=name,
                 Caption="Hosting Computer System", Description="Microsoft Hosting Computer System", EnabledState=2,
                 RequestedState=12, HealthState=5, OperationalStatus=[2])
        for service, own in SERVICES.items():
            self.add(V2, service, CreationClassName=service, Name=own, SystemCreationClassName="Msvm_ComputerSystem",
                     SystemName=name, EnabledState=5, RequestedState=12)
        self.add(schema.CIMV2, "Win32_OperatingSystem", Name="Microsoft Windows Server|C:\\Windows|", CSName=name,
                 Caption="Microsoft Windows Server 2012 R2" if self.host.old else "Microsoft Windows Server 2022",
                 Version="6.3.9600" if self.host.old else "10.0.20348", BuildNumber="9600" if self.host.old else "20348")

    # ---- Switches ----

    def _switch(self, switch):
        system = self.add(V2, "Msvm_VirtualEthernetSwitch", CreationClassName="Msvm_VirtualEthernetSwitch", Name=switch.id,
                          ElementName=switch.name, Caption="Virtual Switch", EnabledState=5, RequestedState=12,
                          HealthState=5, OperationalStatus=[2], MaxVMQOffloads=0, MaxIOVOffloads=0)
        setting = self.add(V2, "Msvm_VirtualEthernetSwitchSettingData", InstanceID=f"Microsoft:{switch.id}",
                           ElementName=switch.name, VirtualSystemIdentifier=switch.id, ConfigurationID=switch.id,
                           Notes=switch.notes or None, IOVPreferred=switch.iov, TeamingEnabled=False,
                           Caption="Virtual Switch Settings")
        self.link("Msvm_SettingsDefineState", system, setting)
        for guid, enabled in switch.extensions.items():
            name, kind = EXTENSIONS[guid]
            extension = self.add(V2, "Msvm_EthernetSwitchExtension", CreationClassName="Msvm_EthernetSwitchExtension",
                                 Name=guid, SystemCreationClassName="Msvm_VirtualEthernetSwitch", SystemName=switch.id,
                                 ElementName=name, ExtensionType=kind, EnabledState=enabled, Vendor="Microsoft",
                                 Version="10.0.20348.1", HealthState=5, OperationalStatus=[2])
            self.link("Msvm_HostedEthernetSwitchExtension", system, extension)
        for name, port in switch.ports.items():
            self._own_port(switch, system, name, port)

    def _own_port(self, switch, system, name, port):
        """A port of the switch's own, with the NIC behind it."""
        external = name == "external"
        cls = "Msvm_ExternalEthernetPort" if external else "Msvm_InternalEthernetPort"
        guid = state.guid(cls, self.host.name, switch.name)
        more = dict(IsBound=True) if external else {}
        nic = self.add(V2, cls, CreationClassName=cls, DeviceID=f"Microsoft:{{{guid}}}" if external else f"Microsoft:{guid}",
                       SystemCreationClassName="Msvm_ComputerSystem", SystemName=self.host.name, Name=guid,
                       ElementName=switch.nic if external else switch.name, EnabledState=2, Speed=10 ** 10,
                       PermanentAddress="00155D" + guid[-6:], **more)
        setting = self._allocation(port, switch, None, HostResource=[path_text(nic.path(), self.host.name)],
                                   ElementName=f"{switch.name}_{'External' if external else self.host.name}")
        self._switch_port(system, port, setting, nic)

    def _endpoint(self, device):
        """The LAN endpoint of a NIC or of a switch's port."""
        endpoint = self.add(V2, "Msvm_LANEndpoint", CreationClassName="Msvm_LANEndpoint",
                            Name=f"{device.get('DeviceID')}\\1", SystemCreationClassName=device.get("SystemCreationClassName"),
                            SystemName=device.get("SystemName"), ElementName=device.get("ElementName"), EnabledState=2,
                            MACAddress=device.get("PermanentAddress"))
        self.link("Msvm_EthernetDeviceSAPImplementation", device, endpoint)
        return endpoint

    def _switch_port(self, system, port, setting, nic):
        guid = port.instance_id.rsplit("\\", 1)[1]
        if guid == "C":
            guid = state.guid("switch port", port.instance_id, port.switch)
        device = self.add(V2, "Msvm_EthernetSwitchPort", CreationClassName="Msvm_EthernetSwitchPort",
                          DeviceID=f"Microsoft:{guid}", SystemCreationClassName="Msvm_VirtualEthernetSwitch",
                          SystemName=port.switch, Name=guid, ElementName=setting.get("ElementName"), EnabledState=2,
                          PermanentAddress=nic.get("PermanentAddress"), IOVOffloadUsage=0, VMQOffloadUsage=0)
        self.link("Msvm_SystemDevice", system, device)
        self.link("Msvm_ElementSettingData", device, setting)
        self.link("Msvm_ActiveConnection", self._endpoint(device), self._endpoint(nic))

    def _allocation(self, port, switch, adapter, **values):
        setting = self.add(V2, "Msvm_EthernetPortAllocationSettingData", InstanceID=port.instance_id,
                           Caption="Ethernet Switch Port Settings", ResourceSubType="Microsoft:Hyper-V:Ethernet Connection",
                           ResourceType=PORT_RESOURCE, EnabledState=2 if switch else 3,
                           **({} if self.host.old or not switch else {"LastKnownSwitchName": switch.name}),
                           **({"Parent": path_text(adapter.path(), self.host.name)} if adapter else {}), **values)
        for cls, (guid, held) in port.features.items():
            feature = self.add(V2, cls, ElementName="Ethernet Switch Port Settings", **held,
                               InstanceID=f"{port.instance_id}\\{state.FEATURES[cls]}\\{guid}")
            self.link("Msvm_EthernetPortSettingDataComponent", setting, feature)
        return setting

    # ---- VMs ----

    def _vm(self, vm):
        system = self.add(V2, "Msvm_ComputerSystem", CreationClassName="Msvm_ComputerSystem", Name=vm.id, ElementName=vm.name,
                          Caption="Virtual Machine", Description="Microsoft Virtual Machine", HealthState=5,
                          EnabledState=vm.state, RequestedState=12, OperationalStatus=[2],
                          InstallDate="2026-01-02T03:04:05Z", OnTimeInMilliseconds=3600000 if vm.state == 2 else 0)
        settings = self._settings(vm, vm.id, "Microsoft:Hyper-V:System:Realized")
        self.link("Msvm_SettingsDefineState", system, settings)
        for adapter in vm.adapters:
            self._adapter(vm, vm.id, settings, adapter, system)
        if vm.checkpoint:
            saved = self._settings(vm, vm.checkpoint, "Microsoft:Hyper-V:Snapshot:Realized")
            for adapter in vm.adapters:
                self._adapter(vm, vm.checkpoint, saved, adapter, None)

    def _settings(self, vm, guid, kind):
        return self.add(V2, "Msvm_VirtualSystemSettingData", InstanceID=f"Microsoft:{guid}", ElementName=vm.name,
                        ConfigurationID=guid, VirtualSystemIdentifier=vm.id, VirtualSystemType=kind,
                        VirtualSystemSubType="Microsoft:Hyper-V:SubType:2", Version="5.0" if self.host.old else "10.0",
                        Notes=vm.notes or None, CreationTime="2026-01-02T03:04:05Z")

    def _adapter(self, vm, guid, settings, adapter, system):
        """`guid` is that of the VM, or of the checkpoint, whose ports have no features of their own here."""
        cls = "Msvm_EmulatedEthernetPortSettingData" if adapter.legacy else "Msvm_SyntheticEthernetPortSettingData"
        more = {} if self.host.old or adapter.legacy else {"AllowPacketDirect": False}
        switch = self.host.switch(adapter.port.switch)
        hardware = self.add(V2, cls, InstanceID=f"Microsoft:{guid}\\{adapter.id}", ElementName=adapter.name,
                            Address=adapter.mac, ResourceType=ADAPTER_RESOURCE, StaticMacAddress=False,
                            ClusterMonitored=True, VirtualSystemIdentifiers=[f"{{{adapter.id}}}"],
                            ResourceSubType="Microsoft:Hyper-V:" + ("Emulated" if adapter.legacy else "Synthetic")
                            + " Ethernet Port", Caption="Ethernet Port", **more)
        port = adapter.port
        if not system:
            port = state.Port(f"Microsoft:{guid}\\{adapter.id}\\C", adapter.port.switch)
        connected = [path_text(self._path_of(switch), self.host.name)] if switch else None
        setting = self._allocation(port, switch, hardware, HostResource=connected, ElementName="Ethernet Connection")
        self.link("Msvm_VirtualSystemSettingDataComponent", settings, hardware)
        self.link("Msvm_VirtualSystemSettingDataComponent", settings, setting)
        if system and adapter.iov_weight and switch:
            feature = self.add(V2, "Msvm_EthernetSwitchPortOffloadSettingData", IOVOffloadWeight=adapter.iov_weight,
                               VMQOffloadWeight=100, IPSecOffloadLimit=512, ElementName="Ethernet Switch Port Settings",
                               InstanceID=f"{port.instance_id}\\C885BFD1-ABB7-418F-8163-9F379C9F7166\\{adapter.id}")
            self.link("Msvm_EthernetPortSettingDataComponent", setting, feature)
        if system and vm.state == state.RUNNING:
            self._running(vm, adapter, setting, switch)

    def _path_of(self, switch):
        return self.by_path[key(Path(V2, "Msvm_VirtualEthernetSwitch", (
            ("CreationClassName", "Msvm_VirtualEthernetSwitch"), ("Name", switch.id))))].path()

    def _running(self, vm, adapter, setting, switch):
        nic = self.add(V2, "Msvm_SyntheticEthernetPort", CreationClassName="Msvm_SyntheticEthernetPort",
                       DeviceID=f"Microsoft:{adapter.id}", SystemCreationClassName="Msvm_ComputerSystem", SystemName=vm.id,
                       Name=adapter.name, ElementName=adapter.name, PermanentAddress=adapter.mac, EnabledState=2)
        if switch:
            self._switch_port(self.by_path[key(self._path_of(switch))], adapter.port, setting, nic)
        held = adapter.counters
        self.add(schema.CIMV2, "Win32_PerfRawData_NvspNicStats_HyperVVirtualNetworkAdapter",
                 Name=f"{vm.name}_{adapter.name}_{vm.id}--{adapter.id}", PacketsReceivedPersec=held["received"],
                 PacketsSentPersec=held["sent"], DroppedPacketsIncomingPersec=held["dropped"], DroppedPacketsOutgoingPersec=0,
                 BytesReceivedPersec=held["received"] * 100, BytesSentPersec=held["sent"] * 100, Timestamp_Sys100NS=0)

    # ---- What every host has ----

    def _definitions(self):
        """The templates of features."""
        for cls, guid in state.FEATURES.items():
            self.add(V2, cls, InstanceID=f"Microsoft:Definition\\{guid}\\Default", ElementName="Default",
                     **state.defaults(cls, self.host.old))

    def _cluster(self):
        cluster = self.world.cluster
        if not cluster:
            return
        self.add(schema.CLUSTER, "MSCluster_Cluster", Name=cluster.name, ClusterFunctionalLevel=8 if self.host.old else 11)
        nodes = {name: self.add(schema.CLUSTER, "MSCluster_Node", Name=name, State=0) for name in cluster.nodes}
        for name, rule in cluster.rules.items():
            if not rule["hidden"] and not self.host.old:
                self.add(schema.CLUSTER, "MSCluster_AffinityRule", Name=name, RuleType=rule["type"], Enabled=rule["enabled"],
                         Groups=rule["groups"] or None)
        for vm in self.world.vms:
            if vm.name not in cluster.roles:
                continue
            group = self.add(schema.CLUSTER, "MSCluster_ResourceGroup", Name=vm.name, GroupType=111, OwnerNode=vm.host.name,
                     State=0 if vm.state == state.RUNNING else 1)
            self.add(schema.CLUSTER, "MSCluster_Resource", Name=f"Virtual Machine {vm.name}", Type="Virtual Machine",
                     OwnerGroup=vm.name, OwnerNode=vm.host.name, State=2 if vm.state == state.RUNNING else 3)
            for node in cluster.owners.get(vm.name, []):
                self.link("MSCluster_ResourceGroupToPreferredNode", group, nodes[node], schema.CLUSTER)
