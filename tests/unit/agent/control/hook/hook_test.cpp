// The hook's decisions, against agents that answer, hang, hang up, trickle, lie, or aren't there.
// No time is asserted: an agent that hangs would hang the test.
#include "agent/control/hook/hook.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <functional>
#include <optional>
#include <thread>

#include "tests/support/captures.hpp"

namespace vmirror {
namespace {

using std::chrono::milliseconds;

constexpr char kXml[] =
    "<domain><name>dc1</name><uuid>6f0c1d6e-0000-4000-8000-000000000001</uuid><devices>"
    "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/>"
    "</interface></devices></domain>";
constexpr char kDc1[] = "# vmirror requirements 1\nmust\t0\tvm=dc1\n";
constexpr char kOther[] = "# vmirror requirements 1\nmust\t0\tvm=web\n";
constexpr char kNobody[] = "# vmirror requirements 1\n";

int listen_on(const std::string& path, int queue) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(fd, queue), 0);
  return fd;
}

/// An agent in a thread of its own: each connection gets what `serve` does with it.
class Agent {
 public:
  using Serve = std::function<void(int fd, int connection)>;

  Agent(const std::string& path, Serve serve)
      : serve_(std::move(serve)), listener_(listen_on(path, 16)) {
    EXPECT_EQ(::pipe(stop_), 0);
    thread_ = std::thread([this] { run(); });
  }
  ~Agent() {
    stop();
    for (const int fd : {listener_, stop_[0], stop_[1]}) ::close(fd);
  }
  /// Serves what is in the queue and ends.
  void stop() {
    if (thread_.joinable()) {
      EXPECT_EQ(::write(stop_[1], "x", 1), 1);
      thread_.join();
    }
  }
  /// Reads the whole request, which it returns.
  static std::string take(int fd) {
    std::string bytes;
    char buffer[4096];
    for (;;) {
      const std::size_t body = bytes.find("\r\n\r\n");
      if (body != bytes.npos) {
        const std::size_t length = std::stoul(bytes.substr(bytes.find("Content-Length: ") + 16));
        if (bytes.size() >= body + 4 + length) return bytes;
      }
      const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
      if (got <= 0) return bytes;
      bytes.append(buffer, static_cast<std::size_t>(got));
    }
  }
  static void send(int fd, const std::string& bytes) {
    (void)::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

 private:
  void run() {
    for (int connection = 0;; connection++) {
      pollfd fds[] = {{listener_, POLLIN, 0}, {stop_[0], POLLIN, 0}};
      ::poll(fds, 2, -1);
      if ((fds[0].revents & POLLIN) == 0) return;
      const int fd = ::accept(listener_, nullptr, nullptr);
      serve_(fd, connection);
      ::close(fd);
    }
  }

  Serve serve_;
  int listener_ = -1;
  int stop_[2] = {-1, -1};
  std::thread thread_;
};

/// Answers 200, 202, ... in turn, the last one for ever; the request is taken first.
Agent::Serve answers(std::vector<int> statuses, std::string reason = "the reason") {
  return [=](int fd, int connection) {
    Agent::take(fd);
    const auto at =
        std::min<std::size_t>(static_cast<std::size_t>(connection), statuses.size() - 1);
    Agent::send(fd, "HTTP/1.1 " + std::to_string(statuses[at]) + " X\r\nContent-Length: " +
                        std::to_string(reason.size()) + "\r\n\r\n" + reason);
  };
}

/// Waits until the hook hangs up, having answered `bytes` at most.
Agent::Serve hangs(std::string bytes = {}) {
  return [=](int fd, int) {
    Agent::send(fd, bytes);
    char buffer[4096];
    while (::recv(fd, buffer, sizeof buffer, 0) > 0) {
    }
  };
}

struct World {
  test::TempDir folder;
  HookSettings settings{folder / "agent.sock", folder / "requirements", milliseconds(100)};

  explicit World(const char* requirements) {
    if (requirements != nullptr)
      folder.write("requirements", {reinterpret_cast<const std::uint8_t*>(requirements),
                                    std::strlen(requirements)});
  }
  HookOutcome run(const char* operation, const char* suboperation = "begin",
                  const std::string& xml = kXml, bool ends = true) const {
    int pipe[2];
    EXPECT_EQ(::pipe(pipe), 0);
    std::thread writer([&] {  // More than a pipe holds; the reader may leave early.
      for (std::size_t at = 0; at < xml.size();) {
        const ssize_t done = ::write(pipe[1], xml.data() + at, xml.size() - at);
        if (done <= 0) break;
        at += static_cast<std::size_t>(done);
      }
      if (ends) ::close(pipe[1]);
    });
    const HookOutcome out = run_hook({"dc1", operation, suboperation}, settings, pipe[0],
                                     HookClock::now(), 1700000000 * kSecond);
    ::close(pipe[0]);
    writer.join();
    if (!ends) ::close(pipe[1]);
    return out;
  }
};

class Hook : public testing::Test {
 protected:
  void SetUp() override { std::signal(SIGPIPE, SIG_IGN); }
};

TEST_F(Hook, MattersOnlyWhereItCanDoSomething) {
  struct Case {
    const char *operation, *suboperation;
    bool matters;
  };
  for (const Case& c :
       {Case{"migrate", "begin", true}, Case{"prepare", "begin", true},
        Case{"start", "begin", true}, Case{"release", "end", true}, Case{"started", "begin", false},
        Case{"stopped", "end", false}, Case{"restore", "begin", false},
        Case{"reconnect", "begin", false}, Case{"attach", "begin", false},
        Case{"prepare", "end", false}, Case{"", "", false}}) {
    EXPECT_EQ(hook_matters(c.operation, c.suboperation), c.matters) << c.operation;
  }
}

TEST_F(Hook, TellsTheAgentTheWholeDescription) {
  World world(kNobody);
  std::string got;
  Agent agent(world.settings.socket, [&](int fd, int) { got = Agent::take(fd); });
  for (const char* operation : {"migrate", "prepare", "start"}) {
    const HookOutcome out = world.run(operation);
    EXPECT_FALSE(out.refused);
    EXPECT_EQ(out.message, "");
  }
  EXPECT_FALSE(world.run("release", "end").refused);
  agent.stop();
  EXPECT_TRUE(got.starts_with("POST /v1/hook?operation=release&guest=dc1 HTTP/1.1\r\n")) << got;
  EXPECT_TRUE(got.ends_with(kXml)) << got;
}

struct Behaviour {
  const char* name;
  Agent::Serve serve;  ///< Empty: there is no agent.
  bool answers = false;
};
std::vector<Behaviour> broken_agents() {
  return {{"absent", {}},
          {"hangs", hangs()},
          {"trickles", hangs("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nxx")},
          {"hangs up", [](int, int) {}},
          {"hangs up in the answer", [](int fd, int) { Agent::send(fd, "HTTP/1.1 200 O"); }},
          {"speaks something else", [](int fd, int) { Agent::send(fd, "220 smtp\r\n\r\n"); }},
          {"has no such path", answers({404})},
          {"does not know", answers({503})}};
}

TEST_F(Hook, ABrokenAgentStopsOnlyAGuestThatIsRequired) {
  struct Case {
    const char *name, *requirements;
    bool refused;
  };
  for (const Case& c : {Case{"required", kDc1, true}, Case{"another is required", kOther, false},
                        Case{"nobody is", kNobody, false}, Case{"no file", nullptr, false},
                        Case{"damaged file", "?", true}})
    for (const char* operation : {"prepare", "start"})
      for (const Behaviour& b : broken_agents()) {
        World world(c.requirements);
        std::optional<Agent> agent;
        if (b.serve) agent.emplace(world.settings.socket, b.serve);
        const HookOutcome out = world.run(operation);
        EXPECT_EQ(out.refused, c.refused) << c.name << ", " << operation << ", agent " << b.name;
        if (c.requirements == kDc1) {
          EXPECT_NE(out.message.find("policy `must` requires"), std::string::npos) << out.message;
        }
      }
}

TEST_F(Hook, ABrokenAgentNeverStopsWhatCantBeRefused) {
  for (const Behaviour& b : broken_agents()) {
    World world(kDc1);
    std::optional<Agent> agent;
    if (b.serve) agent.emplace(world.settings.socket, b.serve);
    EXPECT_FALSE(world.run("migrate").refused) << b.name;
    EXPECT_FALSE(world.run("release", "end").refused) << b.name;
  }
}

TEST_F(Hook, ARequiredGuestWaitsForTheAgentsWord) {
  struct Case {
    const char* name;
    std::vector<int> statuses;
    bool refused;
  };
  for (const Case& c : {Case{"at once", {200}, false}, Case{"in the end", {202, 202, 200}, false},
                        Case{"never", {202}, true}, Case{"no", {409}, true},
                        Case{"no, in the end", {202, 409}, true}}) {
    World world(kDc1);
    Agent agent(world.settings.socket, answers(c.statuses, "no\nbridge"));
    const HookOutcome out = world.run("start");
    EXPECT_EQ(out.refused, c.refused) << c.name;
    EXPECT_EQ(out.message, c.refused ? "guest dc1, start: no bridge" : "") << c.name;
  }
}

TEST_F(Hook, AnAgentThatComesBackInTimeIsInTime) {
  World world(kDc1);
  world.settings.timeout = std::chrono::seconds(30);
  std::optional<Agent> agent;
  std::thread later([&] {
    std::this_thread::sleep_for(milliseconds(20));
    agent.emplace(world.settings.socket, answers({200}));
  });
  const HookOutcome out = world.run("prepare");
  later.join();
  EXPECT_FALSE(out.refused) << out.message;
}

TEST_F(Hook, WithoutAFileTheAgentDecides) {
  World world(nullptr);
  Agent agent(world.settings.socket, answers({409}, "not here"));
  EXPECT_TRUE(world.run("prepare").refused);
}

TEST_F(Hook, ADescriptionThatIsNotWholeCouldBeAnybodys) {
  struct Case {
    const char* name;
    std::string xml;
    bool ends;
  };
  for (const Case& c :
       {Case{"empty", "", true}, Case{"no XML", "x", true}, Case{"endless", kXml, false},
        Case{"giant", std::string(2 * kMaxHookXml, ' '), true}}) {
    EXPECT_TRUE(World(kOther).run("prepare", "begin", c.xml, c.ends).refused) << c.name;
    EXPECT_FALSE(World(kNobody).run("prepare", "begin", c.xml, c.ends).refused) << c.name;
  }
}

TEST_F(Hook, AnAgentThatTakesNoCallsCostsNoTime) {
  World world(kNobody);
  world.settings.timeout = std::chrono::minutes(1);  // The test would hang if it waited.
  const int deaf = listen_on(world.settings.socket, 4);
  int told = 0;
  for (int i = 0; i < 16; i++) {
    const HookOutcome out = world.run("prepare");
    EXPECT_FALSE(out.refused);
    told += out.message.empty() ? 1 : 0;
  }
  ::close(deaf);
  EXPECT_EQ(told, 5) << "as many as the queue of its socket holds; the others are for the log";
}

}  // namespace
}  // namespace vmirror
