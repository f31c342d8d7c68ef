// The inventory: whose an address is, who is a router, what facts add, and what gives way.
#include "agent/engine/inventory/inventory.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/frames.hpp"

namespace vmirror {
namespace {

using namespace test;

const Mac kA = mac("52:54:00:00:00:0a"), kB = mac("52:54:00:00:00:0b"),
          kRouter = mac("52:54:00:00:00:fe");

Flow flow(const Mac& from, const char* source, const Mac& to, const char* target,
          std::uint16_t vlan = 0, Time time = kSecond) {
  Flow f;
  f.mac = {from, to};
  if (*source) f.ip[0] = ip(source);
  if (*target) f.ip[1] = ip(target);
  f.vlan = vlan;
  f.first = f.last = time;
  return f;
}

void learn_ip(Inventory& inventory, const Mac& mac, const char* address) {
  inventory.learn({{mac, {}}, Attribute::ip_address, Value::of(ip(address)), "arp.src_ip"}, 1);
}

std::string ips_of(const Inventory& inventory, const Mac& mac) {
  const Asset* asset = inventory.find(mac);
  if (asset == nullptr) return "no asset";
  std::string out;
  for (const IpAddress& address : asset->ips) out += (out.empty() ? "" : " ") + address.text();
  return out;
}

struct Row {
  const char* name;
  std::function<void(Inventory&)> events;
  std::string a, b;  ///< Addresses of A and B.
};

TEST(Inventory, BindsAddressesToTheirMac) {
  const std::vector<Row> table = {
      {"a fact binds", [](Inventory& i) { learn_ip(i, kA, "10.0.0.1"); }, "10.0.0.1", "no asset"},
      {"a sender that no router forwarded, each initial TTL",
       [](Inventory& i) {
         i.flow_started(flow(kA, "10.0.0.1", kB, "10.0.0.2"), 0, 64);
         i.flow_started(flow(kA, "10.0.0.3", kB, "10.0.0.2"), 0, 128);
         i.flow_started(flow(kA, "fd00::1", kB, "fd00::2"), 0, 255);
       },
       "10.0.0.1 10.0.0.3 fd00::1", ""},
      {"a forwarded sender is not the forwarder's",
       [](Inventory& i) { i.flow_started(flow(kA, "192.0.2.7", kB, "10.0.0.2"), 0, 63); }, "", ""},
      {"the flow's other side sent it",
       [](Inventory& i) { i.flow_started(flow(kA, "10.0.0.1", kB, "10.0.0.2"), 1, 64); }, "",
       "10.0.0.2"},
      {"who only answers",
       [](Inventory& i) {
         i.flow_started(flow(kA, "10.0.0.1", kB, "10.0.0.2"), 0, 64);
         i.flow_answered({kB, ip("10.0.0.2")}, 0, 128, kSecond);
       },
       "10.0.0.1", "10.0.0.2"},
      {"an answer that a router forwarded",
       [](Inventory& i) {
         i.flow_started(flow(kA, "10.0.0.1", kB, "192.0.2.7"), 0, 64);
         i.flow_answered({kB, ip("192.0.2.7")}, 0, 57, kSecond);
       },
       "10.0.0.1", ""},
      {"a fact moves an address",
       [](Inventory& i) {
         learn_ip(i, kA, "10.0.0.1");
         learn_ip(i, kB, "10.0.0.1");
       },
       "", "10.0.0.1"},
      {"a TTL does not take what a fact bound",
       [](Inventory& i) {
         learn_ip(i, kA, "10.0.0.1");
         i.flow_started(flow(kB, "10.0.0.1", kA, "10.0.0.9"), 0, 64);
       },
       "10.0.0.1", ""},
      {"a fact takes what a TTL bound",
       [](Inventory& i) {
         i.flow_started(flow(kB, "10.0.0.1", kA, "10.0.0.9"), 0, 64);
         learn_ip(i, kA, "10.0.0.1");
       },
       "10.0.0.1", ""},
      {"no machine holds these",
       [](Inventory& i) {
         for (const char* address :
              {"0.0.0.0", "224.0.0.1", "255.255.255.255", "127.0.0.1", "::", "::1", "ff02::1"})
           learn_ip(i, kA, address);
       },
       "", "no asset"},
      {"groups are no assets",
       [](Inventory& i) {
         i.flow_started(flow(mac("01:00:5e:00:00:01"), "10.0.0.1", Mac{}, "10.0.0.2"), 0, 64);
       },
       "no asset", "no asset"},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(row.name);
    Inventory inventory({});
    row.events(inventory);
    EXPECT_EQ(ips_of(inventory, kA), row.a);
    EXPECT_EQ(ips_of(inventory, kB), row.b);
  }
}

TEST(Inventory, TellsRouters) {
  Inventory inventory({.router_sources = 3});
  const char* senders[] = {"192.0.2.1", "192.0.2.2", "198.51.100.1"};
  for (const char* sender : senders)
    for (int twice = 0; twice < 2; ++twice)
      inventory.flow_started(flow(kRouter, sender, kA, "10.0.0.1"), 0, 60);
  EXPECT_FALSE(inventory.find(kRouter)->router) << "three are not more than three";
  inventory.flow_started(flow(kRouter, "203.0.113.1", kA, "10.0.0.1"), 0, 120);
  EXPECT_TRUE(inventory.find(kRouter)->router);
  EXPECT_EQ(ips_of(inventory, kRouter), "");

  inventory.learn({{kB, ip("fe80::1")}, Attribute::router, Value::of(true), "icmpv6.ra"}, 1);
  EXPECT_TRUE(inventory.find(kB)->router);
  EXPECT_EQ(ips_of(inventory, kB), "fe80::1") << "subject's MAC and address belong together";
}

TEST(Inventory, KeepsWhatFactsSay) {
  Inventory inventory({.max_properties = 2, .max_text = 8});
  learn_ip(inventory, kA, "10.0.0.1");
  const auto name = [&](const char* value, Time time) {
    inventory.learn(
        {{{}, ip("10.0.0.1")}, Attribute::host_name, Value::of(std::string_view(value)), "dns.x"},
        time);
  };
  name("plc-7", 10);
  name("plc-7", 20);
  const std::vector<AssetProperty>& properties = inventory.find(kA)->properties;
  ASSERT_EQ(properties.size(), 1u);
  EXPECT_EQ(properties[0].value, "plc-7");
  EXPECT_EQ(properties[0].source, "dns.x");
  EXPECT_EQ(properties[0].last, 20);
  name("far too long", 30);
  EXPECT_EQ(properties[1].value, "far too");
  name("third", 40);
  ASSERT_EQ(properties.size(), 2u) << "the oldest gave way";
  EXPECT_EQ(properties[0].value, "far too");
  EXPECT_EQ(inventory.counters().properties.overflow, 1u);
  EXPECT_EQ(inventory.counters().properties.most, 2u);
  inventory.learn({{{}, ip("10.9.9.9")}, Attribute::host_name, Value::of(true), "dns.x"}, 1);
  EXPECT_EQ(inventory.counters().unplaced, 1u);
}

TEST(Inventory, SumsWhatFlowsReport) {
  Inventory inventory({});
  const Flow f = flow(kA, "10.0.0.1", kB, "10.0.0.2", 7, 5 * kSecond);
  inventory.flow_started(f, 0, 64);
  inventory.flow_reported(f, {3, 2}, {300, 200});
  inventory.flow_reported(f, {1, 0}, {60, 0});
  EXPECT_EQ(inventory.find(kA)->packets, 4u);
  EXPECT_EQ(inventory.find(kA)->bytes, 360u);
  EXPECT_EQ(inventory.find(kB)->packets, 2u);
  EXPECT_EQ(inventory.find(kA)->vlans, std::vector<std::uint16_t>{7});
  EXPECT_EQ(inventory.find(kA)->first, 5 * kSecond);
}

TEST(Inventory, IsBounded) {
  Inventory inventory({.max_assets = 10, .max_ips = 2, .max_vlans = 2});
  for (std::uint8_t n = 1; n <= 50; ++n) {
    Mac m = kA;
    m.octets[5] = n;
    inventory.flow_started(flow(kRouter, "", m, ""), 0, 0);
  }
  EXPECT_EQ(inventory.size(), 10u);
  EXPECT_EQ(inventory.counters().evicted, 41u);
  EXPECT_NE(inventory.find(kRouter), nullptr) << "seen all the time";
  for (const char* address : {"10.0.0.1", "10.0.0.2", "10.0.0.3"}) learn_ip(inventory, kA, address);
  EXPECT_EQ(ips_of(inventory, kA), "10.0.0.2 10.0.0.3");
  for (std::uint16_t vlan : {1, 2, 3, 2}) inventory.flow_started(flow(kA, "", kB, "", vlan), 0, 0);
  EXPECT_EQ(inventory.find(kA)->vlans, (std::vector<std::uint16_t>{1, 2}));
  EXPECT_EQ(inventory.counters().ips.overflow, 1u);
  EXPECT_EQ(inventory.counters().ips.most, 2u);
  EXPECT_EQ(inventory.counters().vlans.overflow, 2u) << "one of A and one of B";
  EXPECT_EQ(inventory.counters().vlans.most, 2u);
  EXPECT_EQ(inventory.counters().properties.overflow, 0u);
}

// A machine boots with its clock two hours ahead, then NTP sets it back to kNow.
constexpr Time kNow = 1'700'000'000 * kSecond, kAhead = kNow + 7200 * kSecond;

TEST(Inventory, AfterTheClockWasSetBackWhatIsSeenStays) {
  Inventory inventory({.max_assets = 8});
  const auto host = [](std::uint8_t n) {
    Mac m = kA;
    m.octets[5] = n;
    return m;
  };
  const auto send = [&](std::uint8_t n, Time time) {
    inventory.flow_started(flow(host(n), "", Mac{}, "", 0, time), 0, 0);
  };
  for (std::uint8_t n = 0; n < 8; ++n) send(n, kAhead + n);
  // 0 is seen again, 1 only in reports of a flow that goes on.
  send(0, kNow);
  const Flow goes_on = flow(host(1), "", Mac{}, "", 0, kNow);
  for (std::uint8_t n = 8; n < 14; ++n) {
    inventory.flow_reported(goes_on, {1, 0}, {60, 0});
    send(n, kNow + n);
  }
  std::string here;
  for (const Asset& asset : inventory.assets()) {
    here += std::to_string(asset.mac.octets[5]) + " ";
    EXPECT_LE(asset.last, kNow + 13);
  }
  EXPECT_EQ(here, "0 1 8 9 10 11 12 13 ") << "those not seen since gave way";
}

/// 100 assets, of even numbers, are there all the time; others come, and make room, between any two
/// pages.
TEST(Inventory, PagesHaveOnceWhatIsThereAllTheTime) {
  const auto host = [](int n) {
    Mac m = mac("52:54:00:01:00:00");
    m.octets[4] = static_cast<std::uint8_t>(n >> 8);
    m.octets[5] = static_cast<std::uint8_t>(n);
    return m;
  };
  Inventory inventory({.max_assets = 200});
  Time time = kSecond;
  const auto send = [&](int n) {
    inventory.flow_started(flow(host(n), "", Mac{}, "", 0, time += kSecond), 0, 0);
  };
  for (int n = 0; n < 200; ++n) send(n);
  std::vector<Asset> listed;
  std::vector<AssetKey> keys;
  std::size_t pages = 0, from = 0, at = 0;
  int next = 1000;
  do {
    const std::size_t before = listed.size();
    from = inventory.page(from, 4 * 7, listed);
    EXPECT_LE(listed.size() - before, 7u);
    if (at != 0 || pages == 0) at = inventory.page_of_keys(at, 7, keys);
    ++pages;
    for (int n = 0; n < 200; n += 2) send(n);  // Seen again: others give way.
    for (int n = 0; n < 5; ++n) send(next++);
  } while (from != 0);
  EXPECT_GT(inventory.counters().evicted, 100u);
  EXPECT_GT(pages, 25u);
  for (int n = 0; n < 200; n += 2) {
    EXPECT_EQ(std::ranges::count(listed, host(n), &Asset::mac), 1) << n;
    EXPECT_EQ(std::ranges::count(keys, host(n), &AssetKey::mac), 1) << n;
  }
}

TEST(Inventory, PagesAreOfEqualWork) {
  Inventory inventory({});
  for (std::uint8_t n = 0; n < 10; ++n) {
    Mac m = kA;
    m.octets[5] = n;
    inventory.flow_started(flow(m, "", Mac{}, ""), 0, 0);
    for (std::uint64_t value = 0; n < 5 && value < 16; ++value)
      inventory.learn({{m, {}}, Attribute::host_name, Value::of(value), "dns.name"}, 1);
  }
  std::vector<Asset> listed;
  const std::size_t next = inventory.page(0, 40, listed);
  EXPECT_EQ(listed.size(), 2u) << "of which each has 16 properties";
  listed.clear();
  EXPECT_EQ(inventory.page(next + 3, 40, listed), 0u);
  EXPECT_EQ(listed.size(), 5u);
}

TEST(Inventory, LastSeenFollowsAClockThatWasSetBack) {
  struct Row {
    const char* name;
    Time before;
    std::function<void(Inventory&)> event;
    Time last;
  };
  const auto reported = [](Time time) {
    return [=](Inventory& i) { i.flow_reported(flow(kA, "", kB, "", 0, time), {1, 1}, {60, 60}); };
  };
  const auto started = [](Time time) {
    return [=](Inventory& i) { i.flow_started(flow(kA, "", kB, "", 0, time), 0, 0); };
  };
  const std::vector<Row> table = {
      {"a flow begins", kAhead, started(kNow), kNow},
      {"an answer comes", kAhead,
       [](Inventory& i) {
         i.flow_answered({kA, {}}, 0, 0, kNow);
       },
       kNow},
      {"a flow begins, out of order", kNow + kClockSlack, started(kNow), kNow + kClockSlack},
      {"a report of a flow that ended a while ago", kNow, reported(kNow - 600 * kSecond), kNow},
      {"a report while no flow begins", kNow - 600 * kSecond, reported(kNow), kNow},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(row.name);
    Inventory inventory({});
    started(row.before)(inventory);
    row.event(inventory);
    EXPECT_EQ(inventory.find(kA)->last, row.last);
  }
}

TEST(Inventory, AfterTheClockWasSetBackTheLatestFactsStay) {
  Inventory inventory({.max_properties = 3});
  const auto name = [&](const char* value, Time time) {
    inventory.learn({{kA, {}}, Attribute::host_name, Value::of(std::string_view(value)), "dns.x"},
                    time);
  };
  for (const char* value : {"old 1", "old 2", "again"}) name(value, kAhead);
  inventory.flow_started(flow(kA, "", kB, "", 0, kNow), 0, 0);
  name("again", kNow);
  for (const char* value : {"new 1", "new 2"}) name(value, kNow + kSecond);
  std::string here;
  for (const AssetProperty& property : inventory.find(kA)->properties)
    here += property.value + ", ";
  EXPECT_EQ(here, "again, new 1, new 2, ");
}

TEST(Inventory, TellsChangesOnce) {
  Inventory inventory({});
  inventory.flow_started(flow(kA, "10.0.0.1", kB, "10.0.0.2"), 0, 64);
  EXPECT_EQ(inventory.take_changed().size(), 2u);
  inventory.flow_started(flow(kA, "10.0.0.1", kB, "10.0.0.2"), 0, 64);
  EXPECT_FALSE(inventory.changed()) << "nothing new was said";
  learn_ip(inventory, kB, "10.0.0.2");
  const std::span<const Asset* const> changed = inventory.take_changed();
  ASSERT_EQ(changed.size(), 1u);
  EXPECT_EQ(changed[0]->mac, kB);
}

TEST(Vendors, LongestPrefixWins) {
  Vendors vendors;
  vendors.add(
      "00-22-72   (hex)\t\tAmerican Micro-Fuel Device Corp.\n"
      "002272     (base 16)\t\tAmerican Micro-Fuel Device Corp.\n"
      "\t\t\t\tFerndale  WA  98248\n"
      "8C-51-09   (hex)\t\tIEEE Registration Authority\r\n"
      "8C5109     (base 16)\t\tIEEE Registration Authority\r\n");
  vendors.add(
      "8C-51-09   (hex)\t\tMIRA Industrial\n800000-8FFFFF     (base 16)\t\tMIRA Industrial\n"
      "70-B3-D5   (hex)\t\t2M Technology\n719000-719FFF     (base 16)\t\t2M Technology\n");
  vendors.finish();
  const std::vector<std::pair<const char*, const char*>> table = {
      {"00:22:72:01:02:03", "American Micro-Fuel Device Corp."},
      {"8c:51:09:8a:bb:cc", "MIRA Industrial"},
      {"8c:51:09:9a:bb:cc", ""},
      {"70:b3:d5:71:9f:ff", "2M Technology"},
      {"70:b3:d5:71:a0:00", ""},
      {"02:22:72:01:02:03", ""},
      {"52:54:00:00:00:01", ""},
  };
  for (const auto& [address, vendor] : table) EXPECT_EQ(vendors.find(mac(address)), vendor);
}

TEST(Vendors, DebiansRegistryIsRead) {
  const Result<Vendors> vendors = Vendors::load();
  if (!vendors) GTEST_SKIP() << vendors.error().text();
  EXPECT_GT(vendors->size(), 30000u);
  EXPECT_EQ(vendors->find(mac("08:61:95:00:00:01")), "Rockwell Automation");
  EXPECT_EQ(vendors->find(mac("70:b3:d5:71:90:00")), "2M Technology");
}

TEST(Vendors, MissingRegistryIsAnErrorWithARemedy) {
  const Result<Vendors> vendors = Vendors::load("/nonexistent");
  ASSERT_FALSE(vendors);
  EXPECT_EQ(vendors.error().kind, Error::Kind::missing);
  EXPECT_EQ(vendors.error().remedy, "install the package ieee-data");
}

TEST(Inventory, AdoptsWhatAnotherHostKnew) {
  Asset there;
  there.mac = kA;
  there.ips = {ip("10.0.0.1")};
  there.vlans = {7};
  there.properties = {{Attribute::host_name, "plc\n7", "dhcp.host_name", 5}};
  there.first = 10 * kSecond;
  there.last = 20 * kSecond;
  there.packets = 100;
  there.bytes = 1000;
  struct Row {
    const char* name;
    Time here;  ///< When it was first seen here; 0: never.
    std::uint64_t packets, first;
  };
  const std::vector<Row> table = {
      {"not known here", 0, 100, 10},
      {"seen here after it was there", 20, 103, 10},
      {"seen here all the while: the same packets", 8, 100, 8},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(row.name);
    Inventory inventory({});
    if (row.here != 0) {
      const Flow f = flow(kA, "10.0.0.1", kB, "10.0.0.2", 9, row.here * kSecond);
      inventory.flow_started(f, 0, 64);
      inventory.flow_reported(f, {3, 0}, {300, 0});
    }
    inventory.adopt(there);
    const Asset& asset = *inventory.find(kA);
    EXPECT_EQ(asset.packets, row.packets);
    EXPECT_EQ(asset.first, static_cast<Time>(row.first) * kSecond);
    EXPECT_EQ(ips_of(inventory, kA), "10.0.0.1");
    EXPECT_EQ(asset.vlans.size(), row.here != 0 ? 2u : 1u);
    ASSERT_EQ(asset.properties.size(), 1u);
    EXPECT_EQ(asset.properties[0].value, "plc.7");
    EXPECT_EQ(asset.properties[0].source, "dhcp.host_name");
    EXPECT_TRUE(inventory.changed());
  }
}

/// Equal under std::hash<IpAddress>, which a guest can compute.
TEST(Inventory, AddressesWithOneHashAreTwoAddresses) {
  const IpAddress first = ip("2001:db8::1");
  IpAddress second = ip("2001:db8:7::");
  constexpr std::uint64_t kFactor = 0x9e3779b97f4a7c15ULL;
  const auto [low, high] = first.halves();
  const std::uint64_t same = (second.halves().first * kFactor ^ low * kFactor ^ (high + 6)) - 6;
  std::memcpy(second.octets.data() + 8, &same, 8);
  ASSERT_EQ(std::hash<IpAddress>()(first), std::hash<IpAddress>()(second));
  Inventory inventory({});
  for (const IpAddress& address : {first, second}) {
    Flow f = flow(kA, "", kB, "fd00::2");
    f.ip[0] = address;
    inventory.flow_started(f, 0, 64);
  }
  EXPECT_EQ(ips_of(inventory, kA), first.text() + " " + second.text());
}

TEST(Inventory, AssetsAreForgottenByAge) {
  Inventory inventory({.max_age = 100 * kSecond});
  const auto turn = [&](Time now) {
    for (int i = 0; i < 4; ++i) inventory.age(now);
  };
  const auto keys = [&] {
    std::vector<AssetKey> out;
    inventory.page_of_keys(0, 100, out);
    return out.size();
  };
  inventory.flow_started(flow(kA, "10.0.0.1", kB, "10.0.0.2", 0, kSecond), 0, 64);
  inventory.flow_started(flow(kRouter, "10.0.0.3", kB, "10.0.0.2", 0, 50 * kSecond), 0, 64);
  turn(101 * kSecond);
  EXPECT_EQ(inventory.size(), 3U) << "as old as may be";
  turn(102 * kSecond);
  EXPECT_EQ(inventory.size(), 2U);
  EXPECT_EQ(inventory.find(kA), nullptr);
  EXPECT_EQ(inventory.assets().size(), 2U);
  EXPECT_EQ(keys(), 2U);
  // Its place and its address are free again.
  inventory.flow_started(
      flow(mac("52:54:00:00:00:0c"), "10.0.0.1", kB, "10.0.0.2", 0, 103 * kSecond), 0, 64);
  EXPECT_EQ(inventory.size(), 3U);
  EXPECT_EQ(ips_of(inventory, mac("52:54:00:00:00:0c")), "10.0.0.1");
  EXPECT_EQ(inventory.of(kA).size(), 0U);
  turn(1000 * kSecond);
  EXPECT_EQ(inventory.size(), 0U);
  EXPECT_TRUE(inventory.assets().empty());
  Inventory ageless({});
  ageless.flow_started(flow(kA, "10.0.0.1", kB, "10.0.0.2", 0, kSecond), 0, 64);
  ageless.age(1'000'000 * kSecond);
  EXPECT_EQ(ageless.size(), 2U);
}

}  // namespace
}  // namespace vmirror
