// Who may write what in the store: rows of ovsdb-server's own tables RBAC_Role and RBAC_Permission
// (ovsdb-server(7), "RBAC"). All clients with TLS have one role; what the role allows goes by the
// common name of the client's certificate.
//
//   table     a row may be written by                            so that
//   Host      whose name it has                                  an agent tells of its host alone
//   Session   whose name is its `host`                           the same
//   Policy    whose name is its `set_by`; never changed          the author is true
//   Removal   whose name is its `removed_by`; never changed      who removed a policy is true
//   Cluster   the operators named in it: the generation,         a policy is an operator's, and its
//             references to policies and removals                removal: a row that nobody refers
//                                                                to goes away
//   others    nobody
//
// Clients of the server's Unix socket have no role, and may write all. Pure.
#pragma once

#include <set>
#include <string>

#include "plugin/base/result.hpp"

namespace vmirror::store {

/// Of all remotes with TLS.
constexpr const char* kRole = "vmirror";

/// The parameters of ovsdb-client's `transact` that put these rules, and no others, in place.
/// `operators`: names as in `vmirror pki operator NAME`. `has_cluster`: the Cluster's row is there.
std::string roles_transaction(const std::set<std::string>& operators, bool has_cluster);

/// The same of a transaction that names one operator to the store, or (`take`) no more. Others of
/// these at the same time are not undone.
std::string operator_transaction(const std::string& name, bool take);

/// The server's roles do not let the client make this transaction.
bool refused_by_roles(const Error& error);

}  // namespace vmirror::store
