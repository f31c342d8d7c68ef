// Text of strangers (guests, files, other hosts) made fit for JSON, for logs and for terminals.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace vmirror {

/// The size of the UTF-8 sequence at the front of `text` (RFC 3629), or 0: it begins with no valid
/// one. `text` is not empty.
std::size_t utf8_size(std::string_view text);

/// `text`, with each byte that is no part of valid UTF-8 as the four characters `\xNN`.
std::string valid_utf8(std::string_view text);

/// One line that changes nothing but its own place on a terminal: as valid_utf8, and control
/// characters (C0, DEL, C1), line and paragraph separators and the marks that turn the direction of
/// what follows (Unicode's Bidi_Control) become `\xNN` and `\u{NNNN}`.
std::string for_terminal(std::string_view text);

}  // namespace vmirror
