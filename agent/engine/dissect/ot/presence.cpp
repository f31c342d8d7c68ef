// What tells these protocols apart. SRTP: as Denton and others found it ("Leveraging the SRTP
// protocol for over-the-network memory acquisition of a GE Fanuc Series 90-30", 2017). ROC Plus:
// Emerson D301180X012. SLMP: CC-Link Partner Association BAP-C2006. CODESYS: as its runtimes were
// seen to speak, no specification is public. BSAP: as
// CISA's ICSNPP describes what converters from serial lines send in datagrams.
//
//   field[n]: n bytes
//
//   SRTP      56 bytes: | type[1] | ... at 31: kind[1] | ... |; the first of a client is all zeros
//   ROC Plus  | to: unit[1] group[1] | from: the same | opcode[1] | size[1] | data | check[2] |
//   SLMP      | 50 00 | network[1] | PC[1] | module[2 LE] | station[1] | size[2 LE] | ... |
//             50 00 and 54 00 ask, d0 00 and d4 00 answer; those with a 4: serial[2] 0[2] behind
//   BSAP      | 10 02 | address[1] | serial[1] | ... | 10 03 | CRC[2] |   10 in between: twice
//   CODESYS   TCP: | 00 01 17 e8 | length of all[4 LE] |      UDP: | c5 | ...
#include "agent/engine/dissect/ot/presence.hpp"

#include <algorithm>

#include "agent/engine/dissect/crc.hpp"
#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace ot_presence {
namespace {

/// The service of who answers, and nothing more of this flow.
Outcome learn_presence(const Context& context, const char* name, const char* source, bool answers,
                       Facts& facts) {
  if (answers) facts.learn(context.sender(), Attribute::service, name, source, Confidence::implied);
  return Malformed::none;
}

// -- SRTP --

constexpr std::size_t kSrtpHeader = 56;
enum SrtpType : std::uint8_t { kSrtpInit = 0, kSrtpInitAnswer = 1, kSrtpAsk = 2, kSrtpAnswer = 3 };

Probe probe_srtp(Bytes stream, const Context& context) {
  if (stream.empty()) return Probe::maybe;
  if (!context.at_own_port || stream[0] > kSrtpAnswer) return Probe::no;
  if (stream.size() < kSrtpHeader) return Probe::maybe;
  const Bytes rest = stream.subspan(1, kSrtpHeader - 1);
  if (stream[0] <= kSrtpInitAnswer) {
    const bool zeros = std::all_of(rest.begin(), rest.end(), [](auto byte) { return byte == 0; });
    if (!zeros || stream.size() != kSrtpHeader) return Probe::no;
    return stream[0] == kSrtpInit ? Probe::client : Probe::server;
  }
  constexpr Named kKinds[] = {{0xc0, ""}, {0x80, ""}, {0xd4, ""}, {0x94, ""}, {0xd1, ""}};
  const bool kind = name_of(kKinds, stream[31]) != nullptr;
  const bool mailboxes =
      stream[34] == 0 && stream[35] == 0 && (stream[33] == 0x0e || stream[37] == 0x0e);
  if (!kind || !mailboxes) return Probe::no;
  return stream[0] == kSrtpAsk ? Probe::client : Probe::server;
}
Framing frame_srtp(Bytes stream, const Context&) {
  if (stream[0] > kSrtpAnswer) return Framing::lost();
  if (stream.size() < kSrtpHeader) return Framing::more();
  const std::uint32_t text = Cursor(stream.subspan(4)).le16();
  return Framing::message(static_cast<std::uint32_t>(kSrtpHeader + text), kSrtpHeader);
}
Outcome dissect_srtp(Bytes bytes, const Context& context, Facts& facts) {
  if (bytes.size() < kSrtpHeader) return Malformed::truncated;
  if (bytes[0] > kSrtpAnswer) return Malformed::bad_value;
  const bool answers = bytes[0] == kSrtpInitAnswer || bytes[0] == kSrtpAnswer;
  return learn_presence(context, "ge_srtp", "ge_srtp.type", answers, facts);
}

// -- ROC Plus --

constexpr std::size_t kRocHeader = 6, kRocCheck = 2;

Framing frame_roc(Bytes stream, const Context&) {
  if (stream.size() < kRocHeader) return Framing::more();
  return Framing::message(static_cast<std::uint32_t>(kRocHeader + stream[5] + kRocCheck));
}
/// A whole message, to the last byte, with a right check.
Malformed judge_roc(Bytes bytes) {
  if (bytes.size() < kRocHeader) return Malformed::truncated;
  const std::size_t size = kRocHeader + bytes[5] + kRocCheck;
  if (bytes.size() < size) return Malformed::truncated;
  if (bytes.size() > size) return Malformed::bad_length;
  const std::uint16_t check = Cursor(bytes.subspan(size - kRocCheck)).le16();
  return check == crc16_reflected<0xa001>(bytes.first(size - kRocCheck)) ? Malformed::none
                                                                         : Malformed::bad_value;
}
Probe probe_roc(Bytes bytes, const Context& context) {
  if (!context.at_own_port) return Probe::no;
  const Malformed malformed = judge_roc(bytes);
  if (malformed == Malformed::truncated) return Probe::maybe;
  return malformed == Malformed::none ? Probe::yes : Probe::no;
}
Outcome dissect_roc(Bytes bytes, const Context& context, Facts& facts) {
  const Malformed malformed = judge_roc(bytes);
  if (malformed != Malformed::none) return malformed;
  return learn_presence(context, "roc_plus", "roc_plus.opcode", !context.to_server, facts);
}

// -- SLMP --

constexpr std::uint8_t kOwnPc = 0xff;

/// Behind the subheader and the serial of 4E; 0: no subheader of SLMP.
std::size_t slmp_route(Bytes bytes) {
  const std::uint8_t kind = bytes[0];
  if (bytes.size() > 1 && bytes[1] != 0) return 0;
  if (kind == 0x50 || kind == 0xd0) return 2;
  return kind == 0x54 || kind == 0xd4 ? 6 : 0;
}
Framing frame_slmp(Bytes stream, const Context&) {
  const std::size_t route = slmp_route(stream);
  if (route == 0) return Framing::lost();
  if (stream.size() < route + 7) return Framing::more();
  const std::uint16_t size = Cursor(stream.subspan(route + 5)).le16();
  return size < 2 ? Framing::lost()
                  : Framing::message(static_cast<std::uint32_t>(route + 7 + size));
}
Malformed judge_slmp(Bytes bytes) {
  if (bytes.empty()) return Malformed::truncated;
  const std::size_t route = slmp_route(bytes);
  if (route == 0) return Malformed::bad_value;
  if (bytes.size() < route + 7) return Malformed::truncated;
  const std::uint16_t module = Cursor(bytes.subspan(route + 2)).le16();
  const std::size_t size = route + 7U + Cursor(bytes.subspan(route + 5)).le16();
  if (bytes.size() < size) return Malformed::truncated;
  if (bytes.size() > size || size < route + 9) return Malformed::bad_length;
  const bool known =
      bytes[route + 1] == kOwnPc || (bytes[route + 1] >= 1 && bytes[route + 1] <= 120);
  return known && module >= 0x03d0 && module <= 0x03ff ? Malformed::none : Malformed::bad_value;
}
Probe probe_slmp(Bytes bytes, const Context&) {
  const Malformed malformed = judge_slmp(bytes);
  if (malformed == Malformed::truncated) return Probe::maybe;
  if (malformed != Malformed::none) return Probe::no;
  return (bytes[0] & 0x80) != 0 ? Probe::server : Probe::client;
}
Outcome dissect_slmp(Bytes bytes, const Context& context, Facts& facts) {
  const Malformed malformed = judge_slmp(bytes);
  if (malformed != Malformed::none) return malformed;
  return learn_presence(context, "slmp", "slmp.subheader", (bytes[0] & 0x80) != 0, facts);
}

// -- BSAP --

constexpr std::uint8_t kDle = 0x10, kStx = 2, kEtx = 3;
constexpr std::size_t kBsapEnd = 4, kLeastBsap = 10;

Malformed judge_bsap(Bytes bytes) {
  if (bytes.size() >= 2 && (bytes[0] != kDle || bytes[1] != kStx)) return Malformed::bad_value;
  if (bytes.size() < kLeastBsap) return Malformed::truncated;
  const Bytes end = bytes.last(kBsapEnd);
  return end[0] == kDle && end[1] == kEtx ? Malformed::none : Malformed::truncated;
}
Probe probe_bsap(Bytes bytes, const Context& context) {
  return context.at_own_port && judge_bsap(bytes) == Malformed::none ? Probe::yes : Probe::no;
}
Outcome dissect_bsap(Bytes bytes, const Context& context, Facts& facts) {
  const Malformed malformed = judge_bsap(bytes);
  if (malformed != Malformed::none) return malformed;
  return learn_presence(context, "bsap", "bsap.frame", !context.to_server, facts);
}

// -- CODESYS V3 --

constexpr std::uint32_t kCodesysMagic = 0x000117e8, kMostCodesys = 1U << 20;
constexpr std::size_t kCodesysHeader = 8;

Framing frame_codesys(Bytes stream, const Context&) {
  if (stream[0] != 0) return Framing::lost();
  if (stream.size() < kCodesysHeader) return Framing::more();
  const std::uint32_t size = Cursor(stream.subspan(4)).le32();
  const bool right =
      load_be32(stream.data()) == kCodesysMagic && size >= kCodesysHeader && size <= kMostCodesys;
  return right ? Framing::message(size, kCodesysHeader) : Framing::lost();
}
Probe probe_codesys(Bytes stream, const Context& context) {
  if (stream.empty()) return Probe::maybe;
  const Framing framing = frame_codesys(stream, context);
  if (framing.status == Framing::Status::more) return Probe::maybe;
  return framing.status == Framing::Status::lost ? Probe::no : Probe::yes;
}
Outcome dissect_codesys(Bytes bytes, const Context& context, Facts& facts) {
  if (bytes.size() < kCodesysHeader) return Malformed::truncated;
  if (load_be32(bytes.data()) != kCodesysMagic) return Malformed::bad_value;
  return learn_presence(context, "codesys", "codesys.magic", !context.to_server, facts);
}
constexpr std::uint8_t kCodesysDatagram = 0xc5;
constexpr std::size_t kLeastDatagram = 12;
Probe probe_codesys_datagram(Bytes bytes, const Context& context) {
  const bool right =
      context.at_own_port && bytes.size() >= kLeastDatagram && bytes[0] == kCodesysDatagram;
  return right ? Probe::yes : Probe::no;
}
Outcome dissect_codesys_datagram(Bytes bytes, const Context& context, Facts& facts) {
  if (bytes.size() < kLeastDatagram) return Malformed::truncated;
  if (bytes[0] != kCodesysDatagram) return Malformed::bad_value;
  return learn_presence(context, "codesys", "codesys.magic", !context.to_server, facts);
}

constexpr Place kSrtpAt[] = {18245};
constexpr Place kRocAt[] = {4000};
constexpr Place kSlmpAt[] = {5006, 5007};
constexpr Place kBsapAt[] = {1234, 1235};
constexpr Place kCodesysAt[] = {11740};
constexpr Place kCodesysUdpAt[] = {1740, 1741, 1742, 1743};

}  // namespace
}  // namespace ot_presence

const Dissector kGeSrtp{.name = "ge_srtp",
                        .carrier = Carrier::stream,
                        .at = ot_presence::kSrtpAt,
                        .probe = ot_presence::probe_srtp,
                        .frame = ot_presence::frame_srtp,
                        .dissect = ot_presence::dissect_srtp};
const Dissector kRocPlus{.name = "roc_plus",
                         .carrier = Carrier::stream,
                         .at = ot_presence::kRocAt,
                         .probe = ot_presence::probe_roc,
                         .frame = ot_presence::frame_roc,
                         .dissect = ot_presence::dissect_roc};
const Dissector kRocPlusUdp{.name = "roc_plus",
                            .carrier = Carrier::datagram,
                            .at = ot_presence::kRocAt,
                            .probe = ot_presence::probe_roc,
                            .dissect = ot_presence::dissect_roc};
const Dissector kSlmp{.name = "slmp",
                      .carrier = Carrier::stream,
                      .at = ot_presence::kSlmpAt,
                      .probe = ot_presence::probe_slmp,
                      .frame = ot_presence::frame_slmp,
                      .dissect = ot_presence::dissect_slmp};
const Dissector kSlmpUdp{.name = "slmp",
                         .carrier = Carrier::datagram,
                         .at = ot_presence::kSlmpAt,
                         .probe = ot_presence::probe_slmp,
                         .dissect = ot_presence::dissect_slmp};
const Dissector kBsap{.name = "bsap",
                      .carrier = Carrier::datagram,
                      .at = ot_presence::kBsapAt,
                      .probe = ot_presence::probe_bsap,
                      .dissect = ot_presence::dissect_bsap};
const Dissector kCodesys{.name = "codesys",
                         .carrier = Carrier::stream,
                         .at = ot_presence::kCodesysAt,
                         .probe = ot_presence::probe_codesys,
                         .frame = ot_presence::frame_codesys,
                         .dissect = ot_presence::dissect_codesys};
const Dissector kCodesysUdp{.name = "codesys",
                            .carrier = Carrier::datagram,
                            .at = ot_presence::kCodesysUdpAt,
                            .probe = ot_presence::probe_codesys_datagram,
                            .dissect = ot_presence::dissect_codesys_datagram};

}  // namespace vmirror
