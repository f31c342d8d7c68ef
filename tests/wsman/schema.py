"""The classes of a Hyper-V host that the server knows: names, types, keys, methods. Values are in host.py.

A class is a line `Namespace|Class : Superclass`; below it one property a line, `[key] type[[]] Name`, or a method,
`method Name(in type Name, out type Name ...)`; `void` in its place: without a ReturnValue; `static`: of the class, not of an
instance. `ref Class Name` is a reference. A property of a superclass is one of the
class, too. Only properties that a reader of mirroring settings meets are here; a real host has more of them.

Source: Microsoft's reference of the namespace root\\virtualization\\v2 (HyperV_v2) and of the Cluster WMI provider; of
MSCluster_AffinityRule, which is not in it, Microsoft's library for Go (github.com/microsoft/wmi).
"""

from typing import NamedTuple, Optional

V2 = "root/virtualization/v2"
CIMV2 = "root/cimv2"
CLUSTER = "root/MSCluster"

TEXT = r"""
root/virtualization/v2|CIM_ManagedElement
  string Caption
  string Description
  string ElementName
root/virtualization/v2|CIM_EnabledLogicalElement : CIM_ManagedElement
  uint16 EnabledState
  uint16 RequestedState
  uint16 HealthState
  uint16[] OperationalStatus
  datetime InstallDate
  datetime TimeOfLastStateChange
root/virtualization/v2|CIM_ComputerSystem : CIM_EnabledLogicalElement
  key string CreationClassName
  key string Name
  string NameFormat
root/virtualization/v2|Msvm_ComputerSystem : CIM_ComputerSystem
  uint64 OnTimeInMilliseconds
  uint32 ProcessID
root/virtualization/v2|Msvm_VirtualEthernetSwitch : CIM_ComputerSystem
  uint32 MaxVMQOffloads
  uint32 MaxIOVOffloads
root/virtualization/v2|CIM_SettingData : CIM_ManagedElement
  key string InstanceID
root/virtualization/v2|CIM_VirtualSystemSettingData : CIM_SettingData
  string ConfigurationID
  string VirtualSystemIdentifier
  string VirtualSystemType
  string[] Notes
  datetime CreationTime
root/virtualization/v2|Msvm_VirtualSystemSettingData : CIM_VirtualSystemSettingData
  string VirtualSystemSubType
  string Version
root/virtualization/v2|Msvm_VirtualEthernetSwitchSettingData : CIM_VirtualSystemSettingData
  boolean IOVPreferred
  boolean TeamingEnabled
  string[] AssociatedResourcePool
root/virtualization/v2|CIM_ResourceAllocationSettingData : CIM_SettingData
  string Address
  string[] HostResource
  string Parent
  string PoolID
  string ResourceSubType
  uint16 ResourceType
  string[] Connection
root/virtualization/v2|Msvm_SyntheticEthernetPortSettingData : CIM_ResourceAllocationSettingData
  string[] VirtualSystemIdentifiers
  boolean StaticMacAddress
  boolean ClusterMonitored
  boolean AllowPacketDirect
root/virtualization/v2|Msvm_EmulatedEthernetPortSettingData : CIM_ResourceAllocationSettingData
  string[] VirtualSystemIdentifiers
  boolean StaticMacAddress
  boolean ClusterMonitored
root/virtualization/v2|Msvm_EthernetPortAllocationSettingData : CIM_ResourceAllocationSettingData
  uint16 EnabledState
  string LastKnownSwitchName
  string[] RequiredFeatures
  string TestReplicaPoolID
  string TestReplicaSwitchName
root/virtualization/v2|Msvm_FeatureSettingData : CIM_SettingData
root/virtualization/v2|Msvm_EthernetSwitchPortFeatureSettingData : Msvm_FeatureSettingData
root/virtualization/v2|Msvm_EthernetSwitchPortSecuritySettingData : Msvm_EthernetSwitchPortFeatureSettingData
  boolean AllowMacSpoofing
  boolean EnableDhcpGuard
  boolean EnableRouterGuard
  boolean AllowIeeePriorityTag
  boolean AllowTeaming
  uint8 MonitorMode
  uint8 MonitorSession
  uint32 VirtualSubnetId
  uint32 TeamNumber
  string TeamName
  uint32 DynamicIPAddressLimit
  uint32 StormLimit
  boolean EnableFixSpeed10G
  boolean Reserved
root/virtualization/v2|Msvm_EthernetSwitchPortVlanSettingData : Msvm_EthernetSwitchPortFeatureSettingData
  uint32 OperationMode
  uint16 AccessVlanId
  uint16 NativeVlanId
  uint32 PvlanMode
  uint16 PrimaryVlanId
  uint16 SecondaryVlanId
  uint16[] PruneVlanIdArray
  uint16[] TrunkVlanIdArray
  uint16[] SecondaryVlanIdArray
root/virtualization/v2|Msvm_EthernetSwitchPortOffloadSettingData : Msvm_EthernetSwitchPortFeatureSettingData
  uint32 VMQOffloadWeight
  uint32 IOVOffloadWeight
  uint32 IPSecOffloadLimit
root/virtualization/v2|CIM_LogicalDevice : CIM_EnabledLogicalElement
  key string CreationClassName
  key string DeviceID
  key string SystemCreationClassName
  key string SystemName
  string Name
root/virtualization/v2|CIM_EthernetPort : CIM_LogicalDevice
  string PermanentAddress
  uint64 Speed
root/virtualization/v2|Msvm_EthernetSwitchPort : CIM_EthernetPort
  uint32 IOVOffloadUsage
  uint32 VMQOffloadUsage
root/virtualization/v2|Msvm_ExternalEthernetPort : CIM_EthernetPort
  boolean IsBound
root/virtualization/v2|Msvm_InternalEthernetPort : CIM_EthernetPort
root/virtualization/v2|Msvm_SyntheticEthernetPort : CIM_EthernetPort
root/virtualization/v2|Msvm_LANEndpoint : CIM_EnabledLogicalElement
  key string CreationClassName
  key string Name
  key string SystemCreationClassName
  key string SystemName
  string MACAddress
root/virtualization/v2|Msvm_EthernetSwitchExtension : CIM_EnabledLogicalElement
  key string CreationClassName
  key string Name
  key string SystemCreationClassName
  key string SystemName
  uint8 ExtensionType
  string Vendor
  string Version
  method RequestStateChange(in uint16 RequestedState, in datetime TimeoutPeriod, out ref Job)
root/virtualization/v2|CIM_Service : CIM_EnabledLogicalElement
  key string CreationClassName
  key string Name
  key string SystemCreationClassName
  key string SystemName
root/virtualization/v2|Msvm_VirtualSystemManagementService : CIM_Service
  method AddFeatureSettings(in ref AffectedConfiguration, in string[] FeatureSettings, out ref[] ResultingFeatureSettings, out ref Job)
  method ModifyFeatureSettings(in string[] FeatureSettings, out ref[] ResultingFeatureSettings, out ref Job)
  method RemoveFeatureSettings(in ref[] FeatureSettings, out ref Job)
  method ModifySystemSettings(in string SystemSettings, out ref Job)
root/virtualization/v2|Msvm_VirtualEthernetSwitchManagementService : CIM_Service
  method AddFeatureSettings(in ref AffectedConfiguration, in string[] FeatureSettings, out ref[] ResultingFeatureSettings, out ref Job)
  method ModifyFeatureSettings(in string[] FeatureSettings, out ref[] ResultingFeatureSettings, out ref Job)
  method RemoveFeatureSettings(in ref[] FeatureSettings, out ref Job)
  method ModifySystemSettings(in string SystemSettings, out ref Job)
root/virtualization/v2|CIM_ConcreteJob : CIM_ManagedElement
  key string InstanceID
  string Name
  uint16 JobState
  uint16 PercentComplete
  uint16 ErrorCode
  string ErrorDescription
  string ErrorSummaryDescription
  string JobStatus
  datetime ElapsedTime
  boolean DeleteOnCompletion
root/virtualization/v2|Msvm_ConcreteJob : CIM_ConcreteJob
  uint16 JobType
  boolean Cancellable
root/virtualization/v2|CIM_Component
  key ref GroupComponent
  key ref PartComponent
root/virtualization/v2|Msvm_VirtualSystemSettingDataComponent : CIM_Component
root/virtualization/v2|Msvm_EthernetPortSettingDataComponent : CIM_Component
root/virtualization/v2|Msvm_SystemDevice : CIM_Component
root/virtualization/v2|CIM_Dependency
  key ref Antecedent
  key ref Dependent
root/virtualization/v2|Msvm_EthernetDeviceSAPImplementation : CIM_Dependency
root/virtualization/v2|Msvm_ActiveConnection : CIM_Dependency
root/virtualization/v2|Msvm_HostedEthernetSwitchExtension : CIM_Dependency
root/virtualization/v2|CIM_SettingsOfElement
  key ref ManagedElement
  key ref SettingData
root/virtualization/v2|Msvm_SettingsDefineState : CIM_SettingsOfElement
root/virtualization/v2|Msvm_ElementSettingData : CIM_SettingsOfElement
root/cimv2|Win32_OperatingSystem
  key string Name
  string Caption
  string Version
  string BuildNumber
  string CSName
root/cimv2|Win32_PerfRawData_NvspNicStats_HyperVVirtualNetworkAdapter
  key string Name
  uint64 BytesReceivedPersec
  uint64 BytesSentPersec
  uint64 PacketsReceivedPersec
  uint64 PacketsSentPersec
  uint64 DroppedPacketsIncomingPersec
  uint64 DroppedPacketsOutgoingPersec
  uint64 Timestamp_Sys100NS
root/MSCluster|CIM_Component
  key ref GroupComponent
  key ref PartComponent
root/MSCluster|MSCluster_ResourceGroupToPreferredNode : CIM_Component
root/MSCluster|MSCluster_Cluster
  key string Name
  uint32 ClusterFunctionalLevel
root/MSCluster|MSCluster_ResourceGroup
  key string Name
  uint32 GroupType
  string OwnerNode
  sint32 State
  void GetPreferredOwners(out string[] NodeNames)
  void SetPreferredOwners(in string[] NodeNames)
root/MSCluster|MSCluster_AffinityRule
  key string Name
  uint32 RuleType
  uint32 Enabled
  string[] Groups
  static CreateAffinityRule(in string Name, in uint32 RuleType, out ref CreatedAffinityRule)
  method SetAffinityRule(in uint32 RuleType, in uint32 Enabled)
  method AddGroupToAffinityRule(in string[] Groups)
  method RemoveGroupFromAffinityRule(in string[] Groups)
  method RemoveAffinityRule()
root/MSCluster|MSCluster_Resource
  key string Name
  string Type
  string OwnerGroup
  string OwnerNode
  uint32 State
root/MSCluster|MSCluster_Node
  key string Name
  uint32 State
root/MSCluster|MSCluster_EventGroupStateChange
  string EventObjectName
  uint32 EventObjectType
  string EventObjectPath
  sint32 EventNewState
  string EventNode
"""

ASSOCIATIONS = ("CIM_Component", "CIM_Dependency", "CIM_SettingsOfElement")


class Property(NamedTuple):
    name: str
    type: str  # "ref" for a reference
    array: bool = False
    key: bool = False


class Parameter(NamedTuple):
    name: str
    type: str
    array: bool
    out: bool


class Method(NamedTuple):
    parameters: list
    static: bool
    void: bool


class Class(NamedTuple):
    """`properties` has those of the superclasses, too, by name in lower case."""

    namespace: str
    name: str
    superclass: Optional[str]
    properties: dict
    methods: dict  # name -> Method

    def keys(self):
        return [one for one in self.properties.values() if one.key]


def _type(word):
    return word.removesuffix("[]"), word.endswith("[]")


def _method(text):
    how, _, rest = text.strip().partition(" ")
    name, _, rest = rest.partition("(")
    parameters = []
    for one in filter(None, rest.rstrip(")").split(", ")):
        direction, kind, parameter = one.split()
        parameters.append(Parameter(parameter, *_type(kind), direction == "out"))
    return name, Method(parameters, how == "static", how == "void")


def _read(text):
    """(namespace, class in lower case) -> Class"""
    classes, current = {}, None
    for line in text.strip().splitlines():
        if not line.startswith(" "):
            namespace, _, rest = line.partition("|")
            name, _, superclass = rest.partition(" : ")
            above = classes[namespace, superclass.lower()] if superclass else None
            current = Class(namespace, name, superclass or None, dict(above.properties) if above else {},
                            dict(above.methods) if above else {})
            classes[namespace, name.lower()] = current
        elif line.endswith(")"):
            name, method = _method(line)
            current.methods[name] = method
        else:
            words = line.split()
            kind, array = _type(words[-2])
            current.properties[words[-1].lower()] = Property(words[-1], kind, array, words[0] == "key")
    return classes


CLASSES = _read(TEXT)
NAMESPACES = {namespace.lower(): namespace for namespace, _ in CLASSES}


def find(namespace, name):
    """The class, whatever the case of its name, or None."""
    return CLASSES.get((NAMESPACES.get(namespace.lower()), name.lower()))


def is_a(cls, name):
    """Whether `cls` is the class `name` or below it."""
    while cls:
        if cls.name.lower() == name.lower():
            return True
        cls = find(cls.namespace, cls.superclass) if cls.superclass else None
    return False
