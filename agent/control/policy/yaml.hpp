// Reads YAML with a table of keys, so that every error names file and line, the key, and the
// remedy. The policy files and the daemon's configuration are read in this way.
//
//   Result<void> done = yaml::read_file(text, "a.yaml", yaml::map({
//       {"snaplen", yaml::number(policy.snaplen, 0, 65535)},
//       {"targets", yaml::list([&](const yaml::Node& node) { ... })}}));
//
// A reader writes into the variables that it was made with. These must outlive the reader, and may
// be partly written when it fails. Otherwise pure; exceptions of yaml-cpp do not leave this file.
#pragma once

#include <yaml-cpp/node/node.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugin/base/result.hpp"

namespace vmirror::yaml {

/// A value in a file, and the key under which it stands (or the list's, for its elements).
struct Node {
  YAML::Node node;
  std::string file;
  std::string key;

  /// An error of this value: `where` is "file:line". The caller gives the words, of which the
  /// first 256 bytes are kept.
  tl::unexpected<Error> wrong(std::string what, std::string remedy) const;
  bool is_map() const;
  /// A mapping with this key.
  bool has(const char* name) const;
  /// Its value, if `has(name)`.
  Node at(const char* name) const;
  /// Entries of a mapping or a list; 0 for another value.
  std::size_t size() const;
  /// A scalar as written; "" for another value.
  std::string scalar() const;
};

using Reader = std::function<Result<void>(const Node&)>;

struct Key {
  std::string_view name;
  Reader read;
  bool required = false;
};

/// A mapping with these keys and no others. Unknown keys, repeated keys and missing required keys
/// are errors; the remedy for an unknown key is the nearest known key.
Reader map(std::vector<Key> keys);
/// A sequence (an absent value is an empty one); `element` is called for each.
Reader list(Reader element);
/// A value for `element`, or a sequence of such values.
Reader one_or_list(Reader element);
/// A mapping of any keys to text.
Reader dictionary(std::function<void(std::string key, std::string value)> put);

Reader text(std::string& out);
/// A decimal number of [min, max].
Reader integer(std::function<void(std::int64_t)> put, std::int64_t min, std::int64_t max);
template <typename T>
Reader number(T& out, std::int64_t min, std::int64_t max) {
  return integer([&out](std::int64_t value) { out = static_cast<T>(value); }, min, max);
}
/// true or false
Reader boolean(bool& out);
/// The index of the written word.
Reader word(std::vector<std::string_view> words, std::function<void(std::size_t)> put);
/// One of these words.
template <typename T>
Reader one_of(T& out, std::vector<std::pair<std::string_view, T>> words) {
  std::vector<std::string_view> names;
  for (const auto& [name, value] : words) names.push_back(name);
  return word(std::move(names), [&out, words](std::size_t i) { out = words[i].second; });
}
/// Text that `parse` turns into a T: `parsed(address, IpAddress::parse)`. The remedy says what to
/// write instead.
template <typename T, typename Parse>
Reader parsed(T& out, Parse parse, std::string remedy) {
  return [&out, parse, remedy = std::move(remedy)](const Node& node) -> Result<void> {
    auto value = parse(node.scalar());
    if (!value) return node.wrong("`" + node.key + "`: " + value.error().what, remedy);
    out = *value;
    return {};
  };
}

/// The bounds of one file. The parser's work is linear in `bytes`, the readers' in `nodes`.
struct Bounds {
  std::size_t bytes = 512 << 10;
  std::size_t nodes = 65'536;  ///< Values and keys, each as often as aliases repeat it.
  std::size_t depth = 32;      ///< Lists and mappings within each other.
  std::size_t aliases = 64;    ///< yaml-cpp's work is quadratic in them.
};

/// Reads one document with `root`. `file` is used in errors only. Error::Kind::invalid: malformed
/// YAML, more than the bounds (none of the file was given to `root` then), a second document, or a
/// value that a reader refuses.
Result<void> read(std::string_view text, const std::string& file, const Reader& root,
                  const Bounds& bounds = {});

/// The word of `known` with the fewest edits to `word`, if it is near enough; else "".
std::string nearest(std::string_view word, const std::vector<std::string_view>& known);

}  // namespace vmirror::yaml
