#include "plugin/ovs/observe.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "plugin/api/mirror_object.hpp"
#include "plugin/ovs/objects.hpp"
#include "plugin/ovs/schema.hpp"

namespace vmirror::ovs {
namespace {

using ovsdb::Datum;
using ovsdb::Row;
using ovsdb::Snapshot;
using ovsdb::Uuid;
using Labels = std::map<std::string, std::string>;

/// ovs-vswitchd's own bound: MAX_MIRRORS in ofproto/mirror.
constexpr std::size_t kMirrorsPerBridge = 32;
/// ovs-vswitchd.conf.db(5), Mirror, snaplen.
constexpr std::uint32_t kSmallestSnaplen = 14, kLargestSnaplen = 65535;

std::string label(const Labels& labels, std::initializer_list<const char*> keys) {
  for (const char* key : keys)
    if (const auto it = labels.find(key); it != labels.end() && !it->second.empty())
      return it->second;
  return {};
}

std::set<std::uint16_t> vlans(const Datum& datum) {
  std::set<std::uint16_t> out;
  for (const std::int64_t vlan : datum.set<std::int64_t>())
    out.insert(static_cast<std::uint16_t>(vlan));
  return out;
}

enum class Leads { to_guest, anywhere, out };

/// Where a device leads. A NIC of the host's own leads out; the kernel's drivers of devices that
/// lead to guests are few, and known, and two of them are only ever a process's end.
Leads leads(const Row& interface) {
  const std::string type = interface[interface::kType].text();
  if (type == "dpdk" || type.starts_with("afxdp")) return Leads::out;
  if (!type.empty() && type != "system") return Leads::to_guest;
  constexpr std::array<std::string_view, 3> kTaps = {"tun", "tap", "macvtap"};
  constexpr std::array<std::string_view, 4> kPairs = {"veth", "openvswitch", "macvlan", "dummy"};
  const std::string* driver = interface[interface::kStatus].find("driver_name");
  if (!driver || driver->empty() || std::ranges::find(kTaps, *driver) != kTaps.end())
    return Leads::to_guest;
  if (std::ranges::find(kPairs, *driver) == kPairs.end()) return Leads::out;
  for (const char* key : {"attached-mac", "iface-id", "vm-uuid", "vm-id", "vm-name"})
    if (interface[interface::kExternalIds].find(key)) return Leads::to_guest;
  return Leads::anywhere;
}

std::optional<std::uint32_t> number(const std::string* text) {
  if (text == nullptr) return {};
  std::uint32_t value = 0;
  const char* end = text->data() + text->size();
  const auto parsed = std::from_chars(text->data(), end, value);
  return parsed.ec == std::errc() && parsed.ptr == end ? std::optional(value) : std::nullopt;
}

/// The guest's MAC: what libvirt wrote; for an internal port the guest is the port's own device.
std::optional<Mac> guest_mac(const Row& interface, const std::string& type) {
  const std::string* attached = interface[interface::kExternalIds].find("attached-mac");
  std::string text = attached ? *attached : std::string();
  if (!attached && type == "internal") text = interface[interface::kMacInUse].text();
  if (text.empty()) return {};
  const auto mac = Mac::parse(text);
  return mac ? std::optional(*mac) : std::nullopt;
}

void add_counters(Port& port, const Row& interface) {
  const Datum& statistics = interface[interface::kStatistics];
  if (statistics.empty()) return;
  const auto get = [&](const char* name) {
    const std::int64_t* value = statistics.find<std::int64_t>(name);
    return value && *value > 0 ? static_cast<std::uint64_t>(*value) : 0;
  };
  if (!port.counters) port.counters.emplace();
  port.counters->out_frames += get("rx_packets");
  port.counters->out_bytes += get("rx_bytes");
  port.counters->in_frames += get("tx_packets");
  port.counters->in_bytes += get("tx_bytes");
  port.counters->in_dropped += get("tx_dropped");
}

void add_interface(Port& port, const Row& interface) {
  port.type = interface[interface::kType].text();
  const Datum& options = interface[interface::kOptions];
  if (const std::string* remote = options.find("remote_ip"))
    port.tunnel = TunnelEnd{*remote, number(options.find("key"))};
  if (const std::string* peer = options.find("peer")) port.peer = *peer;
  if (const auto mtu = interface[interface::kMtu].get<std::int64_t>(); mtu && *mtu > 0)
    port.mtu = std::max(port.mtu.value_or(0), static_cast<std::uint32_t>(*mtu));
  port.link_up = port.link_up || interface[interface::kLinkState].text() == "up";
  const Leads where = leads(interface);
  port.uplink = port.uplink || where == Leads::out;
  port.maybe_uplink = port.maybe_uplink || where == Leads::anywhere;
  const Datum& status = interface[interface::kStatus];
  if (const std::string* egress = status.find("tunnel_egress_iface")) port.egress = *egress;
  if (const std::string* carrier = status.find("tunnel_egress_iface_carrier"))
    port.carrier = *carrier == "up";
  if (const std::string error = interface[interface::kError].text(); !error.empty())
    port.error += (port.error.empty() ? "" : "; ") + error;
  if (const Datum& ids = interface[interface::kExternalIds]; !ids.empty())
    port.labels.merge(ids.map());
  const std::string* status_of_nic = interface[interface::kExternalIds].find("iface-status");
  port.incoming = port.incoming || (status_of_nic && *status_of_nic == "inactive");
  if (!port.mac) port.mac = guest_mac(interface, port.type);
  add_counters(port, interface);
}

/// ovs-vswitchd.conf.db(5), vlan_mode: without one a tag makes an access port.
bool is_trunk(const Row& row) {
  const std::string mode = row[port::kVlanMode].text();
  if (mode.empty()) return row[port::kTag].empty();
  return mode == "trunk" || mode.starts_with("native-");
}

/// What we keep off the port by its trunks.
struct KeptOff {
  std::set<std::uint16_t> vlans;
  bool in_force = false;  ///< False: somebody changed the port's VLANs since.
};

KeptOff kept_off(const Row& row, const std::string& owner) {
  std::set<std::uint16_t> off = listed_vlans(row[port::kExternalIds], kept_off_key(owner));
  const bool in_force =
      !off.empty() && is_trunk(row) && vlans(row[port::kTrunks]) == all_vlans_but(off);
  return {std::move(off), in_force};
}

/// What a port of ours asks its interface for.
Object own_port(const Snapshot& db, const Row& row) {
  std::string type;
  PortValue::Options options;
  for (const Uuid& id : row[port::kInterfaces].ids) {
    const Row* interface = db[kInterface].find(id);
    if (!interface) continue;
    type = (*interface)[interface::kType].text();
    options = (*interface)[interface::kOptions].map();
    // A column of its own in the database; an option to us.
    if (const auto mtu = (*interface)[interface::kMtuRequest].get<std::int64_t>();
        mtu && type == "internal")
      options["mtu_request"] = std::to_string(*mtu);
  }
  return {std::make_shared<const PortValue>(std::move(type), std::move(options))};
}

Port to_port(const Snapshot& db, const Row& row, const std::string& owner) {
  Port port;
  port.name = row[port::kName].text();
  port.id = row.id.text();
  port.owned = is_owned(row[port::kExternalIds], owner);
  port.labels = row[port::kExternalIds].map();
  if (const auto tag = row[port::kTag].get<std::int64_t>())
    port.vlan = static_cast<std::uint16_t>(*tag);
  if (is_trunk(row)) {
    port.trunks =
        kept_off(row, owner).in_force ? std::set<std::uint16_t>() : vlans(row[port::kTrunks]);
  }
  const auto& interfaces = row[port::kInterfaces].ids;
  for (const Uuid& id : interfaces)
    if (const Row* interface = db[kInterface].find(id)) {
      add_interface(port, *interface);
      if (interfaces.size() > 1) port.members.push_back((*interface)[interface::kName].text());
    }
  std::ranges::sort(port.members);
  if (interfaces.size() > 1) {
    port.bond = row[port::kBondMode].text();
    if (port.bond.empty()) port.bond = "active-backup";  // The default since 2.0.
    port.uplink = true;
  }
  port.maybe_uplink = port.maybe_uplink && !port.uplink;
  port.vm = label(port.labels, {"vm-uuid", "vm-id", "vm-name"});
  port.interface_id = label(port.labels, {"iface-id"});
  return port;
}

/// All but its selections.
Mirror to_mirror(const Snapshot& db, const Row& row, const std::string& owner) {
  Mirror mirror;
  mirror.id = row.id.text();
  mirror.all = row[mirror::kSelectAll].get<bool>().value_or(false);
  mirror.vlans = vlans(row[mirror::kSelectVlan]);
  if (const auto id = row[mirror::kOutputPort].get<Uuid>())
    if (const Row* output = db[kPort].find(*id))
      mirror.output = PortOutput{(*output)[port::kName].text()};
  if (const auto vlan = row[mirror::kOutputVlan].get<std::int64_t>())
    mirror.output = VlanOutput{static_cast<std::uint16_t>(*vlan)};
  mirror.snaplen =
      static_cast<std::uint32_t>(row[mirror::kSnaplen].get<std::int64_t>().value_or(0));
  mirror.match = row[mirror::kFilter].text();
  mirror.owned = is_owned(row[mirror::kExternalIds], owner);
  if (const auto* count = row[mirror::kStatistics].find<std::int64_t>("tx_packets"))
    mirror.copied_frames = static_cast<std::uint64_t>(*count);
  if (const auto* count = row[mirror::kStatistics].find<std::int64_t>("tx_bytes"))
    mirror.copied_bytes = static_cast<std::uint64_t>(*count);
  return mirror;
}

/// True unless only what the switch counted differs.
bool differs_in_wish(const Row& was, const Row& is) {
  for (std::size_t column = 0; column < mirror::kStatistics; ++column)
    if (was[column] != is[column]) return true;
  return false;
}

const Datum kNone;

const Datum& column_of(const Row* row, std::size_t column) {
  return row ? (*row)[column] : kNone;
}

Capabilities capabilities(const Snapshot& db) {
  Capabilities can;
  can.version = "Open vSwitch";
  std::set<std::string> types;
  for (const auto& [id, row] : db[kOpenVswitch].rows) {
    const std::string version = (*row)[root::kOvsVersion].text();
    const std::string schema = (*row)[root::kDbVersion].text();
    can.version += version.empty() ? " of unknown version" : " " + version;
    if (!schema.empty()) can.version += ", schema " + schema;
    types = (*row)[root::kIfaceTypes].set<std::string>();
  }
  // ovs-vswitchd lists its port types as it starts; before, and before 2.6, nothing is known
  // against.
  const auto has = [&](const char* type) { return types.empty() || types.contains(type); };
  can.mirrors = kMirrorsPerBridge;
  can.targets = {TargetKind::local, TargetKind::rspan};
  if (has("erspan")) can.targets.merge(std::set{TargetKind::erspan2, TargetKind::erspan3});
  if (has("gre")) can.targets.insert(TargetKind::gre);
  if (db[kMirror].has_column[mirror::kSnaplen])
    can.snaplen = SnaplenRange{kSmallestSnaplen, kLargestSnaplen};
  can.match = db[kMirror].has_column[mirror::kFilter];
  can.proofs = {ProofSource::engine, ProofSource::mirror_counter, ProofSource::collector};
  return can;
}

}  // namespace

bool is_owned(const Datum& external_ids, const std::string& owner) {
  const std::string* marked = external_ids.find(kOwnerKey);
  return marked && *marked == owner;
}

std::map<std::string, const Row*> mirrors_by_name(const Snapshot& db, const Row& bridge,
                                                  const std::string& owner) {
  std::map<std::string, const Row*> out;
  for (const bool ours : {true, false})
    for (const Uuid& id : bridge[bridge::kMirrors].ids) {
      const Row* row = db[kMirror].find(id);
      if (!row || is_owned((*row)[mirror::kExternalIds], owner) != ours) continue;
      const std::string name = (*row)[mirror::kName].text();
      if (!out.emplace(name, row).second)
        out.emplace(name + "~" + row->id.text().substr(0, 8), row);
    }
  return out;
}

std::set<std::uint16_t> all_vlans_but(const std::set<std::uint16_t>& vlans) {
  constexpr std::uint16_t kVlans = 4096;
  std::set<std::uint16_t> out;
  for (std::uint16_t vlan = 0; vlan < kVlans; ++vlan)
    if (!vlans.contains(vlan)) out.insert(out.end(), vlan);
  return out;
}

bool takes_every_vlan(const Row& row) {
  return is_trunk(row) && row[port::kTrunks].empty();
}

std::set<std::uint16_t> listed_vlans(const Datum& external_ids, const std::string& key) {
  std::set<std::uint16_t> out;
  const std::string* list = external_ids.find(key);
  std::string_view rest = list ? std::string_view(*list) : std::string_view();
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find(','));
    std::uint16_t vlan = 0;
    if (std::from_chars(one.data(), one.data() + one.size(), vlan).ec == std::errc())
      out.insert(vlan);
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
  }
  return out;
}

// ---- The observer

bool Observer::changed(std::size_t table) const {
  return !before_ || before_->tables[table] != now_->tables[table];
}

/// Calls visit(id, before, after) for each row that differs; null: there was, or is, none.
template <typename Visit>
void Observer::diff_rows(std::size_t table, Visit visit) const {
  if (!changed(table)) return;
  using Rows = decltype(ovsdb::Table::rows);
  const auto each = [&](const Uuid& id, const std::shared_ptr<const Row>* was,
                        const std::shared_ptr<const Row>* is) {
    visit(id, was ? was->get() : nullptr, is ? is->get() : nullptr);
  };
  diff(before_ ? (*before_)[table].rows : Rows(), (*now_)[table].rows, each);
}

/// The ports of which a row changed, the port's or an interface's.
Observer::Ids Observer::changed_ports() {
  Ids out;
  diff_rows(kPort, [&](const Uuid& id, const Row* was, const Row* is) {
    out.insert(id);
    diff(column_of(was, port::kInterfaces).ids, column_of(is, port::kInterfaces).ids,
         [&](const Uuid& interface, bool is_new) {
           if (is_new)
             port_of_interface_[interface] = id;
           else if (const auto it = port_of_interface_.find(interface);
                    it != port_of_interface_.end() && it->second == id)
             port_of_interface_.erase(it);
         });
  });
  diff_rows(kInterface, [&](const Uuid& id, const Row* was, const Row* is) {
    // The first ones of an interface are written by themselves, as it comes.
    const Datum &old = column_of(was, interface::kStatistics),
                &fresh = column_of(is, interface::kStatistics);
    counters_written_ |= !old.empty() && !fresh.empty() && old != fresh;
    if (const auto it = port_of_interface_.find(id); it != port_of_interface_.end())
      out.insert(it->second);
  });
  return out;
}

/// Takes the ports off their bridges that are no longer there, and notes where the new ones are.
/// What goes goes first: of a name there may be a new bridge already, or a port on another one.
void Observer::place_ports(Ids& changed) {
  std::map<std::string, const Row*> bridges;
  std::vector<std::pair<Uuid, std::string>> placed;
  diff_rows(kBridge, [&](const Uuid&, const Row* was, const Row* is) {
    const std::string name = column_of(is ? is : was, bridge::kName).text();
    if (is) bridges[name] = is;
    diff(column_of(was, bridge::kPorts).ids, column_of(is, bridge::kPorts).ids,
         [&](const Uuid& id, bool is_new) {
           changed.insert(id);
           if (is_new) {
             placed.emplace_back(id, name);
             return;
           }
           switch_of_port_.erase(id);
           if (const Row* row = (*before_)[kPort].find(id)) {
             const std::string port = (*row)[port::kName].text();
             out_.switches[name].ports.erase(port);
             forget_nameless({name, port});
             out_.objects.erase(port_key(name, port));
             note_kept_off({name, port}, {}, false);
           }
         });
    if (!is) {
      out_.switches.erase(name);
      note_unlearned(name, {}, {});
      note_mirror_objects(name, {});
    }
  });
  for (const auto& [name, row] : bridges) {
    Switch& sw = out_.switches[name];
    sw.name = name;
    const bool netdev = (*row)[bridge::kDatapathType].text() == "netdev";
    sw.datapath = netdev ? Datapath::userspace : Datapath::kernel;
    // OVN writes no controller: its agent, on the host, sets rules by itself in a bridge that
    // forwards nothing without (fail_mode).
    sw.controlled =
        !(*row)[bridge::kController].ids.empty() || (*row)[bridge::kFailMode].text() == "secure";
    sw.kind = "Open vSwitch";
    sw.capabilities = capabilities_;
    note_unlearned(name, vlans((*row)[bridge::kFloodVlans]),
                   listed_vlans((*row)[bridge::kExternalIds], vlans_key(owner_)));
  }
  for (auto& [id, name] : placed) switch_of_port_[id] = std::move(name);
}

/// Puts an object, or takes note that it is as it was.
void Observer::put(const ObjectKey& key, ObservedObject object) {
  const ObservedObject* is = out_.objects.get(key);
  if (!is || *is != object) out_.objects.set(key, std::move(object));
}

void Observer::note_unlearned(const std::string& bridge, const std::set<std::uint16_t>& in_force,
                              const std::set<std::uint16_t>& ours) {
  std::set<std::uint16_t> all = in_force;
  all.insert(ours.begin(), ours.end());
  for (const std::uint16_t vlan : std::exchange(unlearned_[bridge], all))
    if (!all.contains(vlan)) out_.objects.erase(unlearned_key(bridge, vlan));
  for (const std::uint16_t vlan : all)
    put(unlearned_key(bridge, vlan),
        {{std::make_shared<const VlanValue>(in_force.contains(vlan))}, ours.contains(vlan)});
  if (all.empty()) unlearned_.erase(bridge);
}

void Observer::note_kept_off(const PortKey& at, const std::set<std::uint16_t>& off, bool in_force) {
  const auto before = kept_off_.find(at);
  if (before == kept_off_.end() && off.empty()) return;
  if (before != kept_off_.end())
    for (const std::uint16_t vlan : before->second)
      if (!off.contains(vlan)) out_.objects.erase(kept_off_key(at.switch_name, at.port, vlan));
  for (const std::uint16_t vlan : off)
    put(kept_off_key(at.switch_name, at.port, vlan),
        {{std::make_shared<const VlanValue>(in_force)}, true});
  if (off.empty())
    kept_off_.erase(at);
  else
    kept_off_[at] = off;
}

/// The bridge's mirrors as objects.
void Observer::note_mirror_objects(const std::string& bridge,
                                   const std::map<std::string, Mirror>& mirrors) {
  std::set<std::string> names;
  for (const auto& [name, mirror] : mirrors) {
    names.insert(name);
    ObservedObject is{{std::make_shared<const MirrorValue>(mirror)}, mirror.owned};
    if (const auto* vlan = mirror.output ? std::get_if<VlanOutput>(&*mirror.output) : nullptr)
      is.object.needs = {unlearned_key(bridge, vlan->vlan)};
    else if (!mirror.output_port().empty())
      is.object.needs = {port_key(bridge, mirror.output_port())};
    put(mirror_key(bridge, name), std::move(is));
  }
  for (const std::string& name : std::exchange(mirror_names_[bridge], names))
    if (!names.contains(name)) out_.objects.erase(mirror_key(bridge, name));
  if (names.empty()) mirror_names_.erase(bridge);
}

/// Brings a selection of ports up to date with its column.
void Observer::select(PersistentSet<std::string>& names, const Datum& was, const Datum& is) const {
  diff(was.ids, is.ids, [&](const Uuid& id, bool is_new) {
    const ovsdb::Snapshot* db = is_new ? now_.get() : before_.get();
    const Row* row = db ? (*db)[kPort].find(id) : nullptr;
    if (!row) return;
    const std::string name = (*row)[port::kName].text();
    if (is_new)
      names.insert(name);
    else if (const Row* again = (*now_)[kPort].named(name);
             !again || !is.ids.contains(again->id))  // A port of that name may have come for it.
      names.erase(name);
  });
}

/// Takes note of mirrors that came, went or changed.
void Observer::note_mirrors() {
  diff_rows(kMirror, [&](const Uuid& id, const Row* was, const Row* is) {
    if (!is) {
      selected_.erase(id);
      carried_out_.erase(id);
      given_up_.erase(id);
      return;
    }
    if (!was || differs_in_wish(*was, *is)) {
      carried_out_.erase(id);
      given_up_.erase(id);
    }
    Selected& selected = selected_[id];
    select(selected.out, column_of(was, mirror::kSelectSrcPort), (*is)[mirror::kSelectSrcPort]);
    select(selected.in, column_of(was, mirror::kSelectDstPort), (*is)[mirror::kSelectDstPort]);
  });
}

void Observer::read_mirrors() {
  for (const auto& [bridge_id, bridge] : (*now_)[kBridge].rows) {
    Switch& sw = out_.switches[(*bridge)[bridge::kName].text()];
    sw.mirrors.clear();
    for (const auto& [name, row] : mirrors_by_name(*now_, *bridge, owner_)) {
      Mirror& mirror = sw.mirrors[name] = to_mirror(*now_, *row, owner_);
      mirror.name = name;
      mirror.switch_name = sw.name;
      mirror.in_ports = selected_[row->id].in;
      mirror.out_ports = selected_[row->id].out;
      if (given_up_.contains(row->id))
        mirror.error = "ovs-vswitchd has given it up: it counts it no longer";
    }
    note_mirror_objects(sw.name, sw.mirrors);
  }
}

/// A bond's, a tunnel's and a patch's addresses are those of many.
void Observer::note_nameless(const PortKey& key, const Port& port, const Row& row) {
  nameless_.erase(key);
  const bool plain = port.type.empty() || port.type == "system" || port.type == "tap" ||
                     port.type.starts_with("dpdkvhostuser");
  if (port.mac || port.owned || port.uplink || !plain) return;
  for (const Uuid& id : row[port::kInterfaces].ids)
    if (const Row* interface = (*now_)[kInterface].find(id))
      if (const auto number = (*interface)[interface::kOfport].get<std::int64_t>())
        nameless_[key] = *number;
}

void Observer::forget_nameless(const PortKey& key) {
  nameless_.erase(key);
  namer_.forget(key);
}

/// By what the switch has learned now: all, where that differs from what it had learned before,
/// else those that wait for a reading.
void Observer::name_anew(const Learned& before) {
  const bool differs = before.bridges != learned_->bridges || before.error != learned_->error;
  const bool is_new = before.number != learned_->number;
  const auto name = [this](const PortKey& key, std::int64_t number) {
    auto& ports = out_.switches[key.switch_name].ports;
    Port port = ports.at(key.port);
    namer_.name(key, number, port, *learned_);
    ports.set(key.port, std::move(port));
  };
  if (differs)
    for (const auto& [key, number] : nameless_) name(key, number);
  else if (is_new)
    for (const PortKey& key : std::set(namer_.untold())) name(key, nameless_.at(key));
}

/// ovs-vswitchd tells of a mirror that it could not make, or destroyed (a 33rd one, a filter that
/// it refuses), in its log only. But it writes the counters of
/// interfaces and mirrors together, and such a mirror's are empty then. True when that changes.
bool Observer::find_given_up() {
  bool changes = false;
  const bool written = std::exchange(counters_written_, false);
  for (const auto& [id, row] : (*now_)[kMirror].rows) {
    if (!is_owned((*row)[mirror::kExternalIds], owner_)) continue;
    if ((*row)[mirror::kStatistics].find<std::int64_t>("tx_packets"))
      changes |= given_up_.erase(id) != 0;
    else if (written && carried_out_.contains(id))
      changes |= given_up_.insert(id).second;
    if (!out_.progress.behind) carried_out_.insert(id);
  }
  return changes;
}

std::set<std::string> Observer::bridges_of_nameless() const {
  std::set<std::string> out;
  for (auto at = nameless_.begin(); at != nameless_.end();
       at = nameless_.lower_bound({at->first.switch_name + '\0', ""}))
    out.insert(at->first.switch_name);
  return out;
}

std::shared_ptr<const Observed> Observer::update(std::shared_ptr<const Snapshot> db,
                                                 std::set<IpAddress> own_addresses,
                                                 std::shared_ptr<const Learned> learned) {
  now_ = std::move(db);
  if (changed(kOpenVswitch) || changed(kMirror)) {
    capabilities_ = capabilities(*now_);
    for (auto& [name, sw] : out_.switches) sw.capabilities = capabilities_;
  }
  const auto learned_before = std::exchange(learned_, std::move(learned));
  Ids ports = changed_ports();
  place_ports(ports);
  for (const Uuid& id : ports) {
    const auto at = switch_of_port_.find(id);
    const Row* row = (*now_)[kPort].find(id);
    if (at == switch_of_port_.end() || !row) continue;
    Port port = to_port(*now_, *row, owner_);
    const std::string name = port.name;
    const PortKey here{at->second, name};
    note_nameless(here, port, *row);
    if (const auto number = nameless_.find(here); number != nameless_.end())
      namer_.name(here, number->second, port, *learned_);
    else
      namer_.forget(here);
    Switch& sw = out_.switches[at->second];
    const ObjectKey key = port_key(at->second, name);
    if (port.owned)
      put(key, {own_port(*now_, *row), true});
    else
      out_.objects.erase(key);
    sw.ports.set(name, std::move(port));
    const KeptOff off = kept_off(*row, owner_);
    note_kept_off({at->second, name}, off.vlans, off.in_force);
  }
  for (const auto& [id, row] : (*now_)[kOpenVswitch].rows) {
    const auto asked = (*row)[root::kNextCfg].get<std::int64_t>().value_or(0);
    const auto done = (*row)[root::kCurCfg].get<std::int64_t>().value_or(0);
    out_.progress = {"ovs-vswitchd", done < asked, static_cast<std::uint64_t>(done)};
  }
  name_anew(*learned_before);
  // A mirror's output is named by its port.
  note_mirrors();
  const bool some_given_up = find_given_up();
  if (some_given_up || changed(kMirror) || changed(kBridge) || changed(kPort)) read_mirrors();
  if (now_->lost_at != 0 && now_->found_at != 0) out_.outage = {now_->lost_at, now_->found_at};
  out_.counted_at = now_->counted_at;
  out_.own_addresses = std::move(own_addresses);
  out_.revision = now_->revision;
  before_ = now_;
  return std::make_shared<const Observed>(out_);
}

Observed to_observed(const Snapshot& db, const std::string& owner) {
  return *Observer(owner).update(std::make_shared<const Snapshot>(db));
}

}  // namespace vmirror::ovs
