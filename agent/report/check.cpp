#include "agent/report/check.hpp"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "plugin/base/text.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

/// A verdict with its evidence and remedy; the table adds the ID.
struct Told {
  CheckVerdict verdict = CheckVerdict::pass;
  std::string evidence, remedy;
};

// ---- Reading JSON

const json::value* at(const json::object& object, std::string_view path) {
  const std::size_t dot = path.find('.');
  const auto* value = object.if_contains(path.substr(0, dot));
  if (value == nullptr || dot == path.npos) return value;
  const auto* inner = value->if_object();
  return inner == nullptr ? nullptr : at(*inner, path.substr(dot + 1));
}

std::uint64_t number(const json::value* value) {
  if (value == nullptr || !value->is_number()) return 0;
  const double n = value->to_number<double>();
  return n < 0 ? 0 : static_cast<std::uint64_t>(n);
}

std::uint64_t number(const json::object& object, std::string_view path) {
  return number(at(object, path));
}

std::string text(const json::object& object, std::string_view path) {
  const auto* value = at(object, path);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

const json::array& list(const json::object& object, std::string_view path) {
  static const json::array none;
  const auto* value = at(object, path);
  return value != nullptr && value->is_array() ? value->get_array() : none;
}

/// How far a counter came between the two readings; of a capture file all of it.
std::uint64_t grown(const CheckEvidence& e, std::string_view path) {
  const std::uint64_t is = number(e.after, path), was = number(e.before, path);
  return is >= was ? is - was : is;
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  char out[32];
  std::snprintf(out, sizeof out, "%.1f%%",
                whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole));
  return out;
}

/// "a, b, c and 4 more"
std::string some(const std::vector<std::string>& all) {
  constexpr std::size_t kShown = 5;
  std::string out;
  for (std::size_t i = 0; i < std::min(kShown, all.size()); ++i)
    out += (i == 0 ? "" : ", ") + all[i];
  return all.size() <= kShown ? out : out + " and " + std::to_string(all.size() - kShown) + " more";
}

std::vector<std::string> strings_of(const json::array& lines) {
  std::vector<std::string> out;
  for (const json::value& line : lines)
    if (line.is_string()) out.emplace_back(line.get_string());
  return out;
}

bool is_live(const CheckEvidence& e) {
  return e.after.contains("uptime_seconds");
}

Told only_live() {
  return {CheckVerdict::not_told, "a capture file does not show it", ""};
}

// ---- What the policies ask for

Told check_switch(const CheckEvidence& e) {
  if (!is_live(e)) return only_live();
  const std::string state = text(e.after, "switch.state");
  if (state == "none") return {CheckVerdict::not_told, "this daemon drives no switch", ""};
  if (state == "connected") return {CheckVerdict::pass, text(e.after, "switch.version"), ""};
  return {CheckVerdict::fail, "the switch is " + state,
          "see `vmirror status`; is the switch's daemon running?"};
}

Told check_watched(const CheckEvidence& e) {
  if (!is_live(e) || at(e.after, "verdict.well") == nullptr) return only_live();
  std::vector<std::string> faults = strings_of(list(e.after, "verdict.missing"));
  for (std::string& line : strings_of(list(e.after, "verdict.not_watched")))
    faults.push_back(std::move(line));
  if (faults.empty()) return {CheckVerdict::pass, text(e.after, "verdict.summary"), ""};
  return {CheckVerdict::fail, some(faults), "`vmirror explain NAME` of each"};
}

Told check_proven(const CheckEvidence& e) {
  if (!is_live(e) || at(e.after, "verdict.well") == nullptr) return only_live();
  const std::vector<std::string> lines = strings_of(list(e.after, "verdict.not_proven"));
  if (lines.empty())
    return {CheckVerdict::pass, "every session's copies are proven, or traced", ""};
  return {CheckVerdict::warn, some(lines), "let the guests send; `vmirror explain NAME` of each"};
}

Told check_coverage(const CheckEvidence& e) {
  if (!is_live(e)) return only_live();
  std::vector<std::string> low;
  std::size_t told = 0;
  for (const json::value& row : list(e.after, "coverage")) {
    const auto* ratio = at(row.as_object(), "ratio");
    if (ratio == nullptr || !ratio->is_number()) continue;
    ++told;
    if (ratio->to_number<double>() < 0.99)
      low.push_back(
          text(row.as_object(), "port") + " " +
          percent(number(row.as_object(), "received"), number(row.as_object(), "counted")));
  }
  if (told == 0) return {CheckVerdict::not_told, "no window of a NIC tells yet", ""};
  if (low.empty()) return {CheckVerdict::pass, count(told, "NIC") + " at 99% or more", ""};
  return {CheckVerdict::fail, some(low),
          "drops of the input; the switch's log; `vmirror explain PORT`"};
}

// ---- What arrives

Told check_traffic(const CheckEvidence& e) {
  const std::uint64_t frames = grown(e, "frames.analysed");
  if (frames > 0) return {CheckVerdict::pass, count(frames, "frame") + " analysed", ""};
  return {CheckVerdict::fail, "no frame was analysed",
          "is a guest selected and does it send? `vmirror sessions`, `vmirror status`"};
}

bool is_group(const std::string& mac) {
  if (mac.size() < 2) return false;
  const auto digit = mac[1];
  return std::string_view("13579bdf").find(digit) != std::string_view::npos;
}

Told check_unicast(const CheckEvidence& e) {
  std::uint64_t all = 0, unicast = 0;
  for (const json::value& flow : e.flows) {
    const json::object& f = flow.as_object();
    const std::uint64_t packets = number(f, "client.packets") + number(f, "server.packets");
    all += packets;
    if (!is_group(text(f, "server.mac"))) unicast += packets;
  }
  if (all == 0) return {CheckVerdict::not_told, "no flow was seen", ""};
  const std::string evidence = percent(unicast, all) + " of the frames of the greatest " +
                               std::to_string(e.flows.size()) + " flows are unicast";
  if (unicast == 0)
    return {CheckVerdict::fail, evidence,
            "the sensor gets broadcasts only: it is on an ordinary port, not on a mirror"};
  if (unicast * 2 < all)
    return {CheckVerdict::warn, evidence,
            "most is broadcast or multicast: is the mirror's source right?"};
  return {CheckVerdict::pass, evidence, ""};
}

/// TCP flows of one application, or of all, by whether both sides were seen.
struct Sides {
  std::size_t both = 0, one = 0;
  std::vector<std::string> names;  ///< Of those with one side.
};
Sides tcp_sides(const CheckEvidence& e, const std::set<std::uint64_t>& ports) {
  constexpr std::uint64_t kEnough = 3;  // Fewer frames may be one way by themselves.
  Sides out;
  for (const json::value& flow : e.flows) {
    const json::object& f = flow.as_object();
    const std::uint64_t sent = number(f, "client.packets"), back = number(f, "server.packets");
    if (number(f, "protocol") != 6 || sent + back < kEnough) continue;
    if (!ports.empty() && !ports.contains(number(f, "server.port")) &&
        !ports.contains(number(f, "client.port")))
      continue;
    if (sent > 0 && back > 0) {
      ++out.both;
    } else {
      ++out.one;
      out.names.push_back(text(f, "client.ip") + " to " + text(f, "server.ip") + ":" +
                          std::to_string(number(f, "server.port")));
    }
  }
  return out;
}

Told check_both_directions(const CheckEvidence& e) {
  const Sides sides = tcp_sides(e, {});
  if (sides.both + sides.one == 0)
    return {CheckVerdict::not_told, "no TCP connection was seen", ""};
  const std::string evidence = count(sides.both, "TCP connection") + " seen both ways, " +
                               std::to_string(sides.one) + " one way" +
                               (sides.one == 0 ? "" : ": " + some(sides.names));
  if (sides.one == 0) return {CheckVerdict::pass, evidence, ""};
  return {sides.both == 0 ? CheckVerdict::fail : CheckVerdict::warn, evidence,
          "mirror both directions to one interface: `direction: both`; is routing asymmetric?"};
}

Told check_domain_controllers(const CheckEvidence& e) {
  const Sides sides = tcp_sides(e, {88, 389, 636, 3268, 3269});
  if (sides.both + sides.one == 0)
    return {CheckVerdict::not_told, "no Kerberos or LDAP over TCP was seen", ""};
  if (sides.one == 0)
    return {CheckVerdict::pass,
            count(sides.both, "connection") + " of Kerberos and LDAP, both ways", ""};
  return {CheckVerdict::fail, "one way only: " + some(sides.names),
          "a domain controller's mirror needs both directions: `direction: both`"};
}

Told check_duplicates(const CheckEvidence& e) {
  const std::uint64_t twice = grown(e, "duplicates"), frames = grown(e, "frames.analysed");
  if (frames == 0) return {CheckVerdict::not_told, "no frame was analysed", ""};
  if (!is_live(e)) return {CheckVerdict::not_told, "looked for only while NICs are watched", ""};
  const std::string evidence =
      count(twice, "frame") + " of " + std::to_string(frames) + " came twice";
  if (twice * 100 <= frames) return {CheckVerdict::pass, evidence, ""};
  return {CheckVerdict::warn, evidence,
          "mirror one end of a conversation, or one direction; two targets with one sensor?"};
}

Told check_truncation(const CheckEvidence& e) {
  std::uint64_t copies = 0, cut = 0, cut_messages = 0;
  for (const json::value& input : list(e.after, "inputs"))
    for (const json::value& session : list(input.as_object(), "sessions")) {
      copies += number(session.as_object(), "received");
      cut += number(session.as_object(), "truncated");
    }
  const auto* protocols = at(e.after, "protocols");
  if (protocols != nullptr && protocols->is_object())
    for (const auto& member : protocols->get_object())
      if (const auto* of = member.value().if_object()) cut_messages += number(*of, "cut");
  const std::string evidence = std::to_string(cut) + " of " + count(copies, "copy") +
                               " marked as cut, " + count(cut_messages, "message") +
                               " cut short by truncation or a gap";
  if (cut == 0 && cut_messages == 0) return {CheckVerdict::pass, evidence, ""};
  return {CheckVerdict::warn, evidence,
          "`snaplen: 0`; an MTU on the way that holds the tunnel's headers"};
}

Told check_sequence(const CheckEvidence& e) {
  std::uint64_t lost = 0, received = 0, told = 0;
  for (const json::value& input : list(e.after, "inputs"))
    for (const char* key : {"sessions", "senders"})
      for (const json::value& row : list(input.as_object(), key)) {
        const auto* missing = at(row.as_object(), "lost");
        received += number(row.as_object(), "received");
        if (missing == nullptr || !missing->is_number()) continue;
        ++told;
        lost += number(missing);
      }
  if (told == 0) return {CheckVerdict::not_told, "no numbered copies came", ""};
  const std::string evidence = std::to_string(lost) + " lost by the numbers in copies, " +
                               count(received, "copy") + " received";
  if (lost == 0) return {CheckVerdict::pass, evidence, ""};
  return {lost * 100 > received + lost ? CheckVerdict::fail : CheckVerdict::warn, evidence,
          "the way of the copies: a full link, the MTU, drops of the receiving NIC"};
}

Told check_drops(const CheckEvidence& e) {
  const auto* dropped = at(e.after, "frames.dropped");
  std::uint64_t lost = 0;
  std::vector<std::string> kinds;
  if (dropped != nullptr && dropped->is_object())
    for (const auto& member : dropped->get_object()) {
      const std::string kind(member.key());
      if (kind == "filtered" || kind == "not_mirrored") continue;  // As asked.
      const std::uint64_t n = grown(e, "frames.dropped." + kind);
      lost += n;
      if (n > 0) kinds.push_back(kind + " " + std::to_string(n));
    }
  if (lost == 0) return {CheckVerdict::pass, "no frame was dropped on the way to the analysis", ""};
  return {CheckVerdict::warn, some(kinds),
          "`kernel`: more `workers` or `block_count`; others: docs/OPERATING.md by their name"};
}

Told check_inputs(const CheckEvidence& e) {
  std::vector<std::string> faults, warnings;
  for (const json::value& input : list(e.after, "inputs")) {
    const json::object& o = input.as_object();
    if (const std::string error = text(o, "error"); !error.empty())
      faults.push_back(text(o, "name") + ": " + error);
    for (const std::string& warning : strings_of(list(o, "warnings")))
      warnings.push_back(text(o, "name") + ": " + warning);
  }
  if (!faults.empty()) return {CheckVerdict::fail, some(faults), "as each says; `vmirror status`"};
  if (!warnings.empty())
    return {CheckVerdict::warn, some(warnings), "as each says; `offloads_off: true`"};
  const auto n = list(e.after, "inputs").size();
  return n == 0 ? Told{CheckVerdict::not_told, "there is no input", ""}
                : Told{CheckVerdict::pass, count(n, "input") + " without a fault", ""};
}

// ---- What it shows

Told check_vlans(const CheckEvidence& e) {
  std::set<std::uint64_t> vlans;
  for (const json::value& asset : e.assets)
    for (const json::value& vlan : list(asset.as_object(), "vlans")) vlans.insert(number(&vlan));
  vlans.erase(0);
  if (e.assets.empty()) return {CheckVerdict::not_told, "no asset was seen", ""};
  std::vector<std::string> names;
  for (const std::uint64_t vlan : vlans) names.push_back(std::to_string(vlan));
  return {CheckVerdict::pass, names.empty() ? "no tagged frame was seen" : "VLANs " + some(names),
          ""};
}

Told check_devices(const CheckEvidence& e) {
  std::set<std::string> subnets;
  for (const json::value& asset : e.assets)
    for (const std::string& ip : strings_of(list(asset.as_object(), "ips")))
      if (const auto dot = ip.rfind('.'); dot != ip.npos && ip.find(':') == ip.npos)
        subnets.insert(ip.substr(0, dot) + ".0/24");
  const std::string evidence = count(e.assets.size(), "device") + " in " +
                               count(subnets.size(), "subnet") +
                               " of IPv4, taken as /24: " + some({subnets.begin(), subnets.end()});
  if (e.assets.empty())
    return {CheckVerdict::fail, "no device was seen", "does the mirror get traffic?"};
  if (e.assets.size() < 3)
    return {CheckVerdict::warn, evidence,
            "a mirror shows who speaks with whom: are its sources right?"};
  return {CheckVerdict::pass, evidence, ""};
}

Told check_protocols(const CheckEvidence& e) {
  std::map<std::string, std::size_t> seen;
  for (const json::value& flow : e.flows)
    for (const char* key : {"application", "app_proto"})
      if (const std::string name = text(flow.as_object(), key); !name.empty()) {
        ++seen[name];
        break;
      }
  std::vector<std::string> names;
  for (const auto& [name, flows] : seen) names.push_back(name + " " + std::to_string(flows));
  if (e.flows.empty()) return {CheckVerdict::not_told, "no flow was seen", ""};
  if (names.empty())
    return {CheckVerdict::warn, "no flow has a protocol that is read here",
            "is all of it encrypted, or cut? `vmirror flows`"};
  return {CheckVerdict::pass, "flows by protocol: " + some(names), ""};
}

Told check_limits(const CheckEvidence& e) {
  std::vector<std::string> full;
  for (const json::value& limit : list(e.after, "limits"))
    if (number(limit.as_object(), "overflow") > 0)
      full.push_back(text(limit.as_object(), "name") + " " +
                     std::to_string(number(limit.as_object(), "overflow")));
  if (full.empty()) return {CheckVerdict::pass, "no bound was reached", ""};
  return {CheckVerdict::warn, some(full), "`analysis` of the configuration has the bounds"};
}

// ---- Around it

Told check_clocks(const CheckEvidence& e) {
  if (!is_live(e)) return only_live();
  constexpr double kFiveMinutes = 300e9, kSecondNs = 1e9;  // Kerberos refuses more than 5 minutes.
  std::vector<std::string> far;
  std::size_t known = 0;
  bool fails = false;
  for (const json::value& host : list(e.after, "peers.hosts")) {
    const auto* offset = at(host.as_object(), "clock_offset_ns");
    if (offset == nullptr || !offset->is_number()) continue;
    ++known;
    const double ns = std::abs(offset->to_number<double>());
    fails = fails || ns > kFiveMinutes;
    if (ns > kSecondNs)
      far.push_back(text(host.as_object(), "host") + " " +
                    std::to_string(static_cast<long>(ns / 1e6)) + " ms");
  }
  if (known == 0) return {CheckVerdict::not_told, "no linked agent tells its clock", ""};
  if (far.empty()) return {CheckVerdict::pass, count(known, "agent") + " within a second", ""};
  return {fails ? CheckVerdict::fail : CheckVerdict::warn, some(far), "NTP on both hosts"};
}

Told check_drift(const CheckEvidence& e) {
  if (!is_live(e)) return only_live();
  const std::uint64_t drifts = grown(e, "reconcile.drifts");
  if (drifts == 0) return {CheckVerdict::pass, "nobody else changed our mirrors meanwhile", ""};
  return {CheckVerdict::warn, count(drifts, "change") + " of our mirrors by others",
          "who else edits mirrors? a second vmirrord with the same `owner`?"};
}

struct Check {
  const char* id;
  Told (*look)(const CheckEvidence&);
};
constexpr Check kChecks[] = {
    {"switch-readable", check_switch},
    {"all-watched", check_watched},
    {"copies-proven", check_proven},
    {"coverage", check_coverage},
    {"traffic", check_traffic},
    {"unicast", check_unicast},
    {"both-directions", check_both_directions},
    {"dc-both-directions", check_domain_controllers},
    {"duplicates", check_duplicates},
    {"truncation", check_truncation},
    {"sequence-loss", check_sequence},
    {"drops", check_drops},
    {"inputs", check_inputs},
    {"vlans", check_vlans},
    {"devices", check_devices},
    {"protocols", check_protocols},
    {"limits", check_limits},
    {"clocks", check_clocks},
    {"foreign-changes", check_drift},
};

}  // namespace

const char* to_text(CheckVerdict verdict) {
  switch (verdict) {
    case CheckVerdict::pass:
      return "pass";
    case CheckVerdict::warn:
      return "warn";
    case CheckVerdict::fail:
      return "fail";
    case CheckVerdict::not_told:
      return "not told";
  }
  return "";
}

std::vector<CheckFinding> run_checks(const CheckEvidence& evidence) {
  std::vector<CheckFinding> out;
  for (const Check& check : kChecks) {
    Told told = check.look(evidence);
    out.push_back({check.id, told.verdict, std::move(told.evidence), std::move(told.remedy)});
  }
  return out;
}

std::vector<std::string> check_ids() {
  std::vector<std::string> out;
  for (const Check& check : kChecks) out.emplace_back(check.id);
  return out;
}

json::object to_json(const std::vector<CheckFinding>& findings) {
  std::map<CheckVerdict, std::size_t> counts;
  json::array rows;
  for (const CheckFinding& f : findings) {
    ++counts[f.verdict];
    rows.push_back({{"id", f.id},
                    {"verdict", to_text(f.verdict)},
                    {"evidence", f.evidence},
                    {"remedy", f.remedy.empty() ? json::value() : json::value(f.remedy)}});
  }
  return {{"well", counts[CheckVerdict::fail] == 0},    {"pass", counts[CheckVerdict::pass]},
          {"warn", counts[CheckVerdict::warn]},         {"fail", counts[CheckVerdict::fail]},
          {"not_told", counts[CheckVerdict::not_told]}, {"findings", std::move(rows)}};
}

}  // namespace vmirror
