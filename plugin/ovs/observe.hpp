// From a snapshot of the Open_vSwitch database to the driver's Observed. Pure.
#pragma once

#include <map>
#include <string>

#include "plugin/api/model.hpp"
#include "plugin/ovsdb/value.hpp"

namespace vmirror::ovs {

/// Owned is what carries `external_ids:vmirror-owner=owner`. Time is linear in the rows.
///
/// Interface.statistics are the switch's view, counters the guest's: rx_packets is what the guest
/// sent.
Observed to_observed(const ovsdb::Snapshot& db, const std::string& owner);

/// True for a row's external_ids that say so.
bool is_owned(const ovsdb::Datum& external_ids, const std::string& owner);

/// A bridge's mirrors by the names under which they are observed. The database allows two of one
/// name: ours comes first and keeps it, a further one is called "NAME~12345678" after its identity.
std::map<std::string, const ovsdb::Row*> mirrors_by_name(const ovsdb::Snapshot& db,
                                                         const ovsdb::Row& bridge,
                                                         const std::string& owner);

/// The VLANs that a bridge's external_ids name as added to flood_vlans by us.
std::set<std::uint16_t> owned_vlans(const ovsdb::Row& bridge, const std::string& owner);

}  // namespace vmirror::ovs
