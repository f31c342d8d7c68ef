// The messages between the agents of two hosts about a guest that migrates between them. Pure.
//
//   destination --asks--> every peer      "who has this guest?": the port has appeared here
//   source      --tells-> destination     the source's half of the record; again with each step
//   destination --tells-> source          the destination's half
//
// A message is sent again after a connection was lost. A repeated message changes nothing.
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

  bool asks = false;         ///< The host that has the guest must answer.
  bool from_source = false;  ///< The sender is the source; else the destination.
  /// The sender's record. The receiver uses only the sender's own half.
  MigrationRecord record;
  std::vector<std::string> interface_ids;  ///< Of the guest's NICs: identify it without a UUID.
  bool operator==(const MigrationMessage&) const = default;
};

constexpr std::size_t kMaxMigrationMessage = 128 << 10;  ///< Bytes; a record has 64 KiB at most.
constexpr std::size_t kMaxMessageNics = 32;              ///< Interface ids; more are left out.

/// {"asks": false, "from_source": true, "interface_ids": [...], "record": {...}}
std::string encode(const MigrationMessage& message);
/// Error::Kind::invalid: not such a message; exhausted: above a bound of record_json.hpp.
Result<MigrationMessage> parse_migration_message(std::string_view text);

}  // namespace vmirror
