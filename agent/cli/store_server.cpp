#include "agent/cli/store_server.hpp"

#include <regex>
#include <sstream>

#include "agent/control/store/roles.hpp"
#include "plugin/base/address.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

/// An IPv6 address is written in brackets.
std::string in_brackets(const std::string& address) {
  return address.find(':') == address.npos ? address : "[" + address + "]";
}

std::string first_word(const std::string& text) {
  return text.substr(0, text.find(' '));
}

/// Where it listens for agents: "pssl:6651:192.0.2.7".
std::string clients_remote(const ServerSettings& s) {
  return (s.insecure ? "ptcp:" : "pssl:") + std::to_string(s.clients_port) + ":" +
         in_brackets(s.address);
}

Member parse_member(const std::smatch& m) {
  Member out{m[1], m[2], m[3].str().find("(self)") != std::string::npos, {}};
  static const std::regex last("last msg (\\d+) ms ago");
  std::smatch found;
  const std::string rest = m[3];
  if (std::regex_search(rest, found, last)) out.last_message_ms = std::stoll(found[1]);
  return out;
}

}  // namespace

std::string ServerSettings::member() const {
  return std::string(insecure ? "tcp:" : "ssl:") + in_brackets(address) + ":" +
         std::to_string(cluster_port);
}

Result<void> check(const ServerSettings& s) {
  if (s.is_alone()) return {};
  if (!IpAddress::parse(s.address))
    return fail(Error::Kind::invalid, "`" + s.address + "` is no IP address", "--address",
                "write the address at which the other members reach this host");
  const bool has_tls =
      !s.private_key.empty() && !s.certificate.empty() && !s.ca_certificate.empty();
  if (has_tls == s.insecure)
    return fail(
        Error::Kind::invalid,
        has_tls ? "--insecure and TLS files exclude each other"
                : "members of a cluster and agents reach each other over TLS",
        "--address",
        "give --private-key, --certificate and --ca-certificate, or --insecure on a network "
        "where nobody else is");
  for (const std::string& server : s.relay_of)
    if (!server.starts_with(s.insecure ? "tcp:" : "ssl:") || address_of_member(server).empty())
      return fail(Error::Kind::invalid, "`" + server + "` is no server's port for agents", "--to",
                  s.insecure ? "write tcp:IP:PORT" : "write ssl:IP:PORT");
  if (!s.is_relay() && s.clients_port == s.cluster_port)
    return fail(Error::Kind::invalid, "agents and members need two ports", "--cluster-port",
                "write another one");
  return {};
}

std::string encode_settings(const ServerSettings& s) {
  return json::serialize(
             json::object{{"address", s.address},
                          {"clients_port", s.clients_port},
                          {"cluster_port", s.cluster_port},
                          {"private_key", s.private_key},
                          {"certificate", s.certificate},
                          {"ca_certificate", s.ca_certificate},
                          {"insecure", s.insecure},
                          {"roles", s.roles},
                          {"relay_of", json::array(s.relay_of.begin(), s.relay_of.end())},
                          {"user", s.user}}) +
         "\n";
}

Result<ServerSettings> parse_settings(std::string_view text, const std::string& folder) {
  ServerSettings out;
  out.folder = folder;
  json::error_code error;
  const json::value value = json::parse(text, error);
  const auto* object = error ? nullptr : value.if_object();
  const auto wrong = [&] {
    return fail(Error::Kind::invalid, "not the settings of a server", out.file("server.json"),
                "make the server anew: `vmirror cluster init` or `join`");
  };
  if (object == nullptr) return wrong();
  for (const auto& [key, to] : {std::pair("address", &out.address),
                                {"private_key", &out.private_key},
                                {"certificate", &out.certificate},
                                {"ca_certificate", &out.ca_certificate},
                                {"user", &out.user}}) {
    const auto* member = object->if_contains(key);
    if (member == nullptr || !member->is_string()) return wrong();
    *to = std::string(member->get_string());
  }
  for (const auto& [key, to] :
       {std::pair("clients_port", &out.clients_port), {"cluster_port", &out.cluster_port}}) {
    const auto* member = object->if_contains(key);
    if (member == nullptr || !member->is_int64()) return wrong();
    *to = static_cast<int>(member->get_int64());
  }
  const auto* insecure = object->if_contains("insecure");
  if (insecure == nullptr || !insecure->is_bool()) return wrong();
  out.insecure = insecure->get_bool();
  // A server that was made before there were roles says nothing of them.
  if (const auto* roles = object->if_contains("roles"); roles != nullptr && roles->is_bool())
    out.roles = roles->get_bool();
  if (const auto* servers = object->if_contains("relay_of")) {
    if (!servers->is_array()) return wrong();
    for (const json::value& server : servers->get_array()) {
      if (!server.is_string()) return wrong();
      out.relay_of.emplace_back(server.get_string());
    }
  }
  return out;
}

std::vector<std::string> server_words(const ServerSettings& s, bool foreground) {
  std::vector<std::string> out{s.file("store.db"), "--unixctl=" + s.file("server.ctl"),
                               "--no-chdir"};
  if (s.is_relay()) {
    out.front() = "relay:vmirror:";
    for (const std::string& server : s.relay_of)
      out.front() += (server == s.relay_of.front() ? "" : ",") + server;
  } else {
    out.insert(out.begin() + 1, "--remote=p" + s.local_remote());
  }
  if (s.has_remotes()) {
    out.insert(out.begin() + 1, s.file("remotes.db"));
    out.emplace_back("--remote=db:vmirror_server,Server,connections");
  } else if (!s.is_alone()) {
    out.push_back("--remote=" + clients_remote(s));
  }
  if (!s.insecure && !s.is_alone())
    for (const auto& [option, file] : {std::pair("--private-key=", &s.private_key),
                                       {"--certificate=", &s.certificate},
                                       {"--ca-cert=", &s.ca_certificate}})
      out.push_back(option + *file);
  if (!s.user.empty()) out.push_back("--user=" + s.user);
  if (foreground) {
    out.emplace_back("-vconsole:info");
    return out;
  }
  out.push_back("--pidfile=" + s.file("server.pid"));
  out.push_back("--log-file=" + s.file("server.log"));
  out.insert(out.end(), {"-vconsole:off", "--detach", "--monitor"});
  return out;
}

// ---- Where it listens, and for whom

std::string remotes_schema() {
  // Its own tables of roles are empty: who has a role may write nothing here.
  return R"({"name": "vmirror_server", "version": "1.0.0", "tables": {
  "Server": {"columns": {"connections": {"type": {
    "key": {"type": "uuid", "refTable": "Connection"}, "min": 0, "max": "unlimited"}}},
    "isRoot": true, "maxRows": 1},
  "Connection": {"columns": {"target": {"type": "string"}, "role": {"type": "string"},
    "read_only": {"type": "boolean"}}, "indexes": [["target"]]},
  "RBAC_Role": {"columns": {"name": {"type": "string"}, "permissions": {"type": {
    "key": "string", "value": {"type": "uuid", "refTable": "RBAC_Permission", "refType": "weak"},
    "min": 0, "max": "unlimited"}}}, "isRoot": true},
  "RBAC_Permission": {"columns": {"table": {"type": "string"},
    "authorization": {"type": {"key": "string", "min": 0, "max": "unlimited"}},
    "insert_delete": {"type": "boolean"},
    "update": {"type": {"key": "string", "min": 0, "max": "unlimited"}}}, "isRoot": true}}}
)";
}

std::string remotes_transaction(const ServerSettings& s) {
  json::array out{"vmirror_server"}, connections;
  const auto listen = [&](const char* name, const std::string& target) {
    out.push_back({{"op", "insert"},
                   {"table", "Connection"},
                   {"uuid-name", name},
                   {"row",
                    {{"target", target},
                     {"role", s.roles ? store::kRole : ""},
                     {"read_only", s.is_relay()}}}});
    connections.push_back(json::array{"named-uuid", name});
  };
  listen("clients", clients_remote(s));
  if (s.is_relay()) listen("local", "p" + s.local_remote());
  out.push_back({{"op", "insert"},
                 {"table", "Server"},
                 {"row", {{"connections", json::array{"set", std::move(connections)}}}}});
  return json::serialize(out);
}

std::string address_of_member(const std::string& remote) {
  const std::size_t begin = remote.find(':'), end = remote.rfind(':');
  if (begin == remote.npos || begin == end) return {};
  std::string out = remote.substr(begin + 1, end - begin - 1);
  if (out.starts_with('[') && out.ends_with(']')) out = out.substr(1, out.size() - 2);
  return IpAddress::parse(out) ? out : std::string();
}

std::string firewall_rules(int port, const std::set<std::string>& addresses) {
  std::string v4, v6;
  for (const std::string& address : addresses) {
    std::string& list = address.find(':') == address.npos ? v4 : v6;
    list += (list.empty() ? "" : ", ") + address;
  }
  const std::string to = "    tcp dport " + std::to_string(port);
  return "table inet vmirror_store {}\ndelete table inet vmirror_store\n"
         "table inet vmirror_store {\n  chain members {\n"
         "    type filter hook input priority -10; policy accept;\n" +
         (v4.empty() ? "" : to + " ip saddr { " + v4 + " } accept\n") +
         (v6.empty() ? "" : to + " ip6 saddr { " + v6 + " } accept\n") + to + " drop\n  }\n}\n";
}

bool ServerStatus::is_well() const {
  if (!fault.empty()) return false;
  if (relay) return connected;
  return alone || (status == "cluster member" && !leader.empty() && leader != "unknown");
}

ServerStatus parse_cluster_status(const std::string& text) {
  static const std::regex line_form("^([A-Z][A-Za-z ]*): (.*)$");
  static const std::regex member_form("^    \\w+ \\((\\w+) at ([^)]+)\\)(.*)$");
  ServerStatus out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (line.size() > 1000) continue;  // std::regex recurses by the length.
    std::smatch m;
    if (std::regex_match(line, m, member_form)) out.members.push_back(parse_member(m));
    if (!std::regex_match(line, m, line_form)) continue;
    const std::string key = m[1], value = m[2];
    if (key == "Cluster ID") out.cluster_id = first_word(value);
    if (key == "Server ID") out.server_id = first_word(value);
    if (key == "Address") out.address = value;
    if (key == "Status") out.status = value;
    if (key == "Role") out.role = value;
    if (key == "Leader") out.leader = value == "self" ? out.server_id : value;
    if (key == "Term") out.term = std::atoll(value.c_str());
  }
  return out;
}

ServerStatus parse_relay_status(const json::array& answer) {
  ServerStatus out;
  out.relay = true;
  const auto* rows = answer.empty() || !answer[0].is_object()
                         ? nullptr
                         : answer[0].get_object().if_contains("rows");
  if (rows == nullptr || !rows->is_array()) return out;
  for (const json::value& row : rows->get_array()) {
    const auto* connected = row.is_object() ? row.get_object().if_contains("connected") : nullptr;
    // Before the first connection it has no schema, and still says that it is connected.
    const auto* schema = row.is_object() ? row.get_object().if_contains("schema") : nullptr;
    out.connected =
        connected != nullptr && *connected == true && schema != nullptr && schema->is_string();
  }
  return out;
}

json::object to_json(const ServerStatus& s) {
  const auto or_null = [](const std::string& text) {
    return text.empty() ? json::value() : json::value(text);
  };
  json::array members;
  for (const Member& m : s.members)
    members.push_back(
        {{"id", m.id},
         {"address", m.address},
         {"self", m.self},
         {"last_message_ms", m.last_message_ms ? json::value(*m.last_message_ms) : json::value()}});
  return {{"alone", s.alone},
          {"relay", s.relay},
          {"connected", s.relay ? json::value(s.connected) : json::value()},
          {"cluster_id", or_null(s.cluster_id)},
          {"server_id", or_null(s.server_id)},
          {"address", or_null(s.address)},
          {"status", or_null(s.status)},
          {"role", or_null(s.role)},
          {"leader", or_null(s.leader)},
          {"term", s.term},
          {"members", std::move(members)},
          {"fault", or_null(s.fault)},
          {"well", s.is_well()}};
}

}  // namespace vmirror
