// Where each NIC is, since when, and where it was.
#include "agent/control/affinity/location_table.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

Location at(const std::string& port, const std::string& vm, Presence presence = Presence::active) {
  return {.host = "h",
          .switch_name = "br0",
          .port = port,
          .presence = presence,
          .vm_name = vm,
          .vm_uuid = {},
          .interface_id = {},
          .mac = {},
          .labels = {}};
}

/// "vnet0 dc1 active 5, ..."
std::string text(const LocationTable& table, Time now) {
  std::string out;
  for (const LocationRow& row : table.rows(now))
    out += (out.empty() ? "" : ", ") + row.location.port + " " + row.location.vm_name + " " +
           to_text(row.location.presence) + " " + std::to_string(row.since);
  return out;
}

TEST(LocationTable, OneNicsLife) {
  LocationTable table;
  table.fold({at("vnet0", "dc1", Presence::incoming)}, 1);
  table.fold({at("vnet0", "dc1", Presence::incoming)}, 2);
  EXPECT_EQ(text(table, 2), "vnet0 dc1 incoming 1");
  table.fold({at("vnet0", "dc1")}, 3);
  table.fold({at("vnet0", "renamed"), at("vnet1", "plc")}, 4);
  EXPECT_EQ(text(table, 4), "vnet0 renamed active 3, vnet1 plc active 4");
  table.fold({at("vnet1", "plc")}, 5);
  EXPECT_EQ(text(table, 5), "vnet1 plc active 4, vnet0 renamed gone 5");
  Location other = at("vnet0", "other");  // The port's name was given to another guest.
  other.vm_uuid = "u2";
  table.put(other, 6);
  EXPECT_EQ(text(table, 6), "vnet0 other active 6, vnet1 plc active 4, vnet0 renamed gone 5");
  EXPECT_EQ(text(table, 5 + 3600 * kSecond), "vnet0 other active 6, vnet1 plc active 4");
}

TEST(LocationTable, ANicThatIsBackIsNotGone) {
  LocationTable table;
  auto nic = at("vnet0", "dc1");
  nic.vm_uuid = "u";
  table.put(nic, 1);
  table.remove("br0", "vnet0", 2);
  table.remove("br0", "vnet0", 3);  // Twice.
  table.remove("br0", "vnet5", 3);  // Never seen.
  EXPECT_EQ(text(table, 3), "vnet0 dc1 gone 2");
  table.put(nic, 4);
  EXPECT_EQ(text(table, 4), "vnet0 dc1 active 4");
}

TEST(LocationTable, GoneOnesAreBoundedAndCounted) {
  LocationTable table({.keep_gone = 100, .max_gone = 3});
  for (int i = 0; i < 5; ++i) {
    table.put(at("vnet" + std::to_string(i), "vm"), i);
    table.remove("br0", "vnet" + std::to_string(i), i);
  }
  EXPECT_EQ(text(table, 5), "vnet4 vm gone 4, vnet3 vm gone 3, vnet2 vm gone 2");
  EXPECT_EQ(table.gone(), 3U);
  EXPECT_EQ(table.overflow(), 2U);
  table.put(at("vnet9", "vm"), 200);
  table.remove("br0", "vnet9", 200);  // Those that are too old don't count.
  EXPECT_EQ(table.overflow(), 2U);
  EXPECT_EQ(text(table, 200), "vnet9 vm gone 200");
}

}  // namespace
}  // namespace vmirror
