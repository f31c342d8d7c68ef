#include "agent/control/reconcile/policy_resolver.hpp"

#include <algorithm>
#include <utility>

namespace vmirror {
namespace {

Manner manner(const Policy& p) {
  return {p.snaplen, p.vlans, p.filter};
}

bool agree(const Policy& a, const Policy& b) {
  return manner(a) == manner(b);
}

std::string words(const Policy& p) {
  std::string vlans;
  for (const std::uint16_t vlan : p.vlans) vlans += " " + std::to_string(vlan);
  return "snaplen " + std::to_string(p.snaplen) + (vlans.empty() ? "" : ", vlans" + vlans) +
         (p.filter.empty() ? "" : ", filter " + to_text(p.filter));
}

Target with_monitor_nic(Target target, const std::optional<Mac>& monitor_nic) {
  if (auto* local = std::get_if<LocalTarget>(&target)) local->monitor_nic = monitor_nic;
  return target;
}

/// The policies of a want as one session has them: which one decides how it is mirrored, and whom
/// the driver refused before.
struct Choice {
  std::size_t decides = 0;
  std::map<const Policy*, const Error*> refused;
  bool last = true;  ///< No policy after it wants another manner.
};

Choice choose(const TargetClaim& claim, const RefusedManners::mapped_type* refused) {
  Choice out;
  const auto why = [&](const Policy& p) -> const Error* {
    if (refused == nullptr) return nullptr;
    const auto it = std::ranges::find(*refused, manner(p), [](const auto& r) { return r.first; });
    return it == refused->end() ? nullptr : &it->second;
  };
  const auto served =
      std::ranges::find_if(claim.policies, [&](const Policy* p) { return why(*p) == nullptr; });
  // Where the driver refuses all, the first is as good as any, and its verdict says why.
  if (served == claim.policies.end()) return out;
  out.decides = static_cast<std::size_t>(served - claim.policies.begin());
  for (const Policy* p : claim.policies)
    if (const Error* error = why(*p)) out.refused[p] = error;
  out.last = std::ranges::all_of(served, claim.policies.end(), [&](const Policy* p) {
    return agree(*p, **served) || out.refused.contains(p);
  });
  return out;
}

Session refused_session(const Session& session, const Policy& p) {
  Session out = session;
  out.name = session.name + "/" + p.name;
  out.policy = p.name;
  out.direction = p.direction;
  out.snaplen = p.snaplen;
  out.vlans = p.vlans;
  out.filter = p.filter;
  return out;
}

/// The one want of a NIC without a port. One refusal for each policy: each is told of it.
void refuse(const Location& at, const TargetClaim& claim, const std::string& name,
            ResolvedPort& out) {
  Session session;
  session.name = name;
  session.switch_name = at.switch_name;
  session.port = at.port;
  session.target = claim.target;
  for (const Policy* p : claim.policies) {
    Refusal& refusal = out.refused.emplace_back();
    refusal.session = refused_session(session, *p);
    if (p == claim.policies.front()) refusal.session.name = name;
    refusal.reason = *at.no_port;
    refusal.reason.where = refusal.session.name;
  }
}

/// One of its selectors asks for a MAC, and nothing else speaks against the NIC.
bool selects_but_for_mac(const Policy& policy, const Location& at) {
  return std::ranges::any_of(policy.select, [&](Selector s) {
    return !std::exchange(s.mac, {}).empty() && selects(s, at);
  });
}

bool is_empty(const ResolvedPort& resolved) {
  return resolved.sessions.empty() && resolved.refused.empty() && resolved.unsure.empty();
}

}  // namespace

void PolicyResolver::set_policies(std::vector<Policy> policies) {
  policies_ = std::move(policies);
  anew_ = true;
}

std::vector<const Policy*> PolicyResolver::in_force(Time now) const {
  std::vector<const Policy*> out;
  for (const Policy& p : policies_)
    if (!p.expires || *p.expires > now) out.push_back(&p);
  std::ranges::sort(out, [](const Policy* a, const Policy* b) {
    return a->priority != b->priority ? a->priority > b->priority : a->name < b->name;
  });
  return out;
}

/// The session of one want; policies that the one which decides contradicts are refused instead.
/// Without room in a budget all are.
void PolicyResolver::serve(const Location& at, const TargetClaim& claim, const std::string& name,
                           ResolvedPort& out) const {
  const RefusedManners::mapped_type* refused = nullptr;
  if (const auto of_port = refused_manners_.find({at.switch_name, at.port});
      of_port != refused_manners_.end())
    if (const auto of_name = of_port->second.find(name); of_name != of_port->second.end())
      refused = &of_name->second;
  const Choice choice = choose(claim, refused);
  const Policy& decides = *claim.policies[choice.decides];
  Session session{.name = name,
                  .policy = {},
                  .switch_name = at.switch_name,
                  .port = at.port,
                  .direction = Direction::none,
                  .snaplen = decides.snaplen,
                  .vlans = decides.vlans,
                  .filter = decides.filter,
                  .target = claim.target};
  std::vector<const Policy*> served;
  for (const Policy* p : claim.policies) {
    if (const auto it = choice.refused.find(p); it != choice.refused.end()) {
      Error why = *it->second;
      why.what = words(*p) + " can't be had: " + why.what + "; policy `" + decides.name + "` (" +
                 words(decides) + ") decides";
      out.refused.push_back({refused_session(session, *p), std::move(why)});
    } else if (p->priority == decides.priority && !agree(*p, decides)) {
      out.refused.push_back({refused_session(session, *p),
                             {Error::Kind::refused,
                              words(*p) + " contradicts policy `" + decides.name + "` (" +
                                  words(decides) + ") at the same priority",
                              name, "give one of them a higher priority"}});
    } else {
      session.policy += (session.policy.empty() ? "" : "+") + p->name;
      session.direction = session.direction | p->direction;
      served.push_back(p);
    }
  }
  out.claims.push_back({.session = name,
                        .port = {at.switch_name, at.port},
                        .target = claim.target,
                        .direction = session.direction,
                        .snaplen = session.snaplen,
                        .priority = decides.priority,
                        .truncate = decides.truncate});
  const BudgetCut* cut = cut_of(name);
  if (cut != nullptr && cut->snaplen == 0) {
    for (const Policy* p : served) {
      Refusal& refusal = out.refused.emplace_back();
      refusal.session = refused_session(session, *p);
      if (p == served.front()) refusal.session.name = name;
      refusal.reason = {Error::Kind::refused, cut->reason, name,
                        "see `vmirror status`, Budgets; raise the budget, or the priority, or set "
                        "`over_budget: {truncate: 128}`"};
    }
    return;
  }
  if (cut != nullptr) session.snaplen = cut->snaplen;
  for (const Policy* p : served) ++out.of_policy[p->name];
  if (!choice.last || !choice.refused.empty()) out.contested.insert(name);
  out.sessions.push_back(std::move(session));
}

ResolvedPort PolicyResolver::resolve(const Location& at) const {
  ResolvedPort out;
  if (at.presence == Presence::gone) return out;
  std::map<Target, TargetClaim> claims;
  for (const Policy* policy : in_force_) {
    if (std::ranges::none_of(policy->select, [&](const Selector& s) { return selects(s, at); })) {
      if (!at.mac_unknown.empty() && selects_but_for_mac(*policy, at))
        out.unsure[policy->name] = "`mac` can't be compared with port " + at.port +
                                   ": its external_ids have none, and " + at.mac_unknown;
      continue;
    }
    for (const Target& asked : policy->targets) {
      const Target target = with_monitor_nic(asked, monitor_nic_);
      TargetClaim& claim = claims[target];
      claim.target = target;
      if (claim.policies.empty() || claim.policies.back() != policy)
        claim.policies.push_back(policy);
    }
  }
  const bool alone = of_name_.at(at.port).size() == 1;
  std::map<std::string, int> used;
  for (const auto& [target, claim] : claims) {
    std::string name =
        (alone || at.no_port ? "" : at.switch_name + "/") + at.port + "@" + to_text(target);
    if (const int n = ++used[name]; n > 1) name += "~" + std::to_string(n);
    if (at.no_port)
      refuse(at, claim, name, out);
    else
      serve(at, claim, name, out);
  }
  return out;
}

void PolicyResolver::replace(const PortKey& port, ResolvedPort resolved) {
  ResolvedPort& is = ports_[port];
  if (is == resolved) {
    if (is_empty(is)) ports_.erase(port);
    return;
  }
  for (const auto& [policy, n] : is.of_policy) tallies_[policy].sessions -= n;
  for (const auto& [policy, n] : resolved.of_policy) tallies_[policy].sessions += n;
  for (const Refusal& r : is.refused) {
    tallies_[r.session.policy].refusals.erase(r.session.name);
    refused_.erase(r.session.name);
  }
  for (const Refusal& r : resolved.refused) {
    tallies_[r.session.policy].refusals[r.session.name] = r.reason.text();
    refused_.set(r.session.name, r);
  }
  for (const auto& [policy, why] : is.unsure) tallies_[policy].unsure.erase(port);
  for (const auto& [policy, why] : resolved.unsure) tallies_[policy].unsure[port] = why;
  for (const Session& s : is.sessions)
    if (std::ranges::find(resolved.sessions, s.name, &Session::name) == resolved.sessions.end())
      sessions_.erase(s.name);
  for (const Session& s : resolved.sessions) sessions_.set(s.name, s);
  for (const std::string& name : is.contested) contested_.erase(name);
  for (const std::string& name : resolved.contested) contested_[name] = port;
  unheeded_.insert(resolved.contested.begin(), resolved.contested.end());
  is = std::move(resolved);
  if (is_empty(is)) ports_.erase(port);
}

std::vector<BudgetClaim> PolicyResolver::claims() const {
  std::vector<BudgetClaim> out;
  for (const auto& [key, resolved] : ports_)
    out.insert(out.end(), resolved.claims.begin(), resolved.claims.end());
  return out;
}

void PolicyResolver::set_cuts(const BudgetCuts& cuts) {
  for (const auto& [name, cut] : cuts)
    if (const BudgetCut* was = cut_of(name); was == nullptr || *was != cut) recut_.insert(cut.port);
  for (const auto& [name, cut] : cuts_)
    if (!cuts.contains(name)) recut_.insert(cut.port);
  cuts_ = cuts;
}

const BudgetCut* PolicyResolver::cut_of(const std::string& session) const {
  const auto at = cuts_.find(session);
  return at == cuts_.end() ? nullptr : &at->second;
}

void PolicyResolver::update(const LocationMap& locations, Time now) {
  std::set<PortKey> touched = std::exchange(recut_, {});
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
  const bool time_is_up = now - heeded_at_ > kRefusedManner || now < heeded_at_;
  std::erase_if(refused_manners_, [&](const auto& of_port) {
    const bool again = anew_ || time_is_up || touched.contains(of_port.first);
    if (again) touched.insert(of_port.first);
    return again;
  });
  std::vector<const Policy*> in_force = this->in_force(now);
  ended_.clear();
  if (!anew_)
    for (const Policy* policy : in_force_)
      if (policy->expires && *policy->expires <= now) ended_.push_back(policy->name);
  if (anew_ || in_force != in_force_) {
    for (const auto& [key, at] : locations_) touched.insert(key);
    anew_ = false;
  }
  in_force_ = std::move(in_force);
  // What goes goes first: one port's session may have the name that another's had.
  for (const PortKey& key : touched) {
    const Location* at = locations_.get(key);
    if (const auto is = ports_.find(key); is != ports_.end() && (!at || resolve(*at) != is->second))
      replace(key, {});
  }
  for (const PortKey& key : touched)
    if (const Location* at = locations_.get(key)) replace(key, resolve(*at));
}

bool PolicyResolver::heed(const PersistentMap<std::string, Verdict>& verdicts) {
  std::set<std::string> names = std::exchange(unheeded_, {});
  diff(heeded_, verdicts, [&](const std::string& name, const Verdict*, const Verdict*) {
    if (!contested_.empty()) names.insert(name);
  });
  heeded_ = verdicts;
  std::set<PortKey> changed;
  for (const std::string& name : names) {
    const auto at = contested_.find(name);
    const Verdict* v = verdicts.get(name);
    if (at == contested_.end() || v == nullptr || !v->refused) continue;
    const PortKey& port = at->second;
    const Session& s = sessions_.at(name);
    if (refused_manners_.empty()) heeded_at_ = now_;
    refused_manners_[port][name].push_back({{s.snaplen, s.vlans, s.filter}, *v->refused});
    changed.insert(port);
  }
  for (const PortKey& port : changed) replace(port, resolve(locations_.at(port)));
  return !changed.empty();
}

const ResolvedPort& PolicyResolver::of(const PortKey& port) const {
  static const ResolvedPort none;
  const auto it = ports_.find(port);
  return it == ports_.end() ? none : it->second;
}

namespace {

/// The first of several reasons, and how many there are besides.
template <typename Map>
std::string first_of(const Map& reasons) {
  std::string out = reasons.begin()->second;
  if (const std::size_t n = reasons.size(); n > 1)
    out += "; and " + std::to_string(n - 1) + " more";
  return out;
}

}  // namespace

PolicyStatus PolicyResolver::status_of(const Policy& policy) const {
  static const Tally none;
  const auto it = tallies_.find(policy.name);
  const Tally& tally = it == tallies_.end() ? none : it->second;
  PolicyStatus status{policy.name, PolicyState::in_force, {}, tally.sessions};
  if (policy.expires && *policy.expires <= now_) {
    status.state = PolicyState::expired;
    status.reason = "it expired at " + format_time(*policy.expires).substr(0, 19) + "Z";
    return status;
  }
  if (!tally.refusals.empty()) {
    status.state = PolicyState::refused;
    status.reason = first_of(tally.refusals);
  } else if (tally.sessions == 0) {
    status.state = PolicyState::selects_nothing;
    status.reason = "no NIC on this host matches its selectors";
  } else {
    status.reason =
        std::to_string(tally.sessions) + (tally.sessions == 1 ? " session" : " sessions");
  }
  if (!tally.unsure.empty()) status.reason += "; " + first_of(tally.unsure);
  return status;
}

std::vector<PolicyStatus> PolicyResolver::policies() const {
  std::vector<PolicyStatus> out;
  for (const Policy& policy : policies_) out.push_back(status_of(policy));
  std::ranges::sort(out, {}, &PolicyStatus::name);
  return out;
}

}  // namespace vmirror
