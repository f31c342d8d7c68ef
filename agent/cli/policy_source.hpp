// The policies that a person names on the command line: a file, a folder, or standard input.
#pragma once

#include <istream>
#include <string>
#include <vector>

#include "plugin/base/result.hpp"

namespace vmirror {

/// One policy as written.
struct PolicySource {
  std::string name;  ///< The policy's.
  std::string file;  ///< For errors: the path, or "standard input".
  std::string yaml;
};

/// `path`: a file, a folder (each file in it, by name), or `-` for `in`. A file may have several
/// documents, each a policy. All are read here first, so that an error names the person's file.
/// Error::Kind::missing: nothing can be read there; invalid: one of the policies is bad.
Result<std::vector<PolicySource>> read_policy_sources(const std::string& path, std::istream& in);

}  // namespace vmirror
