// What this process gives up, so that whoever takes it over has little: the user, all capabilities
// but those of capturing, system calls that it never makes, and files that it never writes.
//
//   root --> prepare folders --> the user --> CAP_NET_ADMIN, CAP_NET_RAW --> Landlock --> seccomp
//
// All of it holds for the calling thread and the threads that it makes: call it before there are
// others. Nothing of it can be taken back.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plugin/base/result.hpp"

namespace vmirror {

/// What is in force, as `status` tells. A part that the kernel does not have is no error.
struct Confinement {
  std::string user;                       ///< Its name; its number where it has none.
  std::vector<std::string> capabilities;  ///< The effective ones, as capabilities(7) names them.
  bool no_new_privileges = false;
  std::string files;         ///< `in force`, or `not available: why`. landlock(7)
  std::string system_calls;  ///< The same of seccomp(2).
};

/// What the rest of the life of the process needs.
struct ConfineOptions {
  /// Go on as this user; empty: as whoever started the process.
  std::string user;
  /// Folders that are made, if they are missing, and given to `user` where root starts.
  std::vector<std::string> own_folders;
  /// Folders in which files are made, changed and removed. For one that is missing the nearest
  /// folder above it counts.
  std::vector<std::string> writable_folders;
  /// Folders in which a folder and a socket may be made anew, and nothing else.
  std::vector<std::string> socket_folders;
};

/// Becomes `user` and keeps of the capabilities CAP_NET_ADMIN and CAP_NET_RAW, where they are
/// there. Error::Kind::missing: no such user; refused: only root can become another, or the kernel
/// said no.
Result<void> become(const std::string& user);

/// All of it, in the order above.
Result<Confinement> confine(const ConfineOptions& options);

}  // namespace vmirror
