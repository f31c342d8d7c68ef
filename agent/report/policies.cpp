#include "agent/report/policies.hpp"

#include <algorithm>
#include <set>

#include "agent/api/routes.hpp"
#include "agent/control/reconcile/resolve.hpp"
#include "agent/report/unmatched.hpp"
#include "plugin/base/text.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

constexpr const char* kStays = "; still in force as it was before it went bad";

/// The NICs that a policy has sessions for.
std::size_t nics_of(const ControlSnapshot& control, const std::string& policy) {
  std::set<PortKey> nics;
  for (const auto& [name, s] : control.sessions)
    if (has_policy(s.policy, policy) && s.state != SessionState::draining)
      nics.insert({s.switch_name, s.port});
  return nics.size();
}

/// "2 NICs: active 1, refused 1: why"
std::string summary(std::size_t nics, const AskedVerdict& verdict) {
  std::string out = count(nics, "NIC");
  if (verdict.sessions != nics) out += ", " + count(verdict.sessions, "session");
  return out + state_list(verdict) + (verdict.well() ? "" : ": ") + first_fault(verdict);
}

/// Of a policy that is good, and not in force.
const char* why_waiting(const AskedView& v) {
  if (!v.drives) return "this daemon drives no switch";
  if (v.drained) return kDrained;
  return v.control.observed ? "not in force yet" : "the switch was not read yet";
}

}  // namespace

json::array policy_rows(const AskedView& v) {
  json::array out;
  std::vector<std::string> told;
  const auto status_of = [&](const std::string& name) {
    return std::ranges::find(v.control.policies, name, &PolicyStatus::name);
  };
  for (const PolicyFile& file : v.policies.files) {
    json::object row{{"file", file.path},
                     {"error", file.error ? json::value(to_json(*file.error)) : json::value()}};
    const std::string name = file.policy ? file.policy->name : "";
    if (const auto is = status_of(name); file.policy && is != v.control.policies.end()) {
      for (auto& [key, value] : to_json(*is)) row[key] = value;
      if (file.error) row["reason"] = is->reason + kStays;
      told.push_back(name);
    } else {
      row["name"] = file.policy ? json::value(name) : json::value(nullptr);
      row["state"] = file.error ? "bad" : "waiting";
      row["sessions"] = 0;
      row["reason"] = file.error         ? file.error->text()
                      : v.policies.error ? "not in force: " + v.policies.error->text()
                                         : why_waiting(v);
    }
    out.push_back(std::move(row));
  }
  for (const PolicyStatus& p : v.control.policies) {
    if (std::ranges::find(told, p.name) != told.end()) continue;
    json::object row = to_json(p);
    row["file"] = nullptr;
    row["error"] = nullptr;
    row["reason"] = p.reason + kStays;
    out.push_back(std::move(row));
  }
  return out;
}

json::object policies_json(const AskedView& v) {
  json::array rows = policy_rows(v);
  for (json::value& row : rows) {
    const auto* name = row.at("name").if_string();
    const auto file = std::ranges::find_if(v.policies.files, [&](const PolicyFile& f) {
      return name != nullptr && f.policy && f.policy->name == *name;
    });
    if (file == v.policies.files.end()) {
      row.as_object()["summary"] = row.at("reason");
      continue;
    }
    std::string said = summary(nics_of(v.control, file->policy->name), verdict(v, *file->policy));
    if (file->error)
      said += "; the file is bad, the policy stays as it was: " + file->error->text();
    row.as_object()["summary"] = said;
  }
  return {{"policies", std::move(rows)}, {"verdict", to_json(verdict(v))}};
}

Result<json::object> policy_json(const AskedView& v, const std::string& name) {
  const auto file = std::ranges::find_if(
      v.policies.files, [&](const PolicyFile& f) { return f.policy && f.policy->name == name; });
  if (file == v.policies.files.end())
    return fail(Error::Kind::missing, "there is no policy `" + name + "`", v.policies.path,
                "see `vmirror policies`");
  const auto& all = v.control.policies;
  const auto is = std::ranges::find(all, name, &PolicyStatus::name);
  const AskedVerdict verdict = vmirror::verdict(v, *file->policy);
  const std::size_t nics = nics_of(v.control, name);
  json::array sessions, nowhere;
  for (const auto& [key, s] : v.control.sessions)
    if (has_policy(s.policy, name)) sessions.emplace_back(to_json(s));
  for (const std::string& why : unmatched(*file->policy, v.control.locations, v.hypervisor))
    nowhere.emplace_back(why);
  return json::object{{"policy", name},
                      {"file", file->path},
                      {"state", is == all.end() ? "waiting" : to_text(is->state)},
                      {"reason", is == all.end() ? why_waiting(v) : is->reason},
                      {"nics", nics},
                      {"summary", summary(nics, verdict)},
                      {"unmatched", std::move(nowhere)},
                      {"sessions", std::move(sessions)},
                      {"verdict", to_json(verdict)}};
}

}  // namespace vmirror
