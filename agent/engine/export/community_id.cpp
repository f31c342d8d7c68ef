#include "agent/engine/export/community_id.hpp"

// The functions of one digest allocate nothing; those that replace them do, at each call.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <tuple>
#include <utility>

#include "agent/engine/wire/packet.hpp"

namespace vmirror {
namespace {

/// The type of the message that answers this one, or that it answers (RFC 792, RFC 950, RFC 1256;
/// RFC 4443, RFC 4861, RFC 2710, RFC 4620, RFC 6275).
std::optional<std::uint16_t> counterpart(std::uint8_t protocol, std::uint16_t type) {
  using Pair = std::pair<std::uint16_t, std::uint16_t>;
  static constexpr Pair kFour[] = {{8, 0}, {13, 14}, {15, 16}, {17, 18}, {10, 9}};
  static constexpr Pair kSix[] = {{128, 129}, {133, 134}, {135, 136},
                                  {130, 131}, {139, 140}, {144, 145}};
  const auto in = [&](const auto& pairs) -> std::optional<std::uint16_t> {
    for (const auto& [a, b] : pairs) {
      if (type == a) return b;
      if (type == b) return a;
    }
    return std::nullopt;
  };
  return protocol == ip_protocol::kIcmp ? in(kFour) : in(kSix);
}

std::array<std::uint8_t, 20> sha1(Bytes data) {
  std::array<std::uint8_t, SHA_DIGEST_LENGTH> out{};
  SHA_CTX context;
  SHA1_Init(&context);
  SHA1_Update(&context, data.data(), data.size());
  SHA1_Final(out.data(), &context);
  return out;
}

}  // namespace

CommunityId community_id(const IpAddress& source, const IpAddress& destination,
                         std::uint16_t source_port, std::uint16_t destination_port,
                         std::uint8_t protocol) {
  if (source.empty() || source.version != destination.version || protocol == ip_protocol::kNone)
    return {};
  bool turn = std::tie(destination.octets, destination_port) < std::tie(source.octets, source_port);
  bool ports = protocol == ip_protocol::kTcp || protocol == ip_protocol::kUdp ||
               protocol == ip_protocol::kSctp;
  if (protocol == ip_protocol::kIcmp || protocol == ip_protocol::kIcmpv6) {
    const std::uint16_t type = source_port >> 8, code = source_port & 0xff;
    const auto other = counterpart(protocol, type);
    source_port = type;
    destination_port = other.value_or(code);
    turn = other &&
           std::tie(destination.octets, destination_port) < std::tie(source.octets, source_port);
    ports = true;
  }
  const IpAddress *first = &source, *second = &destination;
  if (turn) {
    std::swap(first, second);
    std::swap(source_port, destination_port);
  }
  std::array<std::uint8_t, 2 + 16 + 16 + 2 + 4> data{};
  std::uint8_t* at = data.data() + 2;
  for (const IpAddress* address : {first, second}) at = std::ranges::copy(address->bytes(), at).out;
  *at = protocol;
  at += 2;
  if (ports) {
    store_be16(at, source_port);
    store_be16(at + 2, destination_port);
    at += 4;
  }
  const auto hash = sha1({data.data(), static_cast<std::size_t>(at - data.data())});
  CommunityId out;
  out.text_[0] = '1';
  out.text_[1] = ':';
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.text_.data() + 2),
                                   hash.data(), static_cast<int>(hash.size()));
  out.size_ = 2 + static_cast<std::size_t>(size);
  return out;
}

const CommunityId& CommunityIds::of(const IpAddress& source, const IpAddress& destination,
                                    std::uint16_t source_port, std::uint16_t destination_port,
                                    std::uint8_t protocol) {
  const auto [a, b] = source.halves();
  const auto [c, d] = destination.halves();
  const std::uint64_t ends =
      (a ^ b) + std::rotl(c ^ d, 23) + source_port + (std::uint64_t{destination_port} << 16);
  constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;
  Kept& kept = kept_[(ends * kGolden >> 32) % kKept];
  if (kept.protocol != protocol || kept.source_port != source_port ||
      kept.destination_port != destination_port || kept.source != source ||
      kept.destination != destination)
    kept = {
        source,      destination,
        source_port, destination_port,
        protocol,    community_id(source, destination, source_port, destination_port, protocol)};
  return kept.id;
}

}  // namespace vmirror
