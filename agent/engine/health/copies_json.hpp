// A collector's report as the body of a message between agents. Pure. Reading is strict and
// bounded, for it comes from the network.
//
//   {"version": 1, "addresses": ["192.0.2.9"], "left_out": 0, "sessions": [
//     {"encapsulation": "erspan2", "session": 7, "sender": "192.0.2.1",
//      "received": 812, "lost": 0, "last": TIME}, ...]}
//   {"version": 1, "same": true}         nothing has changed since the message before
//
// A collector sends one each second while it is linked: a count that stands still is told from a
// collector that has stopped telling.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/model/copies.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

constexpr const char* kCopiesMessage = "copies";  ///< The message's type.
constexpr int kCopiesVersion = 1;
constexpr std::size_t kMaxCopiesJson = std::size_t{2} << 20;  ///< Bytes of a body.

/// None: nothing has changed.
std::string encode_copies(const std::optional<CopiesReport>& report);
/// What encode_copies wrote. Error::Kind::invalid: not such an object; unsupported: of another
/// version; exhausted: past a bound.
Result<std::optional<CopiesReport>> parse_copies(std::string_view body);

}  // namespace vmirror
