// vmirror-hook: libvirtd starts this program for each step of a guest's life, and waits for it. The
// hook tells the agent, and refuses the guest only for a policy with `require: true`.
//
//   operation         libvirt 9.0 calls it                          the hook
//   migrate begin     on the destination, before all else           tells
//   prepare begin     before the guest's ports are made             tells; required: asks
//   start begin       the ports exist, QEMU does not                tells; required: asks until the
//                                                                   mirrors are in place
//   release end       the guest and its ports are gone              tells
//   anything else     started: the CPUs run already; stopped,       nothing
//                     restore, reconnect, attach
//
// "tells": the hook writes the request and does not wait for the answer, so that an agent that
// hangs costs no time. "asks": only a guest that may be required waits, for at most the timeout. If
// no agent listens or answers until then, the guest is refused.
//
// The agent's file (requirement.hpp) says whether a guest may be required. Without this file, as
// far as the hook knows, no guest was ever required: the hook asks the agent, and without an answer
// the guest goes on.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "agent/control/hook/settings.hpp"
#include "agent/control/hook/talk.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

/// The arguments of libvirtd: GUEST OPERATION SUBOPERATION EXTRA.
struct HookInvocation {
  std::string guest, operation, suboperation;
};

/// The end of the call. With `refused`: exit status 1, and the reason on standard error, from which
/// libvirtd takes it. Otherwise: exit status 0, and an error goes to the system's log, because
/// libvirtd reads nothing else.
struct HookOutcome {
  bool refused = false;
  std::string message;  ///< One line; may be empty.
};

constexpr std::size_t kMaxHookXml = 1 << 20;  ///< Bytes; a longer description is not sent.

/// True for an operation that the hook handles: for others it does not even read the settings.
bool hook_matters(std::string_view operation, std::string_view suboperation);

/// Handles the call. `started`: the start of the process; `input`: the source of the XML. Takes at
/// most the settings' timeout, and the time to be scheduled.
HookOutcome run_hook(const HookInvocation& call, const HookSettings& settings, int input,
                     HookClock::time_point started, Time now);

}  // namespace vmirror
