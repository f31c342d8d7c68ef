#include "agent/app/prune.hpp"

#include "agent/api/http.hpp"
#include "agent/app/config.hpp"
#include "agent/control/loop/prune.hpp"
#include "agent/control/policy/policy_file.hpp"
#include "agent/control/policy/terms.hpp"
#include "agent/control/store/kept.hpp"

namespace vmirror {

namespace {

/// What the folder and the store ask for; of the store's, as the daemon knew them last.
Result<PolicyFolder> asked_by(const Config& config) {
  const PolicyFolder folder = read_policies(config.policies);
  if (!config.store) return folder;
  const std::string path = kept_path(config.state);
  const auto kept = read_kept(path);
  if (!kept) return tl::unexpected(kept.error());
  if (!*kept)
    return fail(Error::Kind::missing, "it isn't known here what the store's policies ask for", path,
                "start the daemon once while the store can be reached");
  return compose(folder, policy_files((*kept)->policies, {}));
}

/// `everything`: what policies ask for, too.
Result<std::vector<Step>> take_away(const std::string& path, bool everything) {
  const auto config = load_config(path);
  if (!config) return tl::unexpected(config.error());
  if (!config->driver)
    return fail(Error::Kind::invalid, "this configuration drives no switch", path,
                "name one that has `switch`");
  // It would put back what is taken away, or count it as others' doing.
  if (http_call(config->socket, {}, std::chrono::seconds(1)))
    return fail(Error::Kind::refused, "a daemon runs with this configuration", config->socket,
                everything
                    ? "without --config the daemon drains itself; or stop vmirrord first"
                    : "without --config the daemon prunes by itself; or stop vmirrord first");
  const auto asked = everything ? PolicyFolder{} : asked_by(*config);
  if (!asked) return tl::unexpected(asked.error());
  if (const auto error = asked->first_error()) return tl::unexpected(*error);
  const auto driver = make_driver(*config->driver);
  if (!driver) return tl::unexpected(driver.error());
  std::vector<Policy> policies = asked->policies();
  Terms().set_ends(policies, wall_clock(), boot_clock());
  return prune(**driver, {.host = config->host, .monitor_nic = config->monitor_nic}, policies);
}

}  // namespace

Result<std::vector<Step>> prune_by_config(const std::string& path) {
  return take_away(path, false);
}

Result<std::vector<Step>> drain_by_config(const std::string& path) {
  return take_away(path, true);
}

}  // namespace vmirror
