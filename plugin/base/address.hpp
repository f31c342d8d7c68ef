// MAC and IP addresses as values: parsed from text, formatted to text, compared, hashed.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "plugin/base/cursor.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

/// An IEEE 802 MAC address.
struct Mac {
  std::array<std::uint8_t, 6> octets{};

  auto operator<=>(const Mac& other) const { return number() <=> other.number(); }
  bool operator==(const Mac& other) const { return number() == other.number(); }
  bool is_group() const { return (octets[0] & 1) != 0; }
  bool is_zero() const { return *this == Mac{}; }

  /// From six bytes on the wire.
  static Mac from(const std::uint8_t* p) {
    Mac mac;
    std::memcpy(mac.octets.data(), p, 6);
    return mac;
  }
  /// `52:54:00:12:34:56`; `-` as separator and either case are accepted. Error::Kind::invalid else.
  static Result<Mac> parse(std::string_view text);
  /// Lower case, separated by colons.
  std::string text() const;

  /// 0x525400123456 of 52:54:00:12:34:56. Compared where a packet is looked up, since the compiler
  /// calls memcmp for six octets.
  std::uint64_t number() const {
    return std::uint64_t{load_be16(octets.data())} << 32 | load_be32(octets.data() + 2);
  }
};

/// An IPv4 or IPv6 address. IPv4 is kept in the first four octets, the rest zero.
struct IpAddress {
  std::array<std::uint8_t, 16> octets{};
  std::uint8_t version = 0;  ///< 4, 6, or 0: no address

  auto operator<=>(const IpAddress&) const = default;
  bool operator==(const IpAddress& other) const {
    return halves() == other.halves() && version == other.version;
  }
  bool empty() const { return version == 0; }
  std::size_t size() const { return version == 4 ? 4 : version == 6 ? 16 : 0; }
  Bytes bytes() const { return {octets.data(), size()}; }
  /// 224.0.0.0/4, 255.255.255.255 or ff00::/8.
  bool is_group() const {
    return version == 4 ? octets[0] >= 224 && (octets[0] < 240 || octets[0] == 255)
                        : version == 6 && octets[0] == 0xff;
  }
  /// 0.0.0.0 or ::
  bool is_unspecified() const { return halves() == std::pair<std::uint64_t, std::uint64_t>{}; }
  /// 127.0.0.0/8 or ::1
  bool is_loopback() const {
    if (version == 4) return octets[0] == 127;
    std::array<std::uint8_t, 16> one{};
    one.back() = 1;
    return version == 6 && octets == one;
  }

  /// From four bytes on the wire.
  static IpAddress v4(const std::uint8_t* p) {
    IpAddress a;
    a.version = 4;
    std::memcpy(a.octets.data(), p, 4);
    return a;
  }
  /// From sixteen bytes on the wire.
  static IpAddress v6(const std::uint8_t* p) {
    IpAddress a;
    a.version = 6;
    std::memcpy(a.octets.data(), p, 16);
    return a;
  }
  /// Dotted quad, or RFC 4291 text without a zone. Error::Kind::invalid else.
  static Result<IpAddress> parse(std::string_view text);
  /// Dotted quad, or RFC 5952 text; empty for no address.
  std::string text() const;

  /// The octets as two numbers in the machine's byte order; see Mac::number.
  std::pair<std::uint64_t, std::uint64_t> halves() const {
    std::uint64_t first, second;
    std::memcpy(&first, octets.data(), 8);
    std::memcpy(&second, octets.data() + 8, 8);
    return {first, second};
  }
};

}  // namespace vmirror

template <>
struct std::hash<vmirror::Mac> {
  std::size_t operator()(const vmirror::Mac& mac) const noexcept {
    return mac.number() * 0x9e3779b97f4a7c15ULL >> 16;
  }
};
template <>
struct std::hash<vmirror::IpAddress> {
  std::size_t operator()(const vmirror::IpAddress& a) const noexcept {
    const auto [low, high] = a.halves();
    return ((low * 0x9e3779b97f4a7c15ULL) ^ (high + a.version)) * 0xff51afd7ed558ccdULL >> 16;
  }
};
