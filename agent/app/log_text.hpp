// A log line is one line, whatever the names of guests and the values of files in it are.
#pragma once

#include <spdlog/pattern_formatter.h>

#include <memory>

#include "plugin/base/plain_text.hpp"

namespace vmirror {

/// A flag of the log's pattern: the message, by for_terminal.
class LogText : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const std::string text = for_terminal({message.payload.data(), message.payload.size()});
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::custom_flag_formatter> clone() const override {
    return std::make_unique<LogText>();
  }
};

}  // namespace vmirror
