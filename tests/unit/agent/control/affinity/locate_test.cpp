// Where each NIC is, by what its port says.
#include "agent/control/affinity/locate.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

constexpr const char* kGuestUuid = "6f0c1d6e-8d7a-4f35-9a55-0a2f6b1c7d10";

TEST(Locate, NamesUuidsAndPresence) {
  const struct {
    std::string vm;
    std::map<std::string, std::string> labels;
    bool incoming;
    std::string vm_name, vm_uuid;
    Presence presence;
  } table[] = {
      {"", {}, false, "", "", Presence::active},
      {kGuestUuid, {}, false, "", kGuestUuid, Presence::active},
      {kGuestUuid, {{"vm-name", "dc-1"}}, false, "dc-1", kGuestUuid, Presence::active},
      {"dc-1", {}, false, "dc-1", "", Presence::active},
      {kGuestUuid, {}, true, "", kGuestUuid, Presence::incoming},
  };
  for (const auto& row : table) {
    Observed world;
    Port port;
    port.name = "vnet0";
    port.vm = row.vm;
    port.labels = row.labels;
    port.incoming = row.incoming;
    port.mac = *Mac::parse("52:54:00:00:00:01");
    port.interface_id = "nic-1";
    Switch& br0 = world.switches["br0"];
    br0.name = "br0";
    br0.ports.set("vnet0", port);
    const Locations at = locate(world, nullptr, "host-a");
    ASSERT_EQ(at.size(), 1U);
    EXPECT_EQ(at[0].host, "host-a");
    EXPECT_EQ(at[0].switch_name, "br0");
    EXPECT_EQ(at[0].port, "vnet0");
    EXPECT_EQ(at[0].mac, port.mac);
    EXPECT_EQ(at[0].interface_id, "nic-1");
    EXPECT_EQ(at[0].vm_name, row.vm_name);
    EXPECT_EQ(at[0].vm_uuid, row.vm_uuid);
    EXPECT_EQ(at[0].presence, row.presence);
  }
}

TEST(Locate, PortsOfOurOwnAreNoNics) {
  Observed world;
  Port ours;
  ours.name = "vmr-br0";
  ours.owned = true;
  world.switches["br0"].ports["vmr-br0"] = ours;
  EXPECT_TRUE(locate(world, nullptr, "host-a").empty());
}

// ---- With a hypervisor

std::shared_ptr<Guest> guest(const std::string& uuid, const std::string& name, GuestState state,
                             std::vector<GuestNic> nics) {
  auto out = std::make_shared<Guest>();
  out->uuid = uuid;
  out->name = name;
  out->title = "Title of " + name;
  out->state = state;
  out->nics = std::move(nics);
  return out;
}

GuestNic nic(const char* mac, const char* device, const char* interface_id, const char* bridge,
             const char* network) {
  return {*Mac::parse(mac), device, "", interface_id, bridge, network};
}

std::shared_ptr<const Guests> guests(std::vector<std::shared_ptr<const Guest>> all) {
  auto out = std::make_shared<Guests>();
  for (auto& one : all) out->by_uuid.set(one->uuid, one);
  return out;
}

constexpr const char* kMac1 = "52:54:00:00:00:01";
constexpr const char* kMac2 = "52:54:00:00:00:02";

TEST(Locate, WhoseAPortIs) {
  const auto dc1 =
      guest(kGuestUuid, "dc1", GuestState::running,
            {nic(kMac1, "vnet0", "nic-1", "br0", "ot"), nic(kMac2, "", "nic-2", "", "it")});
  const auto plc = guest("7f0c1d6e-8d7a-4f35-9a55-0a2f6b1c7d10", "plc", GuestState::running,
                         {nic("52:54:00:00:00:03", "vnet3", "", "br1", "plain")});
  GuestPorts index;
  index.update(guests({dc1, plc}));
  const struct {
    const char* what;
    std::string name, vm, interface_id, mac, switch_name;
    std::string expected, network;
  } table[] = {
      {"vm-id, then interface id", "x", kGuestUuid, "nic-2", kMac1, "br9", "dc1", "it"},
      {"vm-id, then MAC", "x", kGuestUuid, "", kMac2, "br9", "dc1", "it"},
      {"vm-id, then device", "vnet0", kGuestUuid, "", "", "br9", "dc1", "ot"},
      {"vm-id of a NIC that nobody told yet", "vnet9", kGuestUuid, "", "", "br9", "dc1", ""},
      {"upper case", "x", "6F0C1D6E-8D7A-4F35-9A55-0A2F6B1C7D10", "nic-1", "", "br0", "dc1", "ot"},
      {"no vm-id: the device", "vnet3", "", "", "", "br1", "plc", "plain"},
      {"a device of that name on another switch", "vnet3", "", "", "", "br0", "", ""},
      {"a vm-id that nobody knows", "vnet3", "00000000-8d7a-4f35-9a55-0a2f6b1c7d10", "", "", "br1",
       "", ""},
      {"somebody else's port", "eth0", "", "", kMac1, "br0", "", ""},
  };
  for (const auto& row : table) {
    SCOPED_TRACE(row.what);
    Port port;
    port.name = row.name;
    port.vm = row.vm;
    port.interface_id = row.interface_id;
    if (!row.mac.empty()) port.mac = *Mac::parse(row.mac);
    const Guest* owner = index.guest_of(row.switch_name, port);
    EXPECT_EQ(owner == nullptr ? "" : owner->name, row.expected);
    EXPECT_EQ(locate("h", row.switch_name, port, owner).network, row.network);
  }
}

TEST(Locate, WhatTheGuestsStateSaysGoesBeforeTheSwitch) {
  const struct {
    GuestState state;
    Presence presence;
  } table[] = {
      {GuestState::incoming, Presence::incoming}, {GuestState::running, Presence::active},
      {GuestState::suspended, Presence::active},  {GuestState::leaving, Presence::active},
      {GuestState::off, Presence::active},
  };
  for (const auto& row : table) {
    Port port;
    port.name = "vnet0";
    port.vm = kGuestUuid;
    port.incoming = true;
    port.labels = {{"iface-status", "inactive"}, {"role", "switch's"}, {"vm-name", "old"}};
    auto dc1 = guest(kGuestUuid, "dc1", row.state, {nic(kMac1, "vnet0", "nic-1", "br0", "ot")});
    dc1->labels = {{"role", "dc"}, {"zone", "1"}};
    const Location at = locate("h", "br0", port, dc1.get());
    EXPECT_EQ(at.presence, row.presence) << to_text(row.state);
    EXPECT_EQ(at.vm_name, "dc1");
    EXPECT_EQ(at.vm_uuid, kGuestUuid);
    EXPECT_EQ(at.title, "Title of dc1");
    EXPECT_EQ(at.network, "ot");
    EXPECT_EQ(at.interface_id, "nic-1");
    EXPECT_EQ(at.mac->text(), kMac1);
    EXPECT_EQ(
        at.labels,
        (decltype(at.labels){
            {"iface-status", "inactive"}, {"role", "dc"}, {"vm-name", "old"}, {"zone", "1"}}));
  }
}

TEST(GuestPorts, TellsWhichPortsToLocateAnew) {
  const auto a = guest("a", "a", GuestState::running, {nic(kMac1, "vnet0", "", "", "")});
  const auto b = guest("b", "b", GuestState::running, {nic(kMac2, "vnet1", "", "", "")});
  const auto moved = guest("b", "b", GuestState::running, {nic(kMac2, "vnet2", "", "", "")});
  using Texts = std::vector<std::string>;
  GuestPorts index;
  EXPECT_EQ(index.update(guests({a, b})).uuids, (Texts{"a", "b"}));
  EXPECT_EQ(index.update(guests({a, b})).uuids, Texts{});
  const auto changes = index.update(guests({a, moved}));
  EXPECT_EQ(changes.uuids, Texts{"b"});
  EXPECT_EQ(changes.devices, (Texts{"vnet1", "vnet2"}));
  Port port;
  port.name = "vnet1";
  EXPECT_EQ(index.guest_of("br0", port), nullptr);
  port.name = "vnet2";
  EXPECT_EQ(index.guest_of("br0", port), moved.get());
  EXPECT_EQ(index.update(nullptr).uuids, (Texts{"a", "b"}));
  EXPECT_EQ(index.guest_of("br0", port), nullptr);
}

TEST(Locate, WhatIsStaleStaysInForce) {
  auto stale = std::make_shared<Guests>(
      *guests({guest(kGuestUuid, "dc1", GuestState::incoming, {nic(kMac1, "vnet0", "", "", "")})}));
  stale->error = Error{Error::Kind::unreachable, "libvirtd is away", "", ""};
  Observed world;
  Port port;
  port.name = "vnet0";
  Switch& br0 = world.switches["br0"];
  br0.name = "br0";
  br0.ports["vnet0"] = port;
  const Locations at = locate(world, stale.get(), "h");
  ASSERT_EQ(at.size(), 1U);
  EXPECT_EQ(at[0].vm_name, "dc1");
  EXPECT_EQ(at[0].presence, Presence::incoming);
}

// ---- NICs without a port

GuestNic portless(const char* mac, NicPort port, const char* type, const char* on,
                  const char* device = "", const char* bridge = "") {
  GuestNic nic;
  nic.mac = *Mac::parse(mac);
  nic.port = port;
  nic.type = type;
  nic.on = on;
  nic.device = device;
  nic.bridge = bridge;
  return nic;
}

TEST(Locate, ANicThatNoSwitchHasSaysWhatItIsOn) {
  const struct {
    const char* what;
    GuestNic nic;
    GuestState state;
    std::string port, why;  ///< Empty: it is left out.
  } table[] = {
      {"user", portless("52:54:00:00:00:01", NicPort::none, "user", "user-mode networking"),
       GuestState::running, "g/52:54:00:00:00:01",
       "not mirrored: its NIC is on user-mode networking"},
      {"Linux bridge",
       portless("52:54:00:00:00:01", NicPort::none, "bridge", "Linux bridge br1", "vnet7", "br1"),
       GuestState::running, "vnet7", "not mirrored: its NIC is on Linux bridge br1"},
      {"of a guest that is about to start",
       portless("52:54:00:00:00:01", NicPort::none, "bridge", "Linux bridge br1", "", "br1"),
       GuestState::suspended, "g/52:54:00:00:00:01",
       "not mirrored: its NIC is on Linux bridge br1"},
      {"of a guest that is off",
       portless("52:54:00:00:00:01", NicPort::none, "user", "user-mode networking"),
       GuestState::off, "", ""},
      {"a device that is no port",
       portless("52:54:00:00:00:01", NicPort::by_other, "ethernet", "device tap9", "tap9"),
       GuestState::running, "tap9",
       "not mirrored: its NIC is on device tap9, which is no port of a switch here"},
      {"which may be one soon",
       portless("52:54:00:00:00:01", NicPort::by_other, "ethernet", "device tap9", "tap9"),
       GuestState::incoming, "", ""},
      {"a switch that isn't here",
       portless("52:54:00:00:00:01", NicPort::on_switch, "bridge", "br7", "vnet7", "br7"),
       GuestState::running, "vnet7",
       "not mirrored: its NIC is to be on br7, and there is no such switch here"},
      {"a switch that is here: it tells",
       portless("52:54:00:00:00:01", NicPort::on_switch, "bridge", "br0", "vnet7", "br0"),
       GuestState::running, "", ""},
      {"a network whose bridge nobody tells",
       [] {
         GuestNic nic = portless("52:54:00:00:00:01", NicPort::open, "network", "network lan");
         nic.network = "lan";
         return nic;
       }(),
       GuestState::running, "", ""},
  };
  for (const auto& row : table) {
    SCOPED_TRACE(row.what);
    Observed world;
    world.switches["br0"].name = "br0";
    const auto all = guests({guest(kGuestUuid, "g", row.state, {row.nic})});
    const Locations at = locate(world, all.get(), "host-a");
    ASSERT_EQ(at.size(), row.why.empty() ? 0U : 1U);
    if (at.empty()) continue;
    EXPECT_EQ(at[0].port, row.port);
    EXPECT_EQ(at[0].switch_name, "");
    EXPECT_EQ(at[0].vm_name, "g");
    EXPECT_EQ(at[0].title, "Title of g");
    EXPECT_EQ(at[0].mac, row.nic.mac);
    ASSERT_TRUE(at[0].no_port);
    EXPECT_EQ(at[0].no_port->what, row.why);
    EXPECT_FALSE(at[0].no_port->remedy.empty());
  }
}

TEST(Locate, WhatTheSwitchShowsGoesBeforeWhatLibvirtSaysOfTheType) {
  // OVS's own port of a vhost-user socket, and a tap that somebody made a port.
  Observed world;
  for (const char* name : {"vhu1", "tap9"}) {
    Port port;
    port.name = name;
    world.switches["br0"].ports.set(name, port);
  }
  const auto all = guests(
      {guest(kGuestUuid, "g", GuestState::running,
             {portless("52:54:00:00:00:01", NicPort::by_other, "vhostuser", "a socket", "vhu1"),
              portless("52:54:00:00:00:02", NicPort::by_other, "ethernet", "a device", "tap9")})});
  const Locations at = locate(world, all.get(), "host-a");
  ASSERT_EQ(at.size(), 2U);
  for (const Location& one : at) {
    EXPECT_EQ(one.switch_name, "br0");
    EXPECT_EQ(one.vm_name, "g");
    EXPECT_FALSE(one.no_port);
  }
  EXPECT_EQ(at[1].mac, Mac::parse("52:54:00:00:00:01").value());
}

}  // namespace
}  // namespace vmirror
