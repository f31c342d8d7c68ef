// Files that are obeyed: what they say is done with the rights of the daemon. They are regular
// files that nobody but root, the daemon's user and the file's group may change.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "plugin/base/clock.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

/// Which file a path leads to, and which state of the file; all 0: to none. Each write changes
/// `changed`, which its writer can't choose.
struct FileState {
  std::uint64_t device = 0, inode = 0;
  std::uint64_t bytes = 0;
  Time written = 0, changed = 0;
  std::uint32_t owner = 0;
  bool operator==(const FileState&) const = default;

  static FileState of(const struct stat& s);
  /// Follows symbolic links.
  static FileState of(const std::string& path);
};

/// Error::Kind::refused: another user owns the file or folder, or everybody may write it.
Result<void> check_trusted(const struct stat& s, const std::string& path);

/// The whole file. Never waits: a FIFO or a device is an error. Error::Kind::missing: can't be
/// opened; refused: no regular file, or not to be trusted; exhausted: more than `most` bytes.
Result<std::string> read_trusted(const std::string& path, std::size_t most);

}  // namespace vmirror
