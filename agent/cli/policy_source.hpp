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

/// All policies, or all errors: at least one.
using PolicySources = tl::expected<std::vector<PolicySource>, std::vector<Error>>;

/// `path`: a file, a folder (each file in it, by name), or `-` for `in`. A file may have several
/// documents, each a policy. All are read here first, so that an error names the person's file.
/// Error::Kind::missing: nothing can be read there; invalid: a policy is bad, of which each has its
/// error.
PolicySources read_policy_sources(const std::string& path, std::istream& in);

}  // namespace vmirror
