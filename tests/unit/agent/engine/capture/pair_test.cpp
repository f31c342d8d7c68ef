// Two ports of a TAP as one source, on sources that give what a test wrote down, by a clock that
// the test moves.
#include "agent/engine/capture/pair.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <sstream>

namespace vmirror {
namespace {

constexpr Time kLate = 25 * kMillisecond;

/// Each call of `next` gives one batch, or fails, where an error is its turn.
struct Port final : FrameSource {
  struct Batch {
    std::vector<Time> times;
    bool fails = false;
  };
  std::deque<Batch> batches;
  bool ends = false;  ///< After these; else there is nothing for now.
  std::array<std::uint64_t, kDropKinds> lost{};
  std::vector<std::string> said;

  Result<std::size_t> next(std::span<Frame> batch, int /*timeout_ms*/) override {
    if (batches.empty()) return 0u;
    const Batch now = batches.front();
    batches.pop_front();
    if (now.fails) return fail(Error::Kind::unreachable, "the interface is down", "eth2", "up");
    for (std::size_t i = 0; i < now.times.size(); ++i) batch[i].time = now.times[i];
    return now.times.size();
  }
  bool finished() const override { return ends && batches.empty(); }
  std::span<const std::uint64_t, kDropKinds> dropped() const override { return lost; }
  std::span<const std::string> warnings() const override { return said; }
};

struct Pair {
  Pair() {
    auto first = std::make_unique<Port>(), second = std::make_unique<Port>();
    out = first.get();
    in = second.get();
    source = make_pair_source(std::move(first), std::move(second),
                              {{"eth1", "eth2"}, kLate, [this] { return now; }});
  }
  /// "out 1 in 2": what one call gives, in milliseconds.
  std::string next(std::size_t room = 16) {
    std::vector<Frame> batch(room);
    const auto given = source->next(batch, 0);
    if (!given) return given.error().what;
    std::ostringstream text;
    for (std::size_t i = 0; i < *given; ++i)
      text << (i > 0 ? " " : "") << (batch[i].direction == Direction::out ? "out " : "in ")
           << batch[i].time / kMillisecond;
    return text.str();
  }
  static Port::Batch at(std::initializer_list<int> milliseconds) {
    Port::Batch out;
    for (const int each : milliseconds) out.times.push_back(each * kMillisecond);
    return out;
  }
  Time now = kSecond;
  Port *out, *in;
  std::unique_ptr<FrameSource> source;
};

TEST(Pair, FramesComeInTheOrderOfTheirTimes) {
  Pair p;
  p.out->batches = {Pair::at({100, 200, 300}), Pair::at({600})};
  p.in->batches = {Pair::at({150, 250, 500})};
  // After 300 the first port may have more that is older than 500.
  EXPECT_EQ(p.next(), "out 100 in 150 out 200 in 250 out 300");
  EXPECT_EQ(p.next(), "in 500");
  EXPECT_EQ(p.next(), "out 600");
  EXPECT_EQ(p.next(), "");
}

TEST(Pair, ABatchThatIsFullGoesOnWhereItEnded) {
  Pair p;
  p.out->batches = {Pair::at({100, 200})};
  p.in->batches = {Pair::at({150, 250})};
  EXPECT_EQ(p.next(1), "out 100");
  EXPECT_EQ(p.next(2), "in 150 out 200");
  EXPECT_EQ(p.next(2), "in 250");
}

TEST(Pair, WhatIsNewWaitsForASilentPort) {
  Pair p;
  p.out->batches = {Pair::at({990})};
  EXPECT_EQ(p.next(), "") << "a frame of 980 ms may still be in the other port's ring";
  p.in->batches = {Pair::at({985, 995})};
  EXPECT_EQ(p.next(), "in 985 out 990");
  EXPECT_EQ(p.next(), "") << "nor is it known of the first one what it has of 995 ms";
  p.out->batches = {Pair::at({1000})};
  EXPECT_EQ(p.next(), "in 995");
  p.now += kLate;
  EXPECT_EQ(p.next(), "out 1000") << "nothing that is older can come";
}

TEST(Pair, AFilesEndHoldsNothingBack) {
  Pair p;
  p.in->ends = true;
  p.out->batches = {Pair::at({999})};
  EXPECT_EQ(p.next(), "out 999");
  EXPECT_FALSE(p.source->finished());
  p.out->ends = true;
  EXPECT_TRUE(p.source->finished());
}

TEST(Pair, APortThatFailsEndsThePairAfterWhatCame) {
  Pair p;
  p.out->batches = {Pair::at({998, 999})};
  p.in->batches = {{{}, true}};
  EXPECT_EQ(p.next(1), "out 998");
  EXPECT_EQ(p.next(), "out 999");
  EXPECT_EQ(p.next(), "the interface is down");
}

TEST(Pair, LossesAndWarningsAreOfBoth) {
  Pair p;
  p.out->lost[0] = 2;
  p.in->lost[0] = 3;
  p.in->said = {"eth2: frames may arrive merged"};
  EXPECT_EQ(p.source->dropped()[0], 5u);
  ASSERT_EQ(p.source->warnings().size(), 1u);
}

TEST(Pair, ASilentHalfIsSaid) {
  Pair p;
  const auto second = [&](bool both) {
    p.now += kSecond;
    const int at = static_cast<int>((p.now - kLate) / kMillisecond) - 100;
    for (int i = 0; i < 10; ++i) {
      p.out->batches.push_back(Pair::at({at + i}));
      if (both) p.in->batches.push_back(Pair::at({at + i}));
      while (!p.next().empty()) {
      }
    }
  };
  for (int i = 0; i < 20; ++i) second(true);
  EXPECT_TRUE(p.source->warnings().empty());
  for (int i = 0; i < 9; ++i) second(false);
  EXPECT_TRUE(p.source->warnings().empty());
  second(false);
  second(false);
  ASSERT_EQ(p.source->warnings().size(), 1u);
  EXPECT_EQ(
      p.source->warnings()[0],
      "eth2: no frame for 11 s, in which eth1 had 110: one half of the pair is silent; see the "
      "cable and the TAP's port");
  second(true);
  EXPECT_TRUE(p.source->warnings().empty());
  p.now += 3600 * kSecond;
  p.next();
  EXPECT_TRUE(p.source->warnings().empty()) << "a night without traffic is no fault";
}

}  // namespace
}  // namespace vmirror
