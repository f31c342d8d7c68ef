#include "agent/cli/policy_source.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "agent/control/policy/policy_file.hpp"

namespace vmirror {
namespace {

constexpr const char* kStandardInputName = "standard input";

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
  if (!in) {
    const int error = errno;
    return fail(Error::Kind::missing, std::string("can't be read: ") + std::strerror(error), path,
                error == EACCES ? "run as its owner or as root, or let this user read it"
                                : "name a file, a folder, or `-` for standard input");
  }
  return read_all(in, path);
}

/// The documents of a text, each after as many empty lines as stood before it, so that errors name
/// its lines. `---` and `...` at the beginning of a line are never part of a document (YAML 1.2,
/// 9.1.2). One without content is left out, unless there is no other.
std::vector<std::string> documents_of(const std::string& text) {
  std::vector<std::string> out;
  std::string one;
  std::size_t lines = 0;
  bool has_content = false;
  const auto end = [&](std::size_t next_line) {
    if (has_content) out.push_back(std::move(one));
    one.assign(next_line, '\n');
    has_content = false;
  };
  std::istringstream in(text);
  for (std::string line; std::getline(in, line); ++lines) {
    const bool marker = line.starts_with("---") || line.starts_with("...");
    if (marker && (line.size() == 3 || line[3] == ' ' || line[3] == '\r')) {
      end(lines + 1);
      if (line.find_first_not_of(" \r", 3) == line.npos) continue;
      return {text};  // Something stands behind the marker: for the parser to judge.
    }
    const std::size_t first = line.find_first_not_of(" \t\r");
    has_content = has_content || (first != line.npos && line[first] != '#');
    one += line + "\n";
  }
  end(lines);
  if (out.size() < 2) return {text};
  return out;
}

/// What was read so far, and what was wrong with it.
struct Reading {
  std::vector<PolicySource> sources;
  std::vector<Error> errors;

  void add(const std::string& text, const std::string& file) {
    for (std::string& document : documents_of(text)) {
      const auto policy = parse_policy(document, file);
      if (!policy) {
        errors.push_back(policy.error());
        continue;
      }
      const auto other = std::ranges::find(sources, policy->name, &PolicySource::name);
      if (other != sources.end()) {
        errors.push_back({Error::Kind::invalid,
                          "policy `" + policy->name + "` is " +
                              (other->file == file ? "there twice" : "in " + other->file + " too"),
                          file, "give one of them another name"});
        continue;
      }
      document.erase(0, document.find_first_not_of('\n'));
      sources.push_back({policy->name, file, std::move(document)});
    }
  }
  void add(const Result<std::string>& text, const std::string& file) {
    if (text)
      add(*text, file);
    else
      errors.push_back(text.error());
  }
  PolicySources end() {
    if (!errors.empty()) return tl::unexpected(std::move(errors));
    return std::move(sources);
  }
};

void read_folder(const std::string& path, Reading& to) {
  const PolicyFolder folder = read_policies(path);
  if (folder.error) to.errors.push_back(*folder.error);
  if (!folder.error && folder.files.empty())
    to.errors.push_back({Error::Kind::missing, "the folder has no policies", path,
                         "a policy's file is called NAME.yaml"});
  for (const PolicyFile& file : folder.files)
    if (file.error && file.error->kind != Error::Kind::invalid)
      to.errors.push_back(*file.error);
    else
      to.add(read_file(file.path), file.path);
}

}  // namespace

PolicySources read_policy_sources(const std::string& path, std::istream& in) {
  Reading reading;
  std::error_code ignored;
  if (path != "-" && std::filesystem::is_directory(path, ignored))
    read_folder(path, reading);
  else
    reading.add(path == "-" ? read_all(in, kStandardInputName) : read_file(path),
                path == "-" ? kStandardInputName : path);
  return reading.end();
}

}  // namespace vmirror
