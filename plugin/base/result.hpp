// The one way in which a fallible function answers: Result<T> holds a T or an Error that a person
// can act on. Exceptions of libraries are caught at the call that may throw them and become an
// Error.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace vmirror {

/// What went wrong, where, and what to do about it. All three are sentences or paths for people.
struct Error {
  enum class Kind {
    invalid,      ///< The input is wrong; the same call fails again.
    unreachable,  ///< A peer did not answer or the connection is down; a later call may succeed.
    refused,      ///< The peer answered no.
    unsupported,  ///< The switch, the schema or this machine can't do it.
    missing,      ///< What was named does not exist.
    exhausted,    ///< A named bound was reached.
    internal,     ///< A fault of ours.
  };

  Kind kind = Kind::internal;
  std::string what;    ///< "unknown key `snapln`"
  std::string where;   ///< "policies.d/dc.yaml:7", "bridge br0"; may be empty.
  std::string remedy;  ///< "write `snaplen`"; may be empty.

  bool operator==(const Error&) const = default;

  /// `where: what (remedy)`, without the parts that are empty.
  std::string text() const {
    std::string out = where.empty() ? what : where + ": " + what;
    if (!remedy.empty()) out += " (" + remedy + ")";
    return out;
  }
};

template <typename T>
using Result = tl::expected<T, Error>;

/// `return fail(Error::Kind::missing, "no port eth9", "bridge br0", "see `vmirror drivers`");`
inline tl::unexpected<Error> fail(Error::Kind kind, std::string what, std::string where = {},
                                  std::string remedy = {}) {
  return tl::unexpected<Error>(Error{kind, std::move(what), std::move(where), std::move(remedy)});
}

}  // namespace vmirror
