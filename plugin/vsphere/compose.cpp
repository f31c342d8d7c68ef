#include "plugin/vsphere/compose.hpp"

#include <algorithm>

#include "plugin/vsphere/session_object.hpp"

namespace vmirror::vsphere {
namespace {

/// True where an edit would have to take something away: whether a field that is left out of an
/// edit stays is not known.
bool takes_fields_away(const VspanSession& is, const VspanSession& wanted) {
  return (!is.transmitted.empty() && wanted.transmitted.empty()) ||
         (!is.received.empty() && wanted.received.empty()) || (is.length && !wanted.length) ||
         (is.encapsulation_vlan && !wanted.encapsulation_vlan) ||
         (is.erspan_cos && !wanted.erspan_cos) || (!is.netstack.empty() && wanted.netstack.empty());
}

void add_changes(const Step& step, std::vector<VspanChange>& to) {
  using enum VspanChange::Operation;
  const auto* wanted = value_as<SessionValue>(step.value.get());
  const auto* seen = value_as<SessionValue>(step.seen.get());
  const bool anew = wanted && seen && takes_fields_away(seen->session, wanted->session);
  if (seen && (!wanted || anew)) to.push_back({remove, seen->session});
  if (!wanted) return;
  VspanSession session = wanted->session;
  if (seen && !anew) session.key = seen->session.key;
  to.push_back({seen && !anew ? edit : add, std::move(session)});
}

/// Of the host of `at`: those of ours that are in promiscuous mode.
std::vector<std::string> promiscuous_groups(const Observed& world, const StandardSwitch& at,
                                            const Places& places) {
  std::vector<std::string> out;
  for (const auto& [name, sw] : world.switches) {
    const StandardSwitch* other = places.standard_of(name);
    if (!other || other->host != at.host || other->vswitch != at.vswitch) continue;
    const ObjectKey first{name, kPromiscuousKind, {}};
    for (auto it = world.objects.lower_bound(first);
         it != world.objects.end() && it->first.switch_name == name &&
         it->first.kind == kPromiscuousKind;
         ++it)
      if (it->second.owned) out.push_back(it->first.name);
  }
  return out;
}

/// One step on a standard switch. None: another step has its effect.
std::optional<SpanStep> span_step(const Step& step, std::span<const Step> all,
                                  const Observed& world, const StandardSwitch& at,
                                  const Places& places) {
  using Kind = SpanStep::Kind;
  const bool removes = step.verb == Step::Verb::remove;
  const auto creates = [&](const char* kind) {
    const ObjectKey key{step.key.switch_name, kind, step.key.name};
    const auto it = std::ranges::find(all, key, &Step::key);
    return it != all.end() && it->verb == Step::Verb::create ? &*it : nullptr;
  };
  SpanStep out{.group = step.key.name};
  if (step.key.kind == kGroupKind) {
    if (const auto* value = value_as<GroupValue>(step.value.get())) out.vlan = value->vlan;
    out.kind = removes                           ? Kind::remove_group
               : step.verb == Step::Verb::create ? Kind::add_group
                                                 : Kind::set_vlan;
    // Made in promiscuous mode by one call: one that lacks it was then edited by somebody.
    if (out.kind == Kind::add_group && creates(kPromiscuousKind)) return std::nullopt;
  } else if (step.key.kind == kPromiscuousKind) {
    out.kind = removes ? Kind::reject : Kind::accept;
    if (const Step* group = removes ? nullptr : creates(kGroupKind)) {
      out.kind = Kind::add_group;
      out.accept = true;
      out.vlan = value_as<GroupValue>(group->value.get())->vlan;
    }
  } else if (step.key.kind == kAdapterKind) {
    const auto* adapter = value_as<AdapterValue>((removes ? step.seen : step.value).get());
    out = {.kind = Kind::move_adapter,
           .group = removes ? places.park : adapter->group,
           .machine = adapter->machine,
           .device = adapter->device};
  } else {
    out.kind = Kind::set_option;
    out.toggled = promiscuous_groups(world, at, places);
  }
  return out;
}

/// `rule`: with the key of the one that is there.
template <typename Value>
RuleChange rule_change(RuleChange::Operation operation, const Step& step) {
  const auto* wanted = value_as<Value>(step.value.get());
  const auto* seen = value_as<Value>(step.seen.get());
  auto rule = (wanted ? wanted : seen)->rule;
  if (seen) rule.key = seen->rule.key;
  return {operation, std::move(rule)};
}

RuleChange rule_change(const Step& step) {
  using enum RuleChange::Operation;
  const auto operation = !step.seen ? add : step.value ? edit : remove;
  if (step.key.kind == kRuleKind) return rule_change<RuleValue>(operation, step);
  if (step.key.kind == kHostRuleKind) return rule_change<HostRuleValue>(operation, step);
  return {operation, value_as<GroupOfCluster>((step.value ? step.value : step.seen).get())->group};
}

/// Where in `changes` that of `key` is, which is begun where there is none.
template <typename Change, typename Key>
Change& change_of(std::vector<Change>& changes, const Key& key, Key Change::*member, Change fresh) {
  const auto at = std::ranges::find(changes, key, member);
  return at == changes.end() ? changes.emplace_back(std::move(fresh)) : *at;
}

}  // namespace

Result<Changes> compose(std::span<const Step> steps, const Observed& world, const Places& places) {
  Changes out;
  for (const Step& step : steps) {
    if (const ObservedObject* is = world.objects.get(step.key); is && !is->owned)
      return fail(Error::Kind::refused, to_text(step.key) + " isn't ours", step.key.switch_name,
                  "rename that one, or ours");
    if (const StandardSwitch* standard =
            places.standard_of ? places.standard_of(step.key.switch_name) : nullptr) {
      const auto change = span_step(step, steps, world, *standard, places);
      if (!change) continue;
      change_of(out.standard, *standard, &SpanChange::at, {*standard, {}}).steps.push_back(*change);
      continue;
    }
    if (const Ref* cluster =
            places.cluster_of ? places.cluster_of(step.key.switch_name) : nullptr) {
      change_of(out.clusters, *cluster, &ClusterChange::cluster, {*cluster, {}})
          .changes.push_back(rule_change(step));
      continue;
    }
    const Ref* ref = places.ref_of(step.key.switch_name);
    if (!ref)
      return fail(Error::Kind::missing, "there is no such switch that could be changed",
                  step.key.switch_name);
    add_changes(step, change_of(out.distributed, *ref, &SwitchChange::distributed_switch,
                                {*ref, step.revision, {}})
                          .changes);
  }
  std::erase_if(out.distributed, [](const SwitchChange& change) { return change.changes.empty(); });
  return out;
}

}  // namespace vmirror::vsphere
