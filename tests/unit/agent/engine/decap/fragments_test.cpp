// Outer fragments, through the decapsulator: what is joined, what is held, what is given up, and
// that every fragment is accounted for.
#include "agent/engine/decap/fragments.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "agent/engine/decap/decap.hpp"
#include "tests/support/encapsulate.hpp"

namespace vmirror {
namespace {

using namespace test;
using Status = Decapsulated::Status;

/// Counts like the engine does, so that the balance can be checked.
struct FragmentBench {
  explicit FragmentBench(DecapOptions options = {.accept_bare = false})
      : decapsulator(std::move(options)) {}

  Status take(Bytes bytes, Time time = 0) {
    const Frame f = frame_of(bytes, time);
    ++counters.received;
    const Decapsulated d = decapsulator.take(f, parse_packet(f.bytes, f.link));
    switch (d.status) {
      case Status::frame:
        counters.analysed += d.frames;
        out.assign(d.frame.bytes.begin(), d.frame.bytes.end());
        break;
      case Status::drop:
        counters.drop(d.drop, d.frames);
        error = d.error;
        break;
      case Status::held:
        break;
    }
    counters.held = counters.received - counters.analysed - counters.dropped_total();
    return d.status;
  }
  std::uint64_t dropped(Drop kind) const {
    return counters.dropped[static_cast<std::size_t>(kind)];
  }

  Decapsulator decapsulator;
  FrameCounters counters;
  Buffer out;
  DecapError error = DecapError::none;
};

const Buffer kFragmented = udp_frame({}, counting(3000));
std::vector<Buffer> pieces(std::uint32_t id = 7, std::size_t size = 1000, bool ipv6 = false) {
  const Wrapping& w = wrapping(ipv6 ? "erspan2_ipv6" : "erspan2_ipv4_options");
  return fragments(w.wrap(kFragmented, id).front(), size, id);
}

TEST(Fragments, JoinInAnyOrder) {
  for (const bool ipv6 : {false, true}) {
    std::vector<Buffer> parts = pieces(7, 800, ipv6);
    ASSERT_EQ(parts.size(), 4u);
    std::vector<int> order{0, 1, 2, 3};
    do {
      FragmentBench bench;
      for (int i = 0; i < 3; ++i)
        EXPECT_EQ(bench.take(parts[static_cast<std::size_t>(order[i])]), Status::held);
      EXPECT_EQ(bench.counters.held, 3u);
      EXPECT_EQ(bench.take(parts[static_cast<std::size_t>(order[3])]), Status::frame);
      EXPECT_EQ(bench.out, kFragmented);
      EXPECT_EQ(bench.counters.analysed, 4u);
      EXPECT_EQ(bench.counters.held, 0u);
    } while (std::next_permutation(order.begin(), order.end()));
  }
}

TEST(Fragments, JoinInterleavedDatagrams) {
  FragmentBench bench;
  const auto a = pieces(1), b = pieces(2), c = pieces(3, 1000, true);
  for (std::size_t i = 0; i < a.size(); ++i)
    for (const auto& parts : {a, b, c})
      EXPECT_EQ(bench.take(parts[i]), i + 1 < a.size() ? Status::held : Status::frame);
  EXPECT_EQ(bench.counters.analysed, 12u);
}

TEST(Fragments, ARepeatedFragmentChangesNothing) {
  FragmentBench bench;
  const auto parts = pieces();
  EXPECT_EQ(bench.take(parts[0]), Status::held);
  EXPECT_EQ(bench.take(parts[0]), Status::held);
  for (std::size_t i = 1; i < parts.size(); ++i) bench.take(parts[i]);
  EXPECT_EQ(bench.out, kFragmented);
  EXPECT_EQ(bench.counters.analysed, parts.size() + 1);
}

TEST(Fragments, AnOverlapEndsTheDatagram) {
  const auto coarse = pieces(7, 1000), fine = pieces(7, 600);
  FragmentBench bench;
  EXPECT_EQ(bench.take(coarse[0]), Status::held);
  EXPECT_EQ(bench.take(fine[1]), Status::drop) << "600..1200 over 0..1000";
  EXPECT_EQ(bench.error, DecapError::fragment_overlap);
  EXPECT_EQ(bench.dropped(Drop::decap_malformed), 2u);
  EXPECT_EQ(bench.counters.held, 0u);
}

TEST(Fragments, ContradictionsEndTheDatagram) {
  const auto piece = [](std::uint16_t offset, bool more, std::size_t size) {
    Ip h;
    h.protocol = ip_protocol::kGre;
    h.fragment_offset = offset;
    h.more_fragments = more;
    return ethernet(ip_packet(h, counting(size)), 0x0800);
  };
  const struct {
    const char* name;
    std::vector<Buffer> frames;
  } cases[] = {
      {"past 65,535 bytes", {piece(65528, false, 100)}},
      {"not a multiple of 8, and more to come", {piece(0, true, 13)}},
      {"two ends", {piece(64, false, 16), piece(128, false, 16)}},
      {"data behind the end", {piece(64, false, 16), piece(96, true, 16)}},
      {"an end before data", {piece(96, true, 16), piece(64, false, 16)}},
      {"nothing in it", {piece(64, true, 0)}},
  };
  for (const auto& c : cases) {
    FragmentBench bench;
    for (const Buffer& frame : c.frames)
      EXPECT_EQ(bench.take(frame), &frame == &c.frames.back() ? Status::drop : Status::held)
          << c.name;
    EXPECT_EQ(bench.error, DecapError::fragment_malformed) << c.name;
    EXPECT_EQ(bench.counters.held, 0u) << c.name;
  }
}

TEST(Fragments, AreGivenUpAfterTheTimeout) {
  FragmentBench bench({.fragment_timeout = 30 * kSecond});
  const auto parts = pieces();
  bench.take(parts[0], 100 * kSecond);
  bench.take(parts[1], 120 * kSecond);
  EXPECT_EQ(bench.decapsulator.expire(130 * kSecond), 0u);
  EXPECT_EQ(bench.decapsulator.expire(131 * kSecond), 2u) << "30 s from its first fragment";
  EXPECT_EQ(bench.decapsulator.flush(), 0u);
}

TEST(Fragments, AreGivenUpAfterTheClockWasSetBack) {
  constexpr Time kNow = 1'700'000'000 * kSecond, kAhead = kNow + 7200 * kSecond;
  FragmentBench bench({.fragment_timeout = 30 * kSecond});
  const auto across = pieces(1), old = pieces(2);
  for (std::size_t i = 0; i + 1 < across.size(); ++i) bench.take(across[i], kAhead);
  bench.take(old[0], kAhead);
  EXPECT_EQ(bench.decapsulator.expire(kNow), 0u);
  EXPECT_EQ(bench.take(across.back(), kNow + kSecond), Status::frame) << "it came in time";
  EXPECT_EQ(bench.out, kFragmented);
  EXPECT_EQ(bench.decapsulator.expire(kNow + 30 * kSecond), 0u);
  EXPECT_EQ(bench.decapsulator.expire(kNow + 31 * kSecond), 1u) << "as if it had come at kNow";
}

TEST(Fragments, AnIdUsedAgainLaterBeginsANewDatagram) {
  FragmentBench bench;
  const auto parts = pieces();
  bench.take(parts[0], 0);
  bench.take(parts[1], 0);
  EXPECT_EQ(bench.take(parts[0], 60 * kSecond), Status::drop);
  EXPECT_EQ(bench.dropped(Drop::fragment_incomplete), 2u) << "the old ones";
  EXPECT_EQ(bench.counters.held, 1u) << "the new one";
  for (std::size_t i = 1; i < parts.size(); ++i) bench.take(parts[i], 60 * kSecond);
  EXPECT_EQ(bench.out, kFragmented);
  EXPECT_EQ(bench.counters.held, 0u);
}

TEST(Fragments, TheOldestGivesWayPastTheBoundOfDatagrams) {
  FragmentBench bench({.max_datagrams = 10});
  for (std::uint32_t id = 1; id <= 25; ++id) bench.take(pieces(id)[0]);
  EXPECT_EQ(bench.dropped(Drop::fragment_overflow), 15u);
  EXPECT_EQ(bench.counters.held, 10u);
  EXPECT_EQ(bench.decapsulator.fragments().datagrams, 10u);
  EXPECT_EQ(bench.decapsulator.fragments().too_many, 15u);
  EXPECT_EQ(bench.decapsulator.fragments().too_large, 0u);
  const auto newest = pieces(25), oldest = pieces(1);
  for (std::size_t i = 1; i < newest.size(); ++i) bench.take(newest[i]);
  EXPECT_EQ(bench.out, kFragmented) << "the newest was kept";
  EXPECT_EQ(bench.decapsulator.flush(), 9u);
}

TEST(Fragments, TheOldestGivesWayPastTheBoundOfBytes) {
  FragmentBench bench({.max_fragment_bytes = 10000});
  for (std::uint32_t id = 1; id <= 25; ++id) bench.take(pieces(id)[0]);
  EXPECT_EQ(bench.counters.held, 10u);
  EXPECT_EQ(bench.dropped(Drop::fragment_overflow), 15u);
  // A hole counts as bytes: 8 bytes at the far end of a datagram take the room of all of it.
  Ip h;
  h.protocol = ip_protocol::kGre;
  h.id = 99;
  h.fragment_offset = 60000;
  h.more_fragments = true;
  EXPECT_EQ(bench.take(ethernet(ip_packet(h, counting(8)), 0x0800)), Status::drop);
  EXPECT_EQ(bench.counters.received, bench.counters.held + bench.counters.dropped_total());
  EXPECT_EQ(bench.decapsulator.flush(), bench.counters.held);
}

TEST(Fragments, OfBareTrafficPassAsTheyAre) {
  FragmentBench bench({.accept_bare = true});
  for (const bool ipv6 : {false, true}) {
    Ends ends{.destination_port = 2049};
    if (ipv6) ends.source = ip("fe80::1"), ends.destination = ip("fe80::2");
    for (const Buffer& part : fragments(udp_frame(ends, counting(2000)), 1000)) {
      EXPECT_EQ(bench.take(part), Status::frame);
      EXPECT_EQ(bench.out, part);
    }
  }
  EXPECT_EQ(bench.counters.held, 0u);
}

TEST(Fragments, OfVxlanJoinOnAnyInputWhenTheFirstComesFirst) {
  const auto parts = fragments(wrapping("vxlan").wrap(kFragmented, 1).front(), 1000);
  FragmentBench bench({.accept_bare = true});
  for (const Buffer& part : parts) bench.take(part);
  EXPECT_EQ(bench.out, kFragmented);
  FragmentBench collectors;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) collectors.take(*part);
  EXPECT_EQ(collectors.out, kFragmented) << "in any order on a collector's input";
}

TEST(Fragments, OfGreThatIsNoMirrorComeOutAsOneBareFrame) {
  Outer outer;
  outer.id = 7;
  const Buffer whole = outer_frame(outer, 47, gre({.protocol = 0x0021}, counting(2000)));
  FragmentBench bench({.accept_bare = true});
  for (const Buffer& part : fragments(whole, 800, 7)) bench.take(part);
  EXPECT_EQ(bench.out, whole) << "lengths, offset and checksum as if it had never been split";
  EXPECT_EQ(bench.counters.analysed, 3u);
}

TEST(Fragments, InsideAMirrorJoinToo) {
  FragmentBench bench;
  const Buffer guests_tunnel = wrapping("erspan2").wrap(kFragmented, 5).front();
  std::uint32_t n = 0;
  for (const Buffer& part : fragments(guests_tunnel, 1400, 3))
    bench.take(wrapping("vxlan").wrap(part, n++).front());
  EXPECT_EQ(bench.out, kFragmented);
  EXPECT_EQ(bench.counters.held, 0u);
}

}  // namespace
}  // namespace vmirror
