// Budgets: which sessions are whole, truncated or dropped, by priority; when they come back; and
// what becomes of that in the resolver.
#include "agent/control/reconcile/budget_keeper.hpp"

#include <gtest/gtest.h>

#include "agent/control/reconcile/policy_resolver.hpp"

namespace vmirror {
namespace {

constexpr std::uint64_t kFrame = 1000;  ///< Bytes of each frame here.

PortKey at(const std::string& port) {
  return {"br0", port};
}

Target erspan(const char* address) {
  ErspanTarget target;
  target.address = *IpAddress::parse(address);
  return target;
}

/// A world in which ports' guests have sent so many frames.
Observed world(const std::map<std::string, std::uint64_t>& frames, const std::string& id = "1") {
  Observed out;
  for (const auto& [name, count] : frames) {
    Port port;
    port.name = name;
    port.id = id;
    port.counters = PortCounters{.out_frames = count, .out_bytes = count * kFrame};
    out.switches["br0"].ports.set(name, port);
  }
  return out;
}

BudgetClaim claim(const std::string& port, int priority, std::uint32_t truncate = 0,
                  Target target = LocalTarget{}) {
  return {.session = port + "@" + to_text(target),
          .port = at(port),
          .target = std::move(target),
          .priority = priority,
          .truncate = truncate};
}

Budget frames_budget(std::uint64_t frames) {
  return {.name = "host", .frames_per_second = frames};
}

/// "vnet0@local dropped" for each cut.
std::vector<std::string> lines(const BudgetCuts& cuts) {
  std::vector<std::string> out;
  for (const auto& [session, cut] : cuts)
    out.push_back(session + (cut.snaplen == 0 ? " dropped" : " " + std::to_string(cut.snaplen)));
  return out;
}
using Lines = std::vector<std::string>;

/// The rates of ports that sent so many frames in one second.
PortRates rates_of(const std::vector<BudgetClaim>& claims,
                   const std::map<std::string, std::uint64_t>& frames) {
  PortRates rates;
  std::map<std::string, std::uint64_t> none;
  for (const auto& [port, count] : frames) none[port] = 0;
  rates.update(claims, world(none), kSecond);
  rates.update(claims, world(frames), 2 * kSecond);
  return rates;
}

TEST(Allot, TheLowestPriorityIsCutFirst) {
  const std::map<std::string, std::uint64_t> sent = {{"a", 100}, {"b", 100}, {"c", 100}};
  const struct {
    const char* what;
    std::vector<Budget> budgets;
    std::vector<BudgetClaim> claims;
    Lines expected;
  } table[] = {
      {"all fit", {frames_budget(300)}, {claim("a", 1), claim("b", 1), claim("c", 1)}, {}},
      {"one is too many",
       {frames_budget(299)},
       {claim("a", 2), claim("b", 1), claim("c", 3)},
       {"b@local dropped"}},
      {"of equals the last by name",
       {frames_budget(299)},
       {claim("c", 1), claim("a", 1), claim("b", 1)},
       {"c@local dropped"}},
      {"what is left goes to whom it suffices",
       {frames_budget(100)},
       {claim("a", 3), claim("b", 2), claim("c", 1)},
       {"b@local dropped", "c@local dropped"}},
      {"a session that no budget would hold",
       {frames_budget(99)},
       {claim("a", 3)},
       {"a@local dropped"}},
      {"truncation makes room in bits",
       {{.name = "host", .bits_per_second = 8 * 110'000}},
       {claim("a", 2), claim("b", 1, 100)},
       {"b@local 100"}},
      {"but not in frames",
       {frames_budget(150)},
       {claim("a", 2), claim("b", 1, 100)},
       {"b@local dropped"}},
      {"a path's budget is for its collectors alone",
       {{.name = "wan", .collectors = {*parse_prefix("192.0.2.0/24")}, .frames_per_second = 50}},
       {claim("a", 1, 0, erspan("192.0.2.9")), claim("b", 1, 0, erspan("198.51.100.1")),
        claim("c", 1)},
       {"a@erspan-192.0.2.9 dropped"}},
      {"the smallest budget decides",
       {frames_budget(1000),
        {.name = "wan", .collectors = {*parse_prefix("192.0.2.9")}, .frames_per_second = 50}},
       {claim("a", 1, 0, erspan("192.0.2.9"))},
       {"a@erspan-192.0.2.9 dropped"}},
      {"the headers of a tunnel are paid for",
       {{.name = "host", .bits_per_second = 8 * 100'000}},
       {claim("a", 1, 0, erspan("192.0.2.9"))},
       {"a@erspan-192.0.2.9 dropped"}},
  };
  for (const auto& row : table)
    EXPECT_EQ(lines(allot(row.budgets, row.claims, rates_of(row.claims, sent), {}).cuts),
              row.expected)
        << row.what;
}

TEST(Allot, SaysWhatIsAskedAndUsed) {
  const std::vector<BudgetClaim> claims = {claim("a", 2), claim("b", 1, 100), claim("c", 0)};
  const auto out = allot({{.name = "host", .bits_per_second = 8 * 110'000}}, claims,
                         rates_of(claims, {{"a", 100}, {"b", 100}, {"c", 100}}), {});
  ASSERT_EQ(out.uses.size(), 1u);
  EXPECT_EQ(out.uses[0].asked, (Rate{8 * 300'000, 300}));
  EXPECT_EQ(out.uses[0].used, (Rate{8 * 110'000, 200}));
  EXPECT_EQ(out.uses[0].truncated, 1u);
  EXPECT_EQ(out.uses[0].dropped, 1u);
  EXPECT_EQ(out.cuts.at("c@local").reason,
            "budget `host` of 880000 bits/s is too small for this session and those of higher "
            "priority");
}

TEST(Allot, ACutSessionComesBackWhereItFitsWell) {
  const std::vector<BudgetClaim> claims = {claim("a", 2), claim("b", 1)};
  const BudgetCuts cut = {{"b@local", {at("b"), 0, "earlier"}}};
  const struct {
    std::uint64_t budget;
    Lines expected;
  } table[] = {{200, {"b@local dropped"}}, {249, {"b@local dropped"}}, {250, {}}};
  for (const auto& row : table)
    EXPECT_EQ(lines(allot({frames_budget(row.budget)}, claims,
                          rates_of(claims, {{"a", 100}, {"b", 100}}), cut)
                        .cuts),
              row.expected)
        << row.budget;
}

TEST(PortRates, OfTheTimeBetweenTwoWrites) {
  const std::vector<BudgetClaim> claims = {claim("a", 0)};
  PortRates rates;
  const auto frames = [&](std::uint64_t sent, double seconds, const std::string& id = "1") {
    rates.update(claims, world({{"a", sent}}, id), static_cast<Time>(seconds * kSecond));
    return rates.of(at("a")).out_frames;
  };
  EXPECT_EQ(frames(1000, 10), 0) << "sent before anybody looked";
  EXPECT_EQ(frames(1000, 11), 0);
  EXPECT_EQ(frames(1500, 15), 100) << "the switch writes every five seconds";
  EXPECT_EQ(frames(1500, 18), 100) << "not written again yet";
  EXPECT_EQ(frames(2500, 20), 200) << "a rate that rises counts at once";
  EXPECT_NEAR(frames(2500, 26), 160, 0.1) << "one that falls, bit by bit";
  EXPECT_EQ(frames(0, 27, "2"), 0) << "another port of this name";
  EXPECT_EQ(frames(100, 28, "2"), 100);
  EXPECT_EQ(frames(50, 29, "2"), 0) << "counters that were set back";
  EXPECT_EQ(frames(60, 28, "2"), 0) << "a clock that was set back";
}

Policy policy(const std::string& name, const std::string& port, int priority,
              std::uint32_t truncate = 0) {
  Policy p;
  p.name = name;
  p.select.push_back({.vm = "", .uuid = "", .mac = "", .port = port, .labels = {}});
  p.targets = {LocalTarget{}};
  p.priority = priority;
  p.truncate = truncate;
  return p;
}

TEST(PolicyResolver, ACutSessionIsTruncatedOrRefusedAndComesBack) {
  PolicyResolver resolver({});
  resolver.set_policies({policy("all", "*", 0), policy("bulk", "b", 1, 64)});
  LocationMap locations;
  for (const char* port : {"a", "b"}) {
    Location location;
    location.switch_name = "br0";
    location.port = port;
    locations.set({"br0", port}, location);
  }
  resolver.update(locations, 1);
  ASSERT_EQ(resolver.claims().size(), 2u);
  const auto of_b = resolver.of(at("b")).claims.at(0);
  EXPECT_EQ(of_b.priority, 1);
  EXPECT_EQ(of_b.truncate, 64u);

  resolver.set_cuts({{"a@local", {at("a"), 0, "no room"}}, {"b@local", {at("b"), 64, "no room"}}});
  resolver.update(locations, 2);
  EXPECT_EQ(resolver.sessions().get("a@local"), nullptr);
  ASSERT_NE(resolver.refused().get("a@local"), nullptr);
  EXPECT_EQ(resolver.refused().get("a@local")->reason.what, "no room");
  EXPECT_EQ(resolver.sessions().at("b@local").snaplen, 64u);
  EXPECT_EQ(resolver.claims().size(), 2u) << "what was cut still asks";
  EXPECT_EQ(resolver.of(at("b")).claims.at(0).snaplen, 0u) << "for what its policy says";
  EXPECT_EQ(resolver.policies().at(0).state, PolicyState::refused);

  resolver.set_cuts({});
  resolver.update(locations, 3);
  EXPECT_EQ(resolver.sessions().at("a@local").snaplen, 0u);
  EXPECT_EQ(resolver.sessions().at("b@local").snaplen, 0u);
  EXPECT_TRUE(resolver.refused().empty());
}

}  // namespace
}  // namespace vmirror
