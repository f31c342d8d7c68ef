// The daemon's state as Prometheus's metrics; docs/OPERATING.md, "Metrics", lists them.
#include <map>

#include "agent/report/status.hpp"

namespace vmirror {
namespace {

using Labels = std::vector<std::pair<std::string, std::string>>;

class List {
 public:
  template <typename Number>
  void count(const char* name, const char* help, Number value, Labels labels = {}) {
    out.push_back({name, help, MetricType::counter, std::move(labels), static_cast<double>(value)});
  }
  void gauge(const char* name, const char* help, double value, Labels labels = {}) {
    out.push_back({name, help, MetricType::gauge, std::move(labels), value});
  }
  std::vector<Metric> out;
};

/// What the numbers in copies tell, by whom the rule has them counted.
void add_numbers(List& list, const SequenceWindow::Counts& c, const Labels& by) {
  list.count("copies_lost", "Numbers of copies that never came.", c.lost, by);
  list.count("copies_repeated", "Copies that came twice, by their numbers.", c.duplicate, by);
  list.count("copies_restarts", "Times that a sender began to count anew.", c.restarts, by);
}

void add_copies(List& list, const InputSnapshot& input) {
  for (const SessionCounters& s : input.sessions)
    if (s.rule == SequenceRule::session)
      add_numbers(list, s.sequence,
                  {{"input", input.name},
                   {"sender", s.sender.text()},
                   {"encapsulation", to_text(s.encapsulation)},
                   {"session", std::to_string(s.session)},
                   {"rule", to_text(s.rule)}});
  for (const SenderCounters& s : input.senders)
    if (s.rule == SequenceRule::sender)
      add_numbers(list, s.sequence,
                  {{"input", input.name},
                   {"sender", s.sender.text()},
                   {"encapsulation", to_text(s.encapsulation)},
                   {"session", ""},
                   {"rule", to_text(s.rule)}});
}

void add_inputs(List& list, const EngineCounters& engine) {
  for (const InputSnapshot& input : engine.inputs) {
    const Labels by{{"input", input.name}};
    list.count("frames_received", "Frames received, lost ones included.", input.frames.received,
               by);
    list.count("frames_analysed", "Frames analysed.", input.frames.analysed, by);
    list.gauge("frames_held", "Outer fragments that wait for the rest.",
               static_cast<double>(input.frames.held), by);
    list.gauge("input_up", "1 while frames can be taken from the input.", input.error ? 0 : 1, by);
    for (std::size_t i = 0; i < kDropKinds; ++i)
      list.count("frames_dropped", "Frames not analysed, by reason.", input.frames.dropped[i],
                 {{"input", input.name}, {"kind", to_text(static_cast<Drop>(i))}});
    add_copies(list, input);
  }
  for (const NamedCount& count : engine.not_understood) {
    const std::size_t space = count.name.find(' ');
    list.count("frames_not_understood",
               "Frames that nobody here can read, by the number that says so.", count.count,
               {{"kind", count.name.substr(0, space)}, {"number", count.name.substr(space + 1)}});
  }
}

void add_control(List& list, const ControlSnapshot& control) {
  std::map<std::pair<SessionState, Proof>, int> states;
  for (const SessionState s :
       {SessionState::pending, SessionState::ready, SessionState::failed, SessionState::refused,
        SessionState::draining, SessionState::unknown})
    states[{s, Proof::none}] = 0;
  for (const Proof proof :
       {Proof::none, Proof::copied, Proof::sent, Proof::delivered, Proof::received})
    states[{SessionState::active, proof}] = 0;
  states[{SessionState::ready, Proof::traced}] = 0;
  for (const auto& [name, s] : control.sessions) ++states[{s.state, s.proof}];
  for (const auto& [key, n] : states) {
    const auto [state, proof] = key;
    const char* shown = told_proof(state, proof);
    list.gauge("sessions", "Mirror sessions, by state and, where active or ready, by proof.", n,
               {{"state", to_text(state)}, {"proof", shown != nullptr ? shown : ""}});
  }
  list.gauge("switch_readable", "1 while the switch can be read.",
             control.observed && !control.observe_error ? 1 : 0);
  list.gauge("switch_stalled", "1 while the switch's daemon carries no change out.",
             control.stall ? 1 : 0);
  list.gauge("in_sync", "1 while the switch is as the policies say.", control.in_sync() ? 1 : 0);
  list.count("steps_applied", "Changes made to the switch.", control.steps_applied);
  list.count("drifts", "Times that somebody else changed what is ours.", control.drifts);
  for (const BudgetUse& use : control.budgets) {
    const Labels by{{"budget", use.budget.name}};
    list.gauge("budget_limit_bits_per_second", "What copies may cost; 0: no bound.",
               static_cast<double>(use.budget.bits_per_second), by);
    list.gauge("budget_limit_frames_per_second", "What copies may cost; 0: no bound.",
               static_cast<double>(use.budget.frames_per_second), by);
    list.gauge("budget_asked_bits_per_second", "What all sessions would cost, whole.",
               use.asked.bits, by);
    list.gauge("budget_asked_frames_per_second", "What all sessions would cost, whole.",
               use.asked.frames, by);
    list.gauge("budget_used_bits_per_second", "What the sessions cost.", use.used.bits, by);
    list.gauge("budget_used_frames_per_second", "What the sessions cost.", use.used.frames, by);
    list.gauge("budget_sessions_truncated", "Sessions whose copies the budget cuts.",
               static_cast<double>(use.truncated), by);
    list.gauge("budget_sessions_dropped", "Sessions without copies, for want of budget.",
               static_cast<double>(use.dropped), by);
  }
  list.count("reconcile_failures", "Readings and changes of the switch that failed.",
             control.failures);
}

void add_following(List& list, const DaemonView& v) {
  if (v.libvirt) {
    list.gauge("hypervisor_up", "1 while libvirt answers.", v.libvirt->connected ? 1 : 0);
    list.count("hook_calls", "Calls of libvirt's hook.", v.hook.calls);
    list.count("hook_refused", "Guests' starts and comings that were refused.", v.hook.refused);
    list.count("hook_missed", "Guests that began, and the hook had not called.", v.hook.missed);
  }
  if (v.peers)
    for (const PeerStatus& peer : v.peers->peers)
      list.gauge("peer_up", "1 while the other host's agent is linked.",
                 peer.state == PeerStatus::State::up ? 1 : 0, {{"host", peer.host}});
  if (!v.following) return;
  const TrackerCounters& t = v.following->tracker;
  for (const MigrationState state :
       {MigrationState::done, MigrationState::aborted, MigrationState::lost}) {
    const auto count = t.finished.find(state);
    list.count("migrations", "Guests' migrations, by how they ended.",
               count == t.finished.end() ? 0 : count->second, {{"state", to_text(state)}});
  }
  const FollowingStatus& f = *v.following;
  list.count("migration_gap_frames", "Frames of migrating guests that no mirror copied.",
             f.gap_frames);
  list.count("migration_gap_unknown", "Migrations whose gap is not known.", f.gap_unknown);
  list.count("migration_duplicates", "Copies received on a host where the guest did not run.",
             f.duplicates);
  list.count("migration_downtimes", "Migrations that are done and whose downtime is known.",
             f.downtimes);
  list.count("migration_downtime_seconds", "The sum of their downtimes.",
             static_cast<double>(f.downtime) / kSecond);
  using Handover = HandoverResult::State;
  for (const Handover state : {Handover::none, Handover::sent, Handover::taken, Handover::failed}) {
    const auto count = f.handovers.find(state);
    list.count("migration_handovers", "Finished migrations, by what became of the handover.",
               count == f.handovers.end() ? 0 : count->second, {{"state", to_text(state)}});
  }
}

void add_outputs(List& list, const std::vector<SinkStatus>& outputs) {
  for (const SinkStatus& s : outputs) {
    const Labels by{{"output", s.name}};
    list.gauge("eve_output_up", "1 while the EVE output takes lines.", s.error ? 0 : 1, by);
    list.count("eve_lines", "EVE lines written.", s.lines, by);
    for (std::size_t k = 0; k < s.lost.size(); ++k)
      list.count("eve_lines_lost", "EVE lines not written, by reason.", s.lost[k],
                 {{"output", s.name}, {"kind", to_text(static_cast<LineLoss>(k))}});
  }
}

}  // namespace

std::vector<Metric> metrics(const DaemonView& v) {
  List list;
  list.gauge("uptime_seconds", "Since the daemon started.",
             static_cast<double>((v.now - v.started) / kSecond));
  add_inputs(list, v.engine);
  list.gauge("flows_active", "Flows in the table.", static_cast<double>(v.engine.flows_active));
  list.count("flows_started", "Flows begun.", v.engine.flows_started);
  list.count("frames_repeated", "Frames that came twice; looked for while NICs are watched.",
             v.engine.duplicates);
  list.gauge("assets", "Assets known.", static_cast<double>(v.engine.assets_known));
  for (const NamedCount& kind : v.engine.findings_begun)
    list.count("findings", "Findings that began, by kind.", kind.count, {{"kind", kind.name}});
  for (const Limit& limit : limits(v)) {
    list.gauge("limit_used", "How much of a bound is in use.", static_cast<double>(limit.used),
               {{"limit", limit.name}});
    list.count("limit_overflow", "Times that a bound was hit.", limit.overflow,
               {{"limit", limit.name}});
  }
  for (const CoverageRow& row : v.coverage) {
    const Labels by{{"port", row.nic.port()}, {"mac", row.nic.mac.text()}};
    if (row.coverage.ratio)
      list.gauge("coverage_ratio",
                 "Frames received of a NIC, over those its port counted, in the last minute.",
                 *row.coverage.ratio, by);
    list.count("coverage_faults", "Windows in which more came of a NIC than its port counted.",
               row.faults, by);
  }
  if (v.driver) {
    add_control(list, v.control);
    list.gauge("policies_good", "1 while every policy file can be read.",
               v.policies.first_error() ? 0 : 1);
  }
  if (v.store) {
    const Time lost = v.store->connected ? 0 : v.now - as_of(v.store->since, v.now);
    list.gauge("store_up", "1 while the store of policies is reached.", v.store->connected ? 1 : 0);
    list.gauge("store_lost_seconds", "Since the store was reached last; 0 while it is.",
               static_cast<double>(lost) / kSecond);
    list.gauge("store_generation", "Of the store's policies as they are known here.",
               static_cast<double>(v.store->generation));
  }
  add_following(list, v);
  add_outputs(list, v.outputs);
  return list.out;
}

}  // namespace vmirror
