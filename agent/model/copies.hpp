// What a collector tells of the copies that came to it, for who sent them.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/model/frame.hpp"
#include "plugin/base/address.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

/// Names one mirroring session as its receiver sees it.
struct CopiesKey {
  Encapsulation encapsulation = Encapsulation::none;
  std::uint32_t session = 0;  ///< ERSPAN session ID or GRE key; 0 where there is none.
  IpAddress sender;
  auto operator<=>(const CopiesKey&) const = default;
};

/// Of one session, since the collector's engine began.
struct Copies {
  std::uint64_t received = 0;  ///< Frames taken out of the encapsulation.
  std::uint64_t lost = 0;      ///< Numbers of its sequence that never came.
  Time last = 0;               ///< The latest frame, by the collector's clock; 0: none.
  bool operator==(const Copies&) const = default;
};

/// One collector's word.
struct CopiesReport {
  std::set<IpAddress> addresses;  ///< Of the collector's host, where copies can be sent to.
  std::map<CopiesKey, Copies> sessions;
  std::uint64_t left_out = 0;  ///< Sessions past kMaxReportedSessions.
  bool operator==(const CopiesReport&) const = default;
};
constexpr std::size_t kMaxReportedSessions = 4096;
constexpr std::size_t kMaxReportedAddresses = 64;

/// A collector as its sender knows it.
struct Collector {
  std::string host;  ///< As its agent calls itself.
  bool linked = false;
  Time since = 0;    ///< Of `linked`.
  Time told_at = 0;  ///< When `report` was true, by our clock; 0: it has told nothing on this link.
  CopiesReport report;
  bool operator==(const Collector&) const = default;
};

/// By the addresses that copies are sent to. None null.
using Collectors = std::map<IpAddress, std::shared_ptr<const Collector>>;

}  // namespace vmirror
