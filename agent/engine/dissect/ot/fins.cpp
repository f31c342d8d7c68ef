// Omron W227 (FINS commands), sections 3 and 5; W420 (Ethernet units), section 7-4 (FINS over TCP).
//
//   field[n]: n bytes
//
//   TCP      | "FINS" | length of the rest[4] | command[4] | error[4] | nodes or frame |
//   frame    | ICF[1] | 0[1] | gateways[1] | DNA DA1 DA2[3] | SNA SA1 SA2[3] | SID[1] |
//            | command[2] | end code[2] of a response | ... |
//     ICF    | gateway:1 response:1 0:5 no answer:1 |
//   memory   | area[1] | address[2] | bit[1] | count[2] |
//   controller data, answered   | model[20] | version[20] | ...
//   controller status, answered | status[1] | mode[1] | ...
#include "agent/engine/dissect/ot/fins.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace fins {
namespace {

constexpr std::string_view kMagic = "FINS";
constexpr std::size_t kTcpHeader = 16, kTcpLength = 8, kMostFins = 4096;
constexpr std::uint32_t kFrameSend = 2;
constexpr Named kTcpCommands[] = {{0, "client_node_address"},
                                  {1, "server_node_address"},
                                  {kFrameSend, "frame_send"},
                                  {3, "error_notification"},
                                  {6, "connection_confirmation"}};
enum Command : std::uint16_t {
  kMemoryRead = 0x0101,
  kMemoryWrite = 0x0102,
  kMemoryFill = 0x0103,
  kParameterWrite = 0x0202,
  kProgramWrite = 0x0307,
  kRun = 0x0401,
  kStop = 0x0402,
  kControllerData = 0x0501,
  kControllerStatus = 0x0601,
};
constexpr Named kCommands[] = {{kMemoryRead, "memory_area_read"},
                               {kMemoryWrite, "memory_area_write"},
                               {kMemoryFill, "memory_area_fill"},
                               {0x0104, "multiple_memory_area_read"},
                               {0x0105, "memory_area_transfer"},
                               {0x0201, "parameter_area_read"},
                               {kParameterWrite, "parameter_area_write"},
                               {0x0203, "parameter_area_clear"},
                               {0x0301, "program_area_protect"},
                               {0x0302, "program_area_protect_clear"},
                               {0x0306, "program_area_read"},
                               {kProgramWrite, "program_area_write"},
                               {0x0308, "program_area_clear"},
                               {kRun, "run"},
                               {kStop, "stop"},
                               {kControllerData, "controller_data_read"},
                               {0x0502, "connection_data_read"},
                               {kControllerStatus, "controller_status_read"},
                               {0x0602, "network_status_read"},
                               {0x0603, "data_link_status_read"},
                               {0x0620, "cycle_time_read"},
                               {0x0701, "clock_read"},
                               {0x0702, "clock_write"},
                               {0x0801, "loop_back_test"},
                               {0x0802, "broadcast_test_results_read"},
                               {0x0803, "broadcast_test_data_send"},
                               {0x0920, "message_read_clear"},
                               {0x0c01, "access_right_acquire"},
                               {0x0c02, "access_right_forced_acquire"},
                               {0x0c03, "access_right_release"},
                               {0x2101, "error_clear"},
                               {0x2102, "error_log_read"},
                               {0x2103, "error_log_clear"},
                               {0x2201, "file_name_read"},
                               {0x2202, "single_file_read"},
                               {0x2203, "single_file_write"},
                               {0x2204, "memory_card_format"},
                               {0x2205, "file_delete"},
                               {0x2207, "file_copy"},
                               {0x2208, "file_name_change"},
                               {0x220a, "memory_area_file_transfer"},
                               {0x220b, "parameter_area_file_transfer"},
                               {0x220c, "program_area_file_transfer"},
                               {0x2301, "forced_set_reset"},
                               {0x2302, "forced_set_reset_cancel"},
                               {0x230a, "multiple_forced_status_read"}};
constexpr Named kStatuses[] = {{0, "stop"}, {1, "run"}, {0x80, "standby"}};
constexpr Named kModes[] = {{0, "program"}, {1, "debug"}, {2, "monitor"}, {4, "run"}};

std::string_view node_text(const std::uint8_t (&node)[3], Facts& facts) {
  return ShortText().add(node[0]).add(".").add(node[1]).add(".").add(node[2]).kept(facts);
}

/// An answer has its request's number, and goes to the node from which that came.
std::uint64_t key_of(const FinsFrame& fins) {
  const std::uint8_t node = fins.response ? fins.destination[1] : fins.source[1];
  return std::uint64_t{fins.command} << 16 | std::uint64_t{node} << 8 | fins.service_id;
}

std::optional<Act::Kind> act_of(std::uint16_t command) {
  switch (command) {
    case kMemoryRead:
    case 0x0104:
    case 0x0201:
    case 0x0306:
    case 0x2202:
      return Act::Kind::read;
    case kMemoryWrite:
    case kMemoryFill:
    case 0x0105:
    case 0x0203:
    case 0x0308:
    case 0x2204:
    case 0x2205:
    case 0x2301:
    case 0x2302:
      return Act::Kind::write;
    case 0x0702:
      return Act::Kind::set_time;
    case kParameterWrite:
    case kProgramWrite:
    case 0x2203:
    case 0x220b:
    case 0x220c:
      return Act::Kind::download;
    case kRun:
      return Act::Kind::start;
    case kStop:
      return Act::Kind::stop;
    default:
      return std::nullopt;
  }
}

Malformed tell_request(const FinsFrame& fins, const Context& context, Facts& facts) {
  if (fins.wants_response) context.ask(key_of(fins));
  if (const auto act = act_of(fins.command))
    facts.act(*act, context.receiver(), context.sender(), "fins.command");
  if (fins.command < kMemoryRead || fins.command > kMemoryFill) return Malformed::none;
  Cursor cursor(fins.data);
  const std::uint8_t area = cursor.u8();
  const std::uint16_t address = cursor.u16();
  const std::uint8_t bit = cursor.u8();
  const std::uint16_t count = cursor.u16();
  if (!cursor.ok()) return Malformed::truncated;
  facts.add("area", area);
  facts.add("address", address);
  facts.add("bit", bit);
  facts.add("count", count);
  return Malformed::none;
}

Malformed tell_response(const FinsFrame& fins, const Context& context, Facts& facts) {
  const Subject server = context.sender();
  if (fins.end_code != 0) facts.add("end_code", fins.end_code);
  if (const auto request = context.answer(key_of(fins)))
    facts.add("latency_us", context.latency_us(*request));
  facts.learn(server, Attribute::service, "fins", "fins.command", Confidence::implied);
  facts.learn(server, Attribute::role, "plc", "fins.command", Confidence::implied);
  facts.learn(server, Attribute::vendor, "Omron", "fins.command", Confidence::implied);
  if (fins.end_code != 0) return Malformed::none;
  Cursor cursor(fins.data);
  if (fins.command == kControllerData) {
    const std::string_view model = text_of(cursor.take(20)), version = text_of(cursor.take(20));
    if (!cursor.ok()) return Malformed::truncated;
    facts.add("model", model);
    facts.add("version", version);
    if (!model.empty()) facts.learn(server, Attribute::model, model, "fins.model");
    if (!version.empty()) facts.learn(server, Attribute::firmware, version, "fins.version");
  } else if (fins.command == kControllerStatus) {
    const std::uint8_t status = cursor.u8(), mode = cursor.u8();
    if (!cursor.ok()) return Malformed::truncated;
    tell_named(facts, "status", kStatuses, status);
    tell_named(facts, "mode", kModes, mode);
  }
  return Malformed::none;
}

/// The fields of a frame, in the record that was begun.
Malformed tell_frame(Bytes bytes, const Context& context, Facts& facts) {
  const auto fins = parse_fins(bytes);
  if (!fins) return fins.error();
  facts.add("type", fins->response ? "response" : "request");
  if (const char* name = name_of(kCommands, fins->command)) facts.add("command", name);
  facts.add("command_code", ShortText().add_hex(fins->command, 4).kept(facts));
  facts.add("source", node_text(fins->source, facts));
  facts.add("destination", node_text(fins->destination, facts));
  facts.add("service_id", fins->service_id);
  return fins->response ? tell_response(*fins, context, facts)
                        : tell_request(*fins, context, facts);
}

Outcome dissect_datagram(Bytes bytes, const Context& context, Facts& facts) {
  if (const auto fins = parse_fins(bytes); !fins) return fins.error();
  facts.record("fins");
  return tell_frame(bytes, context, facts);
}

Outcome dissect_stream(Bytes bytes, const Context& context, Facts& facts) {
  Cursor cursor(bytes);
  const Bytes magic = cursor.take(kMagic.size());
  const std::uint32_t length = cursor.u32(), command = cursor.u32(), error = cursor.u32();
  if (!bytes.empty() &&
      !kMagic.starts_with(as_text(bytes.first(std::min<std::size_t>(bytes.size(), kMagic.size())))))
    return Malformed::bad_value;
  if (!cursor.ok() || magic.empty()) return Malformed::truncated;
  if (length < kTcpLength) return Malformed::bad_length;
  const Bytes rest = cursor.take(length - kTcpLength);
  if (!cursor.ok()) return Malformed::truncated;
  if (!cursor.empty()) return Malformed::bad_length;
  facts.record("fins");
  tell_named(facts, "tcp_command", kTcpCommands, command);
  if (error != 0) facts.add("tcp_error", error);
  if (command == kFrameSend) {
    const Malformed malformed = tell_frame(rest, context, facts);
    return malformed == Malformed::truncated ? Malformed::bad_length : malformed;
  }
  if (command > 1) return Malformed::none;
  Cursor nodes(rest);
  facts.add("client_node", nodes.u32());
  if (command == 1) facts.add("server_node", nodes.u32());
  return nodes.ok() ? Malformed::none : Malformed::bad_length;
}

Framing frame(Bytes stream, const Context&) {
  const std::size_t known = std::min(stream.size(), kMagic.size());
  if (as_text(stream.first(known)) != kMagic.substr(0, known)) return Framing::lost();
  if (stream.size() < kTcpHeader) return Framing::more();
  const std::uint32_t length = load_be32(&stream[4]);
  if (length < kTcpLength || length > kMostFins) return Framing::lost();
  return Framing::message(length + 8);
}

Probe probe_stream(Bytes stream, const Context& context) {
  if (stream.empty()) return Probe::maybe;
  const Framing framing = frame(stream, context);
  if (framing.status == Framing::Status::lost) return Probe::no;
  if (framing.status == Framing::Status::more) return Probe::maybe;
  const std::uint32_t command = load_be32(&stream[8]);
  if (name_of(kTcpCommands, command) == nullptr) return Probe::no;
  if (command == kFrameSend && stream.size() > kTcpHeader)
    return (stream[kTcpHeader] & 0x40) != 0 ? Probe::server : Probe::client;
  return command == 0 ? Probe::client : command == 1 ? Probe::server : Probe::yes;
}

/// Little evidence: at the port alone.
Probe probe_datagram(Bytes bytes, const Context& context) {
  const auto fins = parse_fins(bytes);
  if (!fins || !context.at_own_port || name_of(kCommands, fins->command) == nullptr)
    return Probe::no;
  return fins->response ? Probe::server : Probe::client;
}

constexpr Place kAt[] = {9600};

}  // namespace
}  // namespace fins

Parsed<FinsFrame> parse_fins(Bytes bytes) {
  Cursor cursor(bytes);
  FinsFrame out;
  const std::uint8_t control = cursor.u8(), reserved = cursor.u8();
  cursor.u8();
  for (std::uint8_t& each : out.destination) each = cursor.u8();
  for (std::uint8_t& each : out.source) each = cursor.u8();
  out.service_id = cursor.u8();
  out.command = cursor.u16();
  out.response = (control & 0x40) != 0;
  out.wants_response = (control & 1) == 0;
  if (out.response) out.end_code = cursor.u16();
  if (!cursor.ok()) return bad(Malformed::truncated);
  if ((control & 0x3e) != 0 || reserved != 0) return bad(Malformed::bad_value);
  out.data = cursor.rest();
  return out;
}

const Dissector kFins{.name = "fins",
                      .carrier = Carrier::stream,
                      .at = fins::kAt,
                      .probe = fins::probe_stream,
                      .frame = fins::frame,
                      .dissect = fins::dissect_stream};
const Dissector kFinsUdp{.name = "fins",
                         .carrier = Carrier::datagram,
                         .at = fins::kAt,
                         .probe = fins::probe_datagram,
                         .dissect = fins::dissect_datagram};

}  // namespace vmirror
