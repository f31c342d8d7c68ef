#include "agent/control/loop/prune.hpp"

#include <algorithm>

#include "agent/control/affinity/locate.hpp"
#include "agent/control/reconcile/resolve.hpp"
#include "plugin/api/diff.hpp"

namespace vmirror {
namespace {

using Steps = std::vector<Step>;

Steps plan(const Driver& driver, const PruneOptions& options, const std::vector<Policy>& policies,
           const Observed& world) {
  const auto realise = [&](const Desired& d, const Observed& o) { return driver.realise(d, o); };
  const Agreed agreed = agree(policies, locate(world, nullptr, options.host), wall_clock(),
                              options.monitor_nic, world, realise);
  return diff(agreed.realisation, world);
}

bool has_all(const PersistentSet<std::string>& of, const PersistentSet<std::string>& ports) {
  return std::ranges::includes(of, ports);
}

/// True for a step that only takes away.
bool takes_away(const Step& step, const Observed& world) {
  if (std::holds_alternative<RemoveMirror>(step.change) ||
      std::holds_alternative<RemovePort>(step.change))
    return true;
  const Switch& sw = world.switches.at(step.switch_name());
  if (const auto* vlans = std::get_if<PutUnlearnedVlans>(&step.change))
    return std::ranges::includes(sw.owned_unlearned_vlans, vlans->vlans);
  if (const auto* off = std::get_if<PutKeptOff>(&step.change)) return off->vlans.empty();
  const auto* put = std::get_if<PutMirror>(&step.change);
  if (put == nullptr) return false;
  const auto is = sw.mirrors.find(put->mirror.name);
  return is != sw.mirrors.end() && is->second.owned &&
         has_all(is->second.in_ports, put->mirror.in_ports) &&
         has_all(is->second.out_ports, put->mirror.out_ports);
}

}  // namespace

Result<Steps> prune(Driver& driver, const PruneOptions& options,
                    const std::vector<Policy>& policies) {
  const auto world = driver.observe();
  if (!world) return tl::unexpected(world.error());
  Steps steps = plan(driver, options, policies, **world);
  std::erase_if(steps, [&](const Step& step) { return !takes_away(step, **world); });
  if (steps.empty()) return steps;
  const auto done = driver.apply(steps);
  if (!done) return tl::unexpected(done.error());
  return steps;
}

}  // namespace vmirror
