// Is all watched that is asked for: what counts as what, and what a selector that matches nothing
// is told.
#include "agent/report/verdict.hpp"

#include <gtest/gtest.h>

#include "agent/report/unmatched.hpp"

namespace vmirror {
namespace {

using Lines = std::vector<std::string>;

SessionStatus session(SessionState state, Proof proof, bool in_place) {
  SessionStatus s;
  s.name = "vnet0@local";
  s.state = state;
  s.proof = proof;
  s.in_place = in_place;
  s.policy = "a+b";
  return s;
}

TEST(Verdict, OfEachState) {
  struct Case {
    SessionState state;
    Proof proof;
    bool in_place;
    std::size_t not_watched, not_proven, silent;
  };
  for (const Case& c : {
           Case{SessionState::active, Proof::received, true, 0, 0, 0},
           Case{SessionState::active, Proof::none, true, 0, 1, 0},
           Case{SessionState::ready, Proof::traced, true, 0, 0, 1},
           Case{SessionState::ready, Proof::none, true, 0, 1, 1},
           Case{SessionState::pending, Proof::none, true, 0, 1, 0},
           Case{SessionState::pending, Proof::none, false, 1, 0, 0},
           Case{SessionState::failed, Proof::none, true, 1, 0, 0},
           Case{SessionState::refused, Proof::none, false, 1, 0, 0},
           Case{SessionState::unknown, Proof::none, true, 1, 0, 0},
           Case{SessionState::draining, Proof::none, true, 0, 0, 0},
       }) {
    ControlSnapshot control;
    const SessionStatus s = session(c.state, c.proof, c.in_place);
    control.sessions.set(s.name, s);
    const PolicyFolder folder;
    const AskedVerdict v = verdict({control, folder});
    EXPECT_EQ(v.not_watched.size(), c.not_watched) << to_text(c.state);
    EXPECT_EQ(v.not_proven.size(), c.not_proven) << to_text(c.state);
    EXPECT_EQ(v.silent.size(), c.silent) << to_text(c.state);
    EXPECT_EQ(v.well(), c.not_watched == 0) << to_text(c.state);
  }
}

/// One key; `and_port`: with a second one.
Selector by(std::string Selector::*key, const char* text, const char* and_port = "") {
  Selector out;
  out.port = and_port;
  out.*key = text;
  return out;
}

/// Two guests and a policy for them, of which one can be missing.
struct World {
  World() {
    control.observed = std::make_shared<const Observed>();
    add("vnet0", "dc-1", "52:54:00:00:00:01");
    add("vnet1", "web", "52:54:00:00:00:02");
    policy.name = "a";
    folder.files = {{"/p/a.yaml", policy, {}}};
    control.policies = {{"a", PolicyState::in_force, "1 session", 1}};
  }
  void add(const std::string& port, const std::string& vm, const char* mac) {
    LocationStatus is;
    is.at.switch_name = "br0";
    is.at.port = port;
    is.at.vm_name = vm;
    is.at.mac = *Mac::parse(mac);
    is.at.labels = {{"role", vm}};
    control.locations.set({"br0", port}, is);
  }
  AskedVerdict of(const Selector& selector) {
    folder.files[0].policy->select = {selector};
    return verdict({control, folder, true, has_peers});
  }
  ControlSnapshot control;
  PolicyFolder folder;
  Policy policy;
  bool has_peers = false;
};

TEST(Verdict, ANameThatNobodyHasIsMissing) {
  World w;
  EXPECT_TRUE(w.of(by(&Selector::vm, "dc-1")).well());
  EXPECT_TRUE(w.of(by(&Selector::vm, "dc-*")).well()) << "its guests may start later";
  EXPECT_EQ(w.of(by(&Selector::vm, "dc-9")).missing,
            Lines{"policy a: no guest here is called `dc-9`"});
  EXPECT_EQ(w.of(by(&Selector::port, "vnet9")).missing,
            Lines{"policy a: no port here is called `vnet9`"});
  w.has_peers = true;
  EXPECT_TRUE(w.of(by(&Selector::vm, "dc-9")).well()) << "it may be on another host";
}

TEST(Verdict, APolicyThatSelectsNothingIsMissingUntilItExpired) {
  World w;
  w.control.policies[0] = {"a", PolicyState::selects_nothing, "no NIC matches", 0};
  EXPECT_EQ(w.of(by(&Selector::vm, "x*")).missing,
            Lines{"policy a selects nothing: no NIC matches"});
  w.control.policies[0].state = PolicyState::expired;
  EXPECT_TRUE(w.of(by(&Selector::vm, "x*")).well());
}

TEST(Verdict, NamesTheOneToExplain) {
  const auto explain = [](const AskedVerdict& v) {
    const boost::json::object told = to_json(v);
    const boost::json::value& name = told.at("explain");
    return name.is_null() ? std::string("nothing") : boost::json::value_to<std::string>(name);
  };
  World w;
  EXPECT_EQ(explain(w.of(by(&Selector::vm, "dc-1"))), "nothing") << "all is well";
  EXPECT_EQ(explain(w.of(by(&Selector::vm, "dc-9"))), "a") << "the policy: there is no session";
  w.control.policies[0] = {"a", PolicyState::selects_nothing, "no NIC matches", 0};
  EXPECT_EQ(explain(w.of(by(&Selector::vm, "x*"))), "a");
  w.control.policies[0].state = PolicyState::in_force;
  SessionStatus failed = session(SessionState::failed, Proof::none, true);
  failed.name = "an is @@ name@local";
  w.control.sessions.set(failed.name, failed);
  EXPECT_EQ(explain(w.of(by(&Selector::vm, "dc-9"))), failed.name) << "a session tells more";
  w.control.sessions.set(failed.name, session(SessionState::active, Proof::none, true));
  EXPECT_EQ(explain(w.of(by(&Selector::vm, "dc-1"))), "nothing") << "not proven is well";
  w.control.observe_error = Error{Error::Kind::unreachable, "no answer", "db.sock", ""};
  EXPECT_EQ(explain(w.of(by(&Selector::vm, "dc-1"))), "nothing") << "no session tells of it";
}

TEST(Verdict, OfWhatCannotBeRead) {
  World w;
  w.control.observe_error = Error{Error::Kind::unreachable, "no answer", "db.sock", ""};
  EXPECT_EQ(w.of(by(&Selector::vm, "dc-1")).missing,
            Lines{"the switch can't be read: db.sock: no answer"});
  w.control.observe_error.reset();
  w.folder.files.push_back(
      {"/p/b.yaml", {}, Error{Error::Kind::invalid, "bad", "/p/b.yaml:1", ""}});
  EXPECT_EQ(w.of(by(&Selector::vm, "dc-1")).missing, Lines{"/p/b.yaml:1: bad"});
  EXPECT_TRUE(verdict({w.control, w.folder, false}).well()) << "nobody asks a collector";
}

TEST(Unmatched, SaysWhichKeyKeepsEveryNicOut) {
  const World w;
  Selector labelled;
  labelled.labels = {{"role", "x"}};
  struct Case {
    Selector selector;
    const char* why;
  };
  for (const Case& c : {
           Case{by(&Selector::vm, "dc-*"), ""},
           Case{by(&Selector::mac, "52:54:00:*"), ""},
           Case{by(&Selector::vm, "dc-2"),
                "no guest here matches `vm: dc-2`; the nearest here is `dc-1`"},
           Case{by(&Selector::mac, "52:54:00"),
                "no MAC matches `mac: 52:54:00`: write six pairs of hexadecimal digits, or "
                "`52:54:00*`"},
           Case{by(&Selector::mac, "52:54:0g:*"),
                "no MAC matches `mac: 52:54:0g:*`: write six pairs of hexadecimal digits, or "
                "`52:54:0*`"},
           Case{by(&Selector::mac, "5254.0000.0001"),
                "no MAC matches `mac: 5254.0000.0001`: write six pairs of hexadecimal digits, or "
                "`52:54:00:00:00:01`"},
           Case{by(&Selector::mac, "525400000001"),
                "no MAC matches `mac: 525400000001`: write six pairs of hexadecimal digits, or "
                "`52:54:00:00:00:01`"},
           Case{by(&Selector::mac, "5254.00*"),
                "no MAC matches `mac: 5254.00*`: write six pairs of hexadecimal digits, or "
                "`52:54:00*`"},
           Case{by(&Selector::title, "a*"),
                "`title` matches nothing here: write `libvirt: {}` into the configuration"},
           Case{by(&Selector::vm, "dc-1", "vnet1"),
                "each key of it matches a NIC here, and no NIC matches all of them"},
           Case{labelled, "no NIC here has the label `role: x`"},
       }) {
    Policy policy;
    policy.select = {c.selector};
    const Lines lines = unmatched(policy, w.control.locations, std::nullopt);
    EXPECT_EQ(lines.empty() ? "" : lines.front(),
              *c.why == 0 ? "" : std::string("entry 1 of `select`: ") + c.why);
  }
}

TEST(Unmatched, SaysThatTheHypervisorIsNotRead) {
  Policy policy;
  policy.select = {by(&Selector::title, "a*")};
  for (const auto& [is, why] :
       {std::pair{HypervisorView{"test:///x", false, "connection refused"},
                  "entry 1 of `select`: `title` matches nothing now: libvirt (test:///x) can't be "
                  "read: connection refused"},
        {HypervisorView{"test:///x", false, ""},
         "entry 1 of `select`: `title` matches nothing now: libvirt (test:///x) can't be read: it "
         "has not answered yet"},
        {HypervisorView{"test:///x", true, ""},
         "entry 1 of `select`: no guest with the title here matches `title: a*`"}})
    EXPECT_EQ(unmatched(policy, {}, is), Lines{why});
}

TEST(Verdict, AHypervisorThatIsNotReadHidesGuests) {
  const ControlSnapshot control;
  const PolicyFolder folder;
  const auto of = [&](bool connected, bool drives) {
    return verdict({control, folder, drives, false,
                    HypervisorView{"test:///x", connected, "connection refused"}});
  };
  EXPECT_TRUE(of(true, true).well());
  EXPECT_TRUE(of(false, false).well()) << "a collector asks for no mirror";
  EXPECT_EQ(of(false, true).missing,
            Lines{"libvirt (test:///x) can't be read: connection refused"});
}

}  // namespace
}  // namespace vmirror
