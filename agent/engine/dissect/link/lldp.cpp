// IEEE 802.1AB-2016, clause 8; organizationally specific elements: 802.1Q annex D (OUI 00-80-c2),
// ANSI/TIA-1057 section 10.2.6 (OUI 00-12-bb).
//
//   field[n]: n bytes, field:n: n bits
//
//   element                 | type:7 size:9 | value[size] |
//   in order                chassis, port, time to live, any others, end
//   1 chassis, 2 port       | subtype[1] | id... |
//   7 capabilities          | there[2] | enabled[2] |
//   8 management address    | size[1] | subtype[1] | address[size - 1] | interface[5] | oid... |
//   127 organization's own  | oui[3] | subtype[1] | value... |
#include "agent/engine/dissect/link/lldp.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace lldp {
namespace {

enum Type : std::uint8_t {
  kEnd,
  kChassis,
  kPort,
  kTtl,
  kPortDescription,
  kSystemName,
  kSystemDescription,
  kCapabilities,
  kManagementAddress,
  kOrganization = 127,
};
constexpr std::uint16_t kRouter = 1 << 4;
constexpr Named kCapabilityNames[] = {{0, "other"},   {1, "repeater"},     {2, "bridge"},
                                      {3, "wlan_ap"}, {4, "router"},       {5, "telephone"},
                                      {6, "docsis"},  {7, "station_only"}, {8, "cvlan"},
                                      {9, "svlan"},   {10, "tpmr"}};

IpAddress ip_of(std::uint8_t family, Bytes address) {  // IANA address family numbers
  if (family == 1 && address.size() == 4) return IpAddress::v4(address.data());
  if (family == 2 && address.size() == 16) return IpAddress::v6(address.data());
  return {};
}

void read_organization(Bytes value, LldpMessage& out) {
  Cursor cursor(value);
  const std::uint32_t oui = cursor.u24();
  const std::uint8_t subtype = cursor.u8();
  const std::string_view text = text_of(cursor.rest());
  if (oui == 0x0080c2 && subtype == 1) out.port_vlan = cursor.u16();
  if (oui != 0x0012bb) return;
  std::string_view* const inventory[] = {&out.hardware,      &out.firmware,     &out.software,
                                         &out.serial_number, &out.manufacturer, &out.model};
  if (subtype >= 5 && subtype <= 10) *inventory[subtype - 5] = text;
}

Malformed read_element(std::uint8_t type, Bytes value, LldpMessage& out) {
  Cursor cursor(value);
  switch (type) {
    case kChassis:
    case kPort: {
      LldpId& id = type == kChassis ? out.chassis : out.port;
      id.subtype = cursor.u8();
      id.value = cursor.rest();
      break;
    }
    case kTtl:
      out.ttl = cursor.u16();
      break;
    case kPortDescription:
      out.port_description = text_of(value);
      break;
    case kSystemName:
      out.system_name = text_of(value);
      break;
    case kSystemDescription:
      out.system_description = text_of(value);
      break;
    case kCapabilities:
      out.capabilities = cursor.u16();
      out.enabled_capabilities = cursor.u16();
      out.has_capabilities = true;
      break;
    case kManagementAddress: {
      const std::size_t size = cursor.u8();
      const Bytes address = cursor.take(size);
      if (!cursor.ok() || size < 2) return Malformed::bad_length;
      const IpAddress ip = ip_of(address[0], address.subspan(1));
      if (out.management_address.empty()) out.management_address = ip;
      break;
    }
    case kOrganization:
      if (value.size() < 4) return Malformed::bad_length;
      read_organization(value, out);
      break;
    default:
      break;
  }
  return cursor.ok() ? Malformed::none : Malformed::bad_length;
}

/// `mac` and `address` are the subtypes that say so: 4 and 5 of a chassis, 3 and 4 of a port.
void tell_id(const char* name, const LldpId& id, int mac, int address, Facts& facts) {
  if (id.subtype == mac && id.value.size() == 6) return facts.add(name, Mac::from(id.value.data()));
  if (id.subtype == address && !id.value.empty()) {
    const IpAddress ip = ip_of(id.value[0], id.value.subspan(1));
    if (!ip.empty()) return facts.add(name, ip);
  }
  facts.add(name, text_of(id.value));
}

void tell_capabilities(const char* name, std::uint16_t set, Facts& facts) {
  facts.open_array(name);
  for (const Named& each : kCapabilityNames)
    if (set >> each.value & 1) facts.add("", each.name);
  facts.close();
}

void tell_record(const LldpMessage& lldp, Facts& facts) {
  const auto tell = [&](const char* name, std::string_view text) {
    if (!text.empty()) facts.add(name, text);
  };
  facts.record("lldp");
  tell_id("chassis_id", lldp.chassis, 4, 5, facts);
  tell_id("port_id", lldp.port, 3, 4, facts);
  facts.add("ttl", lldp.ttl);
  tell("port_description", lldp.port_description);
  tell("system_name", lldp.system_name);
  tell("system_description", lldp.system_description);
  if (lldp.has_capabilities) {
    tell_capabilities("capabilities", lldp.capabilities, facts);
    tell_capabilities("capabilities_enabled", lldp.enabled_capabilities, facts);
  }
  if (!lldp.management_address.empty()) facts.add("management_address", lldp.management_address);
  if (lldp.port_vlan != 0) facts.add("port_vlan", lldp.port_vlan);
  tell("hardware", lldp.hardware);
  tell("firmware", lldp.firmware);
  tell("software", lldp.software);
  tell("serial_number", lldp.serial_number);
  tell("manufacturer", lldp.manufacturer);
  tell("model", lldp.model);
}

void learn(const LldpMessage& lldp, const Mac& mac, Facts& facts) {
  const Subject subject{mac, {}};
  const auto text = [&](Attribute attribute, std::string_view value, const char* source) {
    if (!value.empty()) facts.learn(subject, attribute, value, source);
  };
  text(Attribute::host_name, lldp.system_name, "lldp.system_name");
  text(Attribute::description, lldp.system_description, "lldp.system_description");
  text(Attribute::vendor, lldp.manufacturer, "lldp.manufacturer");
  text(Attribute::model, lldp.model, "lldp.model");
  text(Attribute::firmware, lldp.firmware, "lldp.firmware");
  text(Attribute::serial_number, lldp.serial_number, "lldp.serial_number");
  if (!lldp.management_address.empty())
    facts.learn(subject, Attribute::ip_address, lldp.management_address, "lldp.management_address");
  if (lldp.enabled_capabilities & kRouter)
    facts.learn(subject, Attribute::router, true, "lldp.capabilities_enabled");
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto lldp = parse_lldp(bytes);
  if (!lldp) return lldp.error();
  tell_record(*lldp, facts);
  if (!context.source.mac.is_zero()) learn(*lldp, context.source.mac, facts);
  return Malformed::none;
}

constexpr Place kAt[] = {0x88cc};

}  // namespace
}  // namespace lldp

Parsed<LldpMessage> parse_lldp(Bytes bytes) {
  Cursor cursor(bytes);
  LldpMessage out;
  int index = 1;
  for (; !cursor.empty(); ++index) {
    const std::uint16_t head = cursor.u16();
    const auto type = static_cast<std::uint8_t>(head >> 9);
    const Bytes value = cursor.take(head & 0x1ff);
    if (!cursor.ok()) return bad(Malformed::truncated);
    if (index <= lldp::kTtl && type != index) return bad(Malformed::bad_value);
    if (type == lldp::kEnd) return out;
    const Malformed malformed = lldp::read_element(type, value, out);
    if (malformed != Malformed::none) return bad(malformed);
  }
  // Without an end: fine when the frame ended there.
  if (index <= lldp::kTtl) return bad(Malformed::truncated);
  return out;
}

const Dissector kLldp{
    .name = "lldp", .carrier = Carrier::link, .at = lldp::kAt, .dissect = lldp::dissect};

}  // namespace vmirror
