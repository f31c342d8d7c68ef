// CIP Networks Library Volume 2 (EtherNet/IP), chapter 2: 2-3 (encapsulation messages), 2-4
// (commands), 2-6 (common packet format), 2-7.3 (implicit I/O). All numbers little-endian, but
// those of a socket address.
//
//   field[n]: n bytes
//
//   0            2           4            8           12                   20
//   | command[2] | length[2] | session[4] | status[4] | sender context[8] | options[4] | data |
//   common packet  | items[2] | items * (type[2] | length[2] | value) |
//   RR, unit data  | interface[4] | timeout[2] | common packet |
//   session        | protocol version[2] | options[2] |
//   identity item  | version[2] | socket address[16] | vendor[2] | type[2] | product code[2] |
//                  revision[1] . [1] | status[2] | serial[4] | size[1] | product name | state[1] |
//   service item   | version[2] | flags[2] | name[16] |
//   implicit I/O   a common packet: 8002 | 8 | connection[4] | sequence[4] |, b1 | size | data |
#include "agent/engine/dissect/ot/enip.hpp"

#include "agent/engine/dissect/ot/cip_names.hpp"
#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace enip {
namespace {

constexpr std::size_t kEnipHeader = 24;
constexpr int kMaxItems = 8;
enum Command : std::uint16_t {
  kNop = 0,
  kListServices = 4,
  kListIdentity = 0x63,
  kRegisterSession = 0x65,
  kUnregisterSession = 0x66,
  kSendRrData = 0x6f,
  kSendUnitData = 0x70,
};
constexpr Named kCommands[] = {{kNop, "nop"},
                               {kListServices, "list_services"},
                               {kListIdentity, "list_identity"},
                               {0x64, "list_interfaces"},
                               {kRegisterSession, "register_session"},
                               {kUnregisterSession, "unregister_session"},
                               {kSendRrData, "send_rr_data"},
                               {kSendUnitData, "send_unit_data"},
                               {0x72, "indicate_status"},
                               {0x73, "cancel"}};
constexpr Named kStatuses[] = {{0, "success"},
                               {1, "unsupported_command"},
                               {2, "no_memory"},
                               {3, "incorrect_data"},
                               {0x64, "invalid_session"},
                               {0x65, "invalid_length"},
                               {0x69, "unsupported_version"}};
enum Item : std::uint16_t {
  kNullAddress = 0,
  kIdentityItem = 0x0c,
  kConnectedAddress = 0xa1,
  kConnectedData = 0xb1,
  kUnconnectedData = 0xb2,
  kServicesItem = 0x100,
  kSequencedAddress = 0x8002,
};

void tell_identity_item(Cursor item, const Context& context, Facts& facts) {
  item.skip(18);
  const CipIdentity identity = read_identity(item);
  const std::uint8_t state = item.u8();
  if (!item.ok()) return;
  tell_identity(identity, facts);
  facts.add("state", state);
  learn_identity(identity, context.sender(), "enip.identity", facts);
}

void tell_service_item(Cursor item, Facts& facts) {
  const std::uint16_t version = item.le16(), flags = item.le16();
  facts.open_object("");
  facts.add("name", text_of(item.take(std::min<std::size_t>(item.left(), 16))));
  facts.add("version", version);
  facts.add("flags", flags);
  facts.close();
}

/// The items of a common packet; `each` is called with type and value.
template <typename Each>
Malformed walk_items(Cursor& cursor, Each each) {
  const int count = cursor.le16();
  if (!cursor.ok()) return Malformed::truncated;
  if (count > kMaxItems) return Malformed::bad_value;
  for (int i = 0; i < count; ++i) {
    const std::uint16_t type = cursor.le16();
    const Cursor item = cursor.sub(cursor.le16());
    if (!cursor.ok()) return Malformed::truncated;
    each(type, item);
  }
  return Malformed::none;
}

/// The number by which CIP pairs answers.
std::uint32_t tag_of(std::uint64_t context) {
  return static_cast<std::uint32_t>(context ^ context >> 32) & 0x7fffffff;
}

Malformed tell_data(const EnipMessage& enip, const Context& context, Facts& facts) {
  Cursor cursor(enip.data);
  cursor.skip(6);
  Bytes message;
  std::uint32_t tag = tag_of(enip.context);
  const Malformed malformed = walk_items(cursor, [&](std::uint16_t type, Cursor item) {
    if (type == kConnectedAddress && item.left() >= 4) facts.add("connection_id", item.le32());
    if (type == kConnectedData && item.left() >= 2) {
      const std::uint16_t sequence = item.le16();
      facts.add("sequence", sequence);
      tag = 0x80000000U | sequence;
      message = item.rest();
    }
    if (type == kUnconnectedData) message = item.rest();
  });
  if (!message.empty()) context.hand_down(kEnipCip, message, facts, tag);
  return malformed;
}

Malformed tell_answer(const EnipMessage& enip, const Context& context, Facts& facts) {
  Cursor cursor(enip.data);
  const bool services = enip.command == kListServices;
  if (services) facts.open_array("services");
  const Malformed malformed = walk_items(cursor, [&](std::uint16_t type, Cursor item) {
    if (services && type == kServicesItem) tell_service_item(item, facts);
    if (!services && type == kIdentityItem) tell_identity_item(item, context, facts);
  });
  if (services) facts.close();
  return malformed;
}

/// These two have data in answers only.
bool is_list(std::uint16_t command) {
  return command == kListServices || command == kListIdentity;
}

bool answers(const EnipMessage& enip, const Context& context) {
  if (is_list(enip.command)) return !enip.data.empty();
  if (enip.command == kRegisterSession) return enip.session != 0 || enip.status != 0;
  return !context.to_server;
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto enip = parse_enip(bytes);
  if (!enip) return enip.error();
  const bool response = answers(*enip, context);
  facts.record("enip");
  facts.add("type", response ? "response" : "request");
  tell_named(facts, "command", kCommands, enip->command);
  facts.add("session", enip->session);
  if (enip->status != 0) tell_named(facts, "status", kStatuses, enip->status);
  if (response && enip->command != kNop && enip->command != kUnregisterSession)
    facts.learn(context.sender(), Attribute::service, "enip", "enip.command", Confidence::implied);
  if (enip->data.empty()) return Malformed::none;
  if (enip->command == kRegisterSession) {
    facts.add("protocol_version", Cursor(enip->data).le16());
    return enip->data.size() == 4 ? Malformed::none : Malformed::bad_length;
  }
  if (is_list(enip->command)) return tell_answer(*enip, context, facts);
  if (enip->command != kSendRrData && enip->command != kSendUnitData) return Malformed::none;
  return tell_data(*enip, context, facts);
}

Framing frame(Bytes stream, const Context&) {
  if (stream.size() < 4) return Framing::more();
  Cursor cursor(stream);
  const std::uint16_t command = cursor.le16(), length = cursor.le16();
  if (name_of(kCommands, command) == nullptr) return Framing::lost();
  if (stream.size() >= kEnipHeader && load_be32(&stream[20]) != 0) return Framing::lost();
  return Framing::message(kEnipHeader + length);
}

/// Whether the items of a whole message's common packet, one at least, end where the message does.
bool has_items(Bytes data) {
  Cursor cursor(data);
  int items = 0;
  const Malformed malformed = walk_items(cursor, [&items](std::uint16_t, Cursor) { ++items; });
  return malformed == Malformed::none && cursor.empty() && items > 0;
}

/// Of a whole message. A header without data is too little elsewhere than at the port.
Probe judge_enip(const EnipMessage& enip, bool at_own_port) {
  const Bytes data = enip.data;
  if (data.empty() && !at_own_port) return Probe::no;
  switch (enip.command) {
    case kListServices:
    case kListIdentity:
      if (data.empty()) return enip.session == 0 && enip.status == 0 ? Probe::client : Probe::no;
      return has_items(data) ? Probe::server : Probe::no;
    case kRegisterSession:
      if (data.size() != 4 || load_be32(data.data()) != 0x01000000) return Probe::no;
      return enip.session == 0 && enip.status == 0 ? Probe::client : Probe::server;
    case kSendRrData:
    case kSendUnitData:
      if (enip.status != 0) return data.empty() ? Probe::server : Probe::no;
      return data.size() >= 8 && load_be32(data.data()) == 0 && has_items(data.subspan(6))
                 ? Probe::yes
                 : Probe::no;
    default:
      return Probe::no;
  }
}

Probe probe_stream(Bytes stream, const Context& context) {
  const Framing framing = frame(stream, context);
  if (framing.status == Framing::Status::lost) return Probe::no;
  if (framing.status == Framing::Status::more || stream.size() < kEnipHeader) return Probe::maybe;
  if (stream.size() < framing.size) return context.at_own_port ? Probe::yes : Probe::maybe;
  const auto enip = parse_enip(stream.first(framing.size));
  if (!enip) return Probe::no;
  const Probe verdict = judge_enip(*enip, context.at_own_port);
  return verdict == Probe::no && context.at_own_port ? Probe::yes : verdict;
}

Probe probe_datagram(Bytes bytes, const Context& context) {
  const auto enip = parse_enip(bytes);
  if (!enip) return Probe::no;
  const Probe verdict = judge_enip(*enip, context.at_own_port);
  return verdict == Probe::no && context.at_own_port ? Probe::yes : verdict;
}

/// Connection, sequence, and the size of the data.
struct CipIoPacket {
  std::uint32_t connection = 0, sequence = 0;
  std::size_t size = 0;
};
Parsed<CipIoPacket> parse_cip_io(Bytes bytes) {
  Cursor cursor(bytes);
  const std::uint16_t items = cursor.le16(), type = cursor.le16(), size = cursor.le16();
  CipIoPacket out;
  out.connection = cursor.le32();
  out.sequence = cursor.le32();
  const std::uint16_t data_type = cursor.le16();
  out.size = cursor.le16();
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (items != 2 || type != kSequencedAddress || size != 8 || data_type != kConnectedData)
    return bad(Malformed::bad_value);
  cursor.skip(out.size);
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (!cursor.empty()) return bad(Malformed::bad_length);
  return out;
}

Outcome dissect_io(Bytes bytes, const Context&, Facts& facts) {
  const auto io = parse_cip_io(bytes);
  if (!io) return io.error();
  facts.record("cip_io");
  facts.add("connection_id", io->connection);
  facts.add("sequence", io->sequence);
  facts.add("size", io->size);
  return Malformed::none;
}

Probe probe_io(Bytes bytes, const Context&) {
  return parse_cip_io(bytes) ? Probe::yes : Probe::no;
}

constexpr Place kAt[] = {44818};
constexpr Place kIoAt[] = {kCipIoPort};
constexpr Place kHandsDown[] = {kEnipCip};

}  // namespace
}  // namespace enip

Parsed<EnipMessage> parse_enip(Bytes bytes) {
  Cursor cursor(bytes);
  EnipMessage out;
  out.command = cursor.le16();
  const std::uint16_t length = cursor.le16();
  out.session = cursor.le32();
  out.status = cursor.le32();
  out.context = cursor.le64();
  const std::uint32_t options = cursor.le32();
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (name_of(enip::kCommands, out.command) == nullptr || options != 0)
    return bad(Malformed::bad_value);
  out.data = cursor.take(length);
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (!cursor.empty()) return bad(Malformed::bad_length);
  return out;
}

CipIdentity read_identity(Cursor& cursor) {
  CipIdentity out;
  out.vendor_id = cursor.le16();
  out.device_type = cursor.le16();
  out.product_code = cursor.le16();
  out.major = cursor.u8();
  out.minor = cursor.u8();
  out.status = cursor.le16();
  out.serial = cursor.le32();
  out.product_name = text_of(cursor.take(cursor.u8()));
  return out;
}

void tell_identity(const CipIdentity& identity, Facts& facts,
                   std::optional<std::uint32_t> attribute) {
  const auto is_told = [&](std::uint32_t number) { return attribute.value_or(number) == number; };
  facts.open_object("identity");
  if (is_told(1)) facts.add("vendor_id", identity.vendor_id);
  if (is_told(2)) tell_named(facts, "device_type", kCipDeviceTypes, identity.device_type);
  if (is_told(3)) facts.add("product_code", identity.product_code);
  if (is_told(4))
    facts.add("revision", ShortText().add(identity.major).add(".").add(identity.minor).kept(facts));
  if (is_told(5)) facts.add("status", identity.status);
  if (is_told(6)) facts.add("serial", ShortText().add_hex(identity.serial, 8).kept(facts));
  if (is_told(7)) facts.add("product_name", identity.product_name);
  facts.close();
}

void learn_identity(const CipIdentity& identity, const Subject& subject, const char* source,
                    Facts& facts) {
  if (const char* vendor = name_of(kCipVendors, identity.vendor_id))
    facts.learn(subject, Attribute::vendor, vendor, source);
  if (!identity.product_name.empty())
    facts.learn(subject, Attribute::model, identity.product_name, source);
  if (const char* role = name_of(kCipDeviceTypes, identity.device_type))
    facts.learn(subject, Attribute::role, role, source);
  if (identity.major != 0)
    facts.learn(subject, Attribute::firmware,
                ShortText().add(identity.major).add(".").add(identity.minor).kept(facts), source);
  if (identity.serial != 0)
    facts.learn(subject, Attribute::serial_number,
                ShortText().add_hex(identity.serial, 8).kept(facts), source);
}

const Dissector kEnip{.name = "enip",
                      .carrier = Carrier::stream,
                      .at = enip::kAt,
                      .hands_down = enip::kHandsDown,
                      .probe = enip::probe_stream,
                      .frame = enip::frame,
                      .dissect = enip::dissect};
const Dissector kEnipUdp{.name = "enip",
                         .carrier = Carrier::datagram,
                         .at = enip::kAt,
                         .hands_down = enip::kHandsDown,
                         .probe = enip::probe_datagram,
                         .dissect = enip::dissect};
const Dissector kCipIo{.name = "cip_io",
                       .carrier = Carrier::datagram,
                       .at = enip::kIoAt,
                       .probe = enip::probe_io,
                       .dissect = enip::dissect_io};

}  // namespace vmirror
