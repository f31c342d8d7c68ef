#include "agent/control/store/schema.hpp"

#include <array>
#include <boost/json.hpp>
#include <cstdio>

namespace vmirror::store {

ovsdb::Schema schema() {
  using ovsdb::Column;
  using ovsdb::Type;
  const auto text = [](const char* name) { return Column::one(name, Type::string); };
  return {"vmirror",
          {{"Cluster",
            true,
            {Column::one("generation", Type::integer), Column::set("policies", Type::uuid),
             Column::set("removals", Type::uuid)}},
           {"Policy",
            true,  // Of schema 1; with another, the client deletes none.
            {text("name"), text("yaml"), Column::one("generation", Type::integer), text("set_by"),
             text("set_at")},
            true},
           {"Host",
            true,
            {text("name"), text("kind"), text("switch_version"), text("version"),
             Column::set("capabilities", Type::string), Column::one("generation", Type::integer),
             Column::map("refused"), Column::optional("fault", Type::string), text("instance")},
            true},
           {"Session",
            true,
            {text("name"), text("host"), Column::set("policies", Type::string), text("vm"),
             text("mac"), text("switch"), text("port"), text("target"), text("state"),
             text("proof"), Column::one("in_place", Type::boolean), text("reason"), text("since")}},
           {"Removal",
            false,
            {text("policy"), Column::one("generation", Type::integer), text("removed_by"),
             text("removed_at")}}}};
}

std::string schema_between() {
  boost::json::value out = boost::json::parse(schema_text());
  out.at("tables").at("Policy").as_object()["isRoot"] = true;
  return boost::json::serialize(out);
}

std::string schema_version() {
  return std::string(boost::json::parse(schema_text()).at("version").as_string());
}

bool is_later(const std::string& a, const std::string& b) {
  const auto numbers = [](const std::string& version) {
    std::array<int, 3> out{};
    std::sscanf(version.c_str(), "%d.%d.%d", &out[0], &out[1], &out[2]);
    return out;
  };
  return numbers(a) > numbers(b);
}

std::vector<std::string> lacking(const ovsdb::Snapshot& snapshot) {
  std::vector<std::string> out;
  const ovsdb::Schema all = schema();
  for (std::size_t t = 0; t < all.tables.size(); ++t)
    for (std::size_t c = 0; c < all.tables[t].columns.size(); ++c)
      if (!snapshot[t].has_column[c])
        out.push_back(all.tables[t].name + "." + all.tables[t].columns[c].name);
  return out;
}

}  // namespace vmirror::store
