// Whether two halves, that two agents tell of one guest, are of one migration: they have no common
// id where each began its own, because the link was down or an agent began anew in the middle.
// Pure.
//
//   source       began ------- suspended --- port_removed ---- ended
//   destination     began -- port_added -- resumed ----- ended
#pragma once

#include "agent/model/migration.hpp"

namespace vmirror {

/// False: by their times they can't be. `ahead`: the source's clock less the destination's. The
/// rules hold for steps that were seen late, too; two migrations less than 200 ms apart may be
/// taken for one.
///
///   - one host is not both;
///   - the source does not begin after the guest came to the destination;
///   - the port appears at the destination before it is gone at the source;
///   - a source whose half ended with the guest still there has nothing to do with what begins
///     later.
bool may_be_one(const MigrationHalf& source, const MigrationHalf& destination, Time ahead);

}  // namespace vmirror
