#include "agent/report/check_parts.hpp"

#include <algorithm>
#include <cstdio>

namespace vmirror::checks {

namespace json = boost::json;

const json::value* at(const json::object& object, std::string_view path) {
  const std::size_t dot = path.find('.');
  const auto* value = object.if_contains(path.substr(0, dot));
  if (value == nullptr || dot == path.npos) return value;
  const auto* inner = value->if_object();
  return inner == nullptr ? nullptr : at(*inner, path.substr(dot + 1));
}

std::uint64_t number(const json::value* value) {
  if (value == nullptr || !value->is_number()) return 0;
  const double n = value->to_number<double>();
  return n < 0 ? 0 : static_cast<std::uint64_t>(n);
}

std::uint64_t number(const json::object& object, std::string_view path) {
  return number(at(object, path));
}

std::string text(const json::object& object, std::string_view path) {
  const auto* value = at(object, path);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

const json::array& list(const json::object& object, std::string_view path) {
  static const json::array none;
  const auto* value = at(object, path);
  return value != nullptr && value->is_array() ? value->get_array() : none;
}

/// How far a counter came between the two readings; of a capture file all of it.
std::uint64_t grown(const CheckEvidence& e, std::string_view path) {
  const std::uint64_t is = number(e.after, path), was = number(e.before, path);
  return is >= was ? is - was : is;
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  char out[32];
  std::snprintf(out, sizeof out, "%.1f%%",
                whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole));
  return out;
}

/// "a, b, c and 4 more"
std::string some(const std::vector<std::string>& all) {
  constexpr std::size_t kShown = 5;
  std::string out;
  for (std::size_t i = 0; i < std::min(kShown, all.size()); ++i)
    out += (i == 0 ? "" : ", ") + all[i];
  return all.size() <= kShown ? out : out + " and " + std::to_string(all.size() - kShown) + " more";
}

std::vector<std::string> strings_of(const json::array& lines) {
  std::vector<std::string> out;
  for (const json::value& line : lines)
    if (line.is_string()) out.emplace_back(line.get_string());
  return out;
}

bool is_live(const CheckEvidence& e) {
  return e.after.contains("uptime_seconds");
}

Told only_live() {
  return {CheckVerdict::not_told, "a capture file does not show it", ""};
}

}  // namespace vmirror::checks
