#include "agent/cli/table.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <vector>

#include "plugin/base/plain_text.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

/// Characters, not bytes: continuation bytes of UTF-8 take no place.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

const char* colour_of(const std::string& text) {
  if (text.starts_with("active") || text == "ready" || text == "in force" || text == "connected" ||
      text == "in sync" || text == "done" || text == "taken")
    return "\033[32m";
  if (text == "pending" || text == "draining" || text == "selects nothing" || text == "expired" ||
      text == "running" || text == "incoming")
    return "\033[33m";
  if (text == "failed" || text == "refused" || text == "unknown" || text == "unreachable" ||
      text == "lost" || text == "stalled")
    return "\033[31m";
  return nullptr;
}

/// To so many characters; what is cut ends with "…".
void cut(std::string& text, std::size_t characters) {
  if (width(text) <= characters) return;
  std::size_t end = 0;
  for (std::size_t seen = 0; end < text.size(); ++end)
    if ((text[end] & 0xc0) != 0x80 && ++seen > characters - std::min<std::size_t>(1, characters))
      break;
  text.resize(end);
  if (characters > 0) text += "…";
}

constexpr std::size_t kBetween = 2;       ///< Characters between columns.
constexpr std::size_t kRoomForLast = 40;  ///< A sentence can be made out.

/// The column that is left out next so that the last one has room; columns.size(): none.
std::size_t leaver(const std::vector<Column>& columns, const std::vector<std::size_t>& widths,
                   std::size_t line) {
  std::size_t before = 0, out = columns.size();
  for (std::size_t i = 0; i + 1 < columns.size(); ++i) {
    before += widths[i] + kBetween;
    if (columns[i].leaves > 0 && (out == columns.size() || columns[i].leaves < columns[out].leaves))
      out = i;
  }
  const bool fits = line == 0 || before + std::min(widths.back(), kRoomForLast) <= line;
  return fits ? columns.size() : out;
}

void pad(std::ostream& out, std::size_t count) {
  for (; count > 0; --count) out << ' ';
}

}  // namespace

std::string cell(const json::value* value) {
  if (value == nullptr || value->is_null()) return "-";
  if (const auto* text = value->if_string()) return text->empty() ? "-" : for_terminal(*text);
  if (const auto* array = value->if_array()) {
    std::string out;
    for (const json::value& element : *array) out += (out.empty() ? "" : ",") + cell(&element);
    return out.empty() ? "-" : out;
  }
  if (const auto* real = value->if_double()) {
    char text[64];
    std::snprintf(text, sizeof text, "%.3f", *real);
    return text;
  }
  if (const auto* object = value->if_object()) {  // {"role": "dc"} is role=dc
    std::string out;
    for (const auto& [key, member] : *object)
      out += (out.empty() ? "" : ",") + for_terminal(key) + "=" + cell(&member);
    return out.empty() ? "-" : out;
  }
  return json::serialize(*value);
}

const json::value* find(const json::object& row, std::string_view key) {
  const std::size_t dot = key.find('.');
  const auto* value = row.if_contains(key.substr(0, dot));
  if (dot == std::string_view::npos || value == nullptr) return value;
  const auto* inner = value->if_object();
  return inner == nullptr ? nullptr : find(*inner, key.substr(dot + 1));
}

void print_table(std::ostream& out, const json::array& rows, std::span<const Column> all,
                 TableStyle style) {
  if (rows.empty()) {
    out << "none\n";
    return;
  }
  std::vector<Column> columns;
  std::ranges::copy_if(all, std::back_inserter(columns),
                       [&](const Column& column) { return style.wide || !column.wide; });
  std::vector<std::size_t> widths;
  std::vector<bool> numeric(columns.size(), true);
  for (const Column& column : columns) widths.push_back(std::string_view(column.title).size());
  std::vector<std::vector<std::string>> cells;
  for (const json::value& row : rows) {
    const auto* object = row.if_object();
    std::vector<std::string>& line = cells.emplace_back();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const auto* value = object == nullptr ? nullptr : find(*object, columns[i].key);
      if (value != nullptr && !value->is_null() && !value->is_number()) numeric[i] = false;
      line.push_back(cell(value));
      widths[i] = std::max(widths[i], width(line.back()));
    }
  }
  std::vector<std::string> titles;
  for (const Column& column : columns) titles.emplace_back(column.title);
  for (std::size_t i = leaver(columns, widths, style.width); i < columns.size();
       i = leaver(columns, widths, style.width)) {
    const auto at = static_cast<std::ptrdiff_t>(i);
    columns.erase(columns.begin() + at);
    widths.erase(widths.begin() + at);
    numeric.erase(numeric.begin() + at);
    titles.erase(titles.begin() + at);
    for (auto& line : cells) line.erase(line.begin() + at);
  }
  const auto print = [&](std::vector<std::string>& line, bool title) {
    std::size_t left = style.width == 0 ? SIZE_MAX : style.width;
    for (std::size_t i = 0; i < line.size() && left > 0; ++i) {
      const char* code = !style.colour ? nullptr : title ? "\033[1m" : colour_of(line[i]);
      if (i > 0) {
        pad(out, std::min(kBetween, left));
        left -= std::min(kBetween, left);
      }
      const std::size_t space = widths[i] - width(line[i]);
      std::string padded = line[i];
      if (numeric[i])
        padded.insert(0, space, ' ');
      else if (i + 1 < line.size())
        padded.append(space, ' ');
      cut(padded, left);
      left -= width(padded);
      out << (code == nullptr ? "" : code) << padded << (code == nullptr ? "" : "\033[0m");
    }
    out << '\n';
  };
  print(titles, true);
  for (auto& line : cells) print(line, false);
}

}  // namespace vmirror
