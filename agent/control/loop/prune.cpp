#include "agent/control/loop/prune.hpp"

#include <algorithm>
#include <chrono>

#include "agent/control/affinity/locate.hpp"
#include "agent/control/reconcile/resolve.hpp"
#include "plugin/api/diff.hpp"

namespace vmirror {
namespace {

using Steps = std::vector<Step>;

/// A switch may need seconds for what it was asked.
constexpr std::chrono::milliseconds kPatience{60'000};

Steps plan(const Driver& driver, const PruneOptions& options, const std::vector<Policy>& policies,
           const Observed& world) {
  const auto realise = [&](const Desired& d, const Observed& o) { return driver.realise(d, o); };
  const Agreed agreed = agree(policies, locate(world, nullptr, options.host), wall_clock(),
                              options.monitor_nic, world, realise);
  return diff(agreed.realisation.objects, world);
}

}  // namespace

Result<Steps> prune(Driver& driver, const PruneOptions& options,
                    const std::vector<Policy>& policies) {
  for (;;) {
    const auto world = driver.observe();
    if (!world) return tl::unexpected(world.error());
    Steps steps = plan(driver, options, policies, **world);
    std::erase_if(steps, [](const Step& step) { return !step.only_takes_away(); });
    if (steps.empty()) return steps;
    const auto done = carry_out(driver, steps, kPatience);
    if (!done) return tl::unexpected(done.error());
    if (*done) return steps;  // Else somebody else changed the switch meanwhile.
  }
}

}  // namespace vmirror
