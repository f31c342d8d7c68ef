// What libvirt's hook adds to a guest's start: the three calls that libvirtd waits for (prepare,
// start, started), as it makes them, a process each with the domain's XML on standard input. The
// reference is a hook that does nothing, /bin/true. With the agent up, stopped, and dead; for a
// guest that nobody requires, and for one that a policy does.
//
//   posix_spawn --XML--> hook file -> vmirror-hook --HTTP--> vmirrord, with a real ovsdb-server
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/bench/benches.hpp"
#include "tests/bench/daemon.hpp"

namespace vmirror::bench {
namespace {

namespace fs = std::filesystem;
constexpr int kRounds = 31;
constexpr double kMostMilliseconds = 10;  ///< With the agent up.
constexpr int kTimeout = 500;             ///< Milliseconds: the hook's bound.

/// A guest as libvirt describes it at `start`, of the length that such texts have.
std::string domain(const std::string& name) {
  std::string more;
  for (int i = 0; i < 60; i++)
    more += "    <controller type='pci' index='" + std::to_string(i) +
            "' model='pcie-root-port'><alias name='pci'/></controller>\n";
  return "<domain type='kvm'>\n  <name>" + name +
         "</name>\n  <uuid>6f0c1d6e-0000-4000-8000-000000000001</uuid>\n  <devices>\n" + more +
         "    <interface type='bridge'>\n      <mac address='52:54:00:00:00:01'/>\n"
         "      <source bridge='br0'/>\n      <virtualport type='openvswitch'/>\n"
         "      <target dev='old0'/>\n    </interface>\n  </devices>\n</domain>\n";
}

struct Hook {
  fs::path file, xml;

  /// Milliseconds of one call; `status` is how it ended.
  double call(const std::string& guest, const char* operation, int& status) const {
    const double start = now_seconds();
    const int input = ::open(xml.c_str(), O_RDONLY | O_CLOEXEC);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    std::string path = file, name = guest, what = operation, begin = "begin", none = "-";
    char* arguments[] = {path.data(), name.data(), what.data(), begin.data(), none.data(), nullptr};
    pid_t pid = 0;
    status = -1;
    if (::posix_spawn(&pid, path.c_str(), &actions, nullptr, arguments, environ) == 0)
      ::waitpid(pid, &status, 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(input);
    return (now_seconds() - start) * 1e3;
  }
  /// A guest's start; it ends where a call refuses it.
  double start(const std::string& guest, bool& refused) const {
    double sum = 0;
    int status = 0;
    for (const char* operation : {"prepare", "start", "started"})
      if (status == 0) sum += call(guest, operation, status);
    refused = status != 0;
    return sum;
  }
};

/// What the hook adds to the median of /bin/true, in turn with it; a start that isn't refused as
/// expected is told.
void measure(Report& report, const std::string& name, const Hook& hook, const std::string& guest,
             bool expect_refused, double bound, int rounds = kRounds) {
  const Hook nothing{"/bin/true", hook.xml};
  std::ofstream(hook.xml) << domain(guest);
  bool refused = false, as_expected = true;
  const auto medians = alternate(rounds, {[&] {
                                            const double spent = hook.start(guest, refused);
                                            as_expected = as_expected && refused == expect_refused;
                                            return spent;
                                          },
                                          [&] {
                                            bool ignored = false;
                                            return nothing.start(guest, ignored);
                                          }});
  if (!as_expected)
    report.note(name + ": the guest was " + (expect_refused ? "not " : "") + "refused");
  report.add({name, medians[0] - medians[1], "ms", medians[1], value_at_most(bound)});
}

}  // namespace

/// What the hook adds to a guest's start.
void bench_hook(Report& report) {
  const fs::path program = fs::path(self_path()).parent_path() / "vmirror-hook";
  if (const std::string why = test::OvsSandbox::unavailable();
      !why.empty() || !Daemon::is_built() || !fs::exists(program))
    return report.note("hook: left out, " + (why.empty() ? "vmirrord is not built" : why));
  test::OvsSandbox sandbox;
  sandbox.vsctl("add-br br0 -- set bridge br0 datapath_type=netdev");
  sandbox.vsctl("add-port br0 old0 -- set interface old0 type=internal");
  std::optional<Daemon> daemon(std::in_place, sandbox);
  const fs::path folder = fs::path(sandbox.directory()) / "vmirrord";
  std::ofstream(folder / "policies.d" / "must.yaml")
      << "policy: must\nselect: [{vm: must, port: \"old*\"}]\nrequire: true\ntargets: [local]\n";
  const Hook hook{folder / "hook", folder / "domain.xml"};
  std::ofstream(hook.file) << "#!" << program.string() << "\nsocket "
                           << (folder / "control.sock").string() << "\nrequirements "
                           << (folder / "state" / "requirements").string() << "\ntimeout_ms "
                           << kTimeout << "\n";
  ::chmod(hook.file.c_str(), 0755);
  const bool ready = test::eventually([&] {
    std::ifstream text(folder / "state" / "requirements");
    return std::string(std::istreambuf_iterator<char>(text), {}).find("must") != std::string::npos;
  });
  if (!ready) return report.note("hook: left out, the daemon does not say what is required");

  measure(report, "hook.up", hook, "other", false, kMostMilliseconds);
  measure(report, "hook.up_required", hook, "must", false, kMostMilliseconds);
  ::kill(daemon->pid(), SIGSTOP);
  measure(report, "hook.hung", hook, "other", false, kTimeout);
  measure(report, "hook.hung_required", hook, "must", true, kTimeout, 5);
  ::kill(daemon->pid(), SIGCONT);
  daemon.reset();
  measure(report, "hook.dead", hook, "other", false, kTimeout);
  measure(report, "hook.dead_required", hook, "must", true, kTimeout, 5);
}

}  // namespace vmirror::bench
