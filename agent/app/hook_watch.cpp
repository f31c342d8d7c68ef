#include "agent/app/hook_watch.hpp"

#include <algorithm>

namespace vmirror {

void HookWatch::called(const HookCall& call, HookAnswer::Kind answer, Time now) {
  ++status_.calls;
  if (answer == HookAnswer::Kind::refuse) ++status_.refused;
  status_.last_call = now;
  status_.last_missed.clear();
  if (call.operation == "release") {
    announced_.erase(call.guest);
    return;
  }
  announced_[call.guest] = now;
  if (announced_.size() > kMaxRemembered)
    announced_.erase(std::ranges::min_element(
        announced_, {}, [](const auto& announced) { return announced.second; }));
}

bool HookWatch::happened(const GuestEvent& event) {
  if (event.kind != GuestEvent::Kind::started && event.kind != GuestEvent::Kind::incoming)
    return false;
  const auto announced = announced_.find(event.name);
  if (announced != announced_.end() && event.time < announced->second + kHolds) return false;
  ++status_.missed;
  const bool first = status_.last_missed.empty();
  status_.last_missed = event.name;
  return first;
}

}  // namespace vmirror
