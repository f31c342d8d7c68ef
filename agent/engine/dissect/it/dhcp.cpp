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
//           several of one code are parts of one option (RFC 3396)
#include "agent/engine/dissect/it/dhcp.hpp"

#include <algorithm>

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace dhcp {
namespace {

constexpr std::uint32_t kCookie = 0x63825363;
constexpr std::uint8_t kRouters = 3, kDnsServers = 6;
constexpr std::size_t kAddress = 4;
constexpr std::uint8_t kOffer = 2, kAck = 5;
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
    if (data.empty() || data.size() % kAddress != 0) return Malformed::bad_length;
    to = data;
    return Malformed::none;
  };
  switch (code) {
    case 1:
      return address(out.subnet_mask);
    case kRouters:
      return addresses(out.routers);
    case kDnsServers:
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
      out.fqdn = data;
      return Malformed::none;
    default:
      return Malformed::none;
  }
}

/// Calls `visit(code, data)` for each option of an area, `cut(code)` for one that ends past it.
template <typename Visit, typename Cut>
void each_option(Bytes area, const Visit& visit, const Cut& cut) {
  Cursor cursor(area);
  while (!cursor.empty()) {
    const std::uint8_t code = cursor.u8();
    if (code == 0) continue;
    if (code == 255) return;
    const Bytes data = cursor.take(cursor.u8());
    if (!cursor.ok()) return cut(code);
    visit(code, data);
  }
}

void read_options(Bytes area, DhcpMessage& out, std::bitset<256>& seen, std::uint8_t& overload) {
  const auto odd = [&](std::uint8_t code) {
    if (out.odd_count < out.odd_options.size()) out.odd_options[out.odd_count] = code;
    ++out.odd_count;
  };
  each_option(
      area,
      [&](std::uint8_t code, Bytes data) {
        if (seen[code])
          out.split.set(code);
        else if (read_option(code, data, out, overload) != Malformed::none)
          odd(code);
        seen.set(code);
      },
      odd);
}

/// A part of a list of addresses may end within one: the list is odd as a whole or not.
void settle_list(std::uint8_t code, DhcpMessage& out) {
  std::array<std::uint8_t, kMaxText> all;
  if (!out.split[code] || join_option(out, code, all) % kAddress != 0) return;
  const auto end = out.odd_options.begin() +
                   static_cast<std::ptrdiff_t>(std::min(out.odd_count, out.odd_options.size()));
  const auto at = std::find(out.odd_options.begin(), end, code);
  if (at == end || out.odd_count > out.odd_options.size()) return;
  std::copy(at + 1, end, at);
  --out.odd_count;
}

using ListRoom = std::array<std::uint8_t, kMaxText>;

/// An option's addresses, all of its parts.
Bytes whole_list(const DhcpMessage& dhcp, std::uint8_t code, Bytes first, ListRoom& room) {
  if (!dhcp.split[code]) return first;
  const std::size_t size = join_option(dhcp, code, room);
  return Bytes(room).first(size - size % kAddress);
}

/// An option's text, all of its parts.
std::string_view whole_text(const DhcpMessage& dhcp, std::uint8_t code, std::string_view first,
                            Facts& facts) {
  if (!dhcp.split[code]) return first;
  std::array<std::uint8_t, kMaxText> all;
  return facts.keep(text_of(Bytes(all).first(join_option(dhcp, code, all))));
}

/// The name of option 81; empty where it is none.
std::string_view fqdn_of(const DhcpMessage& dhcp, Facts& facts) {
  constexpr std::uint8_t kFqdn = 81, kWireForm = 4;
  constexpr std::size_t kBefore = 3;
  std::array<std::uint8_t, kMaxText> all;
  Bytes option = dhcp.fqdn;
  if (dhcp.split[kFqdn]) option = Bytes(all).first(join_option(dhcp, kFqdn, all));
  if (option.size() < kBefore) return {};
  const Bytes name = option.subspan(kBefore);
  if ((option[0] & kWireForm) == 0) return facts.keep(text_of(name));
  std::array<char, kMaxText> text;
  std::size_t size = 0;
  Cursor labels(name);
  while (const std::size_t length = labels.u8()) {
    const Bytes label = labels.take(length);
    if (length > 63 || !labels.ok() || size + 1 + length > text.size()) return {};
    if (size > 0) text[size++] = '.';
    size += as_text(label).copy(text.data() + size, length);
  }
  return facts.keep({text.data(), size});
}

/// What options say in words.
struct Names {
  std::string_view host, fqdn, domain, vendor_class;
};

Names names_of(const DhcpMessage& dhcp, Facts& facts) {
  return {whole_text(dhcp, 12, dhcp.host_name, facts), fqdn_of(dhcp, facts),
          whole_text(dhcp, 15, dhcp.domain, facts), whole_text(dhcp, 60, dhcp.vendor_class, facts)};
}

void tell_addresses(const char* name, Bytes addresses, Facts& facts) {
  if (addresses.empty()) return;
  facts.open_array(name);
  for (Cursor cursor(addresses); !cursor.empty();)
    facts.add("", IpAddress::v4(cursor.take(kAddress).data()));
  facts.close();
}

void tell_options(const DhcpMessage& dhcp, const Names& names, Facts& facts) {
  const auto tell = [&](const char* name, const auto& value, bool there) {
    if (there) facts.add(name, value);
  };
  tell_named(facts, "dhcp_type", kTypes, dhcp.type);
  tell("requested_ip", dhcp.requested_ip, !dhcp.requested_ip.empty());
  tell("server_ip", dhcp.server, !dhcp.server.empty());
  tell("hostname", names.host, !names.host.empty());
  tell("fqdn", names.fqdn, !names.fqdn.empty());
  tell("domain", names.domain, !names.domain.empty());
  tell("vendor_class_identifier", names.vendor_class, !names.vendor_class.empty());
  tell("client_id", dhcp.client_id, !dhcp.client_id.empty());
  if (dhcp.odd_count > 0) {
    facts.open_array("odd_options");
    for (std::size_t i = 0; i < std::min(dhcp.odd_count, dhcp.odd_options.size()); ++i)
      facts.add("", dhcp.odd_options[i]);
    facts.close();
  }
  tell("subnet_mask", dhcp.subnet_mask, !dhcp.subnet_mask.empty());
  ListRoom room;
  tell_addresses("routers", whole_list(dhcp, kRouters, dhcp.routers, room), facts);
  tell_addresses("dns_servers", whole_list(dhcp, kDnsServers, dhcp.dns_servers, room), facts);
  tell("lease_time", dhcp.lease_time, dhcp.lease_time != 0);
  tell("renewal_time", dhcp.renewal_time, dhcp.renewal_time != 0);
  tell("rebinding_time", dhcp.rebinding_time, dhcp.rebinding_time != 0);
}

void learn(const DhcpMessage& dhcp, const Names& names, Facts& facts) {
  ListRoom room;
  for (Cursor cursor(whole_list(dhcp, kRouters, dhcp.routers, room)); !cursor.empty();)
    facts.learn({{}, IpAddress::v4(cursor.take(kAddress).data())}, Attribute::router, true,
                "dhcp.routers");
  if (dhcp.client_mac.is_zero() || dhcp.client_mac.is_group()) return;
  const Subject client{dhcp.client_mac, {}};
  if (!dhcp.client_ip.is_unspecified())
    facts.learn(client, Attribute::ip_address, dhcp.client_ip, "dhcp.client_ip");
  if (dhcp.type == kAck && !dhcp.assigned_ip.is_unspecified())
    facts.learn(client, Attribute::ip_address, dhcp.assigned_ip, "dhcp.assigned_ip");
  if (dhcp.reply) return;  // A server's reply may name what it gives, not what the client is.
  if (!names.host.empty()) facts.learn(client, Attribute::host_name, names.host, "dhcp.hostname");
  if (!names.fqdn.empty()) facts.learn(client, Attribute::host_name, names.fqdn, "dhcp.fqdn");
  if (!names.vendor_class.empty())
    facts.learn(client, Attribute::vendor, names.vendor_class, "dhcp.vendor_class_identifier");
}

/// An offer or a lease. A server behind a relay is known by its own address.
void tell_serving(const DhcpMessage& dhcp, const Context& context, Facts& facts) {
  const bool serves = dhcp.reply && (dhcp.type == kOffer || dhcp.type == kAck);
  if (!serves || dhcp.assigned_ip.is_unspecified()) return;
  const IpAddress& server = dhcp.server.empty() ? context.source.ip : dhcp.server;
  facts.act(Act::Kind::serve_addresses, {dhcp.client_mac, {}}, {context.source.mac, server},
            "dhcp.dhcp_type");
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
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
  const Names names = names_of(*dhcp, facts);
  if (dhcp->dhcp) tell_options(*dhcp, names, facts);
  learn(*dhcp, names, facts);
  tell_serving(*dhcp, context, facts);
  return Malformed::none;
}

Probe probe(Bytes bytes, const Context& context) {
  if (context.at_own_port)  // BOOTP has no cookie; what is broken is to be told.
    return !bytes.empty() && (bytes[0] == 1 || bytes[0] == 2) ? Probe::yes : Probe::no;
  const auto dhcp = parse_dhcp(bytes);
  const bool sure =
      dhcp && dhcp->dhcp && dhcp->odd_count == 0 && name_of(kTypes, dhcp->type) != nullptr;
  return sure ? Probe::yes : Probe::no;
}

constexpr Place kAt[] = {67, 68};

}  // namespace
}  // namespace dhcp

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
  if (cursor.left() < 4 || cursor.u32() != dhcp::kCookie) return out;
  out.dhcp = true;
  std::uint8_t overload = 0, ignored = 0;
  std::bitset<256> seen;
  out.areas[0] = cursor.rest();
  dhcp::read_options(out.areas[0], out, seen, overload);
  if ((overload & 1) != 0) dhcp::read_options(out.areas[1] = file, out, seen, ignored);
  if ((overload & 2) != 0) dhcp::read_options(out.areas[2] = server_name, out, seen, ignored);
  for (const std::uint8_t list : {dhcp::kRouters, dhcp::kDnsServers}) dhcp::settle_list(list, out);
  return out;
}

std::size_t join_option(const DhcpMessage& message, std::uint8_t code,
                        std::span<std::uint8_t> out) {
  std::size_t size = 0;
  for (const Bytes area : message.areas)
    dhcp::each_option(
        area,
        [&](std::uint8_t at, Bytes data) {
          if (at != code) return;
          const Bytes part = data.first(std::min(data.size(), out.size() - size));
          std::copy(part.begin(), part.end(), out.begin() + static_cast<std::ptrdiff_t>(size));
          size += part.size();
        },
        [](std::uint8_t) {});
  return size;
}

const Dissector kDhcp{.name = "dhcp",
                      .carrier = Carrier::datagram,
                      .at = dhcp::kAt,
                      .probe = dhcp::probe,
                      .dissect = dhcp::dissect};

}  // namespace vmirror
