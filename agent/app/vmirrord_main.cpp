// vmirrord, the daemon.
#include <malloc.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <iostream>

#include "agent/app/log_text.hpp"
#include "agent/app/options.hpp"
#include "agent/app/rehearsal.hpp"
#include "agent/app/service_manager.hpp"
#include "agent/app/wiring.hpp"
#include "plugin/base/plain_text.hpp"
#include "plugin/base/program.hpp"

namespace {
/// Greater blocks go back to the system when they are freed. glibc raises that by itself to what
/// was freed last, and would keep 6 MB that only the start needed.
constexpr int kLargeBlock = 256 << 10;
constexpr int kWrongCommandLine = 64;  ///< As `vmirror` has it, and sysexits.h.

/// "<4>": the priority of syslog.h, which journald takes off the begin of a line.
class JournalPriority final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const int priority = message.level >= spdlog::level::critical ? LOG_CRIT
                         : message.level == spdlog::level::err    ? LOG_ERR
                         : message.level == spdlog::level::warn   ? LOG_WARNING
                         : message.level == spdlog::level::info   ? LOG_INFO
                                                                  : LOG_DEBUG;
    const std::string text = "<" + std::to_string(priority) + ">";
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return spdlog::details::make_unique<JournalPriority>();
  }
};

/// systemd.exec(5): JOURNAL_STREAM is "device:inode" of the stream that it made.
bool goes_to_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat s {};
  return stream != nullptr && ::fstat(STDOUT_FILENO, &s) == 0 &&
         stream == std::to_string(s.st_dev) + ":" + std::to_string(s.st_ino);
}

/// journald has the time and the priority itself.
void set_log_form() {
  auto form = std::make_unique<spdlog::pattern_formatter>();
  form->add_flag<JournalPriority>('*').add_flag<vmirror::LogText>('?').set_pattern(
      goes_to_journal() ? "%*%?" : "%Y-%m-%dT%H:%M:%S.%e %l %?");
  spdlog::set_formatter(std::move(form));
}

int tell_rehearsal(const std::string& path, const vmirror::Rehearsal& told) {
  for (const vmirror::Error& error : told.errors)
    std::cerr << "vmirrord: " << vmirror::for_terminal(error.text()) << "\n";
  for (const vmirror::Error& warning : told.warnings)
    std::cerr << "vmirrord: warning: " << vmirror::for_terminal(warning.text()) << "\n";
  if (!told.errors.empty()) return 1;
  std::cout << path << (told.warnings.empty() ? " is good\n" : " is good, with warnings\n");
  return 0;
}

int run(int argc, char** argv) {
  ::mallopt(M_MMAP_THRESHOLD, kLargeBlock);
  CLI::App app{
      "vmirrord: keeps the mirrors of this host as the policies say, and analyses the copies"};
  std::string path = "/etc/vmirror/vmirrord.yaml";
  bool check = false;
  app.add_option("--config", path, "The configuration, a YAML file")->capture_default_str();
  app.add_flag("--check", check,
               "Say all that a start would say of the configuration, the policies and this host; "
               "start nothing");
  app.set_version_flag("--version", "vmirrord " VMIRROR_VERSION);
  app.footer(
      "Exit codes: 0 stopped as asked; 1 the start failed, or mirrors were left behind at the end; "
      "64 wrong command line; 70 a fault of vmirrord.\n\nExample: vmirrord --config "
      "/etc/vmirror/vmirrord.yaml");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {  // --help and --version are such, too, of code 0.
    if (e.get_exit_code() == 0) return app.exit(e);
    std::cerr << "vmirrord: " << vmirror::for_terminal(e.what()) << " (see `vmirrord --help`)\n";
    return kWrongCommandLine;
  }

  const auto end = [](const vmirror::Error& error) {
    std::cerr << "vmirrord: " << vmirror::for_terminal(error.text()) << "\n";
    return 1;
  };
  auto config = vmirror::load_config(path);
  if (!config) return end(config.error());
  if (check) return tell_rehearsal(path, vmirror::rehearse(*config));
  spdlog::set_level(spdlog::level::from_str(config->log_level));
  set_log_form();
  std::signal(SIGPIPE, SIG_IGN);

  // Before there are threads: each inherits what its maker gave up.
  auto confined = vmirror::confine(vmirror::confine_options(*config));
  if (!confined) return end(confined.error());
  auto daemon = vmirror::Daemon::start(std::move(*config), *confined);
  if (!daemon) return end(daemon.error());
  spdlog::info("serves");
  spdlog::info("runs as {}; system calls: {}; files: {}", confined->user, confined->system_calls,
               confined->files);
  vmirror::tell_ready();
  if (const auto done = (*daemon)->run(); !done) return end(done.error());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return vmirror::run_program("vmirrord", [&] { return run(argc, argv); });
}
