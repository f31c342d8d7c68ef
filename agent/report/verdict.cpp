#include "agent/report/verdict.hpp"

#include <algorithm>

#include "agent/control/reconcile/resolve.hpp"
#include "agent/engine/worker/json.hpp"
#include "agent/report/unmatched.hpp"
#include "plugin/base/text.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

void add_not_watched(const SessionStatus& s, const std::string& line, AskedVerdict& out) {
  out.not_watched.push_back(line);
  if (out.unwatched_session.empty()) out.unwatched_session = s.name;
}

void add_unserved(const std::string& policy, const std::string& why, AskedVerdict& out) {
  out.missing.push_back("policy " + policy + why);
  if (out.unserved_policy.empty()) out.unserved_policy = policy;
}

void add_session(const SessionStatus& s, AskedVerdict& out) {
  if (s.state == SessionState::draining) return;
  ++out.sessions;
  ++out.states[to_text(s.state)];
  const std::string line = s.name + " is " + state_text(s) + ": " + s.reason;
  switch (s.state) {
    case SessionState::pending:
      if (s.in_place)
        out.not_proven.push_back(line);
      else
        add_not_watched(s, line, out);
      break;
    case SessionState::ready:
      out.silent.push_back(line);
      if (s.proof != Proof::traced) out.not_proven.push_back(line);
      break;
    case SessionState::active:
      if (s.proof == Proof::none) out.not_proven.push_back(line);
      break;
    default:
      add_not_watched(s, line, out);
  }
}

/// Why the sessions say nothing: the switch can't be read, or nothing was read yet.
void add_switch(const AskedView& view, AskedVerdict& out) {
  const ControlSnapshot& c = view.control;
  if (view.drained) out.missing.emplace_back(kDrained);
  if (c.observe_error)
    out.missing.push_back("the switch can't be read: " + c.observe_error->text());
  else if (c.stall)
    out.missing.push_back("the switch carries nothing out: " + c.stall->text());
  else if (!c.observed && !view.policies.files.empty())
    out.missing.push_back("the switch was not read yet");
}

/// Guests that it alone knows may be selected, and are not seen.
void add_hypervisor(const AskedView& view, AskedVerdict& out) {
  if (view.hypervisor && !view.hypervisor->connected)
    out.missing.push_back(why_unread(*view.hypervisor));
}

void add_missing(const AskedView& view, const KnownNames& names, const Policy& policy,
                 AskedVerdict& out) {
  const auto& all = view.control.policies;
  const auto is = std::ranges::find(all, policy.name, &PolicyStatus::name);
  if (view.has_peers || !view.control.observed || is == all.end() ||
      is->state == PolicyState::expired)
    return;
  const std::vector<std::string> missing = names.missing(policy);
  for (const std::string& what : missing) add_unserved(policy.name, ": " + what, out);
  if (is->state == PolicyState::selects_nothing && missing.empty())
    add_unserved(policy.name, " selects nothing: " + is->reason, out);
}

}  // namespace

AskedVerdict verdict(const AskedView& view) {
  AskedVerdict out;
  if (!view.drives) return out;
  add_switch(view, out);
  add_hypervisor(view, out);
  if (view.policies.error) out.missing.push_back(view.policies.error->text());
  const KnownNames names(view.control.locations);
  for (const PolicyFile& file : view.policies.files) {
    if (file.error) out.missing.push_back(file.error->text());
    if (file.policy) add_missing(view, names, *file.policy, out);
  }
  for (const auto& [name, session] : view.control.sessions) add_session(session, out);
  return out;
}

AskedVerdict verdict(const AskedView& view, const Policy& policy) {
  AskedVerdict out;
  add_switch(view, out);
  add_missing(view, KnownNames(view.control.locations), policy, out);
  for (const auto& [name, session] : view.control.sessions)
    if (has_policy(session.policy, policy.name)) add_session(session, out);
  return out;
}

std::string state_list(const AskedVerdict& verdict) {
  std::string out;
  for (const auto& [state, number] : verdict.states)
    out += (out.empty() ? ": " : ", ") + state + " " + std::to_string(number);
  return out;
}

std::string first_fault(const AskedVerdict& v) {
  if (v.well()) return {};
  const std::size_t faults = v.not_watched.size() + v.missing.size();
  return (v.missing.empty() ? v.not_watched : v.missing).front() +
         (faults == 1 ? "" : "; and " + std::to_string(faults - 1) + " more");
}

json::object to_json(const AskedVerdict& v) {
  const std::string& explain =
      v.unwatched_session.empty() ? v.unserved_policy : v.unwatched_session;
  json::object states;
  for (const auto& [state, number] : v.states) states[state] = number;
  return {{"well", v.well()},
          {"summary",
           count(v.sessions, "session") + state_list(v) + (v.well() ? "" : ": ") + first_fault(v)},
          {"states", std::move(states)},
          {"not_watched", texts(v.not_watched)},
          {"missing", texts(v.missing)},
          {"not_proven", texts(v.not_proven)},
          {"silent", texts(v.silent)},
          {"explain", explain.empty() ? json::value() : json::value(explain)}};
}

}  // namespace vmirror
