// Cisco's "Cisco Discovery Protocol (CDP) Version 2", and what devices send.
//
//   field[n]: n bytes
//
//   0            1        2             4
//   | version[1] | ttl[1] | checksum[2] | element... |
//
//   element      | type[2] | size[2], from the type on | value |
//   2, 22        | count[4] | address... |
//   address      | kind[1] | size[1] | protocol[size] | size[2] | address[size] |
//                  kind 1, protocol cc: IPv4; kind 2, protocol aaaa0300000086dd: IPv6
#include "agent/engine/dissect/link/cdp.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace cdp {
namespace {

enum Type : std::uint16_t {
  kDeviceId = 1,
  kAddresses = 2,
  kPortId = 3,
  kCapabilities = 4,
  kSoftwareVersion = 5,
  kPlatform = 6,
  kVtpDomain = 9,
  kNativeVlan = 10,
  kManagementAddresses = 22,
};
constexpr std::uint32_t kRouter = 1;
constexpr const char* kCapabilityNames[] = {
    "router", "transparent_bridge", "source_route_bridge", "switch", "host", "igmp", "repeater",
    "phone"};

/// The first address that is one of IP; empty: none is.
Malformed read_addresses(Bytes value, IpAddress& out) {
  Cursor cursor(value);
  const std::uint32_t count = cursor.u32();
  for (std::uint32_t i = 0; i < count && cursor.ok() && !cursor.empty(); ++i) {
    cursor.skip(1);
    cursor.take(cursor.u8());
    const Bytes address = cursor.take(cursor.u16());
    if (!cursor.ok() || !out.empty()) continue;
    if (address.size() == 4) out = IpAddress::v4(address.data());
    if (address.size() == 16) out = IpAddress::v6(address.data());
  }
  return cursor.ok() ? Malformed::none : Malformed::bad_length;
}

Malformed read_element(std::uint16_t type, Bytes value, CdpMessage& out) {
  Cursor cursor(value);
  switch (type) {
    case kDeviceId:
      out.device_id = text_of(value);
      break;
    case kAddresses:
      return read_addresses(value, out.address);
    case kManagementAddresses:
      return read_addresses(value, out.management_address);
    case kPortId:
      out.port_id = text_of(value);
      break;
    case kCapabilities:
      out.capabilities = cursor.u32();
      out.has_capabilities = true;
      break;
    case kSoftwareVersion:
      out.software_version = text_of(value);
      break;
    case kPlatform:
      out.platform = text_of(value);
      break;
    case kVtpDomain:
      out.vtp_domain = text_of(value);
      break;
    case kNativeVlan:
      out.native_vlan = cursor.u16();
      break;
    default:
      break;
  }
  return cursor.ok() ? Malformed::none : Malformed::bad_length;
}

void tell_record(const CdpMessage& cdp, Facts& facts) {
  const auto tell = [&](const char* name, std::string_view text) {
    if (!text.empty()) facts.add(name, text);
  };
  facts.record("cdp");
  facts.add("version", cdp.version);
  facts.add("ttl", cdp.ttl);
  tell("device_id", cdp.device_id);
  tell("port_id", cdp.port_id);
  if (!cdp.address.empty()) facts.add("address", cdp.address);
  if (cdp.has_capabilities) {
    facts.open_array("capabilities");
    for (std::size_t bit = 0; bit < std::size(kCapabilityNames); ++bit)
      if ((cdp.capabilities >> bit & 1) != 0) facts.add("", kCapabilityNames[bit]);
    facts.close();
  }
  tell("software_version", cdp.software_version);
  tell("platform", cdp.platform);
  tell("vtp_domain", cdp.vtp_domain);
  if (cdp.native_vlan != 0) facts.add("native_vlan", cdp.native_vlan);
  if (!cdp.management_address.empty()) facts.add("management_address", cdp.management_address);
}

void learn(const CdpMessage& cdp, const Mac& mac, Facts& facts) {
  const Subject subject{mac, {}};
  const auto text = [&](Attribute attribute, std::string_view value, const char* source) {
    if (!value.empty()) facts.learn(subject, attribute, value, source);
  };
  text(Attribute::host_name, cdp.device_id, "cdp.device_id");
  text(Attribute::model, cdp.platform, "cdp.platform");
  text(Attribute::description, cdp.software_version, "cdp.software_version");
  const auto address = [&](const IpAddress& value, const char* source) {
    if (!value.empty() && !value.is_unspecified())
      facts.learn(subject, Attribute::ip_address, value, source);
  };
  address(cdp.address, "cdp.address");
  address(cdp.management_address, "cdp.management_address");
  if ((cdp.capabilities & kRouter) != 0)
    facts.learn(subject, Attribute::router, true, "cdp.capabilities");
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto cdp = parse_cdp(bytes);
  if (!cdp) return cdp.error();
  tell_record(*cdp, facts);
  if (!context.source.mac.is_zero()) learn(*cdp, context.source.mac, facts);
  return Malformed::none;
}

constexpr Place kAt[] = {snap(0x00000c, 0x2000)};

}  // namespace
}  // namespace cdp

Parsed<CdpMessage> parse_cdp(Bytes bytes) {
  constexpr std::size_t kHead = 4;
  Cursor cursor(bytes);
  CdpMessage out;
  out.version = cursor.u8();
  out.ttl = cursor.u8();
  cursor.skip(2);
  if (!cursor.ok()) return bad(Malformed::truncated);
  while (!cursor.empty()) {
    const std::uint16_t type = cursor.u16();
    const std::size_t size = cursor.u16();
    if (!cursor.ok()) return bad(Malformed::truncated);
    if (size < kHead) return bad(Malformed::bad_length);
    const Bytes value = cursor.take(size - kHead);
    if (!cursor.ok()) return bad(Malformed::truncated);
    const Malformed malformed = cdp::read_element(type, value, out);
    if (malformed != Malformed::none) return bad(malformed);
  }
  return out;
}

const Dissector kCdp{
    .name = "cdp", .carrier = Carrier::link, .at = cdp::kAt, .dissect = cdp::dissect};

}  // namespace vmirror
