#include "plugin/vsphere/ports.hpp"

#include <algorithm>
#include <span>

namespace vmirror::vsphere {
namespace {

using net::child;
using net::local_name;
using net::text_of;
using pugi::xml_node;

Connectee connectee_of(std::string_view type) {
  if (type.empty()) return Connectee::nothing;
  if (type == "vmVnic") return Connectee::machine;
  if (type == "hostVmkVnic" || type == "hostConsoleVnic") return Connectee::vmkernel;
  if (type == "pnic") return Connectee::uplink;
  return Connectee::other;  // systemCrxVnic, and what comes later.
}

std::uint64_t sum(xml_node stats, std::initializer_list<const char*> names) {
  std::uint64_t out = 0;
  for (const char* name : names) out += child(stats, name).text().as_ullong();
  return out;
}

/// Calls `each` with the keys, so many at a time.
template <typename Each>
Result<void> for_parts(const std::vector<std::string>& keys, Each each) {
  for (std::size_t at = 0; at < keys.size(); at += kMaxPortsPerCall) {
    const std::span part(keys.begin() + static_cast<std::ptrdiff_t>(at),
                         std::min(kMaxPortsPerCall, keys.size() - at));
    if (auto done = each(part); !done) return done;
  }
  return {};
}

}  // namespace

DvPort read_dv_port(xml_node node) {
  DvPort out;
  out.key = text_of(node, "key");
  out.portgroup_key = text_of(node, "portgroupKey");
  out.host = read_ref(child(node, "proxyHost"));
  const xml_node connectee = child(node, "connectee");
  out.connectee = connectee_of(text_of(connectee, "type"));
  out.entity = read_ref(child(connectee, "connectedEntity"));
  out.nic_key = text_of(connectee, "nicKey");
  out.in_conflict = child(node, "conflict").text().as_bool();
  const xml_node security = child(child(child(node, "config"), "setting"), "securityPolicy");
  out.promiscuous = child(child(security, "allowPromiscuous"), "value").text().as_bool();
  const xml_node state = child(node, "state"), runtime = child(state, "runtimeInfo");
  out.link_up = child(runtime, "linkUp").text().as_bool();
  if (const auto mac = Mac::parse(text_of(runtime, "macAddress"))) out.mac = *mac;
  const xml_node stats = child(state, "stats");
  out.packets_in = sum(stats, {"packetsInUnicast", "packetsInMulticast", "packetsInBroadcast"});
  out.packets_out = sum(stats, {"packetsOutUnicast", "packetsOutMulticast", "packetsOutBroadcast"});
  return out;
}

Result<std::vector<DvPort>> fetch_ports(VimClient& client, const Ref& distributed_switch,
                                        const std::vector<std::string>& keys,
                                        std::stop_token stop) {
  std::vector<DvPort> out;
  const auto done = for_parts(keys, [&](auto part) -> Result<void> {
    const auto answer = client.must({.self = distributed_switch,
                                     .name = "FetchDVPorts",
                                     .arguments =
                                         [&](xml_node call) {
                                           xml_node criteria = call.append_child("criteria");
                                           for (const std::string& key : part)
                                             criteria.append_child("portKey").text() = key.c_str();
                                         },
                                     .repeatable = true},
                                    stop);
    if (!answer) return tl::unexpected(answer.error());
    for (const xml_node each : answer->result.children())
      if (local_name(each) == "returnval") out.push_back(read_dv_port(each));
    return {};
  });
  if (!done) return tl::unexpected(done.error());
  return out;
}

Result<void> refresh_ports(VimClient& client, const Ref& distributed_switch,
                           const std::vector<std::string>& keys, std::stop_token stop) {
  return for_parts(keys, [&](auto part) -> Result<void> {
    const auto answer = client.must({.self = distributed_switch,
                                     .name = "RefreshDVPortState",
                                     .arguments =
                                         [&](xml_node call) {
                                           for (const std::string& key : part)
                                             call.append_child("portKeys").text() = key.c_str();
                                         },
                                     .repeatable = true},
                                    stop);
    if (!answer) return tl::unexpected(answer.error());
    return {};
  });
}

}  // namespace vmirror::vsphere
