// What agents tell each other of copies, by the agents' link: a collector the counts of what it
// takes in, and who sends to it learns whether its copies arrive. One thread: the daemon's main
// one.
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
  bool takes_copies = false;  ///< This daemon has inputs of its own: it tells what comes there.
};

class CollectorLink {
 public:
  /// `peers` may be null: then nobody tells and nobody is told.
  CollectorLink(CollectorLinkOptions options, Peers* peers);

  void on_peer_up(const std::string& host, Time now);
  void on_peer_down(const std::string& host, Time now);
  /// What is no message of ours is passed over, and the log says so once.
  void on_message(const std::string& host, const std::string& body, Time now);
  /// True: peers are to be told what comes here.
  bool tells() const { return peers_ != nullptr && options_.takes_copies; }
  /// Tells the peers. To be called once a second, where it `tells`.
  void tell(std::map<CopiesKey, Copies> sessions);
  /// What the others told, by the addresses that they are reached under.
  Collectors collectors() const;

 private:
  const CollectorLinkOptions options_;
  Peers* const peers_;
  std::map<std::string, Collector> known_;      ///< By host.
  std::map<std::string, CopiesReport> told_;    ///< By host that is linked: what it was told last.
  std::map<std::string, std::string> refused_;  ///< By host: why its latest message was.
};

}  // namespace vmirror
