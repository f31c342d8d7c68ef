#include "agent/app/prune.hpp"

#include "agent/app/config.hpp"
#include "agent/control/loop/prune.hpp"
#include "agent/control/policy/policy_file.hpp"

namespace vmirror {

Result<std::vector<Step>> prune_by_config(const std::string& path) {
  const auto config = load_config(path);
  if (!config) return tl::unexpected(config.error());
  if (!config->driver)
    return fail(Error::Kind::invalid, "this configuration drives no switch", path,
                "name one that has `switch`");
  const PolicyFolder folder = read_policies(config->policies);
  if (const auto error = folder.first_error()) return tl::unexpected(*error);
  const auto driver = make_driver(*config->driver);
  if (!driver) return tl::unexpected(driver.error());
  return prune(**driver, {.host = config->host, .monitor_nic = config->monitor_nic},
               folder.policies());
}

}  // namespace vmirror
