#include "tests/bench/daemon.hpp"

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/bench/benches.hpp"
#include "tests/bench/veth.hpp"

namespace vmirror::bench {
namespace {

namespace fs = std::filesystem;
constexpr int kSeconds = 10;  ///< How long the idle daemon is watched.

fs::path program() {
  return fs::path(self_path()).parent_path() / "vmirrord";
}

/// CPU seconds of a process so far, and its resident bytes; `rings` are those of them that packet
/// sockets share with the kernel.
struct Usage {
  double cpu_seconds = 0, resident = 0, rings = 0;
};
double resident_rings(const std::string& folder) {
  std::ifstream maps(folder + "/smaps");
  double out = 0;
  bool ring = false;
  for (std::string line, name; std::getline(maps, line);) {
    double kilobytes = 0;
    std::istringstream fields(line);
    fields >> name;
    if (!name.ends_with(":")) ring = line.find(" socket:[") != line.npos;  // A mapping begins.
    if (ring && name == "Rss:" && fields >> kilobytes) out += kilobytes * 1024;
  }
  return out;
}
Usage usage_of(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid);
  std::ifstream stat(folder + "/stat"), statm(folder + "/statm");
  std::string text;
  std::getline(stat, text);
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  for (int i = 0; i < 11; ++i) fields >> text;  // State and what follows, to cmajflt.
  double user = 0, system = 0, pages = 0;
  fields >> user >> system;
  statm >> pages >> pages;
  return {(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK)),
          pages * static_cast<double>(sysconf(_SC_PAGESIZE)), resident_rings(folder)};
}

}  // namespace

bool Daemon::is_built() {
  return fs::exists(program());
}

Daemon::Daemon(test::OvsSandbox& sandbox) {
  const fs::path folder = fs::path(sandbox.directory()) / "vmirrord";
  policies_ = (folder / "policies.d").string();
  fs::create_directories(policies_);
  std::ofstream(folder / "policies.d" / "all.yaml")
      << "policy: all\nselect: [{port: \"old*\"}, {port: \"new*\"}]\ntargets: [local]\n";
  std::ofstream(folder / "vmirrord.yaml")
      << "host: bench\npolicies: " << policies_
      << "\nsocket: " << (folder / "control.sock").string()
      << "\nstate: " << (folder / "state").string() << "\nswitch: {driver: ovs, remote: \""
      << sandbox.remote() << "\"}\n";
  const std::string log = (folder / "log").string();
  pid_ =
      std::stoi(sandbox.run("sh -c '" + program().string() + " --config " +
                            (folder / "vmirrord.yaml").string() + " >" + log + " 2>&1 & echo $!'"));
}

Daemon::~Daemon() {
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  if (!test::eventually([this] { return kill(pid_, 0) != 0; }, 5)) kill(pid_, SIGKILL);
}

double Daemon::cpu_seconds() const {
  return cpu_seconds_of(pid_);
}

/// The daemon with a mirror in place and no traffic.
void bench_idle(Report& report) {
  if (const std::string why = test::OvsSandbox::unavailable();
      !why.empty() || !Daemon::is_built()) {
    return report.note("idle: left out, " + (why.empty() ? "vmirrord is not built" : why));
  }
  test::OvsSandbox sandbox;
  sandbox.vsctl("add-br br0 -- set bridge br0 datapath_type=netdev");
  sandbox.vsctl("add-port br0 old0 -- set interface old0 type=internal");
  const Daemon daemon(sandbox);
  const bool mirrors = test::eventually([&] {
    return sandbox.vsctl("--columns=select_src_port list mirror").find('-') != std::string::npos;
  });
  if (!mirrors) report.note("idle: no mirror was made");
  std::this_thread::sleep_for(std::chrono::seconds(2));
  const Usage before = usage_of(daemon.pid());
  std::this_thread::sleep_for(std::chrono::seconds(kSeconds));
  const Usage after = usage_of(daemon.pid());
  report.add({"idle.cpu",
              (after.cpu_seconds - before.cpu_seconds) / kSeconds * 100,
              "% of a core",
              {},
              value_at_most(0.5)});
  // The rings hold 50 ms at the interface's speed (decision 42).
  report.add({"idle.memory", (after.resident - after.rings) / 1e6, "MB", {}, value_at_most(40)});
  report.add({"idle.rings", after.rings / 1e6, "MB", {}, {}});
}

}  // namespace vmirror::bench
