#include "agent/app/rehearsal.hpp"

#include <net/if.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "agent/api/http.hpp"
#include "agent/confine/confine.hpp"
#include "agent/control/peers/tls.hpp"
#include "agent/control/policy/policy_file.hpp"

namespace vmirror {
namespace {

namespace fs = std::filesystem;

bool may_write(const std::string& path) {
  return ::access(path.c_str(), W_OK) == 0;
}

/// The folder, or the nearest one above it that is there, takes new files.
bool can_create(fs::path folder) {
  std::error_code ignored;
  while (!folder.empty() && !fs::exists(folder, ignored)) {
    if (folder == folder.parent_path()) return false;
    folder = folder.parent_path();
  }
  if (folder.empty()) folder = ".";
  return fs::is_directory(folder, ignored) && may_write(folder.string());
}

void rehearse_files(const Config& config, Rehearsal& out) {
  for (const SinkOptions& sink : config.eve) {
    const std::string& path = name(sink);
    const fs::path folder = fs::path(path).parent_path();
    std::error_code ignored;
    if (!fs::exists(folder, ignored))
      out.warnings.push_back({Error::Kind::missing, "the folder of this EVE output is missing",
                              path, "create " + folder.string()});
    else if (!may_write(fs::exists(path, ignored) ? path : folder.string()))
      out.warnings.push_back({Error::Kind::refused,
                              std::string("can't be written: ") + std::strerror(errno), path,
                              "run as root, or let this user write there"});
  }
  if (config.driver && !can_create(config.state))
    out.warnings.push_back({Error::Kind::refused, "the folder `state` can't be written",
                            config.state, "run as root, or let this user write there"});
  if (!can_create(fs::path(config.socket).parent_path()))
    out.errors.push_back({Error::Kind::refused, "the control socket can't be created",
                          config.socket, "run as root, or set `socket` in the configuration"});
  else if (http_call(config.socket, {}, std::chrono::seconds(1)))
    out.warnings.push_back({Error::Kind::refused, "a daemon answers here already", config.socket,
                            "stop it before the start"});
}

/// The store's policies as files; none where it can't be read.
std::vector<PolicyFile> rehearse_store(const StoreOptions& options, Rehearsal& out) {
  const auto link = StoreLink::start(options, wall_clock(), {});
  if (!link) {
    out.errors.push_back(link.error());
    return {};
  }
  const auto contents = (*link)->contents(wall_clock());
  if (contents) return policy_files(contents->policies, {});
  out.warnings.push_back(contents.error());
  return {};
}

void rehearse_policies(const Config& config, Rehearsal& out) {
  PolicyFolder folder = read_policies(config.policies);
  if (config.store) folder = compose(std::move(folder), rehearse_store(*config.store, out));
  if (folder.error) out.warnings.push_back(*folder.error);
  for (const PolicyFile& file : folder.files)
    if (file.error) out.warnings.push_back(*file.error);
}

void rehearse_switch(const Config& config, Rehearsal& out) {
  const auto driver = make_driver(*config.driver);
  if (!driver) {
    out.errors.push_back(driver.error());
    return;
  }
  if (const auto world = (*driver)->observe(); !world) out.warnings.push_back(world.error());
}

void rehearse_capture(const Config& config, Rehearsal& out) {
  if (!config.driver && config.inputs.empty()) return;
  const int probe = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (probe >= 0)
    ::close(probe);
  else
    out.warnings.push_back({Error::Kind::refused,
                            std::string("frames can't be captured: ") + std::strerror(errno), "",
                            "run as root, or with CAP_NET_RAW and CAP_NET_ADMIN"});
  for (const InputConfig& input : config.inputs) {
    std::vector<std::string> needed = input.interfaces();
    if (!input.reinject.empty()) needed.push_back(input.reinject);
    for (const std::string& interface : needed)
      if (::if_nametoindex(interface.c_str()) == 0)
        out.warnings.push_back({Error::Kind::missing, "there is no interface " + interface,
                                "inputs." + input.name, "it is waited for; see `ip link`"});
  }
}

}  // namespace

Rehearsal rehearse(const Config& config) {
  Rehearsal out;
  rehearse_files(config, out);
  // The rest as the user that the daemon will be. Its own folders root makes for it.
  if (const auto done = become(config.user); !done) {
    out.errors.push_back(done.error());
    return out;
  }
  if (config.driver) rehearse_policies(config, out);
  if (config.peers && config.peers->link.tls)
    if (const auto tls = make_tls(*config.peers->link.tls); !tls) out.errors.push_back(tls.error());
  if (config.driver) rehearse_switch(config, out);
  rehearse_capture(config, out);
  return out;
}

}  // namespace vmirror
