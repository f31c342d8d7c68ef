// HTTP/1.1 (RFC 9112) as far as the hook speaks it: one request and its answer on a connection of
// their own.
//
//   POST /v1/hook?operation=prepare&guest=NAME HTTP/1.1     HTTP/1.1 409 Conflict
//   Host: vmirror                                           Content-Length: 24
//   Connection: close
//   Content-Length: N                                       no bridge br7 on this host
//
//   N bytes of XML
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "plugin/base/result.hpp"

namespace vmirror {

/// The whole request; `operation` and `guest` are percent-encoded (RFC 3986, section 2.1).
std::string encode_hook_request(std::string_view operation, std::string_view guest,
                                std::string_view xml);

constexpr std::size_t kMaxHookAnswer = 65536;  ///< Bytes, head and body.

/// The agent's answer.
struct HookReply {
  int status = 0;
  std::string body;
  bool operator==(const HookReply&) const = default;
};

/// Reads an answer from the bytes received so far; none: the answer isn't complete yet. Without
/// Content-Length the answer ends with the connection (`closed`). Error::Kind::invalid: not an
/// answer, too long, or with an encoding that the hook never asks for.
Result<std::optional<HookReply>> parse_hook_reply(std::string_view bytes, bool closed);

}  // namespace vmirror
