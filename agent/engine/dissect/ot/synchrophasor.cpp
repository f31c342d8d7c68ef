// IEEE C37.118.2-2011, clause 6: 6.2 (frame), 6.3 (data), 6.4 (configuration), 6.6 (command), annex
// B (check: CRC-CCITT).
//
//   field[n]: n bytes
//
//   0          2         4             6         8          12
//   | sync[2]  | size[2] | ID code[2] | SOC[4] | quality[1] fraction[3] | data | check[2] |
//   sync       | 0xaa | 0:1 type:3 version:4 |
//   command    | command[2] | ...
//   configuration 1, 2  | time base[4] | PMUs[2] | PMUs * PMU | data rate[2] |
//   PMU        | station[16] | ID code[2] | format[2] | phasors[2] | analogs[2] | digitals[2] |
//              | names[16 * (phasors + analogs + 16 * digitals)] | units[4 * all] | nominal[2] |
//              | count[2] |
#include "agent/engine/dissect/ot/synchrophasor.hpp"

#include "agent/engine/dissect/crc.hpp"
#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace synchrophasor {
namespace {

using Frame = SynchrophasorFrame;

constexpr std::uint8_t kSync = 0xaa;
constexpr std::size_t kLeastFrame = 16;
constexpr int kMaxPmus = 16;
constexpr Named kFrameTypes[] = {{Frame::kData, "data"},        {Frame::kHeader, "header"},
                                 {Frame::kConfig1, "config_1"}, {Frame::kConfig2, "config_2"},
                                 {Frame::kCommand, "command"},  {Frame::kConfig3, "config_3"}};
constexpr Named kPmuCommands[] = {{1, "turn_off_transmission"}, {2, "turn_on_transmission"},
                                  {3, "send_header"},           {4, "send_config_1"},
                                  {5, "send_config_2"},         {6, "send_config_3"},
                                  {8, "extended_frame"}};

Malformed tell_configuration(const Frame& frame, const Context& context, Facts& facts) {
  Cursor cursor(frame.data);
  facts.add("time_base", cursor.u32() & 0xffffff);
  const int count = cursor.u16();
  facts.add("num_pmu", static_cast<unsigned>(count));
  std::string_view first_name;
  facts.open_array("pmus");
  for (int i = 0; i < count && cursor.ok(); ++i) {
    const std::string_view name = text_of(cursor.take(16));
    const std::uint16_t id = cursor.u16();
    cursor.skip(2);
    const std::size_t phasors = cursor.u16(), analogs = cursor.u16(), digitals = cursor.u16();
    cursor.skip(16 * (phasors + analogs + 16 * digitals) + 4 * (phasors + analogs + digitals) + 4);
    if (!cursor.ok()) break;
    if (i == 0) first_name = name;
    if (i >= kMaxPmus) continue;
    facts.open_object("");
    facts.add("station_name", name);
    facts.add("id_code", id);
    facts.add("phasors", phasors);
    facts.add("analogs", analogs);
    facts.add("digitals", digitals);
    facts.close();
  }
  facts.close();
  const auto rate = static_cast<std::int16_t>(cursor.u16());
  if (!cursor.ok()) return Malformed::bad_length;
  facts.add("data_rate", rate);
  if (!frame.checked) return Malformed::none;
  facts.learn(context.sender(), Attribute::role, count > 1 ? "pdc" : "pmu", "synchrophasor.num_pmu",
              Confidence::implied);
  if (count == 1 && !first_name.empty())
    facts.learn(context.sender(), Attribute::station_name, first_name,
                "synchrophasor.station_name");
  return Malformed::none;
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto frame = parse_synchrophasor(bytes);
  if (!frame) return frame.error();
  facts.record("synchrophasor");
  tell_named(facts, "type", kFrameTypes, frame->type);
  facts.add("version", frame->version);
  facts.add("id_code", frame->id_code);
  facts.add("soc", frame->soc);
  facts.add("fraction", frame->fraction);
  facts.add("time_quality", frame->time_quality);
  if (!frame->checked) facts.add("checksum", "wrong");
  if (frame->type != Frame::kCommand && frame->checked)
    facts.learn(context.sender(), Attribute::service, "synchrophasor", "synchrophasor.type",
                Confidence::implied);
  if (frame->type == Frame::kCommand) {
    if (frame->data.size() < 2) return Malformed::bad_length;
    tell_named(facts, "command", kPmuCommands, load_be16(frame->data.data()));
    return Malformed::none;
  }
  if (frame->type == Frame::kConfig1 || frame->type == Frame::kConfig2)
    return tell_configuration(*frame, context, facts);
  if (frame->type == Frame::kHeader) {
    facts.add("text", text_of(frame->data));
    return Malformed::none;
  }
  facts.add("data_size", frame->data.size());
  return Malformed::none;
}

Framing frame_of(Bytes stream, const Context&) {
  if (stream[0] != kSync) return Framing::lost();
  if (stream.size() < 4) return Framing::more();
  const bool known = (stream[1] & 0x80) == 0 && name_of(kFrameTypes, stream[1] >> 4 & 7);
  const std::uint16_t size = load_be16(&stream[2]);
  return !known || size < kLeastFrame ? Framing::lost() : Framing::message(size);
}

/// The check leaves no doubt; at the port a frame with a wrong one will do.
Probe probe(Bytes bytes, const Context& context) {
  if (bytes.empty()) return Probe::maybe;
  const Framing framing = frame_of(bytes, context);
  if (framing.status == Framing::Status::lost) return Probe::no;
  if (framing.status == Framing::Status::more || bytes.size() < framing.size) return Probe::maybe;
  const auto frame = parse_synchrophasor(bytes.first(framing.size));
  if (!frame || (!frame->checked && !context.at_own_port)) return Probe::no;
  return frame->type == Frame::kCommand ? Probe::client : Probe::server;
}

constexpr Place kAt[] = {4712};
constexpr Place kUdpAt[] = {4713, 4712};

}  // namespace
}  // namespace synchrophasor

Parsed<SynchrophasorFrame> parse_synchrophasor(Bytes bytes) {
  Cursor cursor(bytes);
  const std::uint8_t sync = cursor.u8(), kind = cursor.u8();
  const std::uint16_t size = cursor.u16();
  synchrophasor::Frame out;
  out.type = kind >> 4 & 7;
  out.version = kind & 15;
  out.id_code = cursor.u16();
  out.soc = cursor.u32();
  out.time_quality = cursor.u8();
  out.fraction = cursor.u24();
  if (!bytes.empty() && sync != synchrophasor::kSync) return bad(Malformed::bad_value);
  if (!cursor.ok()) return bad(Malformed::truncated);
  if ((kind & 0x80) != 0 || name_of(synchrophasor::kFrameTypes, out.type) == nullptr)
    return bad(Malformed::bad_value);
  if (size < synchrophasor::kLeastFrame) return bad(Malformed::bad_length);
  out.data = cursor.take(size - synchrophasor::kLeastFrame);
  const std::uint16_t check = cursor.u16();
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (!cursor.empty()) return bad(Malformed::bad_length);
  out.checked = check == crc16_forward<0x1021>(bytes.first(size - 2U), 0xffff);
  return out;
}

const Dissector kSynchrophasor{.name = "synchrophasor",
                               .carrier = Carrier::stream,
                               .at = synchrophasor::kAt,
                               .probe = synchrophasor::probe,
                               .frame = synchrophasor::frame_of,
                               .dissect = synchrophasor::dissect};
const Dissector kSynchrophasorUdp{.name = "synchrophasor",
                                  .carrier = Carrier::datagram,
                                  .at = synchrophasor::kUdpAt,
                                  .probe = synchrophasor::probe,
                                  .dissect = synchrophasor::dissect};

}  // namespace vmirror
