// Which frames the filters of the watched NICs leave, and that the rest is accounted for.
#include "agent/engine/worker/nic_filter.hpp"

#include <gtest/gtest.h>

#include "agent/engine/worker/pipeline.hpp"
#include "tests/support/encapsulate.hpp"

namespace vmirror {
namespace {

using namespace test;

const Mac kFirstGuest = mac("52:54:00:00:00:01"), kSecondGuest = mac("52:54:00:00:00:02"),
          kOther = mac("52:54:00:00:00:09"), kAll = mac("ff:ff:ff:ff:ff:ff");

Filter port(std::uint16_t number) {
  return {{{.ports = {{number, number}}}}, {}};
}

MirrorIndex index_of(std::vector<WatchedNic> nics) {
  MirrorIndex index;
  for (WatchedNic& nic : nics) {
    nic.at = {"br0", nic.mac.text() + (nic.vlan ? std::to_string(*nic.vlan) : "")};
    index.nics.set(nic.at, nic);
  }
  return index;
}

bool wants(const NicFilter& filter, const Buffer& bytes) {
  const Frame frame = frame_of(bytes);
  return filter.wants(frame, parse_packet(frame.bytes, frame.link));
}

Buffer to(std::uint16_t destination_port, const Mac& source, const Mac& destination,
          std::vector<VlanTag> tags = {}) {
  return udp_frame({.source_mac = source,
                    .destination_mac = destination,
                    .destination_port = destination_port,
                    .tags = std::move(tags)});
}

TEST(NicFilter, AFrameIsWantedWhenASessionThatMayHaveCopiedItWantsIt) {
  const WatchedNic plain_in{.mac = kSecondGuest, .direction = Direction::in};
  const WatchedNic plain{.mac = kSecondGuest}, vlan{.mac = kSecondGuest, .vlan = 20};
  const WatchedNic by_53{.mac = kFirstGuest, .filter = port(53)};
  const WatchedNic by_53_in{.mac = kFirstGuest, .direction = Direction::in, .filter = port(53)};
  const WatchedNic replies{.mac = kFirstGuest,
                           .filter = {{{.direction = Direction::in, .ports = {{53, 53}}}}, {}}};
  const WatchedNic by_vlan{.mac = kFirstGuest, .filter = {{{.vlans = {20}}}, {}}};
  const WatchedNic twin{.mac = kFirstGuest, .vlan = 30};
  const WatchedNic by_53_20{.mac = kFirstGuest, .vlan = 20, .filter = port(53)};
  const VlanTag tag20{0x8100, 20}, tag30{0x8100, 30};
  const struct {
    const char* name;
    std::vector<WatchedNic> nics;
    Buffer frame;
    bool wanted;
  } table[] = {
      {"of its own", {by_53}, to(53, kFirstGuest, kOther), true},
      {"not of its own", {by_53}, to(80, kFirstGuest, kOther), false},
      {"to it", {by_53}, to(53, kOther, kFirstGuest), true},
      {"not to it", {by_53}, to(80, kOther, kFirstGuest), false},
      {"the direction is the guest's", {replies}, to(53, kFirstGuest, kOther), false},
      {"and the other one", {replies}, to(53, kOther, kFirstGuest), true},
      {"the other end has no filter", {by_53, plain}, to(80, kFirstGuest, kSecondGuest), true},
      {"the other end's direction isn't mirrored",
       {by_53, plain_in},
       to(80, kSecondGuest, kFirstGuest),
       false},
      {"nobody's: a guest with a second address", {by_53}, to(53, kOther, kAll), true},
      {"nobody's and not wanted", {by_53}, to(80, kOther, mac("52:54:00:00:00:08")), false},
      {"nobody's where one has no filter", {by_53, plain}, to(80, kOther, kAll), true},
      {"a group of another VLAN than his", {by_53, vlan}, to(80, kOther, kAll, {tag30}), false},
      {"a group of his VLAN", {by_53, vlan}, to(80, kOther, kAll, {tag20}), true},
      {"a group from it", {by_53, plain}, to(80, kFirstGuest, kAll), true},
      {"a group that its direction has not", {by_53_in}, to(80, kFirstGuest, kAll), false},
      {"the outermost tag", {by_vlan}, to(80, kFirstGuest, kOther, {tag20, tag30}), true},
      {"not the inner one", {by_vlan}, to(80, kFirstGuest, kOther, {tag30, tag20}), false},
      {"no ports", {by_53}, arp_frame({.source_mac = kFirstGuest}), false},
      {"the same address in another VLAN",
       {twin, by_53_20},
       to(80, kFirstGuest, kOther, {tag20}),
       false},
      {"and in his", {twin, by_53_20}, to(80, kFirstGuest, kOther, {tag30}), true},
  };
  for (const auto& row : table) {
    NicFilter filter;
    filter.watch(index_of(row.nics));
    EXPECT_TRUE(filter.active());
    EXPECT_EQ(wants(filter, row.frame), row.wanted) << row.name;
  }
}

TEST(NicFilter, FollowsTheIndex) {
  NicFilter filter;
  EXPECT_FALSE(filter.active());
  filter.watch(index_of({{.mac = kFirstGuest}}));
  EXPECT_FALSE(filter.active()) << "nobody filters";
  filter.watch(index_of({{.mac = kFirstGuest, .filter = port(53)}, {.mac = kSecondGuest}}));
  EXPECT_TRUE(filter.active());
  EXPECT_FALSE(wants(filter, to(80, kFirstGuest, kOther)));
  filter.watch(index_of({{.mac = kFirstGuest, .filter = port(80)}, {.mac = kSecondGuest}}));
  EXPECT_TRUE(wants(filter, to(80, kFirstGuest, kOther)));
  filter.watch(index_of({{.mac = kSecondGuest}}));
  EXPECT_FALSE(filter.active());
}

TEST(NicFilter, WhatIsFilteredIsCountedByNameAndForCoverage) {
  const Buffer wanted = to(53, kFirstGuest, kOther), other = to(80, kFirstGuest, kOther);
  const Buffer wrapped = outer_frame({}, ip_protocol::kGre, gre({.protocol = 0x6558}, other));
  const std::vector<Buffer> parts = fragments(wrapped, 32);
  ASSERT_GT(parts.size(), 1U);
  auto index = std::make_shared<MirrorIndex>(
      index_of({{.mac = kFirstGuest, .input = "vmr-br0", .filter = port(53)}}));
  for (const char* input : {"vmr-br0", "eth1"}) {
    const bool filters = std::string_view(input) == "vmr-br0";
    PipelineOptions options;
    options.input_name = input;
    Pipeline pipeline(options);
    pipeline.watch(index);
    std::vector<Frame> frames;
    for (const Buffer* bytes : {&wanted, &other, &wrapped}) frames.push_back(frame_of(*bytes, 1));
    for (const Buffer& part : parts) frames.push_back(frame_of(part, 1));
    pipeline.process(frames);
    const std::uint64_t filtered = filters ? 2 + parts.size() : 0;
    const FrameCounters& counters = pipeline.counters();
    EXPECT_EQ(counters.dropped[static_cast<std::size_t>(Drop::filtered)], filtered);
    EXPECT_EQ(counters.analysed, frames.size() - filtered);
    EXPECT_TRUE(counters.balanced());
    EXPECT_EQ(pipeline.snapshot(0).flows_started, filters ? 1U : 2U);
    if (filters) {
      EXPECT_EQ(pipeline.nic_counts()->read().at(0).out, 4U) << "the switch copied them all";
    }
  }
}

}  // namespace
}  // namespace vmirror
