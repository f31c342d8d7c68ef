// Loss, reordering and duplicates, told from GRE sequence numbers: of one mirroring session, or of
// all that a sender numbers together (sender_sequence.hpp).
//
//   ... 1 0 1 1 1 | 1 | <- highest number seen; one bit for each of the 64 numbers up to it
//
// Numbers wrap around at 2^32. A number behind the highest one is late, or there twice, or the
// sender began anew:
//   far away (64 or more back, or more than 2^24 ahead): anew, once the next number follows
//   within the 64: anew, once a rising run that began below 8, with nothing new in between, has
//     repeated three numbers, or has 16
// Should the old sequence go on after all, within 64 numbers of the new one, what was taken for a
// new beginning becomes duplicates or stragglers again.
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
    bool operator==(const Counts&) const = default;
  };

  /// Takes the next frame's number into account. The first number ever sets the start.
  void see(std::uint32_t sequence) {
    if (is_next(sequence))
      follow(sequence);
    else
      out_of_order(sequence);
  }

  /// True for the number that comes next when all is well.
  bool is_next(std::uint32_t sequence) const { return sequence == highest_ + 1 && started_; }
  /// Sees a number that is_next().
  void follow(std::uint32_t sequence) {
    highest_ = sequence;
    seen_ = seen_ << 1 | 1;
  }

  const Counts& counts() const { return counts_; }
  /// From here on they begin at 0.
  void forget_counts() { counts_ = run_.before.counts = begun_.before.counts = {}; }

 private:
  static constexpr std::int32_t kWindow = 64;
  static constexpr std::int32_t kFarAhead = 1 << 24;
  static constexpr std::uint32_t kBeginning = 8;  ///< A sender's first number is below.
  static constexpr std::uint32_t kRepeated = 3, kRun = 16;

  /// Where a sequence stood.
  struct Place {
    std::uint32_t highest = 0;
    std::uint64_t seen = 0;
    Counts counts;
  };
  /// Numbers behind the highest one, or far ahead, that rise or fill what these left out: maybe a
  /// new beginning.
  struct Run {
    Place before;            ///< When it began.
    std::uint32_t last = 0;  ///< Its latest number.
    std::uint32_t size = 0;  ///< 0: there is none.
    std::uint32_t repeated = 0;
    std::uint64_t seen = 0;  ///< As the window's, up to `last`.
    bool far = false;
  };

  void out_of_order(std::uint32_t sequence);
  void behind(std::uint32_t sequence, std::int32_t ahead);
  bool note_run(std::uint32_t sequence, bool far, bool repeated);
  void begin_anew();
  bool goes_on_as_before(std::uint32_t sequence) const;
  void take_back();

  bool started_ = false;
  std::uint32_t highest_ = 0;
  std::uint64_t seen_ = 0;  ///< Bit n: highest_ - n was seen.
  Counts counts_;
  Run run_;
  /// The run that was taken for a new beginning last; size 0: none that could be taken back.
  Run begun_;
};

}  // namespace vmirror
