// A finding: what a person should look at, with what tells it. docs/findings.md is the manual of
// the kinds. A finding is one row for each kind and subject, however often it is seen.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/model/facts.hpp"
#include "agent/model/scope.hpp"

namespace vmirror {

enum class FindingKind : std::uint8_t {
  new_device,
  mac_conflict,
  ip_conflict,
  arp_spoofing,
  rogue_dhcp_server,
  spoofed_mac,
  controller_stop,
  program_download,
  firmware_write,
  time_change,
  new_master,
  weak_dc_authentication,
  refused_logons,
  count_,
};
constexpr auto kFindingKinds = static_cast<std::size_t>(FindingKind::count_);

/// What is the same of all findings of a kind.
struct FindingRule {
  FindingKind kind;
  const char* id;         ///< "arp_spoofing": in the configuration, in outputs, in the manual.
  const char* title;      ///< "An address is claimed by a MAC that takes those of others"
  std::uint32_t number;   ///< Of the kind, for good: EVE's signature_id.
  std::uint8_t severity;  ///< As Suricata's: 1 the gravest, to 3.
  const char* technique =
      "";  ///< MITRE ATT&CK's, of Enterprise (T1...) or ICS (T0...); empty: none.
  bool needs_baseline = false;  ///< Told only after the learning time.
};
/// In the order of the kinds.
std::span<const FindingRule> finding_rules();
const FindingRule& rule_of(FindingKind kind);
/// "arp_spoofing"
const char* to_text(FindingKind kind);
/// Error::Kind::invalid: no kind has this ID; the remedy lists them.
Result<FindingKind> parse_finding_kind(std::string_view id);

/// What tells one row from another.
struct FindingKey {
  FindingKind kind = FindingKind::count_;
  Scope scope = 0;
  Subject on;               ///< Whom it is about, or to whom it was done.
  Subject by;               ///< Who did it; empty: nobody else.
  const char* source = "";  ///< "s7comm.function": protocol and field that told it. A literal.
  bool operator==(const FindingKey& other) const;
};

/// One row. Trivially copyable.
struct Finding {
  FindingKey key;
  std::uint16_t vlan = 0;
  Time first = 0, last = 0;
  std::uint64_t count = 0;  ///< Times that it was seen.
};

/// Rows that a person does not want.
struct Suppression {
  std::optional<FindingKind> kind = {};  ///< None: of every kind.
  Mac mac = {};                          ///< Zero: any.
  IpAddress ip = {};                     ///< Empty: any.
  std::uint8_t bits = 0;                 ///< Of `ip`, its network's.
  /// True where `on` or `by` has the address.
  bool takes(const FindingKey& key) const;
};
/// "52:54:00:12:34:56", "10.0.0.5", "10.0.0.0/24", "fd00::/64". Error::Kind::invalid.
Result<Suppression> parse_suppression(std::string_view subject);

struct FindingOptions {
  /// In the frames' time, from the first frame on: who is seen in it is known. A day has in it what
  /// comes once a day: backups, shifts, nightly jobs.
  Time learning = 24 * 3600 * kSecond;
  std::bitset<kFindingKinds> off;  ///< Kinds that are not looked for.
  std::vector<Suppression> suppressed;
  bool any() const { return !off.all(); }
};

/// "10.0.0.1 (52:54:00:00:00:01), modbus_unit 7"; what is not known is left out.
std::string to_text(const Subject& subject);

}  // namespace vmirror
