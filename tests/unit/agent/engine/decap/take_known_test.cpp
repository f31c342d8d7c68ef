// take_known gives what parse_packet and take give, or declines: over every wrapping, every cut of
// an ERSPAN II copy, and every bit of its envelope.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "agent/engine/decap/envelope.hpp"
#include "tests/support/encapsulate.hpp"

namespace vmirror {
namespace {

using namespace test;

std::string text_of(const Frame& frame, const Packet& packet, const Origin& origin) {
  std::string out(frame.bytes.begin(), frame.bytes.end());
  for (const std::uint64_t v :
       {std::uint64_t{frame.wire_size}, std::uint64_t{frame.stripped.tpid},
        std::uint64_t{frame.stripped.tci}, static_cast<std::uint64_t>(frame.time),
        static_cast<std::uint64_t>(frame.link), static_cast<std::uint64_t>(packet.error),
        std::uint64_t{packet.payload}, std::uint64_t{packet.payload_size},
        std::uint64_t{packet.payload_wire_size}, std::uint64_t{packet.vlan()},
        static_cast<std::uint64_t>(origin.encapsulation), std::uint64_t{origin.has_session},
        std::uint64_t{origin.truncated}, std::uint64_t{origin.depth}, std::uint64_t{origin.session},
        std::uint64_t{origin.port_index}, std::uint64_t{origin.vlan}})
    out += "|" + std::to_string(v);
  return out + "|" + origin.sender.text();
}

std::string counts_of(const Decapsulator& decap) {
  std::string out;
  for (const SessionCounters& s : decap.sessions())
    for (const std::uint64_t v :
         {std::uint64_t{s.session}, s.received, s.bytes, s.sequence.lost, s.sequence.reordered,
          s.sequence.duplicate, s.sequence.restarts, static_cast<std::uint64_t>(s.rule),
          s.truncated, static_cast<std::uint64_t>(s.last)})
      out += std::to_string(v) + " ";
  for (const std::uint64_t v : decap.taken_off()) out += std::to_string(v) + " ";
  return out;
}

/// Both ways, each with a decapsulator of its own that has seen the same before.
struct Pair {
  Decapsulator quick{{}}, slow{{}};
  int taken_quickly = 0, gone_on = 0;

  void take(const Buffer& bytes, Time time) {
    const Frame frame = frame_of(bytes, time);
    const Packet packet = parse_packet(frame.bytes, frame.link);
    const Decapsulated expected = slow.take(frame, packet);
    Frame inner;
    Packet inner_packet;
    Origin origin;
    const Shortcut shortcut =
        may_be_erspan2(frame) ? take_known(quick.envelopes(), frame, inner, inner_packet, origin)
                              : Shortcut::none;
    Decapsulated result;
    result.frame = inner;
    result.packet = inner_packet;
    result.origin = origin;
    if (shortcut == Shortcut::none) result = quick.take(frame, packet);
    if (shortcut == Shortcut::outermost)
      result = quick.take_inner(frame, inner, inner_packet, origin);
    taken_quickly += shortcut == Shortcut::whole ? 1 : 0;
    gone_on += shortcut == Shortcut::outermost ? 1 : 0;
    ASSERT_EQ(result.status, expected.status);
    EXPECT_EQ(result.frames, expected.frames);
    EXPECT_EQ(result.drop, expected.drop);
    if (expected.status == Decapsulated::Status::frame) {
      EXPECT_EQ(text_of(result.frame, result.packet, result.origin),
                text_of(expected.frame, expected.packet, expected.origin));
    }
    EXPECT_EQ(counts_of(quick), counts_of(slow));
  }
};

Buffer copy(const Erspan2& header, std::uint32_t sequence, Bytes frame) {
  return outer_frame({}, ip_protocol::kGre,
                     gre({.protocol = 0x88be, .sequence = sequence}, erspan2(header, frame)));
}

const Buffer kFrame = udp_frame({}, counting(100));

TEST(TakeAgain, IsTheSameForEveryWrapping) {
  for (const Wrapping& way : wrappings()) {
    SCOPED_TRACE(way.name);
    Pair pair;
    for (std::uint32_t sequence : {7u, 8u, 9u, 12u, 11u, 12u})
      for (const Buffer& bytes : way.wrap(kFrame, sequence)) pair.take(bytes, sequence);
  }
}

TEST(TakeAgain, KnowsTheSessionFromItsSecondFrameOn) {
  Pair pair;
  for (std::uint32_t i = 0; i < 10; ++i) pair.take(copy({.session = 5}, i, kFrame), i);
  EXPECT_EQ(pair.taken_quickly, 9);
  pair.take(copy({.session = 6}, 0, kFrame), 11);
  EXPECT_EQ(pair.taken_quickly, 9) << "another session";
}

TEST(TakeAgain, ReadsWhatChangesFromFrameToFrame) {
  const std::vector<Erspan2> headers = {
      {.session = 5},
      {.session = 5, .vlan = 100, .cos = 3, .en = 2, .index = 77},
      {.session = 5, .vlan = 100, .en = 1},
      {.session = 5, .vlan = 100, .en = 3, .truncated = true},
  };
  Pair pair;
  for (std::uint32_t i = 0; i < 20; ++i) pair.take(copy(headers[i % 4], i, kFrame), i);
  EXPECT_EQ(pair.taken_quickly, 19);
}

TEST(TakeAgain, GoesOnWithFurtherEncapsulations) {
  const std::vector<Buffer> halves =
      fragments(wrapping("erspan3").wrap(udp_frame({}, counting(900)), 1)[0], 600);
  const std::vector<Buffer> inside = {
      kFrame,
      copy({.session = 9}, 1, kFrame),
      wrapping("vxlan").wrap(kFrame, 1)[0],
      fragments(udp_frame({}, counting(2000)), 800)[1],
      halves[0],
      halves[1],
  };
  Pair pair;
  for (std::uint32_t i = 0; i < inside.size(); ++i)
    pair.take(copy({.session = 5}, i, inside[i]), i);
  EXPECT_EQ(pair.taken_quickly, 0);
  EXPECT_EQ(pair.gone_on, 5);
}

TEST(TakeAgain, IsTheSameAtEveryCutAndForEveryBit) {
  const Buffer whole = copy({.session = 5}, 3, kFrame);
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    SCOPED_TRACE(size);
    Pair pair;
    pair.take(copy({.session = 5}, 1, kFrame), 1);
    pair.take(Buffer(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)), 2);
  }
  for (std::size_t bit = 0; bit < 64 * 8; ++bit) {
    SCOPED_TRACE(bit);
    Pair pair;
    pair.take(copy({.session = 5}, 1, kFrame), 1);
    Buffer changed = whole;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    pair.take(changed, 2);
  }
}

TEST(TakeAgain, NeverTakesARefusedSession) {
  Decapsulator decap({.sessions = {6}});
  for (std::uint32_t i = 0; i < 3; ++i) {
    const Buffer bytes = copy({.session = 5}, i, kFrame);
    const Frame frame = frame_of(bytes, i);
    Frame inner;
    Packet packet;
    Origin origin;
    EXPECT_TRUE(may_be_erspan2(frame));
    EXPECT_EQ(take_known(decap.envelopes(), frame, inner, packet, origin), Shortcut::none);
    EXPECT_EQ(decap.take(frame, parse_packet(frame.bytes, frame.link)).drop, Drop::unknown_session);
  }
}

}  // namespace
}  // namespace vmirror
