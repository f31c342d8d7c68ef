#include "agent/model/finding.hpp"

#include <algorithm>
#include <charconv>

namespace vmirror {
namespace {

using enum FindingKind;

constexpr FindingRule kRules[] = {
    {new_device, "new_device", "A device that was not seen before", 1870001, 3, "T1200", true},
    {mac_conflict, "mac_conflict", "Two mirrored ports have one MAC", 1870002, 2},
    {ip_conflict, "ip_conflict", "Two MACs claim one IP address", 1870003, 2},
    {arp_spoofing, "arp_spoofing", "A MAC claims IP addresses of others", 1870004, 1, "T1557.002"},
    {rogue_dhcp_server, "rogue_dhcp_server", "A DHCP server that was not seen before", 1870005, 1,
     "T1557.003", true},
    {spoofed_mac, "spoofed_mac", "A mirrored port sends with a MAC that is no port's", 1870006, 2},
    {controller_stop, "controller_stop", "A controller is ordered to stop or to restart", 1870007,
     1, "T0858"},
    {program_download, "program_download", "A program or configuration is written to a controller",
     1870008, 1, "T0843"},
    {firmware_write, "firmware_write", "Firmware is written to a device", 1870009, 1, "T0857"},
    {time_change, "time_change", "A device's clock is set by one who did not do so before", 1870010,
     2, "", true},
    {new_master, "new_master", "A device is written to by one who did not do so before", 1870011, 2,
     "T0848", true},
    {weak_dc_authentication, "weak_dc_authentication",
     "Weak or cleartext authentication to a domain controller", 1870012, 2, "T1040"},
    {refused_logons, "refused_logons", "A burst of logons that are refused", 1870013, 2, "T1110"},
};

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < std::size(kRules); ++i)
    if (kRules[i].kind != static_cast<FindingKind>(i)) return false;
  return std::size(kRules) == kFindingKinds;
}
static_assert(is_in_order());

bool same(const Subject& a, const Subject& b) {
  return a.mac == b.mac && a.ip == b.ip && a.station == b.station;
}

bool is_in(const IpAddress& ip, const IpAddress& network, std::uint8_t bits) {
  if (ip.version != network.version) return false;
  const std::size_t whole = bits / 8;
  if (!std::equal(ip.octets.begin(), ip.octets.begin() + static_cast<std::ptrdiff_t>(whole),
                  network.octets.begin()))
    return false;
  const unsigned rest = bits % 8;
  return rest == 0 || ((ip.octets[whole] ^ network.octets[whole]) >> (8 - rest)) == 0;
}

}  // namespace

std::span<const FindingRule> finding_rules() {
  return kRules;
}

const FindingRule& rule_of(FindingKind kind) {
  return kRules[static_cast<std::size_t>(kind)];
}

const char* to_text(FindingKind kind) {
  return rule_of(kind).id;
}

Result<FindingKind> parse_finding_kind(std::string_view id) {
  std::string all;
  for (const FindingRule& rule : kRules) {
    if (id == rule.id) return rule.kind;
    all += (all.empty() ? "" : ", ") + std::string(rule.id);
  }
  return fail(Error::Kind::invalid, "`" + std::string(id) + "` is no kind of finding", "",
              "kinds: " + all);
}

bool FindingKey::operator==(const FindingKey& other) const {
  return kind == other.kind && scope == other.scope && same(on, other.on) && same(by, other.by) &&
         std::string_view(source) == other.source;
}

bool Suppression::takes(const FindingKey& key) const {
  if (kind && *kind != key.kind) return false;
  const auto is_it = [this](const Subject& subject) {
    if (!mac.is_zero()) return subject.mac == mac;
    return !ip.empty() && is_in(subject.ip, ip, bits);
  };
  return is_it(key.on) || is_it(key.by);
}

Result<Suppression> parse_suppression(std::string_view subject) {
  Suppression out;
  if (const auto mac = Mac::parse(subject)) {
    out.mac = *mac;
    return out;
  }
  const std::size_t slash = subject.find('/');
  const auto ip = IpAddress::parse(subject.substr(0, slash));
  const auto wrong = [&] {
    return fail(Error::Kind::invalid,
                "`" + std::string(subject) + "` is no MAC, address or network", "",
                "write 52:54:00:12:34:56, 10.0.0.5, 10.0.0.0/24 or fd00::/64");
  };
  if (!ip) return wrong();
  out.ip = *ip;
  const unsigned most = ip->version == 4 ? 32 : 128;
  unsigned bits = most;
  if (slash != subject.npos) {
    const char *begin = subject.data() + slash + 1, *end = subject.data() + subject.size();
    const auto [stop, error] = std::from_chars(begin, end, bits);
    if (error != std::errc() || stop != end || bits > most) return wrong();
  }
  out.bits = static_cast<std::uint8_t>(bits);
  return out;
}

std::string to_text(const Subject& subject) {
  std::string out = subject.ip.empty() ? std::string() : subject.ip.text();
  if (!subject.mac.is_zero())
    out += out.empty() ? subject.mac.text() : " (" + subject.mac.text() + ")";
  if (subject.station.kind != Station::Kind::none) out += ", " + to_text(subject.station);
  return out;
}

}  // namespace vmirror
