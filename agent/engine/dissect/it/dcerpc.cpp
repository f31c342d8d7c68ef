// The Open Group, C706 "DCE 1.1: Remote Procedure Call", chapter 12 (PDUs) and appendix L (towers);
// [MS-RPCE], section 2.2.2.
//
//   field[n]: n bytes
//
//   head      | 5[1] | minor[1] | type[1] | flags[1] | data representation[4] | size of all[2] |
//             | size of authentication[2] | call[4] |
//   bind      | most sent[2] | most received[2] | group[4] | contexts[1] | 3 |
//             | contexts * (id[2] | syntaxes[1] | 1 | UUID[16] | version[4] | syntaxes * 20) |
//   bind ack  | 2 | 2 | 4 | size[2] | address | to 4 | results[1] | 3 | results * (result[2] | 22)
//   request   | hint[4] | context[2] | operation[2] | 0x80: object[16] | stub | padding, auth. |
//   response  | hint[4] | context[2] | 2 | stub | ...
//   fault     | hint[4] | context[2] | 2 | status[4] |
//   auth.     | type[1] | level[1] | padding[1] | 1 | id[4] | value |
//
//   map       request  | object: pointer[4], UUID[16] | pointer[4] | tower | handle[20] | most[4] |
//             response | handle[20] | towers[4] | most[4] | 0[4] | number[4] | pointers | towers |
//   tower     | size[4] | size[4] | floors[2] | floors * (size[2] | left | size[2] | right) |
//             to 4; left: protocol[1], of 0x0d UUID[16], version[2]; right: of 7 a port, of 9 an IP
#include "agent/engine/dissect/it/dcerpc.hpp"

#include "agent/engine/dissect/guid.hpp"
#include "agent/engine/dissect/it/spnego.hpp"
#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace dcerpc {
namespace {

constexpr std::size_t kHead = 16, kTrailer = 8, kUuid = 16;
/// Flags of no PDU that begins a conversation; 4 of a bind: signs headers, 0x10: multiplexes.
constexpr std::uint8_t kReservedFlags = 0x68;
constexpr int kMaxListed = 32;
enum Type : std::uint8_t {
  kRequest = 0,
  kResponse = 2,
  kFault = 3,
  kBind = 11,
  kBindAck = 12,
  kBindNak = 13,
  kAlter = 14,
  kAlterAnswer = 15,
  kAuth3 = 16,
};
constexpr Named kTypes[] = {{kRequest, "request"},     {kResponse, "response"},
                            {kFault, "fault"},         {kBind, "bind"},
                            {kBindAck, "bind_ack"},    {kBindNak, "bind_nak"},
                            {kAlter, "alter_context"}, {kAlterAnswer, "alter_context_response"},
                            {kAuth3, "auth3"},         {17, "shutdown"},
                            {18, "co_cancel"},         {19, "orphaned"}};
/// By the first field of the UUID.
constexpr Named kInterfaces[] = {{0xe1af8308, "epm"},
                                 {0x12345778, "lsa_or_samr"},
                                 {0x12345678, "netlogon_or_spoolss"},
                                 {0x4b324fc8, "srvsvc"},
                                 {0x6bffd098, "wkssvc"},
                                 {0x367abb81, "svcctl"},
                                 {0x338cd001, "winreg"},
                                 {0x86d35949, "atsvc_scheduler"},
                                 {0x1ff70682, "atsvc"},
                                 {0xe3514235, "drsuapi"},
                                 {0x3919286a, "dssetup"},
                                 {0x82273fdc, "eventlog"},
                                 {0x99fcfec4, "iobjectexporter"},
                                 {0x4d9f4ab8, "dcom"},
                                 {0x50abc2a4, "dnsserver"},
                                 {0xafa8bd80, "mgmt"},
                                 {0xdea00001, "profinet_device"},
                                 {0xdea00002, "profinet_controller"}};
constexpr std::uint32_t kEpmUuid = 0xe1af8308;
constexpr std::uint8_t kSealed = 6;

/// What is known of a connection, or of a pipe: the interfaces that were bound.
struct Bound {
  static constexpr std::size_t kMost = 8;
  std::uint16_t count;
  std::uint16_t ids[kMost];
  std::uint32_t uuids[kMost];  ///< Their first fields.
};

/// Reads in the PDU's own byte order.
class Reader {
 public:
  Reader(Bytes bytes, bool little) : cursor_(bytes), little_(little) {}
  std::uint8_t u8() { return cursor_.u8(); }
  std::uint16_t u16() { return little_ ? cursor_.le16() : cursor_.u16(); }
  std::uint32_t u32() { return little_ ? cursor_.le32() : cursor_.u32(); }
  Bytes take(std::size_t size) { return cursor_.take(size); }
  void skip(std::size_t size) { cursor_.skip(size); }
  void align(std::size_t to) { cursor_.skip((to - cursor_.offset() % to) % to); }
  Bytes rest() const { return cursor_.rest(); }
  bool ok() const { return cursor_.ok(); }
  bool empty() const { return cursor_.empty(); }

 private:
  Cursor cursor_;
  bool little_;
};

void remember(Bound& bound, std::uint16_t id, std::uint32_t uuid) {
  std::size_t at = 0;
  while (at < bound.count && bound.ids[at] != id) ++at;
  if (at == Bound::kMost) return;
  bound.count = static_cast<std::uint16_t>(std::max<std::size_t>(bound.count, at + 1));
  bound.ids[at] = id;
  bound.uuids[at] = uuid;
}

std::uint32_t bound_to(const Bound* bound, std::uint16_t id) {
  for (std::size_t i = 0; bound && i < bound->count; ++i)
    if (bound->ids[i] == id) return bound->uuids[i];
  return 0;
}

Malformed tell_bind(const DcerpcPdu& pdu, Bound* bound, Facts& facts) {
  Reader reader(pdu.body, pdu.little_endian);
  reader.skip(8);
  const int count = reader.u8();
  reader.skip(3);
  facts.open_array("interfaces");
  for (int i = 0; i < count && reader.ok(); ++i) {
    const std::uint16_t id = reader.u16();
    const std::size_t syntaxes = reader.u8();
    reader.u8();
    const Bytes uuid = reader.take(kUuid);
    const std::uint16_t major = reader.u16(), minor = reader.u16();
    reader.skip(syntaxes * 20);
    if (!reader.ok()) break;
    if (bound) remember(*bound, id, Reader(uuid, pdu.little_endian).u32());
    if (i >= kMaxListed) continue;
    facts.open_object("");
    facts.add("context_id", id);
    facts.add("uuid", guid_text(uuid, facts));
    if (const char* name = dcerpc_interface_name(uuid, pdu.little_endian)) facts.add("name", name);
    facts.add("version", major);
    if (minor != 0) facts.add("minor_version", minor);
    facts.close();
  }
  facts.close();
  return reader.ok() ? Malformed::none : Malformed::bad_length;
}

Malformed tell_bind_answer(const DcerpcPdu& pdu, Facts& facts) {
  Reader reader(pdu.body, pdu.little_endian);
  reader.skip(8);
  reader.skip(reader.u16());
  reader.align(4);
  const int count = reader.u8();
  reader.skip(3);
  facts.open_array("results");
  for (int i = 0; i < count && i < kMaxListed && reader.ok(); ++i) {
    const std::uint16_t result = reader.u16();
    reader.skip(22);
    if (reader.ok()) facts.add("", result);
  }
  facts.close();
  return reader.ok() ? Malformed::none : Malformed::bad_length;
}

/// A request, a response, or a part of one.
Malformed tell_call(const DcerpcPdu& pdu, const Context& context, const Bound* bound,
                    std::uint64_t key, Facts& facts) {
  Reader reader(pdu.body, pdu.little_endian);
  reader.u32();
  const std::uint16_t id = reader.u16();
  std::uint16_t opnum = reader.u16();
  if (pdu.type == kRequest && pdu.object) reader.skip(kUuid);
  if (!reader.ok()) return Malformed::bad_length;
  std::uint32_t uuid = bound_to(bound, id);
  facts.add("context_id", id);
  if (pdu.type == kRequest) {
    facts.add("opnum", opnum);
    if (pdu.first) context.ask(key | pdu.call_id, uuid, opnum);
  } else if (pdu.first) {
    const auto request = context.answer(key | pdu.call_id);
    opnum = 0xffff;
    if (request) {
      uuid = request->a;
      opnum = static_cast<std::uint16_t>(request->b);
      facts.add("opnum", opnum);
      facts.add("latency_us", context.latency_us(*request));
    }
    if (!pdu.last && request) context.ask(key | pdu.call_id, uuid, opnum);
  } else if (const auto request = context.answer(key | pdu.call_id)) {
    uuid = request->a;
    opnum = static_cast<std::uint16_t>(request->b);
    facts.add("opnum", opnum);
    if (!pdu.last) context.ask(key | pdu.call_id, uuid, opnum);
  }
  if (const char* name = name_of(kInterfaces, uuid)) facts.add("interface", name);
  facts.add("stub_size", reader.rest().size());
  if (pdu.authentication_level == kSealed || context.cut) return Malformed::none;
  const auto whole = context.join(reader.rest(), pdu.first ? Begins::yes : Begins::no, pdu.last,
                                  key | pdu.call_id);
  if (whole && uuid == kEpmUuid)
    context.hand_down(dcerpc_interface(uuid), whole->bytes, facts, opnum);
  return Malformed::none;
}

/// What a PDU's type has behind the common fields.
Malformed tell_body(const DcerpcPdu& pdu, const Context& context, Bound* bound, std::uint64_t key,
                    Facts& facts) {
  switch (pdu.type) {
    case kBind:
    case kAlter:
      return tell_bind(pdu, bound, facts);
    case kBindAck:
    case kAlterAnswer:
      facts.learn(context.sender(), Attribute::service, "dcerpc", "dcerpc.type",
                  Confidence::implied);
      return tell_bind_answer(pdu, facts);
    case kRequest:
    case kResponse:
      return tell_call(pdu, context, bound, key, facts);
    case kFault: {
      Reader reader(pdu.body, pdu.little_endian);
      reader.skip(8);
      facts.add("status", reader.u32());
      return reader.ok() ? Malformed::none : Malformed::bad_length;
    }
    default:
      return Malformed::none;
  }
}

Malformed tell_pdu(Bytes bytes, const Context& context, std::uint64_t key, Facts& facts) {
  const auto pdu = parse_dcerpc(bytes);
  if (!pdu) return pdu.error();
  Bound* bound = context.state<Bound>(key);
  facts.record("dcerpc");
  tell_named(facts, "type", kTypes, pdu->type);
  facts.add("call_id", pdu->call_id);
  if (pdu->authentication_size > 0) {
    facts.add("auth_type", pdu->authentication_type);
    facts.add("auth_level", pdu->authentication_level);
  }
  if (!pdu->first || !pdu->last) facts.add("part", true);
  const Malformed malformed = tell_body(*pdu, context, bound, key, facts);
  const bool signature = pdu->type == kRequest || pdu->type == kResponse || pdu->type == kFault;
  if (!signature) hand_down_gss(pdu->authentication, context, facts);
  return malformed;
}

bool is_head(Bytes head) {
  return head[0] == 5 && head[1] <= 1 && name_of(kTypes, head[2]) != nullptr &&
         (head[4] & 0xef) == 0 && head[6] == 0 && head[7] == 0;
}

std::uint16_t size_of(Bytes head) {
  return (head[4] & 0x10) != 0 ? static_cast<std::uint16_t>(head[8] | head[9] << 8)
                               : load_be16(&head[8]);
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  return tell_pdu(bytes, context, 0, facts);
}

Framing frame(Bytes stream, const Context&) {
  if (stream[0] != 5 || (stream.size() > 1 && stream[1] > 1)) return Framing::lost();
  if (stream.size() < kHead) return Framing::more();
  if (!is_head(stream) || size_of(stream) < kHead) return Framing::lost();
  return Framing::message(size_of(stream));
}

Probe probe(Bytes stream, const Context& context) {
  if (stream.empty()) return Probe::maybe;
  const Framing framing = frame(stream, context);
  if (framing.status == Framing::Status::lost) return Probe::no;
  if (framing.status == Framing::Status::more) return Probe::maybe;
  if (!context.at_own_port) {  // A whole PDU whose every part is as it must be.
    if ((stream[3] & kReservedFlags) != 0 || stream[5] != 0) return Probe::no;
    if (stream.size() < framing.size) return Probe::maybe;
    const auto pdu = parse_dcerpc(stream);
    if (!pdu || pdu->body.size() < 8) return Probe::no;
  }
  const std::uint8_t type = stream[2];
  if (type == kBind || type == kAlter || type == kRequest) return Probe::client;
  return type == kBindAck || type == kAlterAnswer || type == kResponse ? Probe::server : Probe::yes;
}

/// A pipe is a stream of its own: PDUs may begin and end anywhere in what is read and written.
Outcome dissect_pipe(Bytes bytes, const Context& context, Facts& facts) {
  struct Pending {
    std::uint32_t left;  ///< Bytes to come of the PDU that the last part did not end.
  };
  const std::uint64_t key = std::uint64_t{context.tag & 0xffff} << 32;
  const std::uint64_t waits = key | 1U << 31 | (context.to_server ? 1U : 0U);
  Malformed malformed = Malformed::none;
  while (!bytes.empty() && malformed == Malformed::none) {
    Pending* pending = context.state<Pending>(waits);
    if (pending == nullptr) return Malformed::none;
    if (pending->left > 0) {
      const auto used = std::min<std::size_t>(pending->left, bytes.size());
      pending->left -= static_cast<std::uint32_t>(used);
      const auto whole = context.join(bytes.first(used), Begins::no, pending->left == 0, waits);
      if (whole) malformed = tell_pdu(whole->bytes, context, key, facts);
      bytes = bytes.subspan(used);
      continue;
    }
    if (bytes.size() < kHead || !is_head(bytes) || size_of(bytes) < kHead)
      return Malformed::bad_value;
    const std::size_t size = size_of(bytes);
    if (size > bytes.size()) {
      pending->left = static_cast<std::uint32_t>(size - bytes.size());
      context.join(bytes, Begins::yes, false, waits);
      return Malformed::none;
    }
    malformed = tell_pdu(bytes.first(size), context, key, facts);
    bytes = bytes.subspan(size);
  }
  return malformed;
}

Probe probe_pipe(Bytes bytes, const Context& context) {
  if (bytes.size() < kHead + 8 || !is_head(bytes)) return Probe::no;
  const bool binds = bytes[2] >= kBind && bytes[2] <= kAlterAnswer;  // What a pipe begins with.
  const bool sound =
      (bytes[3] & kReservedFlags) == 0 && bytes[5] == 0 && size_of(bytes) >= kHead + 8;
  return (binds || context.at_own_port) && sound && size_of(bytes) <= 16384 ? Probe::yes
                                                                            : Probe::no;
}

// ---- The endpoint mapper

struct Endpoint {
  Bytes uuid;
  const char* protocol = nullptr;
  std::uint16_t port = 0;
  IpAddress ip;
};

/// A tower's floors; all of it is little-endian but ports and addresses.
Endpoint read_tower(Bytes tower) {
  Endpoint out;
  Cursor cursor(tower);
  const int floors = cursor.le16();
  for (int i = 0; i < floors && cursor.ok(); ++i) {
    const Bytes left = cursor.take(cursor.le16());
    const Bytes right = cursor.take(cursor.le16());
    if (!cursor.ok() || left.empty()) break;
    if (left[0] == 0x0d && left.size() >= 17 && out.uuid.empty()) out.uuid = left.subspan(1, kUuid);
    if (left[0] == 0x07 || left[0] == 0x08) {
      out.protocol = left[0] == 0x07 ? "tcp" : "udp";
      if (right.size() == 2) out.port = load_be16(right.data());
    }
    if (left[0] == 0x0f || left[0] == 0x10) out.protocol = "pipe";
    if (left[0] == 0x1f) out.protocol = "http";
    if (left[0] == 0x09 && right.size() == 4) out.ip = IpAddress::v4(right.data());
  }
  return out;
}

void tell_endpoint(const Endpoint& endpoint, Facts& facts) {
  facts.add("uuid", guid_text(endpoint.uuid, facts));
  if (const char* name = dcerpc_interface_name(endpoint.uuid, true)) facts.add("name", name);
  if (endpoint.protocol) facts.add("protocol", endpoint.protocol);
  if (endpoint.port != 0) facts.add("port", endpoint.port);
  if (!endpoint.ip.empty() && !endpoint.ip.is_unspecified()) facts.add("ip", endpoint.ip);
}

Malformed tell_map_request(Bytes stub, Facts& facts) {
  Cursor cursor(stub);
  if (cursor.le32() != 0) cursor.skip(kUuid);
  if (cursor.le32() == 0) return Malformed::none;
  cursor.le32();
  const Bytes tower = cursor.take(cursor.le32());
  if (!cursor.ok()) return Malformed::bad_length;
  tell_endpoint(read_tower(tower), facts);
  return Malformed::none;
}

Malformed tell_map_answer(Bytes stub, const Context& context, Facts& facts) {
  constexpr Time kHour = 3600 * kSecond;
  Cursor cursor(stub);
  cursor.skip(20);
  cursor.skip(12);
  const std::uint32_t count = std::min<std::uint32_t>(cursor.le32(), kMaxListed);
  cursor.skip(std::size_t{4} * count);
  facts.open_array("endpoints");
  for (std::uint32_t i = 0; i < count && cursor.ok(); ++i) {
    cursor.le32();
    const Bytes tower = cursor.take(cursor.le32());
    cursor.skip(std::min((4 - cursor.offset() % 4) % 4, cursor.left()));
    if (!cursor.ok()) break;
    const Endpoint endpoint = read_tower(tower);
    facts.open_object("");
    tell_endpoint(endpoint, facts);
    facts.close();
    if (endpoint.port == 0 || endpoint.protocol != std::string_view("tcp")) continue;
    const bool other = !endpoint.ip.empty() && !endpoint.ip.is_unspecified();
    context.expect(other ? endpoint.ip : context.source.ip, endpoint.port, kDcerpc, kHour);
  }
  facts.close();
  return cursor.ok() ? Malformed::none : Malformed::bad_length;
}

Outcome dissect_epm(Bytes stub, const Context& context, Facts& facts) {
  constexpr std::uint32_t kMap = 3;
  if (context.tag != kMap) return Malformed::none;
  facts.record("epm");
  facts.add("type", context.to_server ? "request" : "response");
  facts.add("operation", "map");
  return context.to_server ? tell_map_request(stub, facts) : tell_map_answer(stub, context, facts);
}

constexpr Place kAt[] = {135};
constexpr Place kAtPipe[] = {inside("smb.pipe")};
constexpr Place kAtEpm[] = {dcerpc_interface(kEpmUuid)};
constexpr Place kHandsDown[] = {dcerpc_interface(kEpmUuid), kGssToken, kNtlmToken};

}  // namespace
}  // namespace dcerpc

/// LSA and SAMR, and NETLOGON and SPOOLSS, share a first field: their last bytes tell.
const char* dcerpc_interface_name(Bytes uuid, bool little_endian) {
  if (uuid.size() != dcerpc::kUuid) return nullptr;
  dcerpc::Reader reader(uuid, little_endian);
  const std::uint32_t first = reader.u32();
  const std::uint8_t last = uuid[15];
  if (first == 0x12345778) return last == 0xab ? "lsarpc" : "samr";
  if (first == 0x12345678) return last == 0xfb ? "netlogon" : "spoolss";
  return name_of(dcerpc::kInterfaces, first);
}

Parsed<DcerpcPdu> parse_dcerpc(Bytes bytes) {
  if (!bytes.empty() && bytes[0] != 5) return bad(Malformed::bad_value);
  if (bytes.size() < dcerpc::kHead) return bad(Malformed::truncated);
  if (!dcerpc::is_head(bytes)) return bad(Malformed::bad_value);
  DcerpcPdu out;
  out.type = bytes[2];
  out.first = (bytes[3] & 1) != 0;
  out.last = (bytes[3] & 2) != 0;
  out.object = (bytes[3] & 0x80) != 0;
  out.little_endian = (bytes[4] & 0x10) != 0;
  dcerpc::Reader reader(bytes.subspan(8), out.little_endian);
  out.size = reader.u16();
  out.authentication_size = reader.u16();
  out.call_id = reader.u32();
  if (out.size < dcerpc::kHead) return bad(Malformed::bad_length);
  if (bytes.size() < out.size) return bad(Malformed::truncated);
  out.body = bytes.subspan(dcerpc::kHead, out.size - dcerpc::kHead);
  if (out.authentication_size == 0) return out;
  const std::size_t trailer = dcerpc::kTrailer + out.authentication_size;
  if (trailer > out.body.size()) return bad(Malformed::bad_length);
  const Bytes at = out.body.last(trailer);
  out.authentication_type = at[0];
  out.authentication_level = at[1];
  out.authentication = at.subspan(dcerpc::kTrailer);
  out.body = out.body.first(out.body.size() - trailer);
  out.body = out.body.first(out.body.size() - std::min<std::size_t>(out.body.size(), at[2]));
  return out;
}

const Dissector kDcerpc{.name = "dcerpc",
                        .carrier = Carrier::stream,
                        .at = dcerpc::kAt,
                        .hands_down = dcerpc::kHandsDown,
                        .probe = dcerpc::probe,
                        .frame = dcerpc::frame,
                        .dissect = dcerpc::dissect};
const Dissector kDcerpcPipe{.name = "dcerpc",
                            .carrier = Carrier::inside,
                            .at = dcerpc::kAtPipe,
                            .hands_down = dcerpc::kHandsDown,
                            .probe = dcerpc::probe_pipe,
                            .dissect = dcerpc::dissect_pipe};
const Dissector kEpm{.name = "epm",
                     .carrier = Carrier::inside,
                     .at = dcerpc::kAtEpm,
                     .dissect = dcerpc::dissect_epm};

}  // namespace vmirror
