// What came from one peer and is not worked off yet: bounded, so that a peer that sends faster than
// its messages are worked off is read no faster. Its bytes then wait in its own socket.
//
//   link --admit--> receipt ---- with the message, to whoever works it off ----> dropped
//        <------------------------- `room`, once there is room again -------------+
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace vmirror {

class PeerInbox : public std::enable_shared_from_this<PeerInbox> {
 public:
  PeerInbox(std::size_t most_messages, std::size_t most_bytes, std::function<void()> room)
      : most_messages_(most_messages), most_bytes_(most_bytes), room_(std::move(room)) {}

  /// Counts a message until the last copy of the receipt is gone, on whatever thread.
  std::shared_ptr<const void> admit(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    ++messages_;
    bytes_ += bytes;
    // The address is nobody's: only its end matters.
    return {static_cast<const void*>(this),
            [self = shared_from_this(), bytes](const void*) { self->leave(bytes); }};
  }
  bool has_room() const {
    const std::lock_guard lock(mutex_);
    return is_roomy();
  }
  /// `room` is not called any more.
  void close() {
    const std::lock_guard lock(mutex_);
    room_ = nullptr;
  }

 private:
  bool is_roomy() const { return messages_ < most_messages_ && bytes_ < most_bytes_; }
  void leave(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    const bool was_roomy = is_roomy();
    --messages_;
    bytes_ -= bytes;
    if (!was_roomy && is_roomy() && room_) room_();
  }

  const std::size_t most_messages_, most_bytes_;
  mutable std::mutex mutex_;
  std::function<void()> room_;
  std::size_t messages_ = 0, bytes_ = 0;
};

}  // namespace vmirror
