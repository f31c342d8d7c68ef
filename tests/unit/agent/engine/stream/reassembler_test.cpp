// Segments in, text out: what `next` gives is written as
//   c:hello s:world c:-5- c:!        bytes of client and server, -5-: a hole of five bytes, !:
//   restart
#include "agent/engine/stream/reassembler.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "agent/engine/wire/packet.hpp"

namespace vmirror {
namespace {

using namespace tcp_flag;

Bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// One connection, in numbers relative to the first byte of each side.
class Connection {
 public:
  explicit Connection(ReassemblyLimits limits = {}, std::uint32_t isn = 1000)
      : reassembler(limits), isn_(isn) {}

  void send(int side, std::uint32_t at, std::string_view text, std::uint32_t acked = 0,
            std::uint8_t flags = kAck, std::uint32_t cut = 0, Time time = 0) {
    const std::uint32_t syn = (flags & kSyn) ? 1 : 0;
    take(side, {isn_ + at - syn, isn_ + acked, flags, static_cast<std::uint32_t>(text.size()) + cut,
                bytes_of(text), time});
  }
  void take(int side, const Segment& segment) {
    reassembler.take(stream, side, segment);
    fetch();
  }
  void handshake() {
    send(0, 0, "", 0, kSyn);
    send(1, 0, "", 0, kSyn | kAck);
  }
  void flush() {
    reassembler.flush(stream);
    fetch();
  }
  void fetch() {
    while (const auto piece = reassembler.next(stream)) {
      const std::string_view got = as_text(piece->bytes);
      const std::string tag = piece->side == 0 ? "c:" : "s:";
      all[piece->side] += got;
      if (!out.empty()) out += ' ';
      out += tag + (piece->restarted ? "!"
                    : piece->gap     ? "-" + std::to_string(piece->gap) + "-"
                                     : std::string(got));
    }
  }

  Reassembler reassembler;
  TcpStream stream;
  std::string out;
  std::string all[2];

 private:
  std::uint32_t isn_;
};

TEST(Reassembler, InOrderBytesAreTheFramesOwn) {
  Reassembler reassembler;
  TcpStream stream;
  const Bytes text = bytes_of("hello");
  reassembler.take(stream, 0, {7, 0, kAck, 5, text, 0});
  const auto piece = reassembler.next(stream);
  ASSERT_TRUE(piece);
  EXPECT_EQ(piece->bytes.data(), text.data());
  EXPECT_FALSE(reassembler.next(stream));
  EXPECT_EQ(reassembler.chunks_in_use(), 0u);
}

TEST(Reassembler, BothSides) {
  Connection c;
  c.handshake();
  c.send(0, 0, "ask");
  c.send(1, 0, "answer", 3);
  c.send(0, 3, "more", 6);
  EXPECT_EQ(c.out, "c:ask s:answer c:more");
  EXPECT_EQ(c.reassembler.counters().midstream, 0u);
}

TEST(Reassembler, ALaterSegmentWaitsForTheHole) {
  Connection c;
  c.handshake();
  c.send(0, 3, "def");
  EXPECT_EQ(c.out, "");
  c.send(0, 0, "abc");
  EXPECT_EQ(c.out, "c:abc c:def");
  EXPECT_EQ(c.reassembler.counters().out_of_order, 1u);
  EXPECT_EQ(c.reassembler.chunks_in_use(), 0u);
}

TEST(Reassembler, OfWhatComesTwiceTheFirstCopyStays) {
  Connection c;
  c.handshake();
  c.send(0, 2, "CD");      // held
  c.send(0, 0, "abcdef");  // around it
  EXPECT_EQ(c.out, "c:ab c:CD c:ef");
  c.send(0, 0, "xxxxxx");  // again
  c.send(0, 4, "yyg");     // the last two again, and one new
  EXPECT_EQ(c.out, "c:ab c:CD c:ef c:g");
  EXPECT_EQ(c.reassembler.counters().retransmitted, 1u);
  EXPECT_EQ(c.reassembler.counters().overlapped_bytes, 2u + 6 + 2);
}

TEST(Reassembler, WhatTheReceiverHasAndWeDoNotIsAGap) {
  Connection c;
  c.handshake();
  c.send(0, 5, "world");
  EXPECT_EQ(c.out, "");
  c.send(1, 0, "ok", 10);  // It got all ten: the mirror lost five.
  EXPECT_EQ(c.out, "c:-5- c:world s:ok");
  EXPECT_EQ(c.reassembler.counters().gap_bytes, 5u);
  // The acknowledgement may also have come first.
  c.send(1, 2, "", 20);
  c.send(0, 15, "later");
  EXPECT_EQ(c.out, "c:-5- c:world s:ok c:-5- c:later");
  EXPECT_EQ(c.reassembler.counters().gaps, 2u);
}

TEST(Reassembler, AHoleIsNotWaitedForLongerThanItsBounds) {
  Connection c({.chunks = 8, .held_bytes = 10, .wait = 3 * kSecond});
  c.handshake();
  c.send(0, 1, "b", 0, kAck, 0, kSecond);
  c.send(0, 1, "", 0, kAck, 0, 4 * kSecond);
  EXPECT_EQ(c.out, "c:-1- c:b");
  EXPECT_EQ(c.reassembler.counters().limit_wait, 1u);

  c.send(0, 3, "0123456789");
  EXPECT_EQ(c.out, "c:-1- c:b");
  c.send(0, 14, "xy");  // No room to hold it.
  EXPECT_EQ(c.out, "c:-1- c:b c:-1- c:0123456789 c:-1- c:xy");
  EXPECT_EQ(c.reassembler.counters().limit_bytes, 1u);
}

TEST(Reassembler, AHoleIsNotWaitedForUntilAClockThatWasSetBackHasCaughtUp) {
  Connection c({.chunks = 8, .held_bytes = 10, .wait = 3 * kSecond});
  c.handshake();
  c.send(0, 1, "b", 0, kAck, 0, 7200 * kSecond);
  c.send(0, 1, "", 0, kAck, 0, kSecond);
  EXPECT_EQ(c.out, "");
  c.send(0, 1, "", 0, kAck, 0, 4 * kSecond);
  EXPECT_EQ(c.out, "c:-1- c:b");
}

TEST(Reassembler, WithoutChunksHolesArePassedOverAtOnce) {
  Connection c({.chunks = 1, .held_bytes = 100, .wait = kSecond});
  c.handshake();
  c.send(0, 2, "c");
  c.send(0, 4, "e");
  EXPECT_EQ(c.out, "c:-2- c:c c:-1- c:e");
  EXPECT_EQ(c.reassembler.counters().limit_chunks, 1u);
  EXPECT_EQ(c.reassembler.chunks_in_use(), 0u);
}

TEST(Reassembler, ACutCopyIsBytesAndAHole) {
  Connection c;
  c.handshake();
  c.send(0, 0, "abc", 0, kAck, 5);
  c.send(0, 8, "def");
  EXPECT_EQ(c.out, "c:abc c:-5- c:def");
  c.send(0, 13, "kl", 0, kAck, 2);  // held, and cut too
  c.send(0, 11, "ij");
  c.send(0, 17, "m");
  EXPECT_EQ(c.out, "c:abc c:-5- c:def c:ij c:kl c:-2- c:m");
  EXPECT_EQ(c.reassembler.counters().truncated_bytes, 7u);
}

TEST(Reassembler, PicksUpInTheMiddle) {
  Connection c;
  c.send(0, 500, "", 0);  // An acknowledgement says nothing of what comes.
  c.send(0, 501, "abc");
  c.send(1, 77, "def");
  EXPECT_EQ(c.out, "c:abc s:def");
  EXPECT_EQ(c.reassembler.counters().midstream, 2u);
}

TEST(Reassembler, ASynAnewRestarts) {
  Connection c;
  c.handshake();
  c.send(0, 0, "abc");
  c.send(0, 0, "", 0, kSyn);  // the old one again
  c.send(0, 5, "held");
  c.send(0, 0x40000000, "xyz", 0, kSyn);  // another, with data (TCP Fast Open)
  EXPECT_EQ(c.out, "c:abc c:! c:xyz");
  EXPECT_EQ(c.reassembler.counters().restarted, 1u);
  EXPECT_EQ(c.reassembler.chunks_in_use(), 0u);
}

TEST(Reassembler, AStraySegmentIsIgnoredAndThreeAreBelieved) {
  Connection c;
  c.handshake();
  c.send(0, 0, "abc");
  const std::uint32_t far = 0x40000000;
  c.send(0, far, "???");
  c.send(0, 3, "def");
  EXPECT_EQ(c.out, "c:abc c:def");
  c.send(0, far, "1");
  c.send(0, far + 1, "2");
  c.send(0, far + 2, "3");
  EXPECT_EQ(c.out, "c:abc c:def c:! c:3");
  EXPECT_EQ(c.reassembler.counters().out_of_window, 3u);
}

TEST(Reassembler, AResetOrTheEndGivesWhatIsHeld) {
  Connection c;
  c.handshake();
  c.send(0, 3, "abc");
  c.send(1, 0, "", 0, kRst);
  EXPECT_EQ(c.out, "c:-3- c:abc");
  c.send(1, 3, "def");
  c.flush();
  EXPECT_EQ(c.out, "c:-3- c:abc s:-3- s:def");
}

TEST(Reassembler, CloseGivesTheChunksBack) {
  Connection c;
  c.handshake();
  c.send(0, 3, "abc");
  c.send(1, 3, "abc");
  EXPECT_EQ(c.reassembler.chunks_in_use(), 2u);
  c.reassembler.close(c.stream);
  EXPECT_EQ(c.reassembler.chunks_in_use(), 0u);
}

/// Any segmentation, order, overlap and repetition of the same bytes gives the same bytes.
TEST(Reassembler, AnyWayOfSendingGivesTheSameBytes) {
  std::string text(9000, ' ');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
  std::mt19937 random(7);
  for (int round = 0; round < 400; ++round) {
    // Ranges that cover the text, some of them twice and overlapping.
    std::vector<std::pair<std::size_t, std::size_t>> segments;
    const std::size_t most = round % 2 ? 40 : 5000;
    const std::string_view all = std::string_view(text).substr(0, round % 2 ? 300 : 9000);
    for (std::size_t at = 0; at < all.size();) {
      const std::size_t size = 1 + random() % most;
      const std::size_t back = random() % 3 == 0 ? std::min<std::size_t>(at, random() % 30) : 0;
      segments.emplace_back(at - back, std::min(size + back, all.size() - at + back));
      if (random() % 5 == 0) segments.push_back(segments[random() % segments.size()]);
      at += size;
    }
    if (round % 4 >= 2) std::shuffle(segments.begin(), segments.end(), random);
    // The numbers wrap around inside of the text.
    Connection c({}, 0xffffffff - static_cast<std::uint32_t>(random() % all.size()));
    c.handshake();
    for (const auto& [at, size] : segments)
      c.send(0, static_cast<std::uint32_t>(at), all.substr(at, size));
    ASSERT_EQ(c.all[0], all) << round;
    ASSERT_EQ(c.reassembler.counters().gaps, 0u) << round;
    ASSERT_EQ(c.reassembler.chunks_in_use(), 0u) << round;
  }
}

/// Whatever is sent: each byte is given once, or is in a hole, and nothing is kept for ever.
TEST(Reassembler, GivesEachByteOnceOrSaysThatItIsMissing) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    Connection c({.chunks = 6, .held_bytes = 3000, .wait = 50});
    c.handshake();
    const std::string text(4000, 'x');
    std::uint32_t farthest = 0;
    for (int i = 0; i < 60; ++i) {
      const int side = static_cast<int>(random() % 2);
      const auto at = static_cast<std::uint32_t>(random() % 20000);
      const std::size_t size = random() % 3 ? random() % 1500 : random() % 4000;
      const auto cut = static_cast<std::uint32_t>(random() % 4 ? 0 : random() % 100);
      if (side == 0 && size + cut > 0)
        farthest = std::max(farthest, at + static_cast<std::uint32_t>(size) + cut);
      c.send(side, at, std::string_view(text).substr(0, size),
             static_cast<std::uint32_t>(random() % 20000), kAck, cut, i);
    }
    c.flush();
    ASSERT_EQ(c.stream.side[0].next - 1000, farthest) << round;
    ASSERT_EQ(c.reassembler.chunks_in_use(), 0u) << round;
    const ReassemblyCounters& n = c.reassembler.counters();
    ASSERT_EQ(c.all[0].size() + c.all[1].size() + n.gap_bytes,
              c.stream.side[0].next + c.stream.side[1].next - 2000)
        << round;
  }
}

/// State that is saved and restored elsewhere after any segment gives the same bytes.
TEST(Reassembler, GoesOnInAnotherReassemblerAtAnySegment) {
  std::string text(12000, ' ');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
  std::mt19937 random(13);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::size_t> order;
    for (std::size_t at = 0; at < text.size(); at += 500) order.push_back(at);
    std::shuffle(order.begin(), order.end(), random);
    auto c = std::make_unique<Connection>(ReassemblyLimits{}, 0xffffffff - 5000u);
    c->handshake();
    for (const std::size_t at : order) {
      auto other = std::make_unique<Connection>(ReassemblyLimits{}, 0xffffffff - 5000u);
      other->all[0] = c->all[0];
      for (const int side : {0, 1}) {
        const SavedSide saved = c->reassembler.save(c->stream, side);
        other->reassembler.restore(other->stream, side, saved);
        ASSERT_EQ(other->reassembler.save(other->stream, side), saved);
      }
      c = std::move(other);
      c->send(0, static_cast<std::uint32_t>(at), std::string_view(text).substr(at, 500));
    }
    ASSERT_EQ(c->all[0], text) << round;
    ASSERT_EQ(c->reassembler.counters().gaps, 0u) << round;
    ASSERT_EQ(c->reassembler.counters().midstream, 0u) << round;
    ASSERT_EQ(c->reassembler.chunks_in_use(), 0u) << round;
  }
}

TEST(Reassembler, RestoresOnlyWhatIsInOrderAndFits) {
  const auto run = [](std::uint32_t sequence, std::uint32_t wire_size, std::size_t size) {
    return SavedSide::Run{sequence, wire_size, std::vector<std::uint8_t>(size, 'x')};
  };
  struct Row {
    const char* name;
    std::vector<SavedSide::Run> held;
    std::vector<SavedSide::Run> kept;
  };
  const std::vector<Row> table = {
      {"in order", {run(1010, 5, 5), run(1020, 9, 3)}, {run(1010, 5, 5), run(1020, 9, 3)}},
      {"cut off by the mirror, all of it", {run(1010, 3000, 0)}, {run(1010, 3000, 0)}},
      {"longer than a chunk", {run(1010, 2040, 2040)}, {run(1010, 2032, 2032), run(3042, 8, 8)}},
      {"before what is to come", {run(990, 5, 5), run(1010, 5, 5)}, {run(1010, 5, 5)}},
      {"overlapping", {run(1010, 5, 5), run(1012, 5, 5)}, {run(1010, 5, 5)}},
      {"more bytes than the wire had", {run(1010, 4, 5)}, {}},
      {"nothing", {run(1010, 0, 0)}, {}},
      {"out of the window", {run(1000 + (17u << 20), 5, 5)}, {}},
      {"a size out of the window", {run(1010, 0xffffffff, 5)}, {}},
      {"more than a side may hold", {run(1010, 5, 5), run(1020, 9000, 0)}, {run(1010, 5, 5)}},
      {"more than there are chunks",
       {run(1010, 1, 1), run(1020, 1, 1), run(1030, 1, 1), run(1040, 1, 1)},
       {run(1010, 1, 1), run(1020, 1, 1), run(1030, 1, 1)}},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(row.name);
    Reassembler reassembler({.chunks = 3, .held_bytes = 8000});
    TcpStream stream;
    SavedSide saved;
    saved.open = true;
    saved.next = 1000;
    saved.held = row.held;
    reassembler.restore(stream, 1, saved);
    EXPECT_EQ(reassembler.save(stream, 1).held, row.kept);
    reassembler.close(stream);
    EXPECT_EQ(reassembler.chunks_in_use(), 0u);
  }
}

}  // namespace
}  // namespace vmirror
