#include "agent/reconcile/desired.hpp"

namespace vmirror {

Wish desired(std::span<const Policy> policies, const Locations& locations, Time now,
             const std::optional<Mac>& monitor_nic) {
  Wishes wishes(monitor_nic);
  wishes.set_policies({policies.begin(), policies.end()});
  LocationMap map;
  for (const Location& at : locations) map.set({at.switch_name, at.port}, at);
  wishes.update(map, now);
  Wish out;
  for (const auto& [key, at] : map) {
    const PortWish& wish = wishes.of(key);
    for (const SessionRequest& s : wish.sessions) {
      out.where.emplace(s.name, at);
      out.desired.sessions.push_back(s);
    }
    for (const Refusal& r : wish.refused) {
      out.where.emplace(r.request.name, at);
      out.refused.push_back(r);
    }
  }
  out.policies = wishes.policies();
  return out;
}

}  // namespace vmirror
