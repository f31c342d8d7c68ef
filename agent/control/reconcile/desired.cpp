#include "agent/control/reconcile/desired.hpp"

namespace vmirror {

namespace {

Wishes wishes_of(std::span<const Policy> policies, const Locations& locations, Time now,
                 const std::optional<Mac>& monitor_nic) {
  Wishes wishes(monitor_nic);
  wishes.set_policies({policies.begin(), policies.end()});
  LocationMap map;
  for (const Location& at : locations) map.set({at.switch_name, at.port}, at);
  wishes.update(map, now);
  return wishes;
}

Wish to_wish(const Wishes& wishes, const Locations& locations) {
  std::map<PortKey, const Location*> sorted;
  for (const Location& at : locations) sorted[{at.switch_name, at.port}] = &at;
  Wish out;
  for (const auto& [key, at] : sorted) {
    const PortWish& wish = wishes.of(key);
    for (const SessionRequest& s : wish.sessions) {
      out.where.emplace(s.name, *at);
      out.desired.sessions.push_back(s);
    }
    for (const Refusal& r : wish.refused) {
      out.where.emplace(r.request.name, *at);
      out.refused.push_back(r);
    }
  }
  out.policies = wishes.policies();
  return out;
}

}  // namespace

Wish desired(std::span<const Policy> policies, const Locations& locations, Time now,
             const std::optional<Mac>& monitor_nic) {
  return to_wish(wishes_of(policies, locations, now, monitor_nic), locations);
}

Agreed agree(std::span<const Policy> policies, const Locations& locations, Time now,
             const std::optional<Mac>& monitor_nic, const Observed& observed,
             const Realise& realise) {
  Wishes wishes = wishes_of(policies, locations, now, monitor_nic);
  for (;;) {
    Agreed out{to_wish(wishes, locations), {}};
    out.realisation = realise(out.wish.desired, observed);
    std::map<std::string_view, const Verdict*> verdicts;
    for (const Verdict& v : out.realisation.verdicts) verdicts[v.session] = &v;
    const bool again = wishes.heed([&](const std::string& name) {
      const auto it = verdicts.find(name);
      return it == verdicts.end() ? nullptr : it->second;
    });
    if (!again) return out;
  }
}

}  // namespace vmirror
