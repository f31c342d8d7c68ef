// IEC 61850-8-1, annexes A (the PDU) and C (the frame).
//
//   field[n]: n bytes
//
//   | APPID[2] | length of all this[2] | S:1 reserved:15[2] | reserved[2] | [APPLICATION 1] |
//   in it, context tags:  0 gocbRef, 1 timeAllowedtoLive, 2 datSet, 3 goID, 4 t, 5 stNum, 6 sqNum,
//                         7 simulation, 8 confRev, 9 ndsCom, 10 numDatSetEntries, 11 allData
#include "agent/engine/dissect/ot/goose.hpp"

#include "agent/engine/dissect/ber.hpp"
#include "agent/engine/dissect/text.hpp"
#include "agent/engine/dissect/times.hpp"

namespace vmirror {
namespace goose {
namespace {

constexpr std::uint32_t kPdu = 0x61;
constexpr std::size_t kHeader = 8;

/// What is known of a control block.
struct Sequence {
  std::uint32_t state, sequence;
  bool seen;
};

/// False: not as the field must be.
bool read_field(const BerElement& element, GooseMessage& out) {
  const auto number = [&](std::uint32_t& to) {
    const auto value = ber_unsigned(element.value);
    if (!value || *value > 0xffffffff) return false;
    to = static_cast<std::uint32_t>(*value);
    return true;
  };
  switch (element.tag) {
    case 0x80:
      out.control_block = text_of(element.value);
      return true;
    case 0x81:
      return number(out.time_allowed_ms);
    case 0x82:
      out.data_set = text_of(element.value);
      return true;
    case 0x83:
      out.id = text_of(element.value);
      return true;
    case 0x84: {
      const auto time = utc_time(element.value);
      if (!time) return false;
      out.event_time = time->time;
      out.quality = time->quality;
      return true;
    }
    case 0x85:
      return number(out.state);
    case 0x86:
      return number(out.sequence);
    case 0x87:
      out.simulated |= !element.value.empty() && element.value[0] != 0;
      return true;
    case 0x88:
      return number(out.revision);
    case 0x89:
      out.needs_commissioning = !element.value.empty() && element.value[0] != 0;
      return true;
    case 0x8a:
      return number(out.entries);
    default:
      return true;
  }
}

std::uint64_t key_of(std::string_view control_block, std::uint16_t app_id) {
  return inside(control_block, app_id);
}

/// What came between the message before and this. A sequence counts from 1 behind a change of
/// state, which it begins with 0; it may pass its end.
void tell_sequence(const GooseMessage& goose, const Context& context, Facts& facts) {
  Sequence* before = context.state<Sequence>(key_of(goose.control_block, goose.app_id));
  if (before == nullptr) return;
  if (before->seen && goose.state < before->state) {
    facts.add("restarted", true);
  } else if (before->seen && goose.state == before->state) {
    const std::uint32_t steps = goose.sequence - before->sequence;
    if (goose.sequence < before->sequence && before->sequence < 0xffff0000)
      facts.add("restarted", true);
    else if (steps > 1)
      facts.add("lost", steps - 1);
  } else if (before->seen && goose.sequence > 0) {
    facts.add("lost", goose.sequence);
  }
  *before = {goose.state, goose.sequence, true};
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto goose = parse_goose(bytes);
  if (!goose) return goose.error();
  facts.record("goose");
  facts.add("appid", goose->app_id);
  facts.add("gocb_ref", goose->control_block);
  facts.add("dat_set", goose->data_set);
  if (!goose->id.empty()) facts.add("go_id", goose->id);
  facts.add("time_allowed_ms", goose->time_allowed_ms);
  facts.add("t_us", static_cast<std::uint64_t>(goose->event_time / 1000));
  facts.add("st_num", goose->state);
  facts.add("sq_num", goose->sequence);
  facts.add("conf_rev", goose->revision);
  facts.add("entries", goose->entries);
  if (goose->simulated) facts.add("simulation", true);
  if (goose->needs_commissioning) facts.add("nds_com", true);
  tell_sequence(*goose, context, facts);
  if (!context.source.mac.is_zero())
    facts.learn({context.source.mac, {}, {}}, Attribute::service, "goose", "goose.gocb_ref",
                Confidence::implied);
  return Malformed::none;
}

constexpr Place kAt[] = {0x88b8};

}  // namespace
}  // namespace goose

Parsed<GooseMessage> parse_goose(Bytes bytes) {
  Cursor cursor(bytes);
  GooseMessage out;
  out.app_id = cursor.u16();
  const std::uint16_t length = cursor.u16();
  out.simulated = (cursor.u16() & 0x8000) != 0;
  cursor.u16();
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (length < goose::kHeader) return bad(Malformed::bad_length);
  BerReader reader(cursor.take(std::min<std::size_t>(length - goose::kHeader, cursor.left())));
  const BerElement pdu = reader.next();
  if (!reader.ok()) return bad(Malformed::truncated);
  if (pdu.tag != goose::kPdu) return bad(Malformed::bad_value);
  for (BerReader fields(pdu.value); !fields.empty();) {
    const BerElement field = fields.next();
    if (!fields.ok()) return bad(Malformed::bad_length);
    if (!goose::read_field(field, out)) return bad(Malformed::bad_value);
  }
  return out;
}

const Dissector kGoose{
    .name = "goose", .carrier = Carrier::link, .at = goose::kAt, .dissect = goose::dissect};

}  // namespace vmirror
