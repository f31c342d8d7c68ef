// What a port that comes costs: as much on a switch of a thousand ports as on one of ten, whatever
// the sessions of the others wait for. Counted in judgements of sessions and in allocations of
// all the stages together, not in time.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "agent/control/affinity/locate.hpp"
#include "agent/control/reconcile/reconciler.hpp"
#include "plugin/api/diff.hpp"
#include "plugin/api/mirror_object.hpp"
#include "plugin/ovs/objects.hpp"
#include "plugin/ovs/outputs.hpp"

namespace {
std::atomic<std::uint64_t> allocations{0};
}  // namespace

// Kept whole: with one of them inlined GCC takes the pair for a mismatched one.
[[gnu::noinline]] void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* at = std::malloc(size == 0 ? 1 : size)) return at;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* at) noexcept {
  std::free(at);
}
[[gnu::noinline]] void operator delete(void* at, std::size_t) noexcept {
  std::free(at);
}

namespace vmirror {
namespace {

/// What the ports and policies of a host are like.
struct Setup {
  Target target = LocalTarget{};
  std::size_t policies = 1;  ///< That select all, each in another manner.
  bool counted = false;      ///< The switch has counted the ports' frames.
  std::string egress = {};   ///< Where tunnels leave.
};

/// A switch with many ports, and the stages that mirror each to one target.
class Host {
 public:
  Host(std::size_t ports, Setup setup) : setup_(std::move(setup)) {
    world_.own_addresses = {*IpAddress::parse("192.0.2.2")};
    Switch& sw = world_.switches["br0"];
    sw.name = "br0";
    sw.datapath = Datapath::userspace;
    sw.capabilities = {
        .version = "Open vSwitch 3.1.0",
        .mirrors = 32,
        .targets = {TargetKind::local, TargetKind::erspan2, TargetKind::erspan3, TargetKind::gre,
                    TargetKind::rspan},
        .snaplen = SnaplenRange{14, 65535},
        .proofs = {ProofSource::engine, ProofSource::mirror_counter, ProofSource::collector}};
    Port own;
    own.name = own.id = "br0";
    own.type = "internal";
    sw.ports.set("br0", own);
    for (std::size_t i = 0; i < ports; ++i) add_port();
    std::vector<Policy> all;
    for (std::size_t i = 0; i < setup_.policies; ++i) {
      Policy& p = all.emplace_back();
      p.name = "p" + std::to_string(i);
      p.priority = static_cast<int>(i);
      p.snaplen = i == 0 ? 0 : 64 + static_cast<std::uint32_t>(i);
      Selector s;
      s.port = "vnet*";
      p.select = {s};
      p.targets = {setup_.target};
    }
    resolver_.set_policies(all);
    judge_.set_evidence({});
  }

  void add_port() {
    Port port;
    port.name = "vnet" + std::to_string(ports_++);
    port.id = port.name;
    port.mac = Mac{{0x52, 0x54, 0, 0, static_cast<std::uint8_t>(ports_ >> 8),
                    static_cast<std::uint8_t>(ports_)}};
    if (setup_.counted) port.counters = PortCounters{};
    world_.switches["br0"].ports.set(port.name, port);
    Location at;
    at.switch_name = "br0";
    at.port = port.name;
    at.mac = port.mac;
    locations_.set({"br0", port.name}, at);
  }
  /// One reading, all that is in the world.
  void round(Time span = kMillisecond) {
    now_ += span;
    ++world_.revision;
    const auto world = std::make_shared<const Observed>(world_);
    resolver_.update(locations_, now_);
    do {
      realiser_->update(resolver_.sessions(), world);
    } while (resolver_.heed(realiser_->verdicts()));
    (void)differ_.update(realiser_->objects(), *world);
    judge_.update(resolver_, locations_, *realiser_, world, apply_error, stall, now_);
  }
  /// The switch does what is wanted, unless changes are refused.
  void carry_out() {
    if (apply_error) return;
    Switch& sw = world_.switches["br0"];
    for (const auto& [key, object] : realiser_->objects()) {
      if (const auto* wanted = value_as<ovs::PortValue>(object.value.get())) {
        Port port;
        port.name = port.id = key.name;
        port.type = wanted->type;
        if (const auto remote = wanted->options.find("remote_ip"); remote != wanted->options.end())
          port.tunnel = TunnelEnd{remote->second, {}};
        port.owned = true;
        port.egress = setup_.egress;
        sw.ports.set(port.name, port);
      } else if (const auto* wanted = value_as<MirrorValue>(object.value.get())) {
        Mirror& mirror = sw.mirrors[key.name] = wanted->mirror;
        mirror.owned = true;
        mirror.copied_frames = mirror.copied_bytes = 0;
      }
      world_.objects.set(key, {object, true});
    }
  }
  void settle() {
    for (int i = 0; i < 4; ++i) {
      round();
      carry_out();
    }
    round();
  }
  void set_policies(std::vector<Policy> policies) { resolver_.set_policies(std::move(policies)); }
  /// Every port's counters, without a copy.
  void count(std::uint64_t frames) {
    Switch& sw = world_.switches["br0"];
    for (const auto& [name, port] : PersistentMap(sw.ports)) {
      Port is = port;
      if (!is.counters) continue;
      is.counters->out_frames += frames;
      sw.ports.set(name, is);
    }
  }
  std::size_t in_state(SessionState state) const {
    std::size_t n = 0;
    for (const auto& [name, s] : judge_.sessions()) n += s.state == state;
    return n;
  }

  struct Cost {
    std::uint64_t judgements, allocations;
  };
  /// Of five ports that come, each with two readings: as it comes, and as it is selected.
  Cost of_five_ports() {
    const std::uint64_t judged = judge_.judgements(), allocated = allocations;
    for (int i = 0; i < 5; ++i) {
      add_port();
      round();
      carry_out();
      round();
    }
    return {judge_.judgements() - judged, allocations - allocated};
  }

  std::optional<Error> apply_error, stall;

 private:
  const Setup setup_;
  Observed world_;
  LocationMap locations_;
  PolicyResolver resolver_{std::nullopt};
  std::unique_ptr<Realiser> realiser_ = ovs::make_realiser("vmirror");
  Differ differ_;
  SessionJudge judge_;
  std::size_t ports_ = 0;
  Time now_ = 1000 * kSecond;
};

/// A situation of all the sessions but those of the ports that come.
struct Case {
  const char* name;
  Setup setup;
  SessionState state;  ///< Of all of them.
  void (*bring_about)(Host& host);
};

const Target kCollector = GreTarget{*IpAddress::parse("192.0.2.9"), {}};
const Error kNo{Error::Kind::refused, "no", "switch", ""};

void no_copies_come(Host& host) {
  host.settle();
  host.count(9);
  host.round(8 * kSecond);
}

const Case kCases[] = {
    {"NotCountedYet", {}, SessionState::pending, [](Host& h) { h.settle(); }},
    {"Silent",
     {.target = kCollector, .counted = true, .egress = "br0"},
     SessionState::ready,
     [](Host& h) { h.settle(); }},
    {"CopiesDoNotCome",
     {.target = kCollector, .counted = true, .egress = "br0"},
     SessionState::pending,
     no_copies_come},
    {"CopiesDidNotComeForLong",
     {.target = kCollector, .counted = true, .egress = "br0"},
     SessionState::failed,
     [](Host& h) {
       no_copies_come(h);
       h.round(16 * kSecond);
     }},
    {"NoWayOut",
     {.target = kCollector, .counted = true},
     SessionState::pending,
     [](Host& h) { h.settle(); }},
    {"ChangesAreRefused",
     {},
     SessionState::failed,
     [](Host& h) {
       h.apply_error = kNo;
       h.round();
     }},
    {"StalledAfterItMoved",
     {},
     SessionState::pending,
     [](Host& h) {
       h.settle();
       h.stall = kNo;
       h.round();
     }},
    {"WhatWasAskedForStays",
     {},
     SessionState::draining,
     [](Host& h) {
       h.settle();
       h.set_policies({});
       h.round();
     }},
    {"PoliciesContradict", {.policies = 3}, SessionState::pending, [](Host& h) { h.settle(); }},
};

class PortThatComes : public testing::TestWithParam<Case> {};

TEST_P(PortThatComes, CostsTheSameOnASwitchOfManyPorts) {
  const auto cost = [&](std::size_t ports) {
    Host host(ports, GetParam().setup);
    GetParam().bring_about(host);
    EXPECT_EQ(host.in_state(GetParam().state), ports) << "the case is not what it says";
    return host.of_five_ports();
  };
  const Host::Cost few = cost(10), many = cost(1000);
  EXPECT_LE(many.judgements, few.judgements);
  // Each level of a tree is a node that is copied: there are three times as many.
  EXPECT_LE(many.allocations, few.allocations * 4);
}
INSTANTIATE_TEST_SUITE_P(Reconcile, PortThatComes, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace vmirror
