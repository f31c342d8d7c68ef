// The rows that say who may write what. That ovsdb-server goes by them is tested with a real one
// (tests/system/test_pki.py).
#include "agent/control/store/roles.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>

#include "agent/control/store/schema.hpp"

namespace vmirror::store {
namespace {

namespace json = boost::json;

/// table -> row of RBAC_Permission
std::map<std::string, json::object> permissions(const std::string& transaction) {
  std::map<std::string, json::object> out;
  const json::value all = json::parse(transaction);
  for (const json::value& one : all.as_array())
    if (one.is_object() && one.at("op") == "insert" && one.at("table") == "RBAC_Permission")
      out.emplace(one.at("row").at("table").as_string(), one.at("row").as_object());
  return out;
}

TEST(Roles, WhoMayWriteWhat) {
  const auto is = permissions(roles_transaction({"alice", "bob"}, true));
  struct Case {
    const char *table, *authorization;
    bool insert_delete;
  };
  const Case cases[] = {
      {"Host", R"(["set",["name"]])", true},
      {"Session", R"(["set",["host"]])", true},
      {"Policy", R"(["set",["set_by"]])", true},
      {"Removal", R"(["set",["removed_by"]])", true},
      {"Cluster", R"(["set",["operators:alice","operators:bob"]])", false},
  };
  EXPECT_EQ(is.size(), std::size(cases)) << "nothing else may be written";
  for (const Case& c : cases) {
    EXPECT_EQ(json::serialize(is.at(c.table).at("authorization")), c.authorization) << c.table;
    EXPECT_EQ(is.at(c.table).at("insert_delete"), c.insert_delete) << c.table;
  }
  EXPECT_EQ(json::serialize(is.at("Policy").at("update")), R"(["set",[]])");
  EXPECT_EQ(json::serialize(is.at("Removal").at("update")), R"(["set",[]])");
  EXPECT_EQ(json::serialize(is.at("Cluster").at("update")),
            R"(["set",["generation","policies","removals"]])");
}

TEST(Roles, WhoseARowIsNeverChanges) {
  const auto is = permissions(roles_transaction({}, true));
  const json::value schema = json::parse(schema_text());
  for (const auto& [table, whose] : {std::pair("Host", "name"), {"Session", "host"}}) {
    const json::array& update = is.at(table).at("update").at(1).as_array();
    EXPECT_EQ(std::ranges::count(update, json::value(whose)), 0) << table;
    EXPECT_EQ(update.size() + 1, schema.at("tables").at(table).at("columns").as_object().size());
  }
  // Without operators nobody may write the Cluster; an empty text would let everybody.
  EXPECT_EQ(json::serialize(is.at("Cluster").at("authorization")), R"(["set",[]])");
}

TEST(Roles, TheClustersRowIsMadeWhereThereIsNone) {
  const std::string made = roles_transaction({"alice"}, false),
                    changed = roles_transaction({"alice"}, true);
  EXPECT_NE(made.find(R"({"op":"insert","table":"Cluster")"), std::string::npos) << made;
  EXPECT_NE(changed.find(R"({"op":"update","table":"Cluster","where":[])"), std::string::npos);
  for (const std::string& text : {made, changed})
    EXPECT_NE(text.find(R"("operators":["map",[["alice","operator:alice"]]])"), std::string::npos);
}

TEST(Roles, AnOperatorIsNamedOrNoMoreInBothPlaces) {
  struct Case {
    bool take;
    const char *named, *authorized;
  };
  const Case cases[] = {
      {false, R"(["operators","insert",["map",[["eve","operator:eve"]]]])",
       R"(["authorization","insert",["set",["operators:eve"]]])"},
      {true, R"(["operators","delete",["set",["eve"]]])",
       R"(["authorization","delete",["set",["operators:eve"]]])"},
  };
  for (const Case& c : cases) {
    const json::value is = json::parse(operator_transaction("eve", c.take));
    EXPECT_EQ(json::serialize(is.at(1).at("mutations").at(0)), c.named);
    EXPECT_EQ(json::serialize(is.at(2).at("mutations").at(0)), c.authorized);
    EXPECT_EQ(json::serialize(is.at(2).at("where")), R"([["table","==","Cluster"]])");
  }
}

}  // namespace
}  // namespace vmirror::store
