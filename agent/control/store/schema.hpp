// The database `vmirror` (vmirror.ovsschema): what policies ask of all hosts, and what became of it
// on each. The enums are the places in schema(). A column that an older server lacks is always
// empty, and is not written; columns and tables that a newer server has besides are left alone
// (decision 39).
//
//   Cluster   one row: the generation, which each change of a policy raises by one
//   Policy    written by operators, through any agent
//   Host      one of each agent, written by that agent alone
//   Session   of each NIC and target of a host, written by that host's agent alone
#pragma once

#include <string_view>

#include "plugin/ovsdb/value.hpp"

namespace vmirror::store {

enum TableIndex : std::size_t { kCluster, kPolicy, kHost, kSession };

namespace cluster {
enum : std::size_t { kGeneration };
}
namespace policy {
enum : std::size_t { kName, kYaml, kGeneration, kSetBy, kSetAt };
}
namespace host {
enum : std::size_t {
  kName,
  kKind,
  kSwitchVersion,
  kVersion,
  kCapabilities,
  kGeneration,
  kRefused,
  kFault
};
}
namespace session {
enum : std::size_t {
  kName,
  kHost,
  kPolicies,
  kVm,
  kMac,
  kSwitch,
  kPort,
  kTarget,
  kState,
  kProof,
  kInPlace,
  kReason,
  kSince
};
}

ovsdb::Schema schema();

/// vmirror.ovsschema as it was when the program was built.
std::string_view schema_text();

}  // namespace vmirror::store
