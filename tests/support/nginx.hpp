// Debian's nginx for tests: a real HTTPS server on loopback ports, with all its files in a private
// directory.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/child.hpp"

namespace vmirror::test {

class Nginx {
 public:
  /// Empty when nginx can run here, else why not: for GTEST_SKIP.
  static std::string unavailable();

  /// `servers` is what nginx.conf has within http{}: {dir} becomes the directory, {0} to {7} free
  /// ports of 127.0.0.1. Returns once the port {0} takes connections.
  Nginx(const TemporaryDirectory& directory, std::string servers);

  int port(int number) const { return ports_.at(static_cast<std::size_t>(number)); }
  /// The access log, a line a request: "CONNECTION STATUS URI". nginx writes it after its answer.
  std::vector<std::string> log() const;
  /// Ends the server with its connections; start() uses the same ports.
  void kill();
  void start();

 private:
  std::string directory_;
  std::vector<int> ports_;
  std::unique_ptr<Child> child_;
};

}  // namespace vmirror::test
