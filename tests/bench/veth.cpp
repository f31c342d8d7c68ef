#include "tests/bench/veth.hpp"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "agent/api/http.hpp"
#include "tests/bench/harness.hpp"

namespace vmirror::bench {

namespace fs = std::filesystem;

int enter_veth() {
  if (unshare(CLONE_NEWNET) != 0) {
    std::fprintf(stderr, "no network namespace can be made: run it as root\n");
    return 77;
  }
  // An XDP program, which @send needs, allows no frame that is longer than a page.
  const int made = std::system(
      "sysctl -qw net.ipv6.conf.default.disable_ipv6=1 && "
      "ip link add vmb0 mtu 3000 type veth peer name vmb1 mtu 3000 && "
      "ip link set vmb0 up && ip link set vmb1 up");
  return made == 0 ? 0 : 1;
}

fs::path scratch_folder() {
  const fs::path folder = fs::temp_directory_path() / ("vmirror-bench-" + std::to_string(getpid()));
  fs::create_directories(folder);
  return folder;
}

pid_t start_on(int core, const std::vector<std::string>& arguments, const std::string& log) {
  const pid_t child = fork();
  if (child != 0) return child;
  pin_to_core(core);
  if (std::freopen(log.c_str(), "a", stdout) == nullptr) _exit(126);
  dup2(STDOUT_FILENO, STDERR_FILENO);
  std::vector<char*> words;
  for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execvp(words[0], words.data());
  _exit(127);
}

pid_t start_sender(std::size_t bytes, std::uint32_t flows, double seconds, const std::string& log) {
  return start_on(1,
                  {self_path(), "@send", kVeth, std::to_string(bytes), std::to_string(flows),
                   std::to_string(seconds)},
                  log);
}

void end_by(pid_t child, int signal) {
  kill(child, signal);
  waitpid(child, nullptr, 0);
}

double cpu_seconds_of(pid_t process) {
  double nanoseconds = 0;
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
    double ran = 0;
    std::ifstream(task.path() / "schedstat") >> ran;
    nanoseconds += ran;
  }
  return nanoseconds / 1e9;
}

LiveDaemon::LiveDaemon(const std::string& program, const fs::path& folder,
                       const std::string& analysis)
    : socket_((folder / "control.sock").string()), log_((folder / "log").string()) {
  const std::string config = (folder / "vmirrord.yaml").string();
  std::ofstream(config) << "host: bench\nsocket: " << socket_
                        << "\nstate: " << (folder / "state").string()
                        << "\npolicies: " << folder.string() << "\ninputs: [{interface: " << kVeth
                        << "}]\nanalysis: " << analysis << '\n';
  pid_ = start_on(0, {program, "--config", config}, log_);
}

LiveDaemon::~LiveDaemon() {
  end_by(pid_, SIGTERM);
}

std::optional<LiveDaemon::Counts> LiveDaemon::ask() const {
  const auto answer = http_call(socket_, {"GET", "/v1/status", ""});
  if (!answer || answer->status != 200) return std::nullopt;
  const auto status = boost::json::parse(answer->body);
  const auto& frames = status.at("frames");
  const auto* dropped = frames.at("dropped").as_object().if_contains("kernel");
  return Counts{status.at_pointer("/flows/active").to_number<double>(),
                frames.at("received").to_number<double>(),
                dropped != nullptr ? dropped->to_number<double>() : 0};
}

bool LiveDaemon::is_up() const {
  for (int tries = 0; tries < 100; ++tries) {
    if (ask()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

}  // namespace vmirror::bench
