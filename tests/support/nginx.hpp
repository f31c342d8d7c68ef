// Debian's nginx for tests: a real HTTPS server on loopback ports, with all its files in a private
// directory. It goes with the object, or with the test's process however it ends.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace vmirror::test {

/// A directory that goes with its object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Runs a command of the shell and returns what it printed, without the last newline; throws
/// std::runtime_error with that text when it fails.
std::string run_shell(const std::string& command);

/// By openssl: FOLDER/NAME.pem and NAME.key, signed by itself.
void make_ca(const std::string& folder, const std::string& name);
/// The same, signed by that CA. `subject` is a subjectAltName, "IP:127.0.0.1"; `days` is negative
/// for one that has expired.
void make_certificate(const std::string& folder, const std::string& name, const std::string& ca,
                      const std::string& subject, int days = 30);
/// As openssl prints it: "AB:CD:..."
std::string thumbprint(const std::string& folder, const std::string& name);

class Nginx {
 public:
  /// Empty when nginx can run here, else why not: for GTEST_SKIP.
  static std::string unavailable();

  /// `servers` is what nginx.conf has within http{}: {dir} becomes the directory, {0} to {7} free
  /// ports of 127.0.0.1. Returns once the port {0} takes connections.
  Nginx(const TemporaryDirectory& directory, std::string servers);
  ~Nginx();
  Nginx(const Nginx&) = delete;
  Nginx& operator=(const Nginx&) = delete;

  int port(int number) const { return ports_.at(static_cast<std::size_t>(number)); }
  /// The access log, a line a request: "CONNECTION STATUS URI". nginx writes it after its answer.
  std::vector<std::string> log() const;
  /// Ends the server with its connections; start() uses the same ports.
  void kill();
  void start();

 private:
  std::string directory_;
  std::vector<int> ports_;
  pid_t pid_ = 0;
};

}  // namespace vmirror::test
