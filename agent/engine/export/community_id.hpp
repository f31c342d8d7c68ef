// Community ID, version 1: a flow's name that Zeek, Suricata and others give it, too. With seed 0.
//
//   field[n]: n bytes
//
//   1:BASE64(SHA1(| seed[2] | address[4] | address[4] | protocol[1] | 00 | port[2] | port[2] |))
//
// Addresses of IPv6 have 16 bytes.
//
// The lesser endpoint comes first, so that both directions have one name. ICMP has types in place
// of ports: a question's, and its answer's; a message that has no answer is not turned, and has its
// code as the second. Other protocols have no ports.
// Source: Community ID Flow Hashing, https://github.com/corelight/community-id-spec
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "plugin/base/address.hpp"

namespace vmirror {

/// The text, without memory of its own.
class CommunityId {
 public:
  std::string_view text() const { return {text_.data(), size_}; }

 private:
  friend CommunityId community_id(const IpAddress&, const IpAddress&, std::uint16_t, std::uint16_t,
                                  std::uint8_t);
  std::array<char, 32> text_{};
  std::size_t size_ = 0;
};

/// Of a frame's or a flow's endpoints, seen from either side. Ports of ICMP as in EventHead: the
/// source's is type<<8|code. Empty below IP.
CommunityId community_id(const IpAddress& source, const IpAddress& destination,
                         std::uint16_t source_port, std::uint16_t destination_port,
                         std::uint8_t protocol);

/// The IDs of the flows that were asked for last: a flow has many events, and the digest takes
/// longer than any other part of an event. One thread.
class CommunityIds {
 public:
  /// As community_id. Good until the next call.
  const CommunityId& of(const IpAddress& source, const IpAddress& destination,
                        std::uint16_t source_port, std::uint16_t destination_port,
                        std::uint8_t protocol);

  static constexpr std::size_t kKept = 1024;

 private:
  struct Kept {
    IpAddress source, destination;
    std::uint16_t source_port = 0, destination_port = 0;
    std::uint8_t protocol = 0xff;  ///< Of no flow.
    CommunityId id;
  };
  std::vector<Kept> kept_ = std::vector<Kept>(kKept);  ///< Each has one place.
};

}  // namespace vmirror
