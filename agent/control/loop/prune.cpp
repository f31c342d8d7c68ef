#include "agent/app/direct.hpp"

#include <algorithm>

#include "agent/control/affinity/locate.hpp"
#include "agent/control/policy/policy_file.hpp"
#include "agent/control/reconcile/desired.hpp"
#include "plugin/api/plan.hpp"

namespace vmirror {
namespace {

using Steps = std::vector<Step>;

Steps plan(const Driver& driver, const Config& config, const std::vector<Policy>& policies,
           const Observed& world) {
  const auto realise = [&](const Desired& d, const Observed& o) { return driver.realise(d, o); };
  const Agreed agreed = agree(policies, locate(world, nullptr, config.host), wall_clock(),
                              config.monitor_nic, world, realise);
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

/// Calls `act` with the configuration's driver and policies.
template <typename Act>
Result<Steps> with(const Config& config, Act act) {
  if (!config.driver)
    return fail(Error::Kind::invalid, "this configuration drives no switch", config.host,
                "name one that has `switch`");
  const PolicyFolder folder = read_policies(config.policies);
  if (const auto error = folder.first_error()) return tl::unexpected(*error);
  const auto driver = make_driver(*config.driver);
  if (!driver) return tl::unexpected(driver.error());
  return act(**driver, config, folder.policies());
}

}  // namespace

Result<Steps> plan_directly(Driver& driver, const Config& config,
                            const std::vector<Policy>& policies) {
  const auto world = driver.observe();
  if (!world) return tl::unexpected(world.error());
  return plan(driver, config, policies, **world);
}

Result<Steps> prune_directly(Driver& driver, const Config& config,
                             const std::vector<Policy>& policies) {
  const auto world = driver.observe();
  if (!world) return tl::unexpected(world.error());
  Steps steps = plan(driver, config, policies, **world);
  std::erase_if(steps, [&](const Step& step) { return !takes_away(step, **world); });
  if (steps.empty()) return steps;
  const auto done = driver.apply(steps);
  if (!done) return tl::unexpected(done.error());
  return steps;
}

Result<Steps> prune_directly(const Config& config) {
  return with(config, [](auto&&... arguments) { return prune_directly(arguments...); });
}

}  // namespace vmirror
