// FieldComm Group HCF_SPEC-085 (HART-IP), section 6; HCF_SPEC-081 (token-passing data link), 5;
// HCF_SPEC-127 (universal commands), 6.
//
//   field[n]: n bytes
//
//   0            1         2       3           4                 6
//   | version[1] | type[1] | ID[1] | status[1] | transaction[2]  | length of all[2] | body |
//   session      | host type[1] | inactivity timer in ms[4] |
//   frame        | delimiter[1] | address[1 or 5] | expansion | command[1] | size[1] |
//                | response code[1] device status[1] of a response | data | check[1] |
//     delimiter  | long address:1 expansion:2 layer:2 kind:3 |
//   command 0, answered  | 254[1] | device type[2] | preambles[1] | HART[1] | device[1] |
//                | software[1] | hardware:5 signal:3 | flags[1] | device ID[3] | 5 | maker[2]
#include "agent/engine/dissect/ot/hart_ip.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace hart_ip {
namespace {

constexpr std::size_t kHartIpHeader = 8;
constexpr std::uint16_t kMostHartIp = 1024;
enum HartType : std::uint8_t { kAsk = 0, kAnswer = 1, kPublish = 2, kNak = 15 };
enum HartId : std::uint8_t { kInitiate = 0, kPassThrough = 3 };
constexpr Named kHartTypes[] = {
    {kAsk, "request"}, {kAnswer, "response"}, {kPublish, "publish"}, {kNak, "nak"}};
constexpr Named kHartIds[] = {
    {kInitiate, "session_initiate"},     {1, "session_close"}, {2, "keep_alive"},
    {kPassThrough, "token_passing_pdu"}, {4, "direct_pdu"},    {5, "read_audit_log"}};
constexpr Named kHartFrames[] = {{HartFrame::kBurst, "burst"},
                                 {HartFrame::kRequest, "request"},
                                 {HartFrame::kResponse, "response"}};
enum HartCommand : std::uint8_t { kUniqueId = 0, kLongTag = 20, kDeviceReset = 42 };
constexpr Named kHartCommands[] = {{kUniqueId, "read_unique_identifier"},
                                   {1, "read_primary_variable"},
                                   {2, "read_loop_current"},
                                   {3, "read_dynamic_variables"},
                                   {6, "write_polling_address"},
                                   {7, "read_loop_configuration"},
                                   {8, "read_variable_classifications"},
                                   {9, "read_device_variables"},
                                   {11, "read_unique_identifier_by_tag"},
                                   {12, "read_message"},
                                   {13, "read_tag_descriptor_date"},
                                   {14, "read_transducer_information"},
                                   {15, "read_device_information"},
                                   {16, "read_final_assembly_number"},
                                   {17, "write_message"},
                                   {18, "write_tag_descriptor_date"},
                                   {19, "write_final_assembly_number"},
                                   {kLongTag, "read_long_tag"},
                                   {21, "read_unique_identifier_by_long_tag"},
                                   {22, "write_long_tag"},
                                   {33, "read_device_variables_of_slots"},
                                   {34, "write_damping_value"},
                                   {35, "write_range_values"},
                                   {36, "set_upper_range_value"},
                                   {37, "set_lower_range_value"},
                                   {38, "reset_configuration_changed"},
                                   {40, "enter_fixed_current_mode"},
                                   {41, "perform_self_test"},
                                   {kDeviceReset, "perform_device_reset"},
                                   {43, "set_primary_variable_zero"},
                                   {44, "write_primary_variable_units"},
                                   {45, "trim_loop_current_zero"},
                                   {46, "trim_loop_current_gain"},
                                   {47, "write_transfer_function"},
                                   {48, "read_additional_device_status"},
                                   {71, "lock_device"},
                                   {79, "write_device_variable"}};

std::optional<Act::Kind> act_of(std::uint8_t command) {
  if (command == kDeviceReset) return Act::Kind::stop;
  const bool writes = command == 6 || (command >= 17 && command <= 19) || command == 22 ||
                      (command >= 34 && command <= 37) || command == 40 ||
                      (command >= 43 && command <= 47) || command == 71 || command == 79;
  if (writes) return Act::Kind::write;
  if (name_of(kHartCommands, command) == nullptr || command == 38 || command == 41)
    return std::nullopt;
  return Act::Kind::read;
}

Malformed tell_identity(Bytes data, const Subject& subject, Facts& facts) {
  Cursor cursor(data);
  cursor.u8();
  const std::uint16_t type = cursor.u16();
  cursor.u8();
  const std::uint8_t hart = cursor.u8(), device = cursor.u8(), software = cursor.u8();
  const std::uint8_t hardware = cursor.u8() >> 3;
  cursor.u8();
  const std::uint32_t id = cursor.u24();
  if (!cursor.ok()) return Malformed::bad_length;
  cursor.skip(std::min<std::size_t>(cursor.left(), 5));
  const std::uint32_t maker = cursor.left() >= 2 ? cursor.u16() : type >> 8U;
  facts.open_object("device");
  facts.add("manufacturer_id", maker);
  facts.add("device_type", type);
  facts.add("device_id", id);
  facts.add("hart_revision", hart);
  facts.add("device_revision", device);
  facts.add("software_revision", software);
  facts.add("hardware_revision", hardware);
  facts.close();
  facts.learn(subject, Attribute::serial_number, keep_number(facts, "", id), "hart_ip.device_id");
  facts.learn(subject, Attribute::firmware, keep_number(facts, "", software),
              "hart_ip.software_revision");
  facts.learn(subject, Attribute::hardware, keep_number(facts, "", hardware),
              "hart_ip.hardware_revision");
  return Malformed::none;
}

Malformed tell_hart(const HartIpMessage& message, const Context& context, Facts& facts) {
  const auto hart = parse_hart(message.body);
  if (!hart) return hart.error();
  tell_named(facts, "frame", kHartFrames, hart->kind);
  facts.add("address", hart->address);
  facts.add("command", hart->command);
  if (const char* name = name_of(kHartCommands, hart->command)) facts.add("command_name", name);
  if (hart->kind == HartFrame::kRequest) {
    if (const auto act = act_of(hart->command))
      facts.act(*act, context.receiver(), context.sender(), "hart_ip.command");
    return Malformed::none;
  }
  facts.add("response_code", hart->response_code);
  facts.add("device_status", hart->device_status);
  if (hart->response_code != 0 && hart->response_code < 0x20) return Malformed::none;
  if (hart->command == kUniqueId && !hart->data.empty())
    return tell_identity(hart->data, context.sender(), facts);
  if (hart->command != kLongTag) return Malformed::none;
  const std::string_view tag = text_of(hart->data);
  facts.add("tag", tag);
  if (!tag.empty()) facts.learn(context.sender(), Attribute::station_name, tag, "hart_ip.tag");
  return Malformed::none;
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto message = parse_hart_ip(bytes);
  if (!message) return message.error();
  facts.record("hart_ip");
  facts.add("version", message->version);
  tell_named(facts, "message_type", kHartTypes, message->type);
  tell_named(facts, "message_id", kHartIds, message->id);
  facts.add("status", message->status);
  facts.add("transaction_id", message->transaction_id);
  const std::uint64_t key = std::uint64_t{message->id} << 16 | message->transaction_id;
  if (message->type == kAsk) context.ask(key);
  if (message->type == kAnswer) {
    if (const auto request = context.answer(key))
      facts.add("latency_us", context.latency_us(*request));
    facts.learn(context.sender(), Attribute::service, "hart_ip", "hart_ip.message_type",
                Confidence::implied);
  }
  if (message->id == kInitiate && message->type <= kAnswer && !message->body.empty()) {
    Cursor cursor(message->body);
    facts.add("host_type", cursor.u8());
    const std::uint32_t timer = cursor.u32();
    if (!cursor.ok()) return Malformed::bad_length;
    facts.add("inactivity_ms", timer);
  }
  const bool framed = message->id == kPassThrough && message->type != kNak;
  return framed && !message->body.empty() ? tell_hart(*message, context, facts) : Malformed::none;
}

Framing frame(Bytes stream, const Context&) {
  if (stream.size() < kHartIpHeader) {
    const bool begins = (stream[0] == 1 || stream[0] == 2);
    return begins ? Framing::more() : Framing::lost();
  }
  const std::uint16_t size = load_be16(&stream[6]);
  const bool known = (stream[0] == 1 || stream[0] == 2) && name_of(kHartTypes, stream[1]) &&
                     name_of(kHartIds, stream[2]);
  if (!known || size < kHartIpHeader || size > kMostHartIp) return Framing::lost();
  return Framing::message(size);
}

/// A header with a body that fits: a session's, none, or a HART frame with its check.
Probe probe(Bytes bytes, const Context& context) {
  if (bytes.empty()) return Probe::maybe;
  const Framing framing = frame(bytes, context);
  if (framing.status == Framing::Status::lost) return Probe::no;
  if (framing.status == Framing::Status::more || bytes.size() < framing.size) return Probe::maybe;
  const auto message = parse_hart_ip(bytes.first(framing.size));
  if (!message) return Probe::no;
  const bool frame_fits = message->id == kPassThrough && parse_hart(message->body).has_value();
  const bool session_fits = message->id == kInitiate && message->body.size() == 5 &&
                            message->body[0] <= 1 && message->status <= 15;
  if (!context.at_own_port && !frame_fits && !session_fits) return Probe::no;
  if (message->type == kAsk) return Probe::client;
  return Probe::server;
}

constexpr Place kAt[] = {5094};

}  // namespace
}  // namespace hart_ip

Parsed<HartIpMessage> parse_hart_ip(Bytes bytes) {
  Cursor cursor(bytes);
  HartIpMessage out;
  out.version = cursor.u8();
  out.type = cursor.u8() & 15;
  out.id = cursor.u8();
  out.status = cursor.u8();
  out.transaction_id = cursor.u16();
  const std::uint16_t size = cursor.u16();
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (out.version == 0 || out.version > 2 || name_of(hart_ip::kHartTypes, out.type) == nullptr ||
      name_of(hart_ip::kHartIds, out.id) == nullptr)
    return bad(Malformed::bad_value);
  if (size < hart_ip::kHartIpHeader) return bad(Malformed::bad_length);
  out.body = cursor.take(size - hart_ip::kHartIpHeader);
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (!cursor.empty()) return bad(Malformed::bad_length);
  return out;
}

Parsed<HartFrame> parse_hart(Bytes bytes) {
  Cursor cursor(bytes);
  const std::uint8_t delimiter = cursor.u8();
  HartFrame out;
  out.kind = delimiter & 7;
  if (!bytes.empty() && name_of(hart_ip::kHartFrames, out.kind) == nullptr)
    return bad(Malformed::bad_value);
  out.address = cursor.take((delimiter & 0x80) != 0 ? 5 : 1);
  cursor.skip(delimiter >> 5 & 3);
  out.command = cursor.u8();
  Cursor body = cursor.sub(cursor.u8());
  cursor.u8();  // The check.
  if (out.kind != HartFrame::kRequest) {
    out.response_code = body.u8();
    out.device_status = body.u8();
  }
  if (!cursor.ok() || !body.ok() || !cursor.empty()) return bad(Malformed::bad_length);
  std::uint8_t sum = 0;
  for (const std::uint8_t byte : bytes) sum ^= byte;
  if (sum != 0) return bad(Malformed::bad_value);
  out.data = body.rest();
  return out;
}

const Dissector kHartIp{.name = "hart_ip",
                        .carrier = Carrier::stream,
                        .at = hart_ip::kAt,
                        .probe = hart_ip::probe,
                        .frame = hart_ip::frame,
                        .dissect = hart_ip::dissect};
const Dissector kHartIpUdp{.name = "hart_ip",
                           .carrier = Carrier::datagram,
                           .at = hart_ip::kAt,
                           .probe = hart_ip::probe,
                           .dissect = hart_ip::dissect};

}  // namespace vmirror
