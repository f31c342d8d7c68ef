// Prometheus's text format, version 0.0.4: a pure function from values to text.
//
//   # HELP vmirror_frames_dropped_total Frames not analysed, by reason.
//   # TYPE vmirror_frames_dropped_total counter
//   vmirror_frames_dropped_total{input="mon0",kind="kernel"} 12
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace vmirror {

enum class MetricType { counter, gauge };

/// One value. Those of one name make a family: give them the same help and type.
struct Metric {
  std::string name;  ///< "frames_dropped": letters, digits, `_`. Without the prefix.
  std::string help;  ///< A sentence.
  MetricType type = MetricType::gauge;
  std::vector<std::pair<std::string, std::string>> labels;  ///< Name and value, in this order.
  double value = 0;
};

/// The `Content-Type` that belongs to the text.
constexpr const char* kPrometheusContentType = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics, families together in the order of their first value, each name prefixed with
/// `vmirror_`. Whatever is in the names, the text follows Prometheus's rules: characters that a
/// name may not have become `_`, a counter's name ends in `_total`, label values and help are
/// escaped. Whole numbers are written as such up to 2^53.
std::string prometheus_text(std::span<const Metric> metrics);

}  // namespace vmirror
