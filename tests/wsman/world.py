"""What the hosts are: VMs, adapters, virtual switches, ports and their feature settings. Plain values; hosts.py shows
them as CIM instances, methods.py changes them.

A World has one or more hosts; a VM is on one of them and moves with the feature settings of its adapters, while a switch and
its own ports stay. GUIDs are made from names, so that two runs have the same.
"""

import uuid

MANY_PER_SWITCH = 1000
CAPTURE = "EA24CD6C-D17A-4348-9190-09F0D5BE83DD"
FILTERING = "E7C3B2F0-F3C5-48DF-AF2B-10FED6D72E7A"
SECURITY = "776E0BA7-94A1-41C8-8F28-951F524251B5"
VLAN = "952C5004-4465-451C-8CB8-FA9AB382B773"
FEATURES = {"Msvm_EthernetSwitchPortSecuritySettingData": SECURITY, "Msvm_EthernetSwitchPortVlanSettingData": VLAN}
RUNNING, OFF = 2, 3


def guid(*words):
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, "/".join(words) + ".vmirror.test")).upper()


def defaults(cls, old=False):
    """The values of a feature that nobody set. `old`: a host before Windows Server 2016."""
    if cls == "Msvm_EthernetSwitchPortVlanSettingData":
        return dict(OperationMode=0, AccessVlanId=0, NativeVlanId=0, PvlanMode=0, PrimaryVlanId=0, SecondaryVlanId=0)
    values = dict(AllowMacSpoofing=False, EnableDhcpGuard=False, EnableRouterGuard=False, AllowIeeePriorityTag=False,
                  AllowTeaming=False, MonitorMode=0, MonitorSession=0, VirtualSubnetId=0, TeamNumber=0, TeamName="",
                  DynamicIPAddressLimit=0, StormLimit=0)
    return values if old else {**values, "EnableFixSpeed10G": False, "Reserved": False}


class Port:
    """What feature settings hang on: a VM adapter's connection, or a port of the switch's own. `features` is class ->
    (GUID of the setting, values)."""

    def __init__(self, instance_id, switch):
        self.instance_id = instance_id
        self.switch = switch  # GUID, or None: not connected.
        self.features = {}


class Adapter:
    def __init__(self, vm, name, switch, legacy=False):
        self.id = guid(vm, name)
        self.name = name
        self.legacy = legacy
        self.mac = "000000000000"  # Until the VM is started.
        self.iov_weight = 0
        self.port = Port(None, switch)
        self.counters = {"received": 0, "sent": 0, "dropped": 0}


class Vm:
    def __init__(self, name, host):
        self.id = guid("vm", name)
        self.name = name
        self.host = host
        self.state = OFF
        self.notes = []
        self.checkpoint = None  # GUID of a checkpoint
        self.migrating = False
        self.adapters = []

    def add(self, name, switch, legacy=False):
        adapter = Adapter(self.name, name, switch, legacy)
        adapter.port.instance_id = f"Microsoft:{self.id}\\{adapter.id}\\C"
        self.adapters.append(adapter)
        return adapter

    def start(self):
        self.state = RUNNING
        for adapter in self.adapters:
            if adapter.mac == "000000000000":
                adapter.mac = "00155D" + adapter.id[-6:]


class Switch:
    """`kind` is external, internal or private. `ports` is external, internal -> Port."""

    def __init__(self, host, name, kind, nic=None, management=False):
        self.id = guid("switch", host, name)
        self.name = name
        self.kind = kind
        self.nic = nic
        self.iov = False  # Whether it offers SR-IOV.
        self.notes = []
        self.ports = {}
        self.extensions = {CAPTURE: 3, FILTERING: 2}  # EnabledState: 2 enabled, 3 disabled, 5 not applicable
        for one, present in (("external", kind == "external"), ("internal", management or kind == "internal")):
            if present:
                self.ports[one] = Port(f"Microsoft:{self.id}\\{guid('port', host, name, one)}", self.id)


class Host:
    def __init__(self, name, old=False):
        self.name = name
        self.old = old
        self.hyperv = True  # Whether it has the role Hyper-V.
        self.switches = []

    def switch(self, name):
        return next((one for one in self.switches if name in (one.id, one.name)), None)


class Cluster:
    """The failover cluster of several hosts. `roles`: names of the VMs that it has, each in a group of that name; `rules`: name
    -> {type, enabled, groups, hidden}; `owners`: group -> its preferred owners, in their order."""

    def __init__(self, nodes):
        self.name, self.nodes = "hvc1", nodes
        self.roles, self.rules, self.owners = [], {}, {}
        self.hides = False  # A rule that is made is not found, until an order shows it.


class World:
    """`revision` grows with each change, so that what is made of it can be kept till then. `events` are changes of cluster
    groups: (group, state, node)."""

    def __init__(self, hosts=1, vms=2, old=False, switch="vSwitch"):
        self.switch = switch  # The name of the guests' switch on each host.
        self.revision = 0
        self.events = []
        self.hosts = [Host(f"HV{n + 1}", old) for n in range(hosts)]
        self.vms = []
        for host in self.hosts:
            host.switches.append(Switch(host.name, switch, "external", "Ethernet", management=True))
            host.switches.append(Switch(host.name, "vSwitch_Span", "external", "Ethernet 2"))
            host.switches.append(Switch(host.name, "Private", "private"))
            self._sensor(host)
        for n in range(vms):
            self._guest(n + 1)
        self.cluster = Cluster([host.name for host in self.hosts]) if hosts > 1 else None
        if self.cluster:  # A sensor is each host's own, until an order makes it a role.
            self.cluster.roles = [vm.name for vm in self.vms if not vm.name.startswith("SENSOR-")]

    def _sensor(self, host):
        sensor = Vm(f"SENSOR-{host.name}", host)
        sensor.add("Management", host.switch(self.switch).id)
        sensor.add("Monitor", host.switch(self.switch).id)
        sensor.add("Span", host.switch("vSwitch_Span").id)
        sensor.start()
        self.vms.append(sensor)

    def _guest(self, number):
        vm = Vm(f"vm{number}", self.hosts[(number - 1) % len(self.hosts)])
        vm.add("Network Adapter", vm.host.switch(self.switch).id)
        if number == 2:  # One that tells what was done to it apart from the others.
            vm.add("Legacy Network Adapter", None, legacy=True)
            vm.checkpoint = guid("checkpoint", vm.name)
        vm.start()
        self.vms.append(vm)

    def changed(self):
        self.revision += 1

    def host(self, name):
        return next(one for one in self.hosts if one.name == name)

    def vm(self, name):
        return next((one for one in self.vms if name in (one.name, one.id)), None)

    def on(self, host):
        return [one for one in self.vms if one.host is host]

    def move(self, name, to):
        """A live migration: the adapters go to the switches of the same names there, features along with them."""
        vm, target = self.vm(name), self.host(to)
        for adapter in vm.adapters:
            here = vm.host.switch(adapter.port.switch)
            there = target.switch(here.name) if here else None
            adapter.port.switch = there.id if there else None
        vm.host = target
        self.events += [(name, 4, to), (name, 0, to)]  # A live migration passes `pending`.
        self.changed()
