#include "agent/app/prune.hpp"

#include "agent/app/config.hpp"
#include "agent/control/loop/prune.hpp"
#include "agent/control/policy/policy_file.hpp"

namespace vmirror {

namespace {

/// `everything`: what policies ask for, too.
Result<std::vector<Step>> take_away(const std::string& path, bool everything) {
  const auto config = load_config(path);
  if (!config) return tl::unexpected(config.error());
  if (!config->driver)
    return fail(Error::Kind::invalid, "this configuration drives no switch", path,
                "name one that has `switch`");
  const PolicyFolder folder = read_policies(config->policies);
  if (const auto error = folder.first_error(); error && !everything) return tl::unexpected(*error);
  const auto driver = make_driver(*config->driver);
  if (!driver) return tl::unexpected(driver.error());
  return prune(**driver, {.host = config->host, .monitor_nic = config->monitor_nic},
               everything ? std::vector<Policy>{} : folder.policies());
}

}  // namespace

Result<std::vector<Step>> prune_by_config(const std::string& path) {
  return take_away(path, false);
}

Result<std::vector<Step>> drain_by_config(const std::string& path) {
  return take_away(path, true);
}

}  // namespace vmirror
