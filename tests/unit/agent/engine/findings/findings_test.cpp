// Findings: which acts, facts and sightings trip which kind, and which nearly do.
#include "agent/engine/findings/findings.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/frames.hpp"

namespace vmirror {
namespace {

using namespace test;
using Kind = Act::Kind;

constexpr Time kLearning = 100 * kSecond, kStart = 1000 * kSecond, kLater = kStart + kLearning;

Subject at(const char* address, int number = 0) {
  return {mac("52:54:00:00:00:0" + std::to_string(number)), ip(address), {}};
}
Subject only_ip(const char* address) {
  return {{}, ip(address), {}};
}

/// What is folded, in the words of the tables below.
class Script {
 public:
  explicit Script(FindingOptions options = {}, const FindingLimits& limits = {})
      : baseline_(std::make_shared<Baseline>(kLearning)),
        findings_((options.learning = kLearning, options), baseline_, KeyedHash(), limits) {
    baseline_->learns(kStart);
  }
  Script& act(Time time, Kind kind, const Subject& on, const Subject& by,
              const char* source = "test.act") {
    Facts facts;
    facts.record("test");
    facts.act(kind, on, by, source);
    findings_.fold(facts, {time, scope_, vlan_});
    return *this;
  }
  Script& learn(Attribute attribute, const char* value, const char* address) {
    Facts facts;
    facts.record("test");
    facts.learn(only_ip(address), attribute, std::string_view(value), "test.fact");
    findings_.fold(facts, {kStart, scope_, vlan_});
    return *this;
  }
  /// An address of MAC `number`, in a frame that it sent itself or `sender` did.
  Script& claim(Time time, const char* address, int number, int sender = -1) {
    return act(time, Kind::claim_address, at(address, number),
               {at(address, sender < 0 ? number : sender).mac, {}, {}}, "arp.src_ip");
  }
  Script& in(std::uint16_t vlan, Scope scope = 0) {
    vlan_ = vlan;
    scope_ = scope;
    return *this;
  }
  Findings& findings() { return findings_; }
  std::size_t told() const { return findings_.told().size(); }
  /// "stop_controller on by count", one a line.
  std::string rows() const {
    std::vector<Finding> all;
    findings_.all(all);
    std::string out;
    for (const Finding& f : all) {
      out += std::string(to_text(f.key.kind)) + " on " + to_text(f.key.on) + " by " +
             to_text(f.key.by) + " x" + std::to_string(f.count) + "\n";
    }
    return out;
  }

 private:
  std::shared_ptr<Baseline> baseline_;
  Findings findings_;
  std::uint16_t vlan_ = 0;
  Scope scope_ = 0;
};

struct Row {
  const char* name;
  std::function<void(Script&)> events;
  std::string expected;
};
void expect(const std::vector<Row>& table) {
  for (const Row& row : table) {
    SCOPED_TRACE(row.name);
    Script script;
    row.events(script);
    EXPECT_EQ(script.rows(), row.expected);
  }
}

const Subject kPlc = only_ip("10.0.0.2"), kMaster = only_ip("10.0.0.1"),
              kOther = only_ip("10.0.0.9");

TEST(Findings, OrdersToAController) {
  expect({
      {"a stop, whenever it comes, once for each pair and field",
       [](Script& s) {
         s.act(kStart, Kind::stop, kPlc, kMaster).act(kLater, Kind::stop, kPlc, kMaster);
         s.act(kLater, Kind::stop, kPlc, kMaster, "other.field");
       },
       "controller_stop on 10.0.0.2 by 10.0.0.1 x2\n"
       "controller_stop on 10.0.0.2 by 10.0.0.1 x1\n"},
      {"a start and a read are none",
       [](Script& s) {
         s.act(kLater, Kind::start, kPlc, kMaster).act(kLater, Kind::read, kPlc, kMaster);
       },
       ""},
      {"a program and firmware",
       [](Script& s) {
         s.act(kLater, Kind::download, kPlc, kMaster).act(kLater, Kind::firmware, kPlc, kMaster);
       },
       "program_download on 10.0.0.2 by 10.0.0.1 x1\n"
       "firmware_write on 10.0.0.2 by 10.0.0.1 x1\n"},
      {"a station below an address is told apart",
       [](Script& s) {
         Subject unit = kPlc;
         unit.station = {Station::Kind::modbus_unit, 7};
         s.act(kLater, Kind::stop, unit, kMaster).act(kLater, Kind::stop, kPlc, kMaster);
       },
       "controller_stop on 10.0.0.2, modbus_unit 7 by 10.0.0.1 x1\n"
       "controller_stop on 10.0.0.2 by 10.0.0.1 x1\n"},
  });
}

TEST(Findings, WhoWasNotSeenInTheLearningTime) {
  expect({
      {"a master that wrote before is known, one that comes later is new",
       [](Script& s) {
         s.act(kStart, Kind::write, kPlc, kMaster).act(kLater, Kind::write, kPlc, kMaster);
         for (int i = 0; i < 3; ++i) s.act(kLater + i, Kind::write, kPlc, kOther);
       },
       "new_master on 10.0.0.2 by 10.0.0.9 x3\n"},
      {"in the learning time nobody is new",
       [](Script& s) { s.act(kLater - 1, Kind::write, kPlc, kOther); }, ""},
      {"a clock that is set, apart from other writes",
       [](Script& s) {
         s.act(kStart, Kind::write, kPlc, kMaster).act(kLater, Kind::set_time, kPlc, kMaster);
       },
       "time_change on 10.0.0.2 by 10.0.0.1 x1\n"},
      {"a server of addresses, by its own address: relays send with other MACs",
       [](Script& s) {
         const Subject client{mac("52:54:00:00:00:0a"), {}, {}};
         s.act(kStart, Kind::serve_addresses, client, at("10.0.0.254", 1));
         s.act(kLater, Kind::serve_addresses, client, at("10.0.0.254", 2));
         s.act(kLater, Kind::serve_addresses, client, at("10.0.0.66", 3));
         s.act(kLater, Kind::serve_addresses, client, at("10.0.0.66", 3));
       },
       "rogue_dhcp_server on  by 10.0.0.66 (52:54:00:00:00:03) x2\n"},
      {"devices",
       [](Script& s) {
         s.findings().device(at("10.0.0.1", 1).mac, {kStart, 0, 0});
         s.findings().device(at("10.0.0.1", 1).mac, {kLater, 0, 0});
         s.findings().device(at("10.0.0.1", 2).mac, {kLater, 0, 7});
       },
       "new_device on 52:54:00:00:00:02 by  x1\n"},
      {"a device of another network is another",
       [](Script& s) {
         s.findings().device(at("10.0.0.1", 1).mac, {kStart, 5, 0});
         s.findings().device(at("10.0.0.1", 1).mac, {kLater, 6, 0});
       },
       "new_device on 52:54:00:00:00:01 by  x1\n"},
      {"a guest that comes brings its masters along",
       [](Script& s) {
         s.findings().know_device(at("10.0.0.1", 1).mac, 0);
         s.findings().device(at("10.0.0.1", 1).mac, {kLater, 0, 0});
         s.findings().know_master(kMaster.ip, kPlc.ip, 0);
         s.act(kLater, Kind::write, kPlc, kMaster).act(kLater, Kind::set_time, kPlc, kMaster);
       },
       ""},
      {"a clock that is set back begins the learning time anew",
       [](Script& s) { s.act(kStart - 200 * kSecond, Kind::write, kPlc, kMaster); }, ""},
  });
}

TEST(Findings, WhoseAnAddressIs) {
  const auto in_turn = [](Script& s, int times, Time apart, const char* address, int a, int b) {
    for (int i = 0; i < times; ++i) s.claim(kStart + i * apart, address, i % 2 == 0 ? a : b);
  };
  expect({
      {"one holder", [&](Script& s) { in_turn(s, 9, kSecond, "10.0.0.5", 1, 1); }, ""},
      {"there and back: a failover", [&](Script& s) { in_turn(s, 3, kSecond, "10.0.0.5", 1, 2); },
       ""},
      {"in turn", [&](Script& s) { in_turn(s, 5, kSecond, "10.0.0.5", 2, 1); },
       "ip_conflict on 10.0.0.5 (52:54:00:00:00:01) by 10.0.0.5 (52:54:00:00:00:02) x2\n"},
      {"in turn, but slowly",
       [&](Script& s) { in_turn(s, 9, 2 * Findings::kClaimWindow / 3, "10.0.0.5", 1, 2); }, ""},
      {"in two VLANs",
       [](Script& s) {
         for (int i = 0; i < 9; ++i)
           s.in(static_cast<std::uint16_t>(1 + i % 2)).claim(kStart + i, "10.0.0.5", i % 2);
       },
       ""},
      {"in two networks",
       [](Script& s) {
         for (int i = 0; i < 9; ++i)
           s.in(1, static_cast<Scope>(i % 2)).claim(kStart + i, "10.0.0.5", i % 2);
       },
       ""},
      {"two addresses of one other",
       [&](Script& s) {
         in_turn(s, 4, kSecond, "10.0.0.5", 1, 2);
         in_turn(s, 4, kSecond, "10.0.0.6", 1, 2);
       },
       "ip_conflict on 10.0.0.5 (52:54:00:00:00:01) by 10.0.0.5 (52:54:00:00:00:02) x1\n"
       "ip_conflict on 10.0.0.6 (52:54:00:00:00:01) by 10.0.0.6 (52:54:00:00:00:02) x1\n"},
      {"two addresses of two others",
       [&](Script& s) {
         in_turn(s, 4, kSecond, "10.0.0.5", 1, 3);
         in_turn(s, 4, kSecond, "10.0.0.6", 2, 3);
       },
       "ip_conflict on 10.0.0.5 (52:54:00:00:00:01) by 10.0.0.5 (52:54:00:00:00:03) x1\n"
       "arp_spoofing on 10.0.0.6 by 52:54:00:00:00:03 x1\n"},
      {"a claim in the name of another",
       [](Script& s) {
         for (int i = 0; i < 4; ++i) s.claim(kStart + i, "10.0.0.5", 1 + i % 2, i % 2 == 0 ? 1 : 9);
       },
       "arp_spoofing on 10.0.0.5 by 52:54:00:00:00:09 x1\n"},
      {"a group's MAC is no holder's",
       [](Script& s) {
         for (int i = 0; i < 9; ++i)
           s.act(kStart + i, Kind::claim_address,
                 i % 2 == 0 ? at("10.0.0.5", 1)
                            : Subject{mac("03:bf:0a:00:00:05"), ip("10.0.0.5"), {}},
                 {});
       },
       ""},
  });
}

TEST(Findings, Logons) {
  const auto refuse = [](Script& s, int times, Time apart) {
    for (int i = 0; i < times; ++i)
      s.act(kStart + i * apart, Kind::refused_authentication, kPlc, kMaster, "krb5.error_code");
  };
  expect({
      {"one less than a burst", [&](Script& s) { refuse(s, Findings::kRefusals - 1, 1); }, ""},
      {"a burst, and what follows in its window",
       [&](Script& s) { refuse(s, Findings::kRefusals + 3, 1); },
       "refused_logons on 10.0.0.2 by 10.0.0.1 x23\n"},
      {"as many, but slowly", [&](Script& s) { refuse(s, 60, 4 * kSecond); }, ""},
      {"weak, to nobody that is known",
       [](Script& s) { s.act(kLater, Kind::weak_authentication, kPlc, kMaster); }, ""},
      {"weak, to a domain controller",
       [](Script& s) {
         s.learn(Attribute::role, "domain_controller", "10.0.0.2");
         s.act(kLater, Kind::weak_authentication, kPlc, kMaster);
       },
       "weak_dc_authentication on 10.0.0.2 by 10.0.0.1 x1\n"},
      {"weak, to who answers as Kerberos",
       [](Script& s) {
         s.learn(Attribute::service, "kerberos", "10.0.0.2")
             .learn(Attribute::role, "plc", "10.0.0.9");
         s.act(kLater, Kind::weak_authentication, kPlc, kMaster);
         s.act(kLater, Kind::weak_authentication, kOther, kMaster);
       },
       "weak_dc_authentication on 10.0.0.2 by 10.0.0.1 x1\n"},
      {"a domain controller sends weak authentication to another",
       [](Script& s) {
         s.learn(Attribute::role, "domain_controller", "10.0.0.1");
         s.act(kLater, Kind::weak_authentication, kPlc, kMaster);
       },
       ""},
  });
}

TEST(Findings, MirroredPorts) {
  const Mac stray = mac("52:54:00:00:00:07");
  expect({
      {"a stray, once",
       [&](Script& s) {
         s.findings().stray(stray, {kLater, 0, 0});
       },
       ""},
      {"a stray that goes on",
       [&](Script& s) {
         s.findings().stray(stray, {kStart, 0, 0});
         s.findings().stray(stray, {kStart + Findings::kStrayLasts, 0, 0});
       },
       "spoofed_mac on  by 52:54:00:00:00:07 x1\n"},
      {"twins of a moment",
       [&](Script& s) {
         s.findings().twins(stray, kStart, {kStart + kSecond, 0, 0});
       },
       ""},
      {"twins that stay",
       [&](Script& s) {
         s.findings().twins(stray, kStart, {kStart + Findings::kTwinsLast, 0, 0});
       },
       "mac_conflict on 52:54:00:00:00:07 by  x1\n"},
  });
}

TEST(Findings, WhatAPersonDoesNotWant) {
  struct Case {
    const char* subject;
    const char* kind;
    bool wanted;
  };
  for (const Case& each :
       {Case{"10.0.0.1", "", false}, Case{"10.0.0.2", "", false}, Case{"10.0.0.0/30", "", false},
        Case{"10.0.0.8/29", "", true}, Case{"10.0.0.1", "controller_stop", false},
        Case{"10.0.0.1", "program_download", true}, Case{"52:54:00:00:00:01", "", true},
        Case{"::/0", "", true}}) {
    SCOPED_TRACE(std::string(each.subject) + " " + each.kind);
    FindingOptions options;
    options.suppressed.push_back(parse_suppression(each.subject).value());
    if (*each.kind != '\0') options.suppressed.back().kind = parse_finding_kind(each.kind).value();
    Script script(options);
    script.act(kStart, Kind::stop, kPlc, kMaster);
    EXPECT_EQ(script.rows().empty(), !each.wanted);
  }
  FindingOptions options;
  options.off.set(static_cast<std::size_t>(FindingKind::controller_stop));
  Script script(options);
  script.act(kStart, Kind::stop, kPlc, kMaster).act(kStart, Kind::download, kPlc, kMaster);
  EXPECT_EQ(script.rows(), "program_download on 10.0.0.2 by 10.0.0.1 x1\n");
  for (const char* wrong : {"", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "plc-7", "fd00::/129"})
    EXPECT_FALSE(parse_suppression(wrong)) << wrong;
  EXPECT_FALSE(parse_finding_kind("plc_stop"));
}

TEST(Findings, ARowIsToldOnceAndAgainAfterAnHourWithoutIt) {
  Script script;
  const auto told = [&](Time time) {
    script.findings().clear_told();
    script.act(time, Kind::stop, kPlc, kMaster);
    return script.told();
  };
  EXPECT_EQ(told(kStart), 1U);
  EXPECT_EQ(told(kStart + kSecond), 0U);
  EXPECT_EQ(told(kStart + Findings::kToldAgain), 0U);
  EXPECT_EQ(told(kStart + 3 * Findings::kToldAgain), 1U);
  std::vector<Finding> all;
  script.findings().all(all);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].count, 4U);
  EXPECT_EQ(all[0].first, kStart);
  EXPECT_EQ(all[0].last, kStart + 3 * Findings::kToldAgain);
}

TEST(Findings, EachTableIsBounded) {
  FindingLimits limits{
      .rows = 8, .claims = 8, .contenders = 8, .logons = 8, .controllers = 8, .strays = 8};
  Script script({}, limits);
  for (int i = 0; i < 100; ++i) {
    const std::string address = "10.1.0." + std::to_string(i);
    const Subject who = only_ip(address.c_str());
    script.act(kStart, Kind::stop, kPlc, who).act(kStart, Kind::refused_authentication, kPlc, who);
    script.learn(Attribute::role, "domain_controller", address.c_str());
    for (int turn = 0; turn < 4; ++turn)
      script.act(
          kStart, Kind::claim_address,
          {Mac{{2, 0, 0, 0, static_cast<std::uint8_t>(turn % 2), static_cast<std::uint8_t>(i)}},
           who.ip,
           {}},
          {});
    script.findings().stray(Mac{{2, 0, 0, 1, 0, static_cast<std::uint8_t>(i)}}, {kStart, 0, 0});
  }
  for (const Findings::Use& each : script.findings().uses()) {
    EXPECT_EQ(each.use.used, 8U) << each.name;
    EXPECT_GE(each.use.gave_way, 90U) << each.name;
  }
}

TEST(Baseline, IsBoundedAndTellsEachOnce) {
  Baseline small(0, 100);
  for (std::uint64_t i = 1; i <= 100; ++i)
    EXPECT_EQ(small.add(i * 0x9e3779b97f4a7c15ULL), Baseline::Seen::now_first);
  EXPECT_EQ(small.add(0x9e3779b97f4a7c15ULL), Baseline::Seen::before);
  EXPECT_EQ(small.add(12345), Baseline::Seen::full);
  EXPECT_EQ(small.used(), 100U);
  EXPECT_EQ(small.overflowed(), 1U);
}

TEST(Baseline, OfSeveralThreadsEachIsFirstOnce) {
  Baseline baseline(0, 4096);
  std::atomic<int> firsts = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (std::uint64_t i = 1; i <= 2000; ++i)
        firsts += baseline.add(i * 0x9e3779b97f4a7c15ULL) == Baseline::Seen::now_first;
    });
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(firsts, 2000);
  EXPECT_EQ(baseline.used(), 2000U);
}

}  // namespace
}  // namespace vmirror
