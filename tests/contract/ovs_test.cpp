// What only Open vSwitch has: errors that ovs-vswitchd reports, counters, TLS, versions of the
// schema.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "plugin/api/diff.hpp"
#include "plugin/api/mirror_object.hpp"
#include "plugin/ovs/driver.hpp"
#include "plugin/registry.hpp"
#include "tests/support/converge.hpp"
#include "tests/support/ovs_sandbox.hpp"

namespace vmirror::test {
namespace {

class OvsDriverTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = OvsSandbox::unavailable(); !why.empty()) GTEST_SKIP() << why;
  }
  void start(OvsSandbox::Options options = {}) {
    sandbox_ = std::make_unique<OvsSandbox>(options);
    sandbox_->vsctl(
        "add-br br0 -- set bridge br0 datapath_type=netdev "
        "-- add-port br0 vnet0 -- set interface vnet0 type=internal "
        "-- add-port br0 vnet1 -- set interface vnet1 type=internal");
    OvsOptions with;
    with.remote = sandbox_->remote();
    driver_ = std::move(*make_ovs_driver(with));
  }
  Port port(const std::string& name) {
    const auto observed = driver_->observe();
    if (!observed) return {};
    const auto& ports = (*observed)->switches.at("br0").ports;
    return ports.contains(name) ? ports.at(name) : Port{};
  }
  /// What the driver has read so far: a change of the database is in it a moment later.
  std::map<std::string, Switch> switches() { return (*driver_->observe())->switches; }
  static Session session(const Target& target) {
    Session s;
    s.name = "vnet0@" + to_text(target);
    s.switch_name = "br0";
    s.port = "vnet0";
    s.direction = Direction::both;
    s.target = target;
    return s;
  }

  std::unique_ptr<OvsSandbox> sandbox_;
  std::unique_ptr<Driver> driver_;
};

TEST_F(OvsDriverTest, ReportsWhatOvsVswitchdFindsWrongWithAPort) {
  start();
  sandbox_->vsctl("add-port br0 eth99");
  EXPECT_TRUE(eventually([&] { return !port("eth99").error.empty(); }));
  EXPECT_NE(port("eth99").error.find("could not open network device"), std::string::npos);
  EXPECT_TRUE(eventually([&] { return port("vnet0").mac.has_value(); }));
  EXPECT_TRUE(port("vnet0").error.empty());
}

TEST_F(OvsDriverTest, MakesAWorkingMirrorWhoseCountersMove) {
  start();
  ErspanTarget collector;
  collector.address = *IpAddress::parse("192.0.2.1");
  const auto reached = converge(*driver_, {{session(LocalTarget{}), session(collector)}});
  ASSERT_TRUE(reached) << reached.error().text();
  for (const auto& [name, output] : reached->observed->switches.at("br0").ports)
    if (output.owned) {
      EXPECT_TRUE(eventually([&] {
        return sandbox_->vsctl("get interface " + name + " ofport").find_first_of("[-") ==
               std::string::npos;
      })) << name;
    }
  EXPECT_TRUE(eventually([&] { return port("vmr-br0").mtu == 1500u; }));
  sandbox_->run("ip link set vnet0 up");
  sandbox_->run("ip address add 198.51.100.1/24 dev vnet0");
  // Each try asks for a neighbour that isn't there, by broadcast; counters come every five seconds.
  EXPECT_TRUE(eventually(
      [&] {
        sandbox_->run("bash -c 'echo > /dev/udp/198.51.100.2/9'");
        const auto observed = driver_->observe();
        const auto& sw = (*observed)->switches.at("br0");
        const Mirror& mirror = sw.mirrors.at("vmirror-local");
        const auto& counters = sw.ports.at("vnet0").counters;
        return mirror.copied_frames.value_or(0) > 0 && counters && counters->out_frames > 0;
      },
      20));
}

/// ovs-vswitchd looks again at flows that run when a port's trunks change;
/// tests/system/test_change.py shows that they follow.
TEST_F(OvsDriverTest, EachChangeOfAMirrorChangesAPortOfOursAndNothingElse) {
  OvsSandbox::Options options;
  options.vswitchd = false;
  start(options);
  const auto trunks = [&](const std::string& name) {
    return sandbox_->vsctl("get port " + name + " trunks");
  };
  const auto reach = [&](std::vector<Session> sessions) {
    const auto reached = converge(*driver_, {std::move(sessions)});
    ASSERT_TRUE(reached) << reached.error().text();
  };
  Session second = session(LocalTarget{});
  second.name = "vnet1@local";
  second.port = "vnet1";
  // A VLAN as target has no port of its own.
  for (const Target& target : std::vector<Target>{LocalTarget{}, RspanTarget{100}}) {
    std::set<std::string> seen;
    const auto expect_change = [&](std::vector<Session> sessions, const char* what) {
      for (Session& s : sessions) s.target = target;
      reach(std::move(sessions));
      EXPECT_TRUE(seen.insert(trunks("vmr-br0")).second) << to_text(target) << ": " << what;
    };
    Session changed = session(LocalTarget{});
    expect_change({changed}, "made");
    expect_change({changed, second}, "a source added");
    expect_change({changed}, "a source removed");
    changed.direction = Direction::in;
    expect_change({changed}, "another direction");
    changed.snaplen = 128;
    expect_change({changed}, "another snaplen");
    changed.vlans = {10};
    expect_change({changed}, "VLANs");
    expect_change({second}, "another source");
    const std::string last = trunks("vmr-br0");
    Session same = second;
    same.target = target;
    reach({same});
    const auto world = *driver_->observe();
    const Mirror& mirror = world->switches.at("br0").mirrors.begin()->second;
    const Step again{Step::Verb::change, mirror_key("br0", mirror.name),
                     std::make_shared<const MirrorValue>(mirror)};
    EXPECT_TRUE(carry_out(*driver_, {&again, 1}, std::chrono::seconds(10)));
    EXPECT_EQ(trunks("vmr-br0"), last) << "nothing was to do";
    for (const char* foreign : {"br0", "vnet0", "vnet1"}) EXPECT_EQ(trunks(foreign), "[]");
    reach({});
    EXPECT_EQ(sandbox_->vsctl("list-ports br0"), "vnet0\nvnet1") << "ours goes with the last";
  }
  // Each bridge of a transaction.
  sandbox_->vsctl("add-br br1 -- add-port br1 vnet2");
  ASSERT_TRUE(eventually([&] { return switches().contains("br1"); }));
  Session there = second;
  there.name = "vnet2@local";
  there.switch_name = "br1";
  there.port = "vnet2";
  std::set<std::string> seen;
  for (const Direction direction : {Direction::in, Direction::out, Direction::both}) {
    second.direction = there.direction = direction;
    reach({second, there});
    EXPECT_TRUE(seen.insert("br0 " + trunks("vmr-br0")).second);
    EXPECT_TRUE(seen.insert("br1 " + trunks("vmr-br1")).second);
  }
}

TEST_F(OvsDriverTest, SeesAMirrorThatOvsVswitchdGaveUp) {
  start();
  ASSERT_TRUE(eventually([&] { return port("vnet0").mac.has_value(); }));
  sandbox_->run("ip link set vnet0 up");
  sandbox_->run("ip address add 198.51.100.1/24 dev vnet0");
  const auto before = *driver_->observe();
  const Realisation wanted = driver_->realise({{session(LocalTarget{})}}, *before);
  const std::vector<Step> steps = diff(wanted.objects, *before);
  // Others were quicker: ours is one more than a bridge can have, and nothing but the log says so.
  std::string others;
  for (int i = 1; i <= 32; ++i) {
    const std::string n = std::to_string(i);
    others += " -- --id=@m" + n + " create mirror name=other" + n + " output_vlan=" + n +
              " -- add bridge br0 mirrors @m" + n;
  }
  sandbox_->vsctl_wait(others);
  ASSERT_TRUE(eventually([&] {  // The driver may meet the others' mirrors on its way: another look.
    const auto done = carry_out(*driver_, steps, std::chrono::seconds(10));
    return done && *done;
  }));
  Mirror mirror;
  const auto look = [&] {
    sandbox_->run("bash -c 'echo > /dev/udp/198.51.100.2/9'");
    mirror = switches().at("br0").mirrors.at("vmirror-local");
  };
  const auto given_up = [&] {
    look();
    return !mirror.error.empty();
  };
  EXPECT_TRUE(eventually(given_up, 30));
  EXPECT_FALSE(mirror.copied_frames);
  sandbox_->vsctl_wait("clear bridge br0 mirrors");
  ASSERT_TRUE(eventually([&] { return switches().at("br0").mirrors.empty(); }));
  EXPECT_TRUE(converge(*driver_, {{session(LocalTarget{})}}));
  const auto counted = [&] {
    look();
    return mirror.copied_frames.value_or(0) > 0;
  };
  EXPECT_TRUE(eventually(counted, 30));
  EXPECT_EQ(mirror.error, "");
}

TEST_F(OvsDriverTest, SurvivesTheSwitchsRestart) {
  start();
  const Desired desired = {{session(LocalTarget{})}};
  ASSERT_TRUE(converge(*driver_, desired));
  sandbox_->kill_vswitchd();
  sandbox_->kill_server();
  sandbox_->start_server();
  sandbox_->start_vswitchd();
  const auto reached = converge(*driver_, desired);
  ASSERT_TRUE(reached) << reached.error().text();
  EXPECT_TRUE(reached->steps.empty()) << "the database kept what we own";
  EXPECT_TRUE(eventually([&] { return port("vmr-br0").link_up || port("vmr-br0").mac; }));
}

/// The schema as older versions have it, or newer ones, whichever this switch is.
std::string with_filter(std::string text, bool wanted) {
  const std::string column = R"("filter": {)";
  if (const auto found = text.find(column); found != std::string::npos) {
    const auto end = text.find("}}", found);
    text.erase(found, text.find_first_not_of("}, \n", end) - found);
  }
  if (wanted)
    text.insert(text.find("\"snaplen\""),
                column + R"("type": {"key": "string", "min": 0, "max": 1}}, )");
  return text;
}

TEST_F(OvsDriverTest, LeavesAFilterThatTheSchemaLacksToTheReceiverAndSetsOneThatItHas) {
  OvsSandbox::Options older;
  older.edit_schema = [](const std::string& text) { return with_filter(text, false); };
  start(older);
  Session filtered = session(LocalTarget{});
  filtered.filter.only = {{.carried = {{0, 6}}}};
  auto reached = converge(*driver_, {{filtered}});
  ASSERT_TRUE(reached) << reached.error().text();
  EXPECT_EQ(reached->wanted.verdicts[0].filtering, Filtering::by_receiver);
  EXPECT_EQ(reached->wanted.mirrors.size(), 1U);

  driver_.reset();
  OvsSandbox::Options newer;
  newer.edit_schema = [](const std::string& text) { return with_filter(text, true); };
  start(newer);
  reached = converge(*driver_, {{filtered}});
  ASSERT_TRUE(reached) << reached.error().text();
  EXPECT_EQ(reached->wanted.verdicts[0].filtering, Filtering::by_switch);
  std::set<std::string> matches;
  for (const auto& [name, mirror] : reached->observed->switches.at("br0").mirrors)
    matches.insert(mirror.match);
  EXPECT_EQ(matches, (std::set<std::string>{"tcp", "tcp6"})) << "read back";
}

TEST_F(OvsDriverTest, ConnectsOverTls) {
  char pattern[] = "/tmp/vmirror-tls-XXXXXX";
  ASSERT_TRUE(mkdtemp(pattern));
  const std::string folder = pattern;
  const auto at = [&](const char* name) { return folder + "/" + name; };
  const std::string quiet = " >/dev/null 2>&1";
  const auto request = [&](const std::string& name, const std::string& more) {
    return std::system(("openssl req -newkey rsa:2048 -nodes -subj /CN=" + name + " -keyout " +
                        at(name.c_str()) + ".key " + more + quiet)
                           .c_str());
  };
  if (request("ca", "-x509 -out " + at("ca") + ".pem") != 0) GTEST_SKIP() << "needs openssl";
  for (const char* name : {"server", "client", "stranger"}) {
    const std::string ca = std::string(name) == "stranger"
                               ? ""
                               : " -CA " + at("ca") + ".pem -CAkey " + at("ca") + ".key";
    ASSERT_EQ(request(name, "-x509 -out " + at(name) + ".pem" + ca), 0);
  }
  OvsSandbox::Options options;
  options.vswitchd = false;
  options.server_arguments = {"--private-key=" + at("server.key"),
                              "--certificate=" + at("server.pem"), "--ca-cert=" + at("ca.pem"),
                              "--remote=pssl:0:127.0.0.1"};
  start(options);
  std::string port;
  ASSERT_TRUE(eventually([&] {
    std::ifstream log(sandbox_->directory() + "/ovsdb-server.out");
    for (std::string line; std::getline(log, line);)
      if (const auto found = line.find("listening on port "); found != std::string::npos)
        port = line.substr(found + 18);
    return !port.empty();
  })) << "ovsdb-server says which port it listens on";
  OvsOptions tls;
  tls.remote = "ssl:127.0.0.1:" + port;
  tls.ca_certificate = at("ca.pem");
  tls.timeout = std::chrono::milliseconds(1500);
  for (const char* name : {"client", "stranger"}) {
    tls.private_key = at(name) + ".key";
    tls.certificate = at(name) + ".pem";
    auto driver = make_ovs_driver(tls);
    ASSERT_TRUE(driver) << driver.error().text();
    const auto observed = (*driver)->observe();
    if (std::string(name) == "client") {
      ASSERT_TRUE(observed) << observed.error().text();
      EXPECT_TRUE((*observed)->switches.contains("br0"));
    } else {
      ASSERT_FALSE(observed) << "a certificate of nobody's";
      EXPECT_EQ(observed.error().kind, Error::Kind::unreachable);
    }
  }
  ASSERT_EQ(std::system(("rm -r " + folder).c_str()), 0);
}

TEST(Registry, KnowsEveryDriver) {
  ASSERT_FALSE(drivers().empty());
  EXPECT_EQ(drivers()[0].name, "ovs");
  for (const DriverInfo& info : drivers()) {
    DriverConfig config;
    config.name = info.name;
    const auto made = make_driver(config);
    if (made) {
      EXPECT_EQ((*made)->name(), info.name);
    } else {  // A driver may need options that have no default: its server.
      EXPECT_EQ(made.error().kind, Error::Kind::invalid)
          << info.name << ": " << made.error().text();
    }
  }
  DriverConfig config;
  config.name = "fake";
  EXPECT_EQ(make_driver(config).error().kind, Error::Kind::invalid) << "not for users";
  config.name = "ovs";
  config.options["remote"] = "db.sock";
  EXPECT_EQ(make_driver(config).error().kind, Error::Kind::invalid);
}

}  // namespace
}  // namespace vmirror::test
