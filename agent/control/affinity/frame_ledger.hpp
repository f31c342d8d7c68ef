// The frames of a migrating guest on one host: the counts of its ports against the engine's counts.
// Pure.
//
// The frames that count are the frames that the guest sent and received (unicast and groups), as
// the kernel counts them on the guest's ports. The engine's counts are those of
// agent/engine/health/coverage.hpp. The port also counts unicast that the switch flooded to it for
// another address; no engine can tell the receiver of such a frame, and the gap includes it.
//
// The two counters are not read at one moment. The engine reads a frame some milliseconds after the
// port counted it, and a tap counts a received frame only when the guest takes it. The difference
// `copied - port` of one reading is therefore too low by the frames on their way:
//
//   copied - port   ----.  .--.   ,--- true difference while no frame is lost
//                        `'    `-'
//   each reading        *   *   *      `before`: the highest reading is next to the true difference
//   ... frames are lost ...    ------  `after`: lower by the lost frames
//
// Frames that are reported as lost are lost for certain, since frames on their way do not count as
// lost. On the destination, where the guest runs during the readings, this may hide as many lost
// frames as move between two readings; `uncertain` has their number. A single reading of the end
// proves no loss.
//
// On the destination both counters begin at 0, with the port. Frames to the guest are copied there
// before the guest runs (a network that floods), and wait in the tap until the guest takes them. So
// the difference of the first reading, which may come late, is no difference to begin with.
#pragma once

#include <cstdint>
#include <optional>

#include "plugin/api/model.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

/// The engine's counts of a guest's NICs, added up (agent/engine/health/coverage.hpp,
/// NicFrames).
struct CopiedFrames {
  std::uint64_t out = 0, in = 0;     ///< From the guest; to the guest, with groups.
  std::uint64_t in_group = 0;        ///< The groups in `in`.
  Time first_out = 0, last_out = 0;  ///< 0: none. The earliest, the latest of the NICs.
  bool operator==(const CopiedFrames&) const = default;
};

/// One reading. Read the engine first, and the ports right afterwards.
struct GuestCounters {
  std::optional<PortCounters> port;    ///< All its ports added up; none: a port can't be read.
  std::optional<CopiedFrames> copied;  ///< None: the engine watches no NIC of the guest.
  /// The output port of the guest's copies to the engine; none: it can't be read from here.
  struct Output {
    bool up = false;
    std::uint32_t losses = 0;  ///< Losses of the carrier so far.
  };
  std::optional<Output> output;
};

class FrameLedger {
 public:
  explicit FrameLedger(bool on_destination) : on_destination_(on_destination) {}

  /// A reading before any frame could be lost: on the source while the guest runs, on the
  /// destination until the guest runs.
  void before(const GuestCounters& reading);
  /// A reading at the end: on the source after the guest was suspended, on the destination after
  /// the guest has run for TrackerOptions::run_in.
  void after(const GuestCounters& reading);

  struct Result {
    std::uint64_t port_frames = 0;    ///< Counted by the ports from the first to the last reading.
    std::uint64_t copied_frames = 0;  ///< The copied frames among these.
    std::uint64_t uncertain = 0;      ///< Of these, frames that may be lost: counters moved.
    bool operator==(const Result&) const = default;
  };
  /// None: one kind of readings is missing, or a counter went back (a new port, or a restarted
  /// engine).
  std::optional<Result> result() const;
  /// A counter went back.
  bool reset() const { return reset_; }
  /// Frames that were copied here and that the guest's ports did not count: on the destination
  /// before the guest ran, else after the guest was suspended. Without groups that the guest
  /// receives.
  std::uint64_t duplicates() const;

 private:
  struct Difference {
    std::int64_t out = 0, in = 0;
  };
  bool follow(const GuestCounters& reading);

  bool on_destination_;
  std::optional<PortCounters> first_port_, last_port_;
  std::optional<CopiedFrames> last_copied_;
  CopiedFrames base_copied_;                ///< The engine's counts at the first reading.
  CopiedFrames before_copied_;              ///< At the latest `before`.
  std::optional<Difference> high_, low_;    ///< The highest and the lowest of `before`.
  std::optional<Difference> end_;           ///< The highest of `after`.
  std::optional<Difference> end_generous_;  ///< The same, each port with the engine's next reading.
  std::optional<PortCounters> end_port_;    ///< The port of the latest reading after.
  bool reset_ = false;
};

}  // namespace vmirror
