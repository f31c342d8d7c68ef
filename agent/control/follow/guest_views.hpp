// The tracker's views of the guests that have ports on this host, updated by the changes of each
// round: the cost of a change depends on its guest, not on the host. One thread.
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

  /// Follows a round; returns the keys of the guests that may have changed.
  std::set<std::string> follow(const RoundChanges& changes);
  /// Follows the hypervisor; returns the keys of guests with ports here that changed.
  std::set<std::string> follow(std::shared_ptr<const Guests> guests);

  /// The guest's view; also after its last port was removed.
  GuestView view(const std::string& key) const;
  /// The guest's NICs here, and until `forget` its removed NICs.
  std::vector<Location> nics(const std::string& key) const;
  /// To be called with each beat. Forgets NICs that were removed kBeats ago, and guests without
  /// ports and mirrors, except for the guests in `but`: a leaving guest loses its ports one by one,
  /// and its counters are needed to the end.
  void forget(const std::vector<std::string>& but);

 private:
  struct Had {
    Location at;
    int beats = 0;  ///< Since the NIC was removed.
  };
  struct Entry {
    std::map<PortKey, Location> ports;
    std::map<std::string, SessionStatus> sessions;
    std::map<PortKey, Had> had;  ///< `ports`, and ports that were removed a moment ago.
    Time since = 0;              ///< When the first of `ports` appeared.
    void put(const Location& at, Time now);
  };
  void give(const PortKey& port, const std::string& key, std::set<std::string>& touched);
  void tidy(const PortKey& port);
  const Guest* guest(const std::string& key) const;

  std::map<std::string, Entry> guests_;         ///< By GuestView::key().
  std::map<PortKey, std::string> key_of_port_;  ///< Also of sessions whose port was removed.
  std::shared_ptr<const Guests> told_;
};

}  // namespace vmirror
