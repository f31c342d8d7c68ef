// pcapng, written: one section, with an interface for each NIC, in this machine's byte order.
//
//   section    | 0a0d0d0a | length[4] | 1a2b3c4d | 1[2] | 0[2] | ffffffffffffffff | length[4] |
//   interface  | 1 | length[4] | link type[2] | 0[2] | snaplen[4] | options | length[4] |
//   frame      | 6 | length[4] | interface[4] | time high[4] | time low[4] | captured[4] |
//              | on the wire[4] | bytes, padded to 4 | options | length[4] |
//   statistics | 5 | length[4] | interface[4] | time high[4] | time low[4] | options | length[4] |
//   option     | code[2] | length[2] | value, padded to 4 |
//
// Source: draft-ietf-opsawg-pcapng.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/model/frame.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

/// Used by one thread. What is written waits in memory for `flush`.
class PcapngWriter {
 public:
  /// `sink` takes all of the bytes, or fails.
  explicit PcapngWriter(std::function<Result<void>(Bytes)> sink);

  /// Declares an interface of Ethernet frames with times in nanoseconds; returns its number. Before
  /// its first frame.
  std::uint32_t interface(std::string_view name, std::string_view description,
                          std::uint32_t snaplen);
  /// An Ethernet frame, a stripped tag put back, cut to `snaplen` bytes (0: whole). `direction` is
  /// the guest's: `out` for what it sent.
  void frame(std::uint32_t interface, const Frame& frame, Direction direction,
             std::uint32_t snaplen);
  /// How many frames the interface had, and how many of them were lost before they came here.
  void statistics(std::uint32_t interface, Time now, std::uint64_t received, std::uint64_t lost);
  Result<void> flush();

 private:
  std::function<Result<void>(Bytes)> sink_;
  std::vector<std::uint8_t> out_;
  std::uint32_t interfaces_ = 0;
};

}  // namespace vmirror
