#include "tests/support/payloads.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/support/source_tree.hpp"

namespace vmirror::test {
namespace {

/// Those of tests/protocols/NAME/payloads.txt.
void read_file(const std::filesystem::path& path, std::vector<Payload>& out) {
  std::ifstream file(path);
  std::string protocol = path.parent_path().filename();
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("> ") || line.starts_with("< ")) {
      out.push_back({protocol, line.substr(2), line[0] == '>', {}});
    } else if (line.starts_with("= ")) {
      protocol = line.substr(2);
    } else if (line.starts_with("  ")) {
      Buffer& bytes = out.back().bytes;
      const Buffer more = hex(line);
      bytes.insert(bytes.end(), more.begin(), more.end());
    }
  }
}

std::vector<Payload> make() {
  std::vector<Payload> out;
  std::vector<std::filesystem::path> folders;
  for (const auto& each : std::filesystem::directory_iterator(source_tree() / "tests/protocols"))
    folders.push_back(each.path());
  std::sort(folders.begin(), folders.end());
  for (const auto& folder : folders) read_file(folder / "payloads.txt", out);
  return out;
}

}  // namespace

const std::vector<Payload>& payloads() {
  static const std::vector<Payload> all = make();
  return all;
}

std::vector<Payload> payloads_of(std::string_view protocol) {
  std::vector<Payload> out;
  for (const Payload& each : payloads())
    if (each.protocol == protocol) out.push_back(each);
  return out;
}

const Buffer& payload(std::string_view protocol, std::string_view what) {
  for (const Payload& each : payloads())
    if (each.protocol == protocol && each.what == what) return each.bytes;
  std::fprintf(stderr, "no payload %s, %s\n", std::string(protocol).c_str(),
               std::string(what).c_str());
  std::abort();
}

}  // namespace vmirror::test
