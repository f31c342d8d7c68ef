// The control API's path for the hypervisor's hook (agent/control/hook), which is no JSON: a
// program that starts anew for each call should parse nothing.
//
//   POST /v1/hook?operation=prepare&guest=NAME     body: the domain's XML, may be empty
//   200                  go on
//   202 and the reason   not yet: ask again
//   409 and the reason   refuse the guest's start, or its coming here
//   400 and the reason   no such call
//   503 and the reason   the agent can't tell: as if it did not answer
//
// Bodies of answers are one line of text/plain. The answer comes at once; it is the hook that
// waits.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "agent/api/http.hpp"

namespace vmirror {

/// What the hypervisor says that it does.
struct HookCall {
  std::string operation;  ///< libvirt's word: prepare, start, release, migrate, ...
  std::string guest;      ///< Its name.
  std::string xml;        ///< Its description; may be empty.
};

struct HookAnswer {
  enum class Kind : std::uint8_t { go_on, not_yet, refuse, unknown } kind = Kind::go_on;
  std::string reason;  ///< One line for people; empty for go_on.
  bool operator==(const HookAnswer&) const = default;
};

/// Called where the server calls its handler; must not wait for long.
using HookHandler = std::function<HookAnswer(const HookCall&)>;

/// A POST of that path.
bool is_hook_call(const HttpRequest& request);

/// The answer to a POST of that path; without a handler it is always `go_on`.
HttpResponse answer_hook(const HookHandler& handler, const HttpRequest& request);

}  // namespace vmirror
