// The table of all locations, for people: where each NIC is, since when, and where it was. A fold
// over what is located; nothing is decided by it.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/model/location.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

struct LocationTableOptions {
  Time keep_gone = 3600 * kSecond;
  std::size_t max_gone = 1024;
};

struct LocationRow {
  Location location;
  Time since = 0;  ///< When it came into this presence.
  bool operator==(const LocationRow&) const = default;
};

/// One thread; time is an argument.
class LocationTable {
 public:
  explicit LocationTable(LocationTableOptions options = {}) : options_(options) {}

  /// The port is located so now. O(log n), and for a new port O(max_gone). A port that went and is
  /// there again begins anew; its gone row stays where it was another guest's.
  void put(const Location& location, Time now);
  /// The port is no more: its row is gone from now on. O(log n).
  void remove(const std::string& switch_name, const std::string& port, Time now);
  /// All locations that there are: puts these, removes the others. O(n).
  void fold(const Locations& locations, Time now);

  /// Those that are here by switch and port, then those that are gone, latest first. Those that are
  /// gone for longer than `keep_gone` are left out.
  std::vector<LocationRow> rows(Time now) const;
  /// Of those that are gone, how many are kept, of max_gone.
  std::size_t gone() const { return gone_.size(); }
  /// Gone rows that were dropped early, because there were max_gone.
  std::uint64_t overflow() const { return overflow_; }

 private:
  using Key = std::pair<std::string, std::string>;  // Switch, port.
  LocationTableOptions options_;
  std::map<Key, LocationRow> here_;
  std::list<LocationRow> gone_;  ///< Latest first.
  std::uint64_t overflow_ = 0;
};

}  // namespace vmirror
