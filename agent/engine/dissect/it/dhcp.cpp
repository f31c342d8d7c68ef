// RFC 2131, section 2; options: RFC 2132; overload: its section 9.3.
//
//   field[n]: n bytes
//
//   0       1          2         3         4       8         10
//   | op[1] | htype[1] | hlen[1] | hops[1] | id[4] | secs[2] | flags[2] |
//   12             16           20               24            28
//   | client ip[4] | your ip[4] | next server[4] | relay ip[4] | hardware[16] |
//   44                108         236        240
//   | server name[64] | file[128] | 63825363 | options... |
//
//   option  | code[1] | size[1] | data[size] |    code 0: padding, 255: end; both have no size
#include "agent/engine/dissect/it/dhcp.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace {

constexpr std::uint32_t kCookie = 0x63825363;
constexpr std::uint8_t kAck = 5;
constexpr Named kTypes[] = {
    {1, "discover"},    {2, "offer"},       {3, "request"},          {4, "decline"},
    {kAck, "ack"},      {6, "nak"},         {7, "release"},          {8, "inform"},
    {9, "forcerenew"},  {10, "leasequery"}, {11, "leaseunassigned"}, {12, "leaseunknown"},
    {13, "leaseactive"}};

/// One option into `out`.
Malformed read_option(std::uint8_t code, Bytes data, DhcpMessage& out, std::uint8_t& overload) {
  const auto number = [&](std::uint32_t& to) {
    if (data.size() != 4) return Malformed::bad_length;
    to = load_be32(data.data());
    return Malformed::none;
  };
  const auto address = [&](IpAddress& to) {
    if (data.size() != 4) return Malformed::bad_length;
    to = IpAddress::v4(data.data());
    return Malformed::none;
  };
  const auto byte = [&](std::uint8_t& to) {
    if (data.size() != 1) return Malformed::bad_length;
    to = data[0];
    return Malformed::none;
  };
  const auto addresses = [&](Bytes& to) {
    if (data.empty() || data.size() % 4 != 0) return Malformed::bad_length;
    to = data;
    return Malformed::none;
  };
  switch (code) {
    case 1:
      return address(out.subnet_mask);
    case 3:
      return addresses(out.routers);
    case 6:
      return addresses(out.dns_servers);
    case 12:
      out.host_name = text_of(data);
      return Malformed::none;
    case 15:
      out.domain = text_of(data);
      return Malformed::none;
    case 50:
      return address(out.requested_ip);
    case 51:
      return number(out.lease_time);
    case 52:
      return byte(overload);
    case 53:
      return byte(out.type);
    case 54:
      return address(out.server);
    case 58:
      return number(out.renewal_time);
    case 59:
      return number(out.rebinding_time);
    case 60:
      out.vendor_class = text_of(data);
      return Malformed::none;
    case 61:
      out.client_id = data;
      return Malformed::none;
    case 81:
      if (data.size() < 3) return Malformed::bad_length;
      if ((data[0] & 4) == 0) out.fqdn = text_of(data.subspan(3));  // E: DNS wire form
      return Malformed::none;
    default:
      return Malformed::none;
  }
}

Malformed read_options(Bytes bytes, DhcpMessage& out, std::uint8_t& overload) {
  Cursor cursor(bytes);
  while (!cursor.empty()) {
    const std::uint8_t code = cursor.u8();
    if (code == 0) continue;
    if (code == 255) break;
    const Bytes data = cursor.take(cursor.u8());
    if (!cursor.ok()) return Malformed::truncated;
    const Malformed malformed = read_option(code, data, out, overload);
    if (malformed != Malformed::none) return malformed;
  }
  return Malformed::none;
}

void tell_addresses(const char* name, Bytes addresses, Facts& facts) {
  if (addresses.empty()) return;
  facts.open_array(name);
  for (Cursor cursor(addresses); !cursor.empty();)
    facts.add("", IpAddress::v4(cursor.take(4).data()));
  facts.close();
}

void tell_options(const DhcpMessage& dhcp, Facts& facts) {
  const auto tell = [&](const char* name, const auto& value, bool there) {
    if (there) facts.add(name, value);
  };
  tell_named(facts, "dhcp_type", kTypes, dhcp.type);
  tell("requested_ip", dhcp.requested_ip, !dhcp.requested_ip.empty());
  tell("server_ip", dhcp.server, !dhcp.server.empty());
  tell("hostname", dhcp.host_name, !dhcp.host_name.empty());
  tell("fqdn", dhcp.fqdn, !dhcp.fqdn.empty());
  tell("domain", dhcp.domain, !dhcp.domain.empty());
  tell("vendor_class_identifier", dhcp.vendor_class, !dhcp.vendor_class.empty());
  tell("client_id", dhcp.client_id, !dhcp.client_id.empty());
  tell("subnet_mask", dhcp.subnet_mask, !dhcp.subnet_mask.empty());
  tell_addresses("routers", dhcp.routers, facts);
  tell_addresses("dns_servers", dhcp.dns_servers, facts);
  tell("lease_time", dhcp.lease_time, dhcp.lease_time != 0);
  tell("renewal_time", dhcp.renewal_time, dhcp.renewal_time != 0);
  tell("rebinding_time", dhcp.rebinding_time, dhcp.rebinding_time != 0);
}

void learn(const DhcpMessage& dhcp, Facts& facts) {
  for (Cursor cursor(dhcp.routers); !cursor.empty();)
    facts.learn({{}, IpAddress::v4(cursor.take(4).data())}, Attribute::router, true,
                "dhcp.routers");
  if (dhcp.client_mac.is_zero() || dhcp.client_mac.is_group()) return;
  const Subject client{dhcp.client_mac, {}};
  if (!dhcp.client_ip.is_unspecified())
    facts.learn(client, Attribute::ip_address, dhcp.client_ip, "dhcp.client_ip");
  if (dhcp.type == kAck && !dhcp.assigned_ip.is_unspecified())
    facts.learn(client, Attribute::ip_address, dhcp.assigned_ip, "dhcp.assigned_ip");
  if (dhcp.reply) return;  // A server's reply may name what it gives, not what the client is.
  if (!dhcp.host_name.empty())
    facts.learn(client, Attribute::host_name, dhcp.host_name, "dhcp.hostname");
  if (!dhcp.fqdn.empty()) facts.learn(client, Attribute::host_name, dhcp.fqdn, "dhcp.fqdn");
  if (!dhcp.vendor_class.empty())
    facts.learn(client, Attribute::vendor, dhcp.vendor_class, "dhcp.vendor_class_identifier");
}

Malformed dissect(Bytes bytes, const Context&, Facts& facts) {
  const auto dhcp = parse_dhcp(bytes);
  if (!dhcp) return dhcp.error();
  facts.record("dhcp");
  facts.add("type", dhcp->reply ? "reply" : "request");
  facts.add("id", dhcp->id);
  facts.add("client_mac", dhcp->client_mac);
  facts.add("assigned_ip", dhcp->assigned_ip);
  facts.add("client_ip", dhcp->client_ip);
  facts.add("next_server_ip", dhcp->next_server_ip);
  facts.add("relay_ip", dhcp->relay_ip);
  if (dhcp->dhcp) tell_options(*dhcp, facts);
  learn(*dhcp, facts);
  return Malformed::none;
}

Probe probe(Bytes bytes, const Context&) {
  const auto dhcp = parse_dhcp(bytes);
  const bool sure = dhcp && dhcp->dhcp && name_of(kTypes, dhcp->type);
  return sure ? Probe::yes : Probe::no;
}

constexpr Place kAt[] = {67, 68};

}  // namespace

Parsed<DhcpMessage> parse_dhcp(Bytes bytes) {
  Cursor cursor(bytes);
  DhcpMessage out;
  const auto address = [&] {
    const Bytes field = cursor.take(4);
    return cursor.ok() ? IpAddress::v4(field.data()) : IpAddress{};
  };
  const std::uint8_t op = cursor.u8();
  const std::uint8_t hardware = cursor.u8();
  const std::uint8_t hardware_size = cursor.u8();
  cursor.skip(1);
  out.id = cursor.u32();
  cursor.skip(4);
  out.client_ip = address();
  out.assigned_ip = address();
  out.next_server_ip = address();
  out.relay_ip = address();
  const Bytes client = cursor.take(16);
  const Bytes server_name = cursor.take(64);
  const Bytes file = cursor.take(128);
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (op != 1 && op != 2) return bad(Malformed::bad_value);
  if (hardware_size > client.size()) return bad(Malformed::bad_length);
  out.reply = op == 2;
  if (hardware == 1 && hardware_size == 6) out.client_mac = Mac::from(client.data());
  if (cursor.left() < 4 || cursor.u32() != kCookie) return out;
  out.dhcp = true;
  std::uint8_t overload = 0, ignored = 0;
  Malformed malformed = read_options(cursor.rest(), out, overload);
  if (malformed == Malformed::none && (overload & 1)) malformed = read_options(file, out, ignored);
  if (malformed == Malformed::none && (overload & 2))
    malformed = read_options(server_name, out, ignored);
  if (malformed != Malformed::none) return bad(malformed);
  return out;
}

const Dissector kDhcp{
    .name = "dhcp", .carrier = Carrier::datagram, .at = kAt, .probe = probe, .dissect = dissect};

}  // namespace vmirror
