// The vCenter of tests/vsphere for tests in C++: built when it is asked for, and ended with the
// object, or with the test's process however that ends.
#pragma once

#include <string>
#include <vector>

#include "tests/support/child.hpp"

namespace vmirror::test {

class Vcsim {
 public:
  /// Empty when it can be built here, else why not: for GTEST_SKIP.
  static std::string unavailable();

  /// `options` are the program's (`vmirror-vcsim --help`): {"--vms", "6"}
  explicit Vcsim(const std::vector<std::string>& options = {});

  const std::string& url() const { return url_; }  ///< https://127.0.0.1:PORT
  const std::string& control() const {
    return control_;
  }  ///< http://127.0.0.1:PORT: orders, rules.
  const std::string& thumbprint() const { return thumbprint_; }

 private:
  Announced server_;
  std::string url_, control_, thumbprint_;
};

}  // namespace vmirror::test
