// vmirrord, the daemon.
#include <malloc.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>

#include "agent/app/wiring.hpp"

namespace {
/// Greater blocks go back to the system when they are freed. glibc raises that by itself to what
/// was freed last, and would keep 6 MB that only the start needed.
constexpr int kLargeBlock = 256 << 10;
}  // namespace

int main(int argc, char** argv) {
  ::mallopt(M_MMAP_THRESHOLD, kLargeBlock);
  CLI::App app{"vmirrord: keeps the mirrors of this host as the policies say, and analyses them"};
  std::string path = "/etc/vmirror/vmirrord.yaml";
  bool check = false;
  app.add_option("--config", path, "The configuration, a YAML file")->capture_default_str();
  app.add_flag("--check", check, "Read the configuration, say whether it is good, and end");
  app.footer("Example: vmirrord --config /etc/vmirror/vmirrord.yaml");
  CLI11_PARSE(app, argc, argv);

  const auto end = [](const vmirror::Error& error) {
    std::cerr << "vmirrord: " << error.text() << "\n";
    return 1;
  };
  auto config = vmirror::load_config(path);
  if (!config) return end(config.error());
  if (check) {
    std::cout << path << " is good\n";
    return 0;
  }
  spdlog::set_level(spdlog::level::from_str(config->log_level));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  std::signal(SIGPIPE, SIG_IGN);

  auto daemon = vmirror::Daemon::start(std::move(*config));
  if (!daemon) return end(daemon.error());
  spdlog::info("serves");
  if (const auto done = (*daemon)->run(); !done) return end(done.error());
  return 0;
}
