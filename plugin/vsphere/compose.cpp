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

}  // namespace

Result<std::vector<SwitchChange>> compose(
    std::span<const Step> steps, const Observed& world,
    const std::function<const Ref*(const std::string&)>& ref_of) {
  std::vector<SwitchChange> out;
  for (const Step& step : steps) {
    if (const ObservedObject* is = world.objects.get(step.key); is && !is->owned)
      return fail(Error::Kind::refused, to_text(step.key) + " isn't ours", step.key.switch_name,
                  "rename that one, or ours");
    const Ref* ref = ref_of(step.key.switch_name);
    if (!ref)
      return fail(Error::Kind::missing, "there is no such distributed switch",
                  step.key.switch_name);
    auto at = std::ranges::find(out, *ref, &SwitchChange::distributed_switch);
    if (at == out.end()) at = out.insert(at, {*ref, step.revision, {}});
    add_changes(step, at->changes);
  }
  std::erase_if(out, [](const SwitchChange& change) { return change.changes.empty(); });
  return out;
}

}  // namespace vmirror::vsphere
