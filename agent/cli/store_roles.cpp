#include "agent/cli/store_roles.hpp"

#include <cerrno>
#include <cstring>

#include "agent/cli/store_tools.hpp"
#include "agent/control/store/roles.hpp"
#include "agent/control/store/schema.hpp"
#include "plugin/base/whole_file.hpp"

namespace vmirror {

namespace json = boost::json;

Result<StoreState> store_state(const ServerSettings& s) {
  StoreState out;
  auto version = run_tool("ovsdb-client", {"--timeout=30", "--no-leader-only", "get-schema-version",
                                           s.local_remote(), "vmirror"});
  if (!version) return tl::unexpected(version.error());
  out.schema_version = version->substr(0, version->find('\n'));
  if (out.is_old()) return out;
  const auto rows = transact(
      s, R"(["vmirror",{"op":"select","table":"Cluster","where":[],"columns":["operators"]}])");
  if (!rows) return tl::unexpected(rows.error());
  for (const json::value& row : rows->at(0).at("rows").as_array()) {
    out.has_cluster = true;
    for (const json::value& pair : row.at("operators").at(1).as_array())
      out.operators.emplace(pair.at(0).as_string());
  }
  return out;
}

Result<void> put_roles(const ServerSettings& s, const StoreState& state) {
  const auto done = transact(s, store::roles_transaction(state.operators, state.has_cluster));
  if (done) return {};
  // On a slow disk a leader loses its office in the middle and carries the transaction out twice:
  // the second is refused because of the first (ovsdb-server 3.1). By what is there now:
  const auto now = store_state(s);
  if (!now || now->has_cluster == state.has_cluster) return tl::unexpected(done.error());
  return transact(s, store::roles_transaction(now->operators, now->has_cluster))
      .map([](const json::array&) {});
}

Result<void> change_operator(const ServerSettings& s, const std::string& name, bool take) {
  const auto done = transact(s, store::operator_transaction(name, take));
  if (!done) return tl::unexpected(done.error());
  return {};
}

/// The schema of this version in three steps, so that the policies of schema 1, to which nothing
/// refers, do not go: a schema that keeps them, the references, the schema.
Result<void> convert_store(const ServerSettings& s, const StoreState& state) {
  const std::string file = s.file("vmirror.ovsschema");
  const auto to = [&](std::string_view text) -> Result<void> {
    if (!replace_file(file, text))
      return fail(Error::Kind::refused, std::strerror(errno), file, "run as root");
    return run_tool("ovsdb-client",
                    {"--timeout=60", "--no-leader-only", "convert", s.local_remote(), file})
        .map([](const std::string&) {});
  };
  if (!state.is_old()) return to(store::schema_text());
  if (auto done = to(store::schema_between()); !done) return done;
  const auto rows =
      transact(s, R"(["vmirror",{"op":"select","table":"Policy","where":[],"columns":["_uuid"]},)"
                  R"({"op":"select","table":"Cluster","where":[],"columns":["_uuid"]}])");
  if (!rows) return tl::unexpected(rows.error());
  json::array references;
  for (const json::value& row : rows->at(0).at("rows").as_array())
    references.push_back(row.at("_uuid"));
  json::object operation{{"table", "Cluster"},
                         {"row", {{"policies", json::array{"set", std::move(references)}}}}};
  if (rows->at(1).at("rows").as_array().empty()) {
    operation["op"] = "insert";
  } else {
    operation["op"] = "update";
    operation["where"] = json::array();
  }
  if (const auto done = transact(s, json::serialize(json::array{"vmirror", std::move(operation)}));
      !done)
    return tl::unexpected(done.error());
  return to(store::schema_text());
}

}  // namespace vmirror
