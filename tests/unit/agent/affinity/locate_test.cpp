// Where each NIC is, by what its port says.
#include "agent/affinity/locate.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

constexpr const char* kUuid = "6f0c1d6e-8d7a-4f35-9a55-0a2f6b1c7d10";

TEST(Locate, NamesUuidsAndPresence) {
  const struct {
    std::string vm;
    std::map<std::string, std::string> labels;
    std::string vm_name, vm_uuid;
    Presence presence;
  } table[] = {
      {"", {}, "", "", Presence::active},
      {kUuid, {}, "", kUuid, Presence::active},
      {kUuid, {{"vm-name", "dc-1"}}, "dc-1", kUuid, Presence::active},
      {"dc-1", {}, "dc-1", "", Presence::active},
      {kUuid, {{"iface-status", "active"}}, "", kUuid, Presence::active},
      {kUuid, {{"iface-status", "inactive"}}, "", kUuid, Presence::incoming},
  };
  for (const auto& row : table) {
    Observed world;
    Port port;
    port.name = "vnet0";
    port.vm = row.vm;
    port.labels = row.labels;
    port.mac = *Mac::parse("52:54:00:00:00:01");
    port.interface_id = "nic-1";
    world.switches["br0"] = {.name = "br0",
                             .ports = {{"vnet0", port}},
                             .mirrors = {},
                             .unlearned_vlans = {},
                             .owned_unlearned_vlans = {}};
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

}  // namespace
}  // namespace vmirror
