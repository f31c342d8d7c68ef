// The policies of the store as they were read last, in a file of this host.
//
//   {"generation": 7, "lost_at": "2026-11-30T10:00:00Z", "policies":
//     [{"name": "plc", "yaml": "policy: plc\n...", "generation": 6, "set_by", "set_at", "begun"}]}
#pragma once

#include <optional>
#include <string>

#include "agent/control/store/contents.hpp"

namespace vmirror {

struct KeptPolicies {
  StoredPolicies policies;
  /// Wall clock, kept to the second: when the connection was lost; 0: it was there when this was
  /// written.
  Time lost_at = 0;
  bool operator==(const KeptPolicies&) const = default;
};

std::string encode_kept(const KeptPolicies& kept);
/// Error::Kind::invalid: not such a text.
Result<KeptPolicies> parse_kept(std::string_view text, const std::string& file);

/// Of the folder `state`.
std::string kept_path(const std::string& state);
/// Nothing: there is no file yet. Errors: as parse_kept and read_trusted.
Result<std::optional<KeptPolicies>> read_kept(const std::string& path);
/// Whole or not at all. Error::Kind::refused.
Result<void> save_kept(const std::string& path, const KeptPolicies& kept);

}  // namespace vmirror
