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

// What a flow keeps of its dissector, in one byte (DissectorId):
//   0           none: nothing is to be done
//   1..0x6f     a dissector of the selection
//   0x81..0xef  the same and 0x80: it is done, and the flow keeps its name
//   0xf0..      undecided: its payloads are still probed; counts the payloads looked at
constexpr DissectorId kNoDissector = 0;
constexpr DissectorId kUndecided = 0xf0;
constexpr DissectorId kDone = 0x80;
constexpr DissectorId kMostDissectors = 0x6f;
/// Payloads of a flow that are probed before it is given up,
constexpr int kProbedPayloads = 4;
/// and where its port is the own of one.
constexpr int kHintedPayloads = 15;
constexpr bool is_decided(DissectorId id) {
  return id != kNoDissector && id <= kMostDissectors;
}
constexpr bool is_undecided(DissectorId id) {
  return id >= kUndecided;
}
constexpr bool is_done(DissectorId id) {
  return id > kDone && id < kUndecided;
}
/// The flow's payloads are still looked at.
constexpr bool is_read(DissectorId id) {
  return id != kNoDissector && static_cast<std::uint8_t>(id + 0x10) < 0x80;
}

/// What the probes say of a flow's payload.
struct Found {
  Probe verdict = Probe::no;  ///< maybe: no one is sure, but more bytes could make one so.
  DissectorId id = kNoDissector;
};

class Dissectors {
 public:
  /// All that there are, in probing order.
  static std::span<const Dissector* const> all();

  /// `names` are names of protocols, or `all` or `none`; with a protocol inside others come those
  /// that carry it. Error::Kind::invalid for an unknown name;
  /// its remedy lists the known ones.
  static Result<Dissectors> select(std::span<const std::string> names);

  /// The dissector of a frame's EtherType, LLC SAP or SNAP ID. Its message is
  /// `packet.network_of(frame)`.
  DissectorId for_link(const Packet& packet) const;
  /// The dissector of an IP protocol number. Its message is `transport_of`.
  DissectorId for_network(std::uint8_t protocol) const { return network_[protocol]; }
  /// What a UDP flow begins with: a dissector at the server's port, or the client's, that has no
  /// probe; kUndecided where a probe must tell; kNoDissector: there is none. Once per flow.
  DissectorId for_datagram(std::uint16_t client_port, std::uint16_t server_port) const {
    return at_ports(datagram_, client_port, server_port);
  }
  /// The same of a TCP flow.
  DissectorId for_stream(std::uint16_t client_port, std::uint16_t server_port) const {
    return at_ports(stream_, client_port, server_port);
  }
  /// The first whose own one of the ports is; kNoDissector: there is none.
  DissectorId hinted(Carrier carrier, const Context& context) const;
  /// Asks the probes of this carrier: those whose own port it is, then `expected` (kNoDissector:
  /// nothing is), then the others. Changes Context::at_own_port, which is false afterwards.
  Found probe(Carrier carrier, Bytes first, Context& context, DissectorId expected) const;
  /// The dissectors at a place of Carrier::inside, in the table's order.
  std::span<const DissectorId> inside_of(Place place) const;

  /// `id` must be decided.
  const Dissector& operator[](DissectorId id) const { return *selected_[id]; }
  /// The dissector of this name on this carrier; kNoDissector: it is not selected.
  DissectorId find(std::string_view name, Carrier carrier) const;
  /// The protocol's name, or null for one that was not found: Flow::application.
  const char* name(DissectorId id) const {
    return id == kNoDissector || is_undecided(id) ? nullptr : selected_[id & ~kDone]->name;
  }
  DissectorId find(const Dissector& dissector) const;
  /// Ids are 1..size().
  std::size_t size() const { return selected_.size() - 1; }
  /// The probe's verdict and the ports: does this payload go to the server? `otherwise` where
  /// neither tells.
  bool to_server(const Found& found, const Context& context, bool otherwise) const;

 private:
  struct Ports {
    /// 65,536: which of `lists` are at home there; 0: none.
    std::vector<std::uint16_t> by_port;
    std::vector<std::vector<DissectorId>> lists{1};
    std::vector<DissectorId> probing;  ///< Those with a probe, in the table's order.
  };
  Dissectors();
  void insert(const Dissector& dissector);
  static DissectorId at_ports(const Ports& ports, std::uint16_t client, std::uint16_t server);
  const Ports& ports_of(Carrier carrier) const {
    return carrier == Carrier::datagram ? datagram_ : stream_;
  }
  bool is_at_home(DissectorId id, std::uint16_t port) const;

  std::vector<const Dissector*> selected_;  ///< By id; [0] is null.
  std::vector<std::pair<Place, DissectorId>> link_;
  std::vector<std::pair<Place, std::vector<DissectorId>>> inside_;  ///< By place.
  std::array<DissectorId, 256> network_{};
  Ports datagram_, stream_;
};

/// What a network dissector is given: the datagram from its ICMP, IGMP... header on, as captured.
inline Bytes transport_of(const Packet& packet, Bytes frame) {
  return frame.subspan(packet.transport, packet.payload - packet.transport + packet.payload_size);
}

}  // namespace vmirror
