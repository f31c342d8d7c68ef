// MODBUS Messaging on TCP/IP Implementation Guide V1.0b, section 3.1.3 (MBAP); MODBUS Application
// Protocol V1.1b3, section 6 (functions), 7 (exceptions).
//
//   field[n]: n bytes
//
//   0                2                4           6         7             8
//   | transaction[2] | protocol[2], 0 | length[2] | unit[1] | function[1] | data, at most 252 |
//                                                 `- length counts from here on
//   response with an error: | unit[1] | function[1] with the bit 0x80 | exception[1] |
#include "agent/engine/dissect/ot/modbus.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace modbus {
namespace {

constexpr std::size_t kMbap = 6;      ///< Bytes that the length does not count.
constexpr std::size_t kFunction = 7;  ///< Where the function code stands.
constexpr std::uint16_t kMinLength = 2, kMaxLength = 254;
/// Schneider's programming protocol (UMAS) goes under this function, in longer messages too.
constexpr std::uint8_t kUnity = 90;
constexpr std::uint16_t kMaxUnityLength = 4096;

bool length_fits(std::uint16_t length, std::uint8_t function) {
  return length >= kMinLength &&
         length <= ((function & 0x7f) == kUnity ? kMaxUnityLength : kMaxLength);
}

/// How a function's data is laid out.
enum class Shape : std::uint8_t {
  opaque,         ///< Anything.
  empty,          ///< Nothing.
  status,         ///< status 1
  read_bits,      ///< address 2, quantity 2 (1..2000)
  read_words,     ///< address 2, quantity 2 (1..125)
  written,        ///< address 2, quantity 2
  coil,           ///< address 2, value 2 (0 or 0xff00)
  word,           ///< address 2, value 2
  write_bits,     ///< address 2, quantity 2, size 1, bits
  write_words,    ///< address 2, quantity 2, size 1, words
  bits,           ///< size 1, bits
  words,          ///< size 1, words
  mask,           ///< address 2, and 2, or 2
  read_write,     ///< address 2, quantity 2, write address 2, quantity 2, size 1, words
  fifo,           ///< address 2
  diagnostics,    ///< subfunction 2, words
  device_query,   ///< type 1: 14, code 1, object 1
  device_answer,  ///< type 1: 14, code 1, level 1, more 1, next 1, count 1, (id 1, size 1, text)...
};

struct Function {
  std::uint8_t code;
  const char* name;
  Shape request, response;
};
constexpr Function kFunctions[] = {
    {1, "READ_COILS", Shape::read_bits, Shape::bits},
    {2, "READ_DISCRETE_INPUTS", Shape::read_bits, Shape::bits},
    {3, "READ_HOLDING_REGISTERS", Shape::read_words, Shape::words},
    {4, "READ_INPUT_REGISTERS", Shape::read_words, Shape::words},
    {5, "WRITE_SINGLE_COIL", Shape::coil, Shape::coil},
    {6, "WRITE_SINGLE_REGISTER", Shape::word, Shape::word},
    {7, "READ_EXCEPTION_STATUS", Shape::empty, Shape::status},
    {8, "DIAGNOSTICS", Shape::diagnostics, Shape::diagnostics},
    {11, "GET_COMM_EVENT_COUNTER", Shape::empty, Shape::opaque},
    {12, "GET_COMM_EVENT_LOG", Shape::empty, Shape::opaque},
    {15, "WRITE_MULTIPLE_COILS", Shape::write_bits, Shape::written},
    {16, "WRITE_MULTIPLE_REGISTERS", Shape::write_words, Shape::written},
    {17, "REPORT_SLAVE_ID", Shape::empty, Shape::bits},
    {20, "READ_FILE_RECORD", Shape::bits, Shape::bits},
    {21, "WRITE_FILE_RECORD", Shape::bits, Shape::bits},
    {22, "MASK_WRITE_REGISTER", Shape::mask, Shape::mask},
    {23, "READ_WRITE_MULTIPLE_REGISTERS", Shape::read_write, Shape::words},
    {24, "READ_FIFO_QUEUE", Shape::fifo, Shape::opaque},
    {43, "ENCAP_INTERFACE_TRANSPORT", Shape::device_query, Shape::device_answer},
    {kUnity, "PROGRAM_UNITY", Shape::opaque, Shape::opaque},
};
constexpr Named kExceptions[] = {{1, "ILLEGAL_FUNCTION"},
                                 {2, "ILLEGAL_DATA_ADDRESS"},
                                 {3, "ILLEGAL_DATA_VALUE"},
                                 {4, "SLAVE_DEVICE_FAILURE"},
                                 {5, "ACKNOWLEDGE"},
                                 {6, "SLAVE_DEVICE_BUSY"},
                                 {8, "MEMORY_PARITY_ERROR"},
                                 {10, "GATEWAY_PATH_UNAVAILABLE"},
                                 {11, "GATEWAY_TARGET_DEVICE_FAILED_TO_RESPOND"}};
/// A device identification's objects (section 6.21), and what they say of the device.
struct Object {
  std::uint8_t id;
  const char* name;
  Attribute attribute;
  const char* source;
};
constexpr Object kObjects[] = {{0, "vendor_name", Attribute::vendor, "modbus.vendor_name"},
                               {1, "product_code", Attribute::model, "modbus.product_code"},
                               {2, "revision", Attribute::firmware, "modbus.revision"},
                               {3, "vendor_url", Attribute::count_, nullptr},
                               {4, "product_name", Attribute::description, "modbus.product_name"},
                               {5, "model_name", Attribute::model, "modbus.model_name"},
                               {6, "user_application_name", Attribute::count_, nullptr}};
constexpr Named kMeiTypes[] = {{13, "CANOPEN_GENERAL_REFERENCE"},
                               {14, "READ_DEVICE_IDENTIFICATION"}};
constexpr std::uint8_t kDeviceIdentification = 14;
constexpr Named kCategories[] = {{1, "BASIC"}, {2, "REGULAR"}, {3, "EXTENDED"}, {4, "ONE_OBJECT"}};

const Function* function_of(std::uint8_t code) {
  for (const Function& each : kFunctions)
    if (each.code == code) return &each;
  return nullptr;
}

bool quantity_fits(std::uint16_t quantity, std::uint16_t most) {
  return quantity >= 1 && quantity <= most;
}

/// True when `data` has the shape, to the last byte.
bool fits(Shape shape, Bytes data) {
  Cursor cursor(data);
  const auto sized = [&](std::size_t multiple) {
    const std::size_t size = cursor.u8();
    return cursor.ok() && size == cursor.left() && size % multiple == 0;
  };
  switch (shape) {
    case Shape::opaque:
      return true;
    case Shape::empty:
      return data.empty();
    case Shape::status:
      return data.size() == 1;
    case Shape::read_bits:
    case Shape::read_words:
      cursor.u16();
      return data.size() == 4 &&
             quantity_fits(cursor.u16(), shape == Shape::read_bits ? 2000 : 125);
    case Shape::written:
    case Shape::word:
      return data.size() == 4;
    case Shape::coil:
      return data.size() == 4 && (data[2] == 0 || data[2] == 0xff) && data[3] == 0;
    case Shape::write_bits:
    case Shape::write_words: {
      cursor.u16();
      const std::size_t quantity = cursor.u16();
      const std::size_t size = shape == Shape::write_bits ? (quantity + 7) / 8 : quantity * 2;
      return sized(1) && size == cursor.left() && quantity > 0;
    }
    case Shape::bits:
      return sized(1);
    case Shape::words:
      return sized(2);
    case Shape::mask:
      return data.size() == 6;
    case Shape::read_write: {
      cursor.u16();
      const bool readable = quantity_fits(cursor.u16(), 125);
      cursor.u16();
      const std::size_t quantity = cursor.u16();
      return sized(2) && readable && quantity * 2 == cursor.left();
    }
    case Shape::fifo:
      return data.size() == 2;
    case Shape::diagnostics:
      return data.size() >= 2 && data.size() % 2 == 0;
    case Shape::device_query:
      return !data.empty() && (data[0] != kDeviceIdentification || data.size() == 3);
    case Shape::device_answer:
      return !data.empty() && (data[0] != kDeviceIdentification || data.size() >= 6);
  }
  return false;
}

std::uint64_t key_of(const ModbusMessage& modbus) {
  return std::uint64_t{modbus.transaction_id} << 8 | modbus.unit;
}

/// Unit 0 and 255 are the device itself; another may stand behind a gateway.
Subject unit_of(const Subject& machine, std::uint8_t unit) {
  if (unit == 0 || unit == 255) return machine;
  return {{}, machine.ip, {Station::Kind::modbus_unit, unit}};
}

/// What a request does; nothing: neither reads nor writes.
std::optional<Act::Kind> act_of(std::uint8_t function) {
  switch (function) {
    case 1:
    case 2:
    case 3:
    case 4:
    case 20:
    case 24:
      return Act::Kind::read;
    case 5:
    case 6:
    case 15:
    case 16:
    case 21:
    case 22:
    case 23:
      return Act::Kind::write;
    default:
      return std::nullopt;
  }
}

/// Type, category and, of a request, the object from which on it asks.
void tell_identification(Bytes data, bool request, Facts& facts) {
  Cursor cursor(data);
  const std::uint8_t type = cursor.u8();
  tell_named(facts, "mei_type", kMeiTypes, type);
  if (type != kDeviceIdentification) return;
  tell_named(facts, "category", kCategories, cursor.u8());
  if (!request) return;
  const std::uint8_t object = cursor.u8();
  if (object < std::size(kObjects))
    facts.add("object", kObjects[object].name);
  else
    facts.add("object", keep_number(facts, "", object));
}

Malformed tell_device(Bytes data, const Subject& device, Facts& facts) {
  Cursor cursor(data);
  if (cursor.u8() != kDeviceIdentification) return Malformed::none;
  cursor.skip(4);
  const int count = cursor.u8();
  facts.open_object("device");
  for (int i = 0; i < count && cursor.ok(); ++i) {
    const std::uint8_t id = cursor.u8();
    const std::string_view text = text_of(cursor.take(cursor.u8()));
    if (!cursor.ok() || id >= std::size(kObjects)) continue;
    const Object& object = kObjects[id];
    facts.add(object.name, text);
    if (object.source && !text.empty()) facts.learn(device, object.attribute, text, object.source);
  }
  facts.close();
  return cursor.ok() ? Malformed::none : Malformed::truncated;
}

/// The fields that both a request and a response may have.
void tell_data(Shape shape, Bytes data, Facts& facts) {
  Cursor cursor(data);
  switch (shape) {
    case Shape::read_bits:
    case Shape::read_words:
    case Shape::written:
    case Shape::write_bits:
    case Shape::write_words: {
      facts.add("address", cursor.u16());
      const std::uint16_t quantity = cursor.u16();
      facts.add("quantity", quantity);
      if (shape == Shape::write_bits || shape == Shape::write_words) facts.add("values", quantity);
      break;
    }
    case Shape::coil:
    case Shape::word:
      facts.add("address", cursor.u16());
      facts.add("value", cursor.u16());
      break;
    case Shape::mask:
      facts.add("address", cursor.u16());
      facts.add("and_mask", cursor.u16());
      facts.add("or_mask", cursor.u16());
      break;
    case Shape::read_write:
      facts.add("address", cursor.u16());
      facts.add("quantity", cursor.u16());
      facts.add("write_address", cursor.u16());
      facts.add("write_quantity", cursor.u16());
      break;
    case Shape::fifo:
      facts.add("address", cursor.u16());
      break;
    case Shape::diagnostics:
      facts.add("subfunction", cursor.u16());
      break;
    case Shape::device_query:
    case Shape::device_answer:
      tell_identification(data, shape == Shape::device_query, facts);
      break;
    default:
      break;
  }
}

void remember(const ModbusMessage& modbus, Shape shape, const Context& context) {
  const bool located =
      shape == Shape::read_bits || shape == Shape::read_words || shape == Shape::read_write;
  const std::uint32_t where = located ? load_be32(modbus.data.data()) : 0;  // address, quantity
  context.ask(key_of(modbus), where, modbus.function);
}

Malformed tell_response(const ModbusMessage& modbus, Shape shape, const Context& context,
                        Facts& facts) {
  const auto request = context.answer(key_of(modbus));
  const bool matched = request && request->b == modbus.function;
  const std::uint32_t quantity = matched ? request->a & 0xffff : 0;
  facts.learn(context.sender(), Attribute::service, "modbus", "modbus.function_code",
              Confidence::implied);
  if (quantity > 0) {
    facts.add("address", request->a >> 16);
    facts.add("quantity", quantity);
  }
  if (matched) facts.add("latency_us", context.latency_us(*request));
  if (modbus.exception) {
    if (modbus.data.empty()) return Malformed::truncated;
    tell_named(facts, "exception", kExceptions, modbus.data[0]);
    return modbus.data.size() == 1 ? Malformed::none : Malformed::bad_length;
  }
  if (!fits(shape, modbus.data)) return context.cut ? Malformed::truncated : Malformed::bad_length;
  const std::size_t size = modbus.data.empty() ? 0 : modbus.data.size() - 1;
  if (shape == Shape::words || (shape == Shape::bits && quantity > 0)) {
    const std::size_t room = shape == Shape::words ? size / 2 : size * 8;
    // A byte has room for eight bits, however few were asked for.
    const std::size_t values = shape == Shape::words ? room : std::min<std::size_t>(room, quantity);
    facts.add("values", values);
    if (values < quantity) facts.add("values_missing", quantity - values);
  }
  tell_data(shape, modbus.data, facts);
  if (shape != Shape::device_answer) return Malformed::none;
  return tell_device(modbus.data, unit_of(context.sender(), modbus.unit), facts);
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto modbus = parse_modbus(bytes);
  if (!modbus) return modbus.error();
  const bool response = modbus->exception || !context.to_server;
  const Function* function = function_of(modbus->function);
  facts.record("modbus");
  facts.add("type", response ? "response" : "request");
  facts.add("transaction_id", modbus->transaction_id);
  facts.add("unit", modbus->unit);
  facts.add("function",
            function ? std::string_view(function->name) : keep_number(facts, "", modbus->function));
  facts.add("function_code", modbus->function);
  if (response)
    return tell_response(*modbus, function ? function->response : Shape::opaque, context, facts);
  const Shape shape = function ? function->request : Shape::opaque;
  if (!fits(shape, modbus->data)) return Malformed::bad_length;
  remember(*modbus, shape, context);
  if (const auto act = act_of(modbus->function))
    facts.act(*act, unit_of(context.receiver(), modbus->unit), context.sender(), "modbus.function");
  tell_data(shape, modbus->data, facts);
  return Malformed::none;
}

Framing frame(Bytes stream, const Context&) {
  if (stream.size() >= 4 && load_be16(&stream[2]) != 0) return Framing::lost();
  if (stream.size() < kMbap) return Framing::more();
  const std::uint16_t length = load_be16(&stream[4]);
  if (length > kMaxLength && stream.size() <= kFunction) return Framing::more();
  if (!length_fits(length, stream.size() > kFunction ? stream[kFunction] : 0))
    return Framing::lost();
  return Framing::message(kMbap + length);
}

/// A whole message that is right in itself, and behind it nothing or the next one's front.
Probe probe(Bytes stream, const Context& context) {
  const Framing framing = frame(stream, context);
  if (framing.status == Framing::Status::lost) return Probe::no;
  if (framing.status == Framing::Status::more) return Probe::maybe;
  if (context.at_own_port) return Probe::yes;
  const Function* function =
      stream.size() > kFunction ? function_of(stream[kFunction] & 0x7f) : &kFunctions[0];
  const bool telling = function && function->request != Shape::opaque &&
                       function->request != Shape::empty;  // Eight bytes alone say too little.
  if (!telling) return Probe::no;
  if (stream.size() < framing.size) return Probe::maybe;
  const auto modbus = parse_modbus(stream.first(framing.size));
  if (!modbus) return Probe::no;
  const Bytes rest = stream.subspan(framing.size);
  if (!rest.empty() && frame(rest, context).status == Framing::Status::lost) return Probe::no;
  if (modbus->exception)
    return modbus->data.size() == 1 && name_of(kExceptions, modbus->data[0]) ? Probe::yes
                                                                             : Probe::no;
  const bool right =
      fits(function->request, modbus->data) ||
      (function->response != Shape::opaque && fits(function->response, modbus->data));
  return right ? Probe::yes : Probe::no;
}

constexpr Place kAt[] = {502};

}  // namespace
}  // namespace modbus

Parsed<ModbusMessage> parse_modbus(Bytes bytes) {
  Cursor cursor(bytes);
  ModbusMessage out;
  out.transaction_id = cursor.u16();
  const std::uint16_t protocol = cursor.u16();
  const std::uint16_t length = cursor.u16();
  out.unit = cursor.u8();
  const std::uint8_t function = cursor.u8();
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (protocol != 0) return bad(Malformed::bad_value);
  if (!modbus::length_fits(length, function)) return bad(Malformed::bad_length);
  out.function = function & 0x7f;
  out.exception = (function & 0x80) != 0;
  out.data = cursor.take(length - modbus::kMinLength);
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (!cursor.empty()) return bad(Malformed::bad_length);
  return out;
}

const Dissector kModbus{.name = "modbus",
                        .carrier = Carrier::stream,
                        .at = modbus::kAt,
                        .probe = modbus::probe,
                        .frame = modbus::frame,
                        .dissect = modbus::dissect};

}  // namespace vmirror
