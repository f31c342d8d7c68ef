// RFC 1035, section 4.1; SRV: RFC 2782; AAAA: RFC 3596.
//
//   field[n]: n bytes, field:n: n bits
//
//   header    | id[2] | QR:1 opcode:4 AA:1 TC:1 RD:1 RA:1 Z:1 AD:1 CD:1 rcode:4 |
//             | questions[2] | answers[2] | authorities[2] | additional[2] |
//   question  | name | type[2] | class[2] |
//   resource  | name | type[2] | class[2] | ttl[4] | size[2] | data[size] |
//   name      labels, then the root or a pointer
//   label     | bits 00 | size:6, not 0 | text[size] |
//   root      | bits 00000000 |
//   pointer   | bits 11 | offset in the message:14 |
#include "agent/engine/dissect/it/dns_message.hpp"

#include <cstring>

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace dns_message {
namespace {

constexpr Named kTypes[] = {
    {1, "A"},           {2, "NS"},          {5, "CNAME"},   {6, "SOA"},     {10, "NULL"},
    {12, "PTR"},        {13, "HINFO"},      {15, "MX"},     {16, "TXT"},    {17, "RP"},
    {18, "AFSDB"},      {24, "SIG"},        {25, "KEY"},    {28, "AAAA"},   {29, "LOC"},
    {33, "SRV"},        {35, "NAPTR"},      {36, "KX"},     {37, "CERT"},   {39, "DNAME"},
    {41, "OPT"},        {42, "APL"},        {43, "DS"},     {44, "SSHFP"},  {45, "IPSECKEY"},
    {46, "RRSIG"},      {47, "NSEC"},       {48, "DNSKEY"}, {49, "DHCID"},  {50, "NSEC3"},
    {51, "NSEC3PARAM"}, {52, "TLSA"},       {53, "SMIMEA"}, {55, "HIP"},    {59, "CDS"},
    {60, "CDNSKEY"},    {61, "OPENPGPKEY"}, {62, "CSYNC"},  {63, "ZONEMD"}, {64, "SVCB"},
    {65, "HTTPS"},      {99, "SPF"},        {108, "EUI48"}, {109, "EUI64"}, {249, "TKEY"},
    {250, "TSIG"},      {251, "IXFR"},      {252, "AXFR"},  {255, "ANY"},   {256, "URI"},
    {257, "CAA"},       {32769, "DLV"}};

Parsed<Value> tell_name(const DnsReader& reader, std::size_t at, const char* field, Facts& facts) {
  const auto name = reader.name(at);
  if (!name) return bad(name.error());
  const std::string_view text = facts.keep(name->text());
  facts.add(field, text);
  return Value::of(text);
}

Parsed<Value> tell_text(Bytes data, Facts& facts) {
  // Character strings, joined: what most writers of TXT mean (RFC 7208, section 3.3).
  char joined[kMaxText];
  std::size_t size = 0;
  Cursor cursor(data);
  while (!cursor.empty()) {
    const std::string_view part = as_text(cursor.take(cursor.u8()));
    size += part.copy(joined + size, sizeof joined - size);
  }
  if (!cursor.ok()) return bad(Malformed::bad_length);
  const std::string_view text = facts.keep({joined, size});
  facts.add("rdata", text);
  return Value::of(text);
}

Parsed<Value> tell_service(const DnsReader& reader, const DnsResource& resource, Facts& facts) {
  Cursor cursor(resource.data);
  facts.open_object("srv");
  facts.add("priority", cursor.u16());
  facts.add("weight", cursor.u16());
  facts.add("port", cursor.u16());
  const auto name = cursor.ok() ? tell_name(reader, resource.at + 6, "name", facts)
                                : Parsed<Value>(bad(Malformed::bad_length));
  facts.close();
  return name ? Value{} : name;
}

Parsed<Value> tell_authority(const DnsReader& reader, const DnsResource& resource, Facts& facts) {
  facts.open_object("soa");
  const auto name = tell_name(reader, resource.at, "mname", facts);
  facts.close();
  return name ? Value{} : name;
}

}  // namespace
}  // namespace dns_message

const char* dns_type_name(std::uint16_t type) {
  return name_of(dns_message::kTypes, type);
}

/// Pointers::pass: `out` is the name up to its first pointer.
Malformed DnsReader::read_name(std::size_t& at, DnsName& out, Pointers pointers) const {
  std::size_t here = at;
  std::size_t wire = 1;
  std::size_t lowest = at;  // Each pointer leads to before all that was read: so it ends.
  int jumps = 0;
  out.size = 0;
  for (;;) {
    if (here >= message_.size()) return Malformed::truncated;
    const std::uint8_t length = message_[here];
    if ((length & 0xc0) == 0xc0) {
      if (here + 2 > message_.size()) return Malformed::truncated;
      const std::size_t target = load_be16(&message_[here]) & 0x3fff;
      if (target >= lowest) return Malformed::bad_value;
      if (jumps == 0) at = here + 2;
      if (pointers == Pointers::pass) return Malformed::none;
      if (++jumps > DnsName::kMaxPointers) return Malformed::too_deep;
      here = lowest = target;
      continue;
    }
    if (length > 63) return Malformed::bad_value;
    if (length == 0) break;
    if (here + 1 + length > message_.size()) return Malformed::truncated;
    wire += 1 + length;
    if (wire > DnsName::kMaxWire) return Malformed::too_deep;
    if (out.size > 0) out.data[out.size++] = '.';
    for (const char c : as_text(message_.subspan(here + 1, length))) {
      if (c == '.' || c == '\\') out.data[out.size++] = '\\';
      out.data[out.size++] = c;
    }
    here += 1 + length;
  }
  if (jumps == 0) at = here + 1;
  if (out.size == 0) out.data[out.size++] = '.';
  return Malformed::none;
}

Parsed<DnsName> DnsReader::name(std::size_t at) const {
  DnsName out;
  const Malformed malformed = read_name(at, out, Pointers::follow);
  if (malformed != Malformed::none) return bad(malformed);
  return out;
}

Parsed<DnsHeader> DnsReader::header() {
  Cursor cursor(message_);
  DnsHeader out;
  out.id = cursor.u16();
  out.flags = cursor.u16();
  out.questions = cursor.u16();
  out.answers = cursor.u16();
  out.authorities = cursor.u16();
  out.additionals = cursor.u16();
  if (!cursor.ok()) return bad(Malformed::truncated);
  at_ = cursor.offset();
  return out;
}

Malformed DnsReader::read(DnsQuestion& out, Pointers pointers) {
  const Malformed malformed = read_name(at_, out.name, pointers);
  if (malformed != Malformed::none) return malformed;
  Cursor cursor(message_.subspan(at_));
  out.type = cursor.u16();
  out.cls = cursor.u16();
  if (!cursor.ok()) return Malformed::truncated;
  at_ += cursor.offset();
  return Malformed::none;
}

Malformed DnsReader::read(DnsResource& out, Pointers pointers) {
  const Malformed malformed = read_name(at_, out.name, pointers);
  if (malformed != Malformed::none) return malformed;
  Cursor cursor(message_.subspan(at_));
  out.type = cursor.u16();
  out.cls = cursor.u16();
  out.ttl = cursor.u32();
  const std::uint16_t size = cursor.u16();
  out.at = at_ + cursor.offset();
  out.data = cursor.take(size);
  if (!cursor.ok()) return Malformed::truncated;
  at_ += cursor.offset();
  return Malformed::none;
}

Parsed<DnsQuestion> DnsReader::question() {
  DnsQuestion out;
  const Malformed malformed = read(out, Pointers::follow);
  if (malformed != Malformed::none) return bad(malformed);
  return out;
}

Parsed<DnsResource> DnsReader::resource() {
  DnsResource out;
  const Malformed malformed = read(out, Pointers::follow);
  if (malformed != Malformed::none) return bad(malformed);
  return out;
}

Malformed DnsReader::skip_question() {
  DnsQuestion out;
  return read(out, Pointers::pass);
}

Malformed DnsReader::skip_resource() {
  DnsResource out;
  return read(out, Pointers::pass);
}

Parsed<Value> tell_dns_data(const DnsReader& reader, const DnsResource& resource, Facts& facts) {
  const auto address = [&](std::size_t size) -> Parsed<Value> {
    if (resource.data.size() != size) return bad(Malformed::bad_length);
    const std::uint8_t* p = resource.data.data();
    const IpAddress ip = size == 4 ? IpAddress::v4(p) : IpAddress::v6(p);
    facts.add("rdata", ip);
    return Value::of(ip);
  };
  if (resource.data.empty()) return Value{};  // RFC 2136: an update's prerequisite or deletion.
  switch (resource.type) {
    case dns_type::kA:
      return address(4);
    case dns_type::kAaaa:
      return address(16);
    case dns_type::kNs:
    case dns_type::kCname:
    case dns_type::kPtr:
    case dns_type::kDname:
      return dns_message::tell_name(reader, resource.at, "rdata", facts);
    case dns_type::kMx:
      if (resource.data.size() < 3) return bad(Malformed::bad_length);
      return dns_message::tell_name(reader, resource.at + 2, "rdata", facts);
    case dns_type::kTxt:
      return dns_message::tell_text(resource.data, facts);
    case dns_type::kSrv:
      return dns_message::tell_service(reader, resource, facts);
    case dns_type::kSoa:
      return dns_message::tell_authority(reader, resource, facts);
    default:
      return Value{};
  }
}

Parsed<Value> tell_dns_resource(const DnsReader& reader, const DnsResource& resource,
                                Facts& facts) {
  facts.open_object("");
  facts.add("rrname", facts.keep(resource.name.text()));
  tell_dns_type(resource.type, facts);
  facts.add("ttl", resource.ttl);
  const auto data = tell_dns_data(reader, resource, facts);
  facts.close();
  return data;
}

void tell_dns_type(std::uint16_t type, Facts& facts) {
  const char* name = dns_type_name(type);
  facts.add("rrtype", name ? std::string_view(name) : keep_number(facts, "TYPE", type));
}

IpAddress reverse_address(std::string_view name) {
  const auto labels = [&](std::string_view zone, std::size_t octets, int base, auto&& put) -> bool {
    if (!name.ends_with(zone)) return false;
    std::string_view rest = name.substr(0, name.size() - zone.size());
    for (std::size_t i = octets; i-- > 0;) {
      const std::string_view label = rest.substr(0, rest.find('.'));
      unsigned value = 0;
      const auto [end, error] =
          std::from_chars(label.data(), label.data() + label.size(), value, base);
      if (error != std::errc{} || end != label.data() + label.size()) return false;
      if (value > (base == 10 ? 255u : 15u)) return false;
      put(i, static_cast<std::uint8_t>(value));
      rest = rest.substr(std::min(rest.size(), label.size() + 1));
    }
    return rest.empty();
  };
  std::array<std::uint8_t, 16> octets{};
  if (labels(".in-addr.arpa", 4, 10, [&](std::size_t i, std::uint8_t v) { octets[i] = v; }))
    return IpAddress::v4(octets.data());
  octets = {};
  const auto nibble = [&](std::size_t i, std::uint8_t v) {
    octets[i / 2] = static_cast<std::uint8_t>(octets[i / 2] | (i % 2 == 0 ? v << 4 : v));
  };
  return labels(".ip6.arpa", 32, 16, nibble) ? IpAddress::v6(octets.data()) : IpAddress{};
}

}  // namespace vmirror
