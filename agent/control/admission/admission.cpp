#include "agent/control/admission/admission.hpp"

#include <algorithm>
#include <set>

#include "agent/control/hook/requirement.hpp"

namespace vmirror {
namespace {

using Kind = HookAnswer::Kind;

HookAnswer no(Kind kind, const std::string& policy, const std::string& why) {
  return {kind, "policy `" + policy + "` requires its mirror: " + why};
}

bool in_force(const Policy& policy, Time now) {
  return policy.require && !(policy.expires && *policy.expires <= now);
}

bool requires_nic(const Policy& policy, const Guest& guest, const GuestNic& nic) {
  return std::ranges::any_of(policy.select,
                             [&](const Selector& s) { return may_select(s, guest, nic); });
}

/// One NIC of the guest, one policy that requires it.
struct Need {
  const Policy* policy;
  const GuestNic* nic;
};

std::vector<Need> needs_of(const AdmissionView& view, const Guest& guest) {
  std::vector<Need> out;
  for (const Policy& policy : view.policies)
    if (in_force(policy, view.now))
      for (const GuestNic& nic : guest.nics)
        if (requires_nic(policy, guest, nic)) out.push_back({&policy, &nic});
  return out;
}

std::string words(const GuestNic& nic) {
  return nic.mac ? "NIC " + nic.mac->text() : "a NIC";
}

HookAnswer refuse(const Need& need, const Error& why) {
  return no(Kind::refuse, need.policy->name,
            Error{why.kind, words(*need.nic) + " " + why.what, {}, why.remedy}.text());
}

/// The name of a port that isn't there yet; no port of a switch has it.
std::string planned_port(const GuestNic& nic, std::size_t index) {
  return nic.device.empty() ? "(" + words(nic) + ", " + std::to_string(index) + ")" : nic.device;
}

/// Why the session of a NIC on this port, wanted by this policy, would be refused.
std::optional<Error> refusal(const Resolved& resolved, const Realisation& realisation,
                             const std::string& policy, const std::string& switch_name,
                             const std::string& port) {
  for (const Refusal& r : resolved.refused)
    if (r.session.policy == policy && r.session.switch_name == switch_name &&
        r.session.port == port)
      return r.reason;
  for (const Verdict& verdict : realisation.verdicts) {
    if (!verdict.refused) continue;
    const auto session =
        std::ranges::find(resolved.desired.sessions, verdict.session, &Session::name);
    if (session != resolved.desired.sessions.end() && has_policy(session->policy, policy) &&
        session->switch_name == switch_name && session->port == port)
      return verdict.refused;
  }
  return std::nullopt;
}

/// The world with the guest's ports, where their switches are in it.
struct Planned {
  Observed observed;
  Locations locations;
};
Planned plan_ports(const AdmissionView& view, const Guest& guest) {
  Planned out{*view.known.observed, {}};
  for (const auto& [key, location] : view.known.locations) out.locations.push_back(location.at);
  for (std::size_t i = 0; i < guest.nics.size(); i++) {
    const GuestNic& nic = guest.nics[i];
    const auto sw = out.observed.switches.find(nic.bridge);
    if (sw == out.observed.switches.end()) continue;
    Location at = planned_location(guest, nic);
    at.port = planned_port(nic, i);
    std::erase_if(out.locations, [&](const Location& l) {
      return l.switch_name == at.switch_name && l.port == at.port;
    });
    Port port;
    port.name = at.port;
    port.link_up = true;
    port.mac = nic.mac;
    port.vm = guest.uuid;
    port.interface_id = nic.interface_id;
    port.labels = at.labels;
    sw->second.ports[at.port] = std::move(port);
    out.locations.push_back(std::move(at));
  }
  return out;
}

/// What of one need is missing in the sessions.
HookAnswer in_place(const AdmissionView& view, const Need& need) {
  const std::string& policy = need.policy->name;
  const std::string& port = need.nic->device;
  const std::set<Target> targets(need.policy->targets.begin(), need.policy->targets.end());
  std::size_t there = 0;
  for (const auto& [name, s] : view.known.sessions) {
    if (s.port != port || !has_policy(s.policy, policy)) continue;
    if (s.state == SessionState::refused) return no(Kind::refuse, policy, name + ": " + s.reason);
    if (!s.in_place) return no(Kind::not_yet, policy, name + ": " + s.reason);
    ++there;
  }
  if (there >= targets.size()) return {};
  const bool read = view.known.observed && view.known.observed->switches.contains(need.nic->bridge);
  if (const auto why = why_no_port(*need.nic, read); why && need.nic->port == NicPort::none)
    return refuse(need, *why);
  const std::string who = words(*need.nic) + (port.empty() ? "" : ", port " + port);
  return no(Kind::not_yet, policy, who + ", is not on a switch that is read here");
}

}  // namespace

HookAnswer admit(const AdmissionView& view, const Guest& guest) {
  const std::vector<Need> needs = needs_of(view, guest);
  if (needs.empty()) return {};
  const std::string& first = needs.front().policy->name;
  if (const auto why = view.known.observe_error ? view.known.observe_error : view.known.stall)
    return no(Kind::not_yet, first, why->text());
  if (!view.known.observed) return no(Kind::not_yet, first, "the switch was not read yet");

  const Planned planned = plan_ports(view, guest);
  const auto [resolved, realisation] = agree(view.policies, planned.locations, view.now,
                                             view.monitor_nic, planned.observed, view.realise);
  for (const Need& need : needs) {
    const GuestNic& nic = *need.nic;
    const std::string& policy = need.policy->name;
    // A network's bridge, or a port that somebody else makes, is known once it is there: `start`
    // asks again.
    if (const auto why = why_no_port(nic, planned.observed.switches.contains(nic.bridge)))
      return refuse(need, *why);
    const auto index = static_cast<std::size_t>(&nic - guest.nics.data());
    if (const auto why =
            refusal(resolved, realisation, policy, nic.bridge, planned_port(nic, index)))
      return no(Kind::refuse, policy, why->text());
  }
  return {};
}

HookAnswer in_place(const AdmissionView& view, const Guest& guest) {
  const std::vector<Need> needs = needs_of(view, guest);
  HookAnswer out;
  for (const Need& need : needs) {
    const HookAnswer one = in_place(view, need);
    if (one.kind == Kind::refuse) return one;
    if (out.kind == Kind::go_on) out = one;
  }
  // What a daemon that hangs shows in place it does not copy.
  if (out.kind == Kind::go_on && view.known.stall && !needs.empty())
    return no(Kind::not_yet, needs.front().policy->name, view.known.stall->text());
  if (out.kind != Kind::go_on && view.known.observe_error)
    out.reason += "; " + view.known.observe_error->text();
  return out;
}

HookAnswer answer(const AdmissionView& view, const std::string& operation,
                  const Result<Guest>& guest) {
  if (operation != "prepare" && operation != "start") return {};
  if (!guest) {
    const auto policy =
        std::ranges::find_if(view.policies, [&](const Policy& p) { return in_force(p, view.now); });
    if (policy == view.policies.end()) return {};
    return no(Kind::refuse, policy->name,
              "which guest this is can't be read: " + guest.error().text());
  }
  return operation == "prepare" ? admit(view, *guest) : in_place(view, *guest);
}

}  // namespace vmirror
