#include "agent/engine/worker/nic_filter.hpp"

#include <algorithm>
#include <vector>

namespace vmirror {
namespace {

FilteredFrame heads_of(const Frame& frame, const Packet& packet) {
  FilteredFrame out;
  out.vlan = packet.tag_count == 0 ? 0 : packet.tags[0].id();
  out.ethertype = packet.ip_version == 4   ? ethertype::kIpv4
                  : packet.ip_version == 6 ? ethertype::kIpv6
                                           : packet.ethertype;
  out.protocol = packet.protocol;
  out.source = packet.source_ip(frame.bytes);
  out.destination = packet.destination_ip(frame.bytes);
  out.has_ports = packet.ip_version != 0 && has_ports(packet.protocol) &&
                  (!packet.fragment || packet.first_fragment);
  out.source_port = packet.source_port;
  out.destination_port = packet.destination_port;
  return out;
}

}  // namespace

void NicFilter::count(const WatchedNic& nic, bool add) {
  const auto it = kinds_.try_emplace({nic.vlan, nic.direction, nic.filter}).first;
  it->second += add ? 1 : -1;
  if (it->second == 0) kinds_.erase(it);
  if (!nic.filter.empty()) filtered_ += add ? 1 : -1;
}

void NicFilter::watch(const MirrorIndex& index) {
  const auto is_ours = [this](const WatchedNic* nic) {
    return nic != nullptr && (input_.empty() || nic->input.empty() || nic->input == input_);
  };
  const bool was_active = active();
  std::vector<Mac> left;  // By some NIC.
  diff(index_.nics, index.nics,
       [&](const PortKey& at, const WatchedNic* was, const WatchedNic* is) {
         if (is_ours(was)) {
           count(*was, false);
           if (was_active) left.push_back(was->mac);
           if (was_active) by_mac_[was->mac].erase(at);
         }
         if (is_ours(is)) {
           count(*is, true);
           if (was_active) by_mac_[is->mac][at] = *is;
         }
       });
  index_ = index;
  if (!active()) {
    by_mac_.clear();
  } else if (!was_active) {
    for (const auto& [at, nic] : index_.nics)
      if (is_ours(&nic)) by_mac_[nic.mac][at] = nic;
  } else {
    for (const Mac& mac : left)
      if (const auto of_mac = by_mac_.find(mac); of_mac != by_mac_.end() && of_mac->second.empty())
        by_mac_.erase(of_mac);
  }
}

bool NicFilter::wants(const Frame& frame, const Packet& packet) const {
  FilteredFrame heads = heads_of(frame, packet);
  bool told = false;  // By a NIC that it names.
  const auto wanted_by = [&](const Mac& mac, Direction direction) {
    const auto of_mac = by_mac_.find(mac);
    if (of_mac == by_mac_.end()) return false;
    heads.direction = direction;
    return std::ranges::any_of(of_mac->second, [&](const auto& entry) {
      const WatchedNic& nic = entry.second;
      if (!includes(nic.direction, direction)) return false;
      if (nic.vlan && *nic.vlan != packet.vlan()) return false;
      told = true;
      return vmirror::wants(nic.filter, heads);
    });
  };
  bool to_group = false;
  if (packet.has_macs) {
    const Mac to = packet.destination_mac(frame.bytes);
    to_group = to.is_group();
    if (wanted_by(packet.source_mac(frame.bytes), Direction::out)) return true;
    if (!to_group && wanted_by(to, Direction::in)) return true;
  }
  if (told && !to_group) return false;
  heads.direction = to_group ? Direction::in : Direction::none;
  return std::ranges::any_of(kinds_, [&](const auto& entry) {
    const Kind& kind = entry.first;
    return (!kind.vlan || *kind.vlan == packet.vlan()) &&
           includes(kind.direction, heads.direction) && vmirror::wants(kind.filter, heads);
  });
}

}  // namespace vmirror
