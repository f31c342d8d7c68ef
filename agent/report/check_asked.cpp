#include "agent/report/check_parts.hpp"
#include "plugin/base/text.hpp"

namespace vmirror::checks {

namespace json = boost::json;

// ---- What the policies ask for

Told check_switch(const CheckEvidence& e) {
  if (!is_live(e)) return only_live();
  const std::string state = text(e.after, "switch.state");
  if (state == "none") return {CheckVerdict::not_told, "this daemon drives no switch", ""};
  if (state == "connected") return {CheckVerdict::pass, text(e.after, "switch.version"), ""};
  return {CheckVerdict::fail, "the switch is " + state,
          "see `vmirror status`; is the switch's daemon running?"};
}

Told check_watched(const CheckEvidence& e) {
  if (!is_live(e) || at(e.after, "verdict.well") == nullptr) return only_live();
  std::vector<std::string> faults = strings_of(list(e.after, "verdict.missing"));
  for (std::string& line : strings_of(list(e.after, "verdict.not_watched")))
    faults.push_back(std::move(line));
  if (faults.empty()) return {CheckVerdict::pass, text(e.after, "verdict.summary"), ""};
  return {CheckVerdict::fail, some(faults), "`vmirror explain NAME` of each"};
}

Told check_proven(const CheckEvidence& e) {
  if (!is_live(e) || at(e.after, "verdict.well") == nullptr) return only_live();
  const std::vector<std::string> lines = strings_of(list(e.after, "verdict.not_proven"));
  if (lines.empty())
    return {CheckVerdict::pass, "every session's copies are proven, or traced", ""};
  return {CheckVerdict::warn, some(lines), "let the guests send; `vmirror explain NAME` of each"};
}

Told check_coverage(const CheckEvidence& e) {
  if (!is_live(e)) return only_live();
  std::vector<std::string> low;
  std::size_t told = 0;
  for (const json::value& row : list(e.after, "coverage")) {
    const auto* ratio = at(row.as_object(), "ratio");
    if (ratio == nullptr || !ratio->is_number()) continue;
    ++told;
    if (ratio->to_number<double>() < 0.99)
      low.push_back(
          text(row.as_object(), "port") + " " +
          percent(number(row.as_object(), "received"), number(row.as_object(), "counted")));
  }
  if (told == 0) return {CheckVerdict::not_told, "no window of a NIC tells yet", ""};
  if (low.empty()) return {CheckVerdict::pass, count(told, "NIC") + " at 99% or more", ""};
  return {CheckVerdict::fail, some(low),
          "drops of the input; the switch's log; `vmirror explain PORT`"};
}

/// A path whose MTU is too small, duplicates that the switch's version is known for, ports that get
/// copies without asking: the sessions' own warnings.
Told check_sessions(const CheckEvidence& e) {
  if (!is_live(e)) return only_live();
  std::vector<std::string> lines;
  for (const json::value& session : list(e.after, "sessions"))
    for (const std::string& warning : strings_of(list(session.as_object(), "warnings")))
      lines.push_back(text(session.as_object(), "name") + ": " + warning);
  if (!lines.empty())
    return {CheckVerdict::warn, some(lines), "as each says; `vmirror sessions -o wide`"};
  const auto n = list(e.after, "sessions").size();
  return n == 0 ? Told{CheckVerdict::not_told, "there is no session", ""}
                : Told{CheckVerdict::pass, count(n, "session") + " without a warning", ""};
}

// ---- Around it

Told check_drift(const CheckEvidence& e) {
  if (!is_live(e)) return only_live();
  const std::uint64_t drifts = grown(e, "reconcile.drifts");
  if (drifts == 0) return {CheckVerdict::pass, "nobody else changed our mirrors meanwhile", ""};
  return {CheckVerdict::warn, count(drifts, "change") + " of our mirrors by others",
          "who else edits mirrors? a second vmirrord with the same `owner`?"};
}

Told check_foreign_mirrors(const CheckEvidence& e) {
  if (!is_live(e)) return only_live();
  const auto* mirrors = at(e.after, "switch.foreign_mirrors");
  if (mirrors == nullptr || text(e.after, "switch.state") == "none")
    return {CheckVerdict::not_told, "no switch was read", ""};
  std::vector<std::string> lines;
  for (const json::value& row : list(e.after, "switch.foreign_mirrors")) {
    const json::object& m = row.as_object();
    const std::string sources =
        at(m, "all") != nullptr && at(m, "all")->is_bool() && at(m, "all")->get_bool()
            ? "every frame"
            : some(strings_of(list(m, "sources")));
    const std::string output = text(m, "output");
    lines.push_back(text(m, "mirror") + " on " + text(m, "switch") + " copies " +
                    (sources.empty() ? "nothing" : sources) + " to " +
                    (output.empty() ? "no output" : output));
  }
  if (lines.empty()) return {CheckVerdict::pass, "nobody else mirrors on the switches", ""};
  return {CheckVerdict::warn, some(lines), "do you know who set up each of them?"};
}

}  // namespace vmirror::checks
