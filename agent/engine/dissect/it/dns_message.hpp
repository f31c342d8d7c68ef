// The DNS message (RFC 1035, section 4), as DNS, mDNS and their kin have it: read piece by piece,
// in order, without a copy.
//
//   DnsReader reader(message);
//   const auto header = reader.header();
//   for (i < header->questions)                      reader.question()
//   for (i < header->answers + authorities + ...)    reader.resource()
//
// A name is up to 127 labels and as many pointers from where it begins: what is not told of is
// passed over with skip_question and skip_resource, which follow no pointer. A message of 64 KiB
// has room for 5,000 names, each of which may lead through the same long one.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

namespace dns_type {
constexpr std::uint16_t kA = 1, kNs = 2, kCname = 5, kSoa = 6, kPtr = 12, kMx = 15, kTxt = 16,
                        kAaaa = 28, kSrv = 33, kDname = 39, kOpt = 41;
}
/// "AAAA"; null for a type without a name here.
const char* dns_type_name(std::uint16_t type);

/// A domain name as text: labels joined by dots, "." for the root. Dots and backslashes inside a
/// label have a backslash in front (RFC 1035, section 5.1); other octets are as they came.
struct DnsName {
  static constexpr std::size_t kMaxWire = 255;  ///< Octets, RFC 1035, section 2.3.4.
  /// As many as labels of one octet fit: more are there to keep a reader busy.
  static constexpr int kMaxPointers = 127;
  char data[2 * kMaxWire];
  std::uint16_t size = 0;
  std::string_view text() const { return {data, size}; }
};

struct DnsHeader {
  std::uint16_t id = 0, flags = 0;
  std::uint16_t questions = 0, answers = 0, authorities = 0, additionals = 0;
  bool response() const { return (flags & 0x8000) != 0; }
  int opcode() const { return flags >> 11 & 15; }
  bool authoritative() const { return (flags & 0x0400) != 0; }
  bool truncated() const { return (flags & 0x0200) != 0; }
  bool recursion_desired() const { return (flags & 0x0100) != 0; }
  bool recursion_available() const { return (flags & 0x0080) != 0; }
  int rcode() const { return flags & 15; }
};

struct DnsQuestion {
  DnsName name;
  std::uint16_t type = 0, cls = 0;
};

struct DnsResource {
  DnsName name;
  std::uint16_t type = 0, cls = 0;
  std::uint32_t ttl = 0;
  Bytes data;
  std::size_t at = 0;  ///< Where `data` begins in the message: for names in it.
};

class DnsReader {
 public:
  explicit DnsReader(Bytes message) : message_(message) {}

  /// These move on behind what they read. truncated; bad_value: a pointer that does not lead
  /// backwards, or a label of unknown kind; too_deep: a name over kMaxWire octets or kMaxPointers.
  Parsed<DnsHeader> header();
  Parsed<DnsQuestion> question();
  Parsed<DnsResource> resource();
  /// The same without the name: only the part that stands there itself is checked.
  Malformed skip_question();
  Malformed skip_resource();
  /// The name at any offset of the message.
  Parsed<DnsName> name(std::size_t at) const;
  /// Bytes not read yet.
  std::size_t left() const { return message_.size() - at_; }

 private:
  enum class Pointers : bool { pass, follow };
  Malformed read_name(std::size_t& at, DnsName& out, Pointers pointers) const;
  Malformed read(DnsQuestion& out, Pointers pointers);
  Malformed read(DnsResource& out, Pointers pointers);
  Bytes message_;
  std::size_t at_ = 0;
};

/// Reads the resource's data and adds it as `rdata`: an address, a name, a text, or an object for
/// SRV and SOA; other types add nothing. Returns it where it is an address or a text. An error
/// where the data is not what the type says.
Parsed<Value> tell_dns_data(const DnsReader& reader, const DnsResource& resource, Facts& facts);

/// Adds an object with rrname, rrtype, ttl and rdata to the open array. As `tell_dns_data`.
Parsed<Value> tell_dns_resource(const DnsReader& reader, const DnsResource& resource, Facts& facts);

/// The resources of a section that are told; those behind them are passed over.
constexpr int kMaxDnsListed = 64;

/// Adds the next `count` resources as the array `name`: those that `wants(resource)` is true for,
/// kMaxDnsListed at most. Calls `learn(resource, data)` for each that was told. Adds nothing where
/// `count` is 0; ends at the first fault, and returns it.
template <typename Wants, typename Learn>
Malformed tell_dns_section(DnsReader& reader, const char* name, int count, Facts& facts,
                           const Wants& wants, const Learn& learn) {
  if (count == 0) return Malformed::none;
  Malformed malformed = Malformed::none;
  facts.open_array(name);
  for (int i = 0; i < count && malformed == Malformed::none; ++i) {
    if (i >= kMaxDnsListed) {
      malformed = reader.skip_resource();
      continue;
    }
    const auto resource = reader.resource();
    if (!resource) malformed = resource.error();
    if (!resource || !wants(*resource)) continue;
    const auto data = tell_dns_resource(reader, *resource, facts);
    if (!data) malformed = data.error();
    if (data) learn(*resource, *data);
  }
  facts.close();
  return malformed;
}

/// Adds a type's name as text ("TYPE65280" for one without, RFC 3597).
void tell_dns_type(std::uint16_t type, Facts& facts);

/// The address that a name under in-addr.arpa or ip6.arpa stands for; empty for other names.
IpAddress reverse_address(std::string_view name);

}  // namespace vmirror
