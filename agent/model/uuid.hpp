// UUIDs as text, which is what they are compared as: in lower case. Pure.
#pragma once

#include <string>
#include <string_view>

namespace vmirror {

/// 8-4-4-4-12 hexadecimal digits in either case (RFC 9562, section 4).
bool is_uuid(std::string_view text);

/// ASCII letters in lower case.
std::string lower(std::string text);

}  // namespace vmirror
