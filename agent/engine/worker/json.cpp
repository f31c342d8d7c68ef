#include "agent/engine/worker/json.hpp"

#include <string>
#include <utility>

namespace vmirror {
namespace {

namespace json = boost::json;

template <typename T>
json::array all(const std::vector<T>& from) {
  json::array out;
  for (const T& value : from) out.emplace_back(to_json(value));
  return out;
}

json::object counts(const std::vector<NamedCount>& from) {
  json::object out;
  for (const NamedCount& count : from) out[count.name] = count.count;
  return out;
}

/// The three forms of ERSPAN are one here; of what is no usual mirror there is what occurred.
json::object decapsulated(const std::array<std::uint64_t, kEncapsulations>& by_kind) {
  const auto of = [&](Encapsulation e) { return by_kind[static_cast<std::size_t>(e)]; };
  using enum Encapsulation;
  json::object out{{"erspan", of(erspan1) + of(erspan2) + of(erspan3)},
                   {"gre", of(gre)},
                   {"vxlan", of(vxlan)},
                   {"geneve", of(geneve)},
                   {"rspan", of(rspan)}};
  for (auto e = static_cast<std::size_t>(rspan) + 1; e < kEncapsulations; ++e)
    if (by_kind[e] > 0) out[to_text(static_cast<Encapsulation>(e))] = by_kind[e];
  return out;
}

json::object dropped(const FrameCounters& counters) {
  json::object out;
  for (std::size_t i = 0; i < kDropKinds; ++i)
    if (counters.dropped[i] > 0) out[to_text(static_cast<Drop>(i))] = counters.dropped[i];
  return out;
}

/// What numbers tell, where the rule has them counted here; else null.
void add_numbers(json::object& out, const SequenceWindow::Counts& c, SequenceRule rule,
                 SequenceRule here) {
  const bool counts = rule == here;
  const auto add = [&](const char* name, std::uint64_t count) {
    out[name] = counts ? json::value(count) : json::value(nullptr);
  };
  out["rule"] = to_text(rule);
  add("lost", c.lost);
  add("reordered", c.reordered);
  add("duplicate", c.duplicate);
  add("restarts", c.restarts);
}

}  // namespace

json::array texts(const std::vector<std::string>& from) {
  return json::array(from.begin(), from.end());
}

json::object to_json(const FrameCounters& counters) {
  return {{"received", counters.received},
          {"received_bytes", counters.received_bytes},
          {"analysed", counters.analysed},
          {"held", counters.held},
          {"dropped", dropped(counters)}};
}

json::object to_json(const SessionCounters& s) {
  json::object out{{"encapsulation", to_text(s.encapsulation)},
                   {"session", s.session},
                   {"sender", s.sender.text()},
                   {"accepted", s.accepted},
                   {"received", s.received},
                   {"bytes", s.bytes},
                   {"truncated", s.truncated},
                   {"bad", s.bad}};
  add_numbers(out, s.sequence, s.rule, SequenceRule::session);
  out["first"] = format_time(s.first);
  out["last"] = format_time(s.last);
  return out;
}

json::object to_json(const SenderCounters& s) {
  const bool erspan = s.encapsulation == Encapsulation::erspan2;
  json::object out{{"sender", s.sender.text()},
                   {"encapsulation", erspan ? "erspan" : to_text(s.encapsulation)},
                   {"sessions", s.sessions}};
  add_numbers(out, s.sequence, s.rule, SequenceRule::sender);
  return out;
}

json::object to_json(const Flow& flow) {
  json::object out{{"id", flow.id}};
  const auto side = [&](std::size_t i) {
    json::object end{{"mac", flow.mac[i].text()}};
    if (!flow.ip[i].empty()) end["ip"] = flow.ip[i].text();
    if (flow.protocol == ip_protocol::kTcp || flow.protocol == ip_protocol::kUdp ||
        flow.protocol == ip_protocol::kSctp)
      end["port"] = flow.port[i];
    end["packets"] = flow.packets[i];
    end["bytes"] = flow.bytes[i];
    return end;
  };
  out["client"] = side(0);
  out["server"] = side(1);
  if (flow.protocol != ip_protocol::kNone) out["protocol"] = flow.protocol;
  out["ethertype"] = flow.ethertype;
  if (flow.protocol == ip_protocol::kIcmp || flow.protocol == ip_protocol::kIcmpv6) {
    out["icmp_type"] = flow.port[0] >> 8;
    out["icmp_code"] = flow.port[0] & 0xff;
  }
  if (flow.vlan != 0) out["vlan"] = flow.vlan;
  if (flow.scope != 0) out["scope"] = scope_text(flow.scope);
  out["first"] = format_time(flow.first);
  out["last"] = format_time(flow.last);
  if (flow.protocol == ip_protocol::kTcp) out["tcp"] = to_text(flow.tcp);
  if (flow.application != nullptr) out["application"] = flow.application;
  if (flow.origin.session != 0) out["session"] = flow.origin.session;
  return out;
}

json::object to_json(const Asset& asset) {
  json::object out{{"mac", asset.mac.text()}};
  if (asset.scope != 0) out["scope"] = scope_text(asset.scope);
  if (!asset.vendor.empty()) out["vendor"] = asset.vendor;
  json::array ips;
  for (const IpAddress& ip : asset.ips) ips.emplace_back(ip.text());
  out["ips"] = std::move(ips);
  json::array vlans;
  for (const std::uint16_t vlan : asset.vlans) vlans.emplace_back(vlan);
  out["vlans"] = std::move(vlans);
  out["role"] = asset.router ? "router" : "host";
  if (!asset.vm.empty()) out["vm"] = asset.vm;
  out["first"] = format_time(asset.first);
  out["last"] = format_time(asset.last);
  out["packets"] = asset.packets;
  out["bytes"] = asset.bytes;
  json::array properties;
  for (const AssetProperty& property : asset.properties) {
    json::object& out_property =
        properties
            .emplace_back(json::object{{"attribute", to_text(property.attribute)},
                                       {"value", property.value},
                                       {"source", property.source},
                                       {"confidence", to_text(property.confidence)},
                                       {"last", format_time(property.last)}})
            .get_object();
    if (property.station.kind != Station::Kind::none)
      out_property["station"] = to_text(property.station);
  }
  out["properties"] = std::move(properties);
  return out;
}

json::object to_json(const Finding& finding) {
  const FindingRule& rule = rule_of(finding.key.kind);
  json::object out{{"kind", rule.id},
                   {"title", rule.title},
                   {"severity", rule.severity},
                   {"on", to_text(finding.key.on)},
                   {"by", to_text(finding.key.by)}};
  if (*rule.technique != '\0') out["technique"] = rule.technique;
  const auto subject = [&](const std::string& name, const Subject& s) {
    if (!s.mac.is_zero()) out[name + "_mac"] = s.mac.text();
    if (!s.ip.empty()) out[name + "_ip"] = s.ip.text();
  };
  subject("on", finding.key.on);
  subject("by", finding.key.by);
  out["source"] = finding.key.source;
  if (finding.vlan != 0) out["vlan"] = finding.vlan;
  if (finding.key.scope != 0) out["scope"] = scope_text(finding.key.scope);
  out["first"] = format_time(finding.first);
  out["last"] = format_time(finding.last);
  out["count"] = finding.count;
  return out;
}

json::object to_json(const NicFrames& nic) {
  return {{"mac", nic.mac.text()},
          {"vm", nic.vm},
          {"port", nic.port()},
          {"in", nic.in},
          {"out", nic.out},
          {"in_group", nic.in_group},
          {"out_group", nic.out_group},
          {"flooded", nic.flooded}};
}

json::object to_json(const ClockRow& row) {
  json::object out{{"ip", row.ip.text()}};
  if (row.scope != 0) out["scope"] = scope_text(row.scope);
  out["source"] = row.source;
  out["first"] = format_time(row.first);
  out["last"] = format_time(row.last);
  out["readings"] = row.readings;
  out["offset_ns"] = row.offset ? json::value(*row.offset) : json::value();
  out["refused"] = row.refused;
  out["refused_by"] = row.refused_by.empty() ? json::value() : json::value(row.refused_by.text());
  return out;
}

json::object to_json(const Limit& limit) {
  return {{"name", limit.name},
          {"unit", limit.unit},
          {"limit", limit.limit},
          {"used", limit.used},
          {"overflow", limit.overflow}};
}

json::object to_json(const InputSnapshot& input) {
  json::object out{{"name", input.name},
                   {"workers", input.workers},
                   {"frames", to_json(input.frames)},
                   {"decapsulated", decapsulated(input.decapsulated)},
                   {"sessions", all(input.sessions)},
                   {"senders", all(input.senders)},
                   {"warnings", texts(input.warnings)}};
  if (input.error) out["error"] = input.error->text();
  if (input.reinjected) {
    const ReinjectCounters& c = *input.reinjected;
    json::object lost;
    for (std::size_t i = 0; i < c.lost.size(); ++i)
      if (c.lost[i] > 0) lost[to_text(static_cast<ReinjectLoss>(i))] = c.lost[i];
    out["reinjected"] = {{"frames", c.frames},
                         {"sent", c.sent},
                         {"sent_bytes", c.sent_bytes},
                         {"lost", std::move(lost)}};
  }
  return out;
}

json::object protocols_json(const std::vector<ProtocolSnapshot>& protocols) {
  json::object out;
  for (const ProtocolSnapshot& p : protocols)
    out[p.name] = {{"records", p.records}, {"malformed", p.malformed}, {"cut", p.cut}};
  return out;
}

json::object to_json(const EngineCounters& s) {
  json::object ended;
  for (const FlowEnd end :
       {FlowEnd::closed, FlowEnd::idle, FlowEnd::evicted, FlowEnd::flushed, FlowEnd::moved})
    ended[to_text(end)] = s.flows_ended[static_cast<std::size_t>(end)];
  json::object out{{"time", format_time(s.time)}};
  if (s.last_frame != 0) out["last_frame"] = format_time(s.last_frame);
  out["frames"] = to_json(s.frames());
  out["inputs"] = all(s.inputs);
  out["flows"] = {
      {"active", s.flows_active}, {"started", s.flows_started}, {"ended", std::move(ended)}};
  out["protocols"] = protocols_json(s.protocols);
  out["errors"] = counts(s.errors);
  out["not_understood"] = counts(s.not_understood);
  out["streams"] = counts(s.streams);
  out["clocks"] = all(s.clocks);
  out["duplicates"] = s.duplicates;
  out["findings"] = counts(s.findings_begun);
  out["adopted"] = counts(s.adopted);
  out["limits"] = all(s.limits);
  return out;
}

json::object to_json(const EngineSnapshot& s) {
  json::object out = to_json(static_cast<const EngineCounters&>(s));
  out["flows"].as_object()["top"] = all(s.top_flows);
  out["assets"] = all(s.assets);
  out["nics"] = all(s.nics);
  out["found"] = all(s.findings);
  return out;
}

json::object to_json(const AnalyzeReport& report) {
  const InputSnapshot& input = report.snapshot.inputs.front();
  json::object protocols, malformed;
  for (const ProtocolSnapshot& p : report.snapshot.protocols) {
    if (p.records > 0) protocols[p.name] = p.records;
    if (p.malformed > 0) malformed[p.name] = p.malformed;
  }
  for (const NamedCount& count : report.snapshot.errors) malformed[count.name] = count.count;
  json::object out{{"packets", report.packets},
                   {"bytes", report.bytes},
                   {"cpu_seconds", report.cpu_seconds},
                   {"analysed", input.frames.analysed},
                   {"decapsulated", decapsulated(input.decapsulated)},
                   {"flows", report.flows},
                   {"assets", report.snapshot.assets.size()},
                   {"dropped", dropped(input.frames)},
                   {"protocols", std::move(protocols)},
                   {"malformed", std::move(malformed)},
                   {"findings", all(report.snapshot.findings)}};
  if (!report.snapshot.not_understood.empty())
    out["not_understood"] = counts(report.snapshot.not_understood);
  if (input.error) out["error"] = input.error->text();
  out["warnings"] = texts(input.warnings);
  return out;
}

}  // namespace vmirror
