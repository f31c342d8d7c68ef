#include "tests/support/vcsim.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

#include "tests/support/child.hpp"
#include "tests/support/source_tree.hpp"

namespace vmirror::test {
namespace {

/// A text of the program's line of JSON, without escapes.
std::string text_in(const std::string& json, const std::string& key) {
  const std::string begin = "\"" + key + "\":\"";
  const std::size_t at = json.find(begin);
  if (at == json.npos) throw std::runtime_error("vmirror-vcsim tells no " + key + ": " + json);
  const std::size_t from = at + begin.size();
  return json.substr(from, json.find('"', from) - from);
}

/// The program, built anew where its source changed; one build at a time.
std::string program() {
  const std::string source = (source_tree() / "tests/vsphere").string();
  const std::string folder = (source_tree() / "build/vsphere").string();
  std::filesystem::create_directories(folder);
  run_shell("flock '" + folder + "/lock' '" + source + "/offline-go' build -o '" + folder +
            "/vmirror-vcsim' 2>&1");
  return folder + "/vmirror-vcsim";
}

}  // namespace

std::string Vcsim::unavailable() {
  if (access((source_tree() / "tests/vsphere/main.go").c_str(), R_OK) != 0)
    return "no tests/vsphere/main.go";
  if (access("/usr/bin/go", X_OK) != 0) return "no go (Debian: golang-go)";
  const char* source = "/usr/share/gocode/src/github.com/vmware/govmomi/simulator/portgroup.go";
  if (access(source, R_OK) != 0)
    return "no simulator of govmomi 0.24 (Debian 12: golang-github-vmware-govmomi-dev)";
  return {};
}

Vcsim::Vcsim(std::vector<std::string> options) {
  const std::string path = program();
  std::vector<char*> arguments = {const_cast<char*>("vmirror-vcsim"),
                                  const_cast<char*>("--with-parent")};
  for (std::string& option : options) arguments.push_back(option.data());
  arguments.push_back(nullptr);
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  pid_ = fork();
  if (pid_ == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    execv(path.c_str(), arguments.data());
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  input_ = in[1];
  std::string line;
  for (char c = 0; c != '\n' && read(out[0], &c, 1) == 1;) line += c;
  close(out[0]);
  const std::string api = text_in(line, "url");
  url_ = api.substr(0, api.rfind('/'));
  control_ = text_in(line, "control");
  thumbprint_ = text_in(line, "thumbprint");
}

Vcsim::~Vcsim() {
  close(input_);
  waitpid(pid_, nullptr, 0);
}

}  // namespace vmirror::test
