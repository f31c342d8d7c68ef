#include "agent/decap/sequence.hpp"

namespace vmirror {

void SequenceWindow::start(std::uint32_t sequence) {
  started_ = true;
  suspected_ = false;
  highest_ = sequence;
  seen_ = 1;
}

void SequenceWindow::out_of_order(std::uint32_t sequence) {
  if (!started_) return start(sequence);
  const auto ahead = static_cast<std::int32_t>(sequence - highest_);
  if (ahead > kFarAhead || ahead <= -kWindow) return far_away(sequence);
  suspected_ = false;
  if (ahead > 0) {
    counts_.lost += static_cast<std::uint64_t>(ahead) - 1;
    seen_ = ahead < kWindow ? seen_ << ahead | 1 : 1;
    highest_ = sequence;
    return;
  }
  const std::uint64_t bit = 1ULL << -ahead;
  if ((seen_ & bit) != 0) {
    ++counts_.duplicate;
    return;
  }
  seen_ |= bit;
  ++counts_.reordered;
  if (counts_.lost > 0) --counts_.lost;
}

void SequenceWindow::far_away(std::uint32_t sequence) {
  if (suspected_ && sequence == suspect_) {  // It was no straggler but the new beginning.
    ++counts_.restarts;
    --counts_.reordered;
    counts_.lost += suspect_was_lost_ ? 1 : 0;
    return start(sequence);
  }
  suspected_ = true;
  suspect_ = sequence + 1;
  suspect_was_lost_ = counts_.lost > 0 && static_cast<std::int32_t>(sequence - highest_) < 0;
  counts_.lost -= suspect_was_lost_ ? 1 : 0;
  ++counts_.reordered;
}

}  // namespace vmirror
