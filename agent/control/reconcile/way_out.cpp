#include "agent/control/reconcile/way_out.hpp"

#include <algorithm>

namespace vmirror {
namespace {

constexpr std::uint32_t kEthernet = 14, kVlanTag = 4, kIpv4 = 20, kIpv6 = 40, kGre = 4, kWord = 4;
constexpr std::uint32_t kArpRequest = 42, kNeighbourSolicitation = 86;
constexpr std::uint32_t kShortestCopy4 = kEthernet + kIpv4 + kGre + kArpRequest,
                        kShortestCopy6 = kEthernet + kIpv6 + kGre + kArpRequest;

/// What left if all did; of a tunnel that is no mirror's at least half of what it counted.
Load<std::uint64_t> due_of(const Switch& on, const Port& tunnel) {
  if (const auto copied = copied_to(on, tunnel.name)) return *copied;
  if (!tunnel.counters) return {};
  return {tunnel.counters->in_frames / 2, tunnel.counters->in_bytes / 2};
}

}  // namespace

std::uint32_t overhead_of(const Target& target) {
  const auto ip = [](const IpAddress& address) { return address.version == 6 ? kIpv6 : kIpv4; };
  if (const auto* erspan = std::get_if<ErspanTarget>(&target))
    return ip(erspan->address) + kGre + kWord + (erspan->version == 3 ? 12 : 8);
  if (const auto* gre = std::get_if<GreTarget>(&target))
    return ip(gre->address) + kGre + (gre->key ? kWord : 0);
  return 0;
}

std::optional<IpAddress> collector_of(const Target& target) {
  if (const auto* erspan = std::get_if<ErspanTarget>(&target)) return erspan->address;
  if (const auto* gre = std::get_if<GreTarget>(&target)) return gre->address;
  return std::nullopt;
}

std::optional<Load<std::uint64_t>> copied_to(const Switch& on, const std::string& port) {
  std::optional<Load<std::uint64_t>> out;
  for (const auto& [name, mirror] : on.mirrors) {
    if (mirror.output_port() != port) continue;
    if (!out) out.emplace();
    out->frames += mirror.copied_frames.value_or(0);
    out->bytes += mirror.copied_bytes.value_or(0);
  }
  return out;
}

void Underlays::note(const PortKey& at, const Port& port, bool add) {
  if (port.counters) {
    Load<std::uint64_t>& in = in_[at.switch_name];
    in.frames += add ? port.counters->in_frames : -port.counters->in_frames;
    in.bytes += add ? port.counters->in_bytes : -port.counters->in_bytes;
  }
  if (port.egress.empty()) return;
  std::set<PortKey>& ports = by_egress_[port.egress];
  if (add)
    ports.insert(at);
  else
    ports.erase(at);
  if (ports.empty()) by_egress_.erase(port.egress);
}

void Underlays::update(std::shared_ptr<const Observed> observed) {
  diff_ports(*observed_, *observed, [&](const PortKey& at, const Port* was, const Port* is) {
    if (was != nullptr) note(at, *was, false);
    if (is != nullptr) note(at, *is, true);
  });
  observed_ = std::move(observed);
  std::erase_if(in_, [&](const auto& sum) { return !observed_->switches.contains(sum.first); });
}

Underlay Underlays::of(const std::string& device) const {
  Underlay out;
  for (const auto& [name, sw] : observed_->switches) {
    const Port* egress = sw.ports.get(device);
    if (egress == nullptr) continue;
    out.datapath = sw.datapath;
    out.mtu = egress->mtu;
    if (const auto sum = in_.find(name); sum != in_.end()) {
      out.left.frames += static_cast<std::int64_t>(sum->second.frames);
      out.left.bytes += static_cast<std::int64_t>(sum->second.bytes);
    }
    if (const auto& own = egress->counters) {
      out.left.frames -= static_cast<std::int64_t>(own->in_frames + own->out_frames);
      out.left.bytes -= static_cast<std::int64_t>(own->in_bytes + own->out_bytes);
    }
  }
  const auto tunnels = by_egress_.find(device);
  if (tunnels == by_egress_.end()) return out;
  for (const PortKey& at : tunnels->second) {
    const Switch& sw = switch_of(*observed_, at.switch_name);
    const Port& port = sw.ports.at(at.port);
    if (port.tunnel) {
      const std::string& remote = port.tunnel->remote;
      out.remotes.insert(remote);
      const bool ipv6 = remote.find(':') != std::string::npos;
      out.question = std::max(out.question, ipv6 ? kNeighbourSolicitation : kArpRequest);
      const std::uint32_t shortest = ipv6 ? kShortestCopy6 : kShortestCopy4;
      out.shortest_copy = out.shortest_copy == 0 ? shortest : std::min(out.shortest_copy, shortest);
    }
    const Load<std::uint64_t> due = due_of(sw, port);
    out.due.frames += due.frames;
    out.due.bytes += due.bytes;
  }
  return out;
}

std::optional<std::string> path_warning(const Session& s, const Port& source, const Switch& on,
                                        const Port& output, const Underlay& underlay) {
  const std::uint32_t overhead = overhead_of(s.target);
  if (overhead == 0 || !source.mtu || !underlay.mtu || output.egress.empty()) return std::nullopt;
  const bool tagged = source.vlan.value_or(0) != 0 ||
                      std::ranges::any_of(s.vlans, [](std::uint16_t vlan) { return vlan != 0; });
  std::uint32_t frame = *source.mtu + kEthernet + (tagged ? kVlanTag : 0);
  if (s.snaplen != 0) frame = std::min(frame, s.snaplen);
  const std::uint32_t needed = frame + overhead, mtu = *underlay.mtu;
  if (needed <= mtu) return std::nullopt;
  const std::uint32_t longest = mtu > overhead ? mtu - overhead : 0;
  std::string out = "copies of frames of more than " + std::to_string(longest) +
                    " bytes are lost: port " + s.port + " has MTU " + std::to_string(*source.mtu) +
                    ", so its copies need an MTU of " + std::to_string(needed) + " on the way to " +
                    collector_of(s.target)->text() + ", and " + output.egress + " has " +
                    std::to_string(mtu) + "; set " + std::to_string(needed) +
                    " or more there and on the whole path (jumbo frames)";
  if (on.datapath == Datapath::kernel && longest >= 64)
    out += ", or `snaplen: " + std::to_string(longest) + "` in the policy";
  return out;
}

}  // namespace vmirror
