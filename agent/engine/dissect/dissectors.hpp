// The table of all protocols, and a selection of them made ready for lookup. A Dissectors never
// changes after it was made: all workers read one.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/engine/dissect/dissector.hpp"
#include "agent/engine/wire/packet.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

/// What a flow keeps of its dissector, in one byte:
///   0        none: nothing is to be done
///   1..0xef  a dissector of the selection
///   0xf0..   undecided: its payloads are still probed; counts the payloads looked at
using DissectorId = std::uint8_t;
constexpr DissectorId kNoDissector = 0;
constexpr DissectorId kUndecided = 0xf0;
/// Payloads of a flow that are probed before it is given up.
constexpr int kProbedPayloads = 4;
constexpr bool is_decided(DissectorId id) {
  return id != kNoDissector && id < kUndecided;
}
constexpr bool is_undecided(DissectorId id) {
  return id >= kUndecided;
}

class Dissectors {
 public:
  /// All that there are, in probing order.
  static std::span<const Dissector* const> all();

  /// `names` are names of protocols, or `all` or `none`. Error::Kind::invalid for an unknown name;
  /// its remedy lists the known ones.
  static Result<Dissectors> select(std::span<const std::string> names);

  /// The dissector of a frame's EtherType, LLC SAP or SNAP ID. Its message is
  /// `packet.network_of(frame)`.
  DissectorId for_link(const Packet& packet) const;
  /// The dissector of an IP protocol number. Its message is `transport_of`.
  DissectorId for_network(std::uint8_t protocol) const { return network_[protocol]; }
  /// The dissector of a UDP flow, by the server's port, else by the client's; kUndecided where only
  /// a probe can tell. Once per flow.
  DissectorId for_datagram(std::uint16_t client_port, std::uint16_t server_port) const {
    return at_ports(datagram_, client_port, server_port);
  }
  /// The same of a TCP flow.
  DissectorId for_stream(std::uint16_t client_port, std::uint16_t server_port) const {
    return at_ports(stream_, client_port, server_port);
  }
  /// Asks all probes of this carrier. `maybe`: no one is sure, but more bytes could make one so.
  std::pair<Probe, DissectorId> probe(Carrier carrier, Bytes first, const Context& context) const;

  /// `id` must be decided.
  const Dissector& operator[](DissectorId id) const { return *selected_[id]; }
  /// The dissector of this name on this carrier; kNoDissector: it is not selected.
  DissectorId find(std::string_view name, Carrier carrier) const;
  /// The protocol's name, or null for one that is not decided: Flow::application.
  const char* name(DissectorId id) const { return is_decided(id) ? selected_[id]->name : nullptr; }
  /// Ids are 1..size().
  std::size_t size() const { return selected_.size() - 1; }
  /// Which end is the server, where one port alone is `id`'s own; `otherwise` where that can't be
  /// told. Flows that began before the capture may have their sides swapped.
  bool to_server(DissectorId id, const Context& context, bool otherwise) const;

 private:
  struct Ports {
    std::vector<DissectorId> by_port;  ///< 65,536; kUndecided where several share one.
    std::vector<DissectorId> probing;  ///< Those with a probe, in the table's order.
  };
  Dissectors();
  void insert(const Dissector& dissector);
  static DissectorId at_ports(const Ports& ports, std::uint16_t client, std::uint16_t server) {
    if (const DissectorId id = ports.by_port[server]) return id;
    if (const DissectorId id = ports.by_port[client]) return id;
    return ports.probing.empty() ? kNoDissector : kUndecided;
  }

  std::vector<const Dissector*> selected_;  ///< By id; [0] is null.
  std::vector<std::pair<Place, DissectorId>> link_;
  std::array<DissectorId, 256> network_{};
  Ports datagram_, stream_;
};

/// What a network dissector is given: the datagram from its ICMP, IGMP... header on, as captured.
inline Bytes transport_of(const Packet& packet, Bytes frame) {
  return frame.subspan(packet.transport, packet.payload - packet.transport + packet.payload_size);
}

}  // namespace vmirror
