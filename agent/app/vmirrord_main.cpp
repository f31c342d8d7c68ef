// vmirrord, the daemon.
#include <malloc.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>

#include "agent/app/rehearsal.hpp"
#include "agent/app/wiring.hpp"
#include "plugin/base/program.hpp"

namespace {
/// Greater blocks go back to the system when they are freed. glibc raises that by itself to what
/// was freed last, and would keep 6 MB that only the start needed.
constexpr int kLargeBlock = 256 << 10;
constexpr int kWrongCommandLine = 64;  ///< As `vmirror` has it, and sysexits.h.

int tell_rehearsal(const std::string& path, const vmirror::Rehearsal& told) {
  for (const vmirror::Error& error : told.errors) std::cerr << "vmirrord: " << error.text() << "\n";
  for (const vmirror::Error& warning : told.warnings)
    std::cerr << "vmirrord: warning: " << warning.text() << "\n";
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
    return app.exit(e) == 0 ? 0 : kWrongCommandLine;
  }

  const auto end = [](const vmirror::Error& error) {
    std::cerr << "vmirrord: " << error.text() << "\n";
    return 1;
  };
  auto config = vmirror::load_config(path);
  if (!config) return end(config.error());
  if (check) return tell_rehearsal(path, vmirror::rehearse(*config));
  spdlog::set_level(spdlog::level::from_str(config->log_level));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  std::signal(SIGPIPE, SIG_IGN);

  auto daemon = vmirror::Daemon::start(std::move(*config));
  if (!daemon) return end(daemon.error());
  spdlog::info("serves");
  if (const auto done = (*daemon)->run(); !done) return end(done.error());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return vmirror::run_program("vmirrord", [&] { return run(argc, argv); });
}
