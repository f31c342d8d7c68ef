#include "agent/reconcile/wishes.hpp"

#include <algorithm>

namespace vmirror {
namespace {

/// One target of a NIC, and the policies that want it, the one that decides first.
struct Want {
  Target target;
  std::vector<const Policy*> policies;
};

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
void serve(const Location& at, const Want& want, const std::string& name, PortWish& out) {
  const Policy& decides = *want.policies.front();
  SessionRequest session{.name = name,
                         .policy = {},
                         .switch_name = at.switch_name,
                         .port = at.port,
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
      out.refused.push_back({std::move(refused),
                             {Error::Kind::refused,
                              words(*p) + " contradicts policy `" + decides.name + "` (" +
                                  words(decides) + ") at the same priority",
                              name, "give one of them a higher priority"}});
      continue;
    }
    session.policy += (session.policy.empty() ? "" : "+") + p->name;
    session.direction = session.direction | p->direction;
    ++out.of_policy[p->name];
  }
  out.sessions.push_back(std::move(session));
}

}  // namespace

void Wishes::set_policies(std::vector<Policy> policies) {
  policies_ = std::move(policies);
  anew_ = true;
}

std::vector<const Policy*> Wishes::in_force(Time now) const {
  std::vector<const Policy*> out;
  for (const Policy& p : policies_)
    if (!p.expires || *p.expires > now) out.push_back(&p);
  std::ranges::sort(out, [](const Policy* a, const Policy* b) {
    return a->priority != b->priority ? a->priority > b->priority : a->name < b->name;
  });
  return out;
}

PortWish Wishes::wish(const Location& at) const {
  PortWish out;
  if (at.presence == Presence::gone) return out;
  std::map<Target, Want> wants;
  for (const Policy* policy : in_force_) {
    if (std::ranges::none_of(policy->select, [&](const Selector& s) { return selects(s, at); }))
      continue;
    for (const Target& asked : policy->targets) {
      const Target target = resolve(asked, monitor_nic_);
      Want& want = wants[target];
      want.target = target;
      if (want.policies.empty() || want.policies.back() != policy) want.policies.push_back(policy);
    }
  }
  const bool alone = of_name_.at(at.port).size() == 1;
  std::map<std::string, int> used;
  for (const auto& [target, want] : wants) {
    std::string name = (alone ? "" : at.switch_name + "/") + at.port + "@" + to_text(target);
    if (const int n = ++used[name]; n > 1) name += "~" + std::to_string(n);
    serve(at, want, name, out);
  }
  return out;
}

void Wishes::replace(const PortKey& port, PortWish wish) {
  PortWish& is = ports_[port];
  if (is == wish) {
    if (is.sessions.empty() && is.refused.empty()) ports_.erase(port);
    return;
  }
  for (const auto& [policy, n] : is.of_policy) tallies_[policy].sessions -= n;
  for (const auto& [policy, n] : wish.of_policy) tallies_[policy].sessions += n;
  for (const Refusal& r : is.refused) {
    tallies_[r.request.policy].refusals.erase(r.request.name);
    refused_.erase(r.request.name);
  }
  for (const Refusal& r : wish.refused) {
    tallies_[r.request.policy].refusals[r.request.name] = r.reason.text();
    refused_.set(r.request.name, r);
  }
  for (const SessionRequest& s : is.sessions)
    if (std::ranges::find(wish.sessions, s.name, &SessionRequest::name) == wish.sessions.end())
      sessions_.erase(s.name);
  for (const SessionRequest& s : wish.sessions) sessions_.set(s.name, s);
  is = std::move(wish);
  if (is.sessions.empty() && is.refused.empty()) ports_.erase(port);
}

void Wishes::update(const LocationMap& locations, Time now) {
  std::set<PortKey> touched;
  diff(locations_, locations, [&](const PortKey& key, const Location* was, const Location* is) {
    touched.insert(key);
    if (was && is) return;
    std::set<PortKey>& same_name = of_name_[key.port];
    // A port that is no longer, or was, the only one of its name gets or loses its switch's name.
    if (same_name.size() < 3) touched.insert(same_name.begin(), same_name.end());
    if (is)
      same_name.insert(key);
    else
      same_name.erase(key);
    if (same_name.empty()) of_name_.erase(key.port);
  });
  locations_ = locations;
  now_ = now;
  std::vector<const Policy*> in_force = this->in_force(now);
  if (anew_ || in_force != in_force_) {
    for (const auto& [key, at] : locations_) touched.insert(key);
    anew_ = false;
  }
  in_force_ = std::move(in_force);
  // What goes goes first: one port's session may have the name that another's had.
  for (const PortKey& key : touched) {
    const Location* at = locations_.get(key);
    if (const auto is = ports_.find(key); is != ports_.end() && (!at || wish(*at) != is->second))
      replace(key, {});
  }
  for (const PortKey& key : touched)
    if (const Location* at = locations_.get(key)) replace(key, wish(*at));
}

const PortWish& Wishes::of(const PortKey& port) const {
  static const PortWish none;
  const auto it = ports_.find(port);
  return it == ports_.end() ? none : it->second;
}

std::vector<PolicyStatus> Wishes::policies() const {
  std::vector<PolicyStatus> out;
  for (const Policy& policy : policies_) {
    const auto it = tallies_.find(policy.name);
    const Tally tally = it == tallies_.end() ? Tally{} : it->second;
    PolicyStatus status{policy.name, PolicyState::in_force, {}, tally.sessions};
    if (policy.expires && *policy.expires <= now_) {
      status.state = PolicyState::expired;
      status.reason = "it expired at " + format_time(*policy.expires).substr(0, 19) + "Z";
    } else if (!tally.refusals.empty()) {
      status.state = PolicyState::refused;
      status.reason = tally.refusals.begin()->second;
    } else if (tally.sessions == 0) {
      status.state = PolicyState::selects_nothing;
      status.reason = "no NIC on this host matches its selectors";
    } else {
      status.reason =
          std::to_string(tally.sessions) + (tally.sessions == 1 ? " session" : " sessions");
    }
    out.push_back(std::move(status));
  }
  std::ranges::sort(out, {}, &PolicyStatus::name);
  return out;
}

}  // namespace vmirror
