// Prometheus's text format, by example.
#include "agent/engine/export/prometheus.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace vmirror {
namespace {

TEST(Prometheus, PutsFamiliesTogether) {
  const Metric metrics[] = {
      {"frames_dropped", "Frames not analysed.", MetricType::counter, {{"kind", "kernel"}}, 12},
      {"flows", "Flows in the table.", MetricType::gauge, {}, 3},
      {"frames_dropped", "Frames not analysed.", MetricType::counter, {{"kind", "short"}}, 0},
  };
  EXPECT_EQ(prometheus_text(metrics),
            "# HELP vmirror_frames_dropped_total Frames not analysed.\n"
            "# TYPE vmirror_frames_dropped_total counter\n"
            "vmirror_frames_dropped_total{kind=\"kernel\"} 12\n"
            "vmirror_frames_dropped_total{kind=\"short\"} 0\n"
            "# HELP vmirror_flows Flows in the table.\n"
            "# TYPE vmirror_flows gauge\n"
            "vmirror_flows 3\n");
  EXPECT_EQ(prometheus_text({}), "");
}

struct LineCase {
  const char* name;
  Metric metric;
  const char* line;  ///< The last line.
};

TEST(Prometheus, FollowsTheRulesWhateverTheNames) {
  const LineCase cases[] = {
      {"total once", {"a_total", "", MetricType::counter, {}, 1}, "vmirror_a_total 1"},
      {"bad characters", {"a.b-c d", "", MetricType::gauge, {}, 1}, "vmirror_a_b_c_d 1"},
      {"bad label name",
       {"a", "", MetricType::gauge, {{"9x-y", "v"}}, 1},
       "vmirror_a{_9x_y=\"v\"} 1"},
      {"label escapes",
       {"a", "", MetricType::gauge, {{"p", "C:\\x\"y\nz"}, {"q", ""}}, 1},
       "vmirror_a{p=\"C:\\\\x\\\"y\\nz\",q=\"\"} 1"},
      {"large whole",
       {"a", "", MetricType::gauge, {}, 9007199254740992.0},
       "vmirror_a 9007199254740992"},
      {"fraction", {"a", "", MetricType::gauge, {}, 0.25}, "vmirror_a 0.25"},
      {"negative", {"a", "", MetricType::gauge, {}, -3}, "vmirror_a -3"},
      {"infinite",
       {"a", "", MetricType::gauge, {}, std::numeric_limits<double>::infinity()},
       "vmirror_a +Inf"},
      {"no number",
       {"a", "", MetricType::gauge, {}, std::numeric_limits<double>::quiet_NaN()},
       "vmirror_a NaN"},
  };
  for (const LineCase& c : cases) {
    std::string text = prometheus_text({&c.metric, 1});
    ASSERT_TRUE(text.ends_with('\n'));
    text.pop_back();
    EXPECT_EQ(text.substr(text.rfind('\n') + 1), c.line) << c.name;
  }
  const Metric help{"a", "one\ntwo \\ \"three\"", MetricType::gauge, {}, 1};
  EXPECT_TRUE(
      prometheus_text({&help, 1}).starts_with("# HELP vmirror_a one\\ntwo \\\\ \"three\"\n# TYPE"));
}

}  // namespace
}  // namespace vmirror
