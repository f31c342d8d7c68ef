// RFC 2865, sections 3 (packet) and 5 (attributes); RFC 2866, section 5; RFC 2548 (Microsoft's);
// RFC 5176, section 2.3; RFC 3579, section 3.1 (EAP).
//
//   field[n]: n bytes
//
//   packet      | code[1] | identifier[1] | length of all[2] | authenticator[16] | attributes |
//   attribute   | type[1] | size of all[1] | value |
//   26          ... | vendor[4] | type[1] | size[1] | value | ...
#include "agent/engine/dissect/it/radius.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace radius {
namespace {

constexpr std::size_t kHead = 20;
constexpr Named kCodes[] = {{1, "access_request"},
                            {2, "access_accept"},
                            {3, "access_reject"},
                            {4, "accounting_request"},
                            {5, "accounting_response"},
                            {11, "access_challenge"},
                            {12, "status_server"},
                            {13, "status_client"},
                            {40, "disconnect_request"},
                            {41, "disconnect_ack"},
                            {42, "disconnect_nak"},
                            {43, "coa_request"},
                            {44, "coa_ack"},
                            {45, "coa_nak"}};
constexpr Named kStatuses[] = {
    {1, "start"}, {2, "stop"}, {3, "interim_update"}, {7, "accounting_on"}, {8, "accounting_off"}};
enum Type : std::uint8_t {
  kUserPassword = 2,
  kChapPassword = 3,
  kVendorSpecific = 26,
  kAcctStatus = 40,
  kEap = 79
};
struct NamedText {
  std::uint8_t type;
  const char* field;
};
constexpr NamedText kTexts[] = {
    {1, "username"},           {32, "nas_identifier"},     {87, "nas_port_id"},
    {30, "called_station_id"}, {31, "calling_station_id"}, {18, "reply_message"},
    {11, "filter_id"},         {44, "acct_session_id"}};
constexpr NamedText kAddresses[] = {{4, "nas_ip"}, {8, "framed_ip"}};

bool is_request(std::uint8_t code) {
  return code == 1 || code == 4 || code == 12 || code == 13 || code == 40 || code == 43;
}

/// What an attribute of Microsoft's proves with; null: nothing.
const char* microsoft_method(Bytes value) {
  constexpr std::uint32_t kMicrosoft = 311;
  constexpr std::uint8_t kResponse = 1, kResponse2 = 25;
  Cursor cursor(value);
  if (cursor.u32() != kMicrosoft) return nullptr;
  const std::uint8_t type = cursor.u8();
  if (type == kResponse) return "mschap";
  return type == kResponse2 ? "mschapv2" : nullptr;
}

/// Calls `visit(type, value)` for each attribute. False: they do not fill `bytes`.
template <typename Visit>
bool each_attribute(Bytes bytes, const Visit& visit) {
  Cursor cursor(bytes);
  while (!cursor.empty()) {
    const std::uint8_t type = cursor.u8(), size = cursor.u8();
    if (size < 2) return false;
    const Bytes value = cursor.take(size - 2U);
    if (!cursor.ok()) return false;
    visit(type, value);
  }
  return true;
}

void tell_attributes(const RadiusMessage& radius, const Context& context, Facts& facts) {
  const char* method = nullptr;
  bool told[256] = {};
  each_attribute(radius.attributes, [&](std::uint8_t type, Bytes value) {
    if (type == kUserPassword) method = "pap";
    if (type == kChapPassword) method = "chap";
    if (type == kEap) method = "eap";
    if (const char* own = type == kVendorSpecific ? microsoft_method(value) : nullptr) method = own;
    if (told[type]) return;
    told[type] = true;
    for (const NamedText& each : kTexts)
      if (each.type == type) facts.add(each.field, text_of(value));
    for (const NamedText& each : kAddresses)
      if (each.type == type && value.size() == 4)
        facts.add(each.field, IpAddress::v4(value.data()));
    if (type == kAcctStatus && value.size() == 4)
      tell_named(facts, "acct_status", kStatuses, load_be32(value.data()));
  });
  if (method == nullptr || !is_request(radius.code)) return;
  facts.add("method", method);
  const std::string_view name = method;
  if (name != "eap" && name != "mschapv2")
    facts.act(Act::Kind::weak_authentication, context.receiver(), context.sender(),
              "radius.method");
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto radius = parse_radius(bytes);
  if (!radius) return radius.error();
  facts.record("radius");
  tell_named(facts, "code", kCodes, radius->code);
  facts.add("identifier", radius->id);
  tell_attributes(*radius, context, facts);
  if (is_request(radius->code)) {
    context.ask(radius->id);
    return Malformed::none;
  }
  if (const auto request = context.answer(radius->id))
    facts.add("latency_us", context.latency_us(*request));
  facts.learn(context.sender(), Attribute::service, "radius", "radius.code", Confidence::implied);
  return Malformed::none;
}

/// Away from its ports a message must have an attribute, and no padding.
Probe probe(Bytes bytes, const Context& context) {
  const auto radius = parse_radius(bytes);
  const bool fills = radius && kHead + radius->attributes.size() == bytes.size();
  if (!radius || (!context.at_own_port && (radius->attributes.empty() || !fills))) return Probe::no;
  return is_request(radius->code) ? Probe::client : Probe::server;
}

constexpr Place kAt[] = {1812, 1813, 1645, 1646, 3799, 1700};

}  // namespace
}  // namespace radius

Parsed<RadiusMessage> parse_radius(Bytes bytes) {
  Cursor cursor(bytes);
  RadiusMessage out;
  out.code = cursor.u8();
  out.id = cursor.u8();
  const std::uint16_t size = cursor.u16();
  if (!bytes.empty() && name_of(radius::kCodes, out.code) == nullptr)
    return bad(Malformed::bad_value);
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (size < radius::kHead) return bad(Malformed::bad_length);
  if (bytes.size() < size) return bad(Malformed::truncated);
  // What is behind is padding (section 3).
  out.attributes = bytes.subspan(radius::kHead, size - radius::kHead);
  if (!radius::each_attribute(out.attributes, [](std::uint8_t, Bytes) {}))
    return bad(Malformed::bad_length);
  return out;
}

const Dissector kRadius{.name = "radius",
                        .carrier = Carrier::datagram,
                        .at = radius::kAt,
                        .probe = radius::probe,
                        .dissect = radius::dissect};

}  // namespace vmirror
