// A migration's record as one JSON object, for the journal, the messages between the agents of the
// two hosts, and the API. Pure. Reading is strict and bounded, since the object comes from the
// network.
//
//   {"id": "UUID@TIME", "vm": "dc1", "vm_uuid": "...",
//    "state": "done", "from": "hosta", "to": "hostb",
//    "started": TIME, "port_added": TIME, "mirror_active": TIME, "suspended": TIME, ...  for people
//    "gap_frames": 0, "gap_ms": 0.0, "downtime_ms": 41.2, "duplicates": 2, "notes": [...]
//    "handover": {"state", "flows", "streams", "assets", "bytes", "reason"},
//    "source": {"host", ..., "notes"}, "destination": {...}}    the halves: times in nanoseconds
#pragma once

#include <boost/json.hpp>
#include <string_view>

#include "agent/model/migration.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

/// Times are ISO 8601 with nanoseconds in the part for people, integers of nanoseconds since 1970
/// in the halves. Unknown values are null.
boost::json::object to_json(const MigrationRecord& record);

constexpr std::size_t kMaxRecordJson = 64 << 10;  ///< Bytes.
constexpr std::size_t kMaxRecordNotes = 16;       ///< Of one half; more are not read.
constexpr std::size_t kMaxRecordText = 512;       ///< Bytes of a name or note.

/// Reads the output of to_json; the part for people is computed again from the halves.
/// Error::Kind::invalid: not such an object; exhausted: above a bound.
Result<MigrationRecord> record_from_json(std::string_view text);
Result<MigrationRecord> record_from_json(const boost::json::value& value);

/// Parses a text of one JSON object, within kMaxRecordJson and 8 levels.
Result<boost::json::value> parse_bounded(std::string_view text);

}  // namespace vmirror
