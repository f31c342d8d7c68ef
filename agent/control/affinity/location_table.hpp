// The table of all locations, for people: the place of each NIC, since when, and previous places.
// It only collects locations; nothing depends on it.
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
  Time since = 0;  ///< The begin of this presence.
  bool operator==(const LocationRow&) const = default;
};

/// One thread; time is an argument.
class LocationTable {
 public:
  explicit LocationTable(LocationTableOptions options = {}) : options_(options) {}

  /// The port has this location now. O(log n), and for a new port O(max_gone). A port that was gone
  /// and is back has a new row; its gone row is kept if the port was another guest's.
  void put(const Location& location, Time now);
  /// The port does not exist any more: its row is gone from now on. O(log n).
  void remove(const std::string& switch_name, const std::string& port, Time now);
  /// All existing locations: puts these, removes the others. O(n).
  void fold(const Locations& locations, Time now);

  /// The rows of existing ports, by switch and port, then the gone rows, latest first. Rows that
  /// are gone for longer than `keep_gone` are left out.
  std::vector<LocationRow> rows(Time now) const;
  /// The number of gone rows that are kept, at most max_gone.
  std::size_t gone() const { return gone_.size(); }
  /// Gone rows that were dropped early, because of max_gone.
  std::uint64_t overflow() const { return overflow_; }

 private:
  using Key = std::pair<std::string, std::string>;  // Switch, port.
  LocationTableOptions options_;
  std::map<Key, LocationRow> here_;
  std::list<LocationRow> gone_;  ///< Latest first.
  std::uint64_t overflow_ = 0;
};

}  // namespace vmirror
