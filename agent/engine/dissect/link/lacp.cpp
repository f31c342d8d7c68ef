// IEEE 802.1AX-2014, section 6.4.2.
//
//   field[n]: n bytes
//
//   0            1            2
//   | subtype, 1 | version[1] | 1[1] | 20[1] | actor[15] | reserved[3]
//                             | 2[1] | 20[1] | partner[15] | reserved[3] | collector... |
//
//   actor, partner   | system priority[2] | system[6] | key[2] |
//                    | port priority[2] | port[2] | state[1] |
#include "agent/engine/dissect/link/lacp.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace lacp {
namespace {

constexpr std::uint8_t kLacpSubtype = 1, kActor = 1, kPartner = 2, kEndSize = 20;
constexpr const char* kStates[] = {"active",     "short_timeout", "aggregatable", "synchronized",
                                   "collecting", "distributing",  "defaulted",    "expired"};

bool read_end(Cursor& cursor, std::uint8_t type, LacpEnd& out) {
  const bool right = cursor.u8() == type && cursor.u8() == kEndSize;
  out.system_priority = cursor.u16();
  const Bytes system = cursor.take(6);
  out.key = cursor.u16();
  out.port_priority = cursor.u16();
  out.port = cursor.u16();
  out.state = cursor.u8();
  cursor.skip(3);
  if (cursor.ok()) out.system = Mac::from(system.data());
  return right;
}

void tell_end(const char* name, const LacpEnd& end, Facts& facts) {
  facts.open_object(name);
  facts.add("system_priority", end.system_priority);
  facts.add("system", end.system);
  facts.add("key", end.key);
  facts.add("port_priority", end.port_priority);
  facts.add("port", end.port);
  facts.open_array("state");
  for (std::size_t bit = 0; bit < std::size(kStates); ++bit)
    if ((end.state >> bit & 1) != 0) facts.add("", kStates[bit]);
  facts.close();
  facts.close();
}

Outcome dissect(Bytes bytes, const Context&, Facts& facts) {
  const auto lacp = parse_lacp(bytes);
  if (!lacp) return lacp.error();
  if (lacp->subtype != kLacpSubtype) return Malformed::none;
  facts.record("lacp");
  facts.add("version", lacp->version);
  tell_end("actor", lacp->actor, facts);
  tell_end("partner", lacp->partner, facts);
  return Malformed::none;
}

constexpr Place kAt[] = {0x8809};

}  // namespace
}  // namespace lacp

Parsed<LacpMessage> parse_lacp(Bytes bytes) {
  Cursor cursor(bytes);
  LacpMessage out;
  out.subtype = cursor.u8();
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (out.subtype != lacp::kLacpSubtype) return out;
  out.version = cursor.u8();
  const bool actor = lacp::read_end(cursor, lacp::kActor, out.actor);
  const bool partner = lacp::read_end(cursor, lacp::kPartner, out.partner);
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (!actor || !partner) return bad(Malformed::bad_value);
  return out;
}

const Dissector kLacp{
    .name = "lacp", .carrier = Carrier::link, .at = lacp::kAt, .dissect = lacp::dissect};

}  // namespace vmirror
