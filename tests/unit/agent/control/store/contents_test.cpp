// Rows of the store as policies, beside those of the folder, and how they stand on all hosts.
#include "agent/control/store/contents.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>

#include "tests/unit/agent/control/store/rows.hpp"

namespace vmirror {
namespace {

namespace json = boost::json;

std::string yaml(const std::string& name, const std::string& port = "p1") {
  return "policy: " + name + "\nselect: [{port: " + port + "}]\ntargets: [local]\n";
}

StoredPolicies stored(std::vector<StoredPolicy> policies) {
  return {9, std::move(policies)};
}

/// A column's type as the schema's file writes it, and as the client takes it.
std::string type_of(const json::value& type) {
  if (type.is_string()) return std::string(type.get_string()) + " 1 1";
  const json::object& o = type.get_object();
  const auto base = [](const json::value& v) {
    return std::string(v.is_string() ? v.get_string() : v.at("type").get_string());
  };
  std::string out = base(o.at("key"));
  if (o.contains("value")) out += ":" + base(o.at("value"));
  const auto bound = [&](const char* key) {
    const auto* v = o.if_contains(key);
    return v == nullptr ? "1" : v->is_string() ? "*" : std::to_string(v->to_number<int>());
  };
  return out + " " + bound("min") + " " + bound("max");
}

std::string type_of(const ovsdb::Column& column) {
  const auto base = [](ovsdb::Type type) {
    const char* const names[] = {"integer", "real", "boolean", "string", "uuid"};
    return std::string(names[static_cast<std::size_t>(type)]);
  };
  std::string out = base(column.key);
  if (column.value) out += ":" + base(*column.value);
  return out + " " + std::to_string(column.min) + " " +
         (column.max == UINT_MAX ? "*" : std::to_string(column.max));
}

TEST(StoreSchema, TheFileHasWhatTheProgramUsesAndWhatRolesNeed) {
  const json::object file = json::parse(store::schema_text()).as_object();
  const ovsdb::Schema used = store::schema();
  EXPECT_EQ(file.at("name").as_string(), used.database);
  const json::object& tables = file.at("tables").as_object();
  std::set<std::string> unused;
  for (const auto& [name, table] : tables) {
    unused.emplace(name);
    for (const auto& [column, type] : table.at("columns").as_object())
      unused.insert(std::string(name) + "." + std::string(column));
  }
  for (const ovsdb::TableSchema& table : used.tables) {
    const json::object& there = tables.at(table.name).as_object();
    EXPECT_EQ(there.contains("isRoot"), table.is_root && table.name != "Policy") << table.name;
    unused.erase(table.name);
    for (const ovsdb::Column& column : table.columns) {
      EXPECT_EQ(type_of(there.at("columns").at(column.name).at("type")), type_of(column))
          << table.name << "." << column.name;
      unused.erase(table.name + "." + column.name);
    }
  }
  std::erase_if(unused, [](const std::string& name) { return name.starts_with("RBAC_"); });
  EXPECT_EQ(unused, std::set<std::string>{"Cluster.operators"});
}

TEST(StoreSchema, WhichVersionIsLater) {
  struct Case {
    const char *a, *b;
    bool later;
  };
  const Case cases[] = {
      {"2.0.0", "1.9.9", true},  {"2.1.0", "2.0.9", true},  {"2.0.10", "2.0.9", true},
      {"2.0.0", "2.0.0", false}, {"1.9.9", "2.0.0", false}, {"", "0.0.1", false},
      {"10.0.0", "9.0.0", true}, {"2", "2.0.0", false},
  };
  for (const Case& c : cases) EXPECT_EQ(store::is_later(c.a, c.b), c.later) << c.a << " " << c.b;
}

TEST(StoreContents, RowsBecomeValuesByName) {
  test::StoreRows rows;
  rows.add(store::kCluster, {{store::cluster::kGeneration, ovsdb::Atom(std::int64_t{7})}});
  rows.policy("b", yaml("b"), 7);
  rows.policy("a", yaml("a"), 5);
  const StoredPolicies is = stored_policies(rows.snapshot());
  EXPECT_EQ(is.generation, 7);
  ASSERT_EQ(is.policies.size(), 2U);
  EXPECT_EQ(is.policies[0], (StoredPolicy{"a", yaml("a"), 5, "root@a", "2026-01-01T00:00:00Z"}));
  EXPECT_EQ(is.policies[1].name, "b");
}

TEST(StoreContents, AnEmptyStoreHasGenerationZero) {
  EXPECT_EQ(stored_policies(test::StoreRows().snapshot()), StoredPolicies());
}

TEST(PolicyFiles, ABadRowIsAStateOfItsPolicy) {
  struct Case {
    const char* name;
    std::string text;
    const char* says;  ///< A part of the error.
  };
  const Case cases[] = {
      {"empty", "", "generation 5, set by root@a"},
      {"no-yaml", "{", "generation 5"},
      {"of-the-future", yaml("of-the-future") + "colour: red\n", "colour"},
      {"other", yaml("another"), "`another`"},
      {"two", yaml("two") + "---\n" + yaml("three"), "generation 5"},
  };
  for (const Case& c : cases) {
    const auto files = policy_files(
        stored({{c.name, c.text, 5, "root@a", ""}, {"good", yaml("good"), 6, "", ""}}), {});
    ASSERT_EQ(files.size(), 2U);
    EXPECT_FALSE(files[0].policy) << c.name;
    ASSERT_TRUE(files[0].error) << c.name;
    EXPECT_NE(files[0].error->text().find(c.says), std::string::npos) << files[0].error->text();
    EXPECT_NE(files[0].error->text().find(place_in_store(c.name)), std::string::npos)
        << files[0].error->text();
    ASSERT_TRUE(files[1].policy);
    EXPECT_FALSE(files[1].error);
  }
}

TEST(PolicyFiles, APolicyThatWentBadStaysAsItWas) {
  const auto good = policy_files(stored({{"a", yaml("a"), 1, "", ""}}), {});
  const auto bad = policy_files(stored({{"a", "{", 2, "", ""}}), good);
  ASSERT_TRUE(bad[0].policy && bad[0].error);
  EXPECT_EQ(*bad[0].policy, *good[0].policy);
  const auto gone = policy_files(stored({}), bad);
  EXPECT_TRUE(gone.empty());
}

TEST(PolicyFiles, PastTheBoundsOfAFolderNothingIsRead) {
  StoredPolicies many;
  for (std::size_t i = 0; i <= kMostPolicyFiles; ++i) {
    const std::string name = "p" + std::to_string(10000 + i);
    many.policies.push_back({name, yaml(name), 1, "", ""});
  }
  const auto files = policy_files(many, {});
  EXPECT_TRUE(files[kMostPolicyFiles - 1].policy);
  ASSERT_TRUE(files[kMostPolicyFiles].error);
  EXPECT_EQ(files[kMostPolicyFiles].error->kind, Error::Kind::exhausted);
}

TEST(Compose, BothAreInForceAndANameInBothNamesBothPlaces) {
  PolicyFolder folder{"/p"};
  folder.files.push_back({"/p/a.yaml", *parse_policy(yaml("a", "f"), "a"), {}});
  folder.files.push_back({"/p/b.yaml", *parse_policy(yaml("b", "f"), "b"), {}});
  const auto files =
      policy_files(stored({{"b", yaml("b", "s"), 1, "", ""}, {"c", yaml("c"), 1, "", ""}}), {});
  const PolicyFolder all = compose(folder, files);
  ASSERT_EQ(all.files.size(), 4U);
  EXPECT_TRUE(all.files[0].policy);
  EXPECT_FALSE(all.files[1].policy);
  ASSERT_TRUE(all.files[1].error);
  EXPECT_NE(all.files[1].error->text().find("/p/b.yaml"), std::string::npos);
  EXPECT_NE(all.files[1].error->text().find("the store"), std::string::npos);
  EXPECT_EQ(all.files[2].policy->select[0].port, "s");
  EXPECT_TRUE(all.files[3].policy);
  EXPECT_EQ(all.policies().size(), 3U);
  EXPECT_EQ(compose(folder, {}).first_error(), std::nullopt);
}

// ---- Conditions

HostRow host(const std::string& name, std::int64_t generation, const std::string& fault = "",
             std::map<std::string, std::string> refused = {}) {
  HostRow out;
  out.name = name;
  out.generation = generation;
  out.fault = fault;
  out.refused = std::move(refused);
  return out;
}

SessionRow session(const std::string& host, const std::string& name, const std::string& state,
                   const std::string& proof = "", bool in_place = true) {
  SessionRow out;
  out.host = host;
  out.name = name;
  out.policies = {"p", "q"};
  out.state = state;
  out.proof = proof;
  out.in_place = in_place;
  out.reason = "why";
  return out;
}

std::string told(const StoreCondition& c) {
  return std::string(to_text(c.status)) + " " + std::to_string(c.hosts) +
         (c.reason.empty() ? "" : " " + c.reason);
}

TEST(Standing, ByWhatTheHostsTell) {
  struct Case {
    const char* what;
    std::vector<HostRow> hosts;
    std::vector<SessionRow> sessions;
    const char *accepted, *realised, *proven;
  };
  const Case cases[] = {
      {"nobody told anything",
       {},
       {},
       "unknown 0 no agent has reported to the store yet",
       "unknown 0 no agent has reported to the store yet",
       "unknown 0 no agent has reported to the store yet"},
      {"one has not taken it in",
       {host("a", 5), host("b", 4)},
       {session("a", "s", "active", "received"), session("b", "s", "active", "received")},
       "unknown 1 b: has taken in generation 4 so far, of 5",
       "unknown 1 b: has taken in generation 4 so far, of 5",
       "unknown 1 b: has taken in generation 4 so far, of 5"},
      {"one can't read it",
       {host("a", 5), host("b", 6, "", {{"p", "bad"}})},
       {session("a", "s", "active", "received")},
       "false 1 b: bad",
       "false 1 b: bad",
       "false 1 b: bad"},
      {"one can't read another policy",
       {host("b", 5, "", {{"q", "bad"}})},
       {session("b", "s", "active", "received")},
       "true 1",
       "true 1",
       "true 1"},
      {"no NIC anywhere",
       {host("a", 5)},
       {},
       "true 1",
       "unknown 1 it selects no NIC of any host",
       "unknown 1 it selects no NIC of any host"},
      {"proven where there is something",
       {host("a", 5), host("b", 5)},
       {session("a", "s", "active", "copied"), session("a", "t", "ready", "traced")},
       "true 2",
       "true 2",
       "true 2"},
      {"silent and not traced",
       {host("a", 5)},
       {session("a", "s", "ready")},
       "true 1",
       "true 1",
       "unknown 0 a: s is ready: why"},
      {"active, not proven",
       {host("a", 5)},
       {session("a", "s", "active", "none")},
       "true 1",
       "true 1",
       "unknown 0 a: s is active: why"},
      {"on its way",
       {host("a", 5)},
       {session("a", "s", "pending", "", false)},
       "true 1",
       "unknown 0 a: s is pending: why",
       "false 0 a: s is pending: why"},
      {"failed beats on its way",
       {host("a", 5), host("b", 5)},
       {session("a", "s", "pending", "", false), session("b", "s", "failed")},
       "true 2",
       "false 0 b: s is failed: why",
       "false 0 a: s is pending: why"},
      {"drained",
       {host("a", 5, "drained")},
       {session("a", "s", "draining")},
       "true 1",
       "false 0 a: drained",
       "false 0 a: drained"},
      {"what goes is nobody's",
       {host("a", 5)},
       {session("a", "s", "draining")},
       "true 1",
       "unknown 1 it selects no NIC of any host",
       "unknown 1 it selects no NIC of any host"},
  };
  for (const Case& c : cases) {
    StoreContents contents{stored({{"p", yaml("p"), 5, "", ""}}), c.hosts, c.sessions};
    const auto rows = standing(contents, 0);
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(told(rows[0].accepted), c.accepted) << c.what;
    EXPECT_EQ(told(rows[0].realised), c.realised) << c.what;
    EXPECT_EQ(told(rows[0].proven), c.proven) << c.what;
    EXPECT_EQ(rows[0].hosts, c.hosts.size()) << c.what;
  }
}

TEST(StoreContents, ATermBeginsWhereItIsKnownBest) {
  constexpr Time kNow = 1'800'000'000 * kSecond;  // 2027-01-15T08:00:00Z
  const struct {
    const char* what;
    std::string set_at;
    std::int64_t generation_before;  ///< Of the same name; it had begun an hour ago.
    Time unknown;                    ///< Since when before kNow nobody followed.
    Time begun;                      ///< Before kNow.
  } table[] = {
      {"it came now, whatever the other clock says", "2027-01-15T03:00:00Z", 0, 0, 0},
      {"it came while nobody followed", "2027-01-15T07:59:00Z", 0, 600 * kSecond, 60 * kSecond},
      {"while nobody followed, by a clock behind", "2027-01-15T03:00:00Z", 0, 600 * kSecond,
       600 * kSecond},
      {"before this agent began, by a clock behind or not", "2027-01-15T03:00:00Z", 0, kNow,
       5 * 3600 * kSecond},
      {"by a clock ahead", "2027-01-15T09:00:00Z", 0, kNow, 0},
      {"without a time", "", 0, kNow, 0},
      {"it was here", "2027-01-15T03:00:00Z", 5, 0, 3600 * kSecond},
      {"another was here", "2027-01-15T03:00:00Z", 4, 0, 0},
  };
  for (const auto& row : table) {
    StoredPolicies now = stored({{"p", yaml("p"), 5, "", row.set_at}});
    StoredPolicies before;
    if (row.generation_before != 0)
      before.policies.push_back({"p", "", row.generation_before, "", "", kNow - 3600 * kSecond});
    begin_terms(now, before, kNow - row.unknown, kNow);
    EXPECT_EQ(now.policies[0].begun, kNow - row.begun) << row.what;
  }
}

TEST(StoreContents, APolicyThatEndedSaysSo) {
  StoreContents contents{
      stored({{"p", yaml("p") + "ttl: 1h\n", 5, "", "2027-01-15T07:00:00Z"}}), {host("a", 5)}, {}};
  for (const Time after : {-kSecond, kSecond}) {
    const auto rows = standing(contents, 1'800'000'000 * kSecond + after);
    EXPECT_EQ(rows[0].ends, 1'800'000'000 * kSecond);
    EXPECT_EQ(told(rows[0].realised), after < 0 ? "unknown 1 it selects no NIC of any host"
                                                : "unknown 1 it ended at 2027-01-15T08:00:00Z");
  }
}

}  // namespace
}  // namespace vmirror
