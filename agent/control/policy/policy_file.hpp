// Policies as files: one YAML document in each file of one folder. docs/OPERATING.md, "Policies",
// is the manual of the format.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/model/policy.hpp"
#include "plugin/base/result.hpp"
#include "plugin/base/trusted_file.hpp"

namespace vmirror {

/// Reads one policy. `file` is used in errors only, whose `where` is "file:line". Pure.
/// Error::Kind::invalid.
Result<Policy> parse_policy(std::string_view text, const std::string& file);

/// The bounds of a folder, so that hostile files can't hold the main thread for long.
constexpr std::size_t kMostPolicyFiles = 1000;
constexpr std::size_t kMostPolicyBytes = 4 << 20;  ///< Of all its files.
constexpr std::size_t kMostSelectors = 1024;       ///< Of a policy.

/// One file of the folder. With both `policy` and `error`: the file went bad, and its policy stays
/// in force as it was before.
struct PolicyFile {
  std::string path;
  std::optional<Policy> policy;
  std::optional<Error> error;
  FileState state = {};
  std::shared_ptr<const Result<Policy>> read = {};  ///< What the file says, in that state.
};

/// A folder as read at one time. A bad file is set aside with its error; the other files stand.
struct PolicyFolder {
  std::string path;
  std::vector<PolicyFile> files = {};  ///< Sorted by path.
  std::optional<Error> error = {};     ///< The folder itself can't be read: it has no files.

  /// The folder's error, else that of the first bad file.
  std::optional<Error> first_error() const;
  std::vector<Policy> policies() const;
  /// False: there is a bad file of whose policy no earlier version is known.
  bool whole() const;
};

/// Reads every `*.yaml` and `*.yml` of the folder (without subfolders, and without names that begin
/// with a dot). `before` is the folder as it was read last: a file that did not change is not read
/// anew, and the policy of a file that went bad stays. Errors of a file: no policy; one of the
/// bounds above; not to be trusted (plugin/base/trusted_file.hpp); a policy of an earlier file's
/// name. The error of a symbolic link does not repeat what it leads to.
PolicyFolder read_policies(const std::string& folder, const PolicyFolder& before = {});

/// Writes `text` as NAME.yaml into the folder, with the policy's NAME, in one step: another reader
/// sees the old file or the new one. If another file of the folder has a policy of this name, this
/// file is replaced instead. Error::Kind::invalid: not a policy; refused: the file can't be
/// written. Returns the file's path.
Result<std::string> keep_policy(const PolicyFolder& folder, std::string_view text,
                                const std::string& file);

/// Removes the file with the policy. Error::Kind::missing: there is no such file.
Result<void> drop_policy(const PolicyFolder& folder, const std::string& name);

/// RFC 3339: 2026-12-31T00:00:00Z, or with an offset. Error::Kind::invalid.
Result<Time> parse_time(std::string_view text);
/// "4h", "1h30m": days, hours, minutes and seconds in this order; a second to 366 days.
/// Error::Kind::invalid.
Result<Time> parse_duration(std::string_view text);

}  // namespace vmirror
