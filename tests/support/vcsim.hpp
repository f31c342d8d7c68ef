// The vCenter of tests/vsphere for tests in C++: built when it is asked for, and ended with the
// object, or with the test's process however that ends.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace vmirror::test {

class Vcsim {
 public:
  /// Empty when it can be built here, else why not: for GTEST_SKIP.
  static std::string unavailable();

  /// `options` are the program's (`vmirror-vcsim --help`): {"--vms", "6"}
  explicit Vcsim(std::vector<std::string> options = {});
  ~Vcsim();
  Vcsim(const Vcsim&) = delete;
  Vcsim& operator=(const Vcsim&) = delete;

  const std::string& url() const { return url_; }  ///< https://127.0.0.1:PORT
  const std::string& control() const {
    return control_;
  }  ///< http://127.0.0.1:PORT: orders, rules.
  const std::string& thumbprint() const { return thumbprint_; }

 private:
  std::string url_, control_, thumbprint_;
  pid_t pid_ = 0;
  int input_ = -1;  ///< The program ends when its input does.
};

}  // namespace vmirror::test
