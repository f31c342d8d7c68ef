#include "agent/engine/dissect/dissectors.hpp"

#include <algorithm>
#include <string_view>

#include "agent/engine/dissect/it/dcerpc.hpp"
#include "agent/engine/dissect/it/dhcp.hpp"
#include "agent/engine/dissect/it/dhcp6.hpp"
#include "agent/engine/dissect/it/dns.hpp"
#include "agent/engine/dissect/it/ftp.hpp"
#include "agent/engine/dissect/it/http.hpp"
#include "agent/engine/dissect/it/krb5.hpp"
#include "agent/engine/dissect/it/ldap.hpp"
#include "agent/engine/dissect/it/llmnr.hpp"
#include "agent/engine/dissect/it/mdns.hpp"
#include "agent/engine/dissect/it/nbns.hpp"
#include "agent/engine/dissect/it/ntlm.hpp"
#include "agent/engine/dissect/it/ntp.hpp"
#include "agent/engine/dissect/it/radius.hpp"
#include "agent/engine/dissect/it/rdp.hpp"
#include "agent/engine/dissect/it/sip.hpp"
#include "agent/engine/dissect/it/smb.hpp"
#include "agent/engine/dissect/it/snmp.hpp"
#include "agent/engine/dissect/it/spnego.hpp"
#include "agent/engine/dissect/it/ssdp.hpp"
#include "agent/engine/dissect/it/ssh.hpp"
#include "agent/engine/dissect/it/syslog.hpp"
#include "agent/engine/dissect/it/telnet.hpp"
#include "agent/engine/dissect/it/tftp.hpp"
#include "agent/engine/dissect/it/tls.hpp"
#include "agent/engine/dissect/link/arp.hpp"
#include "agent/engine/dissect/link/cdp.hpp"
#include "agent/engine/dissect/link/lacp.hpp"
#include "agent/engine/dissect/link/lldp.hpp"
#include "agent/engine/dissect/link/presence.hpp"
#include "agent/engine/dissect/link/stp.hpp"
#include "agent/engine/dissect/network/icmp.hpp"
#include "agent/engine/dissect/network/icmp6.hpp"
#include "agent/engine/dissect/network/igmp.hpp"
#include "agent/engine/dissect/network/vrrp.hpp"
#include "agent/engine/dissect/ot/ads.hpp"
#include "agent/engine/dissect/ot/bacnet.hpp"
#include "agent/engine/dissect/ot/cip.hpp"
#include "agent/engine/dissect/ot/cotp.hpp"
#include "agent/engine/dissect/ot/dnp3.hpp"
#include "agent/engine/dissect/ot/enip.hpp"
#include "agent/engine/dissect/ot/fins.hpp"
#include "agent/engine/dissect/ot/genisys.hpp"
#include "agent/engine/dissect/ot/goose.hpp"
#include "agent/engine/dissect/ot/hart_ip.hpp"
#include "agent/engine/dissect/ot/iec104.hpp"
#include "agent/engine/dissect/ot/mms.hpp"
#include "agent/engine/dissect/ot/modbus.hpp"
#include "agent/engine/dissect/ot/mqtt.hpp"
#include "agent/engine/dissect/ot/opcua.hpp"
#include "agent/engine/dissect/ot/presence.hpp"
#include "agent/engine/dissect/ot/profinet_cm.hpp"
#include "agent/engine/dissect/ot/profinet_dcp.hpp"
#include "agent/engine/dissect/ot/s7comm.hpp"
#include "agent/engine/dissect/ot/s7comm_plus.hpp"
#include "agent/engine/dissect/ot/synchrophasor.hpp"

namespace vmirror {
namespace {

/// Every protocol. The order is the probes' order: the surest first.
constexpr const Dissector* kAll[] = {
    // link
    &kArp,
    &kLldp,
    &kCdp,
    &kStp,
    &kLacp,
    &kGoose,
    &kSampledValues,
    &kEthercat,
    &kProfinetDcp,
    // network
    &kIcmp,
    &kIcmp6,
    &kIgmp,
    &kVrrp,
    // datagram
    &kDhcp,
    &kDhcp6,
    &kMdns,
    &kDns,
    &kCldap,
    &kSnmp,
    &kKrb5,
    &kSsdp,
    &kNbns,
    &kLlmnr,
    &kNtp,
    &kRadius,
    &kSip,
    &kSyslog,
    &kTftp,
    &kDcerpcUdp,
    &kBacnet,
    &kDnp3Udp,
    &kEnipUdp,
    &kCipIo,
    &kSynchrophasorUdp,
    &kHartIpUdp,
    &kFinsUdp,
    &kSlmpUdp,
    &kBsap,
    &kRocPlusUdp,
    &kCodesysUdp,
    // stream
    &kTls,
    &kSsh,
    &kHttp,
    &kSipTcp,
    &kSmb,
    &kRdp,
    &kCotp,
    &kDcerpc,
    &kDnsTcp,
    &kKrb5Tcp,
    &kIec104,
    &kLdap,
    &kDnp3,
    &kOpcua,
    &kSynchrophasor,
    &kFins,
    &kAds,
    &kEnip,
    &kHartIp,
    &kMqtt,
    &kModbus,
    &kGenisys,
    &kCodesys,
    &kSlmp,
    &kGeSrtp,
    &kRocPlus,
    &kTelnet,
    &kFtp,
    &kFtpData,
    // inside
    &kCip,
    &kS7comm,
    &kS7commPlus,
    &kMms,
    &kDcerpcPipe,
    &kEpm,
    &kProfinetCm,
    &kSpnego,
    &kNtlm,
    &kKrb5Token,
};
static_assert(std::size(kAll) <= kMostDissectors);

constexpr std::size_t kPorts = 65536;

bool meet(std::span<const Place> a, std::span<const Place> b) {
  return std::find_first_of(a.begin(), a.end(), b.begin(), b.end()) != a.end();
}

/// Adds those that carry a chosen one, and theirs.
void add_carriers(std::array<bool, std::size(kAll)>& chosen) {
  for (bool more = true; more;) {
    more = false;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      if (!chosen[i] || kAll[i]->carrier != Carrier::inside) continue;
      for (std::size_t j = 0; j < chosen.size(); ++j) {
        if (chosen[j] || !meet(kAll[j]->hands_down, kAll[i]->at)) continue;
        chosen[j] = more = true;
      }
    }
  }
}

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
  add_carriers(chosen);
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
      std::uint16_t& list = ports.by_port[port];
      if (list == 0) {
        list = static_cast<std::uint16_t>(ports.lists.size());
        ports.lists.emplace_back();
      }
      ports.lists[list].push_back(id);
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
    case Carrier::inside:
      for (const Place place : dissector.at) {
        auto at = std::find_if(inside_.begin(), inside_.end(),
                               [&](const auto& each) { return each.first == place; });
        if (at == inside_.end()) at = inside_.insert(at, {place, {}});
        at->second.push_back(id);
      }
      std::sort(inside_.begin(), inside_.end());
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

DissectorId Dissectors::at_ports(const Ports& ports, std::uint16_t client, std::uint16_t server) {
  const std::vector<DissectorId>& at_server = ports.lists[ports.by_port[server]];
  const std::vector<DissectorId>& at_client = ports.lists[ports.by_port[client]];
  const auto has_probe = [&](DissectorId id) {
    return std::find(ports.probing.begin(), ports.probing.end(), id) != ports.probing.end();
  };
  for (const std::vector<DissectorId>* list : {&at_server, &at_client})
    if (!list->empty()) return has_probe(list->front()) ? kUndecided : list->front();
  return ports.probing.empty() ? kNoDissector : kUndecided;
}

DissectorId Dissectors::hinted(Carrier carrier, const Context& context) const {
  const Ports& ports = ports_of(carrier);
  for (const std::uint16_t port : {context.destination_port, context.source_port})
    if (const auto& list = ports.lists[ports.by_port[port]]; !list.empty()) return list.front();
  return kNoDissector;
}

Found Dissectors::probe(Carrier carrier, Bytes first, Context& context,
                        DissectorId expected) const {
  const Ports& ports = ports_of(carrier);
  Found best;
  const auto ask = [&](DissectorId id) {
    const auto probe = selected_[id]->probe;
    const Probe verdict = probe ? probe(first, context) : Probe::yes;
    if (is_yes(verdict)) best = {verdict, id};
    if (verdict == Probe::maybe) best.verdict = verdict;
    return is_yes(verdict);
  };
  const std::uint16_t to = ports.by_port[context.destination_port];
  const std::uint16_t from = ports.by_port[context.source_port];
  context.at_own_port = true;
  bool found = false;
  for (const std::uint16_t list : {to, from == to ? std::uint16_t{0} : from})
    for (const DissectorId id : ports.lists[list]) found = found || ask(id);
  if (!found && is_decided(expected)) found = ask(expected);
  context.at_own_port = false;
  for (const DissectorId id : ports.probing) found = found || ask(id);
  return best;
}

std::span<const DissectorId> Dissectors::inside_of(Place place) const {
  const auto at = std::lower_bound(inside_.begin(), inside_.end(), place,
                                   [](const auto& each, Place p) { return each.first < p; });
  if (at == inside_.end() || at->first != place) return {};
  return at->second;
}

DissectorId Dissectors::find(const Dissector& dissector) const {
  const auto at = std::find(selected_.begin(), selected_.end(), &dissector);
  return at == selected_.end() ? kNoDissector : static_cast<DissectorId>(at - selected_.begin());
}

bool Dissectors::is_at_home(DissectorId id, std::uint16_t port) const {
  const std::span<const Place> at = selected_[id]->at;
  return std::find(at.begin(), at.end(), port) != at.end();
}

bool Dissectors::to_server(const Found& found, const Context& context, bool otherwise) const {
  if (found.verdict == Probe::client) return true;
  if (found.verdict == Probe::server) return false;
  const bool from = is_at_home(found.id, context.source_port);
  const bool to = is_at_home(found.id, context.destination_port);
  return from == to ? otherwise : to;
}

}  // namespace vmirror
