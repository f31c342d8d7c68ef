// The Open Group, C706 "DCE 1.1: Remote Procedure Call", section 12.5 (connectionless PDUs).
//
//   field[n]: n bytes, in the PDU's own byte order
//
//   0    | 4[1] | type[1] | flags[1] | flags[1] | data representation[3] | serial, high[1] |
//   8    | object[16] | interface[16] | activity[16] | server's boot[4] | interface's version[4] |
//   64   | sequence[4] | operation[2] | hint[2] | hint[2] | size of the body[2] | fragment[2] |
//   78   | authentication[1] | serial, low[1] | body |
#include "agent/engine/dissect/it/dcerpc.hpp"
#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace dcerpc_datagram {
namespace {

constexpr std::size_t kHead = 80, kUuid = 16;
constexpr std::uint8_t kVersion = 4, kLittleEndian = 0x10, kLastFragment = 2, kFragment = 4;
enum Type : std::uint8_t { kRequest = 0, kResponse = 2, kFault = 3, kReject = 6 };
constexpr Named kTypes[] = {{kRequest, "request"}, {1, "ping"},       {kResponse, "response"},
                            {kFault, "fault"},     {4, "working"},    {5, "nocall"},
                            {kReject, "reject"},   {7, "ack"},        {8, "cl_cancel"},
                            {9, "fack"},           {10, "cancel_ack"}};

bool from_server(std::uint8_t type) {
  return type == kResponse || (type >= kFault && type <= kReject) || type == 9 || type == 10;
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto pdu = parse_dcerpc_datagram(bytes);
  if (!pdu) return pdu.error();
  facts.record("dcerpc");
  tell_named(facts, "type", kTypes, pdu->type);
  facts.add("call_id", pdu->sequence);
  facts.add("opnum", pdu->opnum);
  if (const char* name = dcerpc_interface_name(pdu->interface, pdu->little_endian))
    facts.add("interface", name);
  facts.add("stub_size", pdu->body.size());
  if (pdu->fragment) facts.add("part", true);
  if ((pdu->type == kFault || pdu->type == kReject) && pdu->body.size() >= 4) {
    Cursor cursor(pdu->body);
    facts.add("status", pdu->little_endian ? cursor.le32() : cursor.u32());
  }
  if (from_server(pdu->type))
    facts.learn(context.sender(), Attribute::service, "dcerpc", "dcerpc.type", Confidence::implied);
  if (pdu->type != kRequest && pdu->type != kResponse) return Malformed::none;
  const auto whole = context.join(pdu->body, pdu->fragment_number == 0 ? Begins::yes : Begins::no,
                                  !pdu->fragment || pdu->last, pdu->sequence);
  if (!whole) return Malformed::none;
  Cursor cursor(pdu->interface);
  const std::uint32_t first = pdu->little_endian ? cursor.le32() : cursor.u32();
  constexpr std::uint32_t kWithHead[] = {0xdea00001, 0xdea00002, 0xdea00003, 0xdea00004};
  if (std::find(std::begin(kWithHead), std::end(kWithHead), first) == std::end(kWithHead))
    return Malformed::none;
  // PROFINET's server calls its client, too: the PDU tells who asks. The tag: ot/profinet_cm.hpp.
  const std::uint32_t tag =
      pdu->opnum | (pdu->little_endian ? 1U << 16 : 0) | (pdu->type == kResponse ? 1U << 17 : 0);
  context.hand_down(dcerpc_interface(kWithHead[0]), whole->bytes, facts, tag);
  return Malformed::none;
}

/// A body that fills the datagram, and values that are all legal.
Probe probe(Bytes bytes, const Context& context) {
  const auto pdu = parse_dcerpc_datagram(bytes);
  if (!pdu || (!context.cut && kHead + pdu->body.size() != bytes.size())) return Probe::no;
  return from_server(pdu->type) ? Probe::server : Probe::client;
}

constexpr Place kAt[] = {34964, 135};
constexpr Place kHandsDown[] = {dcerpc_interface(0xdea00001)};

}  // namespace
}  // namespace dcerpc_datagram

Parsed<DcerpcDatagram> parse_dcerpc_datagram(Bytes bytes) {
  constexpr std::uint8_t kMostFloat = 3, kMostFlags2 = 3;
  if (!bytes.empty() && bytes[0] != dcerpc_datagram::kVersion) return bad(Malformed::bad_value);
  if (bytes.size() < dcerpc_datagram::kHead) return bad(Malformed::truncated);
  const bool legal = name_of(dcerpc_datagram::kTypes, bytes[1]) != nullptr &&
                     bytes[3] <= kMostFlags2 && (bytes[4] & 0xee) == 0 && bytes[5] <= kMostFloat &&
                     bytes[6] == 0;
  if (!legal) return bad(Malformed::bad_value);
  DcerpcDatagram out;
  out.type = bytes[1];
  out.little_endian = (bytes[4] & dcerpc_datagram::kLittleEndian) != 0;
  out.fragment = (bytes[2] & dcerpc_datagram::kFragment) != 0;
  out.last = (bytes[2] & dcerpc_datagram::kLastFragment) != 0;
  out.object = bytes.subspan(8, dcerpc_datagram::kUuid);
  out.interface = bytes.subspan(24, dcerpc_datagram::kUuid);
  Cursor cursor(bytes.subspan(64));
  const auto u16 = [&] { return out.little_endian ? cursor.le16() : cursor.u16(); };
  out.sequence = out.little_endian ? cursor.le32() : cursor.u32();
  out.opnum = u16();
  cursor.skip(4);
  const std::uint16_t size = u16();
  out.fragment_number = u16();
  cursor.skip(2);
  out.body = cursor.take(size);
  return cursor.ok() ? Parsed<DcerpcDatagram>(out) : bad(Malformed::truncated);
}

const Dissector kDcerpcUdp{.name = "dcerpc",
                           .carrier = Carrier::datagram,
                           .at = dcerpc_datagram::kAt,
                           .hands_down = dcerpc_datagram::kHandsDown,
                           .probe = dcerpc_datagram::probe,
                           .dissect = dcerpc_datagram::dissect};

}  // namespace vmirror
