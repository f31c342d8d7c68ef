// IEEE 802.1D-2004, section 9.3; IEEE 802.1Q-2018, section 14.2.5 (MSTP).
//
//   field[n]: n bytes, field:n: n bits
//
//   0                2            3         4          5
//   | protocol[2], 0 | version[1] | type[1] | flags[1] |
//   5         13             17          25        27
//   | root[8] | path cost[4] | bridge[8] | port[2] |
//   27       29           31              33                 35
//   | age[2] | max age[2] | hello time[2] | forward delay[2] |
//   rapid, from 35   | 0[1] |
//   MSTP, from 36    | size[2] | format[1] | region name[32] | revision[2] | digest[16] | ...
//
//   root, bridge | priority[2] | mac[6] |
//   flags        | ack:1 agreed:1 forwarding:1 learning:1 role:2 proposal:1 topology change:1 |
#include "agent/engine/dissect/link/stp.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace stp {
namespace {

enum Type : std::uint8_t { kConfig = 0, kRapid = 2, kTopologyChange = 0x80 };
constexpr std::uint8_t kMstp = 3;
constexpr Named kVersions[] = {{0, "stp"}, {2, "rstp"}, {kMstp, "mstp"}, {4, "spt"}};
constexpr Named kTypes[] = {{kConfig, "config"}, {kRapid, "rapid"}, {kTopologyChange, "tcn"}};
constexpr Named kRoles[] = {
    {0, "master"}, {1, "alternate_or_backup"}, {2, "root"}, {3, "designated"}};

BridgeId read_bridge(Cursor& cursor) {
  BridgeId out;
  out.priority = cursor.u16();
  const Bytes mac = cursor.take(6);
  if (cursor.ok()) out.mac = Mac::from(mac.data());
  return out;
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto stp = parse_stp(bytes);
  if (!stp) return stp.error();
  facts.record("stp");
  tell_named(facts, "version", kVersions, stp->version);
  tell_named(facts, "type", kTypes, stp->type);
  if (stp->type != kTopologyChange) {
    facts.add("topology_change", (stp->flags & 1) != 0);
    facts.add("root_priority", stp->root.priority);
    facts.add("root_mac", stp->root.mac);
    facts.add("root_path_cost", stp->root_path_cost);
    facts.add("bridge_priority", stp->bridge.priority);
    facts.add("bridge_mac", stp->bridge.mac);
    facts.add("port_id", stp->port);
  }
  if (stp->type == kRapid) tell_named(facts, "port_role", kRoles, stp->flags >> 2 & 3);
  if (!stp->mst_name.empty()) {
    facts.add("mst_name", stp->mst_name);
    facts.add("mst_revision", stp->mst_revision);
  }
  if (!context.source.mac.is_zero())
    facts.learn({context.source.mac, {}}, Attribute::role, "bridge", "stp.type");
  return Malformed::none;
}

constexpr Place kAt[] = {llc(0x42), snap(0x00000c, 0x010b)};

}  // namespace
}  // namespace stp

Parsed<StpMessage> parse_stp(Bytes bytes) {
  Cursor cursor(bytes);
  StpMessage out;
  const std::uint16_t protocol = cursor.u16();
  out.version = cursor.u8();
  out.type = cursor.u8();
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (protocol != 0 || name_of(stp::kTypes, out.type) == nullptr) return bad(Malformed::bad_value);
  if (out.type == stp::kTopologyChange) return out;
  out.flags = cursor.u8();
  out.root = stp::read_bridge(cursor);
  out.root_path_cost = cursor.u32();
  out.bridge = stp::read_bridge(cursor);
  out.port = cursor.u16();
  cursor.skip(8);
  if (out.type == stp::kRapid) cursor.skip(1);
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (out.version != stp::kMstp || cursor.empty())
    return out;  // MSTP that speaks RSTP is as short.
  const std::size_t size = cursor.u16();
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (size == 0) return out;
  Cursor mst(cursor.take(size));
  mst.skip(1);
  const Bytes name = mst.take(32);
  out.mst_revision = mst.u16();
  mst.skip(16);
  if (!cursor.ok() || !mst.ok()) return bad(Malformed::truncated);
  out.mst_name = text_of(name);
  return out;
}

const Dissector kStp{
    .name = "stp", .carrier = Carrier::link, .at = stp::kAt, .dissect = stp::dissect};

}  // namespace vmirror
