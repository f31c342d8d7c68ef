// Counts of copies over the agents' link: a collector reports how many copies it received, so that
// the senders know whether their copies arrive. One thread: the daemon's main
// thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/control/peers/peers.hpp"
#include "agent/model/copies.hpp"

namespace vmirror {

struct CollectorLinkOptions {
  std::vector<Peer> peers;    ///< The agents of other hosts, by the addresses of their links.
  bool takes_copies = false;  ///< This daemon has inputs of its own, and reports their counts.
};

class CollectorLink {
 public:
  /// `peers` may be null: then no reports are sent or received.
  CollectorLink(CollectorLinkOptions options, Peers* peers);

  void on_peer_up(const std::string& host, Time now);
  void on_peer_down(const std::string& host, Time now);
  /// Ignores a body that is no report; the log says so once.
  void on_message(const std::string& host, const std::string& body, Time now);
  /// True: this daemon reports to its peers.
  bool tells() const { return peers_ != nullptr && options_.takes_copies; }
  /// Reports to the peers. To be called once a second if `tells()`.
  void tell(std::map<CopiesKey, Copies> sessions);
  /// The reports of the peers, by the addresses under which the peers are reached.
  Collectors collectors() const;

 private:
  const CollectorLinkOptions options_;
  Peers* const peers_;
  std::map<std::string, Collector> known_;      ///< By host.
  std::map<std::string, CopiesReport> told_;    ///< By linked host: the latest report to it.
  std::map<std::string, std::string> refused_;  ///< By host: why its latest message was refused.
};

}  // namespace vmirror
