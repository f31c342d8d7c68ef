// What the agents of two hosts tell each other of a guest that migrates between them. Pure.
//
//   destination --asks--> every peer      "who has this guest?": the port has appeared here
//   source      --tells-> destination     my half of the record; again with each step
//   destination --tells-> source          mine
//
// A message is sent again after a connection was lost; one that comes twice changes nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/model/migration.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

struct MigrationMessage {
  /// The type of such messages on the agents' link.
  static constexpr const char* kType = "migration";

  bool asks = false;         ///< An answer is wanted, from who has the guest.
  bool from_source = false;  ///< The sender is the source; else the destination.
  /// What the sender knows; of its halves only the sender's own is taken.
  MigrationRecord record;
  std::vector<std::string> interface_ids;  ///< Of the guest's NICs: who it is without a UUID.
  bool operator==(const MigrationMessage&) const = default;
};

constexpr std::size_t kMaxMessageNics = 32;  ///< Interface ids; more are left out.

/// {"asks": false, "from_source": true, "interface_ids": [...], "record": {...}}
std::string encode(const MigrationMessage& message);
/// Error::Kind::invalid: no such message; exhausted: past a bound of record_json.hpp.
Result<MigrationMessage> parse_migration_message(std::string_view text);

}  // namespace vmirror
