#include "agent/engine/decap/sequence.hpp"

#include <algorithm>
#include <bit>

namespace vmirror {

void SequenceWindow::out_of_order(std::uint32_t sequence) {
  if (!started_) {
    started_ = true;
    highest_ = sequence;
    seen_ = 1;
    return;
  }
  if (goes_on_as_before(sequence)) take_back();
  const auto ahead = static_cast<std::int32_t>(sequence - highest_);
  if (ahead <= 0 || ahead > kFarAhead) return behind(sequence, ahead);
  counts_.lost += static_cast<std::uint64_t>(ahead) - 1;
  seen_ = ahead < kWindow ? seen_ << ahead | 1 : 1;
  highest_ = sequence;
}

/// A number that is behind, or so far ahead that it may as well be.
void SequenceWindow::behind(std::uint32_t sequence, std::int32_t ahead) {
  const bool far = ahead > 0 || ahead <= -kWindow;
  const std::uint64_t bit = far ? 0 : 1ULL << -ahead;
  const bool repeated = (seen_ & bit) != 0;
  if (note_run(sequence, far, repeated)) return begin_anew();
  if (repeated) {
    ++counts_.duplicate;
    return;
  }
  seen_ |= bit;
  ++counts_.reordered;
  if (counts_.lost > 0 && ahead < 0) --counts_.lost;
}

/// True when the run that the number belongs to is a new beginning.
bool SequenceWindow::note_run(std::uint32_t sequence, bool far, bool repeated) {
  const auto step = static_cast<std::int32_t>(sequence - run_.last);
  const bool goes_on = run_.size > 0 && run_.far == far && run_.before.highest == highest_;
  const bool late = step < 0 && step > -kWindow && !far && (run_.seen >> -step & 1) == 0;
  if (goes_on && step > 0 && step < (far ? 2 : kWindow)) {
    run_.seen = run_.seen << step | 1;
    run_.last = sequence;
  } else if (goes_on && late) {
    run_.seen |= 1ULL << -step;
  } else {
    run_ = {{highest_, seen_, counts_}, sequence, 0, 0, 1, far};
    if (!far && sequence >= kBeginning) return false;
  }
  ++run_.size;
  run_.repeated += repeated ? 1 : 0;
  return far ? run_.size >= 2 : run_.repeated >= kRepeated || run_.size >= kRun;
}

void SequenceWindow::begin_anew() {
  counts_ = run_.before.counts;
  ++counts_.restarts;
  // Since its first number, which no later one of the window's 64 can be before.
  const int span = std::bit_width(run_.seen);
  counts_.lost += static_cast<std::uint64_t>(span - std::popcount(run_.seen));
  highest_ = run_.last;
  seen_ = run_.seen;
  begun_ = run_;
  run_.size = 0;
}

/// The old sequence's next number, while the new one is young.
bool SequenceWindow::goes_on_as_before(std::uint32_t sequence) const {
  return begun_.size > 0 && sequence == begun_.before.highest + 1 &&
         highest_ - begun_.last < static_cast<std::uint32_t>(kWindow) - begun_.size;
}

/// The new beginning was none.
void SequenceWindow::take_back() {
  const auto stray = static_cast<std::uint64_t>(std::popcount(seen_));
  const Place& before = begun_.before;
  highest_ = before.highest;
  seen_ = before.seen;
  counts_ = before.counts;
  (begun_.far ? counts_.reordered : counts_.duplicate) += stray;
  if (begun_.far) counts_.lost -= std::min(counts_.lost, stray);
  begun_.size = 0;
  run_.size = 0;
}

}  // namespace vmirror
