#include "agent/report/check.hpp"

#include <map>

#include "agent/report/check_parts.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

struct Check {
  const char* id;
  checks::Told (*look)(const CheckEvidence&);
};
constexpr Check kChecks[] = {
    {"switch-readable", checks::check_switch},
    {"all-watched", checks::check_watched},
    {"copies-proven", checks::check_proven},
    {"coverage", checks::check_coverage},
    {"session-warnings", checks::check_sessions},
    {"traffic", checks::check_traffic},
    {"unicast", checks::check_unicast},
    {"both-directions", checks::check_both_directions},
    {"dc-both-directions", checks::check_domain_controllers},
    {"duplicates", checks::check_duplicates},
    {"truncation", checks::check_truncation},
    {"sequence-loss", checks::check_sequence},
    {"drops", checks::check_drops},
    {"inputs", checks::check_inputs},
    {"monitor-nic", checks::check_monitor_nics},
    {"clock-skew", checks::check_clock_skew},
    {"vlans", checks::check_vlans},
    {"devices", checks::check_devices},
    {"protocols", checks::check_protocols},
    {"expected-protocols", checks::check_expected},
    {"limits", checks::check_limits},
    {"clocks", checks::check_clocks},
    {"foreign-changes", checks::check_drift},
    {"foreign-mirrors", checks::check_foreign_mirrors},
};

}  // namespace

const char* to_text(CheckVerdict verdict) {
  switch (verdict) {
    case CheckVerdict::pass:
      return "pass";
    case CheckVerdict::warn:
      return "warn";
    case CheckVerdict::fail:
      return "fail";
    case CheckVerdict::not_told:
      return "not told";
  }
  return "";
}

std::vector<CheckFinding> run_checks(const CheckEvidence& evidence) {
  std::vector<CheckFinding> out;
  for (const Check& check : kChecks) {
    checks::Told told = check.look(evidence);
    out.push_back({check.id, told.verdict, std::move(told.evidence), std::move(told.remedy)});
  }
  return out;
}

std::vector<std::string> check_ids() {
  std::vector<std::string> out;
  for (const Check& check : kChecks) out.emplace_back(check.id);
  return out;
}

json::object to_json(const std::vector<CheckFinding>& findings) {
  std::map<CheckVerdict, std::size_t> counts;
  json::array rows;
  for (const CheckFinding& f : findings) {
    ++counts[f.verdict];
    rows.push_back({{"id", f.id},
                    {"verdict", to_text(f.verdict)},
                    {"evidence", f.evidence},
                    {"remedy", f.remedy.empty() ? json::value() : json::value(f.remedy)}});
  }
  return {{"well", counts[CheckVerdict::fail] == 0},    {"pass", counts[CheckVerdict::pass]},
          {"warn", counts[CheckVerdict::warn]},         {"fail", counts[CheckVerdict::fail]},
          {"not_told", counts[CheckVerdict::not_told]}, {"findings", std::move(rows)}};
}

}  // namespace vmirror
