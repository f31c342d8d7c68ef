// By which relay an agent reads the store (decision 50). Each host has an order of its
// own of all relays, so that hosts spread over them. When none serves, the servers are read. Pure.
#pragma once

#include <string>
#include <vector>

#include "plugin/base/clock.hpp"

namespace vmirror {

/// In the order in which this host tries them: by rendezvous hashing, so that a further relay takes
/// its share of the hosts and moves no other.
std::vector<std::string> relay_order(std::vector<std::string> relays, const std::string& host);

class RelayChoice {
 public:
  /// For a relay to answer, before the next one is tried; and without any, before the servers are.
  static constexpr Time kPatience = 3 * kSecond;

  /// `relays`: in their order; none: the servers are read, always.
  RelayChoice(std::vector<std::string> relays, Time now)
      : relays_(std::move(relays)), since_(now) {}

  bool is_empty() const { return relays_.empty(); }
  const std::string& current() const { return relays_[at_]; }
  /// Does the current one serve? True: another one is current from now on.
  bool saw(bool serves, Time now);
  /// All have been tried, and none serves.
  bool wants_servers(Time now) const;
  /// For how long none serves; 0: the current one does, or was never asked.
  Time missing(Time now) const { return missed_ == 0 ? 0 : now - missed_; }

 private:
  std::vector<std::string> relays_;
  std::size_t at_ = 0;
  std::size_t tried_ = 0;  ///< Since one served last.
  bool served_ = false;    ///< The current one did.
  Time since_;             ///< The current one is tried since.
  Time missed_ = 0;        ///< None serves since; 0: the current one does, or was never asked.
};

}  // namespace vmirror
