#include "agent/report/store.hpp"

#include <algorithm>

#include "plugin/base/text.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

json::value null_if_empty(const std::string& text) {
  return text.empty() ? json::value() : json::value(text);
}

json::object condition_json(const StoreCondition& c) {
  return {{"status", to_text(c.status)}, {"hosts", c.hosts}, {"reason", null_if_empty(c.reason)}};
}

json::array text_array(const std::set<std::string>& texts) {
  return json::array(texts.begin(), texts.end());
}

}  // namespace

json::object store_policies_json(const StoreContents& contents, Time now) {
  json::array policies;
  for (const PolicyStanding& s : standing(contents, now))
    policies.push_back({{"name", s.policy.name},
                        {"generation", s.policy.generation},
                        {"set_by", s.policy.set_by},
                        {"set_at", s.policy.set_at},
                        {"ends", s.ends ? json::value(clock_text(*s.ends)) : json::value()},
                        {"yaml", s.policy.yaml},
                        {"hosts", s.hosts},
                        {"observed", s.observed},
                        {"sessions", s.sessions},
                        {"accepted", condition_json(s.accepted)},
                        {"realised", condition_json(s.realised)},
                        {"proven", condition_json(s.proven)}});
  return {{"policies", std::move(policies)}, {"generation", contents.policies.generation}};
}

json::object store_hosts_json(const StoreContents& contents) {
  json::array hosts;
  for (const HostRow& h : contents.hosts) {
    json::object refused;
    for (const auto& [policy, why] : h.refused) refused[policy] = why;
    hosts.push_back(
        {{"name", h.name},
         {"kind", h.kind},
         {"switch_version", h.switch_version},
         {"version", h.version},
         {"capabilities", text_array(h.capabilities)},
         {"generation", h.generation},
         {"refused", std::move(refused)},
         {"fault", null_if_empty(h.fault)},
         {"sessions", std::ranges::count(contents.sessions, h.name, &SessionRow::host)}});
  }
  return {{"hosts", std::move(hosts)}};
}

json::object store_sessions_json(const StoreContents& contents) {
  json::array sessions;
  for (const SessionRow& s : contents.sessions) {
    std::string state = s.state;
    if (s.proof == "none")
      state += ", not proven";
    else if (!s.proof.empty())
      state += " (" + s.proof + ")";
    sessions.push_back({{"name", s.name},
                        {"host", s.host},
                        {"policies", text_array(s.policies)},
                        {"vm", s.vm},
                        {"mac", null_if_empty(s.mac)},
                        {"switch", s.switch_name},
                        {"port", s.port},
                        {"target", s.target},
                        {"state", s.state},
                        {"proof", null_if_empty(s.proof)},
                        {"state_text", std::move(state)},
                        {"in_place", s.in_place},
                        {"reason", s.reason},
                        {"since", s.since}});
  }
  return {{"sessions", std::move(sessions)}};
}

json::object store_removals_json(const StoreContents& contents) {
  json::array removals;
  for (const RemovalRow& r : contents.removals)
    removals.push_back({{"policy", r.policy},
                        {"generation", r.generation},
                        {"removed_by", r.removed_by},
                        {"removed_at", r.removed_at}});
  return {{"removals", std::move(removals)}};
}

json::object to_json(const StoreStatus& s) {
  return {{"state", s.connected ? "connected" : "unreachable"},
          {"since", clock_text(s.since)},
          {"servers", s.servers},
          {"relay", null_if_empty(s.relay)},
          {"error", null_if_empty(s.error)},
          {"generation", s.known ? json::value(s.generation) : json::value()},
          {"policies", s.known ? json::value(s.policies) : json::value()},
          {"reports", s.reports},
          {"rival", s.rival == 0 ? json::value() : json::value(clock_text(s.rival))},
          {"lacks", json::array(s.lacks.begin(), s.lacks.end())}};
}

}  // namespace vmirror
