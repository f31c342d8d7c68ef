// A migration that the agent asks for.
#include <future>

#include "agent/control/libvirt/event_loop.hpp"
#include "agent/control/libvirt/library.hpp"
#include "agent/control/libvirt/link.hpp"

namespace vmirror {
namespace {

std::string reason() {
  const virErrorPtr error = vir().GetLastError();
  return error && error->message ? error->message : "no reason given";
}

/// From here to there: defined there if it is defined here, and no longer here.
unsigned flags_for(virDomainPtr domain, bool live) {
  unsigned flags = VIR_MIGRATE_PEER2PEER;
  if (live) flags |= VIR_MIGRATE_LIVE;
  if (vir().DomainIsPersistent(domain) == 1)
    flags |= VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE;
  return flags;
}

/// The host of "qemu+tcp://host:port/system?..."; empty where there is none.
std::string host_of(const std::string& uri) {
  const std::size_t scheme = uri.find("://");
  if (scheme == uri.npos) return {};
  std::string host = uri.substr(scheme + 3, uri.find_first_of("/?", scheme + 3) - scheme - 3);
  if (const std::size_t user = host.find('@'); user != host.npos) host.erase(0, user + 1);
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

}  // namespace

Result<void> migrate_domain(const std::string& uri, const std::string& uuid,
                            const std::string& destination, const MigrateOptions& options) {
  if (const auto& library = libvirt_library(); !library) return tl::unexpected(library.error());
  const std::shared_ptr<EventLoop> loop = EventLoop::get();
  const std::unique_ptr<virConnect, decltype(&virConnectClose)> connection(
      vir().ConnectOpen(uri.c_str()), vir().ConnectClose);
  if (!connection) return fail(Error::Kind::unreachable, reason(), uri);
  const std::unique_ptr<virDomain, decltype(&virDomainFree)> domain(
      vir().DomainLookupByUUIDString(connection.get(), uuid.c_str()), vir().DomainFree);
  if (!domain) return fail(Error::Kind::missing, reason(), "guest " + uuid);

  // Without it the destination names itself, by a host name that may not resolve here.
  const std::string host = host_of(destination);
  const std::string memory_uri = "tcp://" + host;
  virTypedParameterPtr parameters = nullptr;
  int count = 0, room = 0;
  if (!host.empty())
    vir().TypedParamsAddString(&parameters, &count, &room, VIR_MIGRATE_PARAM_URI,
                               memory_uri.c_str());
  auto call = std::async(std::launch::async, [&]() -> Result<void> {
    const unsigned flags = flags_for(domain.get(), options.live);
    if (vir().DomainMigrateToURI3(domain.get(), destination.c_str(), parameters,
                                  static_cast<unsigned>(count), flags) == 0)
      return {};
    return fail(Error::Kind::refused, reason(), "migration of " + uuid + " to " + destination);
  });
  bool late = false;
  if (options.timeout.count() > 0 && call.wait_for(options.timeout) == std::future_status::timeout)
    late = vir().DomainAbortJob(domain.get()) == 0;
  Result<void> result = call.get();
  vir().TypedParamsFree(parameters, count);
  if (!result && late)
    result.error().what =
        "aborted after " + std::to_string(options.timeout.count()) + " s: " + result.error().what;
  return result;
}

}  // namespace vmirror
