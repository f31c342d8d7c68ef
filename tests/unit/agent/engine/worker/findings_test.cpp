// What the pipeline gives to findings beside messages: new devices, what coverage sees of mirrored
// ports, and guests' own tunnels, whose inside is nobody else's.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "agent/engine/worker/pipeline.hpp"
#include "tests/support/captures.hpp"
#include "tests/support/encapsulate.hpp"
#include "tests/support/payloads.hpp"
#include "tests/unit/agent/engine/worker/scene.hpp"

namespace vmirror {
namespace {

using namespace test;

const Mac kGuestMac = mac("52:54:00:00:00:0a"), kOtherMac = mac("52:54:00:00:00:0b"),
          kRouterMac = mac("52:54:00:00:00:fe"), kStrangeMac = mac("52:54:00:00:00:77");

struct TimedFrame {
  Time time;
  Mac from, to;
};

/// The kinds of findings of these frames, each in a batch of its own.
std::set<std::string> kinds_found(const std::vector<TimedFrame>& frames, const MirrorIndex& index) {
  PipelineOptions options;
  options.input_name = "br0";
  options.findings.emplace();
  Pipeline pipeline(std::move(options));
  pipeline.watch(std::make_shared<const MirrorIndex>(index));
  for (const TimedFrame& each : frames) {
    const Buffer bytes = udp_frame({.source_mac = each.from, .destination_mac = each.to});
    const std::vector<Frame> batch{frame_of(bytes, kSecond + each.time)};
    pipeline.process(batch);
  }
  std::set<std::string> out;
  for (const Finding& finding : pipeline.snapshot(0).findings)
    out.insert(to_text(finding.key.kind));
  return out;
}

MirrorIndex one_guest(const char* input) {
  MirrorIndex out;
  out.nics.set({"br0", "vnet0"}, {.mac = kGuestMac, .vm = "guest", .input = input});
  return out;
}

TEST(FindingsOfPorts, AFrameThatLeftAMirroredPortWithAMacThatIsNoPorts) {
  const Mac all = mac("ff:ff:ff:ff:ff:ff");
  constexpr Time kTen = Findings::kStrayLasts;
  const std::vector<TimedFrame> sends{{0, kRouterMac, kGuestMac},
                                      {kSecond, kStrangeMac, kRouterMac},
                                      {kTen + kSecond, kRouterMac, kGuestMac},
                                      {kTen + 2 * kSecond, kStrangeMac, kRouterMac}};
  std::vector<TimedFrame> to_all = sends, to_guest = sends, own = sends, once = sends, flooded;
  for (const std::size_t i : {1U, 3U}) {
    to_all[i].to = all;
    to_guest[i].to = kGuestMac;
    own[i].from = kGuestMac;
    flooded.push_back(sends[i]);
  }
  once.pop_back();
  struct Row {
    const char* name;
    const std::vector<TimedFrame>& frames;
    const char* input;
    bool found;
  };
  for (const Row& row :
       {Row{"it did", sends, "br0", true}, Row{"a moment only", once, "br0", false},
        Row{"to all: it may have come from anywhere", to_all, "br0", false},
        Row{"to the guest: it may have come to it", to_guest, "br0", false},
        Row{"the guest itself", own, "br0", false},
        Row{"nobody knows where the receiver is: flooded", flooded, "br0", false},
        Row{"the input has other copies, too", sends, "", false}}) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(kinds_found(row.frames, one_guest(row.input)).contains("spoofed_mac"), row.found);
  }
}

TEST(FindingsOfPorts, TwoMirroredPortsWithOneMac) {
  const auto twins = [](const char* rival) {
    MirrorIndex index = one_guest("br0");
    index.nics.set({"br0", "vnet1"}, {.mac = kGuestMac, .input = "br0", .rival = rival});
    WatchedNic first = *index.nics.get({"br0", "vnet0"});
    first.rival = *rival == '\0' ? "" : "br0/vnet1";
    index.nics.set({"br0", "vnet0"}, first);
    return index;
  };
  const auto sends = [](Time until) {
    return std::vector<TimedFrame>{{0, kGuestMac, kRouterMac}, {until, kGuestMac, kRouterMac}};
  };
  const auto is_found = [&](const char* rival, Time until) {
    return kinds_found(sends(until), twins(rival)).contains("mac_conflict");
  };
  EXPECT_TRUE(is_found("br0/vnet0", Findings::kTwinsLast));
  EXPECT_FALSE(is_found("br0/vnet0", Findings::kTwinsLast - 1)) << "a port that comes and goes";
  EXPECT_FALSE(is_found("", Findings::kTwinsLast)) << "they can be told apart";
}

TEST(OwnTunnel, ItsInsideIsANetworkOfItsOwnAndNamesTheOuterGuest) {
  const TempDir folder;
  SinkOptions to_file{FileOutput{.path = folder / "eve.json", .max_bytes = 0}};
  auto sinks = LineSinks::open({to_file}).value();
  PipelineOptions options;
  options.decap.own_tunnels = true;
  options.dissectors = all_dissectors();
  options.eve.sinks = sinks.get();
  Pipeline pipeline(std::move(options));
  auto index = std::make_shared<MirrorIndex>();
  index->nics.set({"br0", "vnet0"}, {.mac = kGuestMac, .vm = "guest"});
  index->nics.set({"br0", "vnet1"}, {.mac = kOtherMac, .vm = "other"});
  pipeline.watch(index);
  // The other guest's question, as it asks it, and as the guest makes it up in a tunnel of its own.
  const Buffer real =
      udp_frame({.source_mac = kOtherMac, .destination_port = 53}, payload("dns", "query"));
  const Ends outer{
      .source_mac = kGuestMac, .destination_mac = kRouterMac, .destination_port = 4789};
  const Buffer made_up = udp_frame(outer, vxlan(5, real));
  const std::vector<Frame> frames{frame_of(real, kSecond), frame_of(made_up, kSecond),
                                  frame_of(made_up, 2 * kSecond)};
  pipeline.process(frames);
  const EngineSnapshot snapshot = pipeline.snapshot(0);
  std::set<std::string> seen;
  for (const Asset& asset : snapshot.assets)
    if (asset.mac == kOtherMac)
      seen.insert(asset.vm + (is_own_tunnel(asset.scope) ? " in a tunnel" : ""));
  EXPECT_EQ(seen, (std::set<std::string>{"other", "guest in a tunnel"}));
  EXPECT_EQ(snapshot.flows_started, 2U) << "what is made up continues no real flow";
  pipeline.flush();
  sinks->stop();
  std::ifstream file(folder / "eve.json");
  std::set<std::string> told;
  for (std::string line; std::getline(file, line);) {
    const bool marked = line.find("\"own_tunnel\":true") != std::string::npos;
    for (const char* type : {"dns", "flow"})
      if (line.find("\"event_type\":\"" + std::string(type) + "\"") != std::string::npos)
        told.insert(std::string(type) +
                    (line.find("\"vm\":\"guest\"") != std::string::npos   ? " guest"
                     : line.find("\"vm\":\"other\"") != std::string::npos ? " other"
                                                                          : " nobody") +
                    (marked ? " in its own tunnel" : ""));
  }
  EXPECT_EQ(told, (std::set<std::string>{"dns other", "dns guest in its own tunnel", "flow other",
                                         "flow guest in its own tunnel"}));
  EXPECT_TRUE(pipeline.counters().balanced());
}

TEST(OwnTunnel, ScopesOfBothDirectionsAreOneAndOfOthersAnother) {
  const Scope scope = own_tunnel_scope(kGuestMac, kRouterMac, 7);
  EXPECT_TRUE(is_own_tunnel(scope));
  EXPECT_EQ(scope, own_tunnel_scope(kRouterMac, kGuestMac, 7));
  EXPECT_NE(scope, own_tunnel_scope(kOtherMac, kRouterMac, 7));
  EXPECT_NE(scope, own_tunnel_scope(kGuestMac, kRouterMac, 8));
  EXPECT_EQ(scope_text(scope).substr(0, 12), "own tunnel 4");
  for (const Scope other :
       {Scope{0}, overlay_scope(Encapsulation::vxlan, 5), Scope{0x80c0ffee}, Scope{0xc0c0ffee}})
    EXPECT_FALSE(is_own_tunnel(other));
}

}  // namespace
}  // namespace vmirror
