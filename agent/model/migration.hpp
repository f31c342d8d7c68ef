// The record of one guest's migration: that monitoring went with it, or what was lost. Both hosts
// keep one; each knows its own half at first, and they exchange halves (agent/control/peers).
//
//   source:       ------------------- suspended ---------- last frame -- mirror removed --> time
//   destination:  port added -- mirror active ---- resumed -- first frame ----------------> time
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plugin/base/clock.hpp"

namespace vmirror {

enum class MigrationState : std::uint8_t {
  running,  ///< It goes on.
  done,     ///< The guest runs on the destination and the source let go of it.
  aborted,  ///< It failed or was aborted: the guest runs on the source as before.
  lost,     ///< It did not end in an hour, or the guest ended with it: `notes` say what is known.
};
/// "running", "done", "aborted", "lost"
const char* to_text(MigrationState state);

/// What the source's engine handed to the destination's.
struct HandoverResult {
  enum class State : std::uint8_t { none, sent, taken, failed };
  State state = State::none;
  std::uint64_t flows = 0, streams = 0, assets = 0, bytes = 0;
  std::string reason;  ///< Why not, or not all of it, in words; empty: all.
  bool operator==(const HandoverResult&) const = default;
};
/// "none", "sent", "taken", "failed"
const char* to_text(HandoverResult::State state);

/// One host's half: what its agent saw itself, by its own clock. A step that was not seen is none.
struct MigrationHalf {
  std::string host;
  std::optional<Time> began;           ///< Its agent first saw something of it.
  std::optional<Time> port_added;      ///< Destination: the guest's first port was there.
  std::optional<Time> mirror_active;   ///< Destination: all its mirrors were read back as in place.
  std::optional<Time> suspended;       ///< Source: its CPUs stopped.
  std::optional<Time> resumed;         ///< Destination, or source after an abort: they run.
  std::optional<Time> first_frame;     ///< Destination: first frame that it sent from there.
  std::optional<Time> last_frame;      ///< Source: last frame from it.
  std::optional<Time> mirror_removed;  ///< Source: its last mirror is off the switch.
  std::optional<Time> port_removed;    ///< Source: its last port is.
  std::optional<Time> ended;           ///< Its agent has told all that it will.
  bool mirrored = false;               ///< A policy wanted its NICs here.
  bool postcopy = false;
  /// Of the guest's frames in this half's share of the migration, from its beginning to the guest's
  /// suspension, or a moment after its resumption: what its ports counted, and how many of these
  /// the engine received (agent/control/affinity/frame_ledger.hpp says which frames count). None
  /// where they can't be told: port counters that can't be read at once (an appliance VM), copies
  /// that go elsewhere or are of some frames only, counters that began anew.
  std::optional<std::uint64_t> port_frames, copied_frames;
  /// Copies received here while the guest ran on the other host: on the destination before it
  /// resumed, on the source after it was suspended.
  std::uint64_t duplicates = 0;
  std::vector<std::string> notes;  ///< What was lost or is not known, in words.
  bool operator==(const MigrationHalf&) const = default;
};

/// A half's times by the names that the journal, the API and EVE give them, in the order in which
/// they come.
struct HalfTime {
  const char* name;
  std::optional<Time> MigrationHalf::*time;
};
inline constexpr HalfTime kHalfTimes[] = {{"began", &MigrationHalf::began},
                                          {"port_added", &MigrationHalf::port_added},
                                          {"mirror_active", &MigrationHalf::mirror_active},
                                          {"suspended", &MigrationHalf::suspended},
                                          {"resumed", &MigrationHalf::resumed},
                                          {"first_frame", &MigrationHalf::first_frame},
                                          {"last_frame", &MigrationHalf::last_frame},
                                          {"mirror_removed", &MigrationHalf::mirror_removed},
                                          {"port_removed", &MigrationHalf::port_removed},
                                          {"ended", &MigrationHalf::ended}};

struct MigrationRecord {
  /// "UUID@TIME": made by who began it. Where both agents began one, the one that sorts first.
  std::string id;
  std::string vm_name, vm_uuid;
  MigrationState state = MigrationState::running;
  MigrationHalf source, destination;  ///< A half's `host` is empty while nobody told it.
  /// The source's clock less the destination's, as the agents' link estimates it.
  std::optional<Time> clock_offset;
  HandoverResult handover;
  bool operator==(const MigrationRecord&) const = default;
};

/// Frames of the guest that no mirror copied: what the ports counted, less what the engines
/// received. None while a half is not known. Pure.
std::optional<std::uint64_t> gap_frames(const MigrationRecord& record);
/// For how long the guest ran without its mirror: on the source from the mirror's removal to its
/// suspension, on the destination from its resumption to the mirror. 0: never. None while a half is
/// not known. Pure.
std::optional<Time> gap(const MigrationRecord& record);
/// From suspended to resumed, clocks brought together: the guest's own pause. Pure.
std::optional<Time> downtime(const MigrationRecord& record);

}  // namespace vmirror
