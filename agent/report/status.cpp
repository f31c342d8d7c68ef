#include "agent/report/status.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "agent/api/routes.hpp"
#include "agent/control/affinity/record_json.hpp"
#include "agent/engine/worker/json.hpp"
#include "agent/report/policies.hpp"
#include "agent/report/store.hpp"
#include "plugin/base/text.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

template <typename T>
json::array all(const std::vector<T>& items) {
  json::array out;
  for (const T& item : items) out.emplace_back(to_json(item));
  return out;
}

json::array all(const PersistentMap<std::string, SessionStatus>& sessions) {
  json::array out;
  for (const auto& [name, session] : sessions) out.emplace_back(to_json(session));
  return out;
}

json::value or_null(const std::optional<Error>& error) {
  return error ? json::value(to_json(*error)) : json::value(nullptr);
}

/// What the switches say of themselves; each once.
std::string versions(const Observed& observed) {
  std::set<std::string> known;
  for (const auto& [name, sw] : observed.switches)
    if (!sw.capabilities.version.empty()) known.insert(sw.capabilities.version);
  std::string out;
  for (const std::string& version : known) out += (out.empty() ? "" : "; ") + version;
  return out.empty() ? "-" : out;
}

/// Mirrors that others made: who watches whom. `sources`: at most kSourcesTold of their ports.
json::array foreign_mirrors_json(const Observed& observed) {
  constexpr std::size_t kSourcesTold = 16;
  json::array out;
  for (const auto& [switch_name, sw] : observed.switches)
    for (const auto& [name, mirror] : sw.mirrors) {
      if (mirror.owned) continue;
      std::set<std::string> ports;
      for (const PersistentSet<std::string>* selected : {&mirror.in_ports, &mirror.out_ports})
        for (const std::string& port : *selected) ports.insert(port);
      json::array sources;
      for (const std::string& port : ports)
        if (sources.size() < kSourcesTold) sources.emplace_back(port);
      out.push_back(
          {{"switch", switch_name},
           {"mirror", name},
           {"all", mirror.all},
           {"sources", std::move(sources)},
           {"source_count", ports.size()},
           {"output", mirror.output ? json::value(to_text(*mirror.output)) : json::value()}});
    }
  return out;
}

json::object switch_json(const DaemonView& v) {
  const ControlSnapshot& c = v.control;
  json::object out{
      {"driver", v.driver ? json::value(*v.driver) : json::value()},
      {"version", c.observed ? versions(*c.observed) : "-"},
      {"error", or_null(c.observe_error ? c.observe_error : c.stall)},
      {"read_at", c.observed_at == 0 ? json::value() : json::value(format_time(c.observed_at))}};
  out["foreign_mirrors"] = c.observed ? foreign_mirrors_json(*c.observed) : json::array();
  const auto outage = c.observed ? c.observed->outage : std::nullopt;
  out["outage"] =
      outage ? json::value{{"from", format_time(outage->from)}, {"to", format_time(outage->to)}}
             : json::value();
  out["state"] = !v.driver         ? "none"
                 : c.observe_error ? "unreachable"
                 : c.stall         ? "stalled"
                 : c.observed      ? "connected"
                                   : "connecting";
  return out;
}

json::value text_or_null(const std::string& text) {
  return text.empty() ? json::value() : json::value(text);
}

json::object privileges_json(const Confinement& c) {
  return {{"user", text_or_null(c.user)},
          {"capabilities", json::array(c.capabilities.begin(), c.capabilities.end())},
          {"no_new_privileges", c.no_new_privileges},
          {"system_calls", text_or_null(c.system_calls)},
          {"files", text_or_null(c.files)}};
}

json::object libvirt_json(const DaemonView& v) {
  if (!v.libvirt) return {{"state", "none"}};
  const LibvirtStatus& l = *v.libvirt;
  return {{"state", l.connected ? "connected" : "unreachable"},
          {"uri", l.uri},
          {"since", l.since == 0 ? json::value() : json::value(format_time(l.since))},
          {"version", text_or_null(l.version)},
          {"guests", l.guests},
          {"connections", l.connections},
          {"events", l.events},
          {"events_lost", l.events_lost},
          {"error", text_or_null(l.error)}};
}

json::value hook_json(const DaemonView& v) {
  if (!v.libvirt) return nullptr;
  const HookStatus& h = v.hook;
  const auto never = [](Time time) {
    return time == 0 ? json::value() : json::value(format_time(time));
  };
  const bool required = std::ranges::any_of(
      v.policies.files, [](const auto& file) { return file.policy && file.policy->require; });
  std::string error;
  if (v.hook_file_error)
    error = "it goes by older policies: " + v.hook_file_error->text();
  else if (!h.last_missed.empty() && required)
    error = "guest " + h.last_missed + " began without it: see `vmirror hook status`";
  return {{"calls", h.calls},
          {"refused", h.refused},
          {"last_call", never(h.last_call)},
          {"missed", h.missed},
          {"error", text_or_null(error)}};
}

/// What came to this host as a collector; null: it has told of nothing on this link.
json::value copies_json(const DaemonView& v, const std::string& host) {
  const auto found = std::ranges::find_if(
      v.collectors, [&](const auto& entry) { return entry.second->host == host; });
  if (found == v.collectors.end() || found->second->told_at == 0) return nullptr;
  const Collector& c = *found->second;
  Copies sum;
  for (const auto& [key, copies] : c.report.sessions) {
    sum.received += copies.received;
    sum.lost += copies.lost;
  }
  return {{"told_at", format_time(c.told_at)},
          {"sessions", c.report.sessions.size() + c.report.left_out},
          {"received", sum.received},
          {"lost", sum.lost}};
}

json::value peers_json(const DaemonView& v) {
  if (!v.peers) return nullptr;
  json::array hosts;
  for (const PeerStatus& p : v.peers->peers)
    hosts.push_back({{"host", p.host},
                     {"endpoint", p.endpoint.text()},
                     {"state", to_text(p.state)},
                     {"since", p.since == 0 ? json::value() : json::value(format_time(p.since))},
                     {"reason", text_or_null(p.reason)},
                     {"encrypted", p.encrypted},
                     {"clock_offset_ns", p.clock_offset ? json::value(*p.clock_offset) : nullptr},
                     {"rtt_ns", p.rtt ? json::value(*p.rtt) : nullptr},
                     {"connections", p.connections},
                     {"sent_messages", p.sent_messages},
                     {"received_messages", p.received_messages},
                     {"refused_messages", p.refused_messages},
                     {"lost_messages", p.lost_messages},
                     {"copies", copies_json(v, p.host)}});
  return {{"encrypted", v.peers->encrypted},
          {"listen", v.peers->listen ? json::value(v.peers->listen->text()) : json::value()},
          {"hosts", std::move(hosts)},
          {"refused_connections", v.peers->refused_connections},
          {"last_refusal", text_or_null(v.peers->last_refusal)},
          {"tls_error", text_or_null(v.peers->tls_error)}};
}

json::value following_json(const DaemonView& v) {
  if (!v.following) return nullptr;
  const TrackerCounters& t = v.following->tracker;
  json::object finished;
  for (const MigrationState state :
       {MigrationState::done, MigrationState::aborted, MigrationState::lost}) {
    const auto count = t.finished.find(state);
    finished[to_text(state)] = count == t.finished.end() ? 0 : count->second;
  }
  return {{"open", t.open},
          {"kept", t.kept},
          {"finished", std::move(finished)},
          {"gap_frames", v.following->gap_frames},
          {"gap_unknown", v.following->gap_unknown},
          {"refused", t.refused},
          {"dropped", t.dropped},
          {"unexpected_handovers", t.unexpected_handovers},
          {"ignored", t.ignored},
          {"journal_error", text_or_null(v.following->journal_error)}};
}

/// `is`: null for one that is gone.
json::object location_json(const LocationRow& row, const LocationStatus* is) {
  const Location& at = row.location;
  json::object labels;
  for (const auto& [key, value] : at.labels) labels[key] = value;
  return {{"host", at.host},
          {"switch", text_or_null(at.switch_name)},
          {"port", at.port},
          {"not_mirrored", at.no_port ? json::value(at.no_port->what) : json::value()},
          {"remedy", at.no_port ? json::value(at.no_port->remedy) : json::value()},
          {"link_down", at.link_down},
          {"vlan", at.vlan ? json::value(*at.vlan) : json::value()},
          {"presence", to_text(at.presence)},
          {"vm", at.vm()},
          {"vm_uuid", text_or_null(at.vm_uuid)},
          {"title", text_or_null(at.title)},
          {"network", text_or_null(at.network)},
          {"interface_id", text_or_null(at.interface_id)},
          {"mac", at.mac ? json::value(at.mac->text()) : json::value()},
          {"labels", std::move(labels)},
          {"since", format_time(row.since)},
          {"sessions", is == nullptr ? 0 : is->sessions},
          {"mirrored_since", is == nullptr || is->mirrored_since == 0
                                 ? json::value()
                                 : json::value(format_time(is->mirrored_since))}};
}

/// As the ratio: of what it may be the number that is nearest to what was counted.
std::uint64_t told(const Range& received, std::uint64_t counted) {
  return std::clamp(counted, received.low, received.high);
}

json::array coverage_json(const DaemonView& v) {
  json::array out;
  for (const CoverageRow& row : v.coverage) {
    const Coverage& c = row.coverage;
    const auto number = [](const auto& value) { return value ? json::value(*value) : nullptr; };
    out.push_back(
        {{"port", row.nic.port()},
         {"vm", row.nic.vm},
         {"mac", row.nic.mac.text()},
         {"vlan", number(row.nic.vlan)},
         {"direction", to_text(row.nic.direction)},
         {"verdict", to_text(c.verdict)},
         {"received", told(c.received(), c.counted())},
         {"counted", c.counted()},
         {"ratio", number(c.ratio)},
         {"ratio_low", c.low},
         {"ratio_high", c.high},
         {"flooded", c.flooded},
         {"faults", row.faults},
         {"in", {{"received", told(c.received_in, c.counted_in)}, {"counted", c.counted_in}}},
         {"out", {{"received", told(c.received_out, c.counted_out)}, {"counted", c.counted_out}}},
         {"from", clock_text(c.from)},
         {"to", clock_text(c.to)},
         {"warnings", texts(row.warnings)}});
  }
  return out;
}

json::array outputs_json(const std::vector<SinkStatus>& outputs) {
  json::array out;
  for (const SinkStatus& s : outputs) {
    json::object lost;
    for (std::size_t i = 0; i < s.lost.size(); ++i)
      if (s.lost[i] != 0) lost[to_text(static_cast<LineLoss>(i))] = s.lost[i];
    out.push_back({{"name", s.name},
                   {"lines", s.lines},
                   {"bytes", s.bytes},
                   {"lost", std::move(lost)},
                   {"rotations", s.rotations},
                   {"waiting_bytes", s.waiting_bytes},
                   {"queue_bytes", s.queue_bytes},
                   {"error", or_null(s.error)}});
  }
  return out;
}

/// What an asset calls itself, by the attribute `host_name`, for a table's column.
json::object asset_json(const Asset& asset) {
  json::object out = to_json(asset);
  json::array names;
  for (const AssetProperty& p : asset.properties)
    if (p.attribute == Attribute::host_name &&
        std::ranges::find(names, json::value(p.value)) == names.end())
      names.emplace_back(p.value);
  out["names"] = std::move(names);
  return out;
}

std::string protocol_name(const Flow& flow) {
  switch (flow.protocol) {
    case ip_protocol::kTcp:
      return "TCP";
    case ip_protocol::kUdp:
      return "UDP";
    case ip_protocol::kIcmp:
      return "ICMP";
    case ip_protocol::kIcmpv6:
      return "ICMPv6";
    case ip_protocol::kNone:
      return "ethernet";
    default:
      return "IP " + std::to_string(flow.protocol);
  }
}

/// The flow with both sides summed, in EVE's words.
json::object flow_json(const Flow& flow) {
  json::object out = to_json(flow);
  const bool ports = flow.protocol == ip_protocol::kTcp || flow.protocol == ip_protocol::kUdp;
  for (const std::size_t i : {0U, 1U}) {
    const std::string side = i == 0 ? "src" : "dest";
    out[side + "_ip"] = flow.ip[i].empty() ? flow.mac[i].text() : flow.ip[i].text();
    out[side + "_port"] = ports ? json::value(flow.port[i]) : json::value(nullptr);
  }
  out["proto"] = protocol_name(flow);
  out["app_proto"] = flow.application != nullptr ? json::value(flow.application) : json::value();
  out["packets"] = flow.packets[0] + flow.packets[1];
  out["bytes"] = flow.bytes[0] + flow.bytes[1];
  out["state"] =
      flow.protocol == ip_protocol::kTcp ? json::value(to_text(flow.tcp)) : json::value();
  return out;
}

}  // namespace

std::vector<Limit> limits(const DaemonView& v) {
  std::vector<Limit> out = v.engine.limits;
  if (v.driver)
    out.push_back({"locations", "NICs that are gone", LocationTableOptions{}.max_gone,
                   v.locations_gone, v.locations_overflow});
  if (v.following)
    out.push_back({"handovers", "handovers that wait to be read", kMaxWaitingHandovers,
                   v.following->handovers_waiting, v.following->handovers_refused});
  if (v.store)
    out.push_back({"store_sessions", "sessions that the store is told of", kMostReportedSessions,
                   v.store->sessions, v.store->sessions_left_out});
  if (!v.libvirt) return out;
  out.push_back({"libvirt_events", "events that wait", kMaxLibvirtEvents, v.libvirt->events_waiting,
                 v.libvirt->events_lost});
  out.push_back({"announced_guests", "guests that only the hook told of", kMaxAnnouncedGuests,
                 v.guests.announced, v.guests.passed_over});
  out.push_back({"hook_guests", "guests that the hook was called for", HookWatch::kMaxRemembered,
                 v.hook.remembered, v.hook.forgotten});
  return out;
}

namespace {

json::object nic_json(const NicState& nic) {
  const auto setting = [](const std::optional<NicState::Setting>& s) {
    return s ? json::value{{"now", s->now}, {"most", s->most}} : json::value();
  };
  return {{"interface", nic.interface},     {"driver", text_or_null(nic.driver)},
          {"ring", setting(nic.ring)},      {"queues", setting(nic.queues)},
          {"combined", nic.combined},       {"merging", texts(nic.merging)},
          {"received", nic.link.rx_frames}, {"missed", nic.link.rx_missed}};
}

json::array inputs_json(const DaemonView& v) {
  json::array out;
  for (const InputSnapshot& input : v.engine.inputs) {
    json::object row = to_json(input);
    json::array nics;
    if (const auto at = v.nics.find(input.name); at != v.nics.end())
      for (const NicState& nic : at->second) nics.emplace_back(nic_json(nic));
    row["nics"] = std::move(nics);
    out.emplace_back(std::move(row));
  }
  return out;
}

/// Null: none are looked for.
json::value findings_summary(const EngineCounters& engine) {
  if (engine.findings_begun.empty()) return nullptr;
  json::object kinds;
  std::uint64_t all = 0;
  for (const NamedCount& kind : engine.findings_begun) {
    kinds[kind.name] = kind.count;
    all += kind.count;
  }
  return {
      {"begun", all},
      {"kinds", std::move(kinds)},
      {"learning", engine.time < engine.learns_until},
      {"learns_until",
       engine.learns_until == 0 ? json::value() : json::value(format_time(engine.learns_until))}};
}

json::array budgets_json(const ControlSnapshot& control) {
  const auto whole = [](double value) { return static_cast<std::uint64_t>(std::llround(value)); };
  const auto bound = [](std::uint64_t limit) {
    return limit == 0 ? json::value() : json::value(limit);
  };
  json::array out;
  for (const BudgetUse& use : control.budgets) {
    json::array collectors;
    for (const Prefix& prefix : use.budget.collectors) collectors.emplace_back(prefix.text());
    out.push_back({{"name", use.budget.name},
                   {"collectors", std::move(collectors)},
                   {"bits_per_second", bound(use.budget.bits_per_second)},
                   {"frames_per_second", bound(use.budget.frames_per_second)},
                   {"asked_bits_per_second", whole(use.asked.bits)},
                   {"asked_frames_per_second", whole(use.asked.frames)},
                   {"used_bits_per_second", whole(use.used.bits)},
                   {"used_frames_per_second", whole(use.used.frames)},
                   {"truncated", use.truncated},
                   {"dropped", use.dropped}});
  }
  return out;
}

}  // namespace

json::object status_json(const DaemonView& v) {
  const ControlSnapshot& c = v.control;
  const auto failure = c.apply_error ? c.apply_error : c.observe_error;
  const AskedView asked = asked_of(v);
  return {{"host", v.host},
          {"uptime_seconds", (v.now - v.started) / kSecond},
          {"privileges", privileges_json(v.confinement)},
          {"switch", switch_json(v)},
          {"libvirt", libvirt_json(v)},
          {"hook", hook_json(v)},
          {"peers", peers_json(v)},
          {"migrations", following_json(v)},
          {"sensor", v.sensor},
          {"store", v.store ? json::value(to_json(*v.store)) : json::value()},
          {"policy_error", or_null(v.driver ? v.policies.first_error() : std::nullopt)},
          {"verdict", to_json(verdict(asked))},
          {"policies", policy_rows(asked)},
          {"sessions", all(c.sessions)},
          {"budgets", budgets_json(c)},
          {"reconcile",
           {{"in_sync", c.in_sync()},
            {"rounds", c.rounds},
            {"steps_applied", c.steps_applied},
            {"drifts", c.drifts},
            {"failures", c.failures},
            {"error", or_null(failure)}}},
          {"frames", to_json(v.engine.frames())},
          {"inputs", inputs_json(v)},
          {"coverage", coverage_json(v)},
          {"duplicates", v.engine.duplicates},
          {"clocks", all(v.engine.clocks)},
          {"flows", to_json(v.engine)["flows"]},
          {"assets", v.engine.assets_known},
          {"protocols", protocols_json(v.engine.protocols)},
          {"findings", findings_summary(v.engine)},
          {"limits", all(limits(v))},
          {"outputs", outputs_json(v.outputs)}};
}

HypervisorView hypervisor_of(const LibvirtStatus& libvirt) {
  return {libvirt.uri, libvirt.connected, libvirt.error};
}

AskedView asked_of(const DaemonView& v) {
  std::optional<HypervisorView> hypervisor;
  if (v.libvirt) hypervisor = hypervisor_of(*v.libvirt);
  return {v.control,
          v.policies,
          v.driver.has_value(),
          v.peers.has_value() || v.store.has_value(),
          std::move(hypervisor),
          v.drained};
}

json::object plan_json(const AskedView& asked) {
  const ControlSnapshot& control = asked.control;
  const auto failure = control.observe_error ? control.observe_error : control.apply_error;
  return {{"in_sync", control.in_sync()},
          {"steps", all(control.plan)},
          {"error", or_null(failure)},
          {"verdict", to_json(verdict(asked))}};
}

json::object sessions_json(const AskedView& asked) {
  return {{"sessions", all(asked.control.sessions)}, {"verdict", to_json(verdict(asked))}};
}

json::object locations_json(const std::vector<LocationRow>& rows, const ControlSnapshot& control) {
  json::array out;
  for (const LocationRow& row : rows) {
    const auto is = control.locations.find(PortKey{row.location.switch_name, row.location.port});
    const bool here = row.location.presence != Presence::gone && is != control.locations.end();
    out.emplace_back(location_json(row, here ? &is->second : nullptr));
  }
  return {{"locations", std::move(out)}};
}

json::object migrations_json(const std::vector<MigrationRecord>& records, const std::string& vm) {
  json::array out;
  for (const MigrationRecord& record : records)
    if (vm.empty() || vm == record.vm_name || vm == record.vm_uuid)
      out.emplace_back(to_json(record));
  return {{"migrations", std::move(out)}};
}

json::object assets_json(const AssetList& list) {
  json::array assets;
  for (const Asset& asset : list.assets) assets.emplace_back(asset_json(asset));
  return {{"assets", std::move(assets)},
          {"from", format_time(list.from)},
          {"to", format_time(list.to)},
          {"workers_missing", list.workers_missing}};
}

json::object flows_json(const TopFlows& top) {
  json::array flows;
  for (const Flow& flow : top.flows) flows.emplace_back(flow_json(flow));
  return {{"flows", std::move(flows)},
          {"from", format_time(top.from)},
          {"to", format_time(top.to)},
          {"workers_missing", top.workers_missing}};
}

json::object findings_json(const FindingList& list) {
  json::array findings;
  for (const Finding& finding : list.findings) {
    json::object row = to_json(finding);
    const bool quiet = list.to - as_of(finding.last, list.to) > kFindingQuiet;
    row["state"] = quiet ? "quiet" : "active";
    findings.emplace_back(std::move(row));
  }
  return {{"findings", std::move(findings)},
          {"from", format_time(list.from)},
          {"to", format_time(list.to)},
          {"workers_missing", list.workers_missing}};
}

}  // namespace vmirror
