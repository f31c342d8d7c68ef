// Landlock, by its system calls: Debian 12's libc has no functions for them, and its headers only
// the first two versions.
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>

#include "agent/confine/parts.hpp"

namespace vmirror {
namespace {

constexpr std::uint64_t kTruncate = 1ULL << 14;  ///< LANDLOCK_ACCESS_FS_TRUNCATE, version 3.

constexpr std::uint64_t kWrite = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                                 LANDLOCK_ACCESS_FS_REFER | kTruncate;
/// Nowhere.
constexpr std::uint64_t kNever = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                                 LANDLOCK_ACCESS_FS_MAKE_SYM;
constexpr std::uint64_t kNewSocket = LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK;

/// The rights that a kernel of this version knows.
std::uint64_t known(long version) {
  std::uint64_t out = kWrite | kNever;
  if (version < 3) out &= ~kTruncate;
  if (version < 2) out &= ~static_cast<std::uint64_t>(LANDLOCK_ACCESS_FS_REFER);
  return out;
}

std::string lacks(const std::string& what, int error) {
  return "not available: " + what + ": " + std::strerror(error);
}

/// A ruleset's descriptor.
class LandlockRules {
 public:
  explicit LandlockRules(std::uint64_t handled) : handled_(handled) {
    landlock_ruleset_attr rules{};
    rules.handled_access_fs = handled;
    fd_ = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0));
  }
  ~LandlockRules() {
    if (fd_ >= 0) ::close(fd_);
  }
  LandlockRules(const LandlockRules&) = delete;
  LandlockRules& operator=(const LandlockRules&) = delete;
  bool is_open() const { return fd_ >= 0; }

  /// What is at the path, and all beneath it. A path that is not there is left out.
  bool allow(const std::string& path, std::uint64_t rights) const {
    const int at = ::open(path.c_str(), O_PATH | O_CLOEXEC);
    if (at < 0) return errno == ENOENT || errno == EACCES;
    landlock_path_beneath_attr rule{};
    rule.allowed_access = rights & handled_;
    rule.parent_fd = at;
    const bool done =
        ::syscall(SYS_landlock_add_rule, fd_, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    ::close(at);
    return done;
  }
  bool enforce() const { return ::syscall(SYS_landlock_restrict_self, fd_, 0) == 0; }

 private:
  std::uint64_t handled_;
  int fd_ = -1;
};

/// The folder, or the nearest one above it that is there.
std::string nearest(std::filesystem::path folder) {
  std::error_code ignored;
  if (folder.empty()) folder = ".";
  folder = std::filesystem::absolute(folder, ignored);
  while (!std::filesystem::exists(folder, ignored) && folder != folder.parent_path())
    folder = folder.parent_path();
  return folder.string();
}

}  // namespace

std::string limit_files(const ConfineOptions& options) {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return lacks("this kernel has no Landlock", errno);
  const LandlockRules rules(known(version));
  if (!rules.is_open()) return lacks("Landlock", errno);
  bool good = rules.allow("/dev/null", LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate);
  // disable_ipv6 of the output port.
  good = good && rules.allow("/proc/sys/net", LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate);
  for (const std::string& folder : options.writable_folders)
    good = good && rules.allow(nearest(folder), kWrite);
  for (const std::string& folder : options.socket_folders)
    good = good && rules.allow(nearest(folder), kNewSocket);
  if (!good || !rules.enforce()) return lacks("Landlock", errno);
  return kInForce;
}

}  // namespace vmirror
