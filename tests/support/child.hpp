// What tests start real servers with: a directory, certificates, ports, and a process that goes
// with its object, or with the test's process however that ends.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
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

/// Ports of 127.0.0.1 that nobody uses now.
std::vector<int> free_ports(int count);
/// Whether somebody takes connections at a port of 127.0.0.1.
bool accepts(int port);

/// By openssl: FOLDER/NAME.pem and NAME.key, signed by itself.
void make_ca(const std::string& folder, const std::string& name);
/// The same, signed by that CA. `subject` is a subjectAltName, "IP:127.0.0.1"; `days` is negative
/// for one that has expired.
void make_certificate(const std::string& folder, const std::string& name, const std::string& ca,
                      const std::string& subject, int days = 30);
/// As openssl prints it: "AB:CD:..."
std::string thumbprint(const std::string& folder, const std::string& name);

/// A server that runs in the foreground, killed with the object.
class Child {
 public:
  /// Starts argv[0], with its output in the file `log`, and returns once `port` takes connections.
  /// Throws std::runtime_error with the log where it doesn't.
  Child(const std::vector<std::string>& argv, const std::string& log, int port,
        const std::vector<std::pair<std::string, std::string>>& environment = {});
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

 private:
  pid_t pid_;
};

/// A server that prints one line of JSON and serves until its standard input ends, thus until the
/// object goes, or the test's process however that ends.
class Announced {
 public:
  /// Throws std::runtime_error where it prints nothing.
  explicit Announced(std::vector<std::string> argv);
  ~Announced();
  Announced(const Announced&) = delete;
  Announced& operator=(const Announced&) = delete;

  /// The texts of that key in the line, in their order, as they are written there.
  std::vector<std::string> texts(const std::string& key) const;
  /// The first of them; throws std::runtime_error without one.
  std::string text(const std::string& key) const;

 private:
  std::string line_;
  pid_t pid_ = 0;
  int input_ = -1;
};

}  // namespace vmirror::test
