#include "agent/cli/policy_source.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "agent/control/policy/policy_file.hpp"

namespace vmirror {
namespace {

constexpr const char* kStandardInput = "standard input";

/// As much as the daemon takes of a policy.
constexpr std::size_t kMostBytes = 512 << 10;

/// Any stream will do here, a FIFO of the shell too: the person who runs this is who writes it.
Result<std::string> read_all(std::istream& in, const std::string& where) {
  std::string text(kMostBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (in.bad())
    return fail(Error::Kind::missing, "can't be read", where, "name a file, a folder, or `-`");
  if (text.size() > kMostBytes)
    return fail(Error::Kind::invalid, "more than " + std::to_string(kMostBytes) + " bytes", where,
                "a policy is one YAML document");
  return text;
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in)
    return fail(Error::Kind::missing, std::string("can't be read: ") + std::strerror(errno), path,
                "name a file, a folder, or `-` for standard input");
  return read_all(in, path);
}

Result<PolicySource> source(std::string yaml, const std::string& file) {
  const auto policy = parse_policy(yaml, file);
  if (!policy) return tl::unexpected(policy.error());
  return PolicySource{policy->name, file, std::move(yaml)};
}

Result<std::vector<PolicySource>> read_folder(const std::string& path) {
  const PolicyFolder folder = read_policies(path);
  if (const auto error = folder.first_error()) return tl::unexpected(*error);
  if (folder.files.empty())
    return fail(Error::Kind::missing, "the folder has no policies", path,
                "a policy's file is called NAME.yaml");
  std::vector<PolicySource> out;
  for (const PolicyFile& file : folder.files) {
    auto one = read_file(file.path).and_then(
        [&](std::string text) { return source(std::move(text), file.path); });
    if (!one) return tl::unexpected(one.error());
    out.push_back(std::move(*one));
  }
  return out;
}

}  // namespace

Result<std::vector<PolicySource>> read_policy_sources(const std::string& path, std::istream& in) {
  std::error_code ignored;
  if (path != "-" && std::filesystem::is_directory(path, ignored)) return read_folder(path);
  auto text = path == "-" ? read_all(in, kStandardInput) : read_file(path);
  if (!text) return tl::unexpected(text.error());
  auto one = source(std::move(*text), path == "-" ? kStandardInput : path);
  if (!one) return tl::unexpected(one.error());
  return std::vector<PolicySource>{std::move(*one)};
}

}  // namespace vmirror
