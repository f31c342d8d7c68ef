// RFC 2236, section 2; RFC 3376, sections 4.1 and 4.2.
//
//   field[n]: n bytes
//
//   0         1                  2             4
//   | type[1] | max resp time[1] | checksum[2] | group[4] |   all but a version 3 report
//   0    1      2             4      6            8
//   | 22 | 0[1] | checksum[2] | 0[2] | records[2] | records... |   type 0x22
//
//   record  | type[1] | aux words[1] | sources[2] | group[4] | source[4] ... | aux[4] ... |
#include "agent/engine/dissect/network/igmp.hpp"

#include "agent/engine/dissect/text.hpp"
#include "agent/engine/wire/packet.hpp"

namespace vmirror {
namespace igmp {
namespace {

constexpr std::uint8_t kReport3 = 0x22;
constexpr int kMaxListed = 64;

constexpr Named kTypes[] = {{0x11, "query"},
                            {0x12, "report_v1"},
                            {0x16, "report_v2"},
                            {0x17, "leave"},
                            {kReport3, "report_v3"}};

Malformed tell_records(const IgmpMessage& igmp, Facts& facts) {
  Cursor cursor(igmp.record_bytes);
  facts.open_array("groups");
  for (int i = 0; i < igmp.records && cursor.ok(); ++i) {
    const std::uint8_t type = cursor.u8();
    const std::size_t aux = cursor.u8();
    const std::size_t sources = cursor.u16();
    const Bytes group = cursor.take(4);
    cursor.skip((sources + aux) * 4);
    if (!cursor.ok() || i >= kMaxListed) continue;
    facts.open_object("");
    facts.add("record_type", type);
    facts.add("group", IpAddress::v4(group.data()));
    facts.close();
  }
  facts.close();
  return cursor.ok() ? Malformed::none : Malformed::truncated;
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto igmp = parse_igmp(bytes, context.cut);
  if (!igmp) return igmp.error();
  facts.record("igmp");
  tell_named(facts, "type", kTypes, igmp->type);
  if (igmp->wrong_sum) facts.add("checksum", "wrong");
  if (igmp->type == kReport3) return tell_records(*igmp, facts);
  facts.add("group", igmp->group);
  return Malformed::none;
}

constexpr Place kAt[] = {ip_protocol::kIgmp};

}  // namespace
}  // namespace igmp

Parsed<IgmpMessage> parse_igmp(Bytes bytes, bool cut) {
  Cursor cursor(bytes);
  IgmpMessage out;
  out.type = cursor.u8();
  cursor.skip(3);
  const Bytes group = cursor.take(4);
  if (!cursor.ok()) return bad(Malformed::truncated);
  out.wrong_sum = !cut && internet_sum(bytes) != 0xffff;
  if (out.type == igmp::kReport3) {
    out.records = load_be16(group.data() + 2);
    out.record_bytes = cursor.rest();
  } else {
    out.group = IpAddress::v4(group.data());
  }
  return out;
}

const Dissector kIgmp{
    .name = "igmp", .carrier = Carrier::network, .at = igmp::kAt, .dissect = igmp::dissect};

}  // namespace vmirror
