// Union Switch & Signal's protocol, as the documentation of ICSNPP's parser describes it, and as
// the captures of that project are. The check is CRC-16 with 0xffff before it, low byte first.
//
//   | control character[1] | station[1] | words * (number[1] | bits[1]) | check[2] | 0xf6 |
//     of an acknowledgement, and of a poll that is not secure, no check
//   a byte from 0xf0 on, behind the control character: | 0xf0 | its low four bits |; some send the
//   check without
#include "agent/engine/dissect/ot/genisys.hpp"

#include <array>

#include "agent/engine/dissect/crc.hpp"
#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace genisys {
namespace {

constexpr std::uint8_t kEnd = 0xf6, kEscape = 0xf0;
enum Kind : std::uint8_t {
  kAcknowledge = 0xf1,
  kIndication = 0xf2,
  kCheckback = 0xf3,
  kCommonControl = 0xf9,
  kPoll = 0xfb,
  kControl = 0xfc,
  kExecute = 0xfe,
};
constexpr Named kKinds[] = {{kAcknowledge, "acknowledge_client"},
                            {kIndication, "indication_data"},
                            {kCheckback, "control_data_checkback"},
                            {kCommonControl, "common_control_data"},
                            {0xfa, "acknowledge_and_poll"},
                            {kPoll, "poll"},
                            {kControl, "control_data"},
                            {0xfd, "recall"},
                            {kExecute, "execute_controls"}};

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto genisys = parse_genisys(bytes);
  if (!genisys) return genisys.error();
  const bool response = genisys->kind <= kCheckback;
  facts.record("genisys");
  tell_named(facts, "header", kKinds, genisys->kind);
  facts.add("direction", response ? "response" : "request");
  facts.add("server", genisys->station);
  if (genisys->words > 0) facts.add("words", genisys->words);
  if (genisys->has_check && !genisys->checked) facts.add("checksum", "wrong");
  if (response)
    facts.learn(context.sender(), Attribute::service, "genisys", "genisys.header",
                Confidence::implied);
  const bool controls =
      genisys->kind == kCommonControl || genisys->kind == kControl || genisys->kind == kExecute;
  if (controls) facts.act(Act::Kind::write, context.receiver(), context.sender(), "genisys.header");
  return Malformed::none;
}

Framing frame(Bytes stream, const Context&) {
  if (name_of(kKinds, stream[0]) == nullptr) return Framing::lost();
  const auto end = std::find(stream.begin() + 1, stream.end(), kEnd);
  if (end != stream.end())
    return Framing::message(static_cast<std::uint32_t>(end - stream.begin() + 1));
  return stream.size() > kMostGenisys ? Framing::lost() : Framing::more();
}

/// A right check; at the port one without will do.
Probe probe(Bytes stream, const Context& context) {
  if (stream.empty()) return Probe::maybe;
  const Framing framing = frame(stream, context);
  if (framing.status == Framing::Status::lost) return Probe::no;
  if (framing.status == Framing::Status::more) return Probe::maybe;
  const auto genisys = parse_genisys(stream.first(framing.size));
  if (!genisys || (!genisys->checked && !context.at_own_port)) return Probe::no;
  if (genisys->has_check && !genisys->checked) return Probe::no;
  return genisys->kind <= kCheckback ? Probe::server : Probe::client;
}

constexpr Place kAt[] = {10001};

}  // namespace
}  // namespace genisys

Parsed<GenisysMessage> parse_genisys(Bytes bytes) {
  if (bytes.empty()) return bad(Malformed::truncated);
  if (name_of(genisys::kKinds, bytes[0]) == nullptr) return bad(Malformed::bad_value);
  std::array<std::uint8_t, kMostGenisys> plain;
  std::size_t size = 0;
  std::size_t at = 0;
  for (; at < bytes.size() && bytes[at] != genisys::kEnd && size < plain.size(); ++at) {
    const bool escaped =
        bytes[at] == genisys::kEscape && at + 1 < bytes.size() && bytes[at + 1] < 0x10;
    plain[size++] = escaped ? static_cast<std::uint8_t>(0xf0 | bytes[++at]) : bytes[at];
  }
  if (at >= bytes.size()) return bad(Malformed::truncated);
  if (at + 1 != bytes.size()) return bad(Malformed::bad_length);
  GenisysMessage out;
  out.kind = plain[0];
  if (size < 2) return bad(Malformed::bad_length);
  out.station = plain[1];
  if (size == 2) return out;
  if (size % 2 != 0) return bad(Malformed::bad_length);
  const Bytes all(plain.data(), size);
  out.has_check = true;
  out.checked =
      Cursor(all.subspan(size - 2)).le16() == crc16_reflected<0xa001>(all.first(size - 2), 0xffff);
  out.words = (size - 4) / 2;
  return out;
}

const Dissector kGenisys{.name = "genisys",
                         .carrier = Carrier::stream,
                         .at = genisys::kAt,
                         .probe = genisys::probe,
                         .frame = genisys::frame,
                         .dissect = genisys::dissect};

}  // namespace vmirror
