// What tells flows and assets apart: equal addresses in several networks, directions that come in
// several VLANs, frames of one conversation that several MACs send.
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/model/scope.hpp"
#include "tests/support/encapsulate.hpp"
#include "tests/unit/agent/engine/worker/scene.hpp"

namespace vmirror {
namespace {

using namespace test;

const Ends kEnds;

Buffer in_vxlan(std::uint32_t vni, Bytes frame) {
  return udp_frame({.destination_port = 4789}, vxlan(vni, frame));
}
Buffer in_geneve(std::uint32_t vni, Bytes frame) {
  return udp_frame({.destination_port = 6081}, geneve(vni, frame));
}
Buffer in_erspan(std::uint16_t session, Bytes frame, const char* sender = "192.0.2.1") {
  Outer outer;
  outer.source = ip(sender);
  return outer_frame(
      outer, ip_protocol::kGre,
      gre({.protocol = 0x88be, .sequence = 1}, erspan2({.session = session}, frame)));
}
Buffer in_vlans(std::uint16_t outer, std::uint16_t inner) {
  Ends ends;
  ends.tags = {{ethertype::kProviderVlan, outer}, {ethertype::kVlan, inner}};
  return udp_frame(ends);
}
Buffer in_vlan(std::uint16_t vlan, bool answer = false) {
  Ends ends = answer ? kEnds.reversed() : kEnds;
  if (vlan != 0) ends.tags = {{ethertype::kVlan, vlan}};
  return udp_frame(ends);
}

struct Row {
  const char* name;
  std::vector<std::string> identity;
  std::vector<Buffer> frames;
  std::size_t flows, assets;
  std::string scopes = {};  ///< Of the assets, in their order.
};

TEST(Identity, TellsFlowsAndAssetsApart) {
  const Buffer frame = udp_frame(kEnds), answer = udp_frame(kEnds.reversed());
  const std::vector<std::string> usual = {"vlan", "overlay"};
  const std::vector<Row> table = {
      {"two VNIs",
       usual,
       {in_vxlan(100, frame), in_vxlan(200, frame)},
       2,
       4,
       "vxlan 100, vxlan 200, vxlan 100, vxlan 200"},
      {"both directions in one VNI",
       usual,
       {in_vxlan(100, frame), in_vxlan(100, answer)},
       1,
       2,
       "vxlan 100, vxlan 100"},
      {"two VNIs, not told apart",
       {"vlan"},
       {in_vxlan(100, frame), in_vxlan(200, frame)},
       1,
       2,
       ", "},
      {"one number of two encapsulations",
       usual,
       {in_vxlan(7, frame), in_geneve(7, frame)},
       2,
       4,
       "vxlan 7, geneve 7, vxlan 7, geneve 7"},
      {"a VNI in two sessions",
       usual,
       {in_erspan(1, in_vxlan(7, frame)), in_erspan(2, in_vxlan(7, frame))},
       1,
       2,
       "vxlan 7, vxlan 7"},
      {"two stacks of tags",
       usual,
       {in_vlans(100, 10), in_vlans(200, 10)},
       2,
       4,
       "outer vlan 100, outer vlan 200, outer vlan 100, outer vlan 200"},
      {"two inner tags of one stack",
       usual,
       {in_vlans(100, 10), in_vlans(100, 20)},
       2,
       2,
       "outer vlan 100, outer vlan 100"},
      {"two VLANs: two flows, but one NIC", usual, {in_vlan(10), in_vlan(20)}, 2, 2, ", "},
      {"directions in two VLANs", {"overlay"}, {in_vlan(10), in_vlan(20, true)}, 1, 2, ", "},
      {"one direction tagged", {"overlay"}, {in_vlan(0), in_vlan(20, true)}, 1, 2, ", "},
      {"copies of two sessions", usual, {in_erspan(1, frame), in_erspan(2, frame)}, 1, 2, ", "},
      {"two sessions, told apart", {"session"}, {in_erspan(1, frame), in_erspan(2, frame)}, 2, 4},
      {"two sites, told apart",
       {"sender"},
       {in_erspan(1, frame, "192.0.2.1"), in_erspan(1, frame, "192.0.2.9")},
       2,
       4},
      {"one site", {"sender"}, {in_erspan(1, frame), in_erspan(2, frame)}, 1, 2},
      {"a site and a bare frame", {"sender"}, {in_erspan(1, frame), frame}, 2, 4},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(row.name);
    PipelineOptions options;
    options.identity = *parse_identity(row.identity);
    const EngineSnapshot snapshot = run(row.frames, options).snapshot;
    EXPECT_EQ(snapshot.flows_started, row.flows);
    EXPECT_EQ(snapshot.assets.size(), row.assets);
    std::string scopes;
    for (const Asset& asset : snapshot.assets)
      scopes += (&asset == snapshot.assets.data() ? "" : ", ") + scope_text(asset.scope);
    if (!row.scopes.empty()) {
      EXPECT_EQ(scopes, row.scopes);
    }
  }
}

TEST(Identity, IsWrittenInWords) {
  EXPECT_EQ(*parse_identity(std::vector<std::string>{"vlan", "overlay"}), Identity{});
  const auto wrong = parse_identity(std::vector<std::string>{"vlan", "vni"});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().what, "`vni` tells no flows apart");
  EXPECT_EQ(wrong.error().remedy, "write a list of vlan, overlay, session, sender, input");
}

/// Both ports of a router are mirrored: each frame counts for the MAC that sent it.
TEST(Identity, AFrameCountsForWhoSentIt) {
  Ends behind = kEnds;
  behind.source_mac = mac("52:54:00:00:00:03");
  behind.destination_mac = mac("52:54:00:00:00:04");
  const std::vector<Buffer> frames = {udp_frame(kEnds),
                                      udp_frame(behind),
                                      udp_frame(behind.reversed()),
                                      udp_frame(kEnds.reversed()),
                                      udp_frame(kEnds),
                                      udp_frame(behind),
                                      udp_frame(behind)};
  const EngineSnapshot snapshot = run(frames).snapshot;
  EXPECT_EQ(snapshot.flows_started, 1u);
  std::string sent;
  for (const Asset& asset : snapshot.assets)
    sent += asset.mac.text().substr(15) + ":" + std::to_string(asset.packets) + "/" +
            std::to_string(asset.bytes / udp_frame(kEnds).size()) + " ";
  EXPECT_EQ(sent, "01:2/2 02:1/1 03:3/3 04:1/1 ");
}

/// A mirror that cuts frames says nothing of it: the IP header does.
TEST(Identity, BytesAreThoseOfTheIpHeader) {
  const Buffer whole = udp_frame(kEnds, counting(1172));
  Buffer tagged_whole = in_vlan(7);
  const struct {
    const char* name;
    Buffer frame;
    std::size_t kept, bytes;
  } table[] = {
      {"whole", whole, whole.size(), 1214},
      {"cut", whole, 110, 1214},
      {"cut within the IP header: nothing says it", whole, 30, 30},
      {"padded", udp_frame(kEnds), 60, 60},
      {"cut, IPv6",
       udp_frame({.source = ip("fd00::1"), .destination = ip("fd00::2")}, counting(1000)), 100,
       1062},
  };
  for (const auto& row : table) {
    SCOPED_TRACE(row.name);
    Buffer frame = row.frame;
    frame.resize(row.kept);
    const EngineSnapshot snapshot = run({frame, frame, frame}).snapshot;
    ASSERT_EQ(snapshot.assets.size(), 2u);
    EXPECT_EQ(snapshot.assets[0].bytes, 3 * row.bytes);
  }
}

/// The records of a guest's datagram do not depend on how the guest's network cut it.
TEST(Identity, AGuestsDatagramInFragmentsIsRead) {
  Ends answer = kEnds.reversed();
  answer.source_port = 53;
  Buffer dns =
      hex("1234 8180 0001 0001 0000 0000  03 706c63 00 0001 0001  c00c 0001 0001 0000003c 0004 "
          "0a000009");
  PipelineOptions options;
  options.dissectors = all_dissectors();
  const auto records = [&](const std::vector<Buffer>& frames) {
    for (const ProtocolSnapshot& p : run(frames, options).snapshot.protocols)
      if (p.name == "dns") return p.records;
    return std::uint64_t{0};
  };
  for (const bool six : {false, true}) {
    SCOPED_TRACE(six);
    if (six) {
      answer.source = ip("fd00::2");
      answer.destination = ip("fd00::1");
    }
    const Buffer whole = udp_frame(answer, dns);
    const std::vector<Buffer> parts = fragments(whole, 24);
    ASSERT_GT(parts.size(), 1u);
    EXPECT_EQ(records({whole}), 1u);
    EXPECT_EQ(records(parts), 1u);
    EXPECT_EQ(records({parts.rbegin(), parts.rend()}), 1u) << "in the reverse order";
    EXPECT_EQ(records({parts.begin(), parts.end() - 1}), 0u) << "one is missing";
  }
}

}  // namespace
}  // namespace vmirror
