// Who wants to see every frame as the engine saw it: tools that show single frames. The daemon has
// none.
#pragma once

#include "agent/model/facts.hpp"
#include "agent/model/frame.hpp"

namespace vmirror {

class FrameObserver {
 public:
  virtual ~FrameObserver() = default;
  /// Called on the pipeline's thread for each frame that was analysed, in order, after its messages
  /// were read. `frame` is the inner one where `origin.depth` is over 0. All is borrowed for the
  /// call. `facts` is null where no protocol is selected.
  virtual void analysed(const Frame& frame, const Packet& packet, const Origin& origin,
                        std::uint64_t flow_id, const Facts* facts) = 0;
};

}  // namespace vmirror
