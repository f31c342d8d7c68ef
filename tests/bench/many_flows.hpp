// Frames of very many conversations of many hosts, made as they are asked for: one UDP frame of
// each flow in turn, for ever.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "tests/support/frames.hpp"

namespace vmirror::bench {

class ManyFlows {
 public:
  static constexpr std::uint32_t kFlows = 1'000'000;
  /// The one that all of them talk to is among them.
  static constexpr std::uint32_t kHosts = 65'536;
  static constexpr std::size_t kSize = 64;

  /// Writes the next frame. Which of kFlows it is, counted on.
  std::uint64_t next(std::uint8_t* frame) {
    static const test::Buffer model = test::udp_frame({}, test::counting(22));
    const auto flow = static_cast<std::uint32_t>(count_ % kFlows);
    const std::uint32_t host = flow % kHosts, conversation = flow / kHosts;
    std::memcpy(frame, model.data(), kSize);
    for (const std::size_t at : {std::size_t{10}, std::size_t{28}}) {  // Source MAC, source IP.
      frame[at] = static_cast<std::uint8_t>(host >> 8);
      frame[at + 1] = static_cast<std::uint8_t>(host);
    }
    frame[34] = 128;  // Source port.
    frame[35] = static_cast<std::uint8_t>(conversation);
    return count_++;
  }

 private:
  std::uint64_t count_ = 0;
};

}  // namespace vmirror::bench
