#include "tests/support/vcsim.hpp"

#include <unistd.h>

#include <filesystem>

#include "tests/support/source_tree.hpp"

namespace vmirror::test {
namespace {

/// The program, built anew where its source changed; one build at a time.
std::string program() {
  const std::string source = (source_tree() / "tests/vsphere").string();
  const std::string folder = (source_tree() / "build/vsphere").string();
  std::filesystem::create_directories(folder);
  run_shell("flock '" + folder + "/lock' '" + source + "/offline-go' build -o '" + folder +
            "/vmirror-vcsim' 2>&1");
  return folder + "/vmirror-vcsim";
}

std::vector<std::string> arguments(const std::vector<std::string>& options) {
  std::vector<std::string> out = {program(), "--with-parent"};
  out.insert(out.end(), options.begin(), options.end());
  return out;
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

Vcsim::Vcsim(const std::vector<std::string>& options)
    : server_(arguments(options)),
      control_(server_.text("control")),
      thumbprint_(server_.text("thumbprint")) {
  const std::string api = server_.text("url");
  url_ = api.substr(0, api.rfind('/'));
}

}  // namespace vmirror::test
