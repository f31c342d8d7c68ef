// IEC 60870-5-104, section 5; IEC 60870-5-101, section 7. Numbers are little-endian.
//
//   field[n]: n bytes, field:n: n bits
//
//   0      1         2            6
//   | 0x68 | size[1] | control[4] | ASDU[size - 4] |
//   control, from the lowest bit on
//     I   | 0:1 send number:15 | 0:1 receive number:15 |
//     S   | 1:1 0:15 | 0:1 receive number:15 |
//     U   | 3:2 one of six:6 | 0:24 |
//   ASDU  | type[1] | objects:7 sequence:1 | cause:6 negative:1 test:1 | originator[1] |
//         | common address[2] | object address[3] | element | ...
#include "agent/engine/dissect/ot/iec104.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace iec104 {
namespace {

using Format = Iec104Message::Format;
constexpr std::uint8_t kStart = 0x68, kLeast = 4, kMost = 253, kAsdu = 6;
constexpr Named kFunctions[] = {{0x04, "startdt_act"}, {0x08, "startdt_con"}, {0x10, "stopdt_act"},
                                {0x20, "stopdt_con"},  {0x40, "testfr_act"},  {0x80, "testfr_con"}};
constexpr Named kTypes[] = {
    {1, "M_SP_NA_1"},   {2, "M_SP_TA_1"},   {3, "M_DP_NA_1"},   {4, "M_DP_TA_1"},
    {5, "M_ST_NA_1"},   {6, "M_ST_TA_1"},   {7, "M_BO_NA_1"},   {8, "M_BO_TA_1"},
    {9, "M_ME_NA_1"},   {10, "M_ME_TA_1"},  {11, "M_ME_NB_1"},  {12, "M_ME_TB_1"},
    {13, "M_ME_NC_1"},  {14, "M_ME_TC_1"},  {15, "M_IT_NA_1"},  {16, "M_IT_TA_1"},
    {17, "M_EP_TA_1"},  {18, "M_EP_TB_1"},  {19, "M_EP_TC_1"},  {20, "M_PS_NA_1"},
    {21, "M_ME_ND_1"},  {30, "M_SP_TB_1"},  {31, "M_DP_TB_1"},  {32, "M_ST_TB_1"},
    {33, "M_BO_TB_1"},  {34, "M_ME_TD_1"},  {35, "M_ME_TE_1"},  {36, "M_ME_TF_1"},
    {37, "M_IT_TB_1"},  {38, "M_EP_TD_1"},  {39, "M_EP_TE_1"},  {40, "M_EP_TF_1"},
    {45, "C_SC_NA_1"},  {46, "C_DC_NA_1"},  {47, "C_RC_NA_1"},  {48, "C_SE_NA_1"},
    {49, "C_SE_NB_1"},  {50, "C_SE_NC_1"},  {51, "C_BO_NA_1"},  {58, "C_SC_TA_1"},
    {59, "C_DC_TA_1"},  {60, "C_RC_TA_1"},  {61, "C_SE_TA_1"},  {62, "C_SE_TB_1"},
    {63, "C_SE_TC_1"},  {64, "C_BO_TA_1"},  {70, "M_EI_NA_1"},  {100, "C_IC_NA_1"},
    {101, "C_CI_NA_1"}, {102, "C_RD_NA_1"}, {103, "C_CS_NA_1"}, {104, "C_TS_NA_1"},
    {105, "C_RP_NA_1"}, {106, "C_CD_NA_1"}, {107, "C_TS_TA_1"}, {110, "P_ME_NA_1"},
    {111, "P_ME_NB_1"}, {112, "P_ME_NC_1"}, {113, "P_AC_NA_1"}, {120, "F_FR_NA_1"},
    {121, "F_SR_NA_1"}, {122, "F_SC_NA_1"}, {123, "F_LS_NA_1"}, {124, "F_AF_NA_1"},
    {125, "F_SG_NA_1"}, {126, "F_DR_TA_1"}, {127, "F_SC_NB_1"}};
constexpr Named kCauses[] = {{1, "periodic"},
                             {2, "background"},
                             {3, "spontaneous"},
                             {4, "initialized"},
                             {5, "requested"},
                             {6, "activation"},
                             {7, "activation_confirmed"},
                             {8, "deactivation"},
                             {9, "deactivation_confirmed"},
                             {10, "activation_terminated"},
                             {11, "return_remote"},
                             {12, "return_local"},
                             {13, "file"},
                             {20, "interrogated"},
                             {37, "counter_interrogated"},
                             {44, "unknown_type"},
                             {45, "unknown_cause"},
                             {46, "unknown_common_address"},
                             {47, "unknown_object_address"}};
constexpr std::uint8_t kActivation = 6, kSynchronise = 103, kReset = 105;

bool is_command(std::uint8_t type) {
  return (type >= 45 && type <= 51) || (type >= 58 && type <= 64);
}
bool is_switched(std::uint8_t type) {  // Single, double, step.
  return (type >= 45 && type <= 47) || (type >= 58 && type <= 60);
}
bool is_report(std::uint8_t type) {
  return type >= 1 && type <= 40;
}

void tell_asdu(const Iec104Message& iec, const Context& context, Facts& facts) {
  constexpr std::uint8_t kSelect = 0x80;
  tell_named(facts, "type", kTypes, iec.type_id);
  tell_named(facts, "cause", kCauses, iec.cause);
  if (iec.negative) facts.add("negative", true);
  if (iec.test) facts.add("test", true);
  facts.add("originator", iec.originator);
  facts.add("common_address", iec.common_address);
  facts.add("objects", iec.objects);
  Cursor cursor(iec.data);
  const std::uint32_t low = cursor.le16();
  const std::uint32_t address = low | std::uint32_t{cursor.u8()} << 16;
  if (!cursor.ok()) return;
  facts.add("ioa", address);
  bool selects = false;
  if (is_switched(iec.type_id) && !cursor.empty()) {
    const std::uint8_t order = cursor.u8();
    const bool single = iec.type_id == 45 || iec.type_id == 58;
    selects = (order & kSelect) != 0;
    facts.add("value", order & (single ? 1U : 3U));
    facts.add("select", selects);
  }
  const bool orders =
      is_command(iec.type_id) || iec.type_id == kSynchronise || iec.type_id == kReset;
  if (orders && iec.cause == kActivation && !selects)
    facts.act(iec.type_id == kSynchronise ? Act::Kind::set_time : Act::Kind::write,
              context.receiver(), context.sender(), "iec104.type");
  if (is_report(iec.type_id) && !context.to_server)
    facts.learn(context.sender(), Attribute::role, "rtu", "iec104.type", Confidence::implied);
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto iec = parse_iec104(bytes);
  if (!iec) return iec.error();
  facts.record("iec104");
  constexpr const char* kFormats[] = {"i", "s", "u"};
  facts.add("format", kFormats[static_cast<std::size_t>(iec->format)]);
  if (iec->format == Format::unnumbered) tell_named(facts, "function", kFunctions, iec->function);
  if (iec->format == Format::information) facts.add("send_number", iec->send_number);
  if (iec->format != Format::unnumbered) facts.add("receive_number", iec->receive_number);
  if (iec->format == Format::information) tell_asdu(*iec, context, facts);
  if (!context.to_server)
    facts.learn(context.sender(), Attribute::service, "iec104", "iec104.format",
                Confidence::implied);
  return Malformed::none;
}

Framing frame(Bytes stream, const Context&) {
  if (stream[0] != kStart) return Framing::lost();
  if (stream.size() < 2) return Framing::more();
  return stream[1] < kLeast || stream[1] > kMost ? Framing::lost()
                                                 : Framing::message(stream[1] + 2U);
}

/// A whole message, and behind it nothing or the next one's front.
Probe probe(Bytes stream, const Context& context) {
  if (stream.empty()) return Probe::maybe;
  const Framing framing = frame(stream, context);
  if (framing.status == Framing::Status::lost) return Probe::no;
  if (framing.status == Framing::Status::more || stream.size() < framing.size) return Probe::maybe;
  const auto iec = parse_iec104(stream.first(framing.size));
  if (!iec) return Probe::no;
  const Bytes rest = stream.subspan(framing.size);
  if (!rest.empty() && frame(rest, context).status == Framing::Status::lost) return Probe::no;
  if (iec->format == Format::unnumbered) {
    constexpr std::uint8_t kOfClients = 0x04 | 0x10;  // STARTDT and STOPDT; either side tests.
    return (iec->function & kOfClients) != 0 ? Probe::client : Probe::yes;
  }
  if (iec->format == Format::supervisory) return context.at_own_port ? Probe::yes : Probe::no;
  const bool known = name_of(kTypes, iec->type_id) != nullptr && name_of(kCauses, iec->cause);
  if (!known || iec->objects == 0) return Probe::no;
  if (is_report(iec->type_id)) return Probe::server;
  return iec->cause == kActivation ? Probe::client : Probe::yes;
}

constexpr Place kAt[] = {2404};

}  // namespace
}  // namespace iec104

Parsed<Iec104Message> parse_iec104(Bytes bytes) {
  Cursor cursor(bytes);
  Iec104Message out;
  const std::uint8_t start = cursor.u8();
  const std::size_t size = cursor.u8();
  const std::uint16_t first = cursor.le16(), second = cursor.le16();
  if (!bytes.empty() && start != iec104::kStart) return bad(Malformed::bad_value);
  if (!cursor.ok() || bytes.size() < size + 2) return bad(Malformed::truncated);
  if (bytes.size() != size + 2) return bad(Malformed::bad_length);
  out.receive_number = second >> 1;
  if ((first & 3) == 3) {
    out.format = iec104::Format::unnumbered;
    out.function = static_cast<std::uint8_t>(first & 0xfc);
    if (first > 0xff || second != 0 || size != iec104::kLeast ||
        !name_of(iec104::kFunctions, out.function))
      return bad(Malformed::bad_value);
    return out;
  }
  if ((second & 1) != 0) return bad(Malformed::bad_value);
  if ((first & 3) == 1) {
    out.format = iec104::Format::supervisory;
    return first != 1 || size != iec104::kLeast ? Parsed<Iec104Message>(bad(Malformed::bad_value))
                                                : out;
  }
  out.format = iec104::Format::information;
  out.send_number = first >> 1;
  if (size < iec104::kLeast + iec104::kAsdu) return bad(Malformed::bad_length);
  out.type_id = cursor.u8();
  const std::uint8_t many = cursor.u8(), cause = cursor.u8();
  out.sequence = (many & 0x80) != 0;
  out.objects = many & 0x7f;
  out.cause = cause & 0x3f;
  out.negative = (cause & 0x40) != 0;
  out.test = (cause & 0x80) != 0;
  out.originator = cursor.u8();
  out.common_address = cursor.le16();
  out.data = cursor.rest();
  return out;
}

const Dissector kIec104{.name = "iec104",
                        .carrier = Carrier::stream,
                        .at = iec104::kAt,
                        .probe = iec104::probe,
                        .frame = iec104::frame,
                        .dissect = iec104::dissect};

}  // namespace vmirror
