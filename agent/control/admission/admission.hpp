// Whether a guest that is about to start, or to come here, can be mirrored: what the hypervisor's
// hook asks. Pure.
//
//   prepare: no ports yet   policies, observed, the guest's NICs as planned ports -> realise ->
//   verdict start: the ports exist  the sessions of the guest's ports, as read back -> all in
//   place?
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

/// What is known when a hook asks.
struct AdmissionView {
  std::span<const Policy> policies;  ///< In force.
  const ControlSnapshot& known;
  Realise realise;  ///< The driver's.
  std::optional<Mac> monitor_nic;
  Time now = 0;
};

/// Before the ports of `guest` exist. `refuse`: a NIC that a policy requires to be mirrored is to
/// be on a switch that isn't here, or its session would be refused. `not_yet`: the switch wasn't,
/// or can't be, read, or carries nothing out. A policy that selects by port is left to `in_place`.
HookAnswer admit(const AdmissionView& view, const Guest& guest);

/// Once they exist, before the guest runs. `go_on`: the switch shows each mirror that a policy
/// requires. `refuse`: one of the sessions is refused. `not_yet`: else.
HookAnswer in_place(const AdmissionView& view, const Guest& guest);

/// The call by its operation: `prepare` is admit, `start` is in_place, everything else goes on. A
/// guest whose description can't be read (`guest` is its error) is refused while any policy
/// requires something.
HookAnswer answer(const AdmissionView& view, const std::string& operation,
                  const Result<Guest>& guest);

}  // namespace vmirror
