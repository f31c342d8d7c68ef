// The NICs that the engine watches, and those whose port went a moment ago. Copies are still on
// their way when a port goes, and the engine forgets a NIC's counts with the NIC: without this the
// last frames of a guest that leaves would be counted as lost.
#pragma once

#include <map>
#include <memory>

#include "agent/model/mirror_index.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

/// One thread; time is an argument.
class LingeringNics {
 public:
  static constexpr Time kLinger = kSecond;
  static constexpr std::size_t kMost = 1024;  ///< Past it a NIC that goes is dropped at once.

  /// What the engine is to watch, now that the control side wants `wanted` (never null). To be
  /// called with each round, or once a second. The same object as before where nothing changed.
  /// Costs what changed, and what lingers.
  std::shared_ptr<const MirrorIndex> follow(std::shared_ptr<const MirrorIndex> wanted, Time now);

 private:
  std::shared_ptr<const MirrorIndex> wanted_ = std::make_shared<const MirrorIndex>();
  std::shared_ptr<const MirrorIndex> watched_ = wanted_;
  std::map<PortKey, std::pair<Time, WatchedNic>> gone_;  ///< Since when.
};

}  // namespace vmirror
