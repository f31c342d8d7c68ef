// The frames of a migrating guest on one host: what its ports counted against what the engine
// received. Pure.
//
// Which frames count: those that the guest sent, and those that it received (unicast and groups),
// as the kernel counts them on its ports. The engine's counts are those of
// agent/engine/health/coverage.hpp: unicast that the switch flooded to the port for somebody else
// is counted by the port, and no engine can tell whose it is; it shows as gap.
//
// The two counters are not read at one moment, and the engine reads a frame some milliseconds after
// the port counted it; a tap counts what the guest receives only when the guest takes it. So the
// difference `copied - port` of one reading is too low by what is on its way:
//
//   copied - port   ----.  .--.   ,--- true difference while nothing is lost
//                        `'    `-'
//   each reading        *   *   *      `before`: the highest is next to the truth
//   ... frames are lost ...    ------  `after`: lower by what was lost
//
// What is told as lost is lost for sure, for frames on their way are given the benefit of the
// doubt: on the destination (where the guest runs while it is read) that may hide as many as it
// moves between two readings; `uncertain` says how many. Of a single reading of the end nothing is
// sure.
#pragma once

#include <cstdint>
#include <optional>

#include "plugin/api/model.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

/// What the engine received of a guest's NICs, added up (agent/engine/health/coverage.hpp,
/// NicFrames).
struct CopiedFrames {
  std::uint64_t out = 0, in = 0;     ///< From the guest; to it, groups too.
  std::uint64_t in_group = 0;        ///< Of `in`.
  Time first_out = 0, last_out = 0;  ///< 0: none. The earliest, the latest of its NICs.
  bool operator==(const CopiedFrames&) const = default;
};

/// One reading; the engine is to be read first, then the ports, one right after the other.
struct GuestCounters {
  std::optional<PortCounters> port;    ///< All its ports added up; none: one can't be read.
  std::optional<CopiedFrames> copied;  ///< None: the engine watches no NIC of it (yet, any more).
  /// The port where its copies for the engine come out; none: it can't be looked at from here.
  struct Output {
    bool up = false;
    std::uint32_t losses = 0;  ///< Of its carrier, so far.
  };
  std::optional<Output> output;
};

class FrameLedger {
 public:
  /// A reading of before anything could be lost: on the source while the guest runs, on the
  /// destination until it does.
  void before(const GuestCounters& reading);
  /// A reading of the end: on the source once the guest is suspended, on the destination once it
  /// has run for TrackerOptions::run_in.
  void after(const GuestCounters& reading);

  struct Result {
    std::uint64_t port_frames = 0;    ///< Counted by the ports from the first to the last reading.
    std::uint64_t copied_frames = 0;  ///< Of these, copied.
    std::uint64_t uncertain = 0;      ///< As many of them may be lost: the counters moved.
    bool operator==(const Result&) const = default;
  };
  /// None: there are not both kinds of readings, or a counter went back (a port or the engine that
  /// began anew).
  std::optional<Result> result() const;
  /// A counter went back.
  bool reset() const { return reset_; }
  /// Frames that were copied here and not counted by the guest's ports: `on_destination` before it
  /// ran here, else after it was suspended. Groups that it receives are left out.
  std::uint64_t duplicates(bool on_destination) const;

 private:
  struct Difference {
    std::int64_t out = 0, in = 0;
  };
  bool follow(const GuestCounters& reading);

  std::optional<PortCounters> first_port_, last_port_;
  std::optional<CopiedFrames> last_copied_;
  CopiedFrames base_copied_;                ///< Where the engine's counts began.
  CopiedFrames before_copied_;              ///< At the latest reading of before.
  std::optional<Difference> high_, low_;    ///< Of the readings of before: highest and lowest.
  std::optional<Difference> end_;           ///< Highest of the readings after.
  std::optional<Difference> end_generous_;  ///< The same, each port with the engine's next reading.
  std::optional<PortCounters> end_port_;    ///< The port of the latest reading after.
  bool reset_ = false;
};

}  // namespace vmirror
