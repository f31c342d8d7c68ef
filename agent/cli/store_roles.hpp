// The schema and the roles (agent/control/store/roles.hpp) of a store, by its server on this host.
#pragma once

#include <set>
#include <string>

#include "agent/cli/store_server.hpp"

namespace vmirror {

struct StoreState {
  bool has_cluster = false;         ///< The Cluster's row is there.
  std::set<std::string> operators;  ///< Who may set policies by a certificate.
  std::string schema_version;       ///< "2.0.0"
  /// Of a store that knows no roles; then all else is empty.
  bool is_old() const { return schema_version.starts_with("1."); }
};

Result<StoreState> store_state(const ServerSettings& settings);
/// Puts the roles in place, with the operators of `state`.
Result<void> put_roles(const ServerSettings& settings, const StoreState& state);
/// Names an operator to the store, or (`take`) no more.
Result<void> change_operator(const ServerSettings& settings, const std::string& name, bool take);
/// Brings the store to the schema of this version; all rows stay.
Result<void> convert_store(const ServerSettings& settings, const StoreState& state);

}  // namespace vmirror
