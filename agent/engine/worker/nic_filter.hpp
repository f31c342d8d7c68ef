// The filters that the engine itself enforces, of the NICs that it watches. A frame is wanted when
// a session that may have copied it wants it:
//
//   its source is a watched NIC whose `out` is mirrored       that NIC's filter
//   its destination is one whose `in` is mirrored             that NIC's filter
//   a group address, or neither of the two                    any NIC's in the frame's VLAN
#pragma once

#include <map>
#include <string>
#include <unordered_map>

#include "agent/model/frame.hpp"
#include "agent/model/mirror_index.hpp"

namespace vmirror {

/// One thread.
class NicFilter {
 public:
  /// `input`: the NICs of other inputs are passed over; empty: none is.
  explicit NicFilter(std::string input = {}) : input_(std::move(input)) {}

  /// Costs what differs from the index before; all of it when the first NIC has a filter.
  void watch(const MirrorIndex& index);
  /// False: no NIC has a filter, and `wants` need not be called.
  bool active() const { return filtered_ > 0; }
  bool wants(const Frame& frame, const Packet& packet) const;

 private:
  /// NICs that any frame to a group is told for alike.
  struct Kind {
    std::optional<std::uint16_t> vlan;
    Direction direction;
    Filter filter;
    auto operator<=>(const Kind&) const = default;
  };
  void count(const WatchedNic& nic, bool add);

  const std::string input_;
  MirrorIndex index_;
  std::map<Kind, std::size_t> kinds_;  ///< How many NICs are of it.
  std::size_t filtered_ = 0;
  std::unordered_map<Mac, std::map<PortKey, WatchedNic>> by_mac_;  ///< Empty while not active.
};

}  // namespace vmirror
