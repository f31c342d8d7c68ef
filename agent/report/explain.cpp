#include "agent/report/explain.hpp"

#include <algorithm>
#include <cctype>
#include <set>

#include "agent/api/routes.hpp"
#include "agent/control/policy/yaml.hpp"
#include "agent/control/reconcile/resolve.hpp"
#include "agent/model/uuid.hpp"
#include "plugin/base/text.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

using Lines = std::vector<std::string>;

const char* words(Direction direction) {
  switch (direction) {
    case Direction::in:
      return " mirrors what the guest receives (in) of port ";
    case Direction::out:
      return " mirrors what the guest sends (out) of port ";
    default:
      return " mirrors both directions of port ";
  }
}

void explain_policy(const DaemonView& v, const SessionStatus& s, Lines& lines) {
  lines.push_back("policy   " + s.policy + words(s.direction) +
                  (s.switch_name.empty() ? "" : s.switch_name + "/") + s.port +
                  (s.vm.empty() ? "" : " (" + s.vm + ")") + " to " + s.target);
  for (const std::string& warning : s.warnings) lines.push_back("warning  " + warning);
  for (const PolicyFile& file : v.policies.files)
    if (file.policy && has_policy(s.policy, file.policy->name))
      lines.push_back("file     " + file.path);
  if (!s.filter.empty())
    lines.push_back(
        "filter   " + s.filter +
        (s.filtering == Filtering::none ? "" : std::string(", enforced ") + to_text(s.filtering)));
}

void explain_mirror(const DaemonView& v, const SessionStatus& s, Lines& lines) {
  std::string mirrors = s.mirror;
  for (const std::string& more : s.more_mirrors) mirrors += ", " + more;
  lines.push_back(s.mirror.empty() ? "mirror   none serves it"
                                   : "mirror   " + mirrors + " -> " + s.output +
                                         (s.in_place ? ", on the switch as asked"
                                                     : ", not on the switch as asked"));
  if (s.port_frames)
    lines.push_back("counted  port " + std::to_string(*s.port_frames) + ", mirror " +
                    (s.copied_frames ? std::to_string(*s.copied_frames) : "unknown") + " frames");
  for (const CoverageRow& row : v.coverage)
    if (row.nic.session == s.name)
      lines.push_back("engine   received " + std::to_string(row.coverage.received().low) + " to " +
                      std::to_string(row.coverage.received().high) + " of " +
                      std::to_string(row.coverage.counted()) + " frames that the port moved in " +
                      std::to_string((row.coverage.to - row.coverage.from) / kSecond) +
                      " s: " + to_text(row.coverage.verdict));
}

/// The word stands in the text by itself.
bool has_word(const std::string& text, const std::string& word) {
  const auto is_part = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
  };
  for (auto at = text.find(word); at != text.npos; at = text.find(word, at + 1))
    if ((at == 0 || !is_part(text[at - 1])) &&
        (at + word.size() == text.size() || !is_part(text[at + word.size()])))
      return true;
  return false;
}

/// An event of the session's mirror that names no ports, may have left this session's out, or
/// names it: other guests may share the mirror.
bool is_of_mirror(const std::string& text, const SessionStatus& s) {
  return !s.mirror.empty() && has_word(text, s.mirror) &&
         (text.find('{') == text.npos || text.find(" more}") != text.npos ||
          has_word(text, s.port));
}

void explain_session(const DaemonView& v, const SessionStatus& s, Lines& lines) {
  lines.push_back(s.name + " is " + state_text(s) + " since " + clock_text(s.since) + ": " +
                  s.reason);
  explain_policy(v, s, lines);
  explain_mirror(v, s, lines);
  for (const auto& [number, e] : v.control.history)
    if (e.subject == s.name || is_of_mirror(e.text, s))
      lines.push_back(clock_text(e.time) + "  " + e.text);
}

/// "vnet0@local" and "br0/vnet0@local" are of port vnet0.
std::string port_of(const std::string& session) {
  const std::string before = session.substr(0, session.find('@'));
  return before.substr(before.rfind('/') + 1);
}

bool is_of(const Location& at, const std::string& name) {
  return at.port == name || at.vm_name == name || at.vm_uuid == lower(name) ||
         (at.mac && at.mac->text() == lower(name));
}

/// The places that the name is of, and their ports.
std::set<std::string> explain_places(const DaemonView& v, const std::vector<LocationRow>& places,
                                     const std::string& name, Lines& lines) {
  std::set<std::string> ports;
  for (const LocationRow& row : places) {
    const Location& at = row.location;
    if (!is_of(at, name)) continue;
    ports.insert(at.port);
    const std::string who = (at.vm().empty() ? "" : at.vm() + ", ") +
                            (at.mac ? "NIC " + at.mac->text() : "a NIC without a known MAC");
    if (at.presence == Presence::gone)
      lines.push_back(who + ": port " + at.port + " of " + at.switch_name + " was deleted at " +
                      clock_text(row.since));
    else if (at.no_port)
      lines.push_back(who + ": not mirrored: " + at.no_port->text());
    else if (const auto is = v.control.locations.find({at.switch_name, at.port});
             is == v.control.locations.end() || is->second.sessions == 0)
      lines.push_back(who + ": port " + at.port + " of " + at.switch_name + "; " +
                      (v.drained ? kDrained : "no policy asks for it"));
  }
  return ports;
}

/// What is kept of sessions that went.
void explain_gone(const DaemonView& v, const std::string& name, const std::set<std::string>& ports,
                  Lines& lines) {
  std::string subject;
  for (const auto& [number, e] : v.control.history) {
    if (e.subject.find('@') == e.subject.npos || v.control.sessions.get(e.subject)) continue;
    const std::string port = port_of(e.subject);
    if (e.subject != name && port != name && !ports.contains(port)) continue;
    if (subject != e.subject) lines.push_back(e.subject + " is gone; what it was:");
    subject = e.subject;
    lines.push_back(clock_text(e.time) + "  " + e.text);
  }
}

void explain_policy_named(const DaemonView& v, const std::string& name, Lines& lines) {
  const auto is = std::ranges::find(v.control.policies, name, &PolicyStatus::name);
  if (is == v.control.policies.end()) return;
  const bool verb = is->state == PolicyState::selects_nothing;
  lines.push_back("policy " + name + (verb ? " " : " is ") + to_text(is->state) + ": " +
                  is->reason);
  for (const PolicyFile& file : v.policies.files)
    if (file.policy && file.policy->name == name) lines.push_back("file     " + file.path);
}

std::string nearest_name(const DaemonView& v, const std::vector<LocationRow>& places,
                         const std::string& name) {
  std::set<std::string> known;
  for (const auto& [session, status] : v.control.sessions) known.insert(session);
  for (const PolicyStatus& policy : v.control.policies) known.insert(policy.name);
  for (const LocationRow& row : places) known.insert({row.location.port, row.location.vm()});
  return yaml::nearest(name, {known.begin(), known.end()});
}

}  // namespace

Result<json::object> explain_json(const DaemonView& v, const std::vector<LocationRow>& places,
                                  const std::string& name) {
  const ControlSnapshot& c = v.control;
  Lines lines;
  json::array sessions;
  const auto add = [&](const SessionStatus& s) {
    if (!lines.empty()) lines.emplace_back();
    explain_session(v, s, lines);
    sessions.emplace_back(to_json(s));
  };
  if (const SessionStatus* session = c.sessions.get(name)) {
    add(*session);
  } else {
    const std::set<std::string> ports = explain_places(v, places, name, lines);
    explain_policy_named(v, name, lines);
    for (const auto& [key, s] : c.sessions)
      if (s.port == name || s.vm == name || ports.contains(s.port) || has_policy(s.policy, name))
        add(s);
    explain_gone(v, name, ports, lines);
  }
  if (lines.empty()) {
    const std::string near = nearest_name(v, places, name);
    return fail(Error::Kind::missing, "there is no session, port, VM, MAC or policy `" + name + "`",
                v.host,
                near.empty() ? "see `vmirror sessions` and `vmirror locations`"
                             : "did you mean `" + near + "`?");
  }
  for (const auto& error : {c.observe_error, c.stall, c.apply_error})
    if (error) lines.push_back("error    " + error->text());
  return json::object{{"sessions", std::move(sessions)},
                      {"lines", json::array(lines.begin(), lines.end())}};
}

}  // namespace vmirror
