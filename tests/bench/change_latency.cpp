// How long from a policy's change to its effect on flows that run, against ovs-vsctl's own change
// of a mirror, on a real Open vSwitch; VMIRROR_OVS_ROOT chooses its version.
//
//   [ sender ] --old0----> +-----+ --old1-->   the flow that is mirrored, both ways, never pausing
//   [ tap    ] <-vmr-br0-- | br0 |             copies that vmirrord's policy asks for
//   [        ] <-ref------ +-----+             copies of a mirror that ovs-vsctl changes
//
// The part @changes is in the switch's network namespace. It makes a change, and looks at the
// kernel's time stamps of the copies: the first one as it should be, or, where copying is to end,
// the last one. vmirrord and ovs-vsctl take turns. What ovs-vsctl is given is all that such a
// change needs: the names are resolved before, and a port of its own is toggled in the same
// transaction, so that the switch looks again at its flows. Its time has in it that a process is
// started, as vmirrord's has that a file is noticed.
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>
#include <thread>

#include "plugin/base/clock.hpp"
#include "tests/bench/benches.hpp"
#include "tests/bench/daemon.hpp"
#include "tests/support/ovs_sandbox.hpp"

namespace vmirror::bench {
namespace {

constexpr int kRounds = 100;
constexpr std::uint32_t kSnaplen = 100;
constexpr auto kTick = std::chrono::microseconds(400);  ///< One frame each way: 5,000 a second.
constexpr Time kQuiet = 60 * kMillisecond;              ///< No copy for so long: it has ended.
constexpr Time kPatience = 5 * kSecond;
constexpr const char* kChanges[] = {"added", "snaplen", "removed"};

int packet_socket(const char* interface) {
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(interface ? 0 : ETH_P_ALL));
  if (interface == nullptr) return fd;
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
  return bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ? fd : -1;
}

/// The flow: a thread that sends both ways until the end.
class Sender {
 public:
  Sender() : thread_([this] { run(); }) {}
  ~Sender() {
    stop_ = true;
    thread_.join();
  }
  std::uint64_t sent() const { return sent_; }

  static std::vector<std::uint8_t> frame(std::uint8_t from, std::uint8_t to) {
    std::vector<std::uint8_t> out(300, 0);
    const auto put = [&](std::size_t at, std::initializer_list<std::uint8_t> bytes) {
      std::copy(bytes.begin(), bytes.end(), out.begin() + static_cast<std::ptrdiff_t>(at));
    };
    put(0, {0x52, 0x54, 0, 0, 0, to, 0x52, 0x54, 0, 0, 0, from, 0x08, 0x00});
    put(14, {0x45, 0, 1, 30, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, from, 10, 0, 0, to});
    put(34, {0x13, 0x88, 0x13, 0x88, 1, 10, 0, 0});
    return out;
  }

 private:
  void run() {
    const int there = packet_socket("old0"), back = packet_socket("old1");
    const auto first = frame(1, 2), second = frame(2, 1);
    auto next = std::chrono::steady_clock::now();
    while (!stop_) {
      sent_ += ::send(there, first.data(), first.size(), 0) > 0;
      sent_ += ::send(back, second.data(), second.size(), 0) > 0;
      std::this_thread::sleep_until(next += kTick);
    }
    close(there);
    close(back);
  }

  std::atomic<bool> stop_ = false;
  std::atomic<std::uint64_t> sent_ = 0;
  std::thread thread_;
};

/// The copies that come out of a port.
class Tap {
 public:
  explicit Tap(const char* interface) : interface_(interface), fd_(packet_socket(nullptr)) {
    const int on = 1, size = 8 << 20;
    setsockopt(fd_, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  }
  ~Tap() { close(fd_); }

  /// The time of the first copy since `since` that is `size` bytes long; 0: none came.
  Time first(Time since, std::size_t size) {
    Copy copy;
    while (next(copy, since + kPatience))
      if (copy.at >= since && copy.size == size) return copy.at;
    return 0;
  }
  /// The time of the last copy, after which there is quiet.
  Time last(Time since) {
    Copy copy;
    Time out = since;
    while (next(copy, std::min(out + kQuiet, since + kPatience))) out = std::max(out, copy.at);
    return wall_clock() - since >= kPatience ? 0 : out;
  }

 private:
  struct Copy {
    Time at = 0;
    std::size_t size = 0;
  };
  bool next(Copy& out, Time until) {
    const unsigned index = if_nametoindex(interface_);
    for (;;) {
      const Time now = wall_clock();
      pollfd wait{fd_, POLLIN, 0};
      if (now >= until) return false;
      if (poll(&wait, 1, static_cast<int>((until - now) / kMillisecond) + 1) <= 0) continue;
      std::array<std::uint8_t, 2048> bytes;
      alignas(cmsghdr) std::array<char, 256> control;
      sockaddr_ll from{};
      iovec into{bytes.data(), bytes.size()};
      msghdr message{&from, sizeof from, &into, 1, control.data(), control.size(), 0};
      const auto size = recvmsg(fd_, &message, 0);
      if (size <= 0 || static_cast<unsigned>(from.sll_ifindex) != index) continue;
      if (bytes[6] != 0x52 || bytes[11] > 2) continue;  // Not of the flow.
      for (cmsghdr* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_type != SO_TIMESTAMPNS) continue;
        timespec at;
        std::memcpy(&at, CMSG_DATA(c), sizeof at);
        out = {at.tv_sec * kSecond + at.tv_nsec, static_cast<std::size_t>(size)};
        return true;
      }
    }
  }

  const char* const interface_;
  const int fd_;
};

/// One who can make the changes: vmirrord by its policy, or ovs-vsctl.
struct Subject {
  const char* output;
  std::function<void(const char* change)> make;
  std::array<std::vector<double>, 3> milliseconds = {};
};

bool measure(Subject& subject, std::size_t kind) {
  Tap tap(subject.output);
  const Time start = wall_clock();
  subject.make(kChanges[kind]);
  const Time at = kind == 0   ? tap.first(start, Sender::frame(1, 2).size())
                  : kind == 1 ? tap.first(start, kSnaplen)
                              : tap.last(start);
  subject.milliseconds[kind].push_back(static_cast<double>(at - start) / kMillisecond);
  return at != 0;
}

void write_policy(const std::string& folder, const std::string& change) {
  std::ofstream out(folder + "/.new");
  out << "policy: all\nselect: [{port: old2}" << (change == "removed" ? "" : ", {port: old0}")
      << "]\ntargets: [local]\nsnaplen: " << (change == "snaplen" ? kSnaplen : 0) << "\n";
  out.close();
  std::filesystem::rename(folder + "/.new", folder + "/all.yaml");
}

}  // namespace

/// @changes REMOTE POLICIES SOURCE-UUID: prints frames a second, then a line for each kind of
/// change and who made it.
int part_changes(const std::vector<std::string>& arguments) {
  if (arguments.size() != 3) return 64;
  const Sender sender;
  bool toggled = false;
  const auto vsctl = [&](const std::string& change) {
    toggled = !toggled;
    const std::string words =
        change == "added" ? "add mirror ref select_src_port " + arguments[2] +
                                " -- add mirror ref select_dst_port " + arguments[2]
        : change == "snaplen" ? "set mirror ref snaplen=" + std::to_string(kSnaplen)
                              : "clear mirror ref select_src_port -- clear mirror ref "
                                "select_dst_port -- clear mirror ref snaplen";
    const std::string all = "ovs-vsctl --no-wait --db=" + arguments[0] + " " + words +
                            " -- set port ref protected=" + (toggled ? "true" : "false");
    if (std::system(all.c_str()) != 0) std::cerr << "failed: " << all << "\n";  // And no effect.
  };
  std::array<Subject, 2> subjects = {
      Subject{"vmr-br0", [&](const char* change) { write_policy(arguments[1], change); }},
      Subject{"ref", vsctl}};
  const double begun = now_seconds();
  const std::uint64_t before = sender.sent();
  for (int round = 0; round < kRounds; round++)
    for (std::size_t kind = 0; kind < 3; kind++)
      for (Subject& subject : subjects)
        if (!measure(subject, kind)) {
          std::cerr << subject.output << ": " << kChanges[kind] << " had no effect\n";
          return 1;
        }
  std::cout << static_cast<double>(sender.sent() - before) / (now_seconds() - begun) << "\n";
  for (const Subject& subject : subjects)
    for (const auto& of_kind : subject.milliseconds) {
      for (const double ms : of_kind) std::cout << ms << " ";
      std::cout << "\n";
    }
  return 0;
}

/// From a policy's change to its effect on flows that run.
void bench_change_latency(Report& report) {
  if (const std::string why = test::OvsSandbox::unavailable(); !why.empty() || !Daemon::is_built())
    return report.note("change_latency: left out, " +
                       (why.empty() ? "vmirrord is not built" : why));
  test::OvsSandbox sandbox;
  sandbox.vsctl_wait("add-br br0 -- set bridge br0 datapath_type=netdev");
  for (const char* port : {"old0", "old1", "old2", "ref"}) {
    sandbox.vsctl_wait(std::string("add-port br0 ") + port + " -- set interface " + port +
                       " type=internal");
    sandbox.run(std::string("ip link set ") + port + " up");
  }
  sandbox.vsctl_wait(
      "-- --id=@o get port ref -- --id=@m create mirror name=ref output_port=@o "
      "-- add bridge br0 mirrors @m");
  const Daemon daemon(sandbox);
  write_policy(daemon.policies(), "removed");
  std::string text;
  try {
    const bool up = test::eventually([&] {
      return sandbox.run("sh -c 'ip -o link show vmr-br0 || true' 2>/dev/null").find("UP") !=
             std::string::npos;
    });
    if (!up) return report.note("change_latency: vmirrord made no port");
    std::this_thread::sleep_for(std::chrono::seconds(1));
    text = sandbox.run(self_path() + " @changes " + sandbox.remote() + " " + daemon.policies() +
                       " " + sandbox.vsctl("get port old0 _uuid"));
  } catch (const std::exception& error) {
    return report.note(std::string("change_latency: ") + error.what());
  }
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  report.add({"change_latency.frames", std::stod(line), "frames/s"});
  std::array<std::array<std::vector<double>, 3>, 2> milliseconds;
  for (auto& subject : milliseconds)
    for (auto& of_kind : subject) {
      std::getline(lines, line);
      std::istringstream numbers(line);
      for (double ms; numbers >> ms;) of_kind.push_back(ms);
      std::sort(of_kind.begin(), of_kind.end());
    }
  const auto at = [&](std::size_t who, std::size_t kind, std::size_t percent) {
    return milliseconds[who][kind].at(kRounds * percent / 100);
  };
  for (std::size_t kind = 0; kind < 3; kind++) {
    const std::string name = std::string("change_latency.") + kChanges[kind];
    report.add({name + ".median", at(0, kind, 50), "ms", at(1, kind, 50), ratio_at_most(1.5)});
    report.add({name + ".p99", at(0, kind, 99), "ms", at(1, kind, 99), ratio_at_most(3)});
  }
}

}  // namespace vmirror::bench
