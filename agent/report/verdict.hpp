// Is everything watched that the policies ask for? One answer for `vmirror sessions`, `status`,
// `plan`, `policies` and `apply`, and for their exit codes. Pure.
//
//   not watched     a session that is failed, refused, unknown, or not on the switch
//   missing         a bad file, a switch or a hypervisor that can't be read, a policy, or a name in
//                   a policy, that no NIC of this host has: there is no session to tell of it
//   not proven      on the switch as asked, and nothing proves yet that copies come
//   silent          the guest sends and receives nothing, so there is nothing to copy
#pragma once

#include <boost/json.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/control/policy/policy_file.hpp"
#include "agent/control/reconcile/reconciler.hpp"
#include "agent/report/unmatched.hpp"

namespace vmirror {

/// What a daemon says of itself while it is drained.
inline constexpr const char* kDrained =
    "all is drained: `vmirror drain --undo` puts the mirrors back";

/// What was asked for, and what became of it.
struct AskedView {
  const ControlSnapshot& control;
  const PolicyFolder& policies;  ///< As last read, good or not.
  bool drives = true;            ///< False: a collector, which nobody asks for mirrors.
  /// The daemon knows agents of other hosts, so that a NIC that isn't here may be there: nothing is
  /// missing.
  bool has_peers = false;
  std::optional<HypervisorView> hypervisor = {};  ///< None: the daemon asks none.
  bool drained = false;                           ///< By `vmirror drain`: nothing is mirrored.
};

/// What of the policies' sessions is well, by name. Each text is a sentence that begins with its
/// session, policy or file.
struct AskedVerdict {
  std::map<std::string, std::size_t> states;  ///< Sessions by SessionState's text.
  std::size_t sessions = 0;                   ///< Draining ones are not counted.
  std::vector<std::string> not_watched;
  std::vector<std::string> missing;
  std::vector<std::string> not_proven;  ///< Has the silent ones too whose path was not traced.
  std::vector<std::string> silent;
  /// What `vmirror explain` tells more of: the first session that is not watched, and the first
  /// policy of what is missing. Empty: none.
  std::string unwatched_session, unserved_policy;
  bool well() const { return not_watched.empty() && missing.empty(); }
};

/// Of all policies.
AskedVerdict verdict(const AskedView& view);
/// Of one policy, whatever the others' files hold.
AskedVerdict verdict(const AskedView& view, const Policy& policy);

/// ": active 2, refused 1"; empty without sessions.
std::string state_list(const AskedVerdict& verdict);
/// The first of what is not watched or missing, and how many more there are; empty: all is well.
std::string first_fault(const AskedVerdict& verdict);
/// {"well", "summary", "states": {state: n}, "not_watched", "missing", "not_proven", "silent",
/// "explain"}. `explain` is the name to give to `vmirror explain`, or null.
/// `summary`: "3 sessions: active 2, refused 1: the first fault; and 2 more"
boost::json::object to_json(const AskedVerdict& verdict);

}  // namespace vmirror
