// IEC 61850-9-2, behind the EtherType; ETG.1000.4 (EtherCAT), which is little-endian.
//
//   field[n]: n bytes
//
//   Sampled Values   | APPID[2] | size, from here to the end[2] + 2 | 4 | 60 size | [0] | ... |
//   EtherCAT         | size:11 0:1 type:4 [2] | datagrams |
//                    type 1: commands, 4: variables, 5: mailbox
#include "agent/engine/dissect/link/presence.hpp"

#include "agent/engine/dissect/ber.hpp"

namespace vmirror {
namespace link_presence {
namespace {

Outcome learn(const Context& context, const char* name, const char* source, Facts& facts) {
  if (!context.source.mac.is_zero())
    facts.learn({context.source.mac, {}, {}}, Attribute::service, name, source,
                Confidence::implied);
  return Malformed::none;
}

Outcome dissect_sampled_values(Bytes bytes, const Context& context, Facts& facts) {
  constexpr std::size_t kHead = 8;
  constexpr std::uint32_t kPdu = 0x60;
  if (bytes.size() < kHead) return Malformed::truncated;
  const std::uint16_t size = load_be16(&bytes[2]);
  if (size < kHead) return Malformed::bad_length;
  if (bytes.size() < size) return Malformed::truncated;
  BerReader reader(bytes.subspan(kHead, size - kHead));
  const BerElement pdu = reader.next();
  if (!reader.ok()) return Malformed::bad_length;
  if (pdu.tag != kPdu) return Malformed::bad_value;
  return learn(context, "sampled_values", "sampled_values.appid", facts);
}

Outcome dissect_ethercat(Bytes bytes, const Context& context, Facts& facts) {
  constexpr std::uint16_t kSizes = 0x7ff;
  constexpr std::uint16_t kCommands = 1, kVariables = 4, kMailbox = 5;
  Cursor cursor(bytes);
  const std::uint16_t head = cursor.le16();
  if (!cursor.ok()) return Malformed::truncated;
  const std::uint16_t type = head >> 12;
  if (type != kCommands && type != kVariables && type != kMailbox) return Malformed::bad_value;
  if (cursor.left() < (head & kSizes)) return Malformed::truncated;
  return learn(context, "ethercat", "ethercat.type", facts);
}

constexpr Place kAtSampledValues[] = {0x88ba};
constexpr Place kAtEthercat[] = {0x88a4};

}  // namespace
}  // namespace link_presence

const Dissector kSampledValues{.name = "sampled_values",
                               .carrier = Carrier::link,
                               .at = link_presence::kAtSampledValues,
                               .dissect = link_presence::dissect_sampled_values};
const Dissector kEthercat{.name = "ethercat",
                          .carrier = Carrier::link,
                          .at = link_presence::kAtEthercat,
                          .dissect = link_presence::dissect_ethercat};

}  // namespace vmirror
