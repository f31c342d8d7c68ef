// The whole daemon, asked through its control socket: against a real Open vSwitch where one can run
// here, and without a switch.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "agent/api/http.hpp"
#include "agent/app/wiring.hpp"
#include "tests/support/frames.hpp"
#include "tests/support/ovs_sandbox.hpp"

namespace vmirror {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

std::string text(const json::value& value) {
  return std::string(value.as_string());
}

class DaemonTest : public testing::Test {
 protected:
  DaemonTest() {
    char name[] = "/tmp/vmirror-daemon-XXXXXX";
    folder = ::mkdtemp(name);
    config.host = "test";
    config.policies = folder + "/policies.d";
    config.socket = folder + "/control.sock";
    config.state = folder + "/state";
    config.local.name = "local";
    fs::create_directory(config.policies);
  }
  ~DaemonTest() override { fs::remove_all(folder); }
  void TearDown() override { stop(); }
  void start() {
    auto made = Daemon::start(config);
    ASSERT_TRUE(made) << made.error().text();
    daemon = std::move(*made);
    thread = std::thread([this] { ended = daemon->run(); });
  }
  void stop() {
    if (!thread.joinable()) return;
    daemon->stop();
    thread.join();
    daemon.reset();
  }
  json::object ask(const std::string& target, const std::string& method = "GET",
                   const std::string& body = {}) {
    const auto answer = http_call(config.socket, {method, target, body});
    EXPECT_TRUE(answer) << answer.error().text();
    return answer ? json::parse(answer->body).as_object() : json::object();
  }
  /// The value of the key in the answer once `good` holds for it; else the last one. A daemon that
  /// has just started may not know yet: its error has no such key.
  json::value eventually(const std::string& target, const char* key,
                         const std::function<bool(const json::value&)>& good) {
    json::value value;
    for (int i = 0; i < 1000; ++i) {
      const json::object answer = ask(target);
      const json::value* found = answer.if_contains(key);
      value = found ? *found : json::value();
      if (found && good(value)) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return value;
  }
  void put(const std::string& name, const std::string& text) {
    std::ofstream(config.policies + "/" + name) << text;
  }
  static std::string policy(const std::string& name, const std::string& more = "") {
    return "policy: " + name + "\nselect: [{port: \"p*\"}]\ntargets: [local]\n" + more;
  }

  Config config;
  std::string folder;
  std::unique_ptr<Daemon> daemon;
  std::thread thread;
  Result<void> ended;
};

TEST_F(DaemonTest, ACollectorDrivesNoSwitch) {
  config.prometheus = PrometheusConfig{"127.0.0.1", 0};
  InputConfig missing;
  missing.name = missing.ring.interface = "no-such-nic";
  config.inputs = {missing};
  start();
  EXPECT_GT(daemon->metrics_port(), 0);
  const json::object status = ask("/v1/status");
  EXPECT_EQ(status.at("host"), "test");
  EXPECT_EQ(status.at("switch").at("state"), "none");
  EXPECT_TRUE(status.at("sessions").as_array().empty());
  EXPECT_TRUE(status.at("policy_error").is_null());
  const auto error = eventually("/v1/status", "inputs", [](const json::value& inputs) {
    return inputs.at(0).as_object().if_contains("error") != nullptr;
  });
  EXPECT_EQ(error.at(0).at("name"), "no-such-nic");
  EXPECT_EQ(ask("/v1/policies", "PUT", policy("a")).at("error").at("kind"), "unsupported");
  stop();
  EXPECT_TRUE(ended);
  EXPECT_EQ(http_call(config.socket, {}).error().kind, Error::Kind::unreachable);
}

TEST_F(DaemonTest, AnUnreachableSwitchIsAState) {
  config.driver = DriverConfig{};
  config.driver->options["remote"] = "unix:" + folder + "/nobody.sock";
  config.driver->options["timeout_ms"] = "100";
  config.on_stop = OnStop::keep;
  start();
  const auto sw = eventually("/v1/status", "switch",
                             [](const json::value& s) { return s.at("state") == "unreachable"; });
  EXPECT_EQ(sw.at("error").at("kind"), "unreachable");
  EXPECT_EQ(ask("/v1/plan").at("error").at("kind"), "unreachable");
}

TEST_F(DaemonTest, WhatTheHookReadsIsWrittenOnceItCanBe) {
  config.driver = DriverConfig{};
  config.driver->options["remote"] = "unix:" + folder + "/nobody.sock";
  config.on_stop = OnStop::keep;
  const std::string file = config.state + "/requirements";
  fs::create_directories(file + ".new");  // Where the file is made: root can't write it either.
  put("a.yaml", policy("a", "require: true\n"));
  start();
  ASSERT_TRUE(fs::exists(file));
  EXPECT_EQ(fs::file_size(file), 0U) << "every guest is required meanwhile";
  fs::remove(file + ".new");
  for (int i = 0; i < 1000 && fs::file_size(file) == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::ifstream in(file);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}),
            "# vmirror requirements 1\na\t0\tport=p*\n");
}

TEST_F(DaemonTest, WhatTheHookReadsIsWrittenAgainWhereSomebodyTouchedIt) {
  config.driver = DriverConfig{};
  config.driver->options["remote"] = "unix:" + folder + "/nobody.sock";
  config.on_stop = OnStop::keep;
  const std::string file = config.state + "/requirements";
  put("a.yaml", policy("a", "require: true\n"));
  start();
  const auto read = [&] {
    std::ifstream in(file);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const std::string right = "# vmirror requirements 1\na\t0\tport=p*\n";
  ASSERT_EQ(read(), right);
  const struct {
    const char* what;
    std::function<void()> touch;
  } table[] = {{"deleted", [&] { fs::remove(file); }},
               {"written over", [&] { std::ofstream(file) << "# vmirror requirements 1\n"; }},
               {"with its folder", [&] { fs::remove_all(config.state); }}};
  for (const auto& row : table) {
    SCOPED_TRACE(row.what);
    row.touch();
    for (int i = 0; i < 500 && read() != right; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_EQ(read(), right);
  }
}

/// The body of the metrics, as a scraper gets them.
std::string scrape(std::uint16_t port) {
  namespace asio = boost::asio;
  asio::io_context io;
  asio::ip::tcp::socket socket(io);
  socket.connect({asio::ip::address_v4::loopback(), port});
  asio::write(
      socket,
      asio::buffer(std::string("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")));
  std::string out;
  boost::system::error_code end;
  asio::read(socket, asio::dynamic_buffer(out), end);
  return out;
}

TEST_F(DaemonTest, OneTextOfTheMetricsServesAllWhoAskWithinASecond) {
  config.prometheus = PrometheusConfig{"127.0.0.1", 0};
  config.driver = DriverConfig{};
  config.driver->options["remote"] = "unix:" + folder + "/nobody.sock";
  config.on_stop = OnStop::keep;
  config.libvirt = LibvirtConfig{};
  config.libvirt->uri = "qemu+unix:///system?socket=" + folder + "/nobody.sock";
  start();
  const std::string hook = "/v1/hook?operation=release&guest=g";
  bool same = false;
  for (int i = 0; i < 50 && !same; ++i) {  // A second may begin in between, but not each time.
    const std::string before = scrape(daemon->metrics_port());
    ASSERT_NE(before.find("vmirror_hook_calls_total"), before.npos);
    ASSERT_TRUE(http_call(config.socket, {"POST", hook, ""}));
    same = scrape(daemon->metrics_port()) == before;
  }
  EXPECT_TRUE(same);
  const auto count = [](const std::string& text) {
    const std::size_t at = text.find("\nvmirror_hook_calls_total ");
    return at == text.npos ? 0 : std::stoi(text.substr(at + 26));
  };
  const int calls = count(scrape(daemon->metrics_port()));
  ASSERT_TRUE(http_call(config.socket, {"POST", hook, ""}));
  int later = 0;
  for (int i = 0; i < 500 && later <= calls; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    later = count(scrape(daemon->metrics_port()));
  }
  EXPECT_GT(later, calls);
}

TEST_F(DaemonTest, TwoEveOutputsOfOneFileAreRefused) {
  config.eve = {SinkOptions{}, SinkOptions{}};
  EXPECT_EQ(Daemon::start(config).error().kind, Error::Kind::invalid);
}

TEST_F(DaemonTest, EachEveOutputCountsForItselfAndOneThatFailsStopsNoOther) {
  const std::string first = folder + "/a.json", gone = folder + "/nobody.sock",
                    second = folder + "/b.json";
  config.eve = {{.output = FileOutput{first}},
                {.output = SocketOutput{gone}},
                {.output = FileOutput{second}}};
  config.eve_stats_interval = std::chrono::seconds(1);
  start();
  const auto outputs = eventually("/v1/status", "outputs", [](const json::value& is) {
    return is.at(2).at("lines").to_number<int>() >= 2 && !is.at(1).at("error").is_null();
  });
  ASSERT_EQ(outputs.as_array().size(), 3U);
  EXPECT_EQ(text(outputs.at(0).at("name")), first);
  EXPECT_EQ(outputs.at(0).at("lines"), outputs.at(2).at("lines"));
  EXPECT_TRUE(outputs.at(0).at("error").is_null());
  EXPECT_EQ(text(outputs.at(1).at("name")), gone);
  EXPECT_EQ(outputs.at(1).at("lines"), 0);
  EXPECT_GT(outputs.at(1).at("waiting_bytes").to_number<int>(), 0);
  EXPECT_EQ(outputs.at(1).at("queue_bytes"), SinkOptions{}.queue_bytes);
  stop();
  std::ifstream a(first), b(second);
  const std::string lines{std::istreambuf_iterator<char>(a), {}};
  EXPECT_NE(lines.find("\"stats\""), std::string::npos);
  EXPECT_EQ(lines, (std::string{std::istreambuf_iterator<char>(b), {}}));
}

class DaemonOnOvs : public DaemonTest {
 protected:
  void SetUp() override {
    if (const std::string why = test::OvsSandbox::unavailable(); !why.empty()) GTEST_SKIP() << why;
    test::OvsSandbox::Options options;
    options.vswitchd = false;  // The database is enough: mirrors are put, nothing moves.
    ovs = std::make_unique<test::OvsSandbox>(options);
    ovs->vsctl("add-br br0 -- add-port br0 p1 -- add-port br0 p2");
    config.driver = DriverConfig{};
    config.driver->options["remote"] = ovs->remote();
  }
  std::string mirrors() { return ovs->vsctl("get Bridge br0 mirrors"); }

  std::unique_ptr<test::OvsSandbox> ovs;
};

TEST_F(DaemonOnOvs, AppliedKeptExplainedForgotten) {
  start();
  const json::object kept = ask("/v1/policies", "PUT", policy("a"));
  EXPECT_EQ(text(kept.at("file")), config.policies + "/a.yaml");
  const json::object sessions = ask("/v1/sessions");
  ASSERT_EQ(sessions.at("sessions").as_array().size(), 2U);
  EXPECT_EQ(sessions.at("sessions").at(0).at("name"), "p1@local");
  EXPECT_EQ(sessions.at("sessions").at(0).at("state"), "pending");
  EXPECT_TRUE(ask("/v1/plan").at("in_sync").as_bool());
  EXPECT_NE(mirrors(), "[]");

  const json::object explained = ask("/v1/explain/p1%40local");
  const auto& lines = explained.at("lines").as_array();
  EXPECT_EQ(lines.at(1), "policy   a mirrors both directions of port br0/p1 to local");
  EXPECT_EQ(text(lines.at(2)), "file     " + config.policies + "/a.yaml");
  EXPECT_EQ(ask("/v1/explain/nobody").at("error").at("kind"), "missing");

  ask("/v1/policies/a", "DELETE");
  EXPECT_EQ(mirrors(), "[]");
  EXPECT_EQ(ask("/v1/policies/a", "DELETE").at("error").at("kind"), "missing");
}

TEST_F(DaemonOnOvs, AFileThatAppearsActsAndABadOneLeavesItInForce) {
  start();
  put("a.yaml", policy("a"));
  eventually("/v1/sessions", "sessions",
             [](const json::value& s) { return s.as_array().size() == 2; });
  eventually("/v1/plan", "in_sync", [](const json::value& v) { return v.as_bool(); });
  const std::string before = mirrors();
  EXPECT_NE(before, "[]");
  put("a.yaml", policy("a", "snapln: 5\n"));
  const auto error =
      eventually("/v1/status", "policy_error", [](const json::value& e) { return !e.is_null(); });
  EXPECT_EQ(text(error.at("where")), config.policies + "/a.yaml:4");
  EXPECT_EQ(error.at("what"), "unknown key `snapln`");
  EXPECT_EQ(error.at("remedy"), "write `snaplen`");
  EXPECT_EQ(mirrors(), before);
  EXPECT_TRUE(ask("/v1/policies", "PUT", policy("b")).contains("file")) << "the others stand";
}

TEST_F(DaemonOnOvs, ABadFileAtTheStartIsSetAside) {
  put("a.yaml", "policy: [\n");
  put("b.yaml", policy("b"));
  start();
  eventually("/v1/plan", "in_sync", [](const json::value& v) { return v.as_bool(); });
  EXPECT_NE(mirrors(), "[]");
  const json::object status = ask("/v1/status");
  EXPECT_EQ(text(status.at("policy_error").at("where")), config.policies + "/a.yaml:2");
  EXPECT_EQ(status.at("policies").at(0).at("state"), "bad");
  EXPECT_EQ(status.at("policies").at(1).at("state"), "in force");
}

TEST_F(DaemonOnOvs, WithoutItsFolderNothingIsTouched) {
  put("a.yaml", policy("a"));
  config.on_stop = OnStop::keep;
  start();
  eventually("/v1/plan", "in_sync", [](const json::value& v) { return v.as_bool(); });
  stop();
  const std::string before = mirrors();
  std::filesystem::remove_all(config.policies);
  start();
  EXPECT_EQ(ask("/v1/plan").at("error").at("kind"), "missing");
  EXPECT_EQ(mirrors(), before);
}

/// A policy with `require` may be in the file.
TEST_F(DaemonOnOvs, WhatABadFileRequiredStaysRequired) {
  put("a.yaml", policy("a", "require: true\n"));
  start();
  const auto requirements = [&] {
    std::ifstream file(config.state + "/requirements");
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  eventually("/v1/plan", "in_sync", [](const json::value& v) { return v.as_bool(); });
  const std::string before = requirements();
  EXPECT_EQ(before, "# vmirror requirements 1\na\t0\tport=p*\n");
  stop();
  put("a.yaml", "policy: [\n");
  start();
  EXPECT_EQ(requirements(), before);
  std::filesystem::remove(config.policies + "/a.yaml");
  eventually("/v1/status", "policy_error", [](const json::value& e) { return e.is_null(); });
  EXPECT_EQ(requirements(), "# vmirror requirements 1\n");
}

TEST_F(DaemonOnOvs, TheHookIsAnsweredByPoliciesThatRequire) {
  const auto hook = [&](const std::string& operation, const std::string& bridge,
                        const std::string& device) {
    const auto answer = http_call(
        config.socket,
        {"POST", "/v1/hook?operation=" + operation + "&guest=dc%201",
         "<domain><name>dc 1</name><uuid>6f0c1d6e-0000-4000-8000-000000000001</uuid><devices>"
         "<interface type='bridge'><source bridge='" +
             bridge + "'/><target dev='" + device + "'/></interface></devices></domain>"});
    return answer ? answer->status : 0;
  };
  put("a.yaml", "policy: [\n");
  start();
  EXPECT_EQ(hook("prepare", "br0", ""), 503) << "nobody knows what is required";
  put("a.yaml", policy("a", "require: true\n"));
  eventually("/v1/sessions", "sessions",
             [](const json::value& s) { return s.as_array().size() == 2; });
  eventually("/v1/plan", "in_sync", [](const json::value& v) { return v.as_bool(); });
  EXPECT_EQ(hook("start", "br0", "p1"), 200) << "its mirror is there";
  EXPECT_EQ(hook("start", "br0", "p9"), 202) << "its port isn't";
  EXPECT_EQ(hook("start", "br0", "q1"), 200) << "no policy selects it";
  EXPECT_EQ(hook("prepare", "br7", "p9"), 409) << "no such switch";
  EXPECT_EQ(hook("release", "br7", "p9"), 200);
  std::ifstream file(config.state + "/requirements");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}),
            "# vmirror requirements 1\na\t0\tport=p*\n");
}

TEST_F(DaemonOnOvs, MirrorsGoOrStayWhenItStops) {
  put("a.yaml", policy("a"));
  for (const OnStop on_stop : {OnStop::keep, OnStop::remove}) {
    config.on_stop = on_stop;
    start();
    eventually("/v1/plan", "in_sync", [](const json::value& v) { return v.as_bool(); });
    EXPECT_NE(mirrors(), "[]");
    stop();
    EXPECT_TRUE(ended);
    EXPECT_EQ(mirrors() == "[]", on_stop == OnStop::remove);
  }
}

TEST_F(DaemonOnOvs, WhatSomebodyTakesAwayComesBack) {
  put("a.yaml", policy("a"));
  start();
  eventually("/v1/plan", "in_sync", [](const json::value& v) { return v.as_bool(); });
  ovs->vsctl("clear Bridge br0 mirrors");
  eventually("/v1/status", "reconcile",
             [](const json::value& r) { return r.at("drifts") == 1 && r.at("in_sync") == true; });
  EXPECT_NE(mirrors(), "[]");
}

/// A network namespace with a device where the local port's copies would come out, `vmr-br0`; the
/// test's thread is in it, and sends into the device's other end.
class DaemonOnStalledOvs : public DaemonOnOvs {
 protected:
  void SetUp() override {
    DaemonOnOvs::SetUp();
    if (IsSkipped()) return;
    before_ = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs root for a network namespace";
    entered_ = true;
    sender_ = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    ASSERT_GE(sender_, 0);
    ifreq up{};
    ASSERT_EQ(std::system("ip link add vmr-br0 up type veth peer name copies"), 0);
    std::string("copies").copy(up.ifr_name, sizeof up.ifr_name - 1);
    up.ifr_flags = IFF_UP | IFF_RUNNING;
    ASSERT_EQ(::ioctl(sender_, SIOCSIFFLAGS, &up), 0);
  }
  void TearDown() override {
    stop();
    if (sender_ >= 0) ::close(sender_);
    if (entered_) ::setns(before_, CLONE_NEWNET);
    if (before_ >= 0) ::close(before_);
  }
  void send(const test::Buffer& frame) const {
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = static_cast<int>(::if_nametoindex("copies"));
    ASSERT_EQ(::sendto(sender_, frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&to),
                       sizeof to),
              static_cast<ssize_t>(frame.size()));
  }

 private:
  int before_ = -1, sender_ = -1;
  bool entered_ = false;
};

/// ovs-vswitchd hangs, and the kernel goes on copying.
TEST_F(DaemonOnStalledOvs, WhatTheEngineReceivesCountsWhileTheSwitchIsStalled) {
  ovs->vsctl("set Interface p1 external_ids:attached-mac=52:54:00:00:00:01");
  put("a.yaml", policy("a"));
  start();
  const auto sw = eventually("/v1/status", "switch",
                             [](const json::value& s) { return s.at("state") == "stalled"; });
  EXPECT_EQ(sw.at("state"), "stalled");
  const auto state = [](const json::value& sessions) { return sessions.at(0).at("state"); };
  json::value sessions = eventually("/v1/sessions", "sessions", [&](const json::value& s) {
    return !s.as_array().empty() && state(s) == "unknown";
  });
  EXPECT_EQ(state(sessions), "unknown");
  sessions = eventually("/v1/sessions", "sessions", [&](const json::value& s) {
    send(test::udp_frame({}, test::text("copy")));
    return state(s) == "active";
  });
  EXPECT_EQ(state(sessions), "active");
  EXPECT_EQ(sessions.at(0).at("name"), "p1@local");
}

}  // namespace
}  // namespace vmirror
