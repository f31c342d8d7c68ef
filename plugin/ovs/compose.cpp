#include "plugin/ovs/compose.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "plugin/api/mirror_object.hpp"
#include "plugin/ovs/objects.hpp"
#include "plugin/ovs/observe.hpp"
#include "plugin/ovs/schema.hpp"

namespace vmirror::ovs {
namespace {

using ovsdb::Add;
using ovsdb::Atom;
using ovsdb::ColumnValues;
using ovsdb::Datum;
using ovsdb::Increment;
using ovsdb::Insert;
using ovsdb::Remove;
using ovsdb::Row;
using ovsdb::Snapshot;
using ovsdb::Transaction;
using ovsdb::Uuid;
using ovsdb::Verify;
using ovsdb::Write;

Datum number(std::int64_t value) {
  return Atom(value);
}
Datum reference(const Uuid& id) {
  return Atom(id);
}

bool is_on(const Row& bridge, const Uuid& port) {
  return bridge[bridge::kPorts].ids.contains(port);
}

/// One composition: the snapshot, what earlier steps changed of it, and the transaction so far.
class Composer {
 public:
  Composer(const Snapshot& db, const std::string& owner) : db_(db), owner_(owner) {}

  Result<void> add(const Step& step) {
    const ObjectKey& key = step.key;
    const Row* bridge = db_[kBridge].named(key.switch_name);
    if (!bridge) return fail(Error::Kind::missing, "there is no such bridge", key.switch_name);
    const bool goes = step.verb == Step::Verb::remove;
    if (const auto vlan = vlan_of(key)) {
      auto& vlans = vlan->first.empty() ? unlearned_[bridge] : kept_off_[{bridge, vlan->first}];
      vlans[vlan->second] = !goes;
      return {};
    }
    if (const auto* port = value_as<PortValue>(step.value.get()))
      return put_port(key.name, *port, *bridge);
    if (const auto* mirror = value_as<MirrorValue>(step.value.get()))
      return put_mirror(mirror->mirror, value_as<MirrorValue>(step.seen.get()), *bridge);
    if (goes && key.kind == kPortKind) return remove_port(key.name, *bridge);
    if (goes && key.kind == kMirrorKind) return remove_mirror(key.name, *bridge);
    return fail(Error::Kind::internal, "Open vSwitch has no such object", to_text(key));
  }

  /// The transaction, and with it what makes ovs-vswitchd look again at the flows that run.
  Result<Transaction> take() {
    for (const auto& [bridge, changes] : unlearned_) change_unlearned(*bridge, changes);
    for (const auto& [at, changes] : kept_off_)
      if (const auto done = change_kept_off(at.second, changes, *at.first); !done)
        return tl::unexpected(done.error());
    for (const Uuid& id : changed_) revalidate(*db_[kBridge].find(id));
    if (transaction_.empty()) return Transaction();
    for (const auto& [id, row] : db_[kOpenVswitch].rows)
      transaction_.push_back(Increment{kOpenVswitch, row->id, root::kNextCfg});
    return std::move(transaction_);
  }

 private:
  /// A port as the steps so far leave it. `row` is null for one that they make.
  struct PortState {
    Uuid id;
    const Row* row = nullptr;
  };

  /// None: there is no such port, or no longer.
  std::optional<PortState> find_port(const std::string& name) const {
    if (const auto it = changed_ports_.find(name); it != changed_ports_.end()) return it->second;
    const Row* row = db_[kPort].named(name);
    return row ? std::optional(PortState{row->id, row}) : std::nullopt;
  }

  using VlanChanges = std::map<std::uint16_t, bool>;  ///< True: it is wanted; false: it goes.

  Result<void> put_port(const std::string& name, const PortValue& wanted, const Row& on) {
    PortValue::Options options = wanted.options;
    Datum mtu;
    if (const auto it = options.find("mtu_request"); it != options.end()) {
      std::int64_t value = 0;
      std::from_chars(it->second.data(), it->second.data() + it->second.size(), value);
      if (value > 0) mtu = number(value);
      options.erase(it);
    }
    ColumnValues columns = {{interface::kType, wanted.type.c_str()},
                            {interface::kOptions, options},
                            {interface::kMtuRequest, mtu}};
    const auto found = find_port(name);
    if (!found) return make_port(name, std::move(columns), on);
    const PortState& is = *found;
    if (!is.row || !is_owned((*is.row)[port::kExternalIds], owner_) || !is_on(on, is.id))
      return fail(Error::Kind::refused, "port `" + name + "` is there and isn't ours",
                  on[bridge::kName].text());
    for (const Uuid& interface : (*is.row)[port::kInterfaces].set<Uuid>())
      transaction_.push_back(Write{kInterface, interface, columns});
    return {};
  }

  Result<void> make_port(const std::string& name, ColumnValues columns, const Row& on) {
    const std::map<std::string, std::string> mark = {{kOwnerKey, owner_}};
    const Uuid port = fresh(), interface = fresh();
    columns.emplace_back(interface::kName, name.c_str());
    columns.emplace_back(interface::kExternalIds, mark);
    transaction_.push_back(Insert{kInterface, interface, std::move(columns)});
    transaction_.push_back(Insert{kPort,
                                  port,
                                  {{port::kName, name.c_str()},
                                   {port::kInterfaces, reference(interface)},
                                   {port::kTrunks, number(revalidation())},
                                   {port::kExternalIds, mark}}});
    transaction_.push_back(Add{kBridge, on.id, bridge::kPorts, reference(port)});
    changed_ports_[name] = PortState{port, nullptr};
    return {};
  }

  Result<void> remove_port(const std::string& name, const Row& on) {
    const auto found = find_port(name);
    if (!found || !found->row || !is_on(on, found->id)) return {};
    if (!is_owned((*found->row)[port::kExternalIds], owner_))
      return fail(Error::Kind::refused, "port `" + name + "` isn't ours", on[bridge::kName].text());
    transaction_.push_back(Remove{kBridge, on.id, bridge::kPorts, reference(found->id)});
    changed_ports_[name] = std::nullopt;
    return {};
  }

  /// `seen`: as it was observed; null: nothing was.
  Result<void> put_mirror(const Mirror& wanted, const MirrorValue* seen, const Row& on) {
    auto columns = columns_of(wanted, on);
    if (!columns) return tl::unexpected(columns.error());
    auto& mirrors = mirrors_of(on);
    const auto found = mirrors.find(wanted.name);
    if (found != mirrors.end()) {
      if (!is_owned((*found->second)[mirror::kExternalIds], owner_))
        return fail(Error::Kind::refused, "mirror `" + wanted.name + "` is there and isn't ours",
                    on[bridge::kName].text());
      change_mirror(*found->second, std::move(*columns), wanted, seen, on);
      return {};
    }
    const Uuid id = fresh();
    columns->emplace_back(mirror::kSelectSrcPort, ids(wanted.out_ports));
    columns->emplace_back(mirror::kSelectDstPort, ids(wanted.in_ports));
    columns->emplace_back(mirror::kExternalIds,
                          std::map<std::string, std::string>{{kOwnerKey, owner_}});
    transaction_.push_back(Insert{kMirror, id, std::move(*columns)});
    transaction_.push_back(Add{kBridge, on.id, bridge::kMirrors, reference(id)});
    changed_.insert(on.id);
    return {};
  }

  /// Writes what differs. A selection may have a thousand ports: of it, what comes and what goes.
  void change_mirror(const Row& is, ColumnValues columns, const Mirror& wanted,
                     const MirrorValue* seen, const Row& on) {
    const std::size_t before = transaction_.size();
    ColumnValues writes;
    for (auto& [column, value] : columns)
      if (is[column] != value) writes.emplace_back(column, std::move(value));
    if (!writes.empty()) transaction_.push_back(Write{kMirror, is.id, std::move(writes)});
    change_selection(is, mirror::kSelectSrcPort, seen ? &seen->mirror.out_ports : nullptr,
                     wanted.out_ports);
    change_selection(is, mirror::kSelectDstPort, seen ? &seen->mirror.in_ports : nullptr,
                     wanted.in_ports);
    if (transaction_.size() != before) changed_.insert(on.id);
  }

  /// From what was observed, or, where nothing was, from what is there now.
  void change_selection(const Row& is, std::size_t column, const PersistentSet<std::string>* was,
                        const PersistentSet<std::string>& wanted) {
    std::set<Uuid> gone, fresh;
    if (was) {
      diff(*was, wanted, [&](const std::string& name, bool is_new) {
        if (const auto port = find_port(name)) (is_new ? fresh : gone).insert(port->id);
      });
    } else {
      const std::set<Uuid> before = is[column].set<Uuid>(), after = ids(wanted);
      std::ranges::set_difference(before, after, std::inserter(gone, gone.end()));
      std::ranges::set_difference(after, before, std::inserter(fresh, fresh.end()));
    }
    if (!gone.empty()) transaction_.push_back(Remove{kMirror, is.id, column, gone});
    if (!fresh.empty()) transaction_.push_back(Add{kMirror, is.id, column, fresh});
  }

  Result<void> remove_mirror(const std::string& name, const Row& on) {
    auto& mirrors = mirrors_of(on);
    const auto found = mirrors.find(name);
    if (found == mirrors.end()) return {};
    if (!is_owned((*found->second)[mirror::kExternalIds], owner_))
      return fail(Error::Kind::refused, "mirror `" + name + "` isn't ours",
                  on[bridge::kName].text());
    transaction_.push_back(Remove{kBridge, on.id, bridge::kMirrors, reference(found->second->id)});
    mirrors.erase(found);
    changed_.insert(on.id);
    return {};
  }

  /// A VLAN that is in force without us is somebody else's, and stays so: two owners that took it
  /// for theirs would take it from each other. So the record and what is in force change together,
  /// and only from what was seen.
  void change_unlearned(const Row& on, const VlanChanges& changes) {
    const std::string key = vlans_key(owner_);
    const std::set<std::uint16_t> before = listed_vlans(on[bridge::kExternalIds], key);
    const auto in_force = on[bridge::kFloodVlans].set<std::int64_t>();
    std::set<std::uint16_t> gone, fresh, owned = before;
    for (const auto& [vlan, wanted] : changes) {
      if (!wanted) {
        if (owned.erase(vlan) != 0 && in_force.contains(vlan)) gone.insert(vlan);
      } else if (!in_force.contains(vlan)) {
        fresh.insert(vlan);
        owned.insert(vlan);
      }
    }
    if (gone.empty() && fresh.empty() && owned == before) return;
    transaction_.push_back(Verify{kBridge, on.id, bridge::kFloodVlans, on[bridge::kFloodVlans]});
    if (!gone.empty()) transaction_.push_back(Remove{kBridge, on.id, bridge::kFloodVlans, gone});
    if (!fresh.empty()) transaction_.push_back(Add{kBridge, on.id, bridge::kFloodVlans, fresh});
    if (owned != before) list_vlans(kBridge, on.id, bridge::kExternalIds, key, owned);
  }

  /// The port is foreign: its trunks are changed only from none to all but the VLANs and back, and
  /// only from what was seen; the record says so, in the same transaction.
  Result<void> change_kept_off(const std::string& port_name, const VlanChanges& changes,
                               const Row& on) {
    const auto found = find_port(port_name);
    if (!found || !found->row || !is_on(on, found->id)) return {};
    const Row& row = *found->row;
    const std::string key = kept_off_key(owner_);
    const std::set<std::uint16_t> before = listed_vlans(row[port::kExternalIds], key);
    std::set<std::uint16_t> wanted = before;
    for (const auto& [vlan, is_wanted] : changes)
      if (is_wanted)
        wanted.insert(vlan);
      else
        wanted.erase(vlan);
    const bool ours = !before.empty() && row[port::kTrunks] == Datum(all_vlans_but(before));
    if (!ours && !takes_every_vlan(row)) {
      if (!wanted.empty())
        return fail(Error::Kind::refused, "port `" + port_name + "` has VLANs of its own",
                    on[bridge::kName].text());
      if (!before.empty()) list_vlans(kPort, row.id, port::kExternalIds, key, {});
      return {};
    }
    const Datum trunks = wanted.empty() ? Datum() : Datum(all_vlans_but(wanted));
    if (row[port::kTrunks] != trunks) {
      transaction_.push_back(Verify{kPort, row.id, port::kTrunks, row[port::kTrunks]});
      transaction_.push_back(Write{kPort, row.id, {{port::kTrunks, trunks}}});
    }
    if (before != wanted) list_vlans(kPort, row.id, port::kExternalIds, key, wanted);
    return {};
  }

  /// Writes our record of VLANs into external_ids; empty: it goes.
  void list_vlans(TableIndex table, const Uuid& id, std::size_t column, const std::string& key,
                  const std::set<std::uint16_t>& vlans) {
    std::string list;
    for (const std::uint16_t vlan : vlans) list += (list.empty() ? "" : ",") + std::to_string(vlan);
    if (vlans.empty())
      transaction_.push_back(Remove{table, id, column, key.c_str()});
    else
      transaction_.push_back(
          Add{table, id, column, std::map<std::string, std::string>{{key, list}}});
  }

  /// ovs-vswitchd applies a changed mirror to flows that run only when it revalidates them, which
  /// it does for a port with other trunks. Ours mean nothing: copies pass by them. A port of ours
  /// that comes or goes has the same effect, so that where none stays nothing is to do.
  void revalidate(const Row& on) {
    for (const Uuid& id : on[bridge::kPorts].ids) {
      const Row* row = db_[kPort].find(id);
      if (!row || !is_owned((*row)[port::kExternalIds], owner_)) continue;
      if (const auto it = changed_ports_.find((*row)[port::kName].text());
          it != changed_ports_.end() && (!it->second || it->second->id != id))
        continue;
      transaction_.push_back(Write{kPort, id, {{port::kTrunks, number(revalidation())}}});
      return;
    }
  }

  /// Another VLAN with each transaction. A value that only goes to and fro would be the same again
  /// where ovs-vswitchd takes in two transactions at once.
  std::int64_t revalidation() const {
    constexpr std::int64_t kVlans = 4094;
    std::int64_t next_cfg = 0;
    for (const auto& [id, row] : db_[kOpenVswitch].rows)
      next_cfg = (*row)[root::kNextCfg].get<std::int64_t>().value_or(0);
    return 1 + (next_cfg % kVlans + kVlans) % kVlans;
  }

  std::set<Uuid> ids(const PersistentSet<std::string>& names) const {
    std::set<Uuid> out;
    for (const std::string& name : names)
      if (const auto port = find_port(name)) out.insert(port->id);
    return out;
  }

  /// All but the selected ports.
  Result<ColumnValues> columns_of(const Mirror& m, const Row& on) const {
    Datum output;
    const auto* vlan = m.output ? std::get_if<VlanOutput>(&*m.output) : nullptr;
    if (const std::string& name = m.output_port(); !name.empty()) {
      const auto found = find_port(name);
      if (!found)
        return fail(Error::Kind::missing, "output port `" + name + "` is not there",
                    on[bridge::kName].text());
      output = reference(found->id);
    }
    ColumnValues columns = {{mirror::kName, m.name.c_str()},
                            {mirror::kSelectAll, Atom(m.all)},
                            {mirror::kSelectVlan, m.vlans},
                            {mirror::kOutputPort, output},
                            {mirror::kOutputVlan, vlan ? number(vlan->vlan) : Datum()}};
    const auto optional = [&](std::size_t column, bool wanted, Datum value) {
      const bool has = db_[kMirror].has_column[column];
      if (has) columns.emplace_back(column, wanted ? std::move(value) : Datum());
      return has || !wanted;
    };
    if (!optional(mirror::kSnaplen, m.snaplen != 0, number(m.snaplen)) ||
        !optional(mirror::kFilter, !m.match.empty(), m.match.c_str()))
      return fail(Error::Kind::unsupported, "the switch's schema has no snaplen or no filter",
                  on[bridge::kName].text() + "/" + m.name);
    return columns;
  }

  /// The bridge's mirrors as the steps so far leave them. From the first look on, the transaction
  /// holds only while the server's are those of the snapshot.
  std::map<std::string, const Row*>& mirrors_of(const Row& on) {
    const auto [it, first] = mirrors_.try_emplace(on.id);
    if (first) {
      it->second = mirrors_by_name(db_, on, owner_);
      transaction_.push_back(Verify{kBridge, on.id, bridge::kMirrors, on[bridge::kMirrors]});
    }
    return it->second;
  }

  Uuid fresh() { return {{0x766d6972, 0x726f7200, 0, ++rows_made_}}; }

  const Snapshot& db_;
  const std::string& owner_;
  std::map<std::string, std::optional<PortState>> changed_ports_;  ///< By the steps; none: gone.
  std::map<const Row*, VlanChanges> unlearned_;                    ///< By bridge.
  std::map<std::pair<const Row*, std::string>, VlanChanges> kept_off_;  ///< By bridge and port.
  std::map<Uuid, std::map<std::string, const Row*>> mirrors_;
  std::set<Uuid> changed_;  ///< Bridges whose mirrors the steps change.
  std::uint32_t rows_made_ = 0;
  Transaction transaction_;
};

}  // namespace

Result<Transaction> compose(std::span<const Step> steps, const Snapshot& db,
                            const std::string& owner) {
  Composer composer(db, owner);
  for (const Step& step : steps)
    if (const auto added = composer.add(step); !added) return tl::unexpected(added.error());
  return composer.take();
}

}  // namespace vmirror::ovs
