// vmirror-hook: what libvirtd starts for each step of a guest's life, and waits for. It tells the
// agent, and refuses the guest only where a policy with `require: true` says so.
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
// To tell is to write the request and not to wait for the answer: it costs the same with an agent
// that hangs. Only a guest that may be required waits, for at most the timeout. Then, or when
// nobody listens until then, it is refused.
//
// Whether a guest may be required says the agent's file (requirement.hpp). Where that file is
// missing nothing was ever required here, as far as this side can know: the agent is asked, and
// without an answer the guest goes on.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "agent/control/hook/settings.hpp"
#include "agent/control/hook/talk.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

/// What libvirtd called it with: GUEST OPERATION SUBOPERATION EXTRA.
struct HookInvocation {
  std::string guest, operation, suboperation;
};

/// How it ends: with `refused`, exit status 1 and the reason on standard error, where libvirtd
/// takes it from; else 0, and what went wrong, if anything, is for the system's log, because
/// libvirtd looks at nothing else.
struct HookOutcome {
  bool refused = false;
  std::string message;  ///< One line; may be empty.
};

constexpr std::size_t kMaxHookXml = 1 << 20;  ///< Bytes; a longer description is not sent.

/// True when the operation matters: for anything else nothing is read, not even the settings.
bool hook_matters(std::string_view operation, std::string_view suboperation);

/// Does the call. `started` is when the process was; `input` is where the XML comes from. Never
/// takes longer than the settings' timeout, but for the time to be scheduled.
HookOutcome run_hook(const HookInvocation& call, const HookSettings& settings, int input,
                     HookClock::time_point started, Time now);

}  // namespace vmirror
