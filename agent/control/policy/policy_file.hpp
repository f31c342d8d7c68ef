// Policies as files: one YAML document in each file of one folder. docs/OPERATING.md, "Policies",
// is the manual of the format.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/model/policy.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

/// Reads one policy. `file` is used in errors only, whose `where` is "file:line". Pure.
/// Error::Kind::invalid.
Result<Policy> parse_policy(std::string_view text, const std::string& file);

/// One file of the folder: its policy, or the error.
struct PolicyFile {
  std::string path;
  std::optional<Policy> policy;
  std::optional<Error> error;
};

/// A folder as read at one time. All or nothing: with one bad file, no policy of it is used.
struct PolicyFolder {
  std::string path;
  std::vector<PolicyFile> files;  ///< Sorted by path.
  std::optional<Error> error;     ///< The folder itself can't be read.

  /// The first error; none: `policies()` may be put in force.
  std::optional<Error> first_error() const;
  std::vector<Policy> policies() const;
};

/// Reads every `*.yaml` of the folder (without subfolders, and without names that begin with a
/// dot). Two policies of one name are an error of the later file.
PolicyFolder read_policies(const std::string& folder);

/// Writes `text` as `folder/NAME.yaml`, with the policy's NAME, in one step: another reader sees
/// the old file or the new one. If another file of the folder has a policy of this name, this file
/// is replaced instead. Error::Kind::invalid: not a policy; refused: the file can't be
/// written. Returns the file's path.
Result<std::string> keep_policy(const std::string& folder, std::string_view text,
                                const std::string& file);

/// Removes the file with the policy. Error::Kind::missing: there is no such file.
Result<void> drop_policy(const std::string& folder, const std::string& name);

/// RFC 3339: 2026-12-31T00:00:00Z, or with an offset. Error::Kind::invalid.
Result<Time> parse_time(std::string_view text);

}  // namespace vmirror
