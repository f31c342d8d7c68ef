// EVE: one JSON object a line, in the shape that Suricata gives its events (docs.suricata.io, "Eve
// JSON Format"), so that what reads Suricata reads us.
//
//   {"timestamp":"2026-01-02T03:04:05.678901+0000","flow_id":7,"host":"kvm7","in_iface":"mon0",
//    "event_type":"dns","vlan":[100],"src_ip":"10.0.0.1","src_port":40000,"dest_ip":"10.0.0.2",
//    "dest_port":53,"proto":"UDP","app_proto":"dns","vmirror":{"session":5,
//    "encapsulation":"erspan2","sender":"192.0.2.9","vm":"web","nic":"vnet3","direction":"out"},
//    "dns":{...}}
//
// What a record's message does to the one whom it is about is in `vmirror.acts`: ["write"].
// Every record of a dissector becomes an event of its protocol's name; besides there are flow,
// asset, alert and stats. All functions append whole lines to a worker's buffer and are pure. A key
// whose value isn't known is left out, but for migrations, whose records are as the API has them.
#pragma once

#include <array>
#include <boost/json/object.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "agent/engine/wire/tags.hpp"
#include "agent/model/asset.hpp"
#include "agent/model/drop.hpp"
#include "agent/model/facts.hpp"
#include "agent/model/finding.hpp"
#include "agent/model/flow.hpp"
#include "agent/model/frame.hpp"
#include "agent/model/migration.hpp"

namespace vmirror {

class CommunityIds;  // community_id.hpp

/// What is common to the events of one frame or flow. Borrows its texts for the call.
struct EventHead {
  Time time = 0;
  std::uint64_t flow_id = 0;  ///< 0: no flow.
  std::string_view host;      ///< Of the agent that writes it; empty: left out.
  std::string_view in_iface;
  std::array<std::uint16_t, Packet::kMaxTags> vlans{};  ///< Outermost first.
  int vlan_count = 0;
  Mac src_mac, dest_mac;                      ///< Both zero: left out.
  IpAddress src_ip, dest_ip;                  ///< Empty: left out.
  std::uint16_t src_port = 0, dest_port = 0;  ///< ICMP: type<<8|code, id
  std::uint8_t protocol = ip_protocol::kNone;
  std::string_view app_proto;
  Scope scope = 0;
  /// `vmirror`: left out where it has nothing to tell. Its direction is that of the guest.
  Origin origin;
  std::string_view vm, nic;           ///< The guest that the mirror copies, and its port.
  std::span<const Act> acts;          ///< Of the record's message.
  const SkippedTags* tags = nullptr;  ///< Of the frame; null: it has none but VLANs.
  CommunityIds* ids = nullptr;        ///< Null: the event's is computed.
};

/// What a frame itself says: all but flow_id, host, in_iface, app_proto, vm and nic.
EventHead event_head(const Frame& frame, const Packet& packet, const Origin& origin);
/// The same of a flow, as of its last frame, seen from the client; its origin is the first frame's.
EventHead event_head(const Flow& flow);

/// One line: `event_type` is the record's protocol, with an object of that name that holds its
/// fields. Objects and arrays that the record left open are closed.
void append_record_event(std::string& out, const EventHead& head, const Record& record,
                         std::span<const Field> fields);

/// One line of `event_type` "flow", the last one of each flow: its counters toserver and toclient,
/// start, end, age in seconds, state (new, established, closed) and reason (timeout, shutdown,
/// evicted). A flow that goes on is told by "flow_interim", with the counters up to then, which the
/// flow's later events include: reason "active", or "moved" where its guest was migrated; the
/// destination's agent tells of it further, with the same flow_id. TCP flows have `tcp` with both
/// sides' flags. `head`: event_head(flow), and what it leaves open.
void append_flow_event(std::string& out, const EventHead& head, const Flow& flow);

/// One line of `event_type` "asset". `timestamp` is when it was last seen; of `head` count host,
/// in_iface, vm and nic.
void append_asset_event(std::string& out, const EventHead& head, const Asset& asset);

/// One line of `event_type` "alert", of the frame that tripped it (`head`) where there is one: in
/// `alert` what Suricata has there (action, gid, signature_id, rev, signature, severity, category:
/// the kind, metadata.mitre_technique_id), and of the finding on, by (mac, ip, station), source,
/// first, last, count. A finding is told once, and again when it is seen after an hour without it.
void append_finding_event(std::string& out, const EventHead& head, const Finding& finding);

/// One line of `event_type` "migration": a migration's record as it stands. `told` is the record as
/// the API shows it (agent/control/affinity/record_json.hpp), so that both have the same keys; what
/// isn't known is null there, too. `timestamp` is the latest time in the record.
void append_migration_event(std::string& out, std::string_view host, const MigrationRecord& record,
                            const boost::json::object& told);

/// One input's counters, by its name.
struct InputStats {
  std::string_view name;
  FrameCounters frames;
};
/// Any further counter: {"eve.lost_queue_full", 3}.
using NamedCounter = std::pair<std::string_view, std::uint64_t>;

/// One line of `event_type` "stats": `capture` and `decoder` as Suricata has them (the inputs'
/// sums), `inputs` one by one with every kind of drop that occurred, and `counters` by name.
void append_stats_event(std::string& out, std::string_view host, Time now,
                        std::uint64_t uptime_seconds, std::span<const InputStats> inputs,
                        std::span<const NamedCounter> counters = {});

}  // namespace vmirror
