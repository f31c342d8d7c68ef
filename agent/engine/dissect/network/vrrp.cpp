// RFC 3768, section 5.1; RFC 9568, section 5.1.
//
//   field[n]: n bytes, field:n: n bits
//
//   0                        1         2             3          4
//   2 | version:4 | type:4, 1 | vrid[1] | priority[1] | count[1] | auth type[1] | interval[1], s
//   3 | version:4 | type:4, 1 | vrid[1] | priority[1] | count[1] | 0:4 interval:12, 10 ms
//   6             8
//   | checksum[2] | address[4 or 16]... | version 2: password[8] |
#include "agent/engine/dissect/network/vrrp.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace vrrp {
namespace {

constexpr std::uint8_t kAdvertisement = 1, kPassword = 1;
constexpr std::size_t kMaxListed = 64;
constexpr Named kAuth[] = {{0, "none"}, {kPassword, "password"}, {2, "ah"}};

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto vrrp = parse_vrrp(bytes, context.source.ip.version);
  if (!vrrp) return vrrp.error();
  facts.record("vrrp");
  facts.add("version", vrrp->version);
  facts.add("vrid", vrrp->router_id);
  facts.add("priority", vrrp->priority);
  facts.add("interval_ms", vrrp->interval_ms);
  facts.open_array("addresses");
  Cursor cursor(vrrp->addresses);
  for (std::size_t i = 0; i < kMaxListed && !cursor.empty(); ++i) {
    const Bytes address = cursor.take(vrrp->address_size);
    facts.add("", vrrp->address_size == 4 ? IpAddress::v4(address.data())
                                          : IpAddress::v6(address.data()));
  }
  facts.close();
  if (vrrp->version == 2) tell_named(facts, "auth", kAuth, vrrp->auth_type);
  facts.learn(context.sender(), Attribute::router, true, "vrrp.vrid", Confidence::implied);
  if (vrrp->version == 2 && vrrp->auth_type == kPassword)
    facts.act(Act::Kind::weak_authentication, context.receiver(), context.sender(), "vrrp.auth");
  return Malformed::none;
}

constexpr Place kAt[] = {112};

}  // namespace
}  // namespace vrrp

Parsed<VrrpMessage> parse_vrrp(Bytes bytes, std::uint8_t ip_version) {
  Cursor cursor(bytes);
  VrrpMessage out;
  const std::uint8_t first = cursor.u8();
  out.version = first >> 4;
  out.router_id = cursor.u8();
  out.priority = cursor.u8();
  const std::size_t count = cursor.u8();
  if (out.version == 2) {
    out.auth_type = cursor.u8();
    out.interval_ms = cursor.u8() * 1000U;
  } else {
    out.interval_ms = (cursor.u16() & 0xfffU) * 10;
  }
  cursor.skip(2);
  if (!cursor.ok()) return bad(Malformed::truncated);
  if ((first & 15) != vrrp::kAdvertisement || (out.version != 2 && out.version != 3))
    return bad(Malformed::bad_value);
  out.address_size = ip_version == 6 ? 16 : 4;
  out.addresses = cursor.take(count * out.address_size);
  if (!cursor.ok()) return bad(Malformed::truncated);
  return out;
}

const Dissector kVrrp{
    .name = "vrrp", .carrier = Carrier::network, .at = vrrp::kAt, .dissect = vrrp::dissect};

}  // namespace vmirror
