// The store without a daemon in between: what an operator's own certificate may do.
//
//   vmirror apply --store FILE plc.yaml ---- TLS, the operator's certificate ----> the store
#pragma once

#include <boost/json.hpp>
#include <string>

#include "plugin/base/result.hpp"

namespace vmirror {

/// Answers the daemon's routes of the store (GET /v1/store/..., PUT and DELETE /v1/policies,
/// DELETE /v1/store/hosts/...) by the store itself. `file`: the keys of the daemon's `store`. It
/// waits for the servers. Error::Kind::unsupported: another route, which needs an agent.
Result<boost::json::object> ask_store(const std::string& file, const std::string& target,
                                      const std::string& method, const std::string& body);

}  // namespace vmirror
