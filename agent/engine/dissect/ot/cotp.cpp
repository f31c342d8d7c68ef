// RFC 1006, section 6 (TPKT); ITU-T X.224 = ISO 8073, section 13 (TPDUs, class 0).
//
//   field[n]: n bytes
//
//   TPKT      | 3[1] | 0[1] | length of all[2] | TPDU |
//   TPDU      | length of the rest of the header[1] | type:4 credit:4 | ... | data
//   CR CC     ... | destination reference[2] | source reference[2] | class[1] | parameters |
//   DR        ... | destination reference[2] | source reference[2] | reason[1] | parameters |
//   ER        ... | destination reference[2] | cause[1] | parameters |
//   DT        ... | end:1 number:7 | data
//   parameter | code[1] | size[1] | value |    c0: log2 of the TPDU size, c1, c2: TSAPs
#include "agent/engine/dissect/ot/cotp.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace cotp {
namespace {

using Type = CotpMessage::Type;

constexpr std::size_t kTpkt = 4, kLeast = 7;
constexpr Named kTypes[] = {{0x1, "expedited_data"},
                            {0x5, "reject"},
                            {0x7, "error"},
                            {0x8, "disconnect_request"},
                            {0xc, "disconnect_confirm"},
                            {0xd, "connect_confirm"},
                            {0xe, "connect_request"},
                            {0xf, "data"}};

bool has_parameters(Type type) {
  return type == Type::connect_request || type == Type::connect_confirm;
}

void read_parameters(Bytes bytes, CotpMessage& out) {
  out.parameters = bytes;
  Cursor cursor(bytes);
  while (!cursor.empty()) {
    const std::uint8_t code = cursor.u8();
    const Bytes value = cursor.take(cursor.u8());
    if (!cursor.ok()) return;
    if (code == 0xc0 && value.size() == 1 && value[0] < 17) out.tpdu_size = 1U << value[0];
    if (code == 0xc1) out.calling_tsap = value;
    if (code == 0xc2) out.called_tsap = value;
  }
}

void tell(const CotpMessage& cotp, Facts& facts) {
  facts.record("cotp");
  tell_named(facts, "type", kTypes, static_cast<std::uint32_t>(cotp.type));
  facts.add("source_reference", cotp.source_reference);
  facts.add("destination_reference", cotp.destination_reference);
  if (cotp.tpdu_size != 0) facts.add("tpdu_size", cotp.tpdu_size);
  if (!cotp.calling_tsap.empty()) facts.add("calling_tsap", cotp.calling_tsap);
  if (!cotp.called_tsap.empty()) facts.add("called_tsap", cotp.called_tsap);
  if (cotp.type == Type::disconnect_request || cotp.type == Type::error)
    facts.add("reason", cotp.reason);
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto cotp = parse_cotp(bytes);
  if (!cotp) return cotp.error();
  if (cotp->type == Type::data || cotp->type == Type::expedited_data) {
    const auto whole = context.join(cotp->data, Begins::unsaid, cotp->end);
    if (whole && !whole->bytes.empty()) context.hand_down(kCotpData, whole->bytes, facts);
    return Malformed::none;
  }
  tell(*cotp, facts);
  return Malformed::none;
}

Framing frame(Bytes stream, const Context&) {
  if (stream[0] != 3 || (stream.size() > 1 && stream[1] != 0)) return Framing::lost();
  if (stream.size() < kTpkt) return Framing::more();
  const std::uint16_t size = load_be16(&stream[2]);
  return size < kLeast ? Framing::lost() : Framing::message(size);
}

Probe probe(Bytes stream, const Context& context) {
  if (stream.empty()) return Probe::maybe;
  const Framing framing = frame(stream, context);
  if (framing.status == Framing::Status::lost) return Probe::no;
  if (framing.status == Framing::Status::more || stream.size() < kLeast) return Probe::maybe;
  const std::uint8_t header = stream[4];
  const auto type = static_cast<Type>(stream[5] >> 4);
  const bool whole = header + kTpkt + 1 == framing.size;
  if (type == Type::data)
    return stream[5] == 0xf0 && header == 2 && (stream[6] & 0x7f) == 0 ? Probe::yes : Probe::no;
  if (!whole) return Probe::no;
  if (has_parameters(type)) {  // Text, or a number below 0x80, is RDP's.
    constexpr std::uint8_t kFixed = 6, kLeastCode = 0x80;
    constexpr std::size_t kVariable = kTpkt + 1 + kFixed;
    if (header > kFixed && stream.size() <= kVariable) return Probe::maybe;
    const bool own = header > kFixed ? stream[kVariable] >= kLeastCode : context.at_own_port;
    if (!own) return Probe::no;
  }
  if (type == Type::connect_request) return Probe::client;
  if (type == Type::connect_confirm) return Probe::server;
  return type == Type::disconnect_request && header == 6 ? Probe::yes : Probe::no;
}

constexpr Place kAt[] = {102};
constexpr Place kHandsDown[] = {kCotpData};

}  // namespace
}  // namespace cotp

Parsed<CotpMessage> parse_cotp(Bytes bytes) {
  Cursor cursor(bytes);
  const std::uint16_t version = cursor.u16();
  const std::uint16_t size = cursor.u16();
  Cursor header = cursor.sub(cursor.u8());
  if (bytes.size() >= 2 && version != 0x0300) return bad(Malformed::bad_value);
  if (bytes.size() > cotp::kTpkt && bytes[cotp::kTpkt] + cotp::kTpkt + 1 > size)
    return bad(Malformed::bad_length);
  if (!cursor.ok() || bytes.size() < size) return bad(Malformed::truncated);
  CotpMessage out;
  out.type = static_cast<cotp::Type>(header.u8() >> 4);
  if (name_of(cotp::kTypes, static_cast<std::uint32_t>(out.type)) == nullptr)
    return bad(Malformed::bad_value);
  if (out.type == cotp::Type::data) {
    out.end = (header.u8() & 0x80) != 0;
  } else {
    out.destination_reference = header.u16();
    if (out.type == cotp::Type::expedited_data) {
      header.u8();
    } else if (out.type != cotp::Type::error && out.type != cotp::Type::reject) {
      out.source_reference = header.u16();
    }
    if (out.type != cotp::Type::disconnect_confirm && out.type != cotp::Type::expedited_data)
      out.reason = header.u8();
    if (cotp::has_parameters(out.type)) cotp::read_parameters(header.rest(), out);
  }
  if (!header.ok()) return bad(Malformed::bad_length);
  out.data = cursor.rest();
  return out;
}

const Dissector kCotp{.name = "cotp",
                      .carrier = Carrier::stream,
                      .at = cotp::kAt,
                      .hands_down = cotp::kHandsDown,
                      .probe = cotp::probe,
                      .frame = cotp::frame,
                      .dissect = cotp::dissect};

}  // namespace vmirror
