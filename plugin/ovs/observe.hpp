// From a snapshot of the Open_vSwitch database to the driver's Observed.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "plugin/api/model.hpp"
#include "plugin/ovs/learned.hpp"
#include "plugin/ovsdb/value.hpp"

namespace vmirror::ovs {

/// Owned is what carries `external_ids:vmirror-owner=owner`.
///
/// Interface.statistics are the switch's view, counters the guest's: rx_packets is what the guest
/// sent.
class Observer {
 public:
  explicit Observer(std::string owner) : owner_(std::move(owner)) {}

  /// What `db` shows on the host with these addresses, where the switch has learned this. Costs
  /// what differs from the arguments of the last call, where these are their ancestors, and a
  /// comparison of the sets that differ (a bridge's ports, a mirror's selections). What comes of it
  /// depends on the arguments alone, but for Mirror::error, which two snapshots show, and for
  /// addresses that the switch has learned before and forgotten since.
  std::shared_ptr<const Observed> update(
      std::shared_ptr<const ovsdb::Snapshot> db, std::set<IpAddress> own_addresses = {},
      std::shared_ptr<const Learned> learned = std::make_shared<const Learned>());
  /// The bridges that have ports of guests, as of the last update, on which nobody wrote a MAC.
  std::set<std::string> bridges_of_nameless() const;

 private:
  struct Selected {
    PersistentSet<std::string> in, out;
  };
  using Ids = std::set<ovsdb::Uuid>;

  bool changed(std::size_t table) const;
  template <typename Visit>
  void diff_rows(std::size_t table, Visit visit) const;
  Ids changed_ports();
  void place_ports(Ids& changed);
  void select(PersistentSet<std::string>& names, const ovsdb::Datum& was,
              const ovsdb::Datum& is) const;
  void put(const ObjectKey& key, ObservedObject object);
  void note_unlearned(const std::string& bridge, const std::set<std::uint16_t>& in_force,
                      const std::set<std::uint16_t>& ours);
  void note_kept_off(const PortKey& at, const std::set<std::uint16_t>& off, bool in_force);
  void note_mirror_objects(const std::string& bridge, const std::map<std::string, Mirror>& mirrors);
  void note_mirrors();
  void read_mirrors();
  void note_nameless(const PortKey& key, const Port& port, const ovsdb::Row& row);
  void forget_nameless(const PortKey& key);
  void name_anew(const Learned& before);
  bool find_given_up();

  const std::string owner_;
  std::shared_ptr<const ovsdb::Snapshot> before_, now_;
  Observed out_;
  std::unordered_map<ovsdb::Uuid, ovsdb::Uuid, ovsdb::UuidHash> port_of_interface_;
  std::unordered_map<ovsdb::Uuid, std::string, ovsdb::UuidHash> switch_of_port_;
  std::map<ovsdb::Uuid, Selected> selected_;  ///< By mirror.
  NamelessPorts nameless_;
  Capabilities capabilities_;
  // What `out_.objects` has, so that it can be taken out again.
  std::map<std::string, std::set<std::uint16_t>> unlearned_;   ///< By bridge.
  std::map<PortKey, std::set<std::uint16_t>> kept_off_;        ///< None empty.
  std::map<std::string, std::set<std::string>> mirror_names_;  ///< By bridge.
  PortNamer namer_;
  std::shared_ptr<const Learned> learned_ = std::make_shared<const Learned>();
  bool counters_written_ = false;  ///< Of interfaces, in the latest snapshot.
  Ids carried_out_;                ///< Mirrors that ovs-vswitchd has seen as they are.
  Ids given_up_;                   ///< Mirrors: see Mirror::error.
};

/// Pure: the same, once. Time is linear in the rows.
Observed to_observed(const ovsdb::Snapshot& db, const std::string& owner);

/// True for a row's external_ids that say so.
bool is_owned(const ovsdb::Datum& external_ids, const std::string& owner);

/// A bridge's mirrors by the names under which they are observed. The database allows two of one
/// name: ours comes first and keeps it, a further one is called "NAME~12345678" after its identity.
std::map<std::string, const ovsdb::Row*> mirrors_by_name(const ovsdb::Snapshot& db,
                                                         const ovsdb::Row& bridge,
                                                         const std::string& owner);

/// The VLANs that external_ids list under the key: vlans_key() of a bridge, kept_off_key() of a
/// port.
std::set<std::uint16_t> listed_vlans(const ovsdb::Datum& external_ids, const std::string& key);

/// All VLANs (0 to 4095, 0 being no tag) but these.
std::set<std::uint16_t> all_vlans_but(const std::set<std::uint16_t>& vlans);

/// True for a port that carries every VLAN, because nobody said which.
bool takes_every_vlan(const ovsdb::Row& port);

}  // namespace vmirror::ovs
