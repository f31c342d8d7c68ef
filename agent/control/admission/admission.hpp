// The answers to the hypervisor's hook: can a guest be mirrored that is about to start, or to
// migrate to this host? Pure.
//
//   prepare (no ports yet)      policies, observed, the guest's NICs as planned ports
//                                 -> realise -> verdict
//   start (the ports exist)     the sessions of the guest's ports, as read back -> all in place?
//
// Only policies with `require: true` can refuse; everything else is allowed at once.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "agent/api/hook.hpp"
#include "agent/control/reconcile/reconciler.hpp"
#include "agent/model/guest.hpp"
#include "agent/model/policy.hpp"

namespace vmirror {

/// The state of the control side when a hook asks.
struct AdmissionView {
  std::span<const Policy> policies;  ///< In force.
  const ControlSnapshot& known;
  Realise realise;  ///< The driver's.
  std::optional<Mac> monitor_nic;
  Time now = 0;
};

/// For a guest without ports. `refuse`: a NIC that a policy requires to be mirrored belongs to a
/// switch that isn't here, or its session would be refused. `not_yet`: the switch was not read,
/// cannot be read, or carries nothing out. `in_place` decides for policies that select by port.
HookAnswer admit(const AdmissionView& view, const Guest& guest);

/// For a guest with ports that does not run yet. `go_on`: the switch shows each mirror that a
/// policy requires. `refuse`: one of the sessions is refused. `not_yet`: otherwise.
HookAnswer in_place(const AdmissionView& view, const Guest& guest);

/// Chooses by the operation: `prepare` calls admit, `start` calls in_place, any other operation
/// goes on. A guest whose description can't be read (`guest` is the error) is refused while any
/// policy requires something.
HookAnswer answer(const AdmissionView& view, const std::string& operation,
                  const Result<Guest>& guest);

}  // namespace vmirror
