#include "agent/control/admission/hook_watch.hpp"

#include <algorithm>

namespace vmirror {

void HookWatch::called(const HookCall& call, HookAnswer::Kind answer, Time now) {
  ++status_.calls;
  if (answer == HookAnswer::Kind::refuse) ++status_.refused;
  status_.last_call = now;
  status_.last_missed.clear();
  if (call.operation == "release") {
    announced_.erase(call.guest);
    status_.remembered = announced_.size();
    return;
  }
  if (announced_.size() == kMaxRemembered && !announced_.contains(call.guest)) {
    announced_.erase(std::ranges::min_element(announced_, [now](const auto& a, const auto& b) {
      return seen_earlier(a.second, b.second, now);
    }));
    ++status_.forgotten;
  }
  announced_[call.guest] = now;
  status_.remembered = announced_.size();
}

bool HookWatch::happened(const GuestEvent& event) {
  if (event.kind != GuestEvent::Kind::started && event.kind != GuestEvent::Kind::incoming)
    return false;
  for (auto& [name, at] : announced_) at = as_of(at, event.time);
  const auto announced = announced_.find(event.name);
  if (announced != announced_.end() && event.time < announced->second + kHolds) return false;
  ++status_.missed;
  const bool first = status_.last_missed.empty();
  status_.last_missed = event.name;
  return first;
}

}  // namespace vmirror
