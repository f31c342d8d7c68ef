// Two hosts with a migration tracker each and a link between them: what a test tells of a guest's
// way from one to the other is seen by both as the daemon would see it, and what the trackers say
// is done. Times are milliseconds.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/control/affinity/migration_tracker.hpp"
#include "agent/control/affinity/record_json.hpp"

namespace vmirror {

using Kind = GuestEvent::Kind;
inline constexpr const char* kUuid = "6f0c1d6e-8d7a-4f35-9a55-0a2f6b1c7d10";
inline constexpr Time kStart = 1'800'000'000 * kSecond;

/// One host: its tracker, what the guest's ports and mirrors are there, and what was done.
struct Host {
  std::string name;
  std::unique_ptr<MigrationTracker> tracker;
  GuestView view;
  bool up = true;
  Time clock = 0;  // Its clock less the test's.
  GuestCounters counters;
  std::vector<MigrationRecord> journal, finished;
  std::vector<std::string> handed_to, done;  // done: names of actions, without reading counters.
};

class TwoHosts : public testing::Test {
 protected:
  TwoHosts() { use(true, true); }

  void use(bool hypervisor, bool peers) {
    hypervisor_ = hypervisor;
    peers_ = peers;
    for (const char* name : {"hosta", "hostb", "hostc"}) {
      Host& host = hosts_[name];
      host = Host{};
      host.name = name;
      host.view.uuid = kUuid;
      host.view.name = "dc1";
      host.view.interface_ids = {"nic-1"};
      make(host);
    }
    link(peers);
    for (const char* name : {"hosta", "hostb"})
      act(host(name), host(name).tracker->ready(at(name)));
  }

  void make(Host& host) {
    TrackerOptions options;
    options.host = host.name;
    options.hypervisor = hypervisor_;
    options.run_in = kSecond;  // So that there is time to disturb.
    if (peers_) options.peers = {"hosta", "hostb", "hostc"};
    host.tracker = std::make_unique<MigrationTracker>(options);
    if (libvirt_read_ && hypervisor_) act(host, host.tracker->hypervisor(true, at(host.name)));
  }

  Host& host(const std::string& name) { return hosts_[name]; }
  Time at(const std::string& name) { return now_ + host(name).clock; }  ///< By its clock.

  void link(bool up) {
    linked_ = up;
    const std::pair<const char*, const char*> both[] = {{"hosta", "hostb"}, {"hostb", "hosta"}};
    if (up && clocks_known_) compare_clocks();
    for (const auto& [one, other] : both) {
      MigrationTracker& t = *host(one).tracker;
      act(host(one), up ? t.peer_up(other, at(one)) : t.peer_down(other, at(one)));
    }
  }

  /// The link has an estimate.
  void compare_clocks() {
    const std::pair<const char*, const char*> both[] = {{"hosta", "hostb"}, {"hostb", "hosta"}};
    for (const auto& [one, other] : both)
      act(host(one),
          host(one).tracker->clock_offset(other, host(other).clock - host(one).clock, at(one)));
  }

  /// Does what a tracker says, as the daemon would.
  void act(Host& at, const TrackerActions& actions) {
    const Time time = now_ + at.clock;
    for (const TrackerAction& action : actions) {
      if (const auto* send = std::get_if<SendMigration>(&action)) {
        const std::string other = at.name == "hosta" ? "hostb" : "hosta";
        if (!linked_ || !host(other).up || (!send->to.empty() && send->to != other)) continue;
        // As it goes over the link.
        const auto message = parse_migration_message(encode(send->message));
        ASSERT_TRUE(message) << message.error().text();
        for (int i = 0; i < (doubled_ ? 2 : 1); ++i)
          act(host(other), host(other).tracker->message(at.name, *message, this->at(other)));
      } else if (std::get_if<ReadCounters>(&action)) {
        act(at, at.tracker->counters(kUuid, at.counters, time));
      } else if (const auto* hand = std::get_if<HandOverGuest>(&action)) {
        at.handed_to.push_back(hand->to);
        HandoverResult sent{HandoverResult::State::sent, 3, 2, 1, 100, ""};
        act(at, at.tracker->handed_over(hand->id, sent, time));
        sent.state = HandoverResult::State::taken;
        EXPECT_EQ(host(hand->to).tracker->expected_from(at.name, hand->id), kUuid);
        act(host(hand->to),
            host(hand->to).tracker->handed_over(hand->id, sent, this->at(hand->to)));
      } else if (const auto* changed = std::get_if<RecordChanged>(&action)) {
        std::erase_if(at.journal, [&](const MigrationRecord& r) {
          return r.id == changed->record.id || r.id == changed->replaces;
        });
        at.journal.push_back(changed->record);
      } else if (const auto* over = std::get_if<RecordFinished>(&action)) {
        at.finished.push_back(over->record);
      } else if (std::get_if<AskLeaving>(&action)) {
        if (!leaving_.contains(at.name))
          act(at, at.tracker->event({time, Kind::not_leaving, kUuid, "", ""}));
      } else if (std::get_if<RestartFirstFrame>(&action)) {
        at.done.push_back("restart first frame");
      } else {
        at.done.push_back("let go");
      }
    }
  }

  /// Lets time pass; the trackers wake when they want to, and are told the time each second.
  void pass(Time milliseconds) {
    const Time until = now_ + milliseconds * kMillisecond;
    while (now_ < until) {
      now_ = std::min(until, now_ + 10 * kMillisecond);
      const bool beats = now_ % kSecond == 0;
      for (auto& [name, h] : hosts_) {
        const auto wake = h.tracker->wake();
        if (h.up && (beats || (wake && *wake <= at(name)))) act(h, h.tracker->tick(at(name)));
      }
    }
  }
  /// Both hosts' clocks.
  void set_back(Time by) {
    for (const char* name : {"hosta", "hostb"}) host(name).clock -= by;
  }

  void tell(const std::string& at, Kind kind, const std::string& detail = "") {
    Host& h = host(at);
    for (int i = 0; i < (doubled_ ? 2 : 1); ++i)
      act(h, h.tracker->event({this->at(at), kind, kUuid, "dc1", detail}));
  }
  void show(const std::string& at) {
    Host& h = host(at);
    if (!h.up) return;
    GuestView view = h.view;
    if (!hypervisor_) view.state.reset();
    for (int i = 0; i < (doubled_ ? 2 : 1); ++i) act(h, h.tracker->view(view, this->at(at)));
  }
  void state(const std::string& at, GuestState state) {
    host(at).view.state = state;
    host(at).view.incoming = state == GuestState::incoming;
    show(at);
  }
  /// Its ports, and how many of their mirrors are there.
  void ports(const std::string& at, std::size_t ports, std::size_t mirrors) {
    GuestView& view = host(at).view;
    view.ports = ports;
    view.mirrors = mirrors;
    view.wanted = selected_ && ports > 0;
    view.in_place = view.wanted && mirrors == ports;
    view.countable = view.wanted;
    if (ports == 0) host(at).counters.port.reset();
    if (ports > 0 && !host(at).counters.port) host(at).counters.port.emplace();
    if (mirrors == 0) host(at).counters.copied.reset();
    if (mirrors > 0 && !host(at).counters.copied) host(at).counters.copied.emplace();
    show(at);
  }
  void runs_on(const std::string& at) {
    host(at).view.state = GuestState::running;
    ports(at, 1, selected_ ? 1 : 0);
    traffic(at, 1000, 1000);
  }
  /// The guest sent frames; `copied` of them reached the engine.
  void traffic(const std::string& at, std::uint64_t frames, std::uint64_t copied) {
    GuestCounters& c = host(at).counters;
    if (c.port) c.port->out_frames += frames;
    if (!c.copied) return;
    c.copied->out += copied;
    if (c.copied->first_out == 0) c.copied->first_out = this->at(at);
    c.copied->last_out = this->at(at);
  }

  // -- the steps of a migration --
  void comes(const std::string& to) {
    tell(to, Kind::incoming);
    state(to, GuestState::incoming);
    ports(to, 1, 0);
    pass(10);
    if (selected_) ports(to, 1, 1);
    pass(300);
  }
  void suspends(const std::string& from, Kind kind = Kind::suspended_leaving) {
    tell(from, kind);
    state(from, GuestState::leaving);
  }
  void resumes(const std::string& to, Kind kind = Kind::resumed_arrived) {
    tell(to, kind);
    state(to, GuestState::running);
    traffic(to, 20, 20);
  }
  void leaves(const std::string& from) {
    ports(from, 0, 0);
    tell(from, Kind::left);
    state(from, GuestState::off);
  }
  void migrate(const std::string& from, const std::string& to) {
    comes(to);
    traffic(from, 50, 50);
    suspends(from);
    pass(40);
    resumes(to);
    pass(100);
    leaves(from);
  }
  const MigrationRecord& only(const std::string& at) {
    EXPECT_EQ(host(at).finished.size(), 1U) << at;
    static const MigrationRecord none;
    return host(at).tracker->records().empty() ? none
                                               : (last_ = host(at).tracker->records().back());
  }
  std::vector<std::string> notes(const std::string& at) {
    const MigrationRecord r = only(at);
    std::vector<std::string> out = r.source.notes;
    out.insert(out.end(), r.destination.notes.begin(), r.destination.notes.end());
    return out;
  }
  using Notes = std::vector<std::string>;

  Time now_ = kStart;
  bool linked_ = false, hypervisor_ = true, peers_ = true, selected_ = true, doubled_ = false;
  bool libvirt_read_ = true;  // At the agent's start.
  bool clocks_known_ = true;  // As soon as the link is up.
  /// Hosts whose libvirt says that it migrates the guest away, when asked.
  std::set<std::string> leaving_{"hosta", "hostb"};
  std::map<std::string, Host> hosts_;
  MigrationRecord last_;
};

/// To be compared where a difference should be readable.
inline std::string text(const MigrationRecord& record) {
  return boost::json::serialize(to_json(record));
}

inline Time ms(const std::optional<Time>& time) {
  return time ? (*time - kStart) / kMillisecond : -1;
}

}  // namespace vmirror
