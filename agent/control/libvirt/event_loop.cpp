#include "agent/control/libvirt/event_loop.hpp"

#include <csignal>
#include <mutex>

#include "agent/control/libvirt/library.hpp"

namespace vmirror {
namespace {

void quiet(void*, virErrorPtr) {}
void no_work(int, void*) {}

void register_loop() {
  vir().Initialize();
  vir().SetErrorFunc(nullptr, quiet);
  vir().EventRegisterDefaultImpl();
}

}  // namespace

std::shared_ptr<EventLoop> EventLoop::get() {
  static std::once_flag registered;
  std::call_once(registered, register_loop);
  static std::mutex mutex;
  static std::weak_ptr<EventLoop> running;
  const std::lock_guard lock(mutex);
  std::shared_ptr<EventLoop> loop = running.lock();
  if (!loop) running = loop = std::shared_ptr<EventLoop>(new EventLoop);
  return loop;
}

EventLoop::EventLoop() : wake_(vir().EventAddTimeout(-1, no_work, nullptr, nullptr)) {
  sigset_t all, before;  // Signals are the main thread's.
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  thread_ = std::thread([this] {
    while (!stop_) vir().EventRunDefaultImpl();
    // What was deregistered is freed by the loop: once more, while the timer keeps it from waiting.
    for (int i = 0; i < 8; i++) vir().EventRunDefaultImpl();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

EventLoop::~EventLoop() {
  stop_ = true;
  vir().EventUpdateTimeout(wake_, 0);  // Wakes the loop, too.
  thread_.join();
  vir().EventRemoveTimeout(wake_);
}

}  // namespace vmirror
