// Decides whether two halves of one guest, from two agents, belong to one migration. The halves
// have no common id if each agent began a record, because the link was down or an agent was
// restarted during the migration. Pure.
//
//   source       began ------- suspended --- port_removed ---- ended
//   destination     began -- port_added -- resumed ----- ended
#pragma once

#include "agent/model/migration.hpp"

namespace vmirror {

/// False: their times exclude it. `ahead`: the source's clock less the destination's. The rules
/// also hold for steps that were seen late. Two migrations less than 200 ms apart may be taken
/// for one migration.
///
///   - source and destination are two hosts;
///   - the source does not begin after the guest came to the destination;
///   - the port appears at the destination before it is gone at the source;
///   - a source half that ended with the guest still on the source does not match a half that
///     begins later.
bool may_be_one(const MigrationHalf& source, const MigrationHalf& destination, Time ahead);

}  // namespace vmirror
