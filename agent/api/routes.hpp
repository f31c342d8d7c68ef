// The paths of the control API, version 1. Bodies are JSON; policies are sent as the YAML of their
// file.
//
//   GET    /v1/status           state of the daemon: policies, sessions, inputs, coverage, limits
//   GET    /v1/sessions         {"sessions": [...]}
//   GET    /v1/locations        {"locations": [...]}: where each NIC is, and was
//   GET    /v1/migrations       {"migrations": [...]}: a record each, oldest first
//   GET    /v1/migrations/VM    those of one VM, by its name or UUID
//   GET    /v1/assets           {"assets": [...]}
//   GET    /v1/flows            {"flows": [...]}: the greatest active ones
//   GET    /v1/findings         {"findings": [...]}: what a person should look at, latest first
//   GET    /v1/explain/NAME     why the sessions of this name, port, VM, MAC or policy are in their
//                               state, or went
//   GET    /v1/plan             {"in_sync": bool, "steps": [...]}: a dry run
//   POST   /v1/plan             what the policies in the body would do: {"policies": [{"file",
//                               "yaml"}]}; nothing is kept
//   GET    /v1/policies         {"policies": [...], "verdict"}
//   GET    /v1/policies/NAME    one of them, with its sessions
//   PUT    /v1/policies         keeps the policy in the body, and answers as for its NAME
//   DELETE /v1/policies/NAME    forgets it
//   GET    /v1/store/policies   {"policies": [...]}: of all hosts, each with its conditions
//   GET    /v1/store/hosts      {"hosts": [...]}
//   GET    /v1/store/sessions   {"sessions": [...]}: of all hosts
//   GET    /v1/store/removals   {"removals": [...]}: policies that are gone, and by whom
//   DELETE /v1/store/hosts/NAME forgets what the host told; its agent, if it lives, tells it anew
//   POST   /v1/prune            removes what is owned but not asked for; {"steps": [...]}
//   POST   /v1/drain            takes all mirrors away until DELETE, or the daemon's next start;
//                               {"in_sync", "steps", ...} as /v1/plan
//   DELETE /v1/drain            puts them back
//   POST   /v1/hook             asked by the hypervisor's hook; in plain text, see hook.hpp
//
// A failure is {"error": {"kind", "what", "where", "remedy"}} with a status that suits the kind.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <string>

#include "agent/api/hook.hpp"
#include "agent/api/http.hpp"
#include "agent/model/policy.hpp"
#include "agent/model/status.hpp"
#include "plugin/api/model.hpp"

namespace vmirror {

/// What the routes need of the daemon. Each is called where the server calls its handler: several
/// may be called at once.
struct ApiBackend {
  using Answer = Result<boost::json::object>;
  std::function<Answer()> status;
  std::function<Answer()> sessions, locations, assets, flows, findings;
  /// `vm`: a name or UUID; empty: all of them.
  std::function<Answer(const std::string& vm)> migrations;
  std::function<Answer(const std::string& session)> explain;
  std::function<Answer()> plan;
  /// `user`: HttpRequest::user.
  std::function<Answer(const std::string& yaml, std::optional<std::uint32_t> user)> put_policy;
  std::function<Answer(const std::string& name, std::optional<std::uint32_t> user)> drop_policy;
  std::function<Answer()> prune;
  std::function<Answer(bool on)> drain = {};
  std::function<Answer()> policies = {};
  std::function<Answer(const std::string& name)> policy = {};
  /// Of two given policies the names differ.
  std::function<Answer(const std::vector<Policy>& given)> preview = {};
  std::function<Answer()> store_policies = {}, store_hosts = {}, store_sessions = {},
                          store_removals = {};
  std::function<Answer(const std::string& host)> forget_host = {};
  HookHandler hook = {};  ///< agent/api/hook.hpp
};

/// The handler of these paths. Unknown paths are 404, wrong methods 405.
HttpHandler api_routes(ApiBackend backend);

/// {"kind", "what", "where", "remedy"}; "invalid", "unreachable", ... as the enumeration names
/// them.
boost::json::object to_json(const Error& error);
/// The other way; a member that is missing is empty, an unknown kind is internal.
Error error_from_json(const boost::json::value& value);

/// {"name", "state", "reason", "since", "policy", "vm", "mac", "switch", "port", "direction",
/// "target", "mirror", "output", "session_id", "copied_frames", "port_frames"}; what is not known
/// is null.
boost::json::object to_json(const SessionStatus& session);
/// {"name", "state", "reason", "sessions"}
boost::json::object to_json(const PolicyStatus& policy);
/// {"step", "why"}
boost::json::object to_json(const Step& step);

}  // namespace vmirror
