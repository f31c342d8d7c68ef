#include "agent/control/hook/settings.hpp"

#include <charconv>
#include <optional>

namespace vmirror {
namespace {

constexpr std::string_view kMark =
    "# vmirror: `vmirror hook install` wrote this hook, `vmirror hook remove` takes it away.";
constexpr long kMinTimeout = 10, kMaxTimeout = 60000;

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  return line;
}

bool is_path(const std::string& path) {
  return path.starts_with('/') && path.find_first_of(" \t\r\n") == path.npos;
}

Result<void> check(const HookSettings& settings) {
  for (const std::string& path : {settings.socket, settings.requirements})
    if (!is_path(path))
      return fail(Error::Kind::invalid, "not an absolute path without white space", path,
                  "name another");
  if (settings.timeout.count() < kMinTimeout || settings.timeout.count() > kMaxTimeout)
    return fail(Error::Kind::invalid, "the timeout is not within 10 to 60000 ms",
                std::to_string(settings.timeout.count()), "500 is the default");
  return {};
}

std::optional<std::chrono::milliseconds> parse_milliseconds(std::string_view text) {
  long out = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, out);
  if (text.empty() || read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return std::chrono::milliseconds(out);
}

}  // namespace

Result<std::string> hook_file(const std::string& program, const HookSettings& settings) {
  if (!is_path(program) || program.size() + 2 > kMaxInterpreterLine)
    return fail(Error::Kind::invalid, "can't be a hook's interpreter", program,
                "its path must be absolute, without white space, and short");
  if (const auto good = check(settings); !good) return tl::unexpected(good.error());
  return "#!" + program + "\n" + std::string(kMark) + "\nsocket " + settings.socket +
         "\nrequirements " + settings.requirements + "\ntimeout_ms " +
         std::to_string(settings.timeout.count()) + "\n";
}

bool is_hook_file(std::string_view text) {
  return take_line(text).starts_with("#!/") && take_line(text) == kMark;
}

Result<HookSettings> parse_hook_file(std::string_view text) {
  HookSettings out;
  for (int number = 1; !text.empty(); number++) {
    const std::string_view line = take_line(text);
    if (line.empty() || line.starts_with('#')) continue;
    const std::size_t space = line.find(' ');
    const std::string_view key = line.substr(0, space);
    const std::string_view value = space == line.npos ? "" : line.substr(space + 1);
    const auto time = parse_milliseconds(value);
    if (key == "socket") {
      out.socket = value;
    } else if (key == "requirements") {
      out.requirements = value;
    } else if (key == "timeout_ms" && time) {
      out.timeout = *time;
    } else {
      return fail(Error::Kind::invalid, "not a setting: " + std::string(line.substr(0, 100)),
                  "line " + std::to_string(number), "run `vmirror hook install` again");
    }
  }
  if (const auto good = check(out); !good) return tl::unexpected(good.error());
  return out;
}

}  // namespace vmirror
