// Whether a guest may start here: what-if before its ports are, and the sessions as they stand
// after.
#include "agent/control/admission/admission.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "agent/control/admission/requirements_file.hpp"
#include "agent/control/hook/requirement.hpp"
#include "plugin/fake/driver.hpp"
#include "tests/support/captures.hpp"

namespace vmirror {
namespace {

using Kind = HookAnswer::Kind;

/// A host with br0, and what a hook would be told there.
struct Host {
  std::shared_ptr<FakeWorld> world = std::make_shared<FakeWorld>();
  std::unique_ptr<Driver> driver = make_fake_driver(world, "vmirror");
  std::vector<Policy> policies;
  ControlSnapshot known;
  Guest guest;

  Host() {
    world->edit([](FakeWorld::Switches& s) { s["br0"].sw.name = "br0"; });
    guest.uuid = "6f0c1d6e-0000-4000-8000-000000000001";
    guest.name = "dc1";
    GuestNic nic;
    nic.mac = *Mac::parse("52:54:00:00:00:01");
    nic.bridge = "br0";
    guest.nics = {nic};
    look();
  }
  void look() { known.observed = *driver->observe(); }
  Policy& policy(const char* name, const char* vm) {
    Policy p;
    p.name = name;
    p.require = true;
    Selector s;
    s.vm = vm;
    p.select = {s};
    p.targets = {LocalTarget{}};
    policies.push_back(p);
    return policies.back();
  }
  void session(const char* policies_joined, const char* port, bool in_place,
               SessionState state = SessionState::pending) {
    SessionStatus s;
    s.name = std::string(port) + "@" + std::to_string(known.sessions.size());
    s.policy = policies_joined;
    s.port = port;
    s.in_place = in_place;
    s.state = state;
    s.reason = "so it is";
    known.sessions.set(s.name, s);
  }
  HookAnswer ask(const std::string& operation, const Result<Guest>& who) const {
    const auto realise = [&](const Desired& d, const Observed& o) { return driver->realise(d, o); };
    return answer({policies, known, realise, std::nullopt, 100}, operation, who);
  }
  HookAnswer ask(const std::string& operation) const { return ask(operation, guest); }
};

void expect(const HookAnswer& got, Kind kind, const char* reason) {
  EXPECT_EQ(static_cast<int>(got.kind), static_cast<int>(kind)) << got.reason;
  EXPECT_NE(got.reason.find(reason), std::string::npos) << got.reason;
}

TEST(Admission, OnlyAPolicyThatRequiresCanRefuse) {
  Host h;
  h.guest.nics[0].bridge = "br7";
  h.policy("watch", "dc1").require = false;
  h.policy("other", "web").require = true;
  h.policy("expired", "dc1").expires = 100;
  for (const char* operation : {"prepare", "start"}) EXPECT_EQ(h.ask(operation), HookAnswer{});
  h.policy("must", "dc*");
  expect(h.ask("prepare"), Kind::refuse, "policy `must` requires its mirror");
}

TEST(Admission, OtherOperationsGoOn) {
  Host h;
  h.guest.nics[0].bridge = "br7";
  h.policy("must", "dc1");
  for (const char* operation : {"migrate", "release", "started", ""})
    EXPECT_EQ(h.ask(operation), HookAnswer{}) << operation;
}

TEST(Admission, BeforeThePortsAre) {
  struct Case {
    const char* why;
    void (*change)(Host&);
    Kind kind;
    const char* reason;
  };
  for (const Case& c : {
           Case{"there is room", [](Host&) {}, Kind::go_on, ""},
           Case{"the switch is missing", [](Host& h) { h.guest.nics[0].bridge = "br7"; },
                Kind::refuse, "no such switch"},
           Case{"no switch at all", [](Host& h) { h.guest.nics[0].bridge = ""; }, Kind::refuse,
                "on no switch"},
           Case{"its NIC is on no switch of any kind",
                [](Host& h) {
                  h.guest.nics[0].bridge = "br1";
                  h.guest.nics[0].port = NicPort::none;
                  h.guest.nics[0].on = "Linux bridge br1";
                },
                Kind::refuse, "NIC 52:54:00:00:00:01 is on Linux bridge br1 (put the NIC on"},
           Case{"a device that is passed through",
                [](Host& h) {
                  h.guest.nics[0].bridge = "";
                  h.guest.nics[0].port = NicPort::none;
                  h.guest.nics[0].type = "hostdev";
                  h.guest.nics[0].on = "PCI device 0000:03:10.1";
                },
                Kind::refuse, "is on PCI device 0000:03:10.1 (mirror on the physical switch"},
           Case{"a device that somebody may make a port: `start` tells",
                [](Host& h) {
                  h.guest.nics[0].bridge = "";
                  h.guest.nics[0].port = NicPort::by_other;
                },
                Kind::go_on, ""},
           Case{"a network whose bridge isn't known yet",
                [](Host& h) {
                  h.guest.nics[0].bridge = "";
                  h.guest.nics[0].network = "lan";
                },
                Kind::go_on, ""},
           Case{"the switch can't be read now",
                [](Host& h) {
                  h.known.observe_error = Error{Error::Kind::unreachable, "no answer", "", ""};
                },
                Kind::not_yet, "no answer"},
           Case{"the switch carries nothing out",
                [](Host& h) {
                  h.known.stall = Error{Error::Kind::unreachable, "no change since", "", ""};
                },
                Kind::not_yet, "no change since"},
           Case{"not read yet", [](Host& h) { h.known.observed = nullptr; }, Kind::not_yet,
                "not read yet"},
           Case{"no more mirrors",
                [](Host& h) {
                  Capabilities can = h.world->capabilities();
                  can.mirrors = 0;
                  h.world->set_capabilities(can);
                  h.look();
                },
                Kind::refuse, "mirror"},
           Case{"what the switch can't do",
                [](Host& h) {
                  h.policies[0].snaplen = 100;
                  Capabilities can = h.world->capabilities();
                  can.snaplen.reset();
                  h.world->set_capabilities(can);
                  h.look();
                },
                Kind::refuse, "snaplen"},
           Case{"another policy contradicts",
                [](Host& h) {
                  h.policy("also", "dc1").snaplen = 100;
                  h.policies.back().require = false;
                },
                Kind::refuse, "contradicts"},
           Case{"one of two NICs is elsewhere",
                [](Host& h) {
                  h.guest.nics.push_back(h.guest.nics[0]);
                  h.guest.nics[1].bridge = "br7";
                  h.guest.nics[1].mac = *Mac::parse("52:54:00:00:00:02");
                },
                Kind::refuse, "NIC 52:54:00:00:00:02"},
           Case{"which port it will be isn't known: `start` tells",
                [](Host& h) {
                  h.policies[0].select[0].port = "vnet*";
                  h.guest.nics[0].bridge = "br7";
                },
                Kind::go_on, ""},
       }) {
    SCOPED_TRACE(c.why);
    Host h;
    h.policy("must", "dc1");
    c.change(h);
    expect(h.ask("prepare"), c.kind, c.reason);
  }
}

TEST(Admission, OnceThePortsAre) {
  struct Case {
    const char* why;
    void (*change)(Host&);
    Kind kind;
    const char* reason;
  };
  for (const Case& c : {
           Case{"not seen yet", [](Host&) {}, Kind::not_yet, "port vnet0"},
           Case{"asked for", [](Host& h) { h.session("must", "vnet0", false); }, Kind::not_yet,
                "so it is"},
           Case{"in place", [](Host& h) { h.session("a+must+b", "vnet0", true); }, Kind::go_on, ""},
           Case{"another's", [](Host& h) { h.session("muster", "vnet0", true); }, Kind::not_yet,
                "port vnet0"},
           Case{"of another port", [](Host& h) { h.session("must", "vnet1", true); }, Kind::not_yet,
                "port vnet0"},
           Case{"refused",
                [](Host& h) { h.session("must", "vnet0", false, SessionState::refused); },
                Kind::refuse, "so it is"},
           Case{"on no switch of any kind: nothing to wait for",
                [](Host& h) {
                  h.guest.nics[0].bridge = "virbr0";
                  h.guest.nics[0].port = NicPort::none;
                  h.guest.nics[0].on = "Linux bridge virbr0 (network default)";
                },
                Kind::refuse, "is on Linux bridge virbr0 (network default)"},
           Case{"one of two targets",
                [](Host& h) {
                  h.policies[0].targets.emplace_back(RspanTarget{100});
                  h.session("must", "vnet0", true);
                },
                Kind::not_yet, "port vnet0"},
           Case{"both targets",
                [](Host& h) {
                  h.policies[0].targets.emplace_back(RspanTarget{100});
                  h.session("must", "vnet0", true);
                  h.session("must", "vnet0", true);
                },
                Kind::go_on, ""},
           Case{"one of two NICs",
                [](Host& h) {
                  h.guest.nics.push_back(h.guest.nics[0]);
                  h.guest.nics[1].device = "vnet1";
                  h.session("must", "vnet0", true);
                },
                Kind::not_yet, "port vnet1"},
           Case{"the switch can't be read now",
                [](Host& h) {
                  h.known.observe_error = Error{Error::Kind::unreachable, "no answer", "", ""};
                },
                Kind::not_yet, "no answer"},
           Case{"the switch carries nothing out",
                [](Host& h) {
                  h.session("must", "vnet0", true);
                  h.known.stall = Error{Error::Kind::unreachable, "no change since", "", ""};
                },
                Kind::not_yet, "no change since"},
       }) {
    SCOPED_TRACE(c.why);
    Host h;
    h.policy("must", "dc1");
    h.guest.nics[0].device = "vnet0";
    c.change(h);
    expect(h.ask("start"), c.kind, c.reason);
  }
}

TEST(Admission, ADescriptionThatCantBeReadCouldBeAnybodys) {
  Host h;
  const auto bad = Result<Guest>(fail(Error::Kind::invalid, "no XML", "domain XML"));
  h.policy("watch", "*").require = false;
  EXPECT_EQ(h.ask("prepare", bad), HookAnswer{});
  h.policy("must", "dc1");
  expect(h.ask("prepare", bad), Kind::refuse, "no XML");
  EXPECT_EQ(h.ask("release", bad), HookAnswer{});
}

TEST(RequirementsFile, IsWrittenWhenItChanges) {
  const test::TempDir folder;
  const std::string path = requirements_path(folder / "state");
  Host h;
  h.policy("must", "dc1");
  ASSERT_TRUE(save_requirements(path, h.policies));
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), "# vmirror requirements 1\nmust\t0\tvm=dc1\n");
  const auto written = std::filesystem::last_write_time(path);
  std::filesystem::last_write_time(path, written - std::chrono::hours(1));
  ASSERT_TRUE(save_requirements(path, h.policies));
  EXPECT_EQ(std::filesystem::last_write_time(path), written - std::chrono::hours(1));
  ASSERT_TRUE(save_requirements(path, {}));
  EXPECT_NE(std::filesystem::last_write_time(path), written - std::chrono::hours(1));
  const auto impossible = save_requirements("/proc/nowhere/requirements", h.policies);
  ASSERT_FALSE(impossible);
  EXPECT_EQ(impossible.error().where, "/proc/nowhere/requirements");
}

/// No byte more can be written, as on a full disk; a file can be emptied.
class NoSpace {
 public:
  NoSpace() {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit none{0, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &none);
  }
  ~NoSpace() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

std::string content(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(RequirementsFile, AFullDiskWeakensNoRequirement) {
  const test::TempDir folder;
  const std::string path = requirements_path(folder / "state");
  Host none, one, other;
  one.policy("must", "dc1");
  other.policy("must", "dc2");
  std::filesystem::create_directory(folder / "state");
  struct Case {
    const char* name;
    const Host *before, *asked;  ///< Null: no file.
    bool emptied;
  };
  for (const Case& c : {Case{"the first", nullptr, &one, true},
                        {"more", &none, &one, true},
                        {"another", &one, &other, true},
                        {"less", &one, &none, false},
                        {"nothing, without a file", nullptr, &none, false}}) {
    SCOPED_TRACE(c.name);
    std::filesystem::remove(path);
    if (c.before != nullptr) {
      ASSERT_TRUE(save_requirements(path, c.before->policies));
    }
    const std::string before = content(path);
    {
      const NoSpace full;
      EXPECT_FALSE(save_requirements(path, c.asked->policies));
      EXPECT_FALSE(save_requirements(path, c.asked->policies)) << "a second later";
    }
    EXPECT_EQ(content(path), c.emptied ? "" : before);
    EXPECT_EQ(std::filesystem::exists(path), c.before != nullptr || c.emptied);
    EXPECT_FALSE(std::filesystem::exists(path + ".new"));
    Guest stranger = none.guest;
    stranger.name = "stranger";
    EXPECT_EQ(
        required_by(parse_requirements(c.emptied ? content(path) : "# vmirror requirements 1\n"),
                    &stranger, 0)
            .has_value(),
        c.emptied);
    ASSERT_TRUE(save_requirements(path, c.asked->policies)) << "space again";
    EXPECT_NE(content(path), "");
  }
}

}  // namespace
}  // namespace vmirror
