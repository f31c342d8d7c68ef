// Pairs what each NIC's port counted with what the engine received of it, and keeps the pairs of
// the last minute. See agent/engine/health/window.hpp for what comes of them.
//
//   engine's counts, ten times a second --> ring of a few seconds --.
//   ports' counters, with their moment  --> wait until what was on  +--> pairs of a NIC --> rows,
//     (the kernel's; else the switch's,     its way is in the ring -'    evidence
//      of its latest writing)
//
// A NIC's pairs are of one mirror: they begin once it is in place and the switch has carried out
// what it was asked, and begin anew when it was not in place, or a counter went back.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/control/reconcile/reconciler.hpp"
#include "agent/engine/health/window.hpp"
#include "agent/engine/worker/snapshot.hpp"

namespace vmirror {

/// One NIC's coverage, as `status` shows it.
struct CoverageRow {
  WatchedNic nic;
  Coverage coverage;         ///< Of the longest window that there is, up to a minute.
  std::uint64_t faults = 0;  ///< Windows in which more came than the port moved, so far.
  std::vector<std::string> warnings;
};

/// One thread; time is the samples'.
class CoverageLog {
 public:
  /// The counters of a port's device as the kernel has them, at once; none: there is no such device
  /// here.
  using ReadDevice = std::function<std::optional<PortReading>(const Port& port)>;

  static constexpr Time kSampleInterval = 100 * kMillisecond;  ///< To be kept by the caller.
  static constexpr Time kWindow = 60 * kSecond;                ///< Pairs are kept for so long.
  /// How long before its coming a writing of the switch's may have been begun.
  static constexpr Time kWriting = 500 * kMillisecond;
  /// Between a mirror's being in place and the first reading.
  static constexpr Time kGrace = 300 * kMillisecond;
  /// Between two readings of a device: while its session waits to be proven, and after.
  static constexpr Time kUnproven = kSecond, kProven = 5 * kSecond;

  /// `read_device`: empty in an appliance VM, whose ports are another machine's.
  explicit CoverageLog(ReadDevice read_device) : read_device_(std::move(read_device)) {}

  /// The engine's counts now. Pairs what waited for them.
  void sample(NicReadings readings, const ControlSnapshot& control);
  /// Reads what is due: devices, or the switch's latest writing. Once a second, right after
  /// `sample`.
  void read(const ControlSnapshot& control, Time now);

  /// One for each NIC of the mirror index whose mirror of all its frames is in place and that was
  /// paired, in its order.
  std::vector<CoverageRow> rows(const ControlSnapshot& control) const;
  /// Of each NIC that the engine counts. `moving`: what it received, too. Descends from what the
  /// last call told.
  const Evidence& evidence(const ControlSnapshot& control, bool moving);
  /// Faults of counting that are new since the last call, in words.
  std::vector<std::string> take_news() { return std::exchange(news_, {}); }

 private:
  static constexpr std::size_t kRing = 40;  ///< Samples.
  static constexpr std::size_t kWaiting =
      8;  ///< Readings of one NIC that wait: past it, the oldest goes.

  struct Log {
    Time since = 0;  ///< SessionStatus::in_place_since
    Time read_at = 0;
    std::deque<PortReading> waiting;
    std::deque<CoverageSample> pairs;
    Coverage judged;
    std::uint64_t faults = 0;
  };

  Log* log_of(const WatchedNic& nic, const ControlSnapshot& control);
  void pair(const WatchedNic& nic, Log& log);
  void put(const WatchedNic& nic, Log& log, CoverageSample sample);

  const ReadDevice read_device_;
  std::deque<NicReadings> ring_;
  std::map<PortKey, Log> logs_;
  std::set<PortKey> waiting_;  ///< Whose Log::waiting may hold something.
  Evidence evidence_;
  std::vector<std::string> news_;
};

}  // namespace vmirror
