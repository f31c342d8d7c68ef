// Loss, reordering and duplicates of one mirroring session, told from the GRE sequence number.
//
//   ... 1 0 1 1 1 | 1 | <- highest number seen; one bit for each of the 64 numbers up to it
//
// Numbers wrap around at 2^32. A number far away (more than 64 back, or 2^24 ahead) is a straggler,
// or the first of a sender that began anew: the next one tells.
#pragma once

#include <cstdint>

namespace vmirror {

class SequenceWindow {
 public:
  struct Counts {
    std::uint64_t lost = 0;
    std::uint64_t reordered = 0;
    std::uint64_t duplicate = 0;
    std::uint64_t restarts = 0;
  };

  /// Takes the next frame's number into account. The first number ever sets the start.
  void see(std::uint32_t sequence) {
    if (sequence == highest_ + 1 && started_) {  // All is well.
      highest_ = sequence;
      seen_ = seen_ << 1 | 1;
      suspected_ = false;
      return;
    }
    out_of_order(sequence);
  }

  const Counts& counts() const { return counts_; }

 private:
  static constexpr std::int32_t kWindow = 64;
  static constexpr std::int32_t kFarAhead = 1 << 24;

  void out_of_order(std::uint32_t sequence);
  void start(std::uint32_t sequence);
  void far_away(std::uint32_t sequence);

  bool started_ = false;
  bool suspected_ = false;
  bool suspect_was_lost_ = false;
  std::uint32_t highest_ = 0;
  std::uint32_t suspect_ = 0;  ///< The number that would confirm a restart.
  std::uint64_t seen_ = 0;     ///< Bit n: highest_ - n was seen, or is before the start.
  Counts counts_;
};

}  // namespace vmirror
