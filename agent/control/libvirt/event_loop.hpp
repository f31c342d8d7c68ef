// libvirt's default event loop, which a process has only one of: it cannot be had per connection,
// hence the shared one here.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

namespace vmirror {

class EventLoop {
 public:
  /// After libvirt_library() was good. The process's loop, running for as long as somebody holds
  /// it. The first call registers it with libvirt, for good, and silences libvirt's own printing of
  /// errors to stderr. Any thread.
  static std::shared_ptr<EventLoop> get();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

 private:
  EventLoop();
  const int wake_;  ///< libvirt's timer; off, or firing at once.
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace vmirror
