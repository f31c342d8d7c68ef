"""Methods of the management services and of switch extensions: the host's rules.

    Methods(world, host).call(view, instance, method, inputs) -> Change, or Refused with the ReturnValue

A method checks its arguments at once (Refused), and leaves the work to a job, which can still fail (JobError). Rules:

- A VM's port is changed through the service of VMs, a switch's own port through that of switches; else 32773.
- Add gives the setting its InstanceID. A port has one setting of a class: a second Add ends in an exception.
- Modify takes the settings that an InstanceID names. One of VLANs can't be modified: remove it, add another.
- Remove takes references. Settings of checkpoints, and templates, can't be changed (32775); nor can a VM that migrates.
- What is left out in a Modify keeps its value.
"""

import copy
import uuid
from typing import Callable, NamedTuple

import schema
import world as state
from cim import Invalid, Path, read_cimxml
from jobs import JobError

FAILED, INVALID_PARAMETER, INVALID_STATE, STARTED, NOT_SUPPORTED = 32768, 32773, 32775, 4096, 1
VM_SERVICE, SWITCH_SERVICE = "Msvm_VirtualSystemManagementService", "Msvm_VirtualEthernetSwitchManagementService"
VLAN_CLASS = "Msvm_EthernetSwitchPortVlanSettingData"
MAXIMA = {"MonitorMode": 2, "VirtualSubnetId": 16777215, "OperationMode": 3, "AccessVlanId": 4094, "NativeVlanId": 4094,
          "PvlanMode": 3, "PrimaryVlanId": 4094, "SecondaryVlanId": 4094}
TEAM_NAME_LENGTH = 127
HIGHEST_VLAN = 4094
ENABLED, DISABLED, NOT_APPLICABLE = 2, 3, 5


class Refused(Exception):
    """The method's ReturnValue; nothing was done."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code, self.text = code, text


class Change(NamedTuple):
    """What a job does, and the paths of what results; `work` is None if it is done at once."""

    name: str
    work: Callable
    results: list


class Methods:
    def __init__(self, world, host):
        self.world, self.host = world, host

    def call(self, view, instance, method, inputs):
        if method == "RequestStateChange":
            return self._extension(instance, inputs)
        of_vms = instance.cls.name == VM_SERVICE
        if method == "ModifySystemSettings":
            return self._notes(view, of_vms, inputs)
        return {"AddFeatureSettings": self._add, "ModifyFeatureSettings": self._modify,
                "RemoveFeatureSettings": self._remove}[method](view, of_vms, inputs)

    # ---- What the arguments name ----

    def _port(self, of_vms, instance_id):
        """(Port, VM or None) of the InstanceID of a connection, as the service reaches it."""
        wanted = instance_id.lower()
        for vm in self.world.on(self.host):
            for adapter in vm.adapters:
                if adapter.port.instance_id.lower() == wanted:
                    if not of_vms:
                        raise Refused(INVALID_PARAMETER, "a VM's port is not for the service of switches")
                    if vm.migrating:
                        raise Refused(INVALID_STATE, f"{vm.name} migrates")
                    return adapter.port, vm
            if vm.checkpoint and wanted.startswith(f"microsoft:{vm.checkpoint}\\".lower()):
                raise Refused(INVALID_STATE, "the port of a checkpoint")
        for switch in self.host.switches:
            for port in switch.ports.values():
                if port.instance_id.lower() == wanted:
                    if of_vms:
                        raise Refused(INVALID_PARAMETER, "a switch's own port is not for the service of VMs")
                    return port, None
        raise Refused(INVALID_PARAMETER, f"no port {instance_id}")

    def _feature(self, of_vms, cls, instance_id):
        """The port of the feature with this InstanceID, and the feature's GUID."""
        port_id, _, rest = instance_id.rpartition("\\" + state.FEATURES.get(cls, "?") + "\\")
        if port_id.lower() == "microsoft:definition":
            raise Refused(INVALID_STATE, "a template can't be changed")
        if not port_id:
            raise Refused(INVALID_PARAMETER, f"`{instance_id}` is no InstanceID of {cls}")
        return self._port(of_vms, port_id)[0], rest

    def _read(self, text):
        try:
            instance = read_cimxml(text, schema.V2)
        except Invalid as error:
            raise Refused(INVALID_PARAMETER, str(error)) from None
        if instance.cls.name not in state.FEATURES:
            raise Refused(INVALID_PARAMETER, f"{instance.cls.name} is no feature that can be set here")
        values = {name: value for name, value in instance.values.items()
                  if name not in ("InstanceID", "Caption", "Description", "ElementName")}
        for name, value in values.items():
            if value is not None and name in MAXIMA and value > MAXIMA[name]:
                raise Refused(INVALID_PARAMETER, f"{name} {value} is over {MAXIMA[name]}")
            if name.endswith("VlanIdArray") and not all(1 <= one <= HIGHEST_VLAN for one in value):
                raise Refused(INVALID_PARAMETER, f"{name} has something that is no VLAN")
        if len(values.get("TeamName") or "") > TEAM_NAME_LENGTH:
            raise Refused(INVALID_PARAMETER, f"TeamName is longer than {TEAM_NAME_LENGTH}")
        if self.host.old and "EnableFixSpeed10G" in values:
            raise Refused(INVALID_PARAMETER, "EnableFixSpeed10G is not there before Windows Server 2016")
        return instance, values

    # ---- The three methods of features ----

    def _add(self, _view, of_vms, inputs):
        target, texts = inputs.get("AffectedConfiguration"), inputs.get("FeatureSettings") or []
        if not target or target.cls != "Msvm_EthernetPortAllocationSettingData" or not texts:
            raise Refused(INVALID_PARAMETER, "AffectedConfiguration is a connection, FeatureSettings is not empty")
        port, _ = self._port(of_vms, dict(target.keys).get("InstanceID", ""))
        wanted, results = [], []
        for text in texts:
            instance, values = self._read(text)
            if values.get("OperationMode") == 2 and not values.get("TrunkVlanIdArray"):
                raise Refused(INVALID_PARAMETER, "a trunk without TrunkVlanIdArray")
            guid = str(uuid.uuid4()).upper()
            wanted.append((instance.cls.name, guid, {**state.defaults(instance.cls.name, self.host.old), **values}))
            results.append(self._path(port, instance.cls.name, guid))

        def work():
            for cls, guid, values in wanted:
                if cls in port.features:
                    raise JobError(FAILED, f"The port has a setting of the class {cls} already.")
                port.features[cls] = (guid, values)
                self.world.changed()
        return Change("Adding feature settings", work, results)

    def _modify(self, _view, of_vms, inputs):
        wanted, results = [], []
        for text in inputs.get("FeatureSettings") or []:
            instance, values = self._read(text)
            port, guid = self._feature(of_vms, instance.cls.name, instance.get("InstanceID") or "")
            held = port.features.get(instance.cls.name)
            if not held or held[0].lower() != guid.lower():
                raise Refused(INVALID_PARAMETER, f"no setting {instance.get('InstanceID')}")
            wanted.append((port, instance.cls.name, values))
            results.append(self._path(port, instance.cls.name, held[0]))
        if not wanted:
            raise Refused(INVALID_PARAMETER, "FeatureSettings is empty")

        def work():
            for port, cls, values in wanted:
                if cls == VLAN_CLASS:
                    raise JobError(FAILED, "The setting of VLANs can't be modified.")
                if cls not in port.features:
                    raise JobError(FAILED, "The setting is gone.")
                guid, held = port.features[cls]
                port.features[cls] = (guid, {**held, **values})
                self.world.changed()
        return Change("Modifying feature settings", work, results)

    def _remove(self, _view, of_vms, inputs):
        wanted = []
        for path in inputs.get("FeatureSettings") or []:
            port, guid = self._feature(of_vms, path.cls, dict(path.keys).get("InstanceID", ""))
            if path.cls not in port.features or port.features[path.cls][0].lower() != guid.lower():
                raise Refused(INVALID_PARAMETER, f"no setting {path.keys}")
            wanted.append((port, path.cls))
        if not wanted:
            raise Refused(INVALID_PARAMETER, "FeatureSettings is empty")

        def work():
            for port, cls in wanted:
                port.features.pop(cls, None)
                self.world.changed()
        return Change("Removing feature settings", work, [])

    @staticmethod
    def _path(port, cls, guid):
        return Path(schema.V2, cls, (("InstanceID", f"{port.instance_id}\\{state.FEATURES[cls]}\\{guid}"),))

    # ---- The rest ----

    def _notes(self, view, of_vms, inputs):
        """ModifySystemSettings, which here changes Notes alone."""
        try:
            instance = read_cimxml(inputs.get("SystemSettings") or "", schema.V2)
        except Invalid as error:
            raise Refused(INVALID_PARAMETER, str(error)) from None
        cls = "Msvm_VirtualSystemSettingData" if of_vms else "Msvm_VirtualEthernetSwitchSettingData"
        guid = (instance.get("InstanceID") or "").removeprefix("Microsoft:")
        known = view.find(Path(schema.V2, cls, (("InstanceID", "Microsoft:" + guid),)))
        owner = self.world.vm(guid.upper()) if of_vms else self.host.switch(guid.upper())
        if instance.cls.name != cls or not owner or not known:
            raise Refused(INVALID_PARAMETER, f"no {cls} Microsoft:{guid}")
        for name, value in instance.values.items():
            if name != "Notes" and value != known.values.get(name):
                raise Refused(NOT_SUPPORTED, f"this server changes Notes alone, not {name}")
        notes = list(instance.values.get("Notes", owner.notes))

        def work():
            owner.notes = notes
            self.world.changed()
        return Change("Modifying system settings", work, [])

    def _extension(self, instance, inputs):
        switch = self.host.switch(instance.get("SystemName"))
        wanted, name = inputs.get("RequestedState"), instance.get("Name")
        if wanted not in (ENABLED, DISABLED):
            raise Refused(NOT_SUPPORTED, "RequestedState is 2 or 3")
        if switch.extensions[name] == NOT_APPLICABLE:
            raise Refused(NOT_SUPPORTED, "the extension is not applicable")
        switch.extensions[name] = wanted
        self.world.changed()
        return Change("Changing the extension's state", None, [])


def held(port):
    """A copy of what hangs on the port, for the control endpoint: class -> values."""
    return {cls: copy.deepcopy(values) for cls, (_, values) in port.features.items()}
