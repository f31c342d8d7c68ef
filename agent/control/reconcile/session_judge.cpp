#include "agent/control/reconcile/session_judge.hpp"

#include <algorithm>
#include <iterator>

#include "plugin/base/lookup.hpp"

namespace vmirror {
namespace {

/// All of a mirror that a session of it is judged by, but its selections.
bool alike(const Mirror* a, const Mirror* b) {
  if (a == nullptr || b == nullptr) return a == b;
  return a->same_but_ports(*b) && a->id == b->id && a->owned == b->owned &&
         a->copied_frames == b->copied_frames && a->error == b->error;
}

bool is_served_by(const SessionStatus& s, const std::string& mirror) {
  return s.mirror == mirror || std::ranges::find(s.more_mirrors, mirror) != s.more_mirrors.end();
}

bool changes_state(const SessionStatus* before, const SessionStatus* after) {
  if (before == nullptr || after == nullptr) return before != after;
  return before->state != after->state || before->in_place != after->in_place;
}

template <typename T>
std::optional<T> copy_of(const T* value) {
  return value == nullptr ? std::nullopt : std::optional(*value);
}

}  // namespace

void SessionJudge::set_evidence(Evidence evidence) {
  const auto touch_nic = [&](const PortKey& at) {
    if (const WatchedNic* nic = index_->nics.get(at)) touched_.insert(nic->session);
  };
  diff(evidence_.nics, evidence.nics,
       [&](const PortKey& at, const NicEvidence*, const NicEvidence*) { touch_nic(at); });
  diff(evidence_.traced, evidence.traced,
       [&](const std::string& session, const TraceAnswer*, const TraceAnswer*) {
         touched_.insert(session);
       });
  evidence_ = std::move(evidence);
}

void SessionJudge::set_collectors(Collectors collectors) {
  for (const auto& [address, names] : to_collector_) {
    const auto* before = find(collectors_, address);
    const auto* after = find(collectors, address);
    const bool same = before && after ? *before == *after || **before == **after : before == after;
    if (!same) touched_.insert(names.begin(), names.end());
  }
  collectors_ = std::move(collectors);
}

// ---- What is to be judged

void SessionJudge::touch(const PortKey& port, const PolicyResolver& resolver) {
  touched_ports_.insert(port);
  const ResolvedPort& resolved = resolver.of(port);
  for (const Session& s : resolved.sessions) touched_.insert(s.name);
  for (const Refusal& r : resolved.refused) touched_.insert(r.session.name);
  if (const Names* names = find(draining_, port)) touched_.insert(names->begin(), names->end());
}

void SessionJudge::touch_all() {
  for (const auto& [name, track] : tracks_) touched_.insert(name);
}

/// Those for which a patience has ended; all, when the clock was set back.
void SessionJudge::touch_due(Time now) {
  if (now < updated_at_) touch_all();
  updated_at_ = now;
  for (auto at = due_.begin(); at != due_.end() && at->first <= now; ++at)
    touched_.insert(at->second);
}

void SessionJudge::touch_mirror(const std::string& switch_name, const std::string& mirror) {
  for (const auto& [name, track] : tracks_)
    if (track.status.switch_name == switch_name && is_served_by(track.status, mirror))
      touched_.insert(name);
}

/// What one mirror copied bears on the others with the same output.
void SessionJudge::touch_beside(const std::string& switch_name, const std::string& mirror,
                                const Switch& on) {
  const Mirror* changed = find(on.mirrors, mirror);
  if (changed == nullptr || !changed->output) return;
  for (const auto& [name, other] : on.mirrors)
    if (name != mirror && other.output == changed->output) touch_mirror(switch_name, name);
}

void SessionJudge::touch_switch(const std::string& name, const Switch& was, const Switch& is,
                                const PolicyResolver& resolver) {
  std::set<std::string> broken;  // Ports that came, went, or whose error, tag or way out differs.
  diff(was.ports, is.ports, [&](const std::string& port, const Port* before, const Port* after) {
    touch({name, port}, resolver);
    if (!before || !after || before->error != after->error || before->vlan != after->vlan ||
        before->egress != after->egress || before->carrier != after->carrier)
      broken.insert(port);
  });
  const auto touch_selected = [&](const PersistentSet<std::string>& a,
                                  const PersistentSet<std::string>& b) {
    diff(a, b, [&](const std::string& port, bool) { touch({name, port}, resolver); });
  };
  std::set<std::string> mirrors;
  for (const Switch* sw : {&was, &is})
    for (const auto& [mirror, value] : sw->mirrors) mirrors.insert(mirror);
  for (const std::string& mirror : mirrors) {
    const Mirror* before = find(was.mirrors, mirror);
    const Mirror* after = find(is.mirrors, mirror);
    if (!alike(before, after) || (after && broken.contains(after->output_port()))) {
      touch_mirror(name, mirror);
      touch_beside(name, mirror, is);
    }
    if (!before || !after) continue;
    touch_selected(before->in_ports, after->in_ports);
    touch_selected(before->out_ports, after->out_ports);
  }
}

void SessionJudge::touch_changes(const PolicyResolver& resolver, const LocationMap& locations,
                                 const Realiser& realiser, const Observed& observed,
                                 RoundChanges& out) {
  const auto touch_name = [&](const std::string& name, const auto*, const auto*) {
    touched_.insert(name);
  };
  diff(desired_, resolver.sessions(),
       [&](const std::string& name, const Session* was, const Session* is) {
         touched_.insert(name);
         if (const auto to = was ? collector_of(was->target) : std::nullopt) {
           Names& names = to_collector_[*to];
           names.erase(name);
           if (names.empty()) to_collector_.erase(*to);
         }
         if (const auto to = is ? collector_of(is->target) : std::nullopt)
           to_collector_[*to].insert(name);
       });
  diff(overruled_, resolver.refused(), touch_name);
  diff(verdicts_, realiser.verdicts(), touch_name);
  diff(locations_, locations, [&](const PortKey& key, const Location* was, const Location* is) {
    touch(key, resolver);
    out.ports.push_back({copy_of(was), copy_of(is)});
  });
  std::vector<IpAddress> silent;  // That are now, or no longer.
  std::ranges::set_symmetric_difference(observed_->silent, observed.silent,
                                        std::back_inserter(silent));
  for (const IpAddress& address : silent)
    if (const Names* names = find(to_collector_, address))
      touched_.insert(names->begin(), names->end());
  std::set<std::string> switches;
  for (const Observed* world : {observed_.get(), &observed})
    for (const auto& [name, sw] : world->switches) switches.insert(name);
  for (const std::string& name : switches)
    touch_switch(name, switch_of(*observed_, name), switch_of(observed, name), resolver);
  for (const Mirror& wanted : realiser.mirrors())
    if (std::ranges::none_of(wanted_, [&](const Mirror& m) { return m.same_but_ports(wanted); }))
      touch_mirror(wanted.switch_name, wanted.name);
  if (std::exchange(was_unreadable_, false)) touch_all();
}

// ---- Judging

std::optional<Track> SessionJudge::judged(const std::string& name, const PolicyResolver& resolver,
                                          const Realiser& realiser, const JudgeContext& context,
                                          Time now) {
  ++judgements_;
  const Track* is = find(tracks_, name);
  Track track = is ? *is : Track{};
  const auto at = [&](const Session& s) { return locations_.get({s.switch_name, s.port}); };
  if (const Session* s = resolver.sessions().get(name)) {
    track = judge_asked(std::move(track), *s, at(*s), realiser.verdicts().get(name), context, now);
    if (const BudgetCut* cut = resolver.cut_of(name))
      track.status.warnings.push_back("copies are cut to " + std::to_string(cut->snaplen) +
                                      " bytes: " + cut->reason);
    return track;
  }
  if (const Refusal* refusal = resolver.refused().get(name))
    return judge_overruled(std::move(track), *refusal, at(refusal->session), now);
  return is ? judge_leftover(std::move(track), context, now) : std::nullopt;
}

/// Where copies for the local engine come out.
void SessionJudge::count_output(const SessionStatus* status, bool add) {
  if (status == nullptr || status->target != "local" || status->output.empty()) return;
  const auto it = local_sessions_.try_emplace(status->output).first;
  it->second += add ? 1 : -1;
  if (add) local_outputs_.insert(status->output);
  if (it->second != 0) return;
  local_outputs_.erase(status->output);
  local_sessions_.erase(it);
}

void SessionJudge::put(const std::string& name, std::optional<Track> track, RoundChanges& out) {
  const SessionStatus* before = statuses_.get(name);
  const SessionStatus* after = track ? &track->status : nullptr;
  count_output(after, true);
  count_output(before, false);
  for (const SessionStatus* s : {before, after})
    if (s != nullptr) touched_ports_.insert({s->switch_name, s->port});
  if (changes_state(before, after)) out.sessions.push_back({copy_of(before), copy_of(after)});
  forget(name);
  if (!track) {
    statuses_.erase(name);
    tracks_.erase(name);
    return;
  }
  statuses_.set(name, track->status);
  look_again(name, due_again(*track, stalled_, updated_at_));
  if (after->state == SessionState::draining)
    draining_[{after->switch_name, after->port}].insert(name);
  if (after->state == SessionState::draining ||
      (!after->in_place && after->state != SessionState::refused))
    unmade_.insert(name);
  tracks_[name] = std::move(*track);
}

/// Where else than in tracks_ it is noted what it was.
void SessionJudge::forget(const std::string& name) {
  look_again(name, std::nullopt);
  unmade_.erase(name);
  const SessionStatus* was = statuses_.get(name);
  if (was == nullptr || was->state != SessionState::draining) return;
  const auto at = draining_.find({was->switch_name, was->port});
  at->second.erase(name);
  if (at->second.empty()) draining_.erase(at);
}

void SessionJudge::look_again(const std::string& name, std::optional<Time> at) {
  if (const auto known = due_of_.find(name); known != due_of_.end()) {
    if (at == known->second) return;
    due_.erase({known->second, name});
    due_of_.erase(known);
  }
  if (!at) return;
  due_.insert({*at, name});
  due_of_[name] = *at;
}

/// The NIC that the engine is to watch for a session; none: for this one it is none.
std::optional<WatchedNic> SessionJudge::nic_of(const std::string& name, const Realiser& realiser,
                                               const Observed& observed) const {
  const Session* s = desired_.get(name);
  const Verdict* verdict = realiser.verdicts().get(name);
  if (!s || !verdict || verdict->refused || !std::holds_alternative<LocalTarget>(s->target))
    return std::nullopt;
  const PortKey key{s->switch_name, s->port};
  const Location* at = locations_.get(key);
  if (!at || !at->mac) return std::nullopt;
  WatchedNic nic{.at = key,
                 .mac = *at->mac,
                 .vm = at->vm(),
                 .direction = s->direction,
                 // Copies with an ID come by the network, and by whichever input.
                 .input = verdict->session_id    ? std::string()
                          : local_input_.empty() ? verdict->output
                                                 : local_input_,
                 .session_id = verdict->session_id,
                 .session = name};
  if (verdict->filtering == Filtering::by_receiver) nic.filter = s->filter;
  const auto& ports = switch_of(observed, s->switch_name).ports;
  const Port* output = ports.get(verdict->output);
  // A port with a tag takes it off the copies.
  if (const Port* port = ports.get(s->port); port && !(output && output->vlan))
    nic.vlan = port->vlan;
  return nic;
}

void SessionJudge::index_session(const std::string& name, const Realiser& realiser,
                                 const Observed& observed) {
  std::optional<WatchedNic> nic = nic_of(name, realiser, observed);
  const auto known = nic_of_.find(name);
  if (!nic && known == nic_of_.end()) return;
  if (const WatchedNic* before = nic ? index_->nics.get(nic->at) : nullptr) {
    nic->rival = before->rival;
    if (*nic == *before) return;
  }
  MirrorIndex next = *index_;
  std::set<Likeness> changed;
  const auto drop = [&](const PortKey& at) {
    const Likeness before = likeness(next.nics.at(at));
    changed.insert(before);
    const auto of_likeness = alike_.find(before);
    of_likeness->second.erase(at);
    if (of_likeness->second.empty()) alike_.erase(of_likeness);
    next.nics.erase(at);
  };
  if (known != nic_of_.end()) {
    // A session by another name may have its port by now.
    const WatchedNic* before = next.nics.get(known->second);
    if (before != nullptr && before->session == name) drop(known->second);
    nic_of_.erase(known);
  }
  if (nic) {
    if (next.nics.contains(nic->at)) drop(nic->at);
    nic_of_[name] = nic->at;
    alike_[likeness(*nic)].insert(nic->at);
    changed.insert(likeness(*nic));
    next.nics.set(nic->at, *nic);
  }
  for (const Likeness& each : changed)
    if (const auto* of_likeness = find(alike_, each))
      for (const PortKey& at : *of_likeness) {
        WatchedNic is = next.nics.at(at);
        const auto other = std::ranges::find_if(*of_likeness, [&](auto& o) { return o != at; });
        is.rival = other == of_likeness->end() ? "" : other->switch_name + "/" + other->port;
        next.nics.set(at, std::move(is));
      }
  if (next != *index_) index_ = std::make_shared<MirrorIndex>(std::move(next));
}

void SessionJudge::show_location(const PortKey& port, const PolicyResolver& resolver) {
  const Location* at = locations_.get(port);
  if (at == nullptr) {
    location_statuses_.erase(port);
    return;
  }
  LocationStatus status{*at};
  bool all = true;
  for (const Session& s : resolver.of(port).sessions) {
    const SessionStatus* is = statuses_.get(s.name);
    const Time since = is ? is->in_place_since : 0;
    all = all && since != 0;
    status.mirrored_since = std::max(status.mirrored_since, since);
    ++status.sessions;
  }
  if (!all) status.mirrored_since = 0;
  location_statuses_.set(port, std::move(status));
}

RoundChanges SessionJudge::update(const PolicyResolver& resolver, const LocationMap& locations,
                                  const Realiser& realiser,
                                  std::shared_ptr<const Observed> observed,
                                  const std::optional<Error>& apply_error,
                                  const std::optional<Error>& stall, Time now) {
  RoundChanges out;
  out.time = now;
  touch_changes(resolver, locations, realiser, *observed, out);
  touch_due(now);
  if (stall.has_value() != stalled_) touch_all();
  stalled_ = stall.has_value();
  if (apply_error != apply_error_) touched_.insert(unmade_.begin(), unmade_.end());
  apply_error_ = apply_error;
  locations_ = locations;
  desired_ = resolver.sessions();
  overruled_ = resolver.refused();
  verdicts_ = realiser.verdicts();
  wanted_ = realiser.mirrors();
  observed_ = std::move(observed);
  underlays_.update(observed_);
  const JudgeContext context{realiser.mirrors(), *observed_, evidence_, apply_error, stall,
                             collectors_,        underlays_};
  for (const std::string& name : std::exchange(touched_, {})) {
    put(name, judged(name, resolver, realiser, context, now), out);
    index_session(name, realiser, *observed_);
  }
  for (const PortKey& port : std::exchange(touched_ports_, {})) show_location(port, resolver);
  return out;
}

RoundChanges SessionJudge::unreadable(const Error& error, Time now) {
  RoundChanges out;
  out.time = now;
  if (std::exchange(was_unreadable_, true)) return out;
  std::vector<Track> tracks;
  for (const auto& [name, track] : tracks_) tracks.push_back(track);
  std::ranges::sort(tracks, {}, [](const Track& t) -> const std::string& { return t.status.name; });
  for (Track& track : judge_unreadable(tracks, error, now)) {
    const std::string name = track.status.name;
    put(name, std::move(track), out);
  }
  return out;
}

}  // namespace vmirror
