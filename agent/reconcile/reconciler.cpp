#include "agent/reconcile/reconciler.hpp"

#include <algorithm>

#include "plugin/api/plan.hpp"

namespace vmirror {
namespace {

std::string text_of(const std::vector<Step>& steps) {
  std::string out;
  for (const Step& step : steps) out += step.text() + "\n";
  return out;
}

/// The session's track; null: none. `tracks` is sorted by name.
const Track* find(const std::vector<Track>& tracks, const std::string& name) {
  const auto it = std::ranges::lower_bound(
      tracks, name, {}, [](const Track& t) -> const std::string& { return t.status.name; });
  return it != tracks.end() && it->status.name == name ? &*it : nullptr;
}

/// The same thing put right more often than this within the window is a fight, not a slip.
constexpr std::size_t kFightCount = 20;
constexpr Time kFightWindow = 10 * kSecond;

}  // namespace

Reconciler::Reconciler(ReconcilerOptions options, Locate locate, Realise realise)
    : options_(std::move(options)), locate_(std::move(locate)), realise_(std::move(realise)) {}

void Reconciler::set_policies(std::vector<Policy> policies) {
  policies_ = std::move(policies);
  look_ = true;
  last_look_ = 0;  // A person waits: no spacing.
  retry_at_ = 0;
}

Reconciler::Action Reconciler::next(Time now) {
  if (fresh_ && !steps_.empty() && (now >= retry_at_ || text_of(steps_) != last_steps_))
    return Apply{steps_};
  const bool clock_went_back = now < last_look_;
  Time due = last_look_ + (look_ ? options_.spacing : options_.interval);
  if (fresh_ && !steps_.empty()) due = std::min(due, retry_at_);
  if (read_back_ || clock_went_back || now >= due) return Observe{};
  return Wait{due};
}

void Reconciler::observed(const Result<std::shared_ptr<const Observed>>& reading, Time now) {
  last_look_ = now;
  changes_.time = now;
  look_ = false;
  read_back_ = false;
  if (!reading) {
    ++failures_;
    fresh_ = false;
    if (!observe_error_) tell(now, "switch", "can't be read: " + reading.error().text());
    observe_error_ = reading.error();
    judge_and_tell(judge_unreadable(tracks_, reading.error(), now), now);
    return;
  }
  if (observe_error_) tell(now, "switch", "can be read again");
  observe_error_.reset();
  world_ = *reading;
  observed_at_ = now;
  ++rounds_;
  plan(now);
}

void Reconciler::plan(Time now) {
  fresh_ = false;
  steps_.clear();
  if (!policies_) return;
  const Locations locations = locate_(*world_);
  wish_ = desired(*policies_, locations, now, options_.monitor_nic);
  realisation_ = realise_(wish_.desired, *world_);
  steps_ = diff(realisation_, *world_);
  fresh_ = true;
  if (steps_.empty()) {
    apply_error_.reset();
    retry_after_ = retry_at_ = 0;
    synced_ = wish_.desired.sessions;
  } else if (last_done_ && text_of(steps_) == last_steps_) {
    failed_to_apply({Error::Kind::refused,
                     "the switch took the change but does not show it: " + steps_.front().text(),
                     "switch", "see the switch's own log"},
                    now);
  } else if (synced_ && *synced_ == wish_.desired.sessions) {
    note_drift(now);
  }
  last_done_ = false;
  MirrorIndex index = mirror_index(wish_, realisation_, *world_);
  if (index != *index_) index_ = std::make_shared<const MirrorIndex>(std::move(index));
  judge_and_tell(judge(tracks_, {wish_, realisation_, *world_, evidence_, apply_error_}, now), now);
  note_locations(locations);
}

void Reconciler::set_guests(std::shared_ptr<const Guests> guests) {
  guests_ = std::move(guests);
  look_ = true;
  last_look_ = 0;
}

void Reconciler::note_locations(const Locations& now) {
  std::map<PortKey, LocationStatus> is;
  for (const Location& at : now) is[{at.switch_name, at.port}].at = at;
  for (const Track& track : tracks_) {
    const auto it = is.find({track.status.switch_name, track.status.port});
    if (it == is.end() || track.status.state == SessionState::draining) continue;
    LocationStatus& status = it->second;
    const Time since = track.status.in_place_since;
    status.mirrored_since = since != 0 && (status.sessions == 0 || status.mirrored_since != 0)
                                ? std::max(status.mirrored_since, since)
                                : 0;
    ++status.sessions;
  }
  PersistentMap<PortKey, LocationStatus> fresh;
  for (const auto& [key, status] : is) fresh.set(key, status);
  diff(locations_, fresh, [&](const PortKey&, const LocationStatus* was, const LocationStatus* is) {
    if (was && is && was->at == is->at) return;
    changes_.ports.push_back(
        {was ? std::optional(was->at) : std::nullopt, is ? std::optional(is->at) : std::nullopt});
  });
  locations_ = std::move(fresh);
}

void Reconciler::note_drift(Time now) {
  synced_.reset();  // Counted once, until it is mended.
  ++drifts_;
  for (const Step& step : steps_) {
    const std::string text = step.text();
    tell(now, "switch", "someone changed what is ours; to do: " + text + " (" + step.why + ")");
    std::vector<Time>& times = drift_times_[text];
    std::erase_if(times, [now](Time t) { return t < now - kFightWindow; });
    times.push_back(now);
    if (times.size() < kFightCount) continue;
    times.clear();
    last_steps_ = text_of(steps_);
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
    tell(now, "switch", "can't be changed: " + error.text());
  apply_error_ = std::move(error);
}

void Reconciler::applied(const Result<void>& done, Time now) {
  last_steps_ = text_of(steps_);
  last_done_ = done.has_value();
  fresh_ = false;
  // Done or not, look: a step before the one that failed may have been done, or the answer lost.
  read_back_ = true;
  if (!done) {
    failed_to_apply(done.error(), now);
    return;
  }
  steps_applied_ += steps_.size();
  for (const Step& step : steps_) tell(now, "switch", step.text() + " (" + step.why + ")");
  steps_.clear();
}

void Reconciler::judge_and_tell(std::vector<Track> tracks, Time now) {
  for (const Track& track : tracks) {
    const SessionStatus& is = track.status;
    const Track* before = find(tracks_, is.name);
    if (before == nullptr || before->status.in_place != is.in_place)
      changes_.sessions.push_back(
          {before ? std::optional(before->status) : std::nullopt, track.status});
    std::string was;
    if (before != nullptr && before->status.state == is.state) continue;
    if (before != nullptr) was = std::string(to_text(before->status.state)) + " -> ";
    tell(now, is.name, was + to_text(is.state) + ": " + is.reason);
  }
  for (const Track& track : tracks_)
    if (find(tracks, track.status.name) == nullptr) {
      tell(now, track.status.name, "gone: no policy asks for it");
      changes_.sessions.push_back({track.status, std::nullopt});
    }
  tracks_ = std::move(tracks);
}

void Reconciler::tell(Time now, const std::string& subject, const std::string& text) {
  history_.set(events_++, {now, subject, text});
  if (history_.size() > options_.history) history_.erase(history_.begin()->first);
}

ControlSnapshot Reconciler::snapshot(Time now) const {
  ControlSnapshot out;
  out.time = now;
  out.policies_known = policies_.has_value();
  for (const Track& track : tracks_) out.sessions.set(track.status.name, track.status);
  out.locations = locations_;
  out.policies = wish_.policies;
  out.plan = steps_;
  out.observe_error = observe_error_;
  out.apply_error = apply_error_;
  out.observed_at = observed_at_;
  out.rounds = rounds_;
  out.steps_applied = steps_applied_;
  out.failures = failures_;
  out.drifts = drifts_;
  out.history = history_;
  out.events = events_;
  out.index = index_;
  out.observed = world_;
  return out;
}

MirrorIndex mirror_index(const Wish& wish, const Realisation& realisation,
                         const Observed& observed) {
  std::map<std::string_view, const Verdict*> verdicts;
  for (const Verdict& verdict : realisation.verdicts) verdicts[verdict.session] = &verdict;
  std::map<Mac, WatchedNic> nics;
  for (const SessionRequest& s : wish.desired.sessions) {
    if (!std::holds_alternative<LocalTarget>(s.target)) continue;
    const auto verdict = verdicts.find(s.name);
    if (verdict == verdicts.end() || verdict->second->refused) continue;
    const auto at = wish.where.find(s.name);
    if (at == wish.where.end() || !at->second.mac) continue;
    WatchedNic& nic = nics[*at->second.mac];
    if (!nic.port.empty()) continue;  // Two ports of one MAC: the first stands for both.
    nic.mac = *at->second.mac;
    nic.vm = at->second.vm();
    nic.port = s.switch_name + "/" + s.port;
    nic.direction = s.direction;
    nic.session_id = verdict->second->session_id;
    nic.vlan = observed.switches.at(s.switch_name).ports.at(s.port).vlan;
  }
  MirrorIndex out;
  for (auto& [mac, nic] : nics) out.nics.push_back(std::move(nic));
  return out;
}

}  // namespace vmirror
