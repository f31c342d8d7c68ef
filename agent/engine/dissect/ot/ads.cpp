// Beckhoff Information System: "TwinCAT ADS/AMS specification" (AMS/TCP header, AMS header, ADS
// commands). All numbers little-endian.
//
//   field[n]: n bytes
//
//   0                    2                      6
//   | router command[2]  | length of the rest[4] | AMS packet |
//   AMS packet  | target: net ID[6] port[2] | source: net ID[6] port[2] | command[2] | flags[2] |
//               | length of data[4] | error[4] | invoke ID[4] | data |
//   read        | group[4] | offset[4] | length[4] |           write  | ... | data |
//   read write  | group[4] | offset[4] | read length[4] | write length[4] | data |
//   control     | ADS state[2] | device state[2] | length[4] | data |
//   device info, answered  | result[4] | major[1] | minor[1] | build[2] | name[16] |
//   state, answered        | result[4] | ADS state[2] | device state[2] |
#include "agent/engine/dissect/ot/ads.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace ads {
namespace {

constexpr std::size_t kAdsTcpHeader = 6, kAmsHeader = 32;
constexpr std::uint32_t kMostAds = 4U << 20;
enum AdsCommand : std::uint16_t {
  kDeviceInfo = 1,
  kAdsRead = 2,
  kAdsWrite = 3,
  kReadState = 4,
  kWriteControl = 5,
  kAddNotification = 6,
  kReadWrite = 9,
};
constexpr Named kAdsCommands[] = {{kDeviceInfo, "read_device_info"},
                                  {kAdsRead, "read"},
                                  {kAdsWrite, "write"},
                                  {kReadState, "read_state"},
                                  {kWriteControl, "write_control"},
                                  {kAddNotification, "add_device_notification"},
                                  {7, "delete_device_notification"},
                                  {8, "device_notification"},
                                  {kReadWrite, "read_write"}};
constexpr Named kRouterCommands[] = {{1, "port_close"},
                                     {0x1000, "port_connect"},
                                     {0x1001, "router_notification"},
                                     {0x1002, "get_local_net_id"}};
constexpr Named kAdsStates[] = {{0, "invalid"},       {1, "idle"},        {2, "reset"},
                                {3, "init"},          {4, "start"},       {5, "run"},
                                {6, "stop"},          {7, "save_config"}, {8, "load_config"},
                                {9, "power_failure"}, {10, "power_good"}, {11, "error"},
                                {12, "shutdown"},     {13, "suspend"},    {14, "resume"},
                                {15, "config"},       {16, "reconfig"}};
/// Group of several writes in one.
constexpr std::uint32_t kSumWrite = 0xf081;

std::string_view address_text(Bytes net_id, std::uint16_t port, Facts& facts) {
  ShortText out;
  for (std::size_t i = 0; i < net_id.size(); ++i) out.add(i == 0 ? "" : ".").add(net_id[i]);
  return out.add(":").add(port).kept(facts);
}

std::uint64_t key_of(const AdsMessage& ads) {
  const std::uint16_t port = ads.response ? ads.target_port : ads.source_port;
  return std::uint64_t{port} << 32 | ads.invoke_id;
}

Act::Kind act_of_state(std::uint16_t state) {
  if (state == 4 || state == 5 || state == 14) return Act::Kind::start;
  const bool stops = state == 2 || state == 6 || (state >= 12 && state <= 16);
  return stops ? Act::Kind::stop : Act::Kind::write;
}

Malformed tell_request(const AdsMessage& ads, const Context& context, Facts& facts) {
  const auto act = [&](Act::Kind kind) {
    facts.act(kind, context.receiver(), context.sender(), "ads.command");
  };
  context.ask(key_of(ads));
  Cursor cursor(ads.data);
  if (ads.command == kWriteControl) {
    const std::uint16_t state = cursor.le16(), device = cursor.le16();
    if (!cursor.ok()) return Malformed::bad_length;
    tell_named(facts, "ads_state", kAdsStates, state);
    facts.add("device_state", device);
    act(act_of_state(state));
    return Malformed::none;
  }
  const bool both = ads.command == kReadWrite;
  if (!both && ads.command != kAdsRead && ads.command != kAdsWrite &&
      ads.command != kAddNotification)
    return Malformed::none;
  const std::uint32_t group = cursor.le32(), offset = cursor.le32(), length = cursor.le32();
  const std::uint32_t write_length = both ? cursor.le32() : 0;
  if (!cursor.ok()) return Malformed::bad_length;
  facts.add("index_group", group);
  facts.add("index_offset", offset);
  facts.add("length", length);
  if (both) facts.add("write_length", write_length);
  act(ads.command == kAdsWrite || (both && group == kSumWrite) ? Act::Kind::write
                                                               : Act::Kind::read);
  return Malformed::none;
}

Malformed tell_response(const AdsMessage& ads, const Context& context, Facts& facts) {
  const Subject server = context.sender();
  if (const auto request = context.answer(key_of(ads)))
    facts.add("latency_us", context.latency_us(*request));
  facts.learn(server, Attribute::service, "ads", "ads.command", Confidence::implied);
  facts.learn(server, Attribute::vendor, "Beckhoff", "ads.command", Confidence::implied);
  Cursor cursor(ads.data);
  if (ads.error != 0 && cursor.empty()) return Malformed::none;
  const std::uint32_t result = cursor.le32();
  if (!cursor.ok()) return Malformed::bad_length;
  facts.add("result", result);
  if (result != 0) return Malformed::none;
  if (ads.command == kReadState) {
    const std::uint16_t state = cursor.le16();
    tell_named(facts, "ads_state", kAdsStates, state);
    facts.add("device_state", cursor.le16());
  } else if (ads.command == kDeviceInfo) {
    const std::uint8_t major = cursor.u8(), minor = cursor.u8();
    const std::uint16_t build = cursor.le16();
    const std::string_view name = text_of(cursor.take(16));
    if (!cursor.ok()) return Malformed::bad_length;
    const std::string_view version =
        ShortText().add(major).add(".").add(minor).add(".").add(build).kept(facts);
    facts.open_object("device");
    facts.add("name", name);
    facts.add("version", version);
    facts.close();
    if (!name.empty()) facts.learn(server, Attribute::model, name, "ads.device_name");
    facts.learn(server, Attribute::firmware, version, "ads.device_version");
  }
  return cursor.ok() ? Malformed::none : Malformed::bad_length;
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto ads = parse_ads(bytes);
  if (!ads) return ads.error();
  facts.record("ads");
  if (ads->router_command != 0) {
    tell_named(facts, "router_command", kRouterCommands, ads->router_command);
    return Malformed::none;
  }
  facts.add("type", ads->response ? "response" : "request");
  tell_named(facts, "command", kAdsCommands, ads->command);
  facts.add("target", address_text(ads->target_net_id, ads->target_port, facts));
  facts.add("source", address_text(ads->source_net_id, ads->source_port, facts));
  facts.add("invoke_id", ads->invoke_id);
  if (ads->error != 0) facts.add("error", ads->error);
  return ads->response ? tell_response(*ads, context, facts) : tell_request(*ads, context, facts);
}

Framing frame(Bytes stream, const Context&) {
  if (stream.size() < kAdsTcpHeader) return Framing::more();
  Cursor cursor(stream);
  const std::uint16_t router = cursor.le16();
  const std::uint32_t length = cursor.le32();
  if (router != 0 && name_of(kRouterCommands, router) == nullptr) return Framing::lost();
  if (length > kMostAds || (router == 0 && length < kAmsHeader)) return Framing::lost();
  return Framing::message(static_cast<std::uint32_t>(kAdsTcpHeader + length));
}

/// Both lengths agree, and the command is ADS's own.
Probe probe(Bytes stream, const Context& context) {
  if (stream.empty()) return Probe::maybe;
  const Framing framing = frame(stream, context);
  if (framing.status == Framing::Status::lost) return Probe::no;
  if (framing.status == Framing::Status::more) return Probe::maybe;
  Cursor cursor(stream);
  if (cursor.le16() != 0) {  // The router's own commands are short.
    const bool short_enough = framing.size <= 32;
    return context.at_own_port && short_enough ? Probe::yes : Probe::no;
  }
  const std::uint32_t length = cursor.le32();
  if (stream.size() < kAdsTcpHeader + kAmsHeader) return Probe::maybe;
  cursor.skip(16);
  const std::uint16_t command = cursor.le16(), flags = cursor.le16();
  const bool fits = cursor.le32() + kAmsHeader == length;
  const bool known = name_of(kAdsCommands, command) != nullptr && (flags & 0xff3e) == 4;
  if (!fits || !known) return Probe::no;
  return (flags & 1) != 0 ? Probe::server : Probe::client;
}

constexpr Place kAt[] = {48898};

}  // namespace
}  // namespace ads

Parsed<AdsMessage> parse_ads(Bytes bytes) {
  Cursor cursor(bytes);
  AdsMessage out;
  out.router_command = cursor.le16();
  const std::uint32_t length = cursor.le32();
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (out.router_command != 0 && name_of(ads::kRouterCommands, out.router_command) == nullptr)
    return bad(Malformed::bad_value);
  if (length > cursor.left()) return bad(Malformed::truncated);
  if (length < cursor.left()) return bad(Malformed::bad_length);
  if (out.router_command != 0) return out;
  out.target_net_id = cursor.take(6);
  out.target_port = cursor.le16();
  out.source_net_id = cursor.take(6);
  out.source_port = cursor.le16();
  out.command = cursor.le16();
  out.response = (cursor.le16() & 1) != 0;
  const std::uint32_t size = cursor.le32();
  out.error = cursor.le32();
  out.invoke_id = cursor.le32();
  if (!cursor.ok() || size != cursor.left()) return bad(Malformed::bad_length);
  out.data = cursor.rest();
  return out;
}

const Dissector kAds{.name = "ads",
                     .carrier = Carrier::stream,
                     .at = ads::kAt,
                     .probe = ads::probe,
                     .frame = ads::frame,
                     .dissect = ads::dissect};

}  // namespace vmirror
