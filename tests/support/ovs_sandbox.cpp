#include "tests/support/ovs_sandbox.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace vmirror::test {
namespace {

/// Of another version's root (tests/roots/make); empty: this machine's Open vSwitch.
std::string root() {
  const char* folder = std::getenv("VMIRROR_OVS_ROOT");
  return folder && *folder ? std::filesystem::absolute(folder).string() : std::string();
}

std::string schema_file() {
  return root() + "/usr/share/openvswitch/vswitch.ovsschema";
}

/// Where programs are looked for: the root's Open vSwitch before this machine's.
std::string search_path() {
  const char* own = std::getenv("PATH");
  const std::string rest = own ? own : "/usr/sbin:/usr/bin:/sbin:/bin";
  return root().empty() ? rest : root() + "/programs:" + rest;
}

std::string shell(const std::string& command) {
  std::FILE* pipe = popen(("PATH='" + search_path() + "'; " + command + " 2>&1").c_str(), "r");
  if (!pipe) throw std::runtime_error("popen: " + command);
  std::string out;
  char buffer[4096];
  while (const std::size_t n = fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, n);
  const int status = pclose(pipe);
  while (!out.empty() && out.back() == '\n') out.pop_back();
  if (status != 0) throw std::runtime_error(command + ": " + out);
  return out;
}

bool accepts(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const bool ok = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return ok;
}

bool found(const char* program) {
  std::stringstream folders(search_path());
  for (std::string folder; std::getline(folders, folder, ':');)
    if (access((folder + "/" + program).c_str(), X_OK) == 0) return true;
  return false;
}

}  // namespace

bool eventually(const std::function<bool()>& condition, double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

std::string OvsSandbox::unavailable() {
  if (!root().empty() && access(schema_file().c_str(), R_OK) != 0)
    return "no Open vSwitch in " + root() + " (./run roots)";
  for (const char* program : {"ovsdb-server", "ovs-vswitchd", "ovsdb-tool", "ovs-vsctl", "nsenter"})
    if (!found(program)) return std::string(program) + " isn't installed";
  if (geteuid() != 0) return "needs root for a network namespace and tap devices";
  return {};
}

OvsSandbox::OvsSandbox(Options options) : options_(std::move(options)) {
  std::string pattern = (std::filesystem::temp_directory_path() / "vmirror-ovs-XXXXXX").string();
  if (!mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp " + pattern);
  directory_ = pattern;
  std::stringstream schema;
  schema << std::ifstream(schema_file()).rdbuf();
  std::ofstream(directory_ + "/schema")
      << (options_.edit_schema ? options_.edit_schema(schema.str()) : schema.str());
  const std::string database = directory_ + "/conf.db", text = directory_ + "/schema";
  if (!options_.joins.empty())
    shell("ovsdb-tool join-cluster " + database + " Open_vSwitch " + raft() + " " + options_.joins);
  else if (options_.clustered)
    shell("ovsdb-tool create-cluster " + database + " " + text + " " + raft());
  else
    shell("ovsdb-tool create " + database + " " + text);
  start_server();
  if (!options_.joins.empty()) return;  // The leader writes.
  shell("ovs-vsctl --no-wait --db=" + remote() + " init");
  if (options_.vswitchd) start_vswitchd();
}

OvsSandbox::~OvsSandbox() {
  kill(vswitchd_);
  kill(server_);
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

pid_t OvsSandbox::spawn(const std::vector<std::string>& arguments, bool own_network) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const std::string log = directory_ + "/" + arguments[0] + ".out";
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int fd = open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  dup2(fd, 1);
  dup2(fd, 2);
  setenv("PATH", search_path().c_str(), 1);
  setenv("OVS_RUNDIR", directory_.c_str(), 1);
  setenv("OVS_LOGDIR", directory_.c_str(), 1);
  setenv("OVS_DBDIR", directory_.c_str(), 1);
  setenv("OVS_SYSCONFDIR", directory_.c_str(), 1);
  if (own_network && unshare(CLONE_NEWNET) != 0) _exit(126);
  execvp(argv[0], argv.data());
  _exit(127);
}

void OvsSandbox::kill(pid_t& pid) {
  if (pid <= 0) return;
  ::kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  pid = 0;
}

void OvsSandbox::kill_server() {
  kill(server_);
}
void OvsSandbox::kill_vswitchd() {
  kill(vswitchd_);
}

void OvsSandbox::start_server() {
  std::filesystem::remove(socket());
  std::vector<std::string> arguments = {"ovsdb-server", "--no-chdir",
                                        "--unixctl=" + directory_ + "/server.ctl",
                                        "--remote=p" + remote()};
  arguments.insert(arguments.end(), options_.server_arguments.begin(),
                   options_.server_arguments.end());
  arguments.push_back(directory_ + "/conf.db");
  server_ = spawn(arguments, false);
  if (!eventually([&] { return accepts(socket()); }))
    throw std::runtime_error("ovsdb-server takes no connections at " + socket());
}

void OvsSandbox::start_vswitchd() {
  vswitchd_ = spawn({"ovs-vswitchd", "--disable-system", "--no-chdir",
                     "--unixctl=" + directory_ + "/ovs-vswitchd.ctl", remote()},
                    true);
  vsctl_wait("get Open_vSwitch . ovs_version");
}

void OvsSandbox::freeze_server(bool frozen) {
  ::kill(server_, frozen ? SIGSTOP : SIGCONT);
}

void OvsSandbox::freeze_vswitchd(bool frozen) {
  ::kill(vswitchd_, frozen ? SIGSTOP : SIGCONT);
}

std::string OvsSandbox::vsctl(const std::string& arguments) {
  return shell("ovs-vsctl --no-wait --timeout=60 --db=" + remote() + " " + arguments);
}

std::string OvsSandbox::vsctl_wait(const std::string& arguments) {
  // An empty change still counts next_cfg up, which is what ovs-vsctl waits for.
  return shell("ovs-vsctl --timeout=60 --db=" + remote() + " " + arguments);
}

std::string OvsSandbox::run(const std::string& command) {
  if (vswitchd_ == 0) return shell("unshare --net " + command);
  return shell("nsenter --net=/proc/" + std::to_string(vswitchd_) + "/ns/net " + command);
}

}  // namespace vmirror::test
