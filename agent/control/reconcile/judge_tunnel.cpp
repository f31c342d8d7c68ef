// How far a session is proven whose copies leave through a tunnel: sent, delivered, or not. The
// rules, with what each of them can't tell, are decision 16.
#include <algorithm>
#include <utility>

#include "agent/control/reconcile/rulings.hpp"

namespace vmirror {
namespace {

/// Between a writing of the switch's counters and what they are compared with: readings are a
/// second apart, the datapath's own counts lag by half of one, a report takes a moment.
constexpr Time kBefore = 2 * kSecond, kAfter = kSecond;
/// A switch's interval of writing, and a reading's: before this nothing is in counters that stand
/// still.
constexpr Time kWriting = 7 * kSecond;
constexpr Time kToldKept = 20 * kSecond;
/// For how long a session is not delivered after some of its copies did not come.
constexpr Time kLossKept = 60 * kSecond;
/// So many copies that all leave, or all fail to come, are no accident.
constexpr std::uint64_t kManyCopies = 10;

/// 99% of `of`, or more.
bool nearly(std::uint64_t part, std::uint64_t of) {
  return part * 100 >= of * 99;
}

std::uint64_t above(std::int64_t value, std::int64_t base) {
  return value > base ? static_cast<std::uint64_t>(value - base) : 0;
}

/// Why no copy leaves, whoever waits for it; none: there is a way, or nobody can tell.
std::optional<std::string> no_way(const Switch& on, const Port& output, const Underlay& underlay,
                                  const IpAddress& collector, const Observed& world) {
  const std::string to = collector.text();
  if (world.silent.contains(collector))
    return to + ", or the gateway to it, does not answer " +
           (collector.version == 4 ? "ARP" : "neighbour solicitations") +
           ": the host's kernel sends no copy";
  if (output.egress.empty()) {
    if (on.datapath == Datapath::kernel)
      return std::nullopt;  // It may have routes of other tables.
    return "the switch has no route to " + to + ": no copy is sent";
  }
  if (output.carrier == false)
    return "copies to " + to + " leave through " + output.egress + ", which has no carrier";
  if (on.datapath == Datapath::userspace && underlay.datapath != Datapath::userspace)
    return "copies to " + to + " would leave through " + output.egress +
           ", which is no port of a bridge of the userspace datapath: no copy is sent";
  return std::nullopt;
}

/// Whether all copies left that were due between two writings. Bytes are compared, and beyond a
/// question for the next hop's address each: a question is as long as a guest's shortest frame.
bool all_left(const TunnelTrack::Left& was, const TunnelTrack::Left& is, const Underlay& underlay) {
  const auto frames = static_cast<std::int64_t>(is.due.frames - was.due.frames);
  const auto due = static_cast<std::int64_t>(is.due.bytes - was.due.bytes);
  const Load<std::int64_t> left{is.left.frames - was.left.frames, is.left.bytes - was.left.bytes};
  const std::int64_t question = underlay.question, shortest = underlay.shortest_copy;
  const std::int64_t beyond = std::max(due - frames * question, frames * (shortest - question));
  return left.bytes * 100 >= due * 99 && (left.bytes - left.frames * question) * 100 >= beyond * 99;
}

/// Whether what the tunnels were given left by the switch's other ports, at each writing. A writing
/// reads the ports one after the other, and what the host itself sends meanwhile is in the count of
/// one of them alone: a writing can have too much, and one that follows lacks it.
void note_left(TunnelTrack& t, const Underlay& underlay, Time now) {
  const TunnelTrack::Left is{now, underlay.due, underlay.left};
  if (!t.left || is.due.bytes < t.left->due.bytes || now < t.left->at) {
    t.left = t.left_base = t.sent_base = is;
    t.short_writings = 0;
    return;
  }
  if (is.due.bytes == t.left->due.bytes) return;
  if (all_left(*t.left, is, underlay)) {
    t.short_writings = 0;
    t.left_base = is;
  } else {
    ++t.short_writings;
    const std::uint64_t due = is.due.bytes - t.left->due.bytes;
    const std::uint64_t left = above(is.left.bytes, t.left->left.bytes);
    if (left * 2 >= due) t.left_base = is;  // Copies leave again: an outage ends here.
  }
  if (t.short_writings > 1) t.sent = false;  // One: counted at the edge of a burst.
  if (t.sent_base->at < t.left->at && is.due.frames - t.sent_base->due.frames >= kManyCopies) {
    t.sent = t.sent || all_left(*t.sent_base, is, underlay);
    t.sent_base = t.left;
  }
  t.left = is;
}

/// Forgets what was compared: what is counted from now on is another window.
void forget_edges(TunnelTrack& t) {
  t.base.reset();
  t.open.reset();
  t.told.clear();
  t.last_out.reset();
}

/// The collector's count some time before `before`; none: it had not told by then.
std::optional<std::uint64_t> told_before(const TunnelTrack& t, Time before) {
  std::optional<std::uint64_t> out;
  for (const auto& [at, received] : t.told)
    if (at <= before) out = received;
  return out;
}

/// Takes an edge when the switch wrote its counters; where it wrote nothing for long, the base.
void take_edge(TunnelTrack& t, std::uint64_t out, Time now) {
  const bool written = t.last_out && *t.last_out != out;
  t.last_out = out;
  if (t.open || (!written && t.base)) return;
  if (const auto received = told_before(t, now - (written ? kBefore : kWriting)))
    (t.base ? t.open : t.base) = TunnelTrack::Edge{now, out, *received};
}

/// Compares the open edge once what it counts must have come. The collector's count has some frames
/// that were sent later; they are taken for this window's, and the next one lacks them, so that
/// what is lost again and again is seen in the end.
void compare(TunnelTrack& t, std::uint64_t received, Time now) {
  const TunnelTrack::Edge before = *t.base;
  t.base = std::exchange(t.open, std::nullopt);
  const std::uint64_t of = t.base->out - before.out, came = received - before.received;
  if (nearly(came, of)) {
    t.base->received = std::max(t.base->received, std::min(received, before.received + of));
    t.delivered = t.lost_at == 0 || now - t.lost_at > kLossKept || t.missing_came == 0;
    t.missing_since = 0;
    if (t.delivered) t.missing_of = t.missing_came = 0;
    return;
  }
  if (t.missing_since == 0) {
    t.missing_since = before.at;
    t.missing_of = t.missing_came = 0;
  }
  t.delivered = false;
  t.lost_at = now;
  t.missing_of += of;
  t.missing_came += came;
}

struct Arrival {
  std::string words;    ///< After "the switch shows it as asked ..."; empty: nobody tells.
  bool failed = false;  ///< The collector is linked, and copies do not come.
};

/// What the collector says, where it is one of ours; before `settled_at` the mirror's counter has
/// no say. Of GRE without a sequence the collector's kernel may join packets (GRO): a count that is
/// too low is then no fault.
Arrival note_arrival(TunnelTrack& t, const Session& s, std::optional<std::uint32_t> id,
                     const Port& output, const JudgeContext& in, Time settled_at, Time now) {
  const auto found = in.collectors.find(*collector_of(s.target));
  const auto unknown = [&](std::string words) {
    forget_edges(t);
    t.delivered = false;
    t.missing_since = t.lost_at = 0;
    t.missing_of = t.missing_came = 0;
    return Arrival{std::move(words)};
  };
  if (found == in.collectors.end()) return unknown("");
  const Collector& c = *found->second;
  const std::string whose = "the agent of " + c.host + ", the collector, ";
  if (!c.linked)
    return unknown(whose + "is not linked since " + clock_text(c.since) +
                   ": whether they arrive is not known");
  if (c.told_at == 0 || now - c.told_at > kToldPatience)
    return unknown(whose + "tells nothing of what it takes in: whether they arrive is not known");
  const auto received = received_of(s, id, c.report, in.observed.own_addresses);
  if (!received) return unknown(c.host + ", the collector, says: " + received.error().what);

  const std::uint64_t out = copied_to(switch_of(in.observed, s.switch_name), output.name)
                                .value_or(Load<std::uint64_t>{})
                                .frames;
  const bool anew = (!t.told.empty() && *received < t.told.back().second) ||
                    (t.last_out && out < *t.last_out) ||
                    (!t.told.empty() && c.told_at < t.told.back().first);
  if (anew) forget_edges(t);
  if (t.told.empty() || t.told.back().first != c.told_at) t.told.emplace_back(c.told_at, *received);
  while (t.told.size() > 1 && t.told[1].first < now - kToldKept) t.told.pop_front();
  if (now < settled_at) {
    t.base.reset();
    t.open.reset();
  } else {
    take_edge(t, out, now);
  }
  if (t.open && c.told_at >= t.open->at + kAfter) compare(t, *received, now);

  const bool none = t.missing_came == 0, joins = std::holds_alternative<GreTarget>(s.target);
  const bool failed =
      t.missing_since != 0 && ((none && t.missing_of >= kManyCopies) ||
                               ((none || !joins) && now - t.missing_since > kProofPatience));
  if (t.missing_of != 0)
    return {c.host + ", the collector, received " + std::to_string(t.missing_came) + " of " +
                std::to_string(t.missing_of) + " copies in the time up to " + clock_text(t.lost_at),
            failed};
  if (t.delivered) return {c.host + ", the collector, receives them"};
  return {c.host + ", the collector, has not told of any yet"};
}

}  // namespace

Result<std::uint64_t> received_of(const Session& s, std::optional<std::uint32_t> id,
                                  const CopiesReport& report, const std::set<IpAddress>& own) {
  CopiesKey key;
  const auto* erspan = std::get_if<ErspanTarget>(&s.target);
  key.encapsulation = erspan == nullptr      ? Encapsulation::gre
                      : erspan->version == 3 ? Encapsulation::erspan3
                                             : Encapsulation::erspan2;
  key.session = id.value_or(0);
  std::uint64_t ours = 0, others = 0;
  std::string other;
  for (auto at = report.sessions.lower_bound(key);
       at != report.sessions.end() && at->first.encapsulation == key.encapsulation &&
       at->first.session == key.session;
       ++at) {
    if (own.contains(at->first.sender)) {
      ours += at->second.received;
    } else {
      ++others;
      other = at->first.sender.text();
      if (own.empty()) ours += at->second.received;
    }
  }
  if ((own.empty() && others > 1) || (!own.empty() && ours == 0 && others > 0))
    return fail(Error::Kind::missing, "it receives copies of session " +
                                          std::to_string(key.session) + " from " + other +
                                          ", and whether that is this host is not known");
  return ours;
}

Ruling rule_tunnel(Track& track, const Session& s, const Port& source, const Port& output,
                   const JudgeContext& in, Ruling traffic, Time now) {
  TunnelTrack& t = track.tunnel;
  const Switch& on = switch_of(in.observed, s.switch_name);
  const Underlay underlay = in.underlays.of(output.egress);
  const std::string to = collector_of(s.target)->text();
  if (auto warning = path_warning(s, source, on, output, underlay))
    track.status.warnings.push_back(std::move(*warning));
  if (traffic.state != SessionState::active && traffic.state != SessionState::ready) return traffic;

  const auto why = no_way(on, output, underlay, *collector_of(s.target), in.observed);
  if (!why) {
    t.no_way_since = 0;
    t.had_way = true;
  } else {
    if (t.no_way_since == 0 || t.no_way_since > now) t.no_way_since = now;
    t.sent = t.delivered = false;
    if (now - t.no_way_since > kWayPatience) return {SessionState::failed, *why};
    if (!t.had_way)
      return {SessionState::pending, "the switch has not said where copies leave yet"};
  }
  if (now < track.settled_at) t.left.reset();
  if (on.datapath == Datapath::userspace)
    note_left(t, underlay, now);
  else
    t.sent = traffic.state == SessionState::active && !output.egress.empty() &&
             output.carrier.value_or(false);
  const Arrival arrival =
      note_arrival(t, s, track.status.session_id, output, in, track.settled_at, now);
  if (arrival.failed) return {SessionState::failed, arrival.words};
  if (!t.sent && t.short_writings > 1 && t.left_base && underlay.remotes.size() == 1 &&
      now - t.left_base->at > kProofPatience) {
    const std::uint64_t due = t.left->due.bytes - t.left_base->due.bytes;
    const std::uint64_t left = above(t.left->left.bytes, t.left_base->left.bytes);
    if (left * 2 < due)
      return {SessionState::failed,
              "of " + std::to_string(due) + " bytes of copies since " +
                  clock_text(t.left_base->at) + " at most " + std::to_string(left) +
                  " left the host behind " + output.egress + ": does " + to +
                  ", or its gateway, answer ARP, and do the copies fit the MTU?"};
  }
  if (traffic.state == SessionState::ready) return traffic;

  const Proof proof = t.delivered ? Proof::delivered : t.sent ? Proof::sent : Proof::none;
  std::string words = traffic.reason;
  if (proof == Proof::sent) words += ", out through " + output.egress;
  if (proof == Proof::none)
    words += output.egress.empty() ? "; the switch knows no route to " + to
             : t.short_writings > 0
                 ? "; not all of them were seen to leave behind " + output.egress
                 : "; whether they leave behind " + output.egress + " was not counted yet";
  if (!arrival.words.empty()) words += "; " + arrival.words;
  return {SessionState::active, std::move(words), proof};
}

}  // namespace vmirror
