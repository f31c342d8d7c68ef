#include "agent/reconcile/ledger.hpp"

#include <algorithm>
#include <iterator>

namespace vmirror {
namespace {

template <typename Map>
const typename Map::mapped_type* find(const Map& map, const typename Map::key_type& key) {
  const auto it = map.find(key);
  return it == map.end() ? nullptr : &it->second;
}

/// All of a mirror that a session of it is judged by, but its selections.
bool alike(const Mirror* a, const Mirror* b) {
  if (a == nullptr || b == nullptr) return a == b;
  return a->same_but_ports(*b) && a->id == b->id && a->owned == b->owned &&
         a->copied_frames == b->copied_frames;
}

bool changes_state(const SessionStatus* before, const SessionStatus* after) {
  if (before == nullptr || after == nullptr) return before != after;
  return before->state != after->state || before->in_place != after->in_place;
}

bool is_unproven(const SessionStatus* s) {
  return s != nullptr && s->target == "local" && s->state == SessionState::pending && s->in_place;
}

template <typename T>
std::optional<T> copy_of(const T* value) {
  return value == nullptr ? std::nullopt : std::optional(*value);
}

}  // namespace

void Ledger::set_evidence(Evidence evidence) {
  std::vector<std::pair<Mac, std::uint64_t>> changed;
  std::ranges::set_symmetric_difference(evidence.received, evidence_.received,
                                        std::back_inserter(changed));
  for (const auto& [mac, count] : changed)
    if (const auto* of_sessions = find(nics_, mac))
      for (const auto& [name, nic] : *of_sessions) touched_.insert(name);
  evidence_ = std::move(evidence);
}

// ---- What is to be judged

void Ledger::touch(const PortKey& port, const Wishes& wishes) {
  touched_ports_.insert(port);
  const PortWish& wish = wishes.of(port);
  for (const SessionRequest& s : wish.sessions) touched_.insert(s.name);
  for (const Refusal& r : wish.refused) touched_.insert(r.request.name);
}

void Ledger::touch_all() {
  for (const auto& [name, track] : tracks_) touched_.insert(name);
}

void Ledger::touch_mirror(const std::string& switch_name, const std::string& mirror) {
  for (const auto& [name, track] : tracks_)
    if (track.status.switch_name == switch_name && track.status.mirror == mirror)
      touched_.insert(name);
}

void Ledger::touch_switch(const std::string& name, const Switch& was, const Switch& is,
                          const Wishes& wishes) {
  std::set<std::string> broken;  // Ports that came, went, or whose error differs.
  diff(was.ports, is.ports, [&](const std::string& port, const Port* before, const Port* after) {
    touch({name, port}, wishes);
    if (!before || !after || before->error != after->error) broken.insert(port);
  });
  const auto touch_selected = [&](const PersistentSet<std::string>& a,
                                  const PersistentSet<std::string>& b) {
    diff(a, b, [&](const std::string& port, bool) { touch({name, port}, wishes); });
  };
  std::set<std::string> mirrors;
  for (const Switch* sw : {&was, &is})
    for (const auto& [mirror, value] : sw->mirrors) mirrors.insert(mirror);
  for (const std::string& mirror : mirrors) {
    const Mirror* before = find(was.mirrors, mirror);
    const Mirror* after = find(is.mirrors, mirror);
    if (!alike(before, after) || (after && broken.contains(after->output_port)))
      touch_mirror(name, mirror);
    if (!before || !after) continue;
    touch_selected(before->in_ports, after->in_ports);
    touch_selected(before->out_ports, after->out_ports);
  }
}

void Ledger::touch_changes(const Wishes& wishes, const LocationMap& locations,
                           const Realiser& realiser, const Observed& observed, RoundChanges& out) {
  const auto touch_name = [&](const std::string& name, const auto*, const auto*) {
    touched_.insert(name);
  };
  diff(wished_, wishes.sessions(), touch_name);
  diff(overruled_, wishes.refused(), touch_name);
  diff(verdicts_, realiser.verdicts(), touch_name);
  diff(locations_, locations, [&](const PortKey& key, const Location* was, const Location* is) {
    touch(key, wishes);
    out.ports.push_back({copy_of(was), copy_of(is)});
  });
  std::set<std::string> switches;
  for (const Observed* world : {observed_.get(), &observed})
    for (const auto& [name, sw] : world->switches) switches.insert(name);
  for (const std::string& name : switches)
    touch_switch(name, switch_of(*observed_, name), switch_of(observed, name), wishes);
  for (const Mirror& wanted : realiser.wanted().mirrors)
    if (std::ranges::none_of(wanted_, [&](const Mirror& m) { return m.same_but_ports(wanted); }))
      touch_mirror(wanted.switch_name, wanted.name);
  touched_.insert(unsettled_.begin(), unsettled_.end());
  if (std::exchange(was_unreadable_, false)) touch_all();
}

// ---- Judging

std::optional<Track> Ledger::judged(const std::string& name, const Wishes& wishes,
                                    const Realiser& realiser, const JudgeContext& context,
                                    Time now) {
  const Track* is = find(tracks_, name);
  Track track = is ? *is : Track{};
  const auto at = [&](const SessionRequest& s) { return locations_.get({s.switch_name, s.port}); };
  if (const SessionRequest* s = wishes.sessions().get(name))
    return judge_asked(std::move(track), *s, at(*s), realiser.verdicts().get(name), context, now);
  if (const Refusal* refusal = wishes.refused().get(name))
    return judge_overruled(std::move(track), *refusal, at(refusal->request), now);
  return is ? judge_leftover(std::move(track), context, now) : std::nullopt;
}

/// Where copies for the local engine come out.
void Ledger::count_output(const SessionStatus* status, bool add) {
  if (status == nullptr || status->target != "local" || status->output.empty()) return;
  const auto it = local_sessions_.try_emplace(status->output).first;
  it->second += add ? 1 : -1;
  if (add) local_outputs_.insert(status->output);
  if (it->second != 0) return;
  local_outputs_.erase(status->output);
  local_sessions_.erase(it);
}

void Ledger::put(const std::string& name, std::optional<Track> track, RoundChanges& out) {
  const SessionStatus* before = statuses_.get(name);
  const SessionStatus* after = track ? &track->status : nullptr;
  count_output(after, true);
  count_output(before, false);
  unproven_ += is_unproven(after);
  unproven_ -= is_unproven(before);
  for (const SessionStatus* s : {before, after})
    if (s != nullptr) touched_ports_.insert({s->switch_name, s->port});
  if (changes_state(before, after)) out.sessions.push_back({copy_of(before), copy_of(after)});
  if (!track) {
    statuses_.erase(name);
    tracks_.erase(name);
    unsettled_.erase(name);
    return;
  }
  statuses_.set(name, track->status);
  if (is_unsettled(*track, stalled_))
    unsettled_.insert(name);
  else
    unsettled_.erase(name);
  tracks_[name] = std::move(*track);
}

void Ledger::index_session(const std::string& name, const Realiser& realiser,
                           const Observed& observed) {
  std::set<Mac> changed;
  if (const auto it = mac_of_.find(name); it != mac_of_.end()) {
    changed.insert(it->second);
    const auto of_sessions = nics_.find(it->second);
    of_sessions->second.erase(name);
    if (of_sessions->second.empty()) nics_.erase(of_sessions);
    mac_of_.erase(it);
  }
  const SessionRequest* s = wished_.get(name);
  const Verdict* verdict = realiser.verdicts().get(name);
  const Location* at = s ? locations_.get({s->switch_name, s->port}) : nullptr;
  if (at && at->mac && verdict && !verdict->refused &&
      std::holds_alternative<LocalTarget>(s->target)) {
    const Port* port = switch_of(observed, s->switch_name).ports.get(s->port);
    nics_[*at->mac][name] = {.mac = *at->mac,
                             .vm = at->vm(),
                             .port = s->switch_name + "/" + s->port,
                             .direction = s->direction,
                             .vlan = port ? port->vlan : std::nullopt,
                             .session_id = verdict->session_id,
                             .session = name};
    mac_of_[name] = *at->mac;
    changed.insert(*at->mac);
  }
  for (const Mac& mac : changed) {
    const auto* of_sessions = find(nics_, mac);
    const WatchedNic* first = of_sessions ? &of_sessions->begin()->second : nullptr;
    const WatchedNic* is = index_->nics.get(mac);
    if (first ? is && *is == *first : !is) continue;
    auto next = std::make_shared<MirrorIndex>(*index_);
    if (first)
      next->nics.set(mac, *first);
    else
      next->nics.erase(mac);
    index_ = std::move(next);
  }
}

void Ledger::show_location(const PortKey& port, const Wishes& wishes) {
  const Location* at = locations_.get(port);
  if (at == nullptr) {
    location_statuses_.erase(port);
    return;
  }
  LocationStatus status{*at};
  bool all = true;
  for (const SessionRequest& s : wishes.of(port).sessions) {
    const SessionStatus* is = statuses_.get(s.name);
    const Time since = is ? is->in_place_since : 0;
    all = all && since != 0;
    status.mirrored_since = std::max(status.mirrored_since, since);
    ++status.sessions;
  }
  if (!all) status.mirrored_since = 0;
  location_statuses_.set(port, std::move(status));
}

RoundChanges Ledger::update(const Wishes& wishes, const LocationMap& locations,
                            const Realiser& realiser, std::shared_ptr<const Observed> observed,
                            const std::optional<Error>& apply_error,
                            const std::optional<Error>& stall, Time now) {
  RoundChanges out;
  out.time = now;
  touch_changes(wishes, locations, realiser, *observed, out);
  if (stall.has_value() != stalled_) touch_all();
  stalled_ = stall.has_value();
  locations_ = locations;
  wished_ = wishes.sessions();
  overruled_ = wishes.refused();
  verdicts_ = realiser.verdicts();
  wanted_ = realiser.wanted().mirrors;
  observed_ = std::move(observed);
  const JudgeContext context{realiser.wanted(), *observed_, evidence_, apply_error, stall};
  for (const std::string& name : std::exchange(touched_, {})) {
    put(name, judged(name, wishes, realiser, context, now), out);
    index_session(name, realiser, *observed_);
  }
  for (const PortKey& port : std::exchange(touched_ports_, {})) show_location(port, wishes);
  return out;
}

RoundChanges Ledger::unreadable(const Error& error, Time now) {
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
