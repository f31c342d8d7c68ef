// libvirt's default event loop. A process has only one loop, and a connection cannot have its own:
// all connections share this one.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

namespace vmirror {

class EventLoop {
 public:
  /// To be called after libvirt_library() succeeded. Returns the process's loop, which runs while
  /// a pointer to it exists. The first call registers it with libvirt, for good, and stops libvirt
  /// from printing errors to stderr. Any thread.
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
