// Clocks: of linked agents by the agents' link, of the hosts that are mirrored by their messages.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "agent/report/check_parts.hpp"
#include "plugin/base/text.hpp"

namespace vmirror::checks {

namespace json = boost::json;

namespace {

/// Kerberos refuses who is further off; beyond a second times of two hosts can't be compared.
constexpr double kKerberosBoundNs = 300e9, kClockBoundNs = 1e9;

}  // namespace

Told check_clocks(const CheckEvidence& e) {
  if (!is_live(e)) return only_live();
  std::vector<std::string> far;
  std::size_t known = 0;
  bool fails = false;
  for (const json::value& host : list(e.after, "peers.hosts")) {
    const auto* offset = at(host.as_object(), "clock_offset_ns");
    if (offset == nullptr || !offset->is_number()) continue;
    ++known;
    const double ns = std::abs(offset->to_number<double>());
    fails = fails || ns > kKerberosBoundNs;
    if (ns > kClockBoundNs)
      far.push_back(text(host.as_object(), "host") + " " +
                    std::to_string(static_cast<long>(ns / 1e6)) + " ms");
  }
  if (known == 0) return {CheckVerdict::not_told, "no linked agent tells its clock", ""};
  if (far.empty()) return {CheckVerdict::pass, count(known, "agent") + " within a second", ""};
  return {fails ? CheckVerdict::fail : CheckVerdict::warn, some(far), "NTP on both hosts"};
}

namespace {

/// "10.0.0.2 (dc-1)": the guest, or a name that the device says of itself.
std::string host_text(const CheckEvidence& e, const std::string& ip) {
  for (const json::value& asset : e.assets) {
    const json::object& a = asset.as_object();
    const auto& ips = list(a, "ips");
    if (std::ranges::find(ips, json::value(ip)) == ips.end()) continue;
    std::string name = text(a, "vm");
    for (const json::value& property : list(a, "properties"))
      if (name.empty() && text(property.as_object(), "attribute") == "host_name")
        name = text(property.as_object(), "value");
    if (!name.empty()) return ip + " (" + name + ")";
  }
  return ip;
}

/// "412.0 s ahead"
std::string offset_text(double ns) {
  char out[48];
  std::snprintf(out, sizeof out, "%.1f s %s", std::abs(ns) / 1e9, ns > 0 ? "ahead" : "behind");
  return out;
}

/// How often that clock was refused before the time that is looked at.
std::uint64_t refused_before(const CheckEvidence& e, const json::object& clock) {
  for (const json::value& each : list(e.before, "clocks")) {
    const json::object& was = each.as_object();
    if (text(was, "ip") == text(clock, "ip") && text(was, "scope") == text(clock, "scope") &&
        text(was, "source") == text(clock, "source"))
      return number(was, "refused");
  }
  return 0;
}

}  // namespace

/// Against the clock of the host that captures: `offset_ns` is of the latest message of each.
Told check_clock_skew(const CheckEvidence& e) {
  std::vector<std::string> far, near;
  std::vector<double> offsets;
  bool fails = false;
  for (const json::value& each : list(e.after, "clocks")) {
    const json::object& clock = each.as_object();
    const std::string host = host_text(e, text(clock, "ip")) +
                             (text(clock, "scope").empty() ? "" : " in " + text(clock, "scope"));
    if (const std::uint64_t refused = number(clock, "refused");
        refused > refused_before(e, clock)) {
      far.push_back(host + " is refused by " + host_text(e, text(clock, "refused_by")) +
                    ", as too far off for Kerberos, " + count(refused, "time"));
      fails = true;
    }
    const auto* offset = at(clock, "offset_ns");
    if (offset == nullptr || !offset->is_number()) continue;
    const double ns = offset->to_number<double>();
    offsets.push_back(ns);
    fails = fails || std::abs(ns) > kKerberosBoundNs;
    if (std::abs(ns) > kClockBoundNs)
      far.push_back(host + " is " + offset_text(ns) + " by " + text(clock, "source"));
    else
      near.push_back(host);
  }
  if (far.empty() && near.empty())
    return {CheckVerdict::not_told,
            "no server told its time: no answer of NTP, no error of Kerberos, no greeting of SMB",
            ""};
  if (far.empty())
    return {CheckVerdict::pass, count(near.size(), "clock") + " within a second: " + some(near),
            ""};
  const auto [least, most] = std::ranges::minmax_element(offsets);
  const bool alike = offsets.size() > 1 && near.empty() && *most - *least <= kClockBoundNs;
  return {fails ? CheckVerdict::fail : CheckVerdict::warn, some(far),
          alike ? "all are off alike: set the clock of the host that captures, by NTP"
                : "set these clocks by NTP: Kerberos refuses 5 minutes, and events of two hosts "
                  "are not in their order beyond a second"};
}

}  // namespace vmirror::checks
