// What may be asked of the link, and the words for what may not.
#include <set>

#include "agent/control/peers/link.hpp"
#include "agent/control/peers/peers.hpp"

namespace vmirror {
namespace {

constexpr std::size_t kMaxMessage = std::size_t{1} << 30;

Result<void> check_name(const std::string& host) {
  if (!host.empty() && host.size() <= kMaxPeerHost) return {};
  return fail(Error::Kind::invalid, "a host's name has 1 to 255 characters", "peers",
              "write the name that the agent there calls itself");
}

/// What goes over a network in the clear was asked for by name.
Result<void> check_secrecy(const PeersOptions& options, const PeerEndpoint& endpoint,
                           const std::string& use) {
  if (options.tls || options.insecure || endpoint.is_loopback()) return {};
  return fail(Error::Kind::invalid,
              use + " " + endpoint.text() +
                  " without TLS would be neither encrypted nor "
                  "authenticated",
              "peers", "set `tls`, or `insecure: true` on a network where nobody else is");
}

}  // namespace

Result<void> check(const PeersOptions& options) {
  if (const auto ok = check_name(options.host); !ok) return ok;
  const PeerLimits& limits = options.limits;
  if (limits.message_bytes < 1 || limits.message_bytes > kMaxMessage ||
      limits.queue_bytes < limits.message_bytes + PeerMessage::kOverhead)
    return fail(Error::Kind::invalid, "a message has 1 byte to 1 GiB, and fits into the queue",
                "peers", "raise the queue's bound, or lower the message's");
  if (options.listen)
    if (const auto ok = check_secrecy(options, *options.listen, "listening on"); !ok) return ok;
  std::set<std::string> seen;
  for (const Peer& peer : options.peers) {
    if (const auto ok = check_name(peer.host); !ok) return ok;
    if (!seen.insert(peer.host).second)
      return fail(Error::Kind::invalid, "host `" + peer.host + "` is given twice", "peers",
                  "keep one of them");
    if (peer.host < options.host && !options.listen)
      return fail(Error::Kind::invalid,
                  "`" + peer.host + "` dials `" + options.host + "`, which listens nowhere",
                  "peers",
                  "set `listen: IP:PORT`; of two hosts the one whose name sorts first dials");
    if (peer.host == options.host) continue;
    if (peer.endpoint.port == 0 || peer.endpoint.address.empty())
      return fail(Error::Kind::invalid, "host `" + peer.host + "` has no address and port", "peers",
                  "write its IP address, and a port of 1 to 65535");
    if (const auto ok = check_secrecy(options, peer.endpoint, "dialing"); !ok) return ok;
  }
  return {};
}

}  // namespace vmirror
