// What a policy file or a guest's name says can't look like another line of the log.
#include "agent/app/log_text.hpp"

#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>

namespace vmirror {
namespace {

TEST(LogText, IsOneLineWhateverItSays) {
  std::ostringstream out;
  const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(out);
  spdlog::logger logger("test", sink);
  auto form = std::make_unique<spdlog::pattern_formatter>();
  form->add_flag<LogText>('?').set_pattern("%l %?");
  logger.set_formatter(std::move(form));
  logger.error("unknown key `{}`", "x`\n2026-01-01T00:00:00.000 info serves\x1b[2K\xe2\x80\xae");
  const std::string line = out.str();
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_EQ(line,
            "error unknown key `x`\\x0a2026-01-01T00:00:00.000 info serves\\x1b[2K\\u{202e}`\n");
}

}  // namespace
}  // namespace vmirror
