#include "agent/report/preview.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "agent/api/routes.hpp"
#include "agent/engine/worker/json.hpp"
#include "agent/report/unmatched.hpp"
#include "plugin/api/diff.hpp"
#include "plugin/base/text.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

/// The sessions of one set of policies, and what the driver says of them.
struct Outlook {
  Agreed agreed;
  std::map<std::string, const Session*> sessions;
  std::map<std::string, const Verdict*> verdicts;
};

Outlook outlook(const PreviewView& v, std::span<const Policy> policies,
                const Locations& locations) {
  Outlook out{
      agree(policies, locations, v.now, v.monitor_nic, *v.control.observed, v.realise), {}, {}};
  for (const Session& s : out.agreed.resolved.desired.sessions) out.sessions[s.name] = &s;
  for (const Verdict& verdict : out.agreed.realisation.verdicts)
    out.verdicts[verdict.session] = &verdict;
  return out;
}

const char* change_of(const Session& session, const Outlook& before) {
  const auto was = before.sessions.find(session.name);
  if (was == before.sessions.end()) return "new";
  return *was->second == session ? "unchanged" : "changed";
}

/// One row of "sessions".
json::object row(const Session& session, const Outlook& after, const std::string& change,
                 const Error* refused) {
  const Error none{Error::Kind::refused, "", "", ""};
  const Error& error = refused != nullptr ? *refused : none;
  json::object out{{"name", session.name}, {"policy", session.policy},
                   {"port", session.port}, {"switch", session.switch_name},
                   {"change", change},     {"reason", error.text()}};
  out["remedy"] = error.remedy.empty() ? json::value() : json::value(error.remedy);
  const auto at = after.agreed.resolved.where.find(session.name);
  const bool known = at != after.agreed.resolved.where.end();
  out["vm"] = known ? json::value(at->second.vm()) : json::value();
  out["mac"] = known && at->second.mac ? json::value(at->second.mac->text()) : json::value();
  const auto verdict = after.verdicts.find(session.name);
  const bool served = verdict != after.verdicts.end() && !verdict->second->refused;
  out["mirror"] = served ? json::value(verdict->second->mirror) : json::value();
  out["output"] = served ? json::value(verdict->second->output) : json::value();
  out["warnings"] = served ? texts(verdict->second->warnings) : json::array();
  return out;
}

/// The sessions of one policy, refused ones too.
json::array rows_of(const Policy& policy, const Outlook& before, const Outlook& after) {
  json::array out;
  for (const auto& [name, session] : after.sessions) {
    if (!has_policy(session->policy, policy.name)) continue;
    const auto verdict = after.verdicts.find(name);
    if (verdict != after.verdicts.end() && verdict->second->refused)
      out.push_back(row(*session, after, "refused", &*verdict->second->refused));
    else
      out.push_back(row(*session, after, change_of(*session, before), nullptr));
  }
  for (const Refusal& refusal : after.agreed.resolved.refused)
    if (refusal.session.policy == policy.name)
      out.push_back(row(refusal.session, after, "refused", &refusal.reason));
  return out;
}

/// "2 NICs: new 1, refused 1: why"
std::string summary(std::size_t nics, const json::array& rows, const PolicyStatus& status) {
  std::map<std::string, std::size_t> changes;
  std::string why;
  for (const json::value& row : rows) {
    const std::string change(row.at("change").as_string());
    ++changes[change];
    if (change == "refused" && why.empty()) why = ": " + std::string(row.at("reason").as_string());
  }
  if (why.empty() && status.state != PolicyState::in_force) why = ": " + status.reason;
  std::string out = count(nics, "NIC");
  if (rows.size() != nics) out += ", " + count(rows.size(), "session");
  const char* between = ": ";
  for (const auto& [change, number] : changes)
    out += std::exchange(between, ", ") + change + " " + std::to_string(number);
  return out + why;
}

std::size_t nics_of(const Policy& policy, const Locations& locations) {
  return static_cast<std::size_t>(std::ranges::count_if(locations, [&](const Location& at) {
    return at.presence != Presence::gone &&
           std::ranges::any_of(policy.select, [&](const Selector& s) { return selects(s, at); });
  }));
}

}  // namespace

Result<json::object> preview_json(const PreviewView& v, std::span<const Policy> given) {
  if (v.control.observe_error) return tl::unexpected(*v.control.observe_error);
  if (!v.control.observed)
    return fail(Error::Kind::unreachable, "the switch was not read yet", "", "try again");
  std::vector<Policy> policies(v.in_force.begin(), v.in_force.end());
  std::set<std::string> replaced;
  for (const Policy& policy : given) {
    if (std::erase_if(policies, [&](const Policy& p) { return p.name == policy.name; }) != 0)
      replaced.insert(policy.name);
    policies.push_back(policy);
  }
  Locations locations;
  for (const auto& [key, location] : v.control.locations) locations.push_back(location.at);
  const Outlook before = outlook(v, v.in_force, locations);
  const Outlook after = outlook(v, policies, locations);

  bool well = true;
  std::set<std::string> told;
  json::array of_policies, sessions, goes, steps;
  for (const Policy& policy : given) {
    json::array rows = rows_of(policy, before, after);
    const std::size_t nics = nics_of(policy, locations);
    const auto refused = std::ranges::count_if(
        rows, [](const json::value& row) { return row.at("change") == "refused"; });
    const PolicyStatus& status =
        *std::ranges::find(after.agreed.resolved.policies, policy.name, &PolicyStatus::name);
    well = well && nics > 0 && refused == 0;
    of_policies.push_back(
        {{"policy", policy.name},
         {"replaces", replaced.contains(policy.name)},
         {"nics", nics},
         {"sessions", rows.size()},
         {"refused", refused},
         {"summary", summary(nics, rows, status)},
         {"unmatched", texts(unmatched(policy, v.control.locations, v.hypervisor))}});
    for (json::value& one : rows)  // Two given policies may share a session.
      if (told.insert(std::string(one.at("name").as_string())).second)
        sessions.push_back(std::move(one));
  }
  for (const auto& [name, session] : before.sessions)
    if (!after.sessions.contains(name)) goes.emplace_back(name);
  for (const Step& step : diff(after.agreed.realisation.objects, *v.control.observed))
    steps.emplace_back(to_json(step));
  return json::object{{"well", well},
                      {"policies", std::move(of_policies)},
                      {"sessions", std::move(sessions)},
                      {"goes", std::move(goes)},
                      {"steps", std::move(steps)}};
}

}  // namespace vmirror
