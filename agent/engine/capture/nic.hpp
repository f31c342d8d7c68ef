// What the kernel and the driver say of an interface that frames are captured on: how many it may
// lose before anybody sees them, and what it makes of them.
//
//   cable --> [ NIC's ring of descriptors ] --queue n--> offloads --> our ring --> engine
//               full: missed                              merge frames
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vmirror {

/// The kernel's counters of an interface, since it was made, and its carrier.
struct LinkCounters {
  std::uint64_t rx_frames = 0, rx_bytes = 0, tx_frames = 0, tx_bytes = 0;
  std::uint64_t tx_dropped = 0;
  std::uint64_t rx_missed = 0;  ///< The NIC had no room for them: no ring sees them.
  bool carrier = false;
  std::uint32_t carrier_losses = 0;
};
/// None: there is no such interface in this network namespace. Does not wait. Any thread.
/// Source: rtnetlink(7), RTM_GETLINK; IFLA_STATS64, IFLA_CARRIER and IFLA_CARRIER_DOWN_COUNT in
/// linux/if_link.h. Drivers count what their NIC had no room for in rx_missed_errors or in
/// rx_fifo_errors.
std::optional<LinkCounters> read_link(const std::string& interface);

struct NicState {
  /// A number that ethtool sets: what it is, and the most that the driver takes.
  struct Setting {
    std::uint32_t now = 0, most = 0;
  };
  std::string interface;
  std::string driver;             ///< "ixgbe"; empty: not told.
  std::optional<Setting> ring;    ///< Descriptors for received frames; none: the driver has none.
  std::optional<Setting> queues;  ///< Of received frames; none: not told.
  bool combined = false;          ///< `queues` also send: ethtool's name for them is "combined".
  std::vector<std::string> merging;  ///< merging_offloads
  LinkCounters link;
};

/// None: there is no such interface. Changes nothing; may wait for the kernel's lock on interfaces,
/// so not for threads that must not wait.
/// Source: ethtool(8) -g, -l, -k; ETHTOOL_GRINGPARAM and ETHTOOL_GCHANNELS in linux/ethtool.h.
std::optional<NicState> read_nic(const std::string& interface);

}  // namespace vmirror
