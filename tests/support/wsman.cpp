#include "tests/support/wsman.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/source_tree.hpp"

namespace vmirror::test {
namespace {

constexpr const char* kPython = "/usr/bin/python3";  // Debian's, which has Debian's modules.

std::vector<std::string> wsman_arguments(const std::vector<std::string>& options) {
  std::vector<std::string> out = {kPython, "-B",
                                  (source_tree() / "tests/wsman/server.py").string()};
  out.insert(out.end(), options.begin(), options.end());
  return out;
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

}  // namespace

std::string Wsman::unavailable() {
  if (access((source_tree() / "tests/wsman/server.py").c_str(), R_OK) != 0)
    return "no tests/wsman/server.py";
  const std::string words = std::string("cd '") + (source_tree() / "tests/wsman").string() +
                            "' && " + kPython +
                            " -B -c 'import wsman; print(wsman.missing())' 2>&1";
  try {
    return run_shell(words);
  } catch (const std::exception& error) {
    return error.what();
  }
}

Wsman::Wsman(const std::vector<std::string>& options)
    : credentials_(directory_.path() + "/credentials"), server_(wsman_arguments(options)) {
  use_account("vmirror", "Secret-1");
}

void Wsman::use_account(const std::string& user, const std::string& password) const {
  std::ofstream(credentials_) << "username=" << user << "\npassword=" << password << "\n";
  chmod(credentials_.c_str(), 0600);
}

std::string Wsman::urls() const {
  std::vector<std::string> out;
  for (const std::string& url : server_.texts("url")) out.push_back(url.substr(0, url.rfind('/')));
  return join(out);
}

std::string Wsman::thumbprints() const {
  return join(std::vector<std::string>(server_.texts("url").size(), thumbprint()));
}

std::string Wsman::url() const {
  const std::string all = urls();
  return all.substr(0, all.find(' '));
}

}  // namespace vmirror::test
