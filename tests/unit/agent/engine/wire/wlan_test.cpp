// 802.11 data frames: which headers are read, and who sent the frame.
#include "agent/engine/wire/wlan.hpp"

#include <gtest/gtest.h>

#include "agent/engine/wire/packet.hpp"
#include "tests/support/encapsulate.hpp"

namespace vmirror {
namespace {

using namespace test;

/// A frame with this frame control, and `behind` the sequence number.
Buffer wlan(const char* control, const char* behind = "", const char* sequence = "1000") {
  return concat({hex(control), hex("0000 0a0000000001 0a0000000002 0a0000000003"), hex(sequence),
                 hex(behind), hex("aaaa03 000000 0800"), ip_part(udp_frame({}))});
}

TEST(Wlan, ReadsWholeDataFramesInClear) {
  const struct {
    const char* name;
    Buffer frame;
    int size;  // 0: not read
    int sender;
  } cases[] = {
      {"between stations", wlan("0800"), 24, 10},
      {"to the access point", wlan("0801"), 24, 10},
      {"from the access point", wlan("0802"), 24, 16},
      {"between access points", wlan("0803", "0a0000000004"), 30, 24},
      {"with QoS", wlan("8801", "0500"), 26, 10},
      {"with QoS and HT control", wlan("8881", "0500 00000000"), 30, 10},
      {"its first two bytes swapped", wlan("0108"), 24, 10},
      {"swapped, with QoS", wlan("0288", "0500"), 26, 16},
      {"a retry, swapped", wlan("0908"), 24, 10},
      {"a beacon", wlan("8000"), 0, 0},
      {"a beacon that is a retry", wlan("8008"), 0, 0},
      {"an acknowledgement", wlan("d400"), 0, 0},
      {"no data", wlan("4801"), 0, 0},
      {"QoS and no data", wlan("c801", "0500"), 0, 0},
      {"encrypted", wlan("0841"), 0, 0},
      {"encrypted, swapped", wlan("4108"), 0, 0},
      {"several frames in one", wlan("8801", "8500"), 0, 0},
      {"a first fragment", wlan("0805"), 0, 0},
      {"a later fragment", wlan("0801", "", "1100"), 0, 0},
      {"cut in the header", hex("0801 0000 0a0000000001 0a0000"), 0, 0},
  };
  for (const auto& c : cases) {
    const auto header = parse_wlan(c.frame);
    EXPECT_EQ(header ? header->size : 0, c.size) << c.name;
    EXPECT_EQ(header ? header->sender : 0, c.sender) << c.name;
    const Packet p = parse_packet(c.frame, LinkType::wlan);
    EXPECT_EQ(p.ip_version, c.size == 0 ? 0 : 4) << c.name;
    EXPECT_EQ(p.error, c.size == 0 ? HeaderError::link_truncated : HeaderError::none) << c.name;
    if (c.size == 0) continue;
    EXPECT_EQ(p.cooked_mac, c.sender) << c.name;
    EXPECT_EQ(p.network, c.size + 8) << c.name;
    EXPECT_EQ(p.protocol, ip_protocol::kUdp) << c.name;
  }
}

TEST(Wlan, CutAtEveryByteIsNotReadBeyond) {
  for (const Buffer& frame : {wlan("0803", "0a0000000004"), wlan("8881", "0500 00000000")})
    for (std::size_t size = 0; size < frame.size(); ++size) {
      const Buffer cut(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size));
      const auto header = parse_wlan(cut);
      EXPECT_TRUE(!header || header->size <= size) << size;
      const Packet p = parse_packet(cut, LinkType::wlan);
      EXPECT_LE(p.payload + p.payload_size, static_cast<int>(size)) << size;
    }
}

}  // namespace
}  // namespace vmirror
