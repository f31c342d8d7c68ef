#include "agent/control/reconcile/reconciler.hpp"

#include <algorithm>
#include <utility>

#include "agent/model/uuid.hpp"

namespace vmirror {
namespace {

/// The same thing put right more often than this within the window is a fight, not a slip.
constexpr std::size_t kFightCount = 20;
constexpr Time kFightWindow = 10 * kSecond;

}  // namespace

Reconciler::Reconciler(ReconcilerOptions options, Locate locate, std::unique_ptr<Realiser> realiser,
                       LocatePortless portless)
    : options_(std::move(options)),
      locate_(std::move(locate)),
      portless_(std::move(portless)),
      realiser_(std::move(realiser)),
      resolver_(options_.monitor_nic),
      budgets_(options_.budgets),
      judge_(options_.monitor_nic ? options_.local_input : std::string()) {}

void Reconciler::set_policies(std::vector<Policy> policies) {
  resolver_.set_policies(std::move(policies));
  policies_known_ = true;
  look_ = true;
  last_look_ = 0;  // A person waits: no spacing.
  retry_at_ = 0;
}

void Reconciler::relocate(const std::vector<std::string>& vm_uuids,
                          const std::vector<std::string>& devices) {
  for (const std::string& uuid : vm_uuids)
    for (auto it = of_vm_.lower_bound({uuid, {}}); it != of_vm_.end() && it->first == uuid; ++it)
      moved_.insert(it->second);
  moved_guests_.insert(vm_uuids.begin(), vm_uuids.end());
  for (const std::string& device : devices)
    for (const auto& [name, sw] : located_world_->switches)
      if (sw.ports.contains(device)) moved_.insert({name, device});
  look_ = true;
  last_look_ = 0;  // A guest that comes must not wait for its mirror.
}

Reconciler::Action Reconciler::next(Time now) {
  const bool clock_went_back = now < last_look_;
  if (clock_went_back || retry_at_ - now > options_.retry_max) retry_at_ = 0;
  if (fresh_ && !due_.empty() && (now >= retry_at_ || due_ != last_steps_)) return Submit{due_};
  Time due = last_look_ + (look_ ? options_.spacing : options_.interval);
  if (look_ && !running_.empty()) due = last_look_;  // It may be the hint that it has ended.
  if (fresh_ && !due_.empty()) due = std::min(due, retry_at_);
  if (read_back_ || clock_went_back || now >= due) return Observe{};
  return Wait{due};
}

void Reconciler::observed(const Result<std::shared_ptr<const Observed>>& reading, Time now) {
  last_look_ = now;
  look_ = false;
  read_back_ = false;
  if (!reading) {
    ++failures_;
    fresh_ = false;
    behind_since_ = 0;  // A daemon that can't reach the database either has its patience anew.
    stall_.reset();
    if (!observe_error_) tell(now, "switch", "can't be read: " + reading.error().text(), true);
    observe_error_ = reading.error();
    take_note(judge_.unreadable(reading.error(), now));
    return;
  }
  if (observe_error_) tell(now, "switch", "can be read again");
  observe_error_.reset();
  world_ = *reading;
  observed_at_ = now;
  ++rounds_;
  watch_progress(now);
  follow_submissions(now);
  plan(now);
}

/// A switch whose daemon hangs shows every change in its database, and does none of them.
void Reconciler::watch_progress(Time now) {
  const DaemonProgress& is = world_->progress;
  const bool moved = std::exchange(progress_, is).done != is.done;
  if (!is.behind)
    behind_since_ = 0;
  else if (behind_since_ == 0 || moved || now < behind_since_)
    behind_since_ = now;
  const bool was_stalled = stall_.has_value();
  stall_.reset();
  const auto stall = [&](const char* what, Time since) {
    stall_ = {Error::Kind::unreachable, is.daemon + what + format_time(since).substr(0, 19) + "Z",
              "switch", "is " + is.daemon + " running? see its log"};
  };
  if (is.silent_since != 0)
    stall(" gives no sign of life since ", is.silent_since);
  else if (behind_since_ != 0 && now - behind_since_ >= kStallPatience)
    stall(" has carried out no change since ", behind_since_);
  if (stall_.has_value() == was_stalled) return;
  tell(now, "switch", stall_ ? stall_->text() : is.daemon + " carries changes out again",
       stall_.has_value());
}

/// Where the NICs are: of the ports that changed, and of the guests that did.
void Reconciler::locate() {
  diff_ports(*located_world_, *world_, [&](const PortKey& key, const Port* was, const Port* is) {
    if (was && !was->vm.empty()) of_vm_.erase({lower(was->vm), key});
    if (is && !is->vm.empty()) of_vm_.insert({lower(is->vm), key});
    moved_.insert(key);
  });
  // What a NIC without a port is said to be on may be a switch that came or went.
  if (!std::ranges::equal(
          located_world_->switches, world_->switches, {}, [](const auto& sw) { return sw.first; },
          [](const auto& sw) { return sw.first; }))
    for (const auto& [uuid, guest] : of_guest_) moved_guests_.insert(uuid);
  located_world_ = world_;
  for (const PortKey& key : std::exchange(moved_, {})) {
    const Port* port = switch_of(*world_, key.switch_name).ports.get(key.port);
    if (port && !port->owned)
      put_location(key, locate_(key.switch_name, *port));
    else
      put_location(key, std::nullopt);
  }
  locate_portless();
}

/// Of a port; none: it went.
void Reconciler::put_location(const PortKey& key, std::optional<Location> at) {
  const Location* was = locations_.get(key);
  const std::string before = was ? was->vm_uuid : "";
  const std::string after = at ? at->vm_uuid : "";
  if (!before.empty() && before != after) of_guest_[before].ports.erase(key);
  if (!after.empty()) of_guest_[after].ports.insert(key);
  moved_guests_.insert({before, after});
  if (at)
    locations_.set(key, std::move(*at));
  else
    locations_.erase(key);
}

void Reconciler::locate_portless() {
  for (const std::string& uuid : std::exchange(moved_guests_, {})) {
    if (uuid.empty()) continue;
    OfGuest& guest = of_guest_[uuid];
    std::vector<const Port*> ports;
    for (const PortKey& key : guest.ports)
      ports.push_back(switch_of(*world_, key.switch_name).ports.get(key.port));
    std::set<PortKey> portless;
    if (portless_)
      for (Location& at : portless_(uuid, ports, *world_)) {
        const PortKey key{at.switch_name, at.port};
        portless.insert(key);
        locations_.set(key, std::move(at));
      }
    for (const PortKey& key : guest.portless)
      if (!portless.contains(key)) locations_.erase(key);
    guest.portless = std::move(portless);
    if (guest.ports.empty() && guest.portless.empty()) of_guest_.erase(uuid);
  }
}

void Reconciler::plan(Time now) {
  fresh_ = false;
  steps_.clear();
  due_.clear();
  locate();
  if (!budgets_.empty()) resolver_.set_cuts(budgets_.update(resolver_.claims(), *world_, now));
  resolver_.update(locations_, now);
  for (const std::string& name : resolver_.ended())
    tell(now, name, "the policy has expired: its mirrors go");
  do {
    realiser_->update(resolver_.sessions(), world_);
  } while (resolver_.heed(realiser_->verdicts()));
  if (policies_known_) {
    steps_ = differ_.update(realiser_->objects(), *world_);
    for (const Step& step : steps_)
      if (!is_at_work(step.key.switch_name)) due_.push_back(step);
    fresh_ = true;
    if (steps_.empty()) {
      apply_error_.reset();
      retry_after_ = retry_at_ = 0;
      synced_ = resolver_.sessions();
    } else if (last_done_ && due_ == last_steps_) {
      failed_to_apply({Error::Kind::refused,
                       "the switch took the change but does not show it: " + steps_.front().text(),
                       "switch", "see the switch's own log"},
                      now);
    } else if (running_.empty() && synced_ && *synced_ == resolver_.sessions()) {
      note_drift(now);
    }
  }
  last_done_ = false;
  take_note(judge_.update(resolver_, locations_, *realiser_, world_, apply_error_, stall_, now));
}

void Reconciler::note_drift(Time now) {
  synced_.reset();  // Counted once, until it is mended.
  ++drifts_;
  for (const Step& step : steps_) {
    const std::string text = step.text();
    tell(now, "switch", "someone changed what is ours; to do: " + text + " (" + step.why + ")",
         true);
    std::vector<Time>& times = drift_times_[text];
    std::erase_if(times, [now](Time t) { return t < now - kFightWindow; });
    times.push_back(now);
    if (times.size() < kFightCount) continue;
    times.clear();
    last_steps_ = due_;
    failed_to_apply({Error::Kind::refused,
                     "someone changed the same thing " + std::to_string(kFightCount) +
                         " times in 10 s: " + text,
                     "switch", "does another vmirrord run with the same owner?"},
                    now);
  }
  std::erase_if(drift_times_, [now](const auto& entry) {
    return entry.second.empty() || entry.second.back() < now - kFightWindow;
  });
}

void Reconciler::failed_to_apply(Error error, Time now) {
  ++failures_;
  retry_after_ = std::clamp(retry_after_ * 2, options_.retry_min, options_.retry_max);
  retry_at_ = now + retry_after_;
  if (!apply_error_ || *apply_error_ != error)
    tell(now, "switch", "can't be changed: " + error.text(), true);
  apply_error_ = std::move(error);
}

void Reconciler::submitted(const Result<Ticket>& ticket, Time now) {
  fresh_ = false;
  if (ticket) {
    running_[*ticket] = std::exchange(due_, {});
    look_ = true;  // Where nothing hints, it may have ended at once.
    return;
  }
  last_steps_ = std::exchange(due_, {});
  last_done_ = false;
  // Look: a step before the one that failed may have been done, or the answer lost.
  read_back_ = true;
  failed_to_apply(ticket.error(), now);
}

bool Reconciler::is_at_work(const std::string& switch_name) const {
  return std::ranges::any_of(running_, [&](const auto& running) {
    return std::ranges::any_of(
        running.second, [&](const Step& step) { return step.key.switch_name == switch_name; });
  });
}

/// What became of what was submitted, by the reading. One that the driver no longer knows may be
/// done or not: the reading shows it.
void Reconciler::follow_submissions(Time now) {
  std::erase_if(running_, [&](const auto& running) {
    const auto& [ticket, steps] = running;
    const auto found = world_->submissions.find(ticket);
    if (found == world_->submissions.end()) return true;
    switch (found->second.state) {
      case Submission::State::running:
        return false;
      case Submission::State::settled:
        steps_applied_ += steps.size();
        for (const Step& step : steps) tell(now, "switch", step.text() + " (" + step.why + ")");
        last_steps_ = steps;
        last_done_ = true;
        break;
      case Submission::State::failed:
        last_steps_ = steps;
        failed_to_apply(found->second.error, now);
        break;
      case Submission::State::conflict:
        break;
    }
    return true;
  });
}

/// Tells of the states that changed, and keeps it for who asks.
void Reconciler::take_note(RoundChanges changes) {
  for (const auto& [before, after] : changes.sessions) {
    if (!after) {
      const Switch& sw = switch_of(*located_world_, before->switch_name);
      tell(changes.time, before->name,
           "gone: " + (sw.ports.get(before->port) || before->switch_name.empty()
                           ? "no policy asks for it"
                           : "port " + before->port + " was deleted"));
    } else if (!before || before->state != after->state) {
      const std::string was = before ? std::string(to_text(before->state)) + " -> " : "";
      const bool bad = after->state == SessionState::failed ||
                       after->state == SessionState::refused ||
                       after->state == SessionState::unknown;
      tell(changes.time, after->name, was + to_text(after->state) + ": " + after->reason, bad);
    }
  }
  changes_ = std::move(changes);
}

void Reconciler::tell(Time now, const std::string& subject, const std::string& text, bool warning) {
  history_.set(events_++, {now, subject, text, warning});
  if (history_.size() > options_.history) history_.erase(history_.begin()->first);
}

ControlSnapshot Reconciler::snapshot(Time now) const {
  ControlSnapshot out;
  out.time = now;
  out.policies_known = policies_known_;
  out.sessions = judge_.sessions();
  out.locations = judge_.locations();
  if (world_) out.policies = resolver_.policies();
  out.budgets = budgets_.uses();
  out.plan = steps_;
  out.observe_error = observe_error_;
  out.apply_error = apply_error_;
  out.stall = stall_;
  out.observed_at = observed_at_;
  out.rounds = rounds_;
  out.steps_applied = steps_applied_;
  out.failures = failures_;
  out.drifts = drifts_;
  out.history = history_;
  out.events = events_;
  out.index = judge_.index();
  out.local_outputs = judge_.local_outputs();
  out.observed = world_;
  return out;
}

}  // namespace vmirror
