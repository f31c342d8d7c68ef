// From steps to one OVSDB transaction, with names resolved against the newest contents. Pure.
#pragma once

#include <span>
#include <string>

#include "plugin/api/object.hpp"
#include "plugin/base/result.hpp"
#include "plugin/ovsdb/value.hpp"

namespace vmirror::ovs {

/// The transaction that does all of `steps`; empty when nothing is left to do. It holds only if the
/// bridges' mirrors and flood_vlans, where it changes them, are still those of `db` when the server
/// executes it. It counts next_cfg up, so that ovs-vswitchd tells in cur_cfg that it carried it
/// out. Where it changes a bridge's mirrors, it also changes a port of ours there, so that flows
/// that run follow at once (docs/decisions/0014).
///
/// What is already gone is left out of removals and selections: the next observation tells.
/// Error::Kind::refused when a step would change what isn't owned; Error::Kind::missing for a
/// bridge or an output port that isn't there; Error::Kind::unsupported for a column that the schema
/// lacks.
Result<ovsdb::Transaction> compose(std::span<const Step> steps, const ovsdb::Snapshot& db,
                                   const std::string& owner);

}  // namespace vmirror::ovs
