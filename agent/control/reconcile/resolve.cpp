#include "agent/control/reconcile/resolve.hpp"

namespace vmirror {

namespace {

PolicyResolver resolver_of(std::span<const Policy> policies, const Locations& locations, Time now,
                           const std::optional<Mac>& monitor_nic) {
  PolicyResolver resolver(monitor_nic);
  resolver.set_policies({policies.begin(), policies.end()});
  LocationMap map;
  for (const Location& at : locations) map.set({at.switch_name, at.port}, at);
  resolver.update(map, now);
  return resolver;
}

Resolved to_resolved(const PolicyResolver& resolver, const Locations& locations) {
  std::map<PortKey, const Location*> sorted;
  for (const Location& at : locations) sorted[{at.switch_name, at.port}] = &at;
  Resolved out;
  for (const auto& [key, at] : sorted) {
    const ResolvedPort& resolved = resolver.of(key);
    for (const Session& s : resolved.sessions) {
      out.where.emplace(s.name, *at);
      out.desired.sessions.push_back(s);
    }
    for (const Refusal& r : resolved.refused) {
      out.where.emplace(r.session.name, *at);
      out.refused.push_back(r);
    }
  }
  out.policies = resolver.policies();
  return out;
}

}  // namespace

Resolved resolve(std::span<const Policy> policies, const Locations& locations, Time now,
                 const std::optional<Mac>& monitor_nic) {
  return to_resolved(resolver_of(policies, locations, now, monitor_nic), locations);
}

bool has_policy(std::string_view joined, std::string_view name) {
  while (!joined.empty()) {
    const std::size_t plus = joined.find('+');
    if (joined.substr(0, plus) == name) return true;
    joined.remove_prefix(plus == joined.npos ? joined.size() : plus + 1);
  }
  return false;
}

Agreed agree(std::span<const Policy> policies, const Locations& locations, Time now,
             const std::optional<Mac>& monitor_nic, const Observed& observed,
             const Realise& realise) {
  PolicyResolver resolver = resolver_of(policies, locations, now, monitor_nic);
  for (;;) {
    Agreed out{to_resolved(resolver, locations), {}};
    out.realisation = realise(out.resolved.desired, observed);
    PersistentMap<std::string, Verdict> verdicts;
    for (const Verdict& v : out.realisation.verdicts) verdicts.set(v.session, v);
    if (!resolver.heed(verdicts)) return out;
  }
}

}  // namespace vmirror
