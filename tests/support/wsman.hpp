// The Hyper-V hosts of tests/wsman for tests in C++: ended with the object.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/child.hpp"

namespace vmirror::test {

class Wsman {
 public:
  /// Empty when it can run here, else why not: for GTEST_SKIP.
  static std::string unavailable();

  /// `options` are the server's (tests/wsman/server.py --help): {"--hosts", "2"}
  explicit Wsman(const std::vector<std::string>& options = {});

  /// https://localhost:PORT of each host, with blanks between: the driver's `url`.
  std::string urls() const;
  /// The same host's address once for each: all have one certificate.
  std::string thumbprints() const;
  std::string url() const;                                         ///< Of the first.
  std::string control() const { return server_.text("control"); }  ///< http://127.0.0.1:PORT
  std::string thumbprint() const { return server_.text("thumbprint"); }
  /// A file with the account `vmirror`, as credentials_file wants it.
  const std::string& credentials() const { return credentials_; }
  /// Writes another account into that file.
  void use_account(const std::string& user, const std::string& password) const;

 private:
  TemporaryDirectory directory_;
  std::string credentials_;
  Announced server_;
};

}  // namespace vmirror::test
