// Siemens published no specification: the layout is as Wireshark's documentation of S7comm and
// python-snap7's describe it, and as real controllers were seen to speak.
//
//   field[n]: n bytes
//
//   0      1           2      4             6                   8              10
//   | 0x32 | ROSCTR[1] | 0[2] | PDU ref.[2] | parameter size[2] | data size[2] |
//   of an acknowledgement: | error class[1] | error code[1] |
//   | parameter | data |
//
//   parameter of a job or its answer  | function[1] | ... |
//     setup        | 0xf0 | 0 | calling[2] | called[2] | PDU length[2] |
//     read, write  | 4, 5 | items[1] | items * (0x12 | size[1] | 0x10 | transport[1] | count[2] |
//                  db[2] | area[1] | address in bits[3]) |
//     PI service   | 0x28 | 7 bytes | size[2] | argument | size[1] | name |
//     stop         | 0x29 | 5 bytes | size[1] | name |
//     blocks       | 0x1a..0x1f | status[1] | 2 bytes | 4 bytes | size[1] | "_0800001P"... |
//   parameter of user data  | 0 1 0x12 | size[1] | method[1] | type:4 group:4 | subfunction[1] |
//     sequence[1] | of an answer: data unit[1] | 0: the last[1] | error[2] |
//   data of user data       | return code[1] | transport[1] | size[2] | ... |
//     of a status list      ... | list[2] | index[2] | answer: record size[2] | records[2] | ...
#include "agent/engine/dissect/ot/s7comm.hpp"

#include "agent/engine/dissect/ot/cotp.hpp"
#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace s7comm {
namespace {

constexpr std::uint8_t kProtocol = 0x32;
constexpr int kMaxItems = 20;
enum Function : std::uint8_t {
  kCpuServices = 0x00,
  kRead = 0x04,
  kWrite = 0x05,
  kRequestDownload = 0x1a,
  kDownloadBlock = 0x1b,
  kDownloadEnded = 0x1c,
  kStartUpload = 0x1d,
  kUpload = 0x1e,
  kEndUpload = 0x1f,
  kPiService = 0x28,
  kStop = 0x29,
  kSetup = 0xf0,
};
constexpr Named kKinds[] = {{S7Message::kJob, "job"},
                            {S7Message::kAck, "ack"},
                            {S7Message::kAckData, "ack_data"},
                            {S7Message::kUserData, "userdata"}};
constexpr Named kFunctions[] = {{kCpuServices, "cpu_services"},
                                {kRead, "read_variable"},
                                {kWrite, "write_variable"},
                                {kRequestDownload, "request_download"},
                                {kDownloadBlock, "download_block"},
                                {kDownloadEnded, "download_ended"},
                                {kStartUpload, "start_upload"},
                                {kUpload, "upload"},
                                {kEndUpload, "end_upload"},
                                {kPiService, "pi_service"},
                                {kStop, "plc_stop"},
                                {kSetup, "setup_communication"}};
constexpr Named kAreas[] = {{0x03, "system_info"},   {0x05, "system_flags"},
                            {0x06, "analog_inputs"}, {0x07, "analog_outputs"},
                            {0x80, "peripheral"},    {0x81, "inputs"},
                            {0x82, "outputs"},       {0x83, "flags"},
                            {0x84, "data_block"},    {0x85, "instance_data_block"},
                            {0x86, "local_data"},    {0x1c, "counter"},
                            {0x1d, "timer"},         {0x1e, "iec_counter"},
                            {0x1f, "iec_timer"}};
constexpr Named kTransports[] = {
    {1, "bit"},   {2, "byte"},    {3, "char"},           {4, "word"},     {5, "int"},
    {6, "dword"}, {7, "dint"},    {8, "real"},           {9, "date"},     {10, "tod"},
    {11, "time"}, {12, "s5time"}, {15, "date_and_time"}, {28, "counter"}, {29, "timer"}};
constexpr Named kTypes[] = {{0, "push"}, {4, "request"}, {8, "response"}};
constexpr std::uint8_t kResponse = 8;
enum Group : std::uint8_t { kBlocks = 3, kCpu = 4, kSecurity = 5, kTime = 7 };
constexpr Named kGroups[] = {
    {0, "mode_transition"}, {1, "programmer"},       {2, "cyclic_data"}, {kBlocks, "blocks"},
    {kCpu, "cpu"},          {kSecurity, "security"}, {6, "pbc"},         {kTime, "time"}};

std::string_view name_or_number(Facts& facts, std::span<const Named> table, std::uint32_t value) {
  const char* name = name_of(table, value);
  return name ? std::string_view(name) : keep_number(facts, "", value);
}

void tell_items(Cursor cursor, Facts& facts) {
  const int count = cursor.u8();
  facts.add("item_count", static_cast<unsigned>(count));
  facts.open_array("items");
  for (int i = 0; i < count && i < kMaxItems; ++i) {
    const std::uint8_t kind = cursor.u8();
    Cursor item = cursor.sub(cursor.u8());
    const std::uint8_t syntax = item.u8();
    if (!cursor.ok()) break;
    facts.open_object("");
    if (kind == 0x12 && syntax == 0x10) {
      const std::uint8_t transport = item.u8();
      const std::uint16_t length = item.u16(), db = item.u16();
      const std::uint8_t area = item.u8();
      const std::uint32_t address = item.u24();
      tell_named(facts, "area", kAreas, area);
      if (area == 0x84 || area == 0x85) facts.add("db", db);
      facts.add("address", address >> 3);
      if (transport == 1) facts.add("bit", address & 7);
      tell_named(facts, "transport", kTransports, transport);
      facts.add("length", length);
    } else {
      facts.add("syntax", syntax);
    }
    facts.close();
  }
  facts.close();
}

/// The name of a PI service, behind its argument.
std::string_view service_of(Cursor cursor) {
  cursor.skip(7);
  cursor.skip(cursor.u16());
  return text_of(cursor.take(cursor.u8()));
}

void tell_job(std::uint8_t function, Cursor cursor, const Context& context, Facts& facts) {
  const auto act = [&](Act::Kind kind) {
    facts.act(kind, context.receiver(), context.sender(), "s7comm.function");
  };
  switch (function) {
    case kRead:
    case kWrite:
      act(function == kRead ? Act::Kind::read : Act::Kind::write);
      return tell_items(cursor, facts);
    case kRequestDownload:
      act(Act::Kind::download);
      [[fallthrough]];
    case kStartUpload:
    case kDownloadBlock:
      cursor.skip(7);
      return facts.add("block", text_of(cursor.take(cursor.u8())));
    case kPiService: {
      const std::string_view service = service_of(cursor);
      if (service == "P_PROGRAM") act(Act::Kind::start);
      if (service == "_INSE") act(Act::Kind::download);
      return facts.add("pi_service", service);
    }
    case kStop:
      act(Act::Kind::stop);
      cursor.skip(5);
      return facts.add("pi_service", text_of(cursor.take(cursor.u8())));
    default:
      return;
  }
}

void tell_setup(Cursor cursor, Facts& facts) {
  cursor.u8();
  facts.add("max_amq_caller", cursor.u16());
  facts.add("max_amq_callee", cursor.u16());
  facts.add("pdu_length", cursor.u16());
}

/// "V3.2.6"
std::string_view version_text(std::uint16_t high, std::uint16_t low, Facts& facts) {
  char out[32];
  std::size_t size = 0;
  const auto number = [&](unsigned v) {
    size = static_cast<std::size_t>(std::to_chars(out + size, out + sizeof out, v).ptr - out);
  };
  out[size++] = 'V';
  number(high & 0xff);
  out[size++] = '.';
  number(low >> 8);
  out[size++] = '.';
  number(low & 0xff);
  return facts.keep({out, size});
}

/// Module identification (list 0x0011): what the module, its hardware and its firmware are.
void learn_module(Cursor record, const Subject& subject, Facts& facts) {
  const std::uint16_t index = record.u16();
  const std::string_view order = text_of(record.take(20));
  record.u16();
  const std::uint16_t high = record.u16(), low = record.u16();
  if (!record.ok()) return;
  if (index == 1 && !order.empty())
    facts.learn(subject, Attribute::order_number, order, "s7comm.szl_0011");
  if (index == 1 || index == 6)
    facts.learn(subject, Attribute::hardware, facts.keep(keep_number(facts, "", high & 0xff)),
                "s7comm.szl_0011");
  if (index == 7)
    facts.learn(subject, Attribute::firmware, version_text(high, low, facts), "s7comm.szl_0011");
}

/// Component identification (list 0x001c).
void learn_component(Cursor record, const Subject& subject, Facts& facts) {
  const std::uint16_t index = record.u16();
  const std::string_view text = text_of(record.rest());
  constexpr struct {
    std::uint16_t index;
    Attribute attribute;
  } kComponents[] = {{1, Attribute::station_name},
                     {2, Attribute::description},
                     {5, Attribute::serial_number},
                     {7, Attribute::model},
                     {9, Attribute::vendor}};
  if (text.empty()) return;
  for (const auto& each : kComponents)
    if (each.index == index) facts.learn(subject, each.attribute, text, "s7comm.szl_001c");
}

/// A whole status list.
void learn_list(Bytes list, const Context& context, Facts& facts) {
  Cursor cursor(list);
  const std::uint16_t id = cursor.u16();
  cursor.u16();
  const std::uint16_t size = cursor.u16(), count = cursor.u16();
  for (int i = 0; i < count && cursor.left() >= size && size >= 4; ++i) {
    const Cursor record = cursor.sub(size);
    if ((id & 0xff) == 0x11) learn_module(record, context.sender(), facts);
    if ((id & 0xff) == 0x1c) learn_component(record, context.sender(), facts);
  }
}

void tell_list(Bytes data, const Context& context, std::uint8_t sequence, bool response, bool last,
               Facts& facts) {
  Cursor cursor(data);
  const std::uint8_t code = cursor.u8();
  cursor.u8();
  const Bytes body = cursor.take(cursor.u16());
  if (!cursor.ok() || body.empty()) return;
  if (response && code != 0xff) return facts.add("return_code", code);
  if (!response) {
    Cursor asked(body);
    facts.add("szl_id", asked.u16());
    return facts.add("szl_index", asked.u16());
  }
  const auto list = context.join(body, Begins::unsaid, last, sequence);
  if (!list || list->bytes.size() < 8) return;
  facts.add("szl_id", load_be16(list->bytes.data()));
  facts.add("szl_index", load_be16(list->bytes.data() + 2));
  learn_list(list->bytes, context, facts);
}

Malformed tell_user_data(const S7Message& s7, const Context& context, Facts& facts) {
  Cursor cursor(s7.parameter);
  cursor.skip(5);
  const std::uint8_t kind = cursor.u8();
  const std::uint8_t subfunction = cursor.u8(), sequence = cursor.u8();
  if (!cursor.ok()) return Malformed::bad_length;
  const auto type = static_cast<std::uint8_t>(kind >> 4);
  const auto group = static_cast<std::uint8_t>(kind & 15);
  tell_named(facts, "type", kTypes, type);
  tell_named(facts, "group", kGroups, group);
  facts.add("subfunction", subfunction);
  facts.add("sequence", sequence);
  bool last = true;
  if (cursor.left() >= 4) {
    cursor.u8();
    last = cursor.u8() == 0;
    const std::uint16_t error = cursor.u16();
    if (error != 0) facts.add("error", error);
  }
  constexpr std::uint8_t kRequest = 4, kSetClock = 2, kSetFollowingClock = 4;
  if (group == kTime && type == kRequest &&
      (subfunction == kSetClock || subfunction == kSetFollowingClock))
    facts.act(Act::Kind::set_time, context.receiver(), context.sender(), "s7comm.subfunction");
  if (group == kCpu && subfunction == 1)
    tell_list(s7.data, context, sequence, type == kResponse, last, facts);
  if (type == kResponse)
    facts.learn(context.sender(), Attribute::service, "s7comm", "s7comm.rosctr",
                Confidence::implied);
  return Malformed::none;
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto s7 = parse_s7comm(bytes);
  if (!s7) return s7.error();
  facts.record("s7comm");
  tell_named(facts, "rosctr", kKinds, s7->kind);
  facts.add("pdu_ref", s7->reference);
  if (s7->error_class != 0 || s7->error_code != 0) {
    facts.add("error_class", s7->error_class);
    facts.add("error_code", s7->error_code);
  }
  if (s7->kind == S7Message::kUserData) return tell_user_data(*s7, context, facts);
  Cursor cursor(s7->parameter);
  const bool has_function = !cursor.empty();
  const std::uint8_t function = cursor.u8();
  if (has_function) facts.add("function", name_or_number(facts, kFunctions, function));
  if (function == kSetup) tell_setup(cursor, facts);
  if (s7->kind == S7Message::kJob) {
    if (has_function) tell_job(function, cursor, context, facts);
    context.ask(s7->reference, function);
    return Malformed::none;
  }
  if (const auto request = context.answer(s7->reference))
    facts.add("latency_us", context.latency_us(*request));
  facts.learn(context.sender(), Attribute::service, "s7comm", "s7comm.rosctr", Confidence::implied);
  facts.learn(context.sender(), Attribute::role, "plc", "s7comm.rosctr", Confidence::implied);
  return Malformed::none;
}

Probe probe(Bytes bytes, const Context&) {
  if (bytes.size() < 10 || bytes[0] != kProtocol) return Probe::no;
  const char* kind = name_of(kKinds, bytes[1]);
  return kind != nullptr && load_be16(&bytes[2]) == 0 ? Probe::yes : Probe::no;
}

constexpr Place kAt[] = {kCotpData};

}  // namespace
}  // namespace s7comm

Parsed<S7Message> parse_s7comm(Bytes bytes) {
  Cursor cursor(bytes);
  const std::uint8_t protocol = cursor.u8();
  S7Message out;
  out.kind = cursor.u8();
  cursor.u16();
  out.reference = cursor.u16();
  const std::uint16_t parameter = cursor.u16(), data = cursor.u16();
  if (!bytes.empty() && protocol != s7comm::kProtocol) return bad(Malformed::bad_value);
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (name_of(s7comm::kKinds, out.kind) == nullptr) return bad(Malformed::bad_value);
  if (out.kind == S7Message::kAck || out.kind == S7Message::kAckData) {
    out.error_class = cursor.u8();
    out.error_code = cursor.u8();
  }
  out.parameter = cursor.take(parameter);
  out.data = cursor.take(data);
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (!cursor.empty()) return bad(Malformed::bad_length);
  return out;
}

const Dissector kS7comm{.name = "s7comm",
                        .carrier = Carrier::inside,
                        .at = s7comm::kAt,
                        .probe = s7comm::probe,
                        .dissect = s7comm::dissect};

}  // namespace vmirror
