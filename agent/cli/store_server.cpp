#include "agent/cli/store_server.hpp"

#include <regex>
#include <sstream>

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
  if (s.clients_port == s.cluster_port)
    return fail(Error::Kind::invalid, "agents and members need two ports", "--cluster-port",
                "write another one");
  return {};
}

std::string encode_settings(const ServerSettings& s) {
  return json::serialize(json::object{{"address", s.address},
                                      {"clients_port", s.clients_port},
                                      {"cluster_port", s.cluster_port},
                                      {"private_key", s.private_key},
                                      {"certificate", s.certificate},
                                      {"ca_certificate", s.ca_certificate},
                                      {"insecure", s.insecure},
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
  return out;
}

std::vector<std::string> server_words(const ServerSettings& s, bool foreground) {
  std::vector<std::string> out{s.file("store.db"), "--remote=p" + s.local_remote(),
                               "--unixctl=" + s.file("server.ctl"), "--no-chdir"};
  if (!s.is_alone())
    out.push_back(std::string("--remote=") + (s.insecure ? "ptcp:" : "pssl:") +
                  std::to_string(s.clients_port) + ":" + in_brackets(s.address));
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

bool ServerStatus::is_well() const {
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
          {"cluster_id", or_null(s.cluster_id)},
          {"server_id", or_null(s.server_id)},
          {"address", or_null(s.address)},
          {"status", or_null(s.status)},
          {"role", or_null(s.role)},
          {"leader", or_null(s.leader)},
          {"term", s.term},
          {"members", std::move(members)},
          {"well", s.is_well()}};
}

}  // namespace vmirror
