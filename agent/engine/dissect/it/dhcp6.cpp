// RFC 8415, sections 8 (messages), 9 (relays' messages), 11 (DUIDs), 21 (options); RFC 3646 (DNS);
// RFC 4704 (names).
//
//   field[n]: n bytes
//
//   client, server   | type[1] | transaction[3] | options |
//   relay            | 12 or 13[1] | hops[1] | link[16] | peer[16] | options |
//   option           | code[2] | size[2] | value |
//   IA_NA 3, IA_PD 25   ... | IAID[4] | T1[4] | T2[4] | options |
//   IA_TA 4          ... | IAID[4] | options |
//   address 5        ... | address[16] | preferred[4] | valid[4] | options |
//   prefix 26        ... | preferred[4] | valid[4] | length[1] | prefix[16] | options |
//   DUID             | 1[2] | hardware[2] | time[4] | MAC |, | 3[2] | hardware[2] | MAC |, others
//   name             labels as in DNS, without pointers; 39: | flags[1] | name |
#include "agent/engine/dissect/it/dhcp6.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace dhcp6 {
namespace {

constexpr int kMaxListed = 32, kMostRelays = 8;
constexpr std::size_t kAddress = 16;
enum Type : std::uint8_t {
  kAdvertise = 2,
  kReply = 7,
  kReconfigure = 10,
  kRelayForward = 12,
  kRelayReply = 13
};
constexpr Named kTypes[] = {{1, "solicit"},
                            {kAdvertise, "advertise"},
                            {3, "request"},
                            {4, "confirm"},
                            {5, "renew"},
                            {6, "rebind"},
                            {kReply, "reply"},
                            {8, "release"},
                            {9, "decline"},
                            {kReconfigure, "reconfigure"},
                            {11, "information_request"},
                            {kRelayForward, "relay_forward"},
                            {kRelayReply, "relay_reply"}};
enum Option : std::uint16_t {
  kClientId = 1,
  kServerId = 2,
  kIaNa = 3,
  kIaTa = 4,
  kIaAddress = 5,
  kRelayMessage = 9,
  kStatusCode = 13,
  kVendorClass = 16,
  kDnsServers = 23,
  kDomains = 24,
  kIaPd = 25,
  kIaPrefix = 26,
  kFqdn = 39,
};
constexpr Named kStatuses[] = {{0, "success"},        {1, "unspec_fail"}, {2, "no_addrs_avail"},
                               {3, "no_binding"},     {4, "not_on_link"}, {5, "use_multicast"},
                               {6, "no_prefix_avail"}};

bool is_relayed(std::uint8_t type) {
  return type == kRelayForward || type == kRelayReply;
}
bool is_answer(std::uint8_t type) {
  return type == kAdvertise || type == kReply || type == kReconfigure;
}

/// Calls `visit(code, value)` for each option. False: they do not fill `bytes`.
template <typename Visit>
bool each_option(Bytes bytes, const Visit& visit) {
  Cursor cursor(bytes);
  while (!cursor.empty()) {
    const std::uint16_t code = cursor.u16();
    const Bytes value = cursor.take(cursor.u16());
    if (!cursor.ok()) return false;
    visit(code, value);
  }
  return true;
}
/// The first of its code; nothing: there is none.
Bytes option(Bytes options, std::uint16_t wanted) {
  Bytes out;
  each_option(options, [&](std::uint16_t code, Bytes value) {
    if (code == wanted && out.empty()) out = value;
  });
  return out;
}

/// A name's labels, joined by dots; `at` moves behind it.
std::string_view name_at(Bytes bytes, std::size_t& at, Facts& facts) {
  char out[256];
  std::size_t size = 0;
  while (at < bytes.size()) {
    const std::size_t label = bytes[at++];
    if (label == 0 || label > 63 || label > bytes.size() - at || size + label + 1 > sizeof out)
      break;
    if (size > 0) out[size++] = '.';
    size += as_text(bytes.subspan(at, label)).copy(out + size, label);
    at += label;
  }
  return facts.keep({out, size});
}

void tell_duid(const char* field, Bytes duid, Facts& facts) {
  if (!duid.empty()) facts.add(field, duid.first(std::min<std::size_t>(duid.size(), 130)));
}
/// Of a DUID that is made of an Ethernet address; nothing: of another.
Bytes mac_of(Bytes duid) {
  Cursor cursor(duid);
  const std::uint16_t type = cursor.u16(), hardware = cursor.u16();
  if (type == 1) cursor.u32();
  const bool made = (type == 1 || type == 3) && hardware == 1;
  return made && cursor.ok() && cursor.left() == 6 ? cursor.rest() : Bytes();
}

/// Addresses or prefixes of all associations of the message.
void tell_leases(Bytes options, bool prefixes, Facts& facts) {
  bool open = false;
  int listed = 0;
  const auto item = [&](Bytes value) {
    Cursor cursor(value);
    if (prefixes) cursor.skip(8);
    const std::uint8_t length = prefixes ? cursor.u8() : std::uint8_t{0};
    const Bytes address = cursor.take(kAddress);
    if (!cursor.ok() || listed++ >= kMaxListed) return;
    if (!open) facts.open_array(prefixes ? "prefixes" : "addresses");
    open = true;
    if (!prefixes) return facts.add("", IpAddress::v6(address.data()));
    facts.open_object("");
    facts.add("prefix", IpAddress::v6(address.data()));
    facts.add("length", length);
    facts.close();
  };
  each_option(options, [&](std::uint16_t code, Bytes value) {
    const bool wanted = prefixes ? code == kIaPd : code == kIaNa || code == kIaTa;
    const std::size_t head = code == kIaTa ? 4 : 12;
    if (!wanted || value.size() < head) return;
    each_option(value.subspan(head), [&](std::uint16_t inner, Bytes lease) {
      if (inner == (prefixes ? kIaPrefix : kIaAddress)) item(lease);
    });
  });
  if (open) facts.close();
}

void tell_dns(Bytes options, Facts& facts) {
  if (const Bytes servers = option(options, kDnsServers); servers.size() >= kAddress) {
    facts.open_array("dns_servers");
    for (std::size_t at = 0; at + kAddress <= servers.size() && at < kMaxListed * kAddress;
         at += kAddress)
      facts.add("", IpAddress::v6(&servers[at]));
    facts.close();
  }
  if (const Bytes domains = option(options, kDomains); !domains.empty()) {
    facts.open_array("domains");
    std::size_t at = 0;
    for (int i = 0; i < kMaxListed && at < domains.size(); ++i) {
      const std::string_view name = name_at(domains, at, facts);
      if (name.empty()) break;
      facts.add("", name);
    }
    facts.close();
  }
}

void tell_message(const Dhcp6Message& dhcp, bool relayed, const Context& context, Facts& facts) {
  facts.add("transaction_id", dhcp.transaction_id);
  const Bytes client = option(dhcp.options, kClientId);
  tell_duid("client_duid", client, facts);
  tell_duid("server_duid", option(dhcp.options, kServerId), facts);
  if (const Bytes mac = mac_of(client); !mac.empty())
    facts.add("client_mac", Mac::from(mac.data()));
  std::string_view name;
  if (const Bytes fqdn = option(dhcp.options, kFqdn); fqdn.size() > 1) {
    std::size_t at = 1;
    name = name_at(fqdn, at, facts);
    if (!name.empty()) facts.add("fqdn", name);
  }
  tell_leases(dhcp.options, false, facts);
  tell_leases(dhcp.options, true, facts);
  tell_dns(dhcp.options, facts);
  constexpr std::size_t kEnterprise = 4, kSize = 2;
  if (const Bytes vendor = option(dhcp.options, kVendorClass); vendor.size() > kEnterprise + kSize)
    facts.add("vendor_class", text_of(vendor.subspan(kEnterprise + kSize)));
  if (const Bytes status = option(dhcp.options, kStatusCode); status.size() >= 2)
    tell_named(facts, "status", kStatuses, load_be16(status.data()));
  if (is_answer(dhcp.type)) {
    if (!relayed)
      facts.learn(context.sender(), Attribute::service, "dhcp6", "dhcp6.message_type",
                  Confidence::implied);
  } else if (!relayed && !name.empty()) {
    facts.learn(context.source, Attribute::host_name, name, "dhcp6.fqdn");
  }
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  auto dhcp = parse_dhcp6(bytes);
  if (!dhcp) return dhcp.error();
  facts.record("dhcp6");
  tell_named(facts, "message_type", kTypes, dhcp->type);
  const bool relayed = is_relayed(dhcp->type);
  if (relayed) {
    facts.add("hop_count", dhcp->hops);
    facts.add("link_address", IpAddress::v6(dhcp->link.data()));
    facts.add("peer_address", IpAddress::v6(dhcp->peer.data()));
    if (dhcp->type == kRelayReply)
      facts.learn(context.sender(), Attribute::service, "dhcp6", "dhcp6.message_type",
                  Confidence::implied);
  }
  for (int i = 0; is_relayed(dhcp->type); ++i) {
    if (i == kMostRelays) return Malformed::too_deep;
    const Bytes inner = option(dhcp->options, kRelayMessage);
    if (inner.empty()) return Malformed::none;
    dhcp = parse_dhcp6(inner);
    if (!dhcp) return dhcp.error();
  }
  if (relayed) tell_named(facts, "relayed_type", kTypes, dhcp->type);
  tell_message(*dhcp, relayed, context, facts);
  return Malformed::none;
}

Probe probe(Bytes bytes, const Context& context) {
  const auto dhcp = parse_dhcp6(bytes);
  if (!context.at_own_port || !dhcp || dhcp->options.empty()) return Probe::no;
  return is_answer(dhcp->type) || dhcp->type == kRelayReply ? Probe::server : Probe::client;
}

constexpr Place kAt[] = {546, 547};

}  // namespace
}  // namespace dhcp6

Parsed<Dhcp6Message> parse_dhcp6(Bytes bytes) {
  Cursor cursor(bytes);
  Dhcp6Message out;
  out.type = cursor.u8();
  if (bytes.empty()) return bad(Malformed::truncated);
  if (name_of(dhcp6::kTypes, out.type) == nullptr) return bad(Malformed::bad_value);
  if (dhcp6::is_relayed(out.type)) {
    out.hops = cursor.u8();
    out.link = cursor.take(dhcp6::kAddress);
    out.peer = cursor.take(dhcp6::kAddress);
  } else {
    out.transaction_id = cursor.u24();
  }
  if (!cursor.ok()) return bad(Malformed::truncated);
  out.options = cursor.rest();
  if (!dhcp6::each_option(out.options, [](std::uint16_t, Bytes) {}))
    return bad(Malformed::truncated);
  return out;
}

const Dissector kDhcp6{.name = "dhcp6",
                       .carrier = Carrier::datagram,
                       .at = dhcp6::kAt,
                       .probe = dhcp6::probe,
                       .dissect = dhcp6::dissect};

}  // namespace vmirror
