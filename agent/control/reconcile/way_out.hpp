// How a tunnel's packets leave the host, as far as the switch's database tells. Pure.
//
//   datapath    way
//   userspace   tunnel port --- egress ---> br-wan: its internal port --- NORMAL ---> eth1
//   kernel      tunnel port --- egress ---> eth1
//
// The userspace datapath sends by itself: it asks nobody but its own neighbour table, and a packet
// whose next hop does not answer is counted as sent by the tunnel's port and the mirror, and is
// gone. The next counters that tell are those of the ports behind the egress.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "plugin/api/model.hpp"

namespace vmirror {

/// Bytes that come before the mirrored frame in a packet, outer IP header included, outer Ethernet
/// not: what an MTU must have room for. 0: the target is no tunnel.
///
///   IPv4 20 | IPv6 40,  GRE 4 [+ key 4]                          transparent Ethernet
///                       GRE 4 + sequence 4 + header 8            ERSPAN II
///                       GRE 4 + sequence 4 + header 12           ERSPAN III
std::uint32_t overhead_of(const Target& target);

/// A collector's address; none: the target is no tunnel.
std::optional<IpAddress> collector_of(const Target& target);

/// Counts of traffic. `Count` is signed where one count is taken from another.
template <class Count>
struct Load {
  Count frames = 0, bytes = 0;
};

/// The copies of all mirrors of a switch to one of its ports, by the mirrors' own counters. On a
/// userspace datapath the tunnel port's counter counts each copy that leaves twice (seen: 482 for
/// 242). The mirror's counter includes the tunnel's headers for copies that leave (132 bytes for a
/// frame of 82), and not for copies that do not leave. None: no mirror copies to this port.
std::optional<Load<std::uint64_t>> copied_to(const Switch& on, const std::string& port);

/// What is known of one device that tunnels' packets leave through.
struct Underlay {
  std::optional<Datapath> datapath;  ///< Of the switch that has the device; none: no switch has.
  std::optional<std::uint32_t> mtu;  ///< The device's.
  std::set<std::string> remotes;     ///< Of all tunnels that leave there.
  Load<std::uint64_t> due;           ///< What those tunnels were given.
  /// What the switch's other ports sent, less what the device gave them: the host's own.
  Load<std::int64_t> left;
  /// The bytes of a frame by which the switch asks for the next hop's address. For each copy that
  /// it cannot send, the switch sends one such frame to every port that the bridge floods.
  std::uint32_t question = 0;
  /// The bytes of the shortest copy that leaves: a guest's ARP in GRE without a key.
  std::uint32_t shortest_copy = 0;
};

/// The underlays of one reading. What concerns many ports is summed up as they come, go and count.
class Underlays {
 public:
  /// Costs what differs from the last call's reading, where that is its ancestor; what comes of it
  /// depends on this one alone. Not null.
  void update(std::shared_ptr<const Observed> observed);
  /// Costs a look at each switch, and at the tunnels that leave through the device.
  Underlay of(const std::string& device) const;

 private:
  void note(const PortKey& at, const Port& port, bool add);

  std::shared_ptr<const Observed> observed_ = std::make_shared<const Observed>();
  std::map<std::string, Load<std::uint64_t>> in_;       ///< By switch: given to all its ports.
  std::map<std::string, std::set<PortKey>> by_egress_;  ///< Ports that leave there; none empty.
};

/// A session's warning where copies of its longest frames don't fit the way out, with the numbers
/// and the remedy; none: they do, or an MTU is not known. How long a copy really is does not
/// matter: where guests merge frames (offloads) a copy may be longer than any MTU, and the kernel
/// cuts it into pieces.
std::optional<std::string> path_warning(const Session& session, const Port& source,
                                        const Switch& on, const Port& output,
                                        const Underlay& underlay);

}  // namespace vmirror
