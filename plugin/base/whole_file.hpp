// A file that another reader sees whole: as it was, or as it is.
#pragma once

#include <string>
#include <string_view>

namespace vmirror {

/// Another file, of mode 0600, takes the place of the one at `path`. False: `errno` says why, and
/// what was there stays.
bool replace_file(const std::string& path, std::string_view text);

}  // namespace vmirror
