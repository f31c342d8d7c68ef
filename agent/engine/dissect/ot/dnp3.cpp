// IEEE 1815-2012: clause 9 (link), 8 (transport), 4 and 11 (application), annex A (objects). All
// numbers little-endian. A check (clause 9.2.4.5) follows the header and each 16 bytes.
//
//   field[n]: n bytes
//
//   0           2           3            4                8           10
//   | 0x05 0x64 | length[1] | control[1] | destination[2] | source[2] | check[2] | blocks |
//     length counts from control on, without checks
//   control     | DIR:1 PRM:1 FCB:1 FCV:1 function:4 |
//   transport   | FIN:1 FIR:1 sequence:6 | part |
//   application | FIR:1 FIN:1 CON:1 UNS:1 sequence:4 | function[1] | IIN[2]: responses | objects |
//   object      | group[1] | variation[1] | 0:1 prefix:3 range:4 | range | (prefix | value)... |
//   attribute   | type[1] | size[1] | value |
//   CROB        | code[1] | count[1] | on time[4] | off time[4] | status[1] |
//   file        | offset[2] | size[2] | time[6] | permissions[2] | key[4] | size[4] | mode[2] | ...
#include "agent/engine/dissect/ot/dnp3.hpp"

#include "agent/engine/dissect/crc.hpp"
#include "agent/engine/dissect/ot/dnp3_objects.hpp"
#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace dnp3 {
namespace {

constexpr std::size_t kLinkHeader = 10, kBlock = 16, kCheck = 2;
constexpr std::uint8_t kLeastLength = 5;
constexpr int kMaxObjects = 32;
constexpr std::uint32_t kMaxPoints = 8;

enum Function : std::uint8_t {
  kRead = 1,
  kWrite = 2,
  kOperate = 4,
  kDirectOperateNoAnswer = 6,
  kColdRestart = 13,
  kWarmRestart = 14,
  kStartApplication = 17,
  kStopApplication = 18,
  kAssignClass = 22,
  kOpenFile = 25,
  kDeleteFile = 27,
  kActivateConfiguration = 31,
  kResponse = 0x81,
  kUnsolicited = 0x82,
};
constexpr Named kFunctions[] = {{0, "confirm"},
                                {kRead, "read"},
                                {kWrite, "write"},
                                {3, "select"},
                                {kOperate, "operate"},
                                {5, "direct_operate"},
                                {kDirectOperateNoAnswer, "direct_operate_no_ack"},
                                {7, "immediate_freeze"},
                                {8, "immediate_freeze_no_ack"},
                                {9, "freeze_and_clear"},
                                {10, "freeze_and_clear_no_ack"},
                                {11, "freeze_with_time"},
                                {12, "freeze_with_time_no_ack"},
                                {kColdRestart, "cold_restart"},
                                {kWarmRestart, "warm_restart"},
                                {15, "initialize_data"},
                                {16, "initialize_application"},
                                {kStartApplication, "start_application"},
                                {kStopApplication, "stop_application"},
                                {19, "save_configuration"},
                                {20, "enable_unsolicited"},
                                {21, "disable_unsolicited"},
                                {kAssignClass, "assign_class"},
                                {23, "delay_measurement"},
                                {24, "record_current_time"},
                                {kOpenFile, "open_file"},
                                {26, "close_file"},
                                {kDeleteFile, "delete_file"},
                                {28, "get_file_info"},
                                {29, "authenticate_file"},
                                {30, "abort_file"},
                                {kActivateConfiguration, "activate_configuration"},
                                {32, "authentication_request"},
                                {33, "authentication_request_no_ack"},
                                {kResponse, "response"},
                                {kUnsolicited, "unsolicited_response"},
                                {0x83, "authentication_response"}};
constexpr Named kPrimaryFunctions[] = {{0, "reset_link_states"},     {1, "reset_user_process"},
                                       {2, "test_link_states"},      {3, "confirmed_user_data"},
                                       {4, "unconfirmed_user_data"}, {9, "request_link_status"}};
constexpr Named kSecondaryFunctions[] = {
    {0, "ack"}, {1, "nack"}, {11, "link_status"}, {14, "not_functioning"}, {15, "not_supported"}};
/// By their bits in the two bytes, the first byte low.
constexpr const char* kIndications[] = {
    "all_stations",      "class_1_events",  "class_2_events",
    "class_3_events",    "need_time",       "local_control",
    "device_trouble",    "device_restart",  "no_func_code_support",
    "object_unknown",    "parameter_error", "event_buffer_overflow",
    "already_executing", "config_corrupt",  "reserved_2",
    "reserved_1"};
/// Device attributes (annex A.1) that say what the device is.
struct DeviceAttribute {
  std::uint8_t variation;
  Attribute attribute;
  const char* source;
};
constexpr DeviceAttribute kAttributes[] = {{242, Attribute::firmware, "dnp3.software_version"},
                                           {243, Attribute::hardware, "dnp3.hardware_version"},
                                           {247, Attribute::station_name, "dnp3.device_name"},
                                           {248, Attribute::serial_number, "dnp3.serial_number"},
                                           {250, Attribute::model, "dnp3.product_name"},
                                           {252, Attribute::vendor, "dnp3.manufacturer"}};
constexpr std::uint8_t kVisibleString = 1;
constexpr std::uint8_t kTimeGroup = 50;
constexpr std::uint8_t kFileGroup = 70, kFileCommand = 3, kFileTransport = 5;

std::uint16_t check_of(Bytes bytes) {
  return static_cast<std::uint16_t>(~crc16_reflected<0xa6bc>(bytes));
}
bool is_checked(Bytes part, Bytes check) {
  return check.size() == kCheck && Cursor(check).le16() == check_of(part);
}

constexpr std::size_t whole_size(std::uint8_t length) {
  const std::size_t data = length - kLeastLength;
  return kLinkHeader + data + (data + kBlock - 1) / kBlock * kCheck;
}

/// An object's header.
struct Header {
  std::uint8_t group = 0, variation = 0, qualifier = 0;
  std::uint32_t start = 0, stop = 0, count = 0;
  bool has_range = false;

  std::uint8_t prefix() const { return qualifier >> 4 & 7; }
  std::uint8_t range() const { return qualifier & 15; }
};

std::uint32_t read_number(Cursor& cursor, int size) {
  if (size == 1) return cursor.u8();
  return size == 2 ? cursor.le16() : cursor.le32();
}

/// False: a range that there is not.
bool read_header(Cursor& cursor, Header& out) {
  out.group = cursor.u8();
  out.variation = cursor.u8();
  out.qualifier = cursor.u8();
  const std::uint8_t range = out.range();
  if (range <= 5) {
    const int size = 1 << range % 3;
    out.start = read_number(cursor, size);
    out.stop = read_number(cursor, size);
    out.has_range = true;
    if (out.stop < out.start) return false;
    out.count = out.stop - out.start == 0xffffffff ? 0xffffffff : out.stop - out.start + 1;
  } else if (range >= 7 && range <= 9) {
    out.count = read_number(cursor, 1 << (range - 7));
  } else if (range == 11) {
    out.count = cursor.u8();
  } else {
    return range == 6;
  }
  return true;
}

/// Whether objects of this message have values behind their headers.
bool has_values(std::uint8_t function, const Header& header) {
  if (function >= kResponse || header.range() == 11) return true;
  return function == kWrite || (function >= 3 && function <= kDirectOperateNoAnswer) ||
         function == 11 || function == 12 || (function >= kOpenFile && function <= 33);
}

class Objects {
 public:
  Objects(Cursor cursor, std::uint8_t function, const Subject& subject, Facts& facts)
      : cursor_(cursor), function_(function), subject_(subject), facts_(facts) {}

  /// False: not all of them could be read.
  bool tell() {
    facts_.open_array("objects");
    bool complete = true;
    for (int i = 0; complete && !cursor_.empty(); ++i) {
      Header header;
      if (i >= kMaxObjects || !read_header(cursor_, header) || !cursor_.ok()) {
        complete = false;
        break;
      }
      facts_.open_object("");
      tell_header(header);
      complete = tell_values(header);
      facts_.close();
    }
    facts_.close();
    return complete && cursor_.ok();
  }
  bool writes_file() const { return writes_file_; }
  bool sets_time() const { return sets_time_; }
  /// The header of an object goes past the end.
  bool is_short() const { return !cursor_.ok(); }

 private:
  void tell_header(const Header& header) {
    facts_.add("group", header.group);
    facts_.add("variation", header.variation);
    if (const char* name = name_of(kDnp3Groups, header.group)) facts_.add("name", name);
    facts_.add("qualifier", header.qualifier);
    facts_.add("prefix_code", header.prefix());
    facts_.add("range_code", header.range());
    if (header.has_range) {
      facts_.add("start", header.start);
      facts_.add("stop", header.stop);
    }
    if (header.range() != 6) facts_.add("count", header.count);
    if (header.group == kFileGroup && header.variation == kFileTransport && function_ == kWrite)
      writes_file_ = true;
    if (header.group == kTimeGroup && function_ == kWrite) sets_time_ = true;
  }

  bool tell_values(const Header& header) {
    const bool values = has_values(function_, header);
    const std::uint8_t prefix = header.prefix();
    if (!values && prefix == 0) return true;
    if (header.group == 0 && values) return tell_attributes(header);
    if (prefix >= 4) return tell_sized(header);
    const auto bits = values ? dnp3_bits(header.group, header.variation) : 0;
    if (!bits) return false;
    const std::uint64_t prefix_bytes = prefix == 0 ? 0 : 1U << (prefix - 1);
    const bool packed = *bits < 8 && prefix == 0;
    const std::uint64_t size = packed ? (std::uint64_t{*bits} * header.count + 7) / 8
                                      : (prefix_bytes + (*bits + 7) / 8) * header.count;
    if (size > cursor_.left()) {
      cursor_.skip(cursor_.left() + 1);
      return false;
    }
    Cursor all = cursor_.sub(static_cast<std::size_t>(size));
    if (header.group == 12 && header.variation == 1) tell_commands(header, all);
    return true;
  }

  void tell_commands(const Header& header, Cursor& all) {
    const std::uint8_t prefix = header.prefix();
    facts_.open_array("points");
    for (std::uint32_t i = 0; i < header.count && i < kMaxPoints && !all.empty(); ++i) {
      const std::uint32_t index =
          prefix == 0 ? header.start + i : read_number(all, 1 << (prefix - 1));
      const std::uint8_t code = all.u8(), count = all.u8();
      const std::uint32_t on = all.le32(), off = all.le32();
      facts_.open_object("");
      facts_.add("index", index);
      facts_.add("op_type", code & 15);
      facts_.add("tcc", code >> 6);
      facts_.add("count", count);
      facts_.add("on_time", on);
      facts_.add("off_time", off);
      facts_.add("status_code", all.u8());
      facts_.close();
    }
    facts_.close();
  }

  bool tell_attributes(const Header& header) {
    for (std::uint32_t i = 0; i < header.count && !cursor_.empty(); ++i) {
      const std::uint8_t type = cursor_.u8();
      const Bytes value = cursor_.take(cursor_.u8());
      if (!cursor_.ok()) return false;
      if (type != kVisibleString) continue;
      const std::string_view text = text_of(value);
      if (i == 0) facts_.add("attribute", text);
      for (const DeviceAttribute& each : kAttributes)
        if (each.variation == header.variation && !text.empty() && function_ >= kResponse)
          facts_.learn(subject_, each.attribute, text, each.source);
    }
    return true;
  }

  /// Each value has its size before it.
  bool tell_sized(const Header& header) {
    if (header.prefix() > 6) return false;
    for (std::uint32_t i = 0; i < header.count && cursor_.ok(); ++i) {
      Cursor value = cursor_.sub(read_number(cursor_, 1 << (header.prefix() - 4)));
      if (i > 0 || header.group != kFileGroup || header.variation != kFileCommand) continue;
      value.skip(2);
      const std::uint16_t name_size = value.le16();
      value.skip(16);
      const std::uint16_t mode = value.le16();
      value.skip(4);
      if (!value.ok()) continue;
      facts_.add("file_name", text_of(value.take(std::min<std::size_t>(name_size, value.left()))));
      writes_file_ = writes_file_ || (function_ == kOpenFile && (mode == 2 || mode == 3));
    }
    return cursor_.ok();
  }

  Cursor cursor_;
  std::uint8_t function_;
  const Subject& subject_;
  Facts& facts_;
  bool writes_file_ = false, sets_time_ = false;
};

std::optional<Act::Kind> act_of(std::uint8_t function, const Objects& objects) {
  if (objects.writes_file()) return Act::Kind::download;
  if (objects.sets_time()) return Act::Kind::set_time;
  switch (function) {
    case kRead:
      return Act::Kind::read;
    case kWrite:
    case kOperate:
    case 5:
    case kDirectOperateNoAnswer:
    case kAssignClass:
    case kDeleteFile:
      return Act::Kind::write;
    case kColdRestart:
    case kWarmRestart:
    case kStopApplication:
      return Act::Kind::stop;
    case kStartApplication:
      return Act::Kind::start;
    case kActivateConfiguration:
      return Act::Kind::download;
    default:
      return std::nullopt;
  }
}

Subject station_of(const Subject& machine, std::uint16_t address) {
  return {{}, machine.ip, {Station::Kind::dnp3_address, address}};
}

void tell_link(const Dnp3Frame& frame, const char* type, Facts& facts) {
  facts.record("dnp3");
  facts.add("type", type);
  facts.add("src", frame.source);
  facts.add("dst", frame.destination);
  facts.open_object("control");
  facts.add("dir", frame.from_master);
  facts.add("pri", frame.primary);
  facts.add("function_code", frame.function);
  if (frame.primary)
    tell_named(facts, "function", kPrimaryFunctions, frame.function);
  else
    tell_named(facts, "function", kSecondaryFunctions, frame.function);
  facts.close();
}

void tell_indications(std::uint16_t iin, Facts& facts) {
  facts.open_object("iin");
  facts.open_array("indicators");
  for (int bit = 0; bit < 16; ++bit)
    if ((iin >> bit & 1) != 0) facts.add("", kIndications[bit]);
  facts.close();
  facts.close();
}

Malformed tell_application(Bytes bytes, const Dnp3Frame& frame, const Context& context, bool cut,
                           Facts& facts) {
  Cursor cursor(bytes);
  const std::uint8_t control = cursor.u8(), function = cursor.u8();
  const bool response = function >= kResponse;
  const std::uint16_t iin = response ? cursor.le16() : 0;
  if (!cursor.ok()) return Malformed::truncated;
  tell_link(frame,
            function == kUnsolicited ? "unsolicited_response"
            : response               ? "response"
                                     : "request",
            facts);
  facts.open_object("application");
  facts.open_object("control");
  facts.add("fir", (control & 0x80) != 0);
  facts.add("fin", (control & 0x40) != 0);
  facts.add("con", (control & 0x20) != 0);
  facts.add("uns", (control & 0x10) != 0);
  facts.add("sequence", control & 15);
  facts.close();
  facts.add("function_code", function);
  tell_named(facts, "function", kFunctions, function);
  const Subject answering = station_of(context.sender(), frame.source);
  Objects objects(cursor, function, answering, facts);
  const bool complete = objects.tell();
  facts.add("complete", complete);
  facts.close();
  if (response) {
    tell_indications(iin, facts);
    facts.learn(context.sender(), Attribute::service, "dnp3", "dnp3.function", Confidence::implied);
    facts.learn(context.sender(), Attribute::role, "rtu", "dnp3.function", Confidence::implied);
  } else if (const auto act = act_of(function, objects)) {
    facts.act(*act, station_of(context.receiver(), frame.destination), context.sender(),
              "dnp3.function");
  }
  if (!objects.is_short()) return Malformed::none;
  return cut ? Malformed::truncated : Malformed::bad_length;
}

Malformed tell_frame(Bytes bytes, const Context& context, Facts& facts) {
  const auto frame = parse_dnp3(bytes);
  if (!frame) return frame.error();
  const bool data = frame->primary && (frame->function == 3 || frame->function == 4);
  if (!data || frame->data_size == 0) {
    tell_link(*frame, "link", facts);
    return Malformed::none;
  }
  std::array<std::uint8_t, kMostDnp3Data> room{};
  // Facts borrow from what was read: it must live as long as they.
  const std::string_view kept = facts.keep(as_text(read_dnp3_data(*frame, room)));
  const Bytes part{reinterpret_cast<const std::uint8_t*>(kept.data()), kept.size()};
  if (part.empty()) return Malformed::none;  // The arena is full, and counts that.
  const Begins begins = (part[0] & 0x40) != 0 ? Begins::yes : Begins::no;
  const std::uint64_t key = std::uint64_t{frame->source} << 16 | frame->destination;
  const auto whole = context.join(part.subspan(1), begins, (part[0] & 0x80) != 0, key);
  if (!whole) return Malformed::none;
  return tell_application(whole->bytes, *frame, context, whole->cut || context.cut, facts);
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  return tell_frame(bytes, context, facts);
}

/// A datagram may carry several frames.
Outcome dissect_datagram(Bytes bytes, const Context& context, Facts& facts) {
  while (bytes.size() > 2 && bytes[2] >= kLeastLength && whole_size(bytes[2]) < bytes.size()) {
    const std::size_t size = whole_size(bytes[2]);
    if (const Malformed malformed = tell_frame(bytes.first(size), context, facts);
        malformed != Malformed::none)
      return malformed;
    bytes = bytes.subspan(size);
  }
  return tell_frame(bytes, context, facts);
}

Framing frame(Bytes stream, const Context&) {
  if (stream[0] != 0x05 || (stream.size() > 1 && stream[1] != 0x64)) return Framing::lost();
  if (stream.size() < 3) return Framing::more();
  if (stream[2] < kLeastLength) return Framing::lost();
  return Framing::message(static_cast<std::uint32_t>(whole_size(stream[2])));
}

/// The header's check leaves no doubt.
Probe probe(Bytes bytes, const Context& context) {
  if (bytes.empty()) return Probe::maybe;
  if (frame(bytes, context).status == Framing::Status::lost) return Probe::no;
  if (bytes.size() < kLinkHeader) return Probe::maybe;
  if (!is_checked(bytes.first(8), bytes.subspan(8, kCheck))) return Probe::no;
  return (bytes[3] & 0x80) != 0 ? Probe::client : Probe::server;
}

constexpr Place kAt[] = {20000};

}  // namespace
}  // namespace dnp3

Parsed<Dnp3Frame> parse_dnp3(Bytes bytes) {
  Cursor cursor(bytes);
  const std::uint16_t start = cursor.u16();
  const std::uint8_t length = cursor.u8(), control = cursor.u8();
  Dnp3Frame out;
  out.destination = cursor.le16();
  out.source = cursor.le16();
  const Bytes check = cursor.take(dnp3::kCheck);
  if (bytes.size() >= 2 && start != 0x0564) return bad(Malformed::bad_value);
  if (bytes.size() >= 3 && length < dnp3::kLeastLength) return bad(Malformed::bad_length);
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (!dnp3::is_checked(bytes.first(8), check)) return bad(Malformed::bad_value);
  out.from_master = (control & 0x80) != 0;
  out.primary = (control & 0x40) != 0;
  out.function = control & 15;
  out.data_size = length - dnp3::kLeastLength;
  out.blocks = cursor.take(dnp3::whole_size(length) - dnp3::kLinkHeader);
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (!cursor.empty()) return bad(Malformed::bad_length);
  for (Cursor blocks(out.blocks); !blocks.empty();) {
    const Bytes block = blocks.take(std::min(dnp3::kBlock, blocks.left() - dnp3::kCheck));
    if (!dnp3::is_checked(block, blocks.take(dnp3::kCheck))) return bad(Malformed::bad_value);
  }
  return out;
}

Bytes read_dnp3_data(const Dnp3Frame& frame, std::span<std::uint8_t, kMostDnp3Data> out) {
  std::size_t size = 0;
  for (Cursor blocks(frame.blocks); blocks.left() > dnp3::kCheck;) {
    const Bytes block = blocks.take(std::min(dnp3::kBlock, blocks.left() - dnp3::kCheck));
    std::memcpy(out.data() + size, block.data(), block.size());
    size += block.size();
    blocks.skip(dnp3::kCheck);
  }
  return Bytes(out.data(), size);
}

const Dissector kDnp3{.name = "dnp3",
                      .carrier = Carrier::stream,
                      .at = dnp3::kAt,
                      .probe = dnp3::probe,
                      .frame = dnp3::frame,
                      .dissect = dnp3::dissect};
const Dissector kDnp3Udp{.name = "dnp3",
                         .carrier = Carrier::datagram,
                         .at = dnp3::kAt,
                         .probe = dnp3::probe,
                         .dissect = dnp3::dissect_datagram};

}  // namespace vmirror
