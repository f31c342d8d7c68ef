// Every way in which a frame can end unanalysed, each with a counter. For every stage and at any
// time:
//   received = analysed + held + the sum of all drops
// `held` are fragments of an outer datagram that wait for the rest; it is zero after a flush.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace vmirror {

enum class Drop : std::uint8_t {
  kernel,               ///< The ring was full (AF_PACKET tp_drops).
  capture_truncated,    ///< A capture file's record ends past the file.
  unsupported_link,     ///< A link type that we do not read.
  short_frame,          ///< Too short for a link header.
  not_mirrored,         ///< A bare frame on an input that takes only encapsulated ones.
  filtered,             ///< The filters of the policies don't want it, and the switch can't tell.
  unknown_session,      ///< A session that the input does not accept.
  decap_truncated,      ///< An encapsulation header is cut off.
  decap_malformed,      ///< An encapsulation header contradicts itself.
  decap_unsupported,    ///< A GRE protocol, ERSPAN version or frame type that we do not read.
  nesting_too_deep,     ///< More encapsulations than the bound.
  fragment_incomplete,  ///< Outer fragments whose rest never came.
  fragment_overflow,    ///< Outer fragments past the bound of datagrams or bytes held.
  count_,
};
constexpr std::size_t kDropKinds = static_cast<std::size_t>(Drop::count_);
/// "unknown_session": the counter's name in every output.
const char* to_text(Drop drop);

struct FrameCounters {
  std::uint64_t received = 0;
  std::uint64_t received_bytes = 0;  ///< On the wire.
  std::uint64_t analysed = 0;
  std::uint64_t held = 0;
  std::array<std::uint64_t, kDropKinds> dropped{};

  void drop(Drop kind, std::uint64_t frames = 1) {
    dropped[static_cast<std::size_t>(kind)] += frames;
  }
  std::uint64_t dropped_total() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t n : dropped) sum += n;
    return sum;
  }
  /// True when no frame is unaccounted for.
  bool balanced() const { return received == analysed + held + dropped_total(); }
  FrameCounters& operator+=(const FrameCounters& other) {
    received += other.received;
    received_bytes += other.received_bytes;
    analysed += other.analysed;
    held += other.held;
    for (std::size_t i = 0; i < kDropKinds; ++i) dropped[i] += other.dropped[i];
    return *this;
  }
};

}  // namespace vmirror
