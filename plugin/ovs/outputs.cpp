#include "plugin/ovs/outputs.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>

#include "plugin/ovs/cuts.hpp"
#include "plugin/ovs/objects.hpp"
#include "plugin/ovs/version.hpp"

namespace vmirror::ovs {
namespace {

using enum Error::Kind;

constexpr std::size_t kDeviceNameSize = 15;  ///< IFNAMSIZ without the final zero.
constexpr std::uint32_t kLargestSessionId = 1023;
constexpr std::uint32_t kUsualMtu = 1500;

tl::unexpected<Error> refuse(Error::Kind kind, const Session& s, std::string what,
                             std::string remedy = {}) {
  return fail(kind, std::move(what), s.switch_name + "/" + s.port, std::move(remedy));
}

/// Tunnels clash when these two agree: the datapath's tunnel device with the remote, and the key.
std::pair<std::string, std::string> clash(const std::string& type, const std::string& remote,
                                          std::optional<std::uint32_t> key) {
  return {type + " " + remote, key ? std::to_string(*key) : ""};
}

/// True when a label's value is the address, or a list that has it.
bool names_address(const std::string& value, const std::string& address) {
  constexpr std::string_view kSeparators = " ,;[]\"/";
  for (std::size_t at = value.find(address); at != std::string::npos;
       at = value.find(address, at + 1)) {
    const std::size_t end = at + address.size();
    if ((at == 0 || kSeparators.find(value[at - 1]) != std::string::npos) &&
        (end == value.size() || kSeparators.find(value[end]) != std::string::npos))
      return true;
  }
  return false;
}

/// True where we may choose the output, so that sessions of different manners do not share it.
bool has_output_for_each_manner(const Target& target) {
  if (const auto* local = std::get_if<LocalTarget>(&target)) return !local->monitor_nic;
  const auto* erspan = std::get_if<ErspanTarget>(&target);
  return erspan && !erspan->session;
}

}  // namespace

Outputs::Outputs(const Demand& demand, const Landmarks& landmarks, const Observed& observed,
                 std::string owner)
    : owner_(std::move(owner)), own_addresses_(observed.own_addresses) {
  for (const auto& [name, sw] : observed.switches) {
    capabilities_[name] = sw.capabilities;
    if (sw.datapath == Datapath::userspace) userspace_.insert(name);
    if (sw.controlled) controlled_.insert(name);
  }
  for (const auto& [key, share] : demand) {
    const auto& [switch_name, target] = key;
    if (share.manners.size() > 1) mixed_.insert(key);
    plain_[key] = plain_manner(switch_name, target, share.manners, observed);
    if (share.both_ends) both_ends_.insert(key);
    if (const auto* to = std::get_if<LocalTarget>(&target)) {
      std::uint32_t& mtu = mtu_.try_emplace(switch_name, kUsualMtu).first->second;
      mtu = std::max(mtu, share.mtu);
      if (!to->monitor_nic || !landmarks.by_mac.contains(*to->monitor_nic)) continue;
      for (const PortKey& at : landmarks.by_mac.at(*to->monitor_nic))
        if (!landmarks.owned.contains(at)) monitors_.try_emplace(*to->monitor_nic, at);
    } else if (const auto* rspan = std::get_if<RspanTarget>(&target)) {
      floods_.try_emplace({switch_name, rspan->vlan}, flood_of(observed, switch_name, rspan->vlan));
    } else {
      for (const std::string& manner : share.manners) {
        const Tunnel wanted = tunnel_of(switch_name, target, manner);
        Tunnel& tunnel = tunnels_.try_emplace({switch_name, wanted.key}, wanted).first->second;
        tunnel.direction = tunnel.direction | share.direction;
      }
    }
  }
  for (const PortKey& at : landmarks.bonds)
    if (observed.switches.at(at.switch_name).ports.at(at.port).bond == "balance-tcp")
      balancing_bonds_.emplace(at.switch_name, at.port);
  Taken taken;
  note_tunnels(landmarks, observed, taken);
  // First the IDs that are asked for, then those that our ports have, then the free choices. A port
  // that is there comes before one that would take its ID.
  const auto assign_all = [&](bool asked, bool sticky) {
    for (auto& [key, tunnel] : tunnels_)
      if ((tunnel.asked || tunnel.version == 0) == asked) assign(tunnel, observed, taken, sticky);
  };
  assign_all(true, true);
  assign_all(true, false);
  assign_all(false, true);
  assign_all(false, false);
}

std::string Outputs::port_name(const std::string& switch_name, const std::string& key) const {
  const std::string plain = "vmr-" + switch_name;
  if (key == "local" && owner_ == "vmirror" && plain.size() <= kDeviceNameSize) return plain;
  return "vmr-" + short_hash(owner_ + "\n" + switch_name + "\n" + key, 11);
}

/// The manner that has the target's plain output on the switch, else the first.
std::string Outputs::plain_manner(const std::string& switch_name, const Target& target,
                                  const std::set<std::string>& manners,
                                  const Observed& observed) const {
  const bool local = std::holds_alternative<LocalTarget>(target);
  const std::string key = local ? "local" : tunnel_of(switch_name, target, {}).output_key;
  const auto& mirrors = switch_of(observed, switch_name).mirrors;
  for (const std::string& manner : manners) {
    const std::string name = owner_ + "-" + key + manner;
    const auto is_there = [&](const auto& it) {
      return it != mirrors.end() && it->second.owned &&
             it->second.output_port() == port_name(switch_name, key);
    };
    const auto part = mirrors.lower_bound(name + "-c");
    if (is_there(mirrors.find(name)) || (is_there(part) && part->first.starts_with(name + "-c")))
      return manner;
  }
  return *manners.begin();
}

/// What of a manner is in the output's name.
std::string Outputs::own_manner(const std::string& switch_name, const Target& target,
                                const std::string& manner) const {
  if (!has_output_for_each_manner(target)) return {};
  const auto it = plain_.find({switch_name, target});
  if (it == plain_.end() || it->second == manner) return {};
  return manner.empty() ? "-whole" : manner;
}

Outputs::Tunnel Outputs::tunnel_of(const std::string& switch_name, const Target& target,
                                   const std::string& manner) const {
  Tunnel t;
  t.switch_name = switch_name;
  t.key = to_text(target);
  if (const auto* erspan = std::get_if<ErspanTarget>(&target)) {
    t.remote = erspan->address;
    t.version = erspan->version;
    if (erspan->session) t.asked = *erspan->session;
    if (t.version != 2) t.key += "-v" + std::to_string(t.version);
    t.type = t.remote.version == 6 ? "ip6erspan" : "erspan";
  } else if (const auto* gre = std::get_if<GreTarget>(&target)) {
    t.remote = gre->address;
    t.asked = gre->key;
    t.type = t.remote.version == 6 ? "ip6gre" : "gre";
  }
  // Of two tunnels with one remote and key ovs-vswitchd takes the first, and forgets one that goes
  // too late for its successor: where the version changes, the port stays and only its options do.
  const std::string id = t.asked ? "-" + std::to_string(*t.asked) : "";
  t.key += id;
  t.output_key = t.key;
  t.key += own_manner(switch_name, target, manner);
  t.port = port_name(switch_name, t.asked ? to_text(target) + id : t.key);
  return t;
}

/// Those of others, whose keys are taken, and ours, which leave through some port.
void Outputs::note_tunnels(const Landmarks& landmarks, const Observed& observed, Taken& taken) {
  for (const PortKey& at : landmarks.tunnels) {
    const Port& port = observed.switches.at(at.switch_name).ports.at(at.port);
    const std::string& remote = port.tunnel->remote;
    if (port.owned) {
      WayOut& way = ways_[remote];
      if (!port.egress.empty()) way.devices.insert(port.egress);
    } else if (is_tunnel(port.type)) {
      taken.try_emplace(clash(port.type, remote, port.tunnel->key), at.switch_name + "/" + at.port);
    }
  }
  for (auto& [remote, way] : ways_) follow_patches(way, landmarks, observed);
}

/// A packet that leaves through a switch's device may leave by any port of that switch, or of one
/// that is patched to it.
void Outputs::follow_patches(WayOut& way, const Landmarks& landmarks,
                             const Observed& observed) const {
  std::vector<std::string> next;
  const auto reach = [&](const std::string& port) {
    const Switch* sw = switch_with_port(observed, port);
    if (sw != nullptr && way.switches.insert(sw->name).second) next.push_back(sw->name);
  };
  for (const std::string& device : way.devices) reach(device);
  while (!next.empty()) {
    const std::string name = std::move(next.back());
    next.pop_back();
    for (auto at = landmarks.patches.lower_bound({name, ""});
         at != landmarks.patches.end() && at->switch_name == name; ++at)
      reach(observed.switches.at(name).ports.at(at->port).peer);
  }
  for (const std::string& name : way.switches) {
    const auto at = landmarks.uplinks.lower_bound({name, ""});
    way.by_uplink = way.by_uplink || (at != landmarks.uplinks.end() && at->switch_name == name);
  }
}

std::string Outputs::basis() const {
  std::string out;
  for (const auto& [name, mtu] : mtu_) out += name + " mtu " + std::to_string(mtu) + "\n";
  for (const auto& [mac, at] : monitors_)
    out += mac.text() + " on " + at.switch_name + "/" + at.port + "\n";
  for (const auto& [key, t] : tunnels_) {
    out += t.switch_name + " " + t.key + " " + std::string(to_text(t.direction)) + " " + t.taken_by;
    out += (t.id ? " " + std::to_string(*t.id) : "") + "\n";
  }
  for (const auto& [key, flood] : floods_) {
    out += key.first + " " + std::to_string(key.second) + " to " + flood.text(flood.others);
    for (const PortKey& at : flood.unasked) out += " " + at.switch_name + "/" + at.port;
    for (const std::string& name : flood.beyond) out += " beyond " + name;
    out += "\n";
  }
  for (const auto& [remote, way] : ways_) {
    out += remote + " through";
    for (const std::string& device : way.devices) out += " " + device;
    out += way.by_uplink ? " by an uplink of" : " by";
    for (const std::string& name : way.switches) out += " " + name;
    out += "\n";
  }
  for (const auto& [key, t] : tunnels_)
    if (own_addresses_.contains(t.remote)) out += "own " + t.remote.text() + "\n";
  for (const std::string& name : userspace_) out += "userspace " + name + "\n";
  for (const auto& [key, manner] : plain_)
    out += key.first + " " + to_text(key.second) + (mixed_.contains(key) ? " mixed " : " ") +
           manner + "\n";
  for (const auto& [name, target] : both_ends_)
    out += name + " both ends " + to_text(target) + "\n";
  for (const std::string& name : controlled_) out += "controlled " + name + "\n";
  for (const auto& [name, bond] : balancing_bonds_) out += name + " balances over " + bond + "\n";
  return out;
}

void Outputs::assign(Tunnel& t, const Observed& observed, Taken& taken, bool sticky) const {
  if (t.assigned) return;
  const std::string me = t.switch_name + "/" + t.port;
  const std::string remote = t.remote.text();
  const auto take = [&](std::optional<std::uint32_t> id) {
    const auto [it, fresh] = taken.try_emplace(clash(t.type, remote, id), me);
    if (fresh) t.id = id;
    t.assigned = fresh;
    t.taken_by = fresh ? "" : it->second;
    return fresh;
  };
  const Port* port = switch_of(observed, t.switch_name).ports.get(t.port);
  if (sticky && (port == nullptr || !port->owned)) return;
  if (t.asked || t.version == 0) {
    take(t.asked);
  } else if (sticky) {
    if (const auto id = port->tunnel ? port->tunnel->key : std::nullopt;
        id && *id - 1 < kLargestSessionId)
      take(id);
  } else {
    const std::string hash = short_hash(owner_ + "\n" + t.switch_name + "\n" + t.key, 8);
    std::uint32_t first = 0;
    std::from_chars(hash.data(), hash.data() + hash.size(), first, 16);
    for (std::uint32_t i = 0; i < kLargestSessionId; i++)
      if (take((first + i) % kLargestSessionId + 1)) return;
  }
}

Result<OutputChoice> Outputs::find(const Session& s, const Switch& sw) const {
  if (is_tunnel(sw.ports.at(s.port).type))
    return refuse(refused, s, "the port is a tunnel (" + sw.ports.at(s.port).type + ")",
                  "mirror the ports whose frames it carries");
  const Port& source = sw.ports.at(s.port);
  if (source.type == "patch")
    return refuse(refused, s, "the port is a patch port, of whose frames the switch copies none",
                  "mirror the ports on either bridge whose frames it carries");
  auto out = output(s, sw);
  if (out) std::ranges::move(warnings(s, source), std::back_inserter(out->warnings));
  return out;
}

Result<OutputChoice> Outputs::output(const Session& s, const Switch& sw) const {
  if (const auto* target = std::get_if<LocalTarget>(&s.target))
    return target->monitor_nic ? monitor_nic(s, sw, *target->monitor_nic) : local(s, sw);
  if (const auto* target = std::get_if<RspanTarget>(&s.target)) return rspan(s, sw, *target);
  return tunnel(s, sw);
}

std::vector<std::string> Outputs::warnings(const Session& s, const Port& source) const {
  std::vector<std::string> out;
  if (!source.members.empty())
    out.push_back("the port is a bond: the switch copies the frames of all its members (" +
                  few({source.members.begin(), source.members.end()}) +
                  "), there is no way to copy one's alone");
  if (!has_output_for_each_manner(s.target) && mixed_.contains({s.switch_name, s.target}))
    out.emplace_back(
        "sessions with another snaplen or VLANs copy to the same output: of a frame between two "
        "such guests the switch makes one copy, as the sender's session says; another session ID, "
        "key or VLAN for one of the policies keeps them apart");
  const auto bond = balancing_bonds_.find(s.switch_name);
  const auto version = version_in(capabilities_.at(s.switch_name).version);
  if (!version) return out;
  if (controlled_.contains(s.switch_name) && both_ends_.contains({s.switch_name, s.target}) &&
      copies_changed_frames_again(*version))
    out.push_back("a controller's rules forward on " + s.switch_name + ", and Open vSwitch " +
                  version->text() +
                  " copies a frame that such a rule changes (dec_ttl, NAT) between two mirrored "
                  "ports before and after: for one copy mirror one direction");
  if (const auto fixed = bond == balancing_bonds_.end() ? std::nullopt : bonds_fixed_in(*version))
    out.push_back("Open vSwitch " + version->text() + " copies frames twice that leave by bond " +
                  bond->second + " (balance-tcp): upgrade to " + fixed->text());
  return out;
}

Outputs::OwnPort Outputs::local_port(const Switch& sw, const std::string& manner) const {
  const auto mtu = mtu_.find(sw.name);
  const std::string name = port_name(sw.name, "local" + manner);
  const PortValue::Options options = {
      {"mtu_request", std::to_string(mtu == mtu_.end() ? kUsualMtu : mtu->second)}};
  return {name, port_key(sw.name, name), {std::make_shared<const PortValue>("internal", options)}};
}

Result<OutputChoice> Outputs::local(const Session& s, const Switch& sw) const {
  const OwnPort port = local_port(sw, own_manner(sw.name, s.target, manner_text(s)));
  return OutputChoice{.key = "local",
                      .to = PortOutput{port.name},
                      .needs = {{port.key, port.object}},
                      .own_ports = {port.name}};
}

Result<OutputChoice> Outputs::monitor_nic(const Session& s, const Switch& sw,
                                          const Mac& mac) const {
  if (const auto at = monitors_.find(mac); at != monitors_.end()) {
    const PortKey& nic = at->second;
    if (nic.switch_name != sw.name)
      return refuse(missing, s, "the monitor NIC " + mac.text() + " is on " + nic.switch_name,
                    "give the appliance a monitor NIC on " + sw.name);
    std::string key = "local-" + mac.text();
    std::erase(key, ':');
    const OwnPort port = local_port(sw);
    return OutputChoice{.key = std::move(key),
                        .to = PortOutput{nic.port},
                        .needs = {{port.key, port.object}},
                        .own_ports = {port.name}};
  }
  return refuse(missing, s, "no port of the switch has the monitor NIC's MAC " + mac.text(),
                "see that external_ids:attached-mac of its interface says so");
}

Result<OutputChoice> Outputs::tunnel(const Session& s, const Switch& sw) const {
  const Tunnel& t =
      tunnels_.at({s.switch_name, tunnel_of(s.switch_name, s.target, manner_text(s)).key});
  const bool erspan = t.version != 0;
  if (t.remote.empty() || t.remote.is_group() || t.remote.is_unspecified())
    return refuse(invalid, s, "`" + t.remote.text() + "` is no collector's address");
  if (t.remote.is_loopback() || own_addresses_.contains(t.remote))
    return refuse(refused, s, "`" + t.remote.text() + "` is this host's own: no copy leaves there",
                  "the target `local` gives the copies to the engine here");
  if (erspan && t.version != 2 && t.version != 3)
    return refuse(invalid, s, "there is no ERSPAN type " + std::to_string(t.version),
                  "choose version 2 or 3");
  if (erspan && t.asked.value_or(0) > kLargestSessionId)
    return refuse(invalid, s, "ERSPAN session ID " + std::to_string(*t.asked) + " is out of range",
                  "choose 0 to 1023");
  if (s.snaplen != 0 && userspace_.contains(sw.name))
    return refuse(unsupported, s,
                  "the userspace datapath cuts the tunnel's packet, headers included, instead of "
                  "the frame, and leaves a length in it that is wrong: receivers drop it",
                  "leave snaplen out; on the kernel datapath it is right");
  if (!t.taken_by.empty())
    return refuse(exhausted, s,
                  t.type + " to " + t.remote.text() + " with " +
                      (t.asked  ? "key " + std::to_string(*t.asked)
                       : erspan ? "any ID"
                                : "no key") +
                      " is taken by " + t.taken_by,
                  "choose another session ID or key for one of the two");

  PortValue::Options options = {{"remote_ip", t.remote.text()}};
  if (t.id) options["key"] = std::to_string(*t.id);
  if (erspan) options["erspan_ver"] = t.version == 2 ? "1" : "2";
  // One port has one direction; 1 is egress: out of the switch, into the guest.
  if (t.version == 3) options["erspan_dir"] = t.direction == Direction::in ? "1" : "0";
  OutputChoice out{.key = t.output_key,
                   .to = PortOutput{t.port},
                   .needs = {{port_key(sw.name, t.port),
                              {std::make_shared<const PortValue>(t.type, std::move(options))}}},
                   .own_ports = {t.port},
                   .session_id = t.id};
  if (const auto safe = check_underlay(s, sw, t); !safe) out.refused = safe.error();
  return out;
}

/// A tunnel's packets must not leave through the port that it copies.
Result<void> Outputs::check_underlay(const Session& s, const Switch& sw, const Tunnel& t) const {
  const Port& source = sw.ports.at(s.port);
  const std::string to = "the copies to " + t.remote.text();
  if (source.uplink)
    return refuse(refused, s, "the port leads out of the host, and " + to + " may leave there");
  if (source.name == sw.name)
    return refuse(refused, s, "the port is the host's own, and " + to + " may leave there");
  const auto found = ways_.find(t.remote.text());
  const WayOut way = found == ways_.end() ? WayOut{} : found->second;
  if (way.devices.contains(s.port)) return refuse(refused, s, to + " leave through this port");
  if (source.maybe_uplink && !way.by_uplink) {
    const char* remedy = "if a guest is behind it, set external_ids:attached-mac of its interface";
    if (way.devices.empty())
      return refuse(refused, s,
                    "nothing says that the port is a guest's, and the switch has not said where " +
                        to + " leave: it may be here",
                    remedy);
    if (way.switches.contains(sw.name))
      return refuse(refused, s,
                    to + " leave through " + *way.devices.begin() + ", of which the port is a part",
                    remedy);
  }
  for (const auto& [key, value] : source.labels)
    if (names_address(value, t.remote.text()))
      return refuse(refused, s,
                    "the port is the collector's own: external_ids:" + key + " has its address");
  return {};
}

Result<OutputChoice> Outputs::rspan(const Session& s, const Switch& sw,
                                    const RspanTarget& target) const {
  const std::string vlan = std::to_string(target.vlan);
  if (target.vlan < 1 || target.vlan > 4094)
    return refuse(invalid, s, "there is no VLAN " + vlan, "choose 1 to 4094");
  if (sw.ports.at(s.port).vlan == target.vlan)
    return refuse(refused, s, "the port is in VLAN " + vlan + ", which carries the copies");
  const Flood& flood = floods_.at({sw.name, target.vlan});
  const OwnPort port = local_port(sw);
  const Object in_force{std::make_shared<const VlanValue>(true)};
  OutputChoice out{
      .key = "rspan-" + vlan,
      .to = VlanOutput{target.vlan},
      .needs = {{port.key, port.object}, {unlearned_key(sw.name, target.vlan), in_force}},
      .own_ports = {port.name}};
  if (!flood.unasked.empty() && !target.restrict)
    return refuse(refused, s,
                  "the copies in VLAN " + vlan + " would also go to " + flood.text(flood.unasked) +
                      ", without tag and trunks, which take every VLAN",
                  "give these ports a tag or trunks, or set `restrict: true` on the target: it "
                  "keeps the VLAN off them by their trunks");
  // A bridge that learned the guests' addresses from copies would not hand the next ones on.
  for (const std::string& name : flood.beyond)
    out.needs.emplace(unlearned_key(name, target.vlan), in_force);
  if (flood.others.empty())
    out.warnings.push_back("no port carries VLAN " + vlan +
                           ": the copies go nowhere; give it to the port that leads to the sensor");
  else
    out.warnings.push_back("the copies in VLAN " + vlan + " go to " + flood.text(flood.others));
  if (flood.unasked.empty()) return out;
  for (const PortKey& at : flood.unasked)
    out.needs.emplace(kept_off_key(at.switch_name, at.port, target.vlan), in_force);
  out.warnings.push_back("VLAN " + vlan + " is kept off " + flood.text(flood.unasked) +
                         " by their trunks (`restrict: true`)");
  return out;
}

std::unique_ptr<Realiser> make_realiser(const std::string& owner) {
  return std::make_unique<Packer>(
      owner, [owner](const Demand& demand, const Landmarks& landmarks, const Observed& observed) {
        const auto outputs = std::make_shared<const Outputs>(demand, landmarks, observed, owner);
        const auto find = [outputs](const Session& session, const Switch& sw) {
          return outputs->find(session, sw);
        };
        const auto cut = [outputs](const Session& session) {
          return cut_up(session, outputs->capabilities(session.switch_name));
        };
        return OutputRules{find, cut, outputs->basis()};
      });
}

Realisation realise_once(const Desired& desired, const Observed& observed,
                         const std::string& owner) {
  return realise(desired, observed, *make_realiser(owner));
}

}  // namespace vmirror::ovs
