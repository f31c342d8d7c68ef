// The database `vmirror` (vmirror.ovsschema): what policies ask of all hosts, and what became of it
// on each. The enums are the places in schema(). A column that an older server lacks is always
// empty, and is not written; columns and tables that a newer server has besides are left alone
// (decision 39).
//
//   Cluster   one row: the generation, which each change of a policy raises by one, the policies,
//             and who may change them
//   Policy    never changed: a change replaces the row. It is there while the Cluster refers to it,
//             so that the right to change the Cluster is the right to set policies (decision 47)
//   Removal   of a policy: who removed it. As a Policy: never changed, there while the Cluster
//             refers to it, which is while it is one of the latest kMostRemovals
//   Host      one of each agent, written by that agent alone
//   Session   of each NIC and target of a host, written by that host's agent alone
//
// RBAC_Role and RBAC_Permission are ovsdb-server's own (roles.hpp); no client reads them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plugin/ovsdb/value.hpp"

namespace vmirror::store {

enum TableIndex : std::size_t { kCluster, kPolicy, kHost, kSession, kRemoval };

namespace cluster {
enum : std::size_t { kGeneration, kPolicies, kRemovals };
}
namespace policy {
enum : std::size_t { kName, kYaml, kGeneration, kSetBy, kSetAt };
}
namespace removal {
enum : std::size_t { kPolicy, kGeneration, kRemovedBy, kRemovedAt };
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
  kFault,
  kInstance
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
/// schema_text(), in which a Policy stays without a reference: between schema 1, whose policies
/// have none, and this one.
std::string schema_between();
/// Of schema_text(): "2.1.0".
std::string schema_version();
/// Is schema version `a` later than `b`? A number that is not there is 0.
bool is_later(const std::string& a, const std::string& b);

/// "Cluster.policies": what a server's schema lacks of schema(); an agent does without it.
std::vector<std::string> lacking(const ovsdb::Snapshot& snapshot);

}  // namespace vmirror::store
