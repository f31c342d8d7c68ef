// The answer to "what would these policies do?", before they are applied: the same pure stages as
// in the reconciler, over the latest reading.
//
//   policies in force, given ones instead of their namesakes
//                    -> agree -> sessions, verdicts --> what is new, changed, refused, gone
//                             -> objects -> diff    --> steps on the switch
#pragma once

#include <boost/json.hpp>
#include <span>

#include "agent/control/reconcile/reconciler.hpp"
#include "agent/control/reconcile/resolve.hpp"

namespace vmirror {

struct PreviewView {
  const ControlSnapshot& control;
  std::span<const Policy> in_force;
  Realise realise;  ///< The driver's.
  std::optional<Mac> monitor_nic;
  std::optional<HypervisorView> hypervisor = {};  ///< None: the daemon asks none.
  Time now = 0;
};

/// {"well", "policies": [{"policy", "replaces", "nics", "sessions", "refused", "summary",
/// "unmatched"}], "sessions": [{"name", "policy", "vm", "mac", "port", "change", "reason",
/// "remedy", "mirror", "output", "warnings"}], "goes": [names], "steps": [{"step", "why"}]}.
/// `change`: new, changed, unchanged or refused. `well`: each given policy selects a NIC, and
/// nothing of it is refused. Errors: the switch was not read, or can't be.
Result<boost::json::object> preview_json(const PreviewView& view, std::span<const Policy> given);

}  // namespace vmirror
