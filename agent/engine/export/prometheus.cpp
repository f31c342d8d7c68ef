#include "agent/engine/export/prometheus.hpp"

#include <charconv>
#include <cmath>
#include <unordered_map>

namespace vmirror {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// [a-zA-Z_][a-zA-Z0-9_]*: what both metric and label names may be (metric names also `:`, which is
/// kept for recording rules).
std::string valid_name(std::string_view name) {
  std::string out;
  if (name.empty() || is_digit(name.front())) out += '_';
  for (const char c : name) out += is_letter(c) || is_digit(c) ? c : '_';
  return out;
}

std::string family_name(const Metric& metric) {
  std::string name = "vmirror_" + valid_name(metric.name);
  if (metric.type == MetricType::counter && !name.ends_with("_total")) name += "_total";
  return name;
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

void append_value(std::string& out, double v) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  char text[32];
  if (std::isnan(v)) {
    out += "NaN";
  } else if (std::isinf(v)) {
    out += v > 0 ? "+Inf" : "-Inf";
  } else {
    const bool whole = std::trunc(v) == v && std::fabs(v) <= kExact;
    const auto end = whole ? std::to_chars(text, text + sizeof text, static_cast<long long>(v))
                           : std::to_chars(text, text + sizeof text, v);
    out.append(text, end.ptr);
  }
}

void append_sample(std::string& out, const std::string& name, const Metric& metric) {
  out += name;
  if (!metric.labels.empty()) {
    char separator = '{';
    for (const auto& [label, value] : metric.labels) {
      out += separator;
      out += valid_name(label);
      out += "=\"";
      append_escaped(out, value, true);
      out += '"';
      separator = ',';
    }
    out += '}';
  }
  out += ' ';
  append_value(out, metric.value);
  out += '\n';
}

}  // namespace

std::string prometheus_text(std::span<const Metric> metrics) {
  // A family's lines must stand together: each family collects its own.
  std::vector<std::string> families;
  std::unordered_map<std::string, std::size_t> index;
  for (const Metric& metric : metrics) {
    const std::string name = family_name(metric);
    const auto [at, is_new] = index.emplace(name, families.size());
    if (is_new) {
      std::string& head = families.emplace_back();
      if (!metric.help.empty()) {
        head += "# HELP " + name + ' ';
        append_escaped(head, metric.help, false);
        head += '\n';
      }
      head += "# TYPE " + name + (metric.type == MetricType::counter ? " counter\n" : " gauge\n");
    }
    append_sample(families[at->second], name, metric);
  }
  std::string out;
  for (const std::string& family : families) out += family;
  return out;
}

}  // namespace vmirror
