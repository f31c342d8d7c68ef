#include "tests/support/child.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>

#include "tests/support/ovs_sandbox.hpp"

namespace vmirror::test {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  out.sin_port = htons(static_cast<std::uint16_t>(port));
  return out;
}

/// The files of a certificate that openssl makes.
std::string key_and_request(const std::string& folder, const std::string& name,
                            const std::string& arguments) {
  return "cd '" + folder + "' && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes " +
         "-keyout " + name + ".key -subj '/CN=" + name + "' " + arguments + " 2>&1";
}

}  // namespace

std::vector<int> free_ports(int count) {
  std::vector<int> fds, ports;
  for (int i = 0; i < count; i++) {
    fds.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (bind(fds.back(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        getsockname(fds.back(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("no free port");
    ports.push_back(ntohs(address.sin_port));
  }
  for (const int fd : fds) close(fd);
  return ports;
}

bool accepts(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const bool ok = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return ok;
}

TemporaryDirectory::TemporaryDirectory() {
  path_ = (std::filesystem::temp_directory_path() / "vmirror-net-XXXXXX").string();
  if (!mkdtemp(path_.data())) throw std::runtime_error("mkdtemp " + path_);
}
TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string run_shell(const std::string& command) {
  std::FILE* pipe = popen(command.c_str(), "r");
  if (!pipe) throw std::runtime_error("popen: " + command);
  std::string out;
  char buffer[4096];
  while (const std::size_t n = fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, n);
  const int status = pclose(pipe);
  while (out.ends_with('\n')) out.pop_back();
  if (status != 0) throw std::runtime_error(command + ": " + out);
  return out;
}

void make_ca(const std::string& folder, const std::string& name) {
  run_shell(key_and_request(folder, name, "-x509 -days 30 -out " + name + ".pem"));
}

void make_certificate(const std::string& folder, const std::string& name, const std::string& ca,
                      const std::string& subject, int days) {
  run_shell(key_and_request(folder, name,
                            "-addext subjectAltName=" + subject + " -out " + name + ".csr"));
  // OpenSSL 3.5 makes none that ends before it begins: an expired one was made some days ago.
  const std::string made = days < 0 ? "faketime -f -" + std::to_string(1 - days) + "d " : "";
  run_shell("cd '" + folder + "' && " + made + "openssl x509 -req -in " + name + ".csr -CA " + ca +
            ".pem -CAkey " + ca + ".key -CAcreateserial -copy_extensions copy -days " +
            std::to_string(days < 0 ? 1 : days) + " -out " + name + ".pem 2>&1");
}

std::string thumbprint(const std::string& folder, const std::string& name) {
  const std::string line =
      run_shell("openssl x509 -noout -fingerprint -sha256 -in '" + folder + "/" + name + ".pem'");
  return line.substr(line.find('=') + 1);
}

Child::Child(const std::vector<std::string>& argv, const std::string& log, int port,
             const std::vector<std::pair<std::string, std::string>>& environment)
    : pid_(0) {
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);  // Its own children go with it.
    const int fd = open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  bool ended = false;
  eventually([&] { return accepts(port) || (ended = waitpid(pid_, nullptr, WNOHANG) == pid_); },
             30);
  if (!ended && accepts(port)) return;
  if (!ended) {
    ::kill(-pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  throw std::runtime_error(argv[0] + " takes no connections: " + run_shell("cat '" + log + "'"));
}

Child::~Child() {
  ::kill(-pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

Announced::Announced(std::vector<std::string> argv) {
  std::vector<char*> arguments;
  for (std::string& word : argv) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  pid_ = fork();
  if (pid_ == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  input_ = in[1];
  for (char c = 0; c != '\n' && read(out[0], &c, 1) == 1;) line_ += c;
  close(out[0]);
  if (line_.empty()) throw std::runtime_error(argv[0] + " prints nothing");
}

Announced::~Announced() {
  close(input_);
  waitpid(pid_, nullptr, 0);
}

std::vector<std::string> Announced::texts(const std::string& key) const {
  std::vector<std::string> out;
  const std::string begin = "\"" + key + "\":";
  for (std::size_t at = 0; (at = line_.find(begin, at)) != line_.npos;) {
    const std::size_t from = line_.find('"', at + begin.size()) + 1;
    at = line_.find('"', from);
    out.push_back(line_.substr(from, at - from));
  }
  return out;
}

std::string Announced::text(const std::string& key) const {
  const auto found = texts(key);
  if (found.empty()) throw std::runtime_error("the server tells no " + key + ": " + line_);
  return found.front();
}

}  // namespace vmirror::test
