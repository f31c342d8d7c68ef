// Reading and writing of the vim25 API's values, by tables.
#include "plugin/vsphere/read.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "plugin/net/soap.hpp"
#include "plugin/vsphere/ports.hpp"
#include "plugin/vsphere/task.hpp"

namespace vmirror::vsphere {
namespace {

using Kind = Error::Kind;

net::XmlDocument document(const std::string& text) {
  auto parsed = net::XmlDocument::parse(net::Message(text.begin(), text.end()));
  EXPECT_TRUE(parsed) << parsed.error().text();
  return std::move(*parsed);
}

std::string raw(pugi::xml_node node) {
  std::ostringstream out;
  node.print(out, "", pugi::format_raw);
  return out.str();
}

/// An UpdateSet with one update of `ref`.
std::string update(const std::string& kind, const std::string& type, const std::string& id,
                   const std::string& changes) {
  return "<returnval xmlns:xsi=\"x\"><version>7</version><filterSet><filter type=\"F\">f</filter>"
         "<objectSet><kind>" +
         kind + "</kind><obj type=\"" + type + "\">" + id + "</obj>" + changes +
         "</objectSet></filterSet></returnval>";
}
std::string change(const std::string& name, const std::string& value) {
  return "<changeSet><name>" + name + "</name><op>assign</op><val>" + value + "</val></changeSet>";
}

const Ref kMachine{"VirtualMachine", "vm-1"};

TEST(Fold, ReadsAMachineWithEveryKindOfBacking) {
  const std::string devices =
      "<VirtualDevice xsi:type=\"VirtualDisk\"><key>2000</key></VirtualDevice>"
      "<VirtualDevice xsi:type=\"VirtualVmxnet3\"><key>4000</key><deviceInfo><label>Network "
      "adapter "
      "1</label></deviceInfo><backing "
      "xsi:type=\"VirtualEthernetCardDistributedVirtualPortBackingInfo"
      "\"><port><switchUuid>50 0c</switchUuid><portgroupKey>dvportgroup-9</portgroupKey><portKey>12"
      "</portKey></port></backing><connectable><connected>true</connected></connectable>"
      "<macAddress>00:50:56:00:00:01</macAddress></VirtualDevice>"
      "<VirtualDevice xsi:type=\"VirtualE1000\"><key>4001</key><backing "
      "xsi:type=\"VirtualEthernetCard"
      "NetworkBackingInfo\"><deviceName>VM Network</deviceName></backing>"
      "<macAddress>00:50:56:00:00:02</macAddress></VirtualDevice>"
      "<VirtualDevice xsi:type=\"VirtualVmxnet3\"><key>4002</key><backing "
      "xsi:type=\"VirtualEthernetCard"
      "OpaqueNetworkBackingInfo\"><opaqueNetworkId>nsx-1</opaqueNetworkId></backing>"
      "<addressType>assigned</addressType></VirtualDevice>"
      "<VirtualDevice xsi:type=\"VirtualSriovEthernetCard\"><key>4003</key>"
      "<macAddress>00:50:56:00:00:04</macAddress></VirtualDevice>"
      "<VirtualDevice xsi:type=\"VirtualVmxnet3\"><key>4004</key><backing "
      "xsi:type=\"VirtualEthernetCard"
      "LegacyNetworkBackingInfo\"/><macAddress>bad</macAddress></VirtualDevice>";
  const auto text = document(update(
      "enter", "VirtualMachine", "vm-1",
      change("name", "dc-1 &amp; co") + change("config.instanceUuid", "u-1") +
          change("runtime.powerState", "poweredOn") +
          "<changeSet><name>runtime.host</name><op>assign</op><val type=\"HostSystem\">host-2"
          "</val></changeSet>" +
          change("config.hardware.device", devices)));
  Inventory inventory;
  const auto folded = fold(text.root(), inventory);
  ASSERT_TRUE(folded) << folded.error().text();
  EXPECT_EQ(folded->version, "7");
  EXPECT_TRUE(folded->changed);
  EXPECT_FALSE(folded->truncated);
  const Machine& machine = inventory.machines.at(kMachine);
  EXPECT_EQ(machine.name, "dc-1 & co");
  EXPECT_EQ(machine.uuid, "u-1");
  EXPECT_EQ(machine.host, (Ref{"HostSystem", "host-2"}));
  EXPECT_TRUE(machine.powered_on);
  ASSERT_EQ(machine.nics.size(), 5u);
  const Nic& first = machine.nics[0];
  EXPECT_EQ(first.key, 4000);
  EXPECT_EQ(first.label, "Network adapter 1");
  EXPECT_EQ(first.type, "VirtualVmxnet3");
  EXPECT_EQ(first.mac, *Mac::parse("00:50:56:00:00:01"));
  EXPECT_TRUE(first.connected);
  EXPECT_EQ(first.backing, (Backing{Backing::Kind::dv_port, "DistributedVirtualPort", "50 0c",
                                    "dvportgroup-9", "12", ""}));
  EXPECT_EQ(machine.nics[1].backing,
            (Backing{Backing::Kind::port_group, "Network", "", "", "", "VM Network"}));
  EXPECT_EQ(machine.nics[2].backing,
            (Backing{Backing::Kind::opaque, "OpaqueNetwork", "", "", "", "nsx-1"}));
  EXPECT_EQ(machine.nics[3].backing, Backing{});
  EXPECT_EQ(machine.nics[4].backing.kind, Backing::Kind::other);
  EXPECT_EQ(machine.nics[4].backing.type, "LegacyNetwork");
}

TEST(Fold, FollowsChangesUntilAnObjectLeaves) {
  Inventory inventory;
  struct Row {
    std::string text;
    bool changed;
    std::string name;  ///< Of the machine then; "-": it is gone.
    bool powered_on;
  };
  const Row rows[] = {
      {update("enter", "VirtualMachine", "vm-1", change("name", "a")), true, "a", false},
      {update("modify", "VirtualMachine", "vm-1", change("runtime.powerState", "poweredOn")), true,
       "a", true},
      {update("modify", "VirtualMachine", "vm-1", change("runtime.powerState", "poweredOn")), false,
       "a", true},
      {update("modify", "VirtualMachine", "vm-1", change("summary.overallStatus", "red")), false,
       "a", true},
      {update("modify", "VirtualMachine", "vm-1",
              "<changeSet><name>name</name><op>indirectRemove</op></changeSet>"),
       true, "", true},
      {update("enter", "VirtualMachine", "vm-1", change("name", "b")), true, "b", false},
      {update("enter", "Datastore", "d-1", change("name", "x")), false, "b", false},
      {update("leave", "VirtualMachine", "vm-1", ""), true, "-", false},
      {update("leave", "VirtualMachine", "vm-1", ""), false, "-", false},
  };
  for (const Row& row : rows) {
    const auto text = document(row.text);
    const auto folded = fold(text.root(), inventory);
    ASSERT_TRUE(folded) << folded.error().text();
    EXPECT_EQ(folded->changed, row.changed) << row.text;
    const auto at = inventory.machines.find(kMachine);
    EXPECT_EQ(at == inventory.machines.end() ? "-" : at->second.name, row.name) << row.text;
    if (at != inventory.machines.end()) {
      EXPECT_EQ(at->second.powered_on, row.powered_on);
    }
  }
}

TEST(Fold, ReadsHostsSwitchesAndPortGroups) {
  Inventory inventory;
  const auto fold_in = [&](const std::string& text) {
    const auto parsed = document(text);
    const auto folded = fold(parsed.root(), inventory);
    ASSERT_TRUE(folded) << folded.error().text();
  };
  fold_in(update("enter", "HostSystem", "host-2",
                 change("name", "esx1") + change("runtime.connectionState", "connected") +
                     change("config.network.portgroup",
                            "<HostPortGroup><computedPolicy><security><allowPromiscuous>true"
                            "</allowPromiscuous></security></computedPolicy><spec><name>SPAN</name>"
                            "<vlanId>4095</vlanId><vswitchName>vSwitch0</vswitchName></spec>"
                            "</HostPortGroup>")));
  EXPECT_EQ(inventory.hosts.at({"HostSystem", "host-2"}),
            (Host{"esx1", true, {{"SPAN", "vSwitch0", 4095, true}}}));
  fold_in(update(
      "enter", "VmwareDistributedVirtualSwitch", "dvs-1",
      change("uuid", "50 0c") +
          change("config",
                 "<configVersion>7</configVersion><host><config><host "
                 "type=\"HostSystem\">host-2</host>"
                 "</config></host><vspanSession><key>3</key><name>x</name><enabled>true</enabled>"
                 "<sourcePortReceived><vlans>5</vlans><vlans>6</vlans></sourcePortReceived>"
                 "</vspanSession>") +
          change("capability",
                 "<featuresSupported><vspanSupported>true</vspanSupported><vspanCapability>"
                 "<dvportSupported>true</dvportSupported><encapRemoteSourceSupported>true"
                 "</encapRemoteSourceSupported></vspanCapability></featuresSupported>")));
  const DistributedSwitch& dvs = inventory.switches.begin()->second;
  EXPECT_EQ(dvs.config_version, "7");
  EXPECT_EQ(dvs.hosts, (std::vector<Ref>{{"HostSystem", "host-2"}}));
  ASSERT_EQ(dvs.sessions.size(), 1u);
  EXPECT_EQ(dvs.sessions[0].received.vlans, (std::vector<int>{5, 6}));
  VspanCapability capability;
  capability.any = capability.dv_port = capability.encapsulated = true;
  EXPECT_EQ(dvs.capability, capability);  // What is absent is not supported.
  fold_in(
      update("enter", "DistributedVirtualPortgroup", "dvportgroup-9",
             change("key", "dvportgroup-9") +
                 change("config",
                        "<distributedVirtualSwitch type=\"VmwareDistributedVirtualSwitch\">dvs-1"
                        "</distributedVirtualSwitch><defaultPortConfig><securityPolicy>"
                        "<allowPromiscuous><inherited>false</inherited><value>true</value>"
                        "</allowPromiscuous></securityPolicy></defaultPortConfig>"
                        "<type>ephemeral</type><backingType>nsx</backingType>")));
  EXPECT_EQ(inventory.port_groups.begin()->second,
            (DistributedPortGroup{"dvportgroup-9",
                                  "",
                                  {"VmwareDistributedVirtualSwitch", "dvs-1"},
                                  "ephemeral",
                                  "nsx",
                                  true,
                                  false}));
}

TEST(Fold, TellsWhatItCannotFollowOrMayNotRead) {
  std::string many;
  for (std::size_t i = 0; i <= kMaxItems; i++)
    many += "<VirtualDevice><macAddress/></VirtualDevice>";
  struct Row {
    std::string text;
    Kind kind;
    const char* words;
  };
  const Row rows[] = {
      {"<returnval/>", Kind::invalid, "without a version"},
      {update("enter", "VirtualMachine", "", ""), Kind::invalid, "no object"},
      {update("moved", "VirtualMachine", "vm-1", ""), Kind::invalid, "unknown kind"},
      {update("modify", "VirtualMachine", "vm-1",
              change("config.hardware.device[4000].backing", "x")),
       Kind::invalid, "part of a property"},
      {update("enter", "VirtualMachine", "vm-1", change("config.hardware.device", many)),
       Kind::exhausted, "4096 NICs"},
  };
  for (const Row& row : rows) {
    Inventory inventory;
    const auto text = document(row.text);
    const auto folded = fold(text.root(), inventory);
    ASSERT_FALSE(folded) << row.text.substr(0, 200);
    EXPECT_EQ(folded.error().kind, row.kind);
    EXPECT_NE(folded.error().what.find(row.words), std::string::npos) << folded.error().text();
  }
  Inventory inventory;
  const auto text = document(update(
      "enter", "HostSystem", "host-2",
      "<missingSet><path>config.network.portgroup</path><fault><fault xsi:type=\"NoPermission\">"
      "<object type=\"HostSystem\">host-2</object><privilegeId>System.Read</privilegeId></fault>"
      "</fault></missingSet>"));
  const auto folded = fold(text.root(), inventory);
  ASSERT_TRUE(folded);
  EXPECT_EQ(folded->missing, 1u);
  EXPECT_EQ(folded->first_missing.text(),
            "property config.network.portgroup of HostSystem host-2: the user lacks the privilege "
            "System.Read on HostSystem host-2 (add System.Read to the user's role)");
}

VspanSession full_session() {
  VspanSession out;
  out.key = "4";
  out.name = "vmirror <x> & y";
  out.description = "d";
  out.enabled = true;
  out.transmitted.ports = {"12", "13"};
  out.received.ports = {"12"};
  out.destination.addresses = {"192.0.2.9", "2001:db8::9"};
  out.encapsulation_vlan = 7;
  out.strip_vlan = true;
  out.length = 60;
  out.normal_traffic = true;
  out.type = "encapsulatedRemoteMirrorSource";
  out.sampling_rate = 1;
  out.encapsulation = "erspan3";
  out.erspan_id = 5;
  out.erspan_cos = 0;
  out.erspan_nanoseconds = false;
  out.netstack = "mirror";
  return out;
}

TEST(Vspan, IsWrittenInTheSchemasOrderAndReadBack) {
  pugi::xml_document out;
  encode_reconfigure("7", {{VspanChange::Operation::add, full_session()}}, out);
  EXPECT_EQ(
      raw(out.first_child()),
      "<spec xsi:type=\"VMwareDVSConfigSpec\"><configVersion>7</configVersion><vspanConfigSpec>"
      "<vspanSession><key>4</key><name>vmirror &lt;x&gt; &amp; y</name><description>d</description>"
      "<enabled>true</enabled><sourcePortTransmitted><portKey>12</portKey><portKey>13</portKey>"
      "</sourcePortTransmitted><sourcePortReceived><portKey>12</portKey></sourcePortReceived>"
      "<destinationPort><ipAddress>192.0.2.9</ipAddress><ipAddress>2001:db8::9</ipAddress>"
      "</destinationPort><encapsulationVlanId>7</encapsulationVlanId><stripOriginalVlan>true"
      "</stripOriginalVlan><mirroredPacketLength>60</"
      "mirroredPacketLength><normalTrafficAllowed>true"
      "</normalTrafficAllowed><sessionType>encapsulatedRemoteMirrorSource</sessionType>"
      "<samplingRate>1</samplingRate><encapType>erspan3</encapType><erspanId>5</erspanId>"
      "<erspanCOS>0</erspanCOS><erspanGraNanosec>false</erspanGraNanosec><netstack>mirror</"
      "netstack>"
      "</vspanSession><operation>add</operation></vspanConfigSpec></spec>");
  VspanSession uplink;
  uplink.received.vlans = {1, 4094};
  uplink.destination.uplinks = {"Uplink 1"};
  for (const VspanSession& session : {full_session(), uplink, VspanSession{}}) {
    pugi::xml_document written;
    encode(session, written.append_child("vspanSession"));
    EXPECT_EQ(read_session(written.first_child()), session) << raw(written);
  }
  // Required by the schema, also to remove one.
  pugi::xml_document bare;
  encode({}, bare.append_child("v"));
  EXPECT_EQ(raw(bare.first_child()),
            "<v><enabled>false</enabled><stripOriginalVlan>false</stripOriginalVlan>"
            "<normalTrafficAllowed>false</normalTrafficAllowed></v>");
}

TEST(Versions, TheNewestThatBothKnow) {
  const auto of = [](const std::string& name, const std::string& version,
                     const std::string& prior) {
    return "<namespaces><namespace><name>" + name + "</name><version>" + version +
           "</version><priorVersions>" + prior + "</priorVersions></namespace></namespaces>";
  };
  struct Row {
    std::string text;
    std::string expected;  ///< Empty: an error.
  };
  const Row rows[] = {
      {of("urn:vim25", "8.0.3.0", "<version>8.0.2.0</version>"), "8.0.3.0"},
      {of("urn:vim25", "6.5", "<version>6.0</version>"), "6.5"},
      {of("urn:vim25", "9.1.0.0", "<version>8.0.3.0</version><version>9.0.0.0</version>"),
       "9.0.0.0"},
      {of("urn:vim25", "10.0.0.0",
          "<version>9.9</version><version>8.0.10.0</version><version>8.0.9.0"
          "</version>"),
       "8.0.10.0"},
      {of("urn:vim25", "new", "<version>7.0</version><version>7..1</version><version>-8</version>"),
       "7.0"},
      {of("urn:pbm", "2.0", ""), ""},
      {of("urn:vim25", "99", ""), ""},
      {"<html/>", ""},
  };
  for (const Row& row : rows) {
    const auto text = document(row.text);
    const auto version = choose_version(text.root());
    EXPECT_EQ(version ? *version : "", row.expected) << row.text;
  }
}

TEST(Faults, NameTheObjectAndTheRemedy) {
  struct Row {
    std::string type, fields, text;
    Kind kind;
    std::string expected;
  };
  const Row rows[] = {
      {"NoPermission",
       "<object type=\"VmwareDistributedVirtualSwitch\">dvs-1</object><privilegeId>"
       "DVSwitch.Vspan</privilegeId>",
       "Permission was denied", Kind::refused,
       "at: the user lacks the privilege DVSwitch.Vspan on VmwareDistributedVirtualSwitch dvs-1 "
       "(add "
       "DVSwitch.Vspan to the user's role)"},
      {"VspanDestPortConflict",
       "<vspanSessionKey1>1</vspanSessionKey1><vspanSessionKey2>2</vspanSessionKey2><portKey>12"
       "</portKey>",
       "conflict", Kind::refused,
       "at: one port is the destination of two sessions (VspanDestPortConflict, portKey 12, "
       "vspanSessionKey1 1, vspanSessionKey2 2) (choose another destination, or end the other "
       "session)"},
      {"DvsOperationBulkFault",
       "<hostFault><host type=\"HostSystem\">host-2</host><fault><fault "
       "xsi:type=\"HostNotConnected\"/>"
       "<localizedMessage>not connected</localizedMessage></fault></hostFault>",
       "", Kind::refused,
       "at: some hosts did not take the change: host-2: not connected (DvsOperationBulkFault) (see "
       "these hosts' log vmkernel.log; the switch is compared again meanwhile)"},
      {"RestrictedVersion", "", "Current license prohibits", Kind::unsupported,
       "at: the licence of this ESXi lets the API read only (RestrictedVersion) (use the scripts "
       "for "
       "ESXi's shell, or a licence with the API)"},
      {"InvalidArgument", "<invalidProperty>spec.erspanId</invalidProperty>",
       "A specified parameter was not correct.", Kind::refused,
       "at: A specified parameter was not correct. (InvalidArgument, invalidProperty "
       "spec.erspanId)"},
      {"ManagedObjectNotFound", "<obj type=\"Task\">task-1</obj>", "gone", Kind::missing,
       "at: the object is gone (ManagedObjectNotFound)"},
      {"", "", "", Kind::refused, "at: the server answers with a fault"},
  };
  for (const Row& row : rows) {
    const auto text = document("<fault xmlns:xsi=\"x\">" + row.fields + "</fault>");
    const Error error = error_of_fault(row.type, text.root(), row.text, "at");
    EXPECT_EQ(error.text(), row.expected);
    EXPECT_EQ(error.kind, row.kind) << row.type;
  }
}

/// All faults of mirroring sessions that the API's reference has, with their fields.
TEST(Faults, EachOfMirroringSessionsHasItsObjectAndARemedy) {
  struct Row {
    const char* type;
    std::vector<const char*> fields;
  };
  const Row rows[] = {
      {"VspanPromiscuousPortNotSupported", {"vspanSessionKey", "portKey"}},
      {"VspanPortPromiscChangeFault", {"portKey"}},
      {"VspanPortgroupPromiscChangeFault", {"portgroupName"}},
      {"VspanPortMoveFault", {"srcPortgroupName", "destPortgroupName", "portKey"}},
      {"VspanPortgroupTypeChangeFault", {"portgroupName"}},
      {"VspanDestPortConflict", {"vspanSessionKey1", "vspanSessionKey2", "portKey"}},
      {"VspanPortConflict", {"vspanSessionKey1", "vspanSessionKey2", "portKey"}},
      {"VspanSameSessionPortConflict", {"vspanSessionKey", "portKey"}},
      {"DvsNotAuthorized", {"dvsExtensionKey"}},
  };
  for (const Row& row : rows) {
    std::string fields;
    for (const char* field : row.fields)
      fields += std::string("<") + field + ">the " + field + "</" + field + ">";
    const auto text = document("<fault xmlns:xsi=\"x\">" + fields + "</fault>");
    const Error error =
        error_of_fault(row.type, text.root(), "the server's words", "switch DSwitch");
    EXPECT_EQ(error.kind, Kind::refused) << row.type;
    EXPECT_EQ(error.where, "switch DSwitch");
    EXPECT_EQ(error.what.find("the server's words"), std::string::npos) << row.type;
    EXPECT_FALSE(error.remedy.empty()) << row.type;
    EXPECT_NE(error.what.find(row.type), std::string::npos) << "people look for it";
    for (const char* field : row.fields)
      EXPECT_NE(error.what.find(std::string("the ") + field), std::string::npos)
          << row.type << " " << field;
  }
}

TEST(Tasks, AreReadInEveryState) {
  struct Row {
    std::string info;
    TaskInfo::State state;
    std::string fault;
  };
  const Row rows[] = {
      {"<state>queued</state>", TaskInfo::State::queued, ""},
      {"<state>running</state><progress>5</progress>", TaskInfo::State::running, ""},
      {"<state>success</state>", TaskInfo::State::success, ""},
      {"<state>error</state><error><fault xsi:type=\"ConcurrentAccess\"/><localizedMessage>old"
       "</localizedMessage></error>",
       TaskInfo::State::error, "ConcurrentAccess"},
      {"<state>error</state>", TaskInfo::State::error, ""},
  };
  for (const Row& row : rows) {
    const auto text = document("<val xmlns:xsi=\"x\">" + row.info + "</val>");
    const TaskInfo info = read_task_info(text.root(), "task");
    EXPECT_EQ(info.state, row.state) << row.info;
    EXPECT_EQ(info.fault, row.fault) << row.info;
    EXPECT_EQ(info.error.what.empty(), row.state != TaskInfo::State::error) << row.info;
  }
}

TEST(DvPorts, TellWhatIsConnected) {
  const auto read = [](const std::string& text) {
    const auto parsed = document("<returnval>" + text + "</returnval>");
    return read_dv_port(parsed.root());
  };
  const auto connected = [](const std::string& type) {
    return "<connectee><type>" + type + "</type></connectee>";
  };
  EXPECT_EQ(read(""), DvPort{});
  struct Row {
    const char* type;
    Connectee expected;
  };
  for (const Row& row :
       {Row{"vmVnic", Connectee::machine}, Row{"hostVmkVnic", Connectee::vmkernel},
        Row{"hostConsoleVnic", Connectee::vmkernel}, Row{"pnic", Connectee::uplink},
        Row{"systemCrxVnic", Connectee::other}, Row{"", Connectee::nothing}})
    EXPECT_EQ(read(connected(row.type)).connectee, row.expected) << row.type;
  EXPECT_EQ(
      read(
          "<key>12</key><config><setting><securityPolicy><allowPromiscuous><value>true</value>"
          "</allowPromiscuous></securityPolicy></setting></config><portgroupKey>dvportgroup-9"
          "</portgroupKey><proxyHost type=\"HostSystem\">host-2</proxyHost><connectee>"
          "<connectedEntity type=\"VirtualMachine\">vm-1</connectedEntity><nicKey>4000</nicKey>"
          "<type>vmVnic</type></connectee><conflict>true</conflict><state><runtimeInfo><linkUp>true"
          "</linkUp><macAddress>00:50:56:00:00:01</macAddress></runtimeInfo><stats>"
          "<packetsInMulticast>1</packetsInMulticast><packetsOutMulticast>10</packetsOutMulticast>"
          "<packetsInUnicast>5000000000</packetsInUnicast><packetsOutUnicast>20</packetsOutUnicast>"
          "<packetsInBroadcast>3</packetsInBroadcast><packetsOutBroadcast>30</packetsOutBroadcast>"
          "<packetsInDropped>7</packetsInDropped></stats></state>"),
      (DvPort{"12",
              "dvportgroup-9",
              {"HostSystem", "host-2"},
              Connectee::machine,
              kMachine,
              "4000",
              *Mac::parse("00:50:56:00:00:01"),
              true,
              true,
              true,
              5'000'000'004,
              60}));
}

}  // namespace
}  // namespace vmirror::vsphere
