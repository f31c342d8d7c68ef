#include "agent/control/reconcile/judge.hpp"

#include <algorithm>

#include "agent/control/reconcile/rulings.hpp"
#include "plugin/base/lookup.hpp"

namespace vmirror {
namespace {

std::vector<std::string> mirrors_of(const Verdict& v) {
  std::vector<std::string> out{v.mirror};
  out.insert(out.end(), v.more_mirrors.begin(), v.more_mirrors.end());
  return out;
}

/// The first of them, with the counts of all.
Mirror as_one(const Verdict& v, const Switch& sw) {
  Mirror out = sw.mirrors.at(v.mirror);
  for (const std::string& name : v.more_mirrors)
    if (const auto& copied = sw.mirrors.at(name).copied_frames)
      out.copied_frames = out.copied_frames.value_or(0) + *copied;
  return out;
}

/// Why a mirror is not yet as the driver wants it; none: it is.
std::optional<std::string> difference(const Session& s, const Verdict& v, const std::string& mirror,
                                      const Mirror* is, const std::vector<Mirror>& wanted_all) {
  const std::string name = "mirror " + mirror;
  if (is == nullptr) return name + " is not on the switch yet";
  const auto wanted = std::ranges::find_if(wanted_all, [&](const Mirror& m) {
    return m.name == mirror && m.switch_name == s.switch_name;
  });
  const bool known = wanted != wanted_all.end();
  // Of a filter's several mirrors each copies only the directions that its rules have.
  const auto selects = [&](Direction part, PersistentSet<std::string> Mirror::*ports) {
    if (!includes(s.direction, part) || (is->*ports).contains(s.port)) return true;
    return v.filtering == Filtering::by_switch && known && !((*wanted).*ports).contains(s.port);
  };
  if (!is->all &&
      !(selects(Direction::in, &Mirror::in_ports) && selects(Direction::out, &Mirror::out_ports)))
    return name + " does not select port " + s.port;
  if (!is->output) return name + " has lost its output " + v.output;
  // The other ports that it selects are other sessions' business.
  if (known && (wanted->output != is->output || wanted->snaplen != is->snaplen ||
                wanted->match != is->match || wanted->vlans != is->vlans || wanted->all != is->all))
    return name + " is not as it was asked for yet";
  return std::nullopt;
}

/// A mirror that the database still shows, and the switch no longer has.
std::optional<Ruling> rule_given_up(const Verdict& v, const Switch& sw) {
  for (const std::string& name : mirrors_of(v))
    if (const Mirror& mirror = sw.mirrors.at(name); !mirror.error.empty())
      return Ruling{SessionState::failed,
                    "the switch shows of mirror " + name + ": " + mirror.error};
  return std::nullopt;
}

/// What stands on the switch, before anything moves: a ruling when that is not right.
std::optional<Ruling> rule_structure(const Session& s, const Verdict& v, const Switch& sw,
                                     const JudgeContext& in) {
  const Mirror* mirror = nullptr;
  for (const std::string& name : mirrors_of(v)) {
    mirror = find(sw.mirrors, name);
    if (const auto why = difference(s, v, name, mirror, in.wanted)) {
      if (in.apply_error) return Ruling{SessionState::failed, *why + ": " + in.apply_error->text()};
      return Ruling{SessionState::pending, *why};
    }
  }
  const Port* port = find(sw.ports, s.port);
  if (port == nullptr) return Ruling{SessionState::pending, "port " + s.port + " is gone"};
  if (!port->error.empty())
    return Ruling{SessionState::failed, "the switch says of port " + s.port + ": " + port->error};
  const std::string& output_name = mirror->output_port();
  if (output_name.empty()) return rule_given_up(v, sw);  // A VLAN, or the mirror sends by itself.
  const Port* output = find(sw.ports, output_name);
  if (output == nullptr)
    return Ruling{SessionState::failed, "its output port " + output_name + " is gone"};
  if (!output->error.empty())
    return Ruling{SessionState::failed,
                  "the switch says of port " + output_name + ": " + output->error};
  return rule_given_up(v, sw);
}

/// What the switch says that it would do with a frame, where there is none to count.
Ruling rule_silent(const Track& track, Ruling silent, const JudgeContext& in) {
  const TraceAnswer* answer = in.evidence.traced.get(track.status.name);
  if (answer == nullptr || answer->since != track.status.in_place_since) {
    silent.reason += "; not proven yet: the guest is silent";
    return silent;
  }
  const std::string at = " (asked at " + clock_text(answer->at) + ")";
  switch (answer->kind) {
    case TraceAnswer::Kind::copied:
      return {SessionState::ready, silent.reason + "; the switch would copy its frames" + at,
              Proof::traced};
    case TraceAnswer::Kind::not_copied:
      return {SessionState::failed, answer->why + at};
    case TraceAnswer::Kind::not_told:
      break;
  }
  silent.reason += "; not proven yet: the guest is silent, and trace not available: " + answer->why;
  return silent;
}

Ruling rule(Track& track, const Session& s, const Verdict& v, const JudgeContext& in, Time now) {
  const auto forget = [&track] {
    track.base.reset();
    track.moved_at = 0;
    track.proven = false;
    track.tunnel = {};
  };
  if (v.refused) {
    forget();
    return {SessionState::refused, v.refused->text()};
  }
  const Switch* sw = find(in.observed.switches, s.switch_name);
  if (sw == nullptr) {
    forget();
    return {SessionState::pending, "switch " + s.switch_name + " is gone"};
  }
  if (auto ruling = rule_structure(s, v, *sw, in)) {
    forget();
    return *ruling;
  }
  const Port& port = sw->ports.at(s.port);
  const Mirror mirror = as_one(v, *sw);
  track.status.in_place = true;
  track.status.copied_frames = mirror.copied_frames;
  if (port.counters) track.status.port_frames = frames_of(*port.counters, s.direction);
  Ruling ruling = std::holds_alternative<LocalTarget>(s.target)
                      ? rule_local(track, s, port, mirror, in, now)
                      : rule_remote(track, s, port, mirror, in, now);
  return ruling.silent ? rule_silent(track, std::move(ruling), in) : ruling;
}

void settle(SessionStatus& status, Ruling ruling, Time now) {
  if (status.since == 0 || status.state != ruling.state) status.since = now;
  status.state = ruling.state;
  status.proof = ruling.proof;
  status.reason = std::move(ruling.reason);
  if (!status.in_place)
    status.in_place_since = 0;
  else if (status.in_place_since == 0)
    status.in_place_since = now;
}

void describe(SessionStatus& status, const Session& s, const Location* at) {
  status.name = s.name;
  status.policy = s.policy;
  status.switch_name = s.switch_name;
  status.port = s.port;
  status.direction = s.direction;
  status.filter = s.filter.empty() ? "" : to_text(s.filter);
  status.filtering = Filtering::none;
  status.target = to_text(s.target);
  status.warnings.clear();
  status.in_place = false;
  status.mirror.clear();
  status.more_mirrors.clear();
  status.warnings.clear();
  status.output.clear();
  status.session_id.reset();
  status.copied_frames.reset();
  status.port_frames.reset();
  if (at != nullptr) {
    if (at->link_down)
      status.warnings.emplace_back(
          "the guest's link is down (virsh domif-setlink): it gets nothing of what the switch "
          "counts and copies as received by it");
    status.vm = at->vm();
    status.vm_uuid = at->vm_uuid;
    status.mac = at->mac;
  }
}

/// True while the switch still has what served a session that nobody asks for any more.
bool still_there(const SessionStatus& status, const Observed& observed) {
  const Switch* sw = find(observed.switches, status.switch_name);
  if (sw == nullptr) return false;
  const auto still = [&](const std::string& name) {
    const Mirror* mirror = find(sw->mirrors, name);
    return mirror != nullptr && mirror->owned &&
           (mirror->in_ports.contains(status.port) || mirror->out_ports.contains(status.port));
  };
  return still(status.mirror) || std::ranges::any_of(status.more_mirrors, still);
}

}  // namespace

Track judge_asked(Track track, const Session& s, const Location* at, const Verdict* verdict,
                  const JudgeContext& context, Time now) {
  describe(track.status, s, at);
  if (verdict == nullptr) {
    settle(track.status, {SessionState::failed, "the driver says nothing of it"}, now);
    return track;
  }
  // What the receiver filters the switch copies whole.
  Session copied = s;
  if (verdict->filtering == Filtering::by_receiver) copied.filter = {};
  const Switch* sw = find(context.observed.switches, s.switch_name);
  track.status.selective = is_selective(copied, sw ? find(sw->ports, s.port) : nullptr);
  track.status.filtering = verdict->filtering;
  track.status.mirror = verdict->mirror;
  track.status.more_mirrors = verdict->more_mirrors;
  track.status.output = verdict->output;
  track.status.session_id = verdict->session_id;
  track.status.warnings.insert(track.status.warnings.end(), verdict->warnings.begin(),
                               verdict->warnings.end());
  settle(track.status, rule(track, copied, *verdict, context, now), now);
  return track;
}

Track judge_overruled(Track track, const Refusal& refusal, const Location* at, Time now) {
  describe(track.status, refusal.session, at);
  settle(track.status, {SessionState::refused, refusal.reason.text()}, now);
  return track;
}

std::optional<Track> judge_leftover(Track track, const JudgeContext& context, Time now) {
  if (!still_there(track.status, context.observed)) return std::nullopt;
  const std::optional<Error>& error = context.apply_error;
  settle(track.status,
         {SessionState::draining, "no policy asks for it; mirror " + track.status.mirror +
                                      " is still there" + (error ? ": " + error->text() : "")},
         now);
  return track;
}

std::optional<Time> due_again(const Track& track, bool stalled, Time now) {
  const SessionStatus& s = track.status;
  const TunnelTrack& t = track.tunnel;
  std::optional<Time> due;
  // What the rules ask is whether more than a patience has passed. 0: nothing has begun.
  const auto once_passed = [&](Time since, Time patience) {
    const Time at = since + patience + 1;
    if (since != 0 && at > now && (!due || at < *due)) due = at;
  };
  if (!s.in_place || s.state == SessionState::refused) return due;
  if (stalled && track.base) once_passed(track.base->at, kStillPatience);
  if (s.state == SessionState::pending) once_passed(s.in_place_since, kCountPatience);
  once_passed(track.moved_at, kProofPatience);
  once_passed(track.lossy_at, kProofPatience);
  once_passed(t.no_way_since, kWayPatience);
  once_passed(t.missing_since, kProofPatience);
  if (!t.told.empty()) once_passed(t.told.back().first, kToldPatience);
  if (t.short_writings > 1 && t.left_base) once_passed(t.left_base->at, kProofPatience);
  return due;
}

std::vector<Track> judge(std::span<const Track> previous, const JudgeInput& in, Time now) {
  std::map<std::string, Track> before;
  for (const Track& track : previous) before.emplace(track.status.name, track);
  std::map<std::string_view, const Verdict*> verdicts;
  for (const Verdict& verdict : in.realisation.verdicts) verdicts[verdict.session] = &verdict;
  std::vector<Track> out;
  Underlays underlays;
  underlays.update(std::make_shared<const Observed>(in.observed));
  const JudgeContext context{
      in.realisation.mirrors, in.observed, in.evidence, in.apply_error, in.stall,
      in.collectors,          underlays};
  const auto take = [&](const std::string& name) {
    auto node = before.extract(name);
    return node ? std::move(node.mapped()) : Track{};
  };
  for (const Session& s : in.resolved.desired.sessions) {
    const auto* verdict = find(verdicts, s.name);
    out.push_back(judge_asked(take(s.name), s, find(in.resolved.where, s.name),
                              verdict ? *verdict : nullptr, context, now));
  }
  for (const Refusal& refusal : in.resolved.refused)
    out.push_back(judge_overruled(take(refusal.session.name), refusal,
                                  find(in.resolved.where, refusal.session.name), now));
  for (auto& [name, track] : before)
    if (auto left = judge_leftover(std::move(track), context, now)) out.push_back(std::move(*left));
  std::ranges::sort(out, {}, [](const Track& t) -> const std::string& { return t.status.name; });
  return out;
}

std::vector<Track> judge_unreadable(std::span<const Track> previous, const Error& error, Time now) {
  std::vector<Track> out(previous.begin(), previous.end());
  for (Track& track : out) {
    if (track.status.state == SessionState::refused) continue;
    std::string past = to_text(track.status.state);
    settle(track.status,
           {SessionState::unknown, "it was " + past + " until the switch could not be read (" +
                                       error.text() + "); it was left as it is"},
           now);
  }
  return out;
}

}  // namespace vmirror
