#include <map>
#include <set>

#include "agent/report/check_parts.hpp"
#include "plugin/base/text.hpp"

namespace vmirror::checks {

namespace json = boost::json;

// ---- What arrives

Told check_traffic(const CheckEvidence& e) {
  const std::uint64_t frames = grown(e, "frames.analysed");
  if (frames > 0) return {CheckVerdict::pass, count(frames, "frame") + " analysed", ""};
  const char* remedy = "is a guest selected and does it send? `vmirror sessions`, `vmirror status`";
  if (!is_live(e))
    remedy = "capture again, on the interface that the copies come in on";
  else if (text(e.after, "switch.state") == "none")
    remedy = "do copies reach an input? `vmirror status` here, `vmirror sessions` at the sender";
  return {CheckVerdict::fail, "no frame was analysed", remedy};
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

std::string copies_text(std::uint64_t copies) {
  return std::to_string(copies) + (copies == 1 ? " copy" : " copies");
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
  const std::string evidence = std::to_string(cut) + " of " + copies_text(copies) +
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
                               copies_text(received) + " received";
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

Told check_expected(const CheckEvidence& e) {
  if (e.expected.empty())
    return {CheckVerdict::not_told, "no protocol was named: `--expect modbus,s7comm`", ""};
  std::vector<std::string> missing, seen;
  for (const std::string& name : e.expected) {
    const std::uint64_t records = grown(e, "protocols." + name + ".records");
    if (records == 0)
      missing.push_back(name);
    else
      seen.push_back(name + " " + std::to_string(records));
  }
  if (missing.empty()) return {CheckVerdict::pass, "records: " + some(seen), ""};
  return {
      CheckVerdict::fail, "not seen: " + some(missing),
      "are the devices that speak it among the mirror's sources, and did they speak meanwhile?"};
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

}  // namespace vmirror::checks
