#include "agent/engine/export/eve.hpp"

#include <algorithm>
#include <optional>

#include "agent/engine/export/community_id.hpp"
#include "agent/engine/export/json.hpp"

namespace vmirror {
namespace {

bool is_icmp(std::uint8_t protocol) {
  return protocol == ip_protocol::kIcmp || protocol == ip_protocol::kIcmpv6;
}

/// Suricata's `proto`: its name for those that we tell apart, else the number in three digits.
void append_protocol(Json& json, const EventHead& head) {
  if (head.src_ip.empty()) return;
  switch (head.protocol) {
    case ip_protocol::kTcp:
      return json.field("proto", "TCP");
    case ip_protocol::kUdp:
      return json.field("proto", "UDP");
    case ip_protocol::kIcmp:
      return json.field("proto", "ICMP");
    case ip_protocol::kIcmpv6:
      return json.field("proto", "IPv6-ICMP");
    case ip_protocol::kSctp:
      return json.field("proto", "SCTP");
    case ip_protocol::kIgmp:
      return json.field("proto", "IGMP");
    case ip_protocol::kGre:
      return json.field("proto", "GRE");
    case ip_protocol::kIpv4:
      return json.field("proto", "IP-in-IP");
    case ip_protocol::kIpv6:
      return json.field("proto", "IPv6");
    case ip_protocol::kNone:
      return;
    default:
      const std::uint8_t p = head.protocol;
      const char digits[3] = {static_cast<char>('0' + p / 100),
                              static_cast<char>('0' + p / 10 % 10),
                              static_cast<char>('0' + p % 10)};
      json.field("proto", std::string_view(digits, 3));
  }
}

void append_addresses(Json& json, const EventHead& head) {
  const bool ports = head.protocol == ip_protocol::kTcp || head.protocol == ip_protocol::kUdp ||
                     head.protocol == ip_protocol::kSctp;
  if (!head.src_ip.empty()) json.field("src_ip", head.src_ip);
  if (ports) json.field("src_port", head.src_port);
  if (!head.dest_ip.empty()) json.field("dest_ip", head.dest_ip);
  if (ports) json.field("dest_port", head.dest_port);
  append_protocol(json, head);
  if (is_icmp(head.protocol)) {
    json.field("icmp_type", static_cast<unsigned>(head.src_port >> 8));
    json.field("icmp_code", static_cast<unsigned>(head.src_port & 0xff));
  }
  if (!head.app_proto.empty()) json.field("app_proto", head.app_proto);
  if (!head.src_mac.is_zero() || !head.dest_mac.is_zero()) {
    json.open_object("ether");
    json.field("src_mac", head.src_mac);
    if (head.flow_id != 0 || !head.dest_mac.is_zero()) json.field("dest_mac", head.dest_mac);
    json.close();
  }
}

void append_tags(Json& json, const SkippedTags& tags) {
  json.open_array("tags");
  for (std::size_t i = 0; i < tags.count; ++i) {
    json.open_object();
    json.field("tag", to_text(tags.tags[i].kind));
    json.field("value", tags.tags[i].value);
    json.close();
  }
  json.close();
}

/// What only we know: how the frame came here.
void append_mirror(Json& json, const EventHead& head) {
  const Origin& origin = head.origin;
  // Of a frame alone: an asset's or a migration's time is none of a capture.
  const unsigned nanoseconds = head.flow_id != 0 ? nanoseconds_of(head.time) : 0;
  if (origin.encapsulation == Encapsulation::none && origin.direction == Direction::none &&
      head.vm.empty() && head.nic.empty() && head.tags == nullptr && head.acts.empty() &&
      head.scope == 0 && nanoseconds == 0)
    return;
  json.open_object("vmirror");
  if (origin.has_session) json.field("session", origin.session);
  if (origin.encapsulation != Encapsulation::none)
    json.field("encapsulation", to_text(origin.encapsulation));
  if (!origin.sender.empty()) json.field("sender", origin.sender);
  if (const auto vni = vni_of(origin.overlay)) json.field("vni", *vni);
  if (origin.group != 0) json.field("sgt", origin.group);
  if (origin.encapsulation == Encapsulation::erspan3)
    json.field("hardware_id", unsigned{origin.hardware_id});
  if (head.scope != 0) json.field("scope", std::string_view(scope_text(head.scope)));
  if (is_own_tunnel(head.scope)) json.field("own_tunnel", true);
  if (!head.vm.empty()) json.field("vm", head.vm);
  if (!head.nic.empty()) json.field("nic", head.nic);
  if (origin.direction != Direction::none) json.field("direction", to_text(origin.direction));
  if (origin.truncated) json.field("truncated", true);
  if (origin.hardware_time != 0) {
    json.field("hardware_time", origin.hardware_time);
    json.field("granularity", granularity_text(origin.granularity));
  }
  if (nanoseconds != 0) json.field("nanoseconds", std::uint64_t{nanoseconds});
  if (head.tags != nullptr) append_tags(json, *head.tags);
  if (!head.acts.empty()) {
    json.open_array("acts");
    for (const Act& act : head.acts) json.value(to_text(act.kind));
    json.close();
  }
  json.close();
}

/// Opens the line with all that events have in common; `end_line` closes it.
void begin_line(Json& json, const EventHead& head, std::string_view event_type) {
  json.open_object();
  json.time("timestamp", head.time);
  if (head.flow_id != 0) json.field("flow_id", head.flow_id);
  if (!head.host.empty()) json.field("host", head.host);
  if (!head.in_iface.empty()) json.field("in_iface", head.in_iface);
  json.field("event_type", event_type);
  if (head.vlan_count > 0) {
    json.open_array("vlan");
    for (int i = 0; i < head.vlan_count; ++i) json.value(head.vlans[static_cast<std::size_t>(i)]);
    json.close();
  }
  append_addresses(json, head);
  const CommunityId id =
      head.ids != nullptr
          ? head.ids->of(head.src_ip, head.dest_ip, head.src_port, head.dest_port, head.protocol)
          : community_id(head.src_ip, head.dest_ip, head.src_port, head.dest_port, head.protocol);
  if (!id.text().empty()) json.field("community_id", id.text());
  append_mirror(json, head);
}

void end_line(std::string& out, Json& json) {
  json.close_to(0);
  out += '\n';
}

void append_leaf(Json& json, const Field& field) {
  const Value& v = field.value;
  const JsonName name = JsonName::any(field.name);
  switch (v.kind) {
    case Value::Kind::boolean:
      return json.field(name, v.number != 0);
    case Value::Kind::number:
      return json.field(name, v.number);
    case Value::Kind::signed_number:
      return json.field(name, v.signed_number);
    case Value::Kind::real:
      return json.field(name, v.real);
    case Value::Kind::text:
      return json.field(name, v.text);
    case Value::Kind::bytes:
      return json.hex(name, v.text);
    case Value::Kind::mac:
      return json.field(name, v.mac());
    case Value::Kind::ip:
      return json.field(name, v.ip());
  }
}

const char* flow_state(const Flow& flow) {
  if (flow.protocol != ip_protocol::kTcp) return flow.packets[1] > 0 ? "established" : "new";
  switch (flow.tcp) {
    case TcpState::none:
    case TcpState::syn:
      return "new";
    case TcpState::established:
    case TcpState::midstream:
      return "established";
    case TcpState::closing:
    case TcpState::closed:
    case TcpState::reset:
      return "closed";
  }
  return "new";
}

/// Its last event is still to come, of this host or of the one that the guest moved to.
bool goes_on(const Flow& flow) {
  return flow.end == FlowEnd::none || flow.end == FlowEnd::moved;
}

const char* flow_reason(FlowEnd end) {
  switch (end) {
    case FlowEnd::none:
      return "active";
    case FlowEnd::closed:
    case FlowEnd::idle:
      return "timeout";  // Suricata's word for both: the flow was taken out in its own time.
    case FlowEnd::evicted:
      return "evicted";
    case FlowEnd::flushed:
      return "shutdown";
    case FlowEnd::moved:
      return "moved";  // Ours: it goes on on another host under the same flow_id.
  }
  return nullptr;
}

void append_tcp(Json& json, const Flow& flow) {
  constexpr char kHex[] = "0123456789abcdef";
  const auto flags = [&](JsonName name, unsigned bits) {
    const char text[2] = {kHex[bits >> 4 & 15], kHex[bits & 15]};
    json.field(name, std::string_view(text, 2));
  };
  const unsigned all = flow.tcp_flags[0] | flow.tcp_flags[1];
  json.open_object("tcp");
  flags("tcp_flags", all);
  flags("tcp_flags_ts", flow.tcp_flags[0]);
  flags("tcp_flags_tc", flow.tcp_flags[1]);
  constexpr JsonName kNames[] = {"fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"};
  for (unsigned bit = 0; bit < 8; ++bit)
    if ((all >> bit & 1) != 0) json.field(kNames[bit], true);
  json.field("state", to_text(flow.tcp));
  json.close();
}

void append_frames(Json& json, const FrameCounters& frames) {
  json.field("received", frames.received);
  json.field("received_bytes", frames.received_bytes);
  json.field("analysed", frames.analysed);
  json.field("held", frames.held);
  json.open_object("dropped");
  for (std::size_t i = 0; i < kDropKinds; ++i)
    if (frames.dropped[i] != 0)
      json.field(JsonName::any(to_text(static_cast<Drop>(i))), frames.dropped[i]);
  json.close();
}

/// A member of the open object, or an element of the open array (whose names are empty).
void append_value(Json& json, JsonName name, const boost::json::value& v) {
  switch (v.kind()) {
    case boost::json::kind::object:
      json.open_object(name);
      for (const auto& [key, member] : v.get_object())
        append_value(json, JsonName::any(key), member);
      return json.close();
    case boost::json::kind::array:
      json.open_array(name);
      for (const boost::json::value& element : v.get_array()) append_value(json, {}, element);
      return json.close();
    case boost::json::kind::string:
      return json.field(name, std::string_view(v.get_string()));
    case boost::json::kind::bool_:
      return json.field(name, v.get_bool());
    case boost::json::kind::int64:
      return json.field(name, v.get_int64());
    case boost::json::kind::uint64:
      return json.field(name, v.get_uint64());
    case boost::json::kind::double_:
      return json.field(name, v.get_double());
    case boost::json::kind::null:
      return json.null(name);
  }
}

}  // namespace

EventHead event_head(const Frame& frame, const Packet& packet, const Origin& origin) {
  EventHead head;
  head.time = frame.time;
  head.vlan_count = packet.tag_count;
  for (std::size_t i = 0; i < packet.tag_count; ++i) head.vlans[i] = packet.tags[i].id();
  head.src_mac = packet.sender_mac(frame.bytes);
  if (packet.has_macs) head.dest_mac = packet.destination_mac(frame.bytes);
  head.src_ip = packet.source_ip(frame.bytes);
  head.dest_ip = packet.destination_ip(frame.bytes);
  head.src_port = packet.source_port;
  head.dest_port = packet.destination_port;
  head.protocol = packet.protocol;
  head.origin = origin;
  return head;
}

void append_record_event(std::string& out, const EventHead& head, const Record& record,
                         std::span<const Field> fields) {
  Json json(out);
  begin_line(json, head, record.protocol);
  json.open_object(JsonName::any(record.protocol));
  const int inside = json.depth();
  for (const Field& field : fields) {
    switch (field.shape) {
      case Field::Shape::leaf:
        append_leaf(json, field);
        break;
      case Field::Shape::open_object:
        json.open_object(JsonName::any(field.name));
        break;
      case Field::Shape::open_array:
        json.open_array(JsonName::any(field.name));
        break;
      case Field::Shape::close:
        if (json.depth() > inside) json.close();
        break;
    }
  }
  end_line(out, json);
}

EventHead event_head(const Flow& flow) {
  EventHead head;
  head.time = flow.last;
  head.flow_id = flow.id;
  head.vlan_count = flow.vlan != 0 ? 1 : 0;
  head.vlans[0] = flow.vlan;
  head.scope = flow.scope;
  head.src_mac = flow.mac[0];
  head.dest_mac = flow.mac[1];
  head.src_ip = flow.ip[0];
  head.dest_ip = flow.ip[1];
  head.src_port = flow.port[0];
  head.dest_port = flow.port[1];
  head.protocol = flow.protocol;
  head.origin = flow.origin.origin();
  if (flow.application != nullptr) head.app_proto = flow.application;
  return head;
}

void append_flow_event(std::string& out, const EventHead& head, const Flow& flow) {
  Json json(out);
  begin_line(json, head, goes_on(flow) ? "flow_interim" : "flow");
  if (flow.ip[0].empty()) json.field("ether_type", flow.ethertype);
  json.open_object("flow");
  json.field("pkts_toserver", flow.packets[0]);
  json.field("pkts_toclient", flow.packets[1]);
  json.field("bytes_toserver", flow.bytes[0]);
  json.field("bytes_toclient", flow.bytes[1]);
  json.time("start", flow.first);
  json.time("end", flow.last);
  json.field("age", (flow.last - flow.first) / kSecond);
  json.field("state", flow_state(flow));
  if (const char* reason = flow_reason(flow.end)) json.field("reason", reason);
  json.close();
  if (flow.protocol == ip_protocol::kTcp) append_tcp(json, flow);
  end_line(out, json);
}

void append_asset_event(std::string& out, const EventHead& of, const Asset& asset) {
  EventHead head;
  head.time = asset.last;
  head.host = of.host;
  head.in_iface = of.in_iface;
  head.vm = of.vm;
  head.nic = of.nic;
  Json json(out);
  begin_line(json, head, "asset");
  json.open_object("asset");
  json.field("mac", asset.mac);
  if (asset.scope != 0) json.field("scope", std::string_view(scope_text(asset.scope)));
  if (!asset.vendor.empty()) json.field("vendor", asset.vendor);
  if (!head.vm.empty()) json.field("vm", head.vm);
  json.open_array("ips");
  for (const IpAddress& ip : asset.ips) json.value(ip);
  json.close();
  json.open_array("vlans");
  for (const std::uint16_t vlan : asset.vlans) json.value(vlan);
  json.close();
  json.field("router", asset.router);
  json.time("first_seen", asset.first);
  json.time("last_seen", asset.last);
  json.field("packets", asset.packets);
  json.field("bytes", asset.bytes);
  json.open_array("properties");
  for (const AssetProperty& property : asset.properties) {
    json.open_object();
    json.field("attribute", to_text(property.attribute));
    json.field("value", property.value);
    json.field("source", property.source);
    json.field("confidence", to_text(property.confidence));
    if (property.station.kind != Station::Kind::none)
      json.field("station", to_text(property.station));
    json.time("last_seen", property.last);
    json.close();
  }
  end_line(out, json);
}

namespace {

void append_subject(Json& json, JsonName name, const Subject& subject) {
  if (subject.mac.is_zero() && subject.ip.empty()) return;
  json.open_object(name);
  if (!subject.mac.is_zero()) json.field("mac", subject.mac);
  if (!subject.ip.empty()) json.field("ip", subject.ip);
  if (subject.station.kind != Station::Kind::none)
    json.field("station", std::string_view(to_text(subject.station)));
  json.close();
}

}  // namespace

void append_finding_event(std::string& out, const EventHead& head, const Finding& finding) {
  const FindingRule& rule = rule_of(finding.key.kind);
  Json json(out);
  begin_line(json, head, "alert");
  json.open_object("alert");
  json.field("action", "allowed");  // Suricata's word of who only watches.
  json.field("gid", 1U);
  json.field("signature_id", rule.number);
  json.field("rev", 1U);
  json.field("signature", rule.title);
  json.field("category", rule.id);
  json.field("severity", rule.severity);
  if (*rule.technique != '\0') {
    json.open_object("metadata");
    json.open_array("mitre_technique_id");
    json.value(rule.technique);
    json.close();
    json.close();
  }
  append_subject(json, "on", finding.key.on);
  append_subject(json, "by", finding.key.by);
  json.field("source", finding.key.source);
  json.time("first", finding.first);
  json.time("last", finding.last);
  json.field("count", finding.count);
  end_line(out, json);
}

void append_stats_event(std::string& out, std::string_view host, Time now,
                        std::uint64_t uptime_seconds, std::span<const InputStats> inputs,
                        std::span<const NamedCounter> counters) {
  FrameCounters sum;
  for (const InputStats& input : inputs) sum += input.frames;
  EventHead head;
  head.time = now;
  head.host = host;
  Json json(out);
  begin_line(json, head, "stats");
  json.open_object("stats");
  json.field("uptime", uptime_seconds);
  json.open_object("capture");
  json.field("kernel_packets", sum.received);
  json.field("kernel_drops", sum.dropped[static_cast<std::size_t>(Drop::kernel)]);
  json.close();
  json.open_object("decoder");
  json.field("pkts", sum.analysed);
  json.field("bytes", sum.received_bytes);
  json.close();
  json.open_array("inputs");
  for (const InputStats& input : inputs) {
    json.open_object();
    json.field("name", input.name);
    append_frames(json, input.frames);
    json.close();
  }
  json.close();
  json.open_object("counters");
  for (const auto& [name, value] : counters) json.field(JsonName::any(name), value);
  end_line(out, json);
}

void append_migration_event(std::string& out, std::string_view host, const MigrationRecord& record,
                            const boost::json::object& told) {
  EventHead head;
  for (const MigrationHalf* half : {&record.source, &record.destination})
    for (const HalfTime& step : kHalfTimes)
      head.time = std::max(head.time, (half->*step.time).value_or(0));
  head.host = host;
  head.vm = record.vm_name.empty() ? record.vm_uuid : record.vm_name;
  Json json(out);
  begin_line(json, head, "migration");
  append_value(json, "migration", told);
  end_line(out, json);
}

}  // namespace vmirror
