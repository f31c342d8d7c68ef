#include "agent/control/affinity/lingering_nics.hpp"

#include <algorithm>
#include <set>

namespace vmirror {

std::shared_ptr<const MirrorIndex> LingeringNics::follow(std::shared_ptr<const MirrorIndex> wanted,
                                                         Time now) {
  bool changed = wanted != wanted_;
  if (changed) {
    std::set<Mac> came;
    diff(wanted_->nics, wanted->nics,
         [&](const PortKey& at, const WatchedNic* before, const WatchedNic* after) {
           if (after != nullptr) {
             gone_.erase(at);
             came.insert(after->mac);
           } else if (before != nullptr && gone_.size() < kMost) {
             gone_.insert_or_assign(at, std::pair{now, *before});
           }
         });
    // A NIC that is at another port now: its frames are that one's.
    std::erase_if(gone_, [&](const auto& entry) { return came.contains(entry.second.second.mac); });
  }
  for (auto& [at, entry] : gone_) entry.first = std::min(entry.first, now);  // The clock went back.
  changed |= std::erase_if(gone_, [now](const auto& entry) {
               return entry.second.first + kLinger <= now;
             }) > 0;
  wanted_ = std::move(wanted);
  if (!changed) return watched_;
  if (gone_.empty()) return watched_ = wanted_;
  auto index = std::make_shared<MirrorIndex>(*wanted_);
  for (const auto& [at, entry] : gone_) index->nics.set(at, entry.second);
  return watched_ = std::move(index);
}

}  // namespace vmirror
