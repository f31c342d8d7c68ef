// Not published; as Wireshark's plugin s7comm-plus names the fields.
//
//   field[n]: n bytes
//
//   | 0x72 | version[1] | size[2] | data | 0x72 | version[1] | 0[2] |       the trailer
//   data         | opcode[1] | 0[2] | function[2] | 0[2] | sequence[2] | ...
//   of version 3 | 32 | digest[32] | in front of it
#include "agent/engine/dissect/ot/s7comm_plus.hpp"

#include "agent/engine/dissect/ot/cotp.hpp"
#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace s7comm_plus {
namespace {

constexpr std::uint8_t kProtocol = 0x72, kEvent = 0xfe, kDigest = 32;
enum Opcode : std::uint8_t { kRequest = 0x31, kResponse = 0x32, kNotification = 0x33 };
constexpr Named kOpcodes[] = {
    {kRequest, "request"}, {kResponse, "response"}, {kNotification, "notification"}};
constexpr Named kFunctions[] = {{0x04bb, "explore"},
                                {0x04ca, "create_object"},
                                {0x04d4, "delete_object"},
                                {0x04f2, "set_variable"},
                                {0x0524, "get_link"},
                                {0x0542, "set_multi_variables"},
                                {0x054c, "get_multi_variables"},
                                {0x0556, "begin_sequence"},
                                {0x0560, "end_sequence"},
                                {0x056b, "invoke"},
                                {0x0586, "get_var_substreamed"}};

bool is_version(std::uint8_t version) {
  return (version >= 1 && version <= 3) || version == kEvent;
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto s7 = parse_s7comm_plus(bytes);
  if (!s7) return s7.error();
  facts.record("s7comm_plus");
  facts.add("version", s7->version);
  if (s7->opcode == 0) return Malformed::none;
  tell_named(facts, "opcode", kOpcodes, s7->opcode);
  if (s7->opcode == kNotification) return Malformed::none;
  tell_named(facts, "function", kFunctions, s7->function);
  facts.add("sequence", s7->sequence);
  if (s7->opcode == kRequest) {
    context.ask(s7->sequence);
    const bool reads = s7->function == 0x054c || s7->function == 0x0586;
    const bool writes = s7->function == 0x0542 || s7->function == 0x04f2;
    if (reads || writes)
      facts.act(reads ? Act::Kind::read : Act::Kind::write, context.receiver(), context.sender(),
                "s7comm_plus.function");
    return Malformed::none;
  }
  if (const auto request = context.answer(s7->sequence))
    facts.add("latency_us", context.latency_us(*request));
  facts.learn(context.sender(), Attribute::service, "s7comm_plus", "s7comm_plus.opcode",
              Confidence::implied);
  return Malformed::none;
}

Probe probe(Bytes bytes, const Context&) {
  const bool right = bytes.size() >= 4 && bytes[0] == kProtocol && is_version(bytes[1]) &&
                     load_be16(&bytes[2]) + std::size_t{4} <= bytes.size();
  if (!right) return Probe::no;
  const Bytes trailer = bytes.subspan(load_be16(&bytes[2]) + std::size_t{4});
  const bool ends = trailer.empty() || (trailer.size() == 4 && trailer[0] == kProtocol);
  return ends && bytes.size() > 4 ? Probe::yes : Probe::no;
}

constexpr Place kAt[] = {kCotpData};

}  // namespace
}  // namespace s7comm_plus

Parsed<S7PlusMessage> parse_s7comm_plus(Bytes bytes) {
  Cursor cursor(bytes);
  const std::uint8_t protocol = cursor.u8();
  S7PlusMessage out;
  out.version = cursor.u8();
  Cursor data = cursor.sub(cursor.u16());
  if (!bytes.empty() && protocol != s7comm_plus::kProtocol) return bad(Malformed::bad_value);
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (!s7comm_plus::is_version(out.version)) return bad(Malformed::bad_value);
  if (out.version == 3 && !data.empty() && data.rest()[0] == s7comm_plus::kDigest)
    data.skip(1 + s7comm_plus::kDigest);
  if (data.left() < 9 || name_of(s7comm_plus::kOpcodes, data.rest()[0]) == nullptr) return out;
  out.opcode = data.u8();
  data.u16();
  out.function = data.u16();
  data.u16();
  out.sequence = data.u16();
  return out;
}

const Dissector kS7commPlus{.name = "s7comm_plus",
                            .carrier = Carrier::inside,
                            .at = s7comm_plus::kAt,
                            .probe = s7comm_plus::probe,
                            .dissect = s7comm_plus::dissect};

}  // namespace vmirror
