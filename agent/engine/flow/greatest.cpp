// The flows with most bytes. A table of up to kCompared entries is looked at; in a greater one the
// sweep notes the greatest as it passes them.
#include <algorithm>
#include <utility>

#include "agent/engine/flow/flow_table.hpp"

namespace vmirror {

void FlowTable::begin_turn() {
  sweep_hand_ = 0;
  if (fresh_ < kCompared) return;
  std::swap(noted_, noted_before_);
  noted_.clear();
  noted_least_ = 0;
}

/// Notes twice as many as can be asked for, since some end; in a list that may grow to twice that
/// before the lesser half is struck off, so that a flow costs the same whatever the numbers.
void FlowTable::note(std::uint32_t place, std::uint64_t bytes) {
  const std::size_t kept = std::size_t{options_.top} * 2;
  if (kept == 0) return;
  noted_.push_back({bytes, place});
  if (noted_.size() < kept * 2) return;
  const auto last = noted_.begin() + static_cast<std::ptrdiff_t>(kept) - 1;
  std::nth_element(noted_.begin(), last, noted_.end(),
                   [](const Noted& a, const Noted& b) { return a.bytes > b.bytes; });
  noted_least_ = last->bytes;
  noted_.resize(kept);
}

/// The table has become too great to be looked at: a turn of the sweep at once.
void FlowTable::note_all() {
  noted_least_ = 0;
  for (std::uint32_t place = 0; place + 1 < fresh_; ++place)
    if (entries_[place].key.version != kFreeVersion)
      note(place, entries_[place].bytes[0] + entries_[place].bytes[1]);
  begin_turn();
}

std::vector<std::uint32_t> FlowTable::top(std::size_t count) const {
  std::vector<Noted> all;
  const auto add = [&](std::uint32_t place) {
    const Entry& entry = entries_[place];
    if (entry.key.version != kFreeVersion) all.push_back({entry.bytes[0] + entry.bytes[1], place});
  };
  if (fresh_ < kCompared) {
    all.reserve(active_);
    for (std::uint32_t place = 0; place < fresh_; ++place) add(place);
  } else {
    all.reserve(noted_.size() + noted_before_.size());
    for (const auto* noted : {&noted_, &noted_before_})
      for (std::size_t i = 0; i < noted->size(); ++i) {
        // They lie anywhere in the table: to wait for each took longer than all else here.
        constexpr std::size_t kAhead = 16;
        const auto* ahead = &entries_[(*noted)[std::min(i + kAhead, noted->size() - 1)].place];
        __builtin_prefetch(&ahead->key.version);
        __builtin_prefetch(&ahead->bytes);
        add((*noted)[i].place);
      }
  }
  const auto greater = [](const Noted& a, const Noted& b) {
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.place > b.place;
  };
  count = std::min<std::size_t>(count, options_.top);
  // In both lists, a flow is in `all` twice, side by side once they are sorted.
  const std::size_t most = std::min(all.size(), 2 * count);
  const auto behind = all.begin() + static_cast<std::ptrdiff_t>(most);
  std::nth_element(all.begin(), behind, all.end(), greater);
  std::sort(all.begin(), behind, greater);
  std::vector<std::uint32_t> out;
  for (std::size_t i = 0; i < most && out.size() < count; ++i)
    if (out.empty() || out.back() != all[i].place) out.push_back(all[i].place);
  return out;
}

}  // namespace vmirror
