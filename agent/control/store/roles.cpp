#include "agent/control/store/roles.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <vector>

#include "agent/control/store/schema.hpp"

namespace vmirror::store {

namespace json = boost::json;

namespace {

json::array set_of(const std::vector<std::string>& texts) {
  return {"set", json::array(texts.begin(), texts.end())};
}

/// A table's columns in the schema, without those that say whose a row is.
std::vector<std::string> columns_but(const char* table, const char* whose) {
  const json::value schema = json::parse(schema_text());
  std::vector<std::string> out;
  for (const auto& [name, type] : schema.at("tables").at(table).at("columns").as_object())
    if (name != whose) out.emplace_back(name);
  return out;
}

json::object insert(const char* table, const std::string& as, json::object row) {
  return {{"op", "insert"}, {"table", table}, {"uuid-name", as}, {"row", std::move(row)}};
}

json::object delete_all(const char* table) {
  return {{"op", "delete"}, {"table", table}, {"where", json::array()}};
}

struct Permission {
  const char* table;
  std::vector<std::string> authorization;
  bool insert_delete;
  std::vector<std::string> update;
};

std::vector<Permission> permissions(const std::set<std::string>& operators) {
  std::vector<std::string> of_operators;
  for (const std::string& name : operators) of_operators.push_back("operators:" + name);
  return {{"Host", {"name"}, true, columns_but("Host", "name")},
          {"Session", {"host"}, true, columns_but("Session", "host")},
          {"Policy", {"set_by"}, true, {}},
          {"Removal", {"removed_by"}, true, {}},
          {"Cluster", std::move(of_operators), false, {"generation", "policies", "removals"}}};
}

}  // namespace

std::string roles_transaction(const std::set<std::string>& operators, bool has_cluster) {
  json::array out{"vmirror", delete_all("RBAC_Permission"), delete_all("RBAC_Role")};
  json::array of_tables, of_operators;
  for (const Permission& p : permissions(operators)) {
    const std::string as = std::string("of_") + p.table;
    out.push_back(insert("RBAC_Permission", as,
                         {{"table", p.table},
                          {"authorization", set_of(p.authorization)},
                          {"insert_delete", p.insert_delete},
                          {"update", set_of(p.update)}}));
    of_tables.push_back(json::array{p.table, json::array{"named-uuid", as}});
  }
  out.push_back(
      insert("RBAC_Role", "role",
             {{"name", kRole}, {"permissions", json::array{"map", std::move(of_tables)}}}));
  for (const std::string& name : operators)
    of_operators.push_back(json::array{name, "operator:" + name});
  json::object row{{"operators", json::array{"map", std::move(of_operators)}}};
  if (has_cluster)
    out.push_back(json::object{
        {"op", "update"}, {"table", "Cluster"}, {"where", json::array()}, {"row", std::move(row)}});
  else
    out.push_back(insert("Cluster", "cluster", std::move(row)));
  return json::serialize(out);
}

std::string operator_transaction(const std::string& name, bool take) {
  const auto mutate = [](const char* table, json::array where, const char* column, const char* how,
                         json::array value) {
    return json::object{{"op", "mutate"},
                        {"table", table},
                        {"where", std::move(where)},
                        {"mutations", json::array{json::array{column, how, std::move(value)}}}};
  };
  const char* const how = take ? "delete" : "insert";
  json::array named = take ? set_of({name})
                           : json::array{"map", json::array{json::array{name, "operator:" + name}}};
  return json::serialize(
      json::array{"vmirror", mutate("Cluster", {}, "operators", how, std::move(named)),
                  mutate("RBAC_Permission", json::array{json::array{"table", "==", "Cluster"}},
                         "authorization", how, set_of({"operators:" + name}))});
}

bool refused_by_roles(const Error& error) {
  return error.what.find("permission error") != error.what.npos;
}

}  // namespace vmirror::store
