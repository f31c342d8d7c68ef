// ANSI/ASHRAE 135-2020: annex J (BVLC), clause 6 (network layer), 20.1 (application headers), 13 to
// 16 and 21 (services).
//
//   field[n]: n bytes
//
//   BVLC        | 0x81 | function[1] | length of all[2] | ... | network message |
//     forwarded | address[4] | port[2] |      register | TTL[2] |      result | code[2] |
//   network     | 1[1] | control[1] | DNET[2] DLEN[1] DADR | SNET[2] SLEN[1] SADR | hops[1] | ... |
//     control   | network message:1 0:1 destination:1 0:1 source:1 reply:1 priority:2 |
//   confirmed   | 0:4 SEG:1 MOR:1 SA:1 0:1 | sizes[1] | id[1] | sequence[1] window[1] if SEG |
//               | service[1] | tags |
//   unconfirmed | 1:4 0:4 | service[1] | tags |
//   complex ack | 3:4 SEG:1 MOR:1 0:2 | id[1] | sequence[1] window[1] if SEG | service[1] | tags |
//   others      | type:4 ... | id[1] | service or reason[1] | tags of an error |
#include "agent/engine/dissect/ot/bacnet.hpp"

#include "agent/engine/dissect/ot/bacnet_properties.hpp"
#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace bacnet {
namespace {

using Pdu = BacnetMessage::Pdu;

constexpr std::uint8_t kBvlcType = 0x81;
constexpr std::size_t kBvlc = 4;
constexpr std::uint32_t kDevice = 8;
enum Bvlc : std::uint8_t { kResult = 0, kForwarded = 4, kRegister = 5, kDistribute = 9 };
constexpr Named kFunctions[] = {{kResult, "bvlc_result"},
                                {1, "write_broadcast_distribution_table"},
                                {2, "read_broadcast_distribution_table"},
                                {3, "read_broadcast_distribution_table_ack"},
                                {kForwarded, "forwarded_npdu"},
                                {kRegister, "register_foreign_device"},
                                {6, "read_foreign_device_table"},
                                {7, "read_foreign_device_table_ack"},
                                {8, "delete_foreign_device_table_entry"},
                                {kDistribute, "distribute_broadcast_to_network"},
                                {10, "original_unicast_npdu"},
                                {11, "original_broadcast_npdu"},
                                {12, "secured_bvll"}};
constexpr Named kNetworkMessages[] = {
    {0, "who_is_router_to_network"},        {1, "i_am_router_to_network"},
    {2, "i_could_be_router_to_network"},    {3, "reject_message_to_network"},
    {4, "router_busy_to_network"},          {5, "router_available_to_network"},
    {6, "initialize_routing_table"},        {7, "initialize_routing_table_ack"},
    {8, "establish_connection_to_network"}, {9, "disconnect_connection_to_network"},
    {18, "what_is_network_number"},         {19, "network_number_is"}};
constexpr const char* kPdus[] = {"confirmed_request",
                                 "unconfirmed_request",
                                 "simple_ack",
                                 "complex_ack",
                                 "segment_ack",
                                 "error",
                                 "reject",
                                 "abort"};
enum Unconfirmed : std::uint8_t {
  kIAm = 0,
  kIHave = 1,
  kTimeSync = 6,
  kWhoIs = 8,
  kUtcSync = 9,
  kWriteGroup = 10
};
constexpr Named kReinitializeStates[] = {
    {0, "coldstart"},     {1, "warmstart"},   {2, "start_backup"},  {3, "end_backup"},
    {4, "start_restore"}, {5, "end_restore"}, {6, "abort_restore"}, {7, "activate_changes"}};
constexpr std::uint32_t kWarmstart = 1, kStartRestore = 4;
constexpr Named kControlStates[] = {{0, "enable"}, {1, "disable"}, {2, "disable_initiation"}};

/// Properties of the device object that say what the device is.
struct DeviceProperty {
  std::uint32_t property;
  Attribute attribute;
  const char* source;
};
constexpr DeviceProperty kDeviceProperties[] = {
    {28, Attribute::description, "bacnet.description"},
    {44, Attribute::firmware, "bacnet.firmware_revision"},
    {70, Attribute::model, "bacnet.model_name"},
    {77, Attribute::station_name, "bacnet.object_name"},
    {121, Attribute::vendor, "bacnet.vendor_name"},
    {372, Attribute::serial_number, "bacnet.serial_number"}};
constexpr std::uint32_t kVendorIdentifier = 120;

/// The address from which it came; a forwarded message says whose it is.
Subject machine_of(const BacnetMessage& bacnet, const Context& context) {
  if (bacnet.function != kForwarded) return context.sender();
  return {{}, IpAddress::v4(bacnet.bvlc.data()), {}};
}

/// Who sent it: behind a router its network's number, and the last two bytes of its address there.
Subject sender_of(const BacnetMessage& bacnet, const Context& context) {
  Subject out = machine_of(bacnet, context);
  if (!bacnet.source_network) return out;
  std::uint32_t station = 0;
  for (const std::uint8_t byte : bacnet.source_address) station = (station << 8 | byte) & 0xffff;
  out.station = {Station::Kind::bacnet_address,
                 std::uint32_t{*bacnet.source_network} << 16 | station};
  return out;
}

void learn_vendor(std::uint64_t id, const Subject& subject, const char* source, Facts& facts) {
  if (id > 0xffff) return;
  if (const char* name = name_of(kBacnetVendors, static_cast<std::uint32_t>(id)))
    facts.learn(subject, Attribute::vendor, name, source);
}

void tell_object_id(std::uint64_t id, Facts& facts) {
  facts.open_array("objects");
  facts.open_object("");
  tell_named(facts, "object_type", kBacnetObjects, static_cast<std::uint32_t>(id) >> 22);
  facts.add("instance_number", static_cast<std::uint32_t>(id) & 0x3fffff);
  facts.close();
  facts.close();
}

Malformed tell_i_am(Bytes data, const Subject& subject, Facts& facts) {
  Cursor cursor(data);
  const BacnetTag id = next_bacnet_tag(cursor), size = next_bacnet_tag(cursor);
  next_bacnet_tag(cursor);
  const BacnetTag vendor = next_bacnet_tag(cursor);
  if (!cursor.ok()) return Malformed::bad_length;
  if (!id.is_application(kBacnetObject) || !vendor.is_application(kBacnetUnsigned))
    return Malformed::bad_value;
  const std::uint64_t device = bacnet_unsigned(id.value);
  tell_object_id(device, facts);
  facts.add("max_apdu", bacnet_unsigned(size.value));
  facts.add("vendor_id", bacnet_unsigned(vendor.value));
  facts.learn(subject, Attribute::description,
              ShortText().add("BACnet device ").add(device & 0x3fffff).kept(facts), "bacnet.i_am");
  learn_vendor(bacnet_unsigned(vendor.value), subject, "bacnet.i_am", facts);
  return Malformed::none;
}

Malformed tell_unconfirmed(const BacnetMessage& bacnet, const Context& context, Facts& facts) {
  const Subject subject = sender_of(bacnet, context);
  Cursor cursor(bacnet.data);
  switch (bacnet.service) {
    case kIAm:
      facts.learn(machine_of(bacnet, context), Attribute::service, "bacnet", "bacnet.pdu_service",
                  Confidence::implied);
      return tell_i_am(bacnet.data, subject, facts);
    case kIHave: {
      const BacnetTag device = next_bacnet_tag(cursor), object = next_bacnet_tag(cursor);
      static_cast<void>(device);
      const BacnetTag name = next_bacnet_tag(cursor);
      if (!cursor.ok()) return Malformed::bad_length;
      tell_object_id(bacnet_unsigned(object.value), facts);
      facts.add("object_name", bacnet_text(name.value));
      return Malformed::none;
    }
    case kWhoIs: {
      if (cursor.empty()) return Malformed::none;
      const BacnetTag low = next_bacnet_tag(cursor), high = next_bacnet_tag(cursor);
      if (!cursor.ok()) return Malformed::bad_length;
      facts.add("low_limit", bacnet_unsigned(low.value));
      facts.add("high_limit", bacnet_unsigned(high.value));
      return Malformed::none;
    }
    case kWriteGroup:
      facts.act(Act::Kind::write, context.receiver(), context.sender(), "bacnet.pdu_service");
      return Malformed::none;
    case kTimeSync:
    case kUtcSync:
      facts.act(Act::Kind::set_time, context.receiver(), context.sender(), "bacnet.pdu_service");
      return Malformed::none;
    default:
      return Malformed::none;
  }
}

std::optional<Act::Kind> act_of(std::uint8_t service, std::optional<std::uint32_t> state) {
  switch (service) {
    case kReadFile:
    case kReadProperty:
    case kReadMultiple:
    case kReadRange:
      return Act::Kind::read;
    case 8:
    case 9:
    case kCreateObject:
    case kDeleteObject:
    case kWriteProperty:
    case kWriteMultiple:
      return Act::Kind::write;
    case kWriteFile:
      return Act::Kind::download;
    case kCommunicationControl:
      return state == 0U ? Act::Kind::start : Act::Kind::stop;
    case kReinitialize:
      if (state && *state <= kWarmstart) return Act::Kind::stop;
      return state == kStartRestore ? Act::Kind::download : Act::Kind::write;
    default:
      return std::nullopt;
  }
}

/// The state that reinitialize_device or device_communication_control orders.
std::optional<std::uint32_t> state_of(const BacnetMessage& bacnet) {
  const std::uint8_t place = bacnet.service == kReinitialize ? 0 : 1;
  for (Cursor cursor(bacnet.data); !cursor.empty() && cursor.ok();)
    if (const BacnetTag tag = next_bacnet_tag(cursor); tag.is_context(place))
      return static_cast<std::uint32_t>(bacnet_unsigned(tag.value));
  return std::nullopt;
}

Malformed tell_properties(const BacnetMessage& bacnet, const Context& context, Facts& facts) {
  const bool answer = bacnet.pdu == Pdu::complex_ack;
  const auto layout = bacnet_layout(bacnet.service, answer);
  if (!layout) return Malformed::none;
  const Subject subject = sender_of(bacnet, context);
  const auto learn = [&](std::uint32_t object, std::uint32_t property, const BacnetTag& value) {
    if (!answer || object != kDevice) return;
    if (property == kVendorIdentifier && value.is_application(kBacnetUnsigned))
      learn_vendor(bacnet_unsigned(value.value), subject, "bacnet.vendor_identifier", facts);
    if (!value.is_application(kBacnetText)) return;
    const std::string_view text = bacnet_text(value.value);
    for (const DeviceProperty& each : kDeviceProperties)
      if (each.property == property && !text.empty())
        facts.learn(subject, each.attribute, text, each.source);
  };
  return BacnetProperties(Cursor(bacnet.data), *layout, facts).tell(learn);
}

std::uint64_t key_of(const BacnetMessage& bacnet, bool from_requester) {
  return std::uint64_t{bacnet.invoke_id} << 1 | std::uint64_t{from_requester};
}

Malformed tell_confirmed(const BacnetMessage& bacnet, const Context& context, Facts& facts) {
  std::optional<std::uint32_t> state;
  if (bacnet.service == kReinitialize || bacnet.service == kCommunicationControl) {
    state = state_of(bacnet);
    if (!state) return Malformed::bad_length;
    if (bacnet.service == kReinitialize)
      tell_named(facts, "state", kReinitializeStates, *state);
    else
      tell_named(facts, "state", kControlStates, *state);
  }
  context.ask(bacnet.invoke_id, bacnet.service);
  if (const auto act = act_of(bacnet.service, state))
    facts.act(*act, context.receiver(), context.sender(), "bacnet.pdu_service");
  return tell_properties(bacnet, context, facts);
}

void tell_failure(const BacnetMessage& bacnet, Facts& facts) {
  if (bacnet.pdu == Pdu::reject) return tell_named(facts, "reason", kBacnetRejects, bacnet.service);
  if (bacnet.pdu == Pdu::abort) return tell_named(facts, "reason", kBacnetAborts, bacnet.service);
  Cursor cursor(bacnet.data);
  BacnetTag first = next_bacnet_tag(cursor);
  if (first.opens(0)) first = next_bacnet_tag(cursor);
  const BacnetTag second = next_bacnet_tag(cursor);
  if (!cursor.ok()) return;
  tell_named(facts, "error_class", kBacnetErrorClasses,
             static_cast<std::uint32_t>(bacnet_unsigned(first.value)));
  tell_named(facts, "error_code", kBacnetErrors,
             static_cast<std::uint32_t>(bacnet_unsigned(second.value)));
}

Malformed tell_answer(const BacnetMessage& bacnet, const Context& context, Facts& facts) {
  const bool either = bacnet.pdu == Pdu::segment_ack || bacnet.pdu == Pdu::abort;
  if (!either)
    facts.learn(context.sender(), Attribute::service, "bacnet", "bacnet.pdu_service",
                Confidence::implied);
  if (bacnet.pdu != Pdu::segment_ack)
    if (const auto request = context.answer(bacnet.invoke_id))
      facts.add("latency_us", context.latency_us(*request));
  if (bacnet.pdu == Pdu::complex_ack) return tell_properties(bacnet, context, facts);
  if (bacnet.pdu >= Pdu::error) tell_failure(bacnet, facts);
  return Malformed::none;
}

void tell_headers(const BacnetMessage& bacnet, Facts& facts) {
  facts.record("bacnet");
  tell_named(facts, "bvlc_function", kFunctions, bacnet.function);
  Cursor bvlc(bacnet.bvlc);
  if (bacnet.function == kForwarded) facts.add("origin", IpAddress::v4(bacnet.bvlc.data()));
  if (bacnet.function == kRegister) facts.add("ttl", bvlc.u16());
  if (bacnet.function == kResult) facts.add("result", bvlc.u16());
  if (bacnet.network_type)
    tell_named(facts, "network_message", kNetworkMessages, *bacnet.network_type);
  if (bacnet.destination_network) facts.add("dnet", *bacnet.destination_network);
  if (bacnet.source_network) {
    facts.add("snet", *bacnet.source_network);
    facts.add("sadr", bacnet.source_address);
  }
  if (!bacnet.pdu) return;
  facts.add("pdu_type", kPdus[static_cast<std::size_t>(*bacnet.pdu)]);
  const bool unconfirmed = bacnet.pdu == Pdu::unconfirmed_request;
  if (unconfirmed)
    tell_named(facts, "pdu_service", kBacnetUnconfirmed, bacnet.service);
  else if (bacnet.pdu < Pdu::segment_ack || bacnet.pdu == Pdu::error)
    tell_named(facts, "pdu_service", kBacnetConfirmed, bacnet.service);
  if (!unconfirmed) facts.add("invoke_id", bacnet.invoke_id);
  if (bacnet.segmented) facts.add("sequence", bacnet.sequence);
}

/// What comes next of a segmented message.
struct Segments {
  std::uint8_t next = 0;
};

/// Puts segments together; false: more are to come, or one comes again.
bool join_segments(BacnetMessage& bacnet, const Context& context) {
  const std::uint64_t key = key_of(bacnet, bacnet.pdu == Pdu::confirmed_request);
  const bool first = bacnet.sequence == 0;
  if (Segments* segments = context.state<Segments>(key)) {
    if (!first && bacnet.sequence != segments->next) return false;
    segments->next = static_cast<std::uint8_t>(bacnet.sequence + 1);
  }
  const auto whole =
      context.join(bacnet.data, first ? Begins::yes : Begins::no, !bacnet.more_follows, key);
  if (!whole || whole->cut) return false;
  bacnet.data = whole->bytes;
  return true;
}

Malformed tell_message(BacnetMessage& bacnet, const Context& context, Facts& facts) {
  tell_headers(bacnet, facts);
  if (!bacnet.pdu) return Malformed::none;
  if (bacnet.segmented && (bacnet.cut || !join_segments(bacnet, context))) return Malformed::none;
  if (bacnet.pdu == Pdu::unconfirmed_request) return tell_unconfirmed(bacnet, context, facts);
  if (bacnet.pdu == Pdu::confirmed_request) return tell_confirmed(bacnet, context, facts);
  return tell_answer(bacnet, context, facts);
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  auto bacnet = parse_bacnet(bytes);
  if (!bacnet) return bacnet.error();
  const Malformed malformed = tell_message(*bacnet, context, facts);
  if (bacnet->cut) return Malformed::truncated;
  return malformed == Malformed::none && bacnet->trailing > 0 ? Malformed::bad_length : malformed;
}

/// All headers are there, and BVLC's length is the datagram's; at the port one that hides bytes
/// behind its end, or lacks its last ones, will do.
Probe probe(Bytes bytes, const Context& context) {
  const auto bacnet = parse_bacnet(bytes);
  if (!bacnet || ((bacnet->cut || bacnet->trailing > 0) && !context.at_own_port)) return Probe::no;
  if (!bacnet->pdu) return Probe::yes;
  const bool answers = bacnet->pdu == Pdu::simple_ack || bacnet->pdu == Pdu::complex_ack ||
                       bacnet->pdu == Pdu::error || bacnet->pdu == Pdu::reject;
  const bool announces = bacnet->pdu == Pdu::unconfirmed_request && bacnet->service == kIAm;
  if (answers || announces) return Probe::server;
  return bacnet->pdu == Pdu::confirmed_request ? Probe::client : Probe::yes;
}

/// The application's header.
Malformed read_apdu(Cursor& cursor, BacnetMessage& out) {
  const std::uint8_t first = cursor.u8();
  if (!cursor.ok()) return Malformed::bad_length;
  if (first >> 4 > static_cast<int>(Pdu::abort)) return Malformed::bad_value;
  out.pdu = static_cast<Pdu>(first >> 4);
  const bool request = out.pdu == Pdu::confirmed_request;
  const bool segments = request || out.pdu == Pdu::complex_ack;
  if (request) cursor.u8();
  if (out.pdu != Pdu::unconfirmed_request) out.invoke_id = cursor.u8();
  if (segments && (first & 8) != 0) {
    out.segmented = true;
    out.more_follows = (first & 4) != 0;
    out.sequence = cursor.u8();
    cursor.u8();
  }
  if (out.pdu == Pdu::segment_ack) {
    out.sequence = cursor.u8();
    cursor.u8();
  } else {
    out.service = cursor.u8();
  }
  out.data = cursor.rest();
  return cursor.ok() ? Malformed::none : Malformed::bad_length;
}

Malformed read_network(Cursor& cursor, BacnetMessage& out) {
  const std::uint8_t version = cursor.u8(), control = cursor.u8();
  if (!cursor.ok()) return Malformed::bad_length;
  if (version != 1) return Malformed::bad_value;
  const bool destination = (control & 0x20) != 0;
  if (destination) {
    out.destination_network = cursor.u16();
    cursor.skip(cursor.u8());
  }
  if ((control & 0x08) != 0) {
    out.source_network = cursor.u16();
    out.source_address = cursor.take(cursor.u8());
  }
  if (destination) cursor.u8();
  if ((control & 0x80) != 0) {
    out.network_type = cursor.u8();
    return cursor.ok() ? Malformed::none : Malformed::bad_length;
  }
  if (!cursor.ok()) return Malformed::bad_length;
  return read_apdu(cursor, out);
}

constexpr Place kAt[] = {47808};

}  // namespace
}  // namespace bacnet

Parsed<BacnetMessage> parse_bacnet(Bytes bytes) {
  Cursor cursor(bytes);
  const std::uint8_t type = cursor.u8();
  BacnetMessage out;
  out.function = cursor.u8();
  const std::uint16_t length = cursor.u16();
  if (!bytes.empty() && type != bacnet::kBvlcType) return bad(Malformed::bad_value);
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (name_of(bacnet::kFunctions, out.function) == nullptr) return bad(Malformed::bad_value);
  if (length < bacnet::kBvlc) return bad(Malformed::bad_length);
  const std::size_t end = std::min<std::size_t>(length, bytes.size());
  out.cut = length > bytes.size();
  out.trailing = bytes.size() - end;
  cursor = Cursor(bytes.subspan(bacnet::kBvlc, end - bacnet::kBvlc));
  if (out.function == bacnet::kForwarded) out.bvlc = cursor.take(6);
  out.has_network = out.function == bacnet::kForwarded ||
                    (out.function >= bacnet::kDistribute && out.function < 12);
  if (!out.has_network) {
    out.bvlc = cursor.rest();
    const bool two = out.function == bacnet::kResult || out.function == bacnet::kRegister;
    if (two && out.bvlc.size() != 2)
      return bad(out.cut ? Malformed::truncated : Malformed::bad_length);
    return out;
  }
  if (!cursor.ok()) return bad(out.cut ? Malformed::truncated : Malformed::bad_length);
  if (const Malformed malformed = bacnet::read_network(cursor, out); malformed != Malformed::none)
    return bad(out.cut ? Malformed::truncated : malformed);
  return out;
}

const Dissector kBacnet{.name = "bacnet",
                        .carrier = Carrier::datagram,
                        .at = bacnet::kAt,
                        .probe = bacnet::probe,
                        .dissect = bacnet::dissect};

}  // namespace vmirror
