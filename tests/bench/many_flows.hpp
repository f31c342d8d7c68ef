// Frames of very many conversations of many hosts, made as they are asked for: one UDP frame of
// each flow in turn, for ever. sender.cpp has the same as a program for the kernel.
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

  /// The first flow's frame, of `size` bytes, kSize or more.
  static test::Buffer frame(std::size_t size) {
    constexpr std::size_t kHeaders = 42;
    test::Buffer out = test::udp_frame({}, test::counting(size < kSize ? 0 : size - kHeaders));
    for (const std::size_t at : {10, 11, 28, 29, 35}) out[at] = 0;
    out[34] = 128;  // Source port.
    return out;
  }

  /// Writes the next frame, of kSize bytes. Which of kFlows it is, counted on.
  std::uint64_t next(std::uint8_t* frame) {
    static const test::Buffer model = ManyFlows::frame(kSize);
    const auto flow = static_cast<std::uint32_t>(count_ % kFlows);
    const std::uint32_t host = flow % kHosts, conversation = flow / kHosts;
    std::memcpy(frame, model.data(), kSize);
    for (const std::size_t at : {std::size_t{10}, std::size_t{28}}) {  // Source MAC, source IP.
      frame[at] = static_cast<std::uint8_t>(host >> 8);
      frame[at + 1] = static_cast<std::uint8_t>(host);
    }
    frame[35] = static_cast<std::uint8_t>(conversation);
    return count_++;
  }

 private:
  std::uint64_t count_ = 0;
};

}  // namespace vmirror::bench
