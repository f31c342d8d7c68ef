#include "agent/control/policy/yaml.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "plugin/base/plain_text.hpp"

namespace vmirror::yaml {
namespace {

std::string join(const std::vector<std::string_view>& words) {
  std::string out;
  for (const std::string_view& word : words) {
    if (!out.empty()) out += &word == &words.back() ? " or " : ", ";
    out += "`" + std::string(word) + "`";
  }
  return out;
}

/// Levenshtein's distance; the words are keys, so they are short.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string named(const Node& node) {
  return node.key.empty() ? "the file" : "`" + node.key + "`";
}

/// Ends the parser from within: thrown by Guard, caught in this file.
struct BeyondBound {
  std::string what;
  YAML::Mark mark;
  std::string remedy;
};

/// Counts a document's events before anything is built of them.
class Guard : public YAML::EventHandler {
 public:
  explicit Guard(const Bounds& bounds) : bounds_(bounds) {}

  bool empty() const { return nodes_ == 0 || null_; }
  YAML::Mark start() const { return start_; }

  void OnDocumentStart(const YAML::Mark& mark) override { start_ = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    null_ = nodes_ == 0;
    add(mark, anchor, 1);
  }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                const std::string&) override {
    add(mark, anchor, 1);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (++aliases_ > bounds_.aliases) beyond(bounds_.aliases, "aliases", mark);
    const auto known = nodes_of_.find(anchor);
    if (known == nodes_of_.end())  // An endless document, for those who follow the alias.
      throw BeyondBound{"an alias within its own anchor", mark, "write the value out"};
    add(mark, 0, known->second);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    YAML::anchor_t anchor;  ///< 0: none
    std::size_t before;     ///< nodes_ when it began
  };

  [[noreturn]] static void beyond(std::size_t bound, const char* unit, const YAML::Mark& mark) {
    throw BeyondBound{"more than " + std::to_string(bound) + " " + unit, mark, "split the file"};
  }
  void add(const YAML::Mark& mark, YAML::anchor_t anchor, std::size_t nodes) {
    if ((nodes_ += nodes) > bounds_.nodes) beyond(bounds_.nodes, "values", mark);
    if (anchor != 0) nodes_of_[anchor] = nodes;
  }
  void open(const YAML::Mark& mark, YAML::anchor_t anchor) {
    open_.push_back({anchor, nodes_});
    if (open_.size() > bounds_.depth) beyond(bounds_.depth, "levels", mark);
    add(mark, 0, 1);
  }
  void close() {
    const Open last = open_.back();
    open_.pop_back();
    if (last.anchor != 0) nodes_of_[last.anchor] = nodes_ - last.before;
  }

  Bounds bounds_;
  YAML::Mark start_ = YAML::Mark::null_mark();
  std::size_t nodes_ = 0;
  std::size_t aliases_ = 0;
  bool null_ = false;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, std::size_t> nodes_of_;
};

/// False: there is no document. Throws BeyondBound and YAML::Exception. It asks the parser for a
/// second document once, and for no third one, so that it ends whatever the parser does with
/// malformed text.
bool guard(const std::string& text, const Bounds& bounds) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  Guard first(bounds), second(bounds);
  if (!parser.HandleNextDocument(first) || first.empty()) return false;
  if (parser.HandleNextDocument(second))
    throw BeyondBound{"a second document begins here", second.start(), "keep one document a file"};
  return true;
}

/// The first line, from 0, that has a byte which is not UTF-8.
std::optional<std::size_t> line_without_utf8(std::string_view text) {
  std::size_t line = 0;
  while (!text.empty()) {
    const auto size = static_cast<unsigned char>(text.front()) < 0x80 ? 1 : utf8_size(text);
    if (size == 0) return line;
    if (text.front() == '\n') ++line;
    text.remove_prefix(size);
  }
  return std::nullopt;
}

/// The line `number`, from 0, has a tab where its indentation is, or behind a list's `-`.
bool is_indented_by_tab(std::string_view text, int number) {
  for (; number > 0; --number) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  const std::string_view line = text.substr(0, text.find('\n'));
  return line.substr(0, line.find_first_not_of("- \t")).find('\t') != line.npos;
}

/// What yaml-cpp says of a mistake that people make, in words that name it.
Error not_yaml(const YAML::Exception& error, std::string_view text, std::string where) {
  const auto says = [&](const char* word) { return error.msg.find(word) != error.msg.npos; };
  if (says("tab") || (!error.mark.is_null() && is_indented_by_tab(text, error.mark.line)))
    return {Error::Kind::invalid, "not YAML: a tab in the indentation", std::move(where),
            "indent with spaces"};
  if (says("alias") || says("anchor") || says("unknown token"))
    return {Error::Kind::invalid, "not YAML: " + error.msg, std::move(where),
            "quote a value that begins with `*`, `&`, `@`, `%` or a backquote: write \"*\""};
  return {Error::Kind::invalid, "not YAML: " + error.msg, std::move(where), "correct the line"};
}

}  // namespace

tl::unexpected<Error> Node::wrong(std::string what, std::string remedy) const {
  constexpr std::size_t kMost = 256;  // Bytes: a scalar may be as long as the file.
  if (what.size() > kMost) what = what.substr(0, kMost) + "...";
  const YAML::Mark mark = node.Mark();
  std::string where = file;
  if (!mark.is_null()) where += ":" + std::to_string(mark.line + 1);
  return fail(Error::Kind::invalid, std::move(what), std::move(where), std::move(remedy));
}

bool Node::is_map() const {
  return node.IsMap();
}

std::size_t Node::size() const {
  return node.size();
}

bool Node::has(const char* name) const {
  return node.IsMap() && node[name].IsDefined();
}

Node Node::at(const char* name) const {
  return {node[name], file, name};
}

std::string Node::scalar() const {
  return node.IsScalar() ? node.Scalar() : std::string();
}

Reader map(std::vector<Key> keys) {
  return [keys = std::move(keys)](const Node& at) -> Result<void> {
    std::vector<std::string_view> known;
    for (const Key& key : keys) known.push_back(key.name);
    if (!at.node.IsMap())
      return at.wrong(named(at) + " is not a mapping", "write `KEY: VALUE` with " + join(known));
    std::set<std::string> seen;
    for (const auto& entry : at.node) {
      const Node name{entry.first, at.file, at.key};
      const std::string word = name.scalar();
      const auto key = std::ranges::find(keys, word, &Key::name);
      if (key == keys.end()) {
        const std::string near = nearest(word, known);
        return name.wrong("unknown key `" + word + "`",
                          near.empty() ? "write one of " + join(known) : "write `" + near + "`");
      }
      if (!seen.insert(word).second)
        return name.wrong("key `" + word + "` is given twice", "keep one of them");
      const Result<void> done = key->read({entry.second, at.file, word});
      if (!done) return done;
    }
    for (const Key& key : keys)
      if (key.required && !seen.contains(std::string(key.name)))
        return at.wrong("key `" + std::string(key.name) + "` is missing",
                        "add `" + std::string(key.name) + ": ...`");
    return {};
  };
}

Reader list(Reader element) {
  return [element = std::move(element)](const Node& at) -> Result<void> {
    if (at.node.IsNull()) return {};
    if (!at.node.IsSequence())
      return at.wrong(named(at) + " is not a list", "write one `- ...` for each entry");
    for (const auto& entry : at.node) {
      const Result<void> done = element({entry, at.file, at.key});
      if (!done) return done;
    }
    return {};
  };
}

Reader one_or_list(Reader element) {
  return [element = std::move(element)](const Node& at) -> Result<void> {
    return at.node.IsSequence() ? list(element)(at) : element(at);
  };
}

Reader dictionary(std::function<void(std::string, std::string)> put) {
  return [put = std::move(put)](const Node& at) -> Result<void> {
    if (!at.node.IsMap())
      return at.wrong(named(at) + " is not a mapping", "write `KEY: VALUE` or `{KEY: VALUE}`");
    for (const auto& entry : at.node) {
      if (!entry.first.IsScalar() || !entry.second.IsScalar())
        return Node{entry.first, at.file, at.key}.wrong(named(at) + " takes only text values",
                                                        "write `KEY: VALUE`");
      put(entry.first.Scalar(), entry.second.Scalar());
    }
    return {};
  };
}

Reader text(std::string& out) {
  return [&out](const Node& at) -> Result<void> {
    if (!at.node.IsScalar()) return at.wrong(named(at) + " is not text", "write one value");
    out = at.node.Scalar();
    return {};
  };
}

Reader integer(std::function<void(std::int64_t)> put, std::int64_t min, std::int64_t max) {
  return [put = std::move(put), min, max](const Node& at) -> Result<void> {
    const std::string word = at.scalar();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (word.empty() || error != std::errc() || end != word.data() + word.size() || value < min ||
        value > max)
      return at.wrong(named(at) + " is `" + word + "`",
                      "write a number from " + std::to_string(min) + " to " + std::to_string(max));
    put(value);
    return {};
  };
}

Reader boolean(bool& out) {
  return one_of<bool>(out, {{"true", true}, {"false", false}});
}

Reader word(std::vector<std::string_view> words, std::function<void(std::size_t)> put) {
  return [words = std::move(words), put = std::move(put)](const Node& at) -> Result<void> {
    const auto it = std::ranges::find(words, at.scalar());
    if (it == words.end())
      return at.wrong(named(at) + " is `" + at.scalar() + "`", "write " + join(words));
    put(static_cast<std::size_t>(it - words.begin()));
    return {};
  };
}

Result<void> read(std::string_view text, const std::string& file, const Reader& root,
                  const Bounds& bounds) {
  if (text.size() > bounds.bytes)
    return fail(Error::Kind::invalid, "more than " + std::to_string(bounds.bytes) + " bytes", file,
                "split it");
  if (const auto line = line_without_utf8(text))
    return fail(Error::Kind::invalid, "a character that is not UTF-8",
                file + ":" + std::to_string(*line + 1), "write the file in UTF-8");
  const auto at = [&file](const YAML::Mark& mark) {
    return mark.is_null() ? file : file + ":" + std::to_string(mark.line + 1);
  };
  try {
    const std::string whole(text);
    if (!guard(whole, bounds))
      return fail(Error::Kind::invalid, "the file is empty", file, "write it, or remove it");
    // The first document only: YAML::LoadAll() never ends on some malformed ones.
    return root({YAML::Load(whole), file, {}});
  } catch (const BeyondBound& beyond) {
    return fail(Error::Kind::invalid, beyond.what, at(beyond.mark), beyond.remedy);
  } catch (const YAML::Exception& error) {
    return tl::unexpected(not_yaml(error, text, at(error.mark)));
  }
}

std::string nearest(std::string_view word, const std::vector<std::string_view>& known) {
  std::string_view best;
  std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
  if (word.size() > 64) return {};
  for (const std::string_view candidate : known) {
    const std::size_t d = distance(word, candidate);
    if (d < least && d < candidate.size()) {
      least = d;
      best = candidate;
    }
  }
  return std::string(best);
}

}  // namespace vmirror::yaml
