// The guests that have ports on this host, as the tracker wants to see them, kept by what each
// round changed: a change costs what its guest has, not what the host has. One thread.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/affinity/guest_view.hpp"
#include "agent/model/guest.hpp"
#include "agent/reconcile/reconciler.hpp"

namespace vmirror {

class GuestViews {
 public:
  /// Follows a round; returns the keys of the guests that it may have changed.
  std::set<std::string> follow(const RoundChanges& changes);
  /// Follows the hypervisor; returns the keys of guests with ports here that changed.
  std::set<std::string> follow(std::shared_ptr<const Guests> guests);

  /// Without ports: as it is told when the last of them went.
  GuestView view(const std::string& key) const;
  /// Its NICs here, and until `forget` those that went.
  std::vector<Location> nics(const std::string& key) const;
  /// Forgets the NICs that went, and guests without ports and mirrors, of all that aren't in `but`:
  /// a leaving guest loses its ports one by one, and its counters are wanted to the end.
  void forget(const std::vector<std::string>& but);

 private:
  struct Entry {
    std::map<PortKey, Location> ports;
    std::map<std::string, SessionStatus> sessions;
    std::vector<Location> had;  ///< The latest ports that it had.
    Time since = 0;             ///< When the first of `ports` came.
    void hold_ports();          ///< As the latest.
  };
  void give(const PortKey& port, const std::string& key, std::set<std::string>& touched);
  void tidy(const PortKey& port);
  const Guest* guest(const std::string& key) const;

  std::map<std::string, Entry> guests_;         ///< By GuestView::key().
  std::map<PortKey, std::string> key_of_port_;  ///< Of sessions whose port went already, too.
  std::shared_ptr<const Guests> told_;
};

}  // namespace vmirror
