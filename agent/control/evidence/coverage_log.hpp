// Pairs the count of each NIC's port with the engine's count of the NIC, and keeps the pairs of
// the last minute. agent/engine/health/window.hpp computes coverage from the pairs.
//
//   engine's counts, ten times a second --> ring of a few seconds --.
//   ports' counters, with their moment  --> wait until what was on  +--> pairs of a NIC --> rows,
//     (the kernel's; else the switch's,     its way is in the ring -'    evidence
//      of its latest writing)
//
// The pairs of a NIC belong to one mirror. They begin when the mirror is in place and the switch
// has carried out its changes, and again after the mirror was missing, the NIC's VLAN changed, a
// counter went back, or the switch's daemon hung: a device counts then what nobody forwards.
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
  Coverage coverage;         ///< Of the longest window, up to a minute.
  std::uint64_t faults = 0;  ///< Windows so far with more frames received than the port moved.
  std::vector<std::string> warnings;
};

/// One thread; time is the samples'.
class CoverageLog {
 public:
  /// The kernel's counters of a port's device, without waiting; none: there is no such device on
  /// this host.
  using ReadDevice = std::function<std::optional<PortReading>(const Port& port)>;

  static constexpr Time kSampleInterval = 100 * kMillisecond;  ///< The caller keeps it.
  static constexpr Time kWindow = 60 * kSecond;                ///< Pairs are kept for this time.
  /// The longest time from the begin of a write of the switch's counters to its arrival here.
  static constexpr Time kWriting = 500 * kMillisecond;
  /// From the time when a mirror is in place to the first reading.
  static constexpr Time kGrace = 300 * kMillisecond;
  /// Between two readings of a device: before its session is proven, and afterwards.
  static constexpr Time kUnproven = kSecond, kProven = 5 * kSecond;

  /// `read_device`: empty in an appliance VM, whose ports are another machine's.
  explicit CoverageLog(ReadDevice read_device) : read_device_(std::move(read_device)) {}

  /// The engine's counts now. Pairs the readings that waited for these counts.
  void sample(NicReadings readings, const ControlSnapshot& control);
  /// Reads the counters that are due: of devices, or the switch's latest write. To be called once a
  /// second, right after `sample`.
  void read(const ControlSnapshot& control, Time now);

  /// One row for each NIC of the mirror index that has pairs and a mirror of all its frames in
  /// place; in the order of the index.
  std::vector<CoverageRow> rows(const ControlSnapshot& control) const;
  /// The evidence of each NIC that the engine counts. `moving`: with the frames received, as always
  /// where the switch tells no counters of its ports. Shares its unchanged parts with the result of
  /// the last call.
  const Evidence& evidence(const ControlSnapshot& control, bool moving);
  /// New faults of counting since the last call, in words.
  std::vector<std::string> take_news() { return std::exchange(news_, {}); }

 private:
  static constexpr std::size_t kRing = 40;  ///< Samples.
  static constexpr std::size_t kWaiting =
      8;  ///< Readings of one NIC that wait: past it, the oldest goes.

  struct Log {
    Time since = 0;  ///< SessionStatus::in_place_since
    Mac mac = {};    ///< Of the NIC, as the next two.
    std::optional<std::uint16_t> vlan = {};
    Direction direction = Direction::none;
    Time begun = 0;  ///< When it was first, or last, to begin anew.
    Time read_at = 0;
    std::deque<PortReading> waiting;
    std::deque<CoverageSample> pairs;
    Coverage judged;
    std::uint64_t faults = 0;
  };

  Log* log_of(const WatchedNic& nic, const ControlSnapshot& control, Time now);
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
