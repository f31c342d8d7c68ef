#include "plugin/hyperv/marks.hpp"

#include <algorithm>
#include <boost/json.hpp>

namespace vmirror::hyperv {
namespace {

namespace json = boost::json;

constexpr std::string_view kTag = "[vmirror] ";

/// Where a text has the line: from its first byte, the line's end before it included, to its end.
struct Span {
  std::size_t from = 0, json = 0, to = 0;
};
std::optional<Span> find_line(const std::string& text) {
  for (std::size_t at = 0; (at = text.find(kTag, at)) != text.npos; at++) {
    if (at != 0 && text[at - 1] != '\n') continue;
    Span out{at, at + kTag.size(), std::min(text.find_first_of("\r\n", at), text.size())};
    if (at != 0) {
      out.from = at - 1;
      if (out.from != 0 && text[out.from - 1] == '\r') out.from--;
    } else if (out.to != text.size()) {  // In front: the line's end behind goes along.
      if (text[out.to] == '\r') out.to++;
      if (out.to != text.size() && text[out.to] == '\n') out.to++;
    }
    return out;
  }
  return {};
}

std::string string_of(const json::object& entry, const char* key) {
  return json::value_to<std::string>(entry.at(key));
}

std::vector<Mark> read_marks(const std::string& line) {
  const json::value value = json::parse(line);
  if (value.at("v").to_number<int>() != 1) throw std::runtime_error("its version is not 1");
  std::vector<Mark> out;
  for (const json::value& each : value.at("marks").as_array()) {
    const json::object& entry = each.as_object();
    Mark mark{string_of(entry, "kind"),
              string_of(entry, "on"),
              string_of(entry, "was"),
              string_of(entry, "now"),
              {},
              false};
    for (const json::value& whom : entry.at("for").as_array())
      mark.for_whom.push_back(json::value_to<std::string>(whom));
    std::ranges::sort(mark.for_whom);
    if (const json::value* added = entry.if_contains("added"))
      mark.added = added->is_bool() && added->get_bool();
    out.push_back(std::move(mark));
  }
  return out;
}

std::string write_marks(const std::vector<Mark>& marks) {
  json::array entries;
  for (const Mark& mark : marks) {
    json::object entry{{"kind", mark.kind},
                       {"on", mark.on},
                       {"was", mark.was},
                       {"now", mark.now},
                       {"for", json::array(mark.for_whom.begin(), mark.for_whom.end())}};
    if (mark.added) entry["added"] = true;
    entries.push_back(std::move(entry));
  }
  return std::string(kTag) + json::serialize(json::object{{"v", 1}, {"marks", std::move(entries)}});
}

}  // namespace

bool Mark::is_for(const std::string& whom) const {
  return std::ranges::find(for_whom, whom) != for_whom.end();
}

Notes parse_notes(std::vector<std::string> text) {
  Notes out{std::move(text), {}, {}};
  for (const std::string& each : out.text) {
    const auto line = find_line(each);
    if (!line) continue;
    std::string words = each.substr(line->json, line->to - line->json);
    while (words.ends_with('\n') || words.ends_with('\r')) words.pop_back();
    try {
      out.marks = read_marks(words);
    } catch (const std::exception& error) {
      out.marks.clear();
      out.error = "the line of its notes that begins with [vmirror] can't be read: " +
                  std::string(error.what());
    }
    break;
  }
  return out;
}

const Mark* find_mark(const Notes& notes, const std::string& kind, const std::string& on) {
  const auto found = std::ranges::find_if(
      notes.marks, [&](const Mark& mark) { return mark.kind == kind && mark.on == on; });
  return found == notes.marks.end() ? nullptr : &*found;
}

Result<std::vector<std::string>> encode_notes(const Notes& notes, const std::vector<Mark>& marks) {
  if (!notes.error.empty())
    return fail(Error::Kind::refused, notes.error, "notes", "mend or delete that line");
  std::vector<std::string> out = notes.text;
  if (out.empty()) out.emplace_back();
  std::string* holder = &out.back();
  for (std::string& each : out)
    if (const auto line = find_line(each)) {
      each.erase(line->from, line->to - line->from);
      holder = &each;
      break;
    }
  if (marks.empty()) return out;
  const std::string line = write_marks(marks);
  if (line.size() > kMaxMarkBytes)
    return fail(Error::Kind::exhausted,
                "the mark would be longer than " + std::to_string(kMaxMarkBytes) + " bytes",
                "notes");
  *holder += (holder->empty() ? "" : "\n") + line;
  return out;
}

}  // namespace vmirror::hyperv
