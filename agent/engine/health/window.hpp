// Windows: does the mirror of a NIC show all that the switch moved on its port? Pure.
//
//   coverage = frames received of a NIC / frames that the switch counted on its port
//
// Both over one window, whose ends are readings of the port's counters:
//
//        the port's counters are of a moment in here
//                    |<--->|
//   engine's counts  *     :    *     *     *        (EngineCounts, taken again and again)
//                   low    :               high      once what is on its way has come (kOnItsWay)
//
// So the engine's count at the moment of a reading is known as two numbers, and the ratio of a
// window as well. Where the port was quiet around both readings, the two are one.
//
// What a port counts and its mirror copies is not always the NIC's by its address: see coverage.hpp
// for what the switch floods. Groups may not reach a port of their VLAN (multicast snooping). So
// the ratio is told where one of these explains the port's counters:
//
//   the NIC's own frames and all groups;  these and all that was flooded;  its own frames alone
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/engine/health/coverage.hpp"
#include "agent/model/coverage.hpp"

namespace vmirror {

/// What a port counted, and when.
struct PortReading {
  Time from = 0, to = 0;  ///< The counters are of a moment in between.
  PortCounters counters;
  std::string port_id;  ///< Port::id: changes when the port is added again.
};

/// One end of a window: what a port counted, and between what numbers the engine's counts of the
/// copies of these frames lie.
struct CoverageSample {
  PortReading port;
  NicFrames low, high;
};

/// For a frame that the port counted to be in the engine's count.
constexpr Time kOnItsWay = 200 * kMillisecond;
/// Frames that wait in a tap until the guest takes them are copied and not counted: as many as it
/// holds.
constexpr std::uint64_t kTapQueue = 1024;
/// A loss up to this is none: that is what is promised.
constexpr double kWhole = 0.99;
/// A ratio is known well enough when it is known within this.
constexpr double kTight = 0.1;

/// False: a counter went back, or the port was added again, in between.
bool is_comparable(const CoverageSample& first, const CoverageSample& last);
/// What the window between two comparable samples tells.
Coverage coverage(const CoverageSample& first, const CoverageSample& last, Direction mirrored);
/// What the samples of one NIC, in the order of time, tell of it now: the shortest window up to the
/// last one that tells anything. A loss that is too small to be seen in it is looked for in the
/// longest, and believed where the shortest has it, too.
Coverage judge_windows(std::span<const CoverageSample> samples, Direction mirrored);

/// What a person should look at, in words; empty: nothing.
std::vector<std::string> warnings(const CoverageSample& first, const CoverageSample& last,
                                  Direction mirrored);

}  // namespace vmirror
