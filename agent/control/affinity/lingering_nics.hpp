// The NICs that the engine watches, with the NICs whose port was removed a moment ago. Copies are
// still on their way when a port is removed, and the engine forgets the counts of a removed NIC.
// Without lingering, the last frames of a guest that leaves would count as lost.
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
  static constexpr std::size_t kMost = 1024;  ///< A further removed NIC does not linger.

  /// The NICs that the engine must watch, if the control side wants `wanted` (never null). To be
  /// called with each round, or once a second. Returns the same object if nothing changed. Costs
  /// the changes and the lingering NICs.
  std::shared_ptr<const MirrorIndex> follow(std::shared_ptr<const MirrorIndex> wanted, Time now);

 private:
  std::shared_ptr<const MirrorIndex> wanted_ = std::make_shared<const MirrorIndex>();
  std::shared_ptr<const MirrorIndex> watched_ = wanted_;
  std::map<PortKey, std::pair<Time, WatchedNic>> gone_;  ///< Since when.
};

}  // namespace vmirror
