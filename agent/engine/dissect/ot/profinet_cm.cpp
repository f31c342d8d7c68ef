// IEC 61158-6-10. NDR's fields are in the PDU's byte order, blocks are big-endian.
//
//   field[n]: n bytes
//
//   request    | room[4] | size[4] | room[4] | 0[4] | size[4] | blocks |
//   response   | status[4] | size[4] | room[4] | 0[4] | size[4] | blocks |
//   block      | type[2] | size, from here[2] | version[2] | ...
//   0101 AR    ... | 2 | 16 | 2 | MAC[6] | 16 | 4 | 2 | 2 | size[2] | station's name |
//   8106       ... | size[2] | the answering station's name |
//   0008, 0009, 8008, 8009: write, read, and their answers
//              ... | 2 | AR[16] | API[4] | slot[2] | subslot[2] | 2 | index[2] | size[4] | ...
//   0020 I&M0  ... | vendor[2] | order[20] | serial[16] | hardware[2] | software[4] | ...
#include "agent/engine/dissect/ot/profinet_cm.hpp"

#include "agent/engine/dissect/it/dcerpc.hpp"
#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace profinet_cm {
namespace {

enum Operation : std::uint16_t { kConnect, kRelease, kRead, kWrite, kControl, kReadImplicit };
constexpr Named kOperations[] = {{kConnect, "connect"}, {kRelease, "release"},
                                 {kRead, "read"},       {kWrite, "write"},
                                 {kControl, "control"}, {kReadImplicit, "read_implicit"}};
enum Block : std::uint16_t {
  kWriteBlock = 0x0008,
  kReadBlock = 0x0009,
  kIm0 = 0x0020,
  kServerAnswer = 0x8106,
  kArBlock = 0x0101,
  kWriteAnswer = 0x8008,
  kReadAnswer = 0x8009,
};

void read_identity(Cursor cursor, ProfinetCall& out) {
  ProfinetIdentity identity;
  identity.vendor_id = cursor.u16();
  identity.order_id = text_of(cursor.take(20));
  identity.serial_number = text_of(cursor.take(16));
  identity.hardware_revision = cursor.u16();
  identity.software_prefix = static_cast<char>(cursor.u8());
  for (std::uint8_t& part : identity.software) part = cursor.u8();
  if (cursor.ok()) out.identity = identity;
}

void read_block(std::uint16_t type, Cursor cursor, ProfinetCall& out) {
  cursor.skip(2);
  switch (type) {
    case kArBlock:
      cursor.skip(2 + 16 + 2 + 6 + 16 + 4 + 2 + 2);
      out.station_name = text_of(cursor.take(cursor.u16()));
      break;
    case kServerAnswer:
      out.station_name = text_of(cursor.take(cursor.u16()));
      break;
    case kWriteBlock:
    case kReadBlock:
    case kWriteAnswer:
    case kReadAnswer: {
      ProfinetCall::Target target;
      cursor.skip(2 + 16);
      target.api = cursor.u32();
      target.slot = cursor.u16();
      target.subslot = cursor.u16();
      cursor.skip(2);
      target.index = cursor.u16();
      target.size = cursor.u32();
      if (cursor.ok() && !out.target) out.target = target;
      break;
    }
    case kIm0:
      read_identity(cursor, out);
      break;
    default:
      break;
  }
}

/// The blocks in front. The record of a read or a write is told only where it is I&M0: other
/// records have forms of their own.
void read_blocks(ProfinetCall& out) {
  constexpr std::uint16_t kIm0Index = 0xaff0;
  Cursor cursor(out.blocks);
  while (cursor.left() > 4) {
    const std::uint16_t type = cursor.u16();
    const Cursor block = cursor.sub(cursor.u16());
    if (!cursor.ok()) return;
    const bool wanted = type != kIm0 || (out.target && out.target->index == kIm0Index);
    if (wanted) read_block(type, block, out);
    if (out.target && out.target->index != kIm0Index) return;
  }
}

std::string_view software_text(const ProfinetIdentity& identity, Facts& facts) {
  const char prefix[] = {identity.software_prefix >= 'A' && identity.software_prefix <= 'Z'
                             ? identity.software_prefix
                             : 'V',
                         0};
  return ShortText()
      .add(prefix)
      .add(identity.software[0])
      .add(".")
      .add(identity.software[1])
      .add(".")
      .add(identity.software[2])
      .kept(facts);
}

void tell_identity(const ProfinetCall& call, const Context& context, Facts& facts) {
  const ProfinetIdentity& identity = *call.identity;
  const std::string_view software = software_text(identity, facts);
  facts.add("vendor_id", identity.vendor_id);
  facts.add("order_id", identity.order_id);
  facts.add("serial_number", identity.serial_number);
  facts.add("hardware_revision", identity.hardware_revision);
  facts.add("software_revision", software);
  if (!call.target || call.target->slot != 0) return;
  const auto learn = [&](Attribute attribute, std::string_view text) {
    if (!text.empty()) facts.learn(context.sender(), attribute, text, "profinet_cm.im0");
  };
  learn(Attribute::order_number, identity.order_id);
  learn(Attribute::serial_number, identity.serial_number);
  learn(Attribute::hardware, keep_number(facts, "", identity.hardware_revision));
  learn(Attribute::firmware, software);
}

Outcome dissect(Bytes stub, const Context& context, Facts& facts) {
  const bool response = (context.tag & kProfinetResponse) != 0;
  const std::uint32_t operation = context.tag & 0xffff;
  const auto call = parse_profinet_cm(stub, response, (context.tag & kProfinetLittleEndian) != 0);
  if (!call) return call.error();
  facts.record("profinet_cm");
  tell_named(facts, "operation", kOperations, operation);
  facts.add("type", response ? "response" : "request");
  if (!call->station_name.empty()) facts.add("station_name", call->station_name);
  if (call->target) {
    facts.add("api", call->target->api);
    facts.add("slot", call->target->slot);
    facts.add("subslot", call->target->subslot);
    facts.add("index", call->target->index);
    facts.add("record_size", call->target->size);
  }
  if (call->status != 0) facts.add("status", call->status);
  if (call->identity) tell_identity(*call, context, facts);
  if (!call->station_name.empty())
    facts.learn(context.sender(), Attribute::station_name, call->station_name,
                "profinet_cm.station_name");
  if (response) {
    facts.learn(context.sender(), Attribute::service, "profinet_cm", "profinet_cm.operation",
                Confidence::implied);
    return Malformed::none;
  }
  if (operation == kRead || operation == kReadImplicit)
    facts.act(Act::Kind::read, context.receiver(), context.sender(), "profinet_cm.operation");
  if (operation == kWrite)
    facts.act(Act::Kind::write, context.receiver(), context.sender(), "profinet_cm.operation");
  return Malformed::none;
}

constexpr Place kAt[] = {dcerpc_interface(0xdea00001)};

}  // namespace
}  // namespace profinet_cm

Parsed<ProfinetCall> parse_profinet_cm(Bytes stub, bool response, bool little_endian) {
  Cursor cursor(stub);
  const auto u32 = [&] { return little_endian ? cursor.le32() : cursor.u32(); };
  ProfinetCall out;
  const std::uint32_t first = u32();
  if (response) out.status = first;
  cursor.skip(12);
  const std::uint32_t size = u32();
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (cursor.left() < size) return bad(Malformed::truncated);
  out.blocks = cursor.take(size);
  profinet_cm::read_blocks(out);
  return out;
}

const Dissector kProfinetCm{.name = "profinet_cm",
                            .carrier = Carrier::inside,
                            .at = profinet_cm::kAt,
                            .dissect = profinet_cm::dissect};

}  // namespace vmirror
