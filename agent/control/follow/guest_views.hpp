// The guests that have ports on this host, as the tracker wants to see them, kept by what each
// round changed: a change costs what its guest has, not what the host has. One thread.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/control/affinity/guest_view.hpp"
#include "agent/control/reconcile/reconciler.hpp"
#include "agent/model/guest.hpp"

namespace vmirror {

class GuestViews {
 public:
  static constexpr int kBeats = 2;

  /// Follows a round; returns the keys of the guests that it may have changed.
  std::set<std::string> follow(const RoundChanges& changes);
  /// Follows the hypervisor; returns the keys of guests with ports here that changed.
  std::set<std::string> follow(std::shared_ptr<const Guests> guests);

  /// Without ports: as it is told when the last of them went.
  GuestView view(const std::string& key) const;
  /// Its NICs here, and until `forget` those that went.
  std::vector<Location> nics(const std::string& key) const;
  /// To be called with each beat. Forgets the NICs that went kBeats ago, and guests without ports
  /// and mirrors, of all that aren't in `but`: a leaving guest loses its ports one by one, and its
  /// counters are wanted to the end.
  void forget(const std::vector<std::string>& but);

 private:
  struct Had {
    Location at;
    int beats = 0;  ///< Since it went.
  };
  struct Entry {
    std::map<PortKey, Location> ports;
    std::map<std::string, SessionStatus> sessions;
    std::map<PortKey, Had> had;  ///< `ports`, and those that went a moment ago.
    Time since = 0;              ///< When the first of `ports` came.
    void put(const Location& at, Time now);
  };
  void give(const PortKey& port, const std::string& key, std::set<std::string>& touched);
  void tidy(const PortKey& port);
  const Guest* guest(const std::string& key) const;

  std::map<std::string, Entry> guests_;         ///< By GuestView::key().
  std::map<PortKey, std::string> key_of_port_;  ///< Of sessions whose port went already, too.
  std::shared_ptr<const Guests> told_;
};

}  // namespace vmirror
