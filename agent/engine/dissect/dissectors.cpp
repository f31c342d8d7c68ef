#include "agent/engine/dissect/dissectors.hpp"

#include <algorithm>
#include <string_view>

#include "agent/engine/dissect/it/dhcp.hpp"
#include "agent/engine/dissect/it/dns.hpp"
#include "agent/engine/dissect/it/mdns.hpp"
#include "agent/engine/dissect/link/arp.hpp"
#include "agent/engine/dissect/link/lldp.hpp"
#include "agent/engine/dissect/network/icmp.hpp"
#include "agent/engine/dissect/network/icmp6.hpp"
#include "agent/engine/dissect/network/igmp.hpp"
#include "agent/engine/dissect/ot/modbus.hpp"

namespace vmirror {
namespace {

/// Every protocol. The order is the probes' order: the surest first.
constexpr const Dissector* kAll[] = {
    // link
    &kArp,
    &kLldp,
    // network
    &kIcmp,
    &kIcmp6,
    &kIgmp,
    // datagram
    &kDhcp,
    &kMdns,
    &kDns,
    // stream
    &kDnsTcp,
    &kModbus,
};
static_assert(std::size(kAll) < kUndecided);

constexpr std::size_t kPorts = 65536;

std::string known_names() {
  std::vector<std::string_view> names;
  for (const Dissector* dissector : kAll) names.emplace_back(dissector->name);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::string out = "all, none";
  for (const std::string_view name : names) out.append(", ").append(name);
  return out;
}

}  // namespace

DissectorId Dissectors::find(std::string_view name, Carrier carrier) const {
  for (std::size_t id = 1; id < selected_.size(); ++id)
    if (selected_[id]->name == name && selected_[id]->carrier == carrier)
      return static_cast<DissectorId>(id);
  return kNoDissector;
}

std::span<const Dissector* const> Dissectors::all() {
  return kAll;
}

Dissectors::Dissectors() : selected_{nullptr} {
  datagram_.by_port.resize(kPorts);
  stream_.by_port.resize(kPorts);
}

Result<Dissectors> Dissectors::select(std::span<const std::string> names) {
  std::array<bool, std::size(kAll)> chosen{};
  for (const std::string& name : names) {
    bool known = name == "none" || name == "all";
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      const bool match = name == "all" || name == kAll[i]->name;
      chosen[i] |= match;
      known |= match;
    }
    if (!known)
      return fail(Error::Kind::invalid, "unknown protocol `" + name + "`", "protocols",
                  "known are " + known_names());
  }
  Dissectors out;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (chosen[i]) out.insert(*kAll[i]);
  }
  return out;
}

void Dissectors::insert(const Dissector& dissector) {
  const auto id = static_cast<DissectorId>(selected_.size());
  selected_.push_back(&dissector);
  const auto at_ports_of = [&](Ports& ports) {
    for (const Place port : dissector.at) {
      DissectorId& entry = ports.by_port[port];
      entry = entry == kNoDissector ? id : kUndecided;
    }
    if (dissector.probe) ports.probing.push_back(id);
  };
  switch (dissector.carrier) {
    case Carrier::link:
      for (const Place place : dissector.at) link_.emplace_back(place, id);
      break;
    case Carrier::network:
      for (const Place protocol : dissector.at) network_[protocol] = id;
      break;
    case Carrier::datagram:
      at_ports_of(datagram_);
      break;
    case Carrier::stream:
      at_ports_of(stream_);
      break;
  }
}

DissectorId Dissectors::for_link(const Packet& packet) const {
  constexpr std::uint8_t kSnapSap = 0xaa;
  Place place = packet.ethertype;
  if (packet.llc) {
    if (packet.llc_dsap != kSnapSap)
      place = llc(packet.llc_dsap);
    else if (packet.snap_oui != 0)
      place = snap(packet.snap_oui, packet.ethertype);
  }
  for (const auto& [at, id] : link_) {
    if (at == place) return id;
  }
  return kNoDissector;
}

std::pair<Probe, DissectorId> Dissectors::probe(Carrier carrier, Bytes first,
                                                const Context& context) const {
  std::pair<Probe, DissectorId> best{Probe::no, kNoDissector};
  for (const DissectorId id : (carrier == Carrier::datagram ? datagram_ : stream_).probing) {
    const Probe verdict = selected_[id]->probe(first, context);
    if (verdict == Probe::yes) return {verdict, id};
    if (verdict == Probe::maybe) best.first = verdict;
  }
  return best;
}

bool Dissectors::to_server(DissectorId id, const Context& context, bool otherwise) const {
  const std::span<const Place> at = selected_[id]->at;
  const bool from = std::find(at.begin(), at.end(), context.source_port) != at.end();
  const bool to = std::find(at.begin(), at.end(), context.destination_port) != at.end();
  return from == to ? otherwise : to;
}

}  // namespace vmirror
