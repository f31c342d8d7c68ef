// IEC 61158-6-10, DCP; as Wireshark's and ICSNPP's captures have it.
//
//   field[n]: n bytes
//
//   0             2            3         4       8          10
//   | frame id[2] | service[1] | type[1] | xid[4] | delay[2] | size[2] | block... |   to `size`
//
//   block                         | option[1] | suboption[1] | size[2] | value[size] | to even |
//   of get's request              | option[1] | suboption[1] |
//   value, hello and responses    | block info[2] | ... |
//   value, set's request          | qualifier[2] | ... |
//   1.2 address   | ip[4] | mask[4] | gateway[4] |
//   2.3 device    | vendor[2] | device[2] |
//   2.4 role      | 1 device, 2 controller, 4 multidevice, 8 supervisor [1] | 0[1] |
//   5.x control   what a set orders: suboption 4 is the answer to each block of a set
#include "agent/engine/dissect/ot/profinet_dcp.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace profinet_dcp {
namespace {

enum Service : std::uint8_t { kGet = 3, kSet = 4, kIdentify = 5, kHello = 6 };
constexpr Named kServices[] = {
    {kGet, "get"}, {kSet, "set"}, {kIdentify, "identify"}, {kHello, "hello"}};
constexpr Named kControls[] = {
    {1, "start"}, {2, "stop"}, {3, "signal"}, {5, "factory_reset"}, {6, "reset_to_factory"}};
constexpr Named kRoles[] = {
    {1, "device"}, {2, "controller"}, {4, "multidevice"}, {8, "supervisor"}};
/// Of PROFIBUS & PROFINET International's list of manufacturers.
constexpr Named kVendors[] = {
    {0x002a, "Siemens"}, {0x00b0, "Phoenix Contact"}, {0x011d, "WAGO"}, {0x0120, "Beckhoff"}};

constexpr std::uint16_t block(std::uint8_t option, std::uint8_t suboption) {
  return static_cast<std::uint16_t>(option << 8 | suboption);
}
constexpr std::uint16_t kAddress = block(1, 2), kStationType = block(2, 1), kName = block(2, 2),
                        kDevice = block(2, 3), kRole = block(2, 4), kAlias = block(2, 6);
constexpr std::uint8_t kControl = 5, kControlAnswer = 4;

Malformed read_block(std::uint16_t kind, Bytes value, DcpMessage& out) {
  Cursor cursor(value);
  const auto address = [&] {
    const Bytes field = cursor.take(4);
    return cursor.ok() ? IpAddress::v4(field.data()) : IpAddress{};
  };
  switch (kind) {
    case kAddress:
      out.ip = address();
      out.netmask = address();
      out.gateway = address();
      break;
    case kStationType:
      out.station_type = text_of(value);
      break;
    case kName:
      out.station_name = text_of(value);
      break;
    case kAlias:
      out.alias = text_of(value);
      break;
    case kDevice:
      out.vendor_id = cursor.u16();
      out.device_id = cursor.u16();
      out.has_device = true;
      break;
    case kRole:
      out.role = cursor.u8();
      out.has_role = true;
      break;
    default:
      if (kind >> 8 == kControl && (kind & 0xff) != kControlAnswer)
        out.control = static_cast<std::uint8_t>(kind);
      break;
  }
  return cursor.ok() ? Malformed::none : Malformed::bad_length;
}

Malformed read_blocks(Bytes bytes, DcpMessage& out) {
  if (out.service == kGet && out.is_request()) return Malformed::none;  // Names of blocks alone.
  // What an identify's request names is what it looks for, as it stands.
  const std::size_t before = out.service == kIdentify && out.is_request() ? 0 : 2;
  Cursor cursor(bytes);
  while (cursor.left() >= 4) {
    const std::uint16_t kind = cursor.u16();
    const std::size_t size = cursor.u16();
    Cursor value(cursor.take(size));
    if (!cursor.ok()) return Malformed::truncated;
    if (size % 2 != 0 && !cursor.empty()) cursor.skip(1);
    if (kind >> 8 == 0xff) continue;  // All of them: an identify that looks for everybody.
    if (size < before) return Malformed::bad_length;
    value.skip(before);
    if (kind >> 8 == kControl && (kind & 0xff) == kControlAnswer) continue;
    const Malformed malformed = read_block(kind, value.rest(), out);
    if (malformed != Malformed::none) return malformed;
  }
  return cursor.empty() ? Malformed::none : Malformed::bad_length;
}

void tell_record(const DcpMessage& dcp, Facts& facts) {
  const auto text = [&](const char* name, std::string_view value) {
    if (!value.empty()) facts.add(name, value);
  };
  const auto address = [&](const char* name, const IpAddress& value) {
    if (!value.empty()) facts.add(name, value);
  };
  facts.record("profinet_dcp");
  tell_named(facts, "service", kServices, dcp.service);
  facts.add("type", dcp.is_request() ? "request" : "response");
  facts.add("xid", dcp.id);
  text("station_name", dcp.station_name);
  text("station_type", dcp.station_type);
  text("alias", dcp.alias);
  if (dcp.has_device) {
    facts.add("vendor_id", dcp.vendor_id);
    facts.add("device_id", dcp.device_id);
  }
  if (dcp.has_role) {
    facts.open_array("roles");
    for (const Named& role : kRoles)
      if ((dcp.role & role.value) != 0) facts.add("", role.name);
    facts.close();
  }
  address("ip", dcp.ip);
  address("netmask", dcp.netmask);
  address("gateway", dcp.gateway);
  if (dcp.control != 0) tell_named(facts, "control", kControls, dcp.control);
}

void learn(const DcpMessage& dcp, const Subject& device, Facts& facts) {
  const auto text = [&](Attribute attribute, std::string_view value, const char* source) {
    if (!value.empty()) facts.learn(device, attribute, value, source);
  };
  text(Attribute::station_name, dcp.station_name, "profinet_dcp.station_name");
  text(Attribute::model, dcp.station_type, "profinet_dcp.station_type");
  if (const char* vendor = dcp.has_device ? name_of(kVendors, dcp.vendor_id) : nullptr)
    facts.learn(device, Attribute::vendor, vendor, "profinet_dcp.vendor_id");
  for (const Named& role : kRoles)
    if ((dcp.role & role.value) != 0)
      facts.learn(device, Attribute::role, role.value == 1 ? "profinet_device" : role.name,
                  "profinet_dcp.roles");
  if (!dcp.ip.empty() && !dcp.ip.is_unspecified())
    facts.learn(device, Attribute::ip_address, dcp.ip, "profinet_dcp.ip");
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto dcp = parse_profinet_dcp(bytes);
  if (!dcp) return dcp.error();
  const Subject sender{context.source.mac, {}}, receiver{context.destination.mac, {}};
  if (!dcp->is_dcp()) {
    if (!sender.mac.is_zero())
      facts.learn(sender, Attribute::service, "profinet", "profinet.frame_id", Confidence::implied);
    return Malformed::none;
  }
  tell_record(*dcp, facts);
  if (dcp->service == kSet && dcp->is_request())
    facts.act(Act::Kind::write, receiver, sender, "profinet_dcp.service");
  const bool of_itself = dcp->service == kHello || (!dcp->is_request() && dcp->service != kSet);
  if (of_itself && !sender.mac.is_zero()) learn(*dcp, sender, facts);
  return Malformed::none;
}

constexpr Place kAt[] = {0x8892};

}  // namespace
}  // namespace profinet_dcp

Parsed<DcpMessage> parse_profinet_dcp(Bytes bytes) {
  Cursor cursor(bytes);
  DcpMessage out;
  out.frame_id = cursor.u16();
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (!out.is_dcp()) return out;
  out.service = cursor.u8();
  out.service_type = cursor.u8();
  out.id = cursor.u32();
  cursor.skip(2);
  const Bytes blocks = cursor.take(cursor.u16());
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (name_of(profinet_dcp::kServices, out.service) == nullptr) return bad(Malformed::bad_value);
  const Malformed malformed = profinet_dcp::read_blocks(blocks, out);
  if (malformed != Malformed::none) return bad(malformed);
  return out;
}

const Dissector kProfinetDcp{.name = "profinet_dcp",
                             .carrier = Carrier::link,
                             .at = profinet_dcp::kAt,
                             .dissect = profinet_dcp::dissect};

}  // namespace vmirror
