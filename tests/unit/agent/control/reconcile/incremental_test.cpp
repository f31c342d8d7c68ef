// Each stage that works on what changed comes to what it would come to if it were asked once: over
// random sequences of worlds in which ports come, go and change, mirrors are put, lost and tampered
// with, and policies, guests' locations and what the engine received change.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "agent/control/reconcile/judge.hpp"
#include "agent/control/reconcile/policy_resolver.hpp"
#include "agent/control/reconcile/resolve.hpp"
#include "agent/control/reconcile/session_judge.hpp"
#include "plugin/api/diff.hpp"
#include "plugin/api/mirror_object.hpp"
#include "plugin/ovs/objects.hpp"
#include "plugin/ovs/outputs.hpp"

namespace vmirror {
namespace {

/// Everything that the stages are given, and changes to it.
class IncrementalStory {
 public:
  explicit IncrementalStory(unsigned seed) : random_(seed) {
    for (const char* name : {"br0", "br1"}) {
      world.switches[name].name = name;
      world.switches[name].capabilities = {
          .version = "Open vSwitch 3.1.0",
          .mirrors = 4,
          .targets = {TargetKind::local, TargetKind::erspan2, TargetKind::erspan3, TargetKind::gre,
                      TargetKind::rspan},
          .snaplen = SnaplenRange{14, 65535},
          .proofs = {ProofSource::engine, ProofSource::mirror_counter, ProofSource::collector}};
    }
    for (int i = 0; i < 12; i++) change_port();
    change_policies();
  }

  /// One to three changes, as one reading brings them.
  void go_on() {
    now += kSecond * pick(8);
    if (silence_() % 6 == 0) {  // The collector's next hop no longer answers, or does again.
      const IpAddress collector = *IpAddress::parse("192.0.2.1");
      if (world.silent.erase(collector) == 0) world.silent.insert(collector);
    }
    for (unsigned n = pick(3) + 1; n > 0; n--) change();
    note_objects();
    world.revision++;
  }
  /// What a switch does that takes all that is wanted.
  void make(const Objects& wanted) {
    for (auto& [name, sw] : world.switches) {
      for (const auto& [port, is] : PersistentMap(sw.ports))
        if (is.owned) sw.ports.erase(port);
      std::erase_if(sw.mirrors, [](const auto& m) { return m.second.owned; });
    }
    for (const auto& [key, is] : PersistentMap(world.objects))
      if (is.owned) world.objects.erase(key);
    for (const auto& [key, object] : wanted) {
      world.objects.set(key, {object, true});
      Switch& sw = world.switches.at(key.switch_name);
      if (const auto* port = value_as<ovs::PortValue>(object.value.get())) {
        Port& is = sw.ports[key.name];
        is = Port{};
        is.name = key.name;
        is.type = port->type;
        if (const auto remote = port->options.find("remote_ip"); remote != port->options.end())
          is.tunnel = TunnelEnd{remote->second, {}};
        is.owned = true;
      } else if (const auto* mirror = value_as<MirrorValue>(object.value.get())) {
        Mirror& is = sw.mirrors[key.name] = mirror->mirror;
        is.owned = true;
        is.copied_frames = 0;
      }
    }
  }
  /// What stands on the switches, as a driver's objects.
  void note_objects() {
    for (const auto& [key, is] : PersistentMap(world.objects)) {
      const Switch& sw = world.switches.at(key.switch_name);
      if (key.kind == kMirrorKind && !sw.mirrors.contains(key.name)) world.objects.erase(key);
      if (key.kind == ovs::kPortKind && !sw.ports.contains(key.name)) world.objects.erase(key);
    }
    for (const auto& [name, sw] : world.switches)
      for (const auto& [mirror_name, mirror] : sw.mirrors) {
        const ObservedObject is{{std::make_shared<const MirrorValue>(mirror)}, mirror.owned};
        const ObservedObject* was = world.objects.get(mirror_key(name, mirror_name));
        if (!was || *was != is) world.objects.set(mirror_key(name, mirror_name), is);
      }
  }
  unsigned pick(unsigned n) { return static_cast<unsigned>(random_() % n); }

  Time now = 1000 * kSecond;
  Observed world;
  std::vector<Policy> policies;
  std::map<std::string, std::string> titles;  ///< By port: what a hypervisor says of its guest.
  Evidence evidence;
  std::optional<Error> apply_error, stall;

 private:
  Switch& on() { return world.switches.at(pick(3) == 0 ? "br1" : "br0"); }
  std::string a_port() { return "vnet" + std::to_string(pick(9)); }
  Mac a_mac() { return Mac{{0x52, 0x54, 0, 0, 0, static_cast<std::uint8_t>(pick(6))}}; }

  void change() {
    switch (pick(12)) {
      case 0:
        return change_policies();
      case 1:
        return tamper();
      case 2:
        titles[a_port()] = pick(2) == 0 ? "web" : "db";
        return;
      case 3:
        evidence.nics[{pick(3) == 0 ? "br1" : "br0", a_port()}].received += pick(3);
        return;
      case 4:
        return count();
      case 5:
        apply_error =
            pick(3) == 0 ? std::optional(Error{Error::Kind::refused, "no", "", ""}) : std::nullopt;
        stall = pick(3) == 0 ? std::optional(Error{Error::Kind::unreachable, "hangs", "", ""})
                             : std::nullopt;
        return;
      case 6:
        return remove_port();
      default:
        return change_port();
    }
  }
  void remove_port() {
    Switch& sw = on();
    const std::string name = a_port();
    sw.ports.erase(name);
    for (auto& [mirror_name, mirror] : sw.mirrors) {
      mirror.in_ports.erase(name);
      mirror.out_ports.erase(name);
      if (mirror.output_port() == name) mirror.output.reset();
    }
  }
  void change_port() {
    const std::string name = pick(30) == 0 ? "vmr-br0" : a_port();
    Port& port = on().ports[name];
    port.name = name;
    if (port.id.empty()) port.id = std::to_string(random_());
    switch (pick(9)) {
      case 0:
        port.mtu = pick(2) == 0 ? 1500 : 9000;
        break;
      case 1:
        port.type = pick(3) == 0 ? "vxlan" : "";
        break;
      case 2:
        port.vlan = pick(2) == 0 ? std::optional<std::uint16_t>(100) : std::nullopt;
        break;
      case 3:
        port.error = pick(2) == 0 ? "could not open" : "";
        break;
      case 4:
        port.uplink = pick(4) == 0;
        break;
      case 5:
        port.tunnel.reset();
        if (pick(3) == 0) port.tunnel = TunnelEnd{"192.0.2.1", 7};
        port.type = port.tunnel ? "erspan" : "";
        break;
      default:
        port.mac = a_mac();
    }
  }
  void count() {
    Switch& sw = on();
    for (const auto& [name, port] : PersistentMap(sw.ports)) {
      Port& is = sw.ports[name];
      if (!is.counters) is.counters.emplace();
      is.counters->out_frames += pick(3);
    }
    for (auto& [name, mirror] : sw.mirrors)
      mirror.copied_frames = mirror.copied_frames.value_or(0) + pick(2);
  }
  void tamper() {
    Switch& sw = on();
    if (pick(3) == 0) {
      Mirror& foreign = sw.mirrors["span" + std::to_string(pick(3))];
      foreign.output = PortOutput{a_port()};
      if (pick(2) == 0) sw.mirrors.erase("span0");
      return;
    }
    if (sw.mirrors.empty()) return;
    auto at = std::next(sw.mirrors.begin(), pick(static_cast<unsigned>(sw.mirrors.size())));
    if (pick(4) == 0) {
      sw.mirrors.erase(at);
      return;
    }
    if (pick(3) == 0) at->second.snaplen = pick(2) * 128;
    if (pick(2) == 0) at->second.in_ports.erase(a_port());
    if (pick(2) == 0) at->second.out_ports.insert(a_port());
    if (pick(5) == 0) at->second.owned = !at->second.owned;
  }
  void change_policies() {
    const std::string name(1, static_cast<char>('a' + pick(3)));
    std::erase_if(policies, [&](const Policy& p) { return p.name == name; });
    if (pick(4) == 0) return;
    Policy p;
    p.name = name;
    Selector s;
    if (pick(2) == 0)
      s.title = pick(2) == 0 ? "web" : "*";
    else
      s.port = pick(2) == 0 ? "vnet*" : "vnet[0-4]";
    p.select = {s};
    p.direction = static_cast<Direction>(pick(3) + 1);
    p.snaplen = pick(3) == 0 ? 128 : 0;
    p.priority = static_cast<int>(pick(2));
    if (pick(4) == 0) p.expires = now + kSecond * pick(20);
    const IpAddress collector = *IpAddress::parse("192.0.2.1");
    const std::vector<Target> all = {LocalTarget{}, RspanTarget{100},
                                     ErspanTarget{collector, 2, {}}, ErspanTarget{collector, 3, {}},
                                     GreTarget{collector, {}}};
    for (const Target& target : all)
      if (pick(2) == 0) p.targets.push_back(target);
    if (p.targets.empty()) p.targets = {LocalTarget{}};
    policies.push_back(std::move(p));
  }

  std::mt19937 random_, silence_;
};

LocationMap locate_all(const IncrementalStory& story) {
  LocationMap out;
  for (const auto& [switch_name, sw] : story.world.switches)
    for (const auto& [name, port] : sw.ports) {
      if (port.owned) continue;
      Location at;
      at.switch_name = switch_name;
      at.port = name;
      at.mac = port.mac;
      if (const auto it = story.titles.find(name); it != story.titles.end()) at.title = it->second;
      out.set({switch_name, name}, at);
    }
  return out;
}

template <typename T>
std::vector<std::string> names(const std::vector<T>& requests) {
  std::vector<std::string> out;
  for (const T& r : requests) out.push_back(r.name);
  std::ranges::sort(out);
  return out;
}

std::vector<std::string> lines(const std::vector<Step>& steps) {
  std::vector<std::string> out;
  for (const Step& step : steps) out.push_back(step.text() + ", " + step.why);
  return out;
}

/// The stages, each with its memory.
struct Incremental {
  PolicyResolver resolver{std::nullopt};
  std::unique_ptr<Realiser> realiser = ovs::make_realiser("vmirror");
  Differ differ;
  SessionJudge judge;
  LocationMap locations;
  std::vector<Track> tracks;  ///< judge()'s.
};

void expect_same(Incremental& is, const IncrementalStory& story) {
  // Locations: what differs, put into what was there.
  diff(is.locations, locate_all(story),
       [&](const PortKey& key, const Location*, const Location* at) {
         if (at)
           is.locations.set(key, *at);
         else
           is.locations.erase(key);
       });
  is.resolver.update(is.locations, story.now);
  Locations all;
  for (const auto& [key, at] : is.locations) all.push_back(at);
  const Resolved resolved = resolve(story.policies, all, story.now);
  ASSERT_EQ(is.resolver.policies(), resolved.policies);
  SessionMap desired;
  for (const Session& s : resolved.desired.sessions) desired.set(s.name, s);
  ASSERT_EQ(is.resolver.sessions(), desired);
  ASSERT_EQ(is.resolver.refused().size(), resolved.refused.size());
  for (const Refusal& r : resolved.refused) ASSERT_EQ(is.resolver.refused().at(r.session.name), r);

  const auto world = std::make_shared<const Observed>(story.world);
  is.realiser->update(is.resolver.sessions(), world);
  const auto fresh = ovs::make_realiser("vmirror");
  fresh->update(desired, world);
  ASSERT_EQ(is.realiser->objects(), fresh->objects());
  ASSERT_EQ(is.realiser->mirrors(), fresh->mirrors());
  ASSERT_EQ(is.realiser->verdicts(), fresh->verdicts());
  ASSERT_EQ(lines(is.differ.update(is.realiser->objects(), *world)),
            lines(diff(fresh->objects(), *world)));

  is.judge.set_evidence(story.evidence);
  is.judge.update(is.resolver, is.locations, *is.realiser, world, story.apply_error, story.stall,
                  story.now);
  Realisation realisation{fresh->objects(), fresh->mirrors(), {}};
  for (const auto& [name, verdict] : fresh->verdicts()) realisation.verdicts.push_back(verdict);
  is.tracks = judge(is.tracks,
                    {resolved, realisation, *world, story.evidence, story.apply_error, story.stall},
                    story.now);
  ASSERT_EQ(is.judge.sessions().size(), is.tracks.size());
  PersistentMap<PortKey, WatchedNic> nics;
  for (const Track& track : is.tracks) {
    const SessionStatus& expected = track.status;
    const SessionStatus* got = is.judge.sessions().get(expected.name);
    ASSERT_TRUE(got) << expected.name;
    ASSERT_EQ(got->reason, expected.reason) << expected.name;
    ASSERT_EQ(*got, expected) << expected.name;
    // The mirror index.
    const Session* s = desired.get(expected.name);
    const Verdict* verdict = fresh->verdicts().get(expected.name);
    if (!s || !verdict || verdict->refused || !expected.mac || expected.target != "local") continue;
    const auto& ports = story.world.switches.at(s->switch_name).ports;
    const Port* output = ports.get(verdict->output);
    const bool strips = output && output->vlan;
    nics.set({s->switch_name, s->port}, {.at = {s->switch_name, s->port},
                                         .mac = *expected.mac,
                                         .vm = expected.vm,
                                         .direction = s->direction,
                                         .vlan = strips ? std::nullopt : ports.at(s->port).vlan,
                                         .input = verdict->output,
                                         .session_id = {},
                                         .session = s->name});
  }
  for (const auto& [at, nic] : PersistentMap(nics)) {
    WatchedNic is_alike = nic;
    for (const auto& [other_at, other] : nics)
      if (other_at != at && is_alike.rival.empty() && other.mac == nic.mac &&
          other.vlan == nic.vlan && other.input == nic.input)
        is_alike.rival = other.port();
    nics.set(at, is_alike);
  }
  ASSERT_EQ(is.judge.index()->nics, nics);
  ASSERT_EQ(is.judge.locations().size(), is.locations.size());
  for (const auto& [key, status] : is.judge.locations()) {
    ASSERT_EQ(status.at, is.locations.at(key));
    ASSERT_EQ(status.sessions, is.resolver.of(key).sessions.size());
  }
}

class Incrementally : public testing::TestWithParam<unsigned> {};

TEST_P(Incrementally, ComesToWhatAskingOnceComesTo) {
  IncrementalStory story(GetParam());
  Incremental is;
  std::size_t served = 0, refused = 0, steps = 0;
  for (int round = 0; round < 100; round++) {
    const std::vector<Policy> before = story.policies;
    if (round > 0) story.go_on();
    if (round == 0 || before != story.policies) is.resolver.set_policies(story.policies);
    expect_same(is, story);
    ASSERT_FALSE(HasFatalFailure()) << "round " << round;
    for (const auto& [name, verdict] : is.realiser->verdicts())
      ++(verdict.refused ? refused : served);
    steps += diff(is.realiser->objects(), story.world).size();
    if (story.pick(3) == 0) story.make(is.realiser->objects());
  }
  EXPECT_GT(served, 200u) << "a story in which something happens";
  EXPECT_GT(refused, 50u);
  EXPECT_GT(steps, 50u);
}
INSTANTIATE_TEST_SUITE_P(Stories, Incrementally, testing::Range(1u, 9u));

}  // namespace
}  // namespace vmirror
