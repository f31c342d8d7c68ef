#include "agent/reconcile/desired.hpp"

#include <algorithm>
#include <set>
#include <tuple>

namespace vmirror {
namespace {

/// One NIC and target, and the policies that want it, the one that decides first.
struct Want {
  const Location* at = nullptr;
  Target target;
  std::vector<const Policy*> policies;
};
using Key = std::tuple<std::string, std::string, Target>;  // Switch, port, target.

bool agree(const Policy& a, const Policy& b) {
  return a.snaplen == b.snaplen && a.vlans == b.vlans && a.filter == b.filter;
}

std::string words(const Policy& p) {
  std::string vlans;
  for (const std::uint16_t vlan : p.vlans) vlans += " " + std::to_string(vlan);
  return "snaplen " + std::to_string(p.snaplen) + (vlans.empty() ? "" : ", vlans" + vlans) +
         (p.filter.empty() ? "" : ", filter `" + p.filter + "`");
}

Target resolve(Target target, const std::optional<Mac>& monitor_nic) {
  if (auto* local = std::get_if<LocalTarget>(&target)) local->monitor_nic = monitor_nic;
  return target;
}

/// The session of one want; policies that the first one contradicts are refused instead.
void serve(const Want& want, const std::string& name, Wish& out,
           std::map<std::string, std::size_t>& sessions) {
  const Policy& decides = *want.policies.front();
  SessionRequest session{.name = name,
                         .policy = {},
                         .switch_name = want.at->switch_name,
                         .port = want.at->port,
                         .direction = Direction::none,
                         .snaplen = decides.snaplen,
                         .vlans = decides.vlans,
                         .filter = decides.filter,
                         .target = want.target};
  for (const Policy* p : want.policies) {
    if (p->priority == decides.priority && !agree(*p, decides)) {
      SessionRequest refused = session;
      refused.name = name + "/" + p->name;
      refused.policy = p->name;
      refused.direction = p->direction;
      refused.snaplen = p->snaplen;
      refused.vlans = p->vlans;
      refused.filter = p->filter;
      out.where.emplace(refused.name, *want.at);
      out.refused.push_back({std::move(refused),
                             {Error::Kind::refused,
                              words(*p) + " contradicts policy `" + decides.name + "` (" +
                                  words(decides) + ") at the same priority",
                              name, "give one of them a higher priority"}});
      continue;
    }
    session.policy += (session.policy.empty() ? "" : "+") + p->name;
    session.direction = session.direction | p->direction;
    ++sessions[p->name];
  }
  out.where.emplace(name, *want.at);
  out.desired.sessions.push_back(std::move(session));
}

/// What became of one policy.
PolicyStatus status_of(const Policy& policy, Time now, std::size_t sessions, const Wish& wish) {
  PolicyStatus status{policy.name, PolicyState::in_force, {}, sessions};
  const auto refusal = std::ranges::find(wish.refused, policy.name,
                                         [](const Refusal& r) { return r.request.policy; });
  if (policy.expires && *policy.expires <= now) {
    status.state = PolicyState::expired;
    status.reason = "it expired at " + format_time(*policy.expires).substr(0, 19) + "Z";
  } else if (refusal != wish.refused.end()) {
    status.state = PolicyState::refused;
    status.reason = refusal->reason.text();
  } else if (sessions == 0) {
    status.state = PolicyState::selects_nothing;
    status.reason = "no NIC on this host matches its selectors";
  } else {
    status.reason = std::to_string(sessions) + (sessions == 1 ? " session" : " sessions");
  }
  return status;
}

std::map<Key, Want> collect(const std::vector<const Policy*>& ordered, const Locations& locations,
                            const std::optional<Mac>& monitor_nic) {
  std::map<Key, Want> wants;
  for (const Policy* policy : ordered)
    for (const Location& at : locations) {
      if (std::ranges::none_of(policy->select, [&](const Selector& s) { return selects(s, at); }))
        continue;
      for (const Target& asked : policy->targets) {
        const Target target = resolve(asked, monitor_nic);
        Want& want = wants[{at.switch_name, at.port, target}];
        want.at = &at;
        want.target = target;
        if (want.policies.empty() || want.policies.back() != policy)
          want.policies.push_back(policy);
      }
    }
  return wants;
}

}  // namespace

Wish desired(std::span<const Policy> policies, const Locations& locations, Time now,
             const std::optional<Mac>& monitor_nic) {
  std::vector<const Policy*> ordered;
  for (const Policy& p : policies)
    if (!p.expires || *p.expires > now) ordered.push_back(&p);
  std::ranges::sort(ordered, [](const Policy* a, const Policy* b) {
    return a->priority != b->priority ? a->priority > b->priority : a->name < b->name;
  });

  std::map<std::string, std::set<std::string>> switches_of_port;
  for (const Location& at : locations) switches_of_port[at.port].insert(at.switch_name);

  Wish out;
  std::map<std::string, int> used;
  std::map<std::string, std::size_t> sessions;  // Of each policy.
  for (const auto& [key, want] : collect(ordered, locations, monitor_nic)) {
    std::string name = want.at->port + "@" + to_text(want.target);
    if (switches_of_port[want.at->port].size() > 1) name = want.at->switch_name + "/" + name;
    if (const int n = ++used[name]; n > 1) name += "~" + std::to_string(n);
    serve(want, name, out, sessions);
  }

  for (const Policy& p : policies) out.policies.push_back(status_of(p, now, sessions[p.name], out));
  std::ranges::sort(out.policies, {}, &PolicyStatus::name);
  return out;
}

}  // namespace vmirror
