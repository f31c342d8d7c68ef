#include "agent/engine/decap/sequence.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace vmirror {
namespace {

using Numbers = std::vector<std::uint32_t>;

Numbers range(std::uint32_t from, std::uint32_t count) {
  Numbers out;
  for (std::uint32_t i = 0; i < count; ++i) out.push_back(from + i);
  return out;
}
Numbers operator+(Numbers a, const Numbers& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(SequenceWindow, CountsLossReorderingAndDuplicates) {
  const struct {
    const char* name;
    Numbers numbers;
    std::uint64_t lost, reordered, duplicate, restarts;
  } cases[] = {
      {"in order", {5, 6, 7, 8}, 0, 0, 0, 0},
      {"nothing is lost before the first", {1000}, 0, 0, 0, 0},
      {"one lost", {1, 2, 4, 5}, 1, 0, 0, 0},
      {"ten lost", {1, 12}, 10, 0, 0, 0},
      {"late, so not lost", {1, 3, 2, 4}, 0, 1, 0, 0},
      {"two swapped, one lost", {1, 4, 3, 5}, 1, 1, 0, 0},
      {"twice in a row", {1, 2, 2, 3}, 0, 0, 1, 0},
      {"twice, later", {1, 2, 3, 2}, 0, 0, 1, 0},
      {"late, and twice", {1, 3, 2, 2}, 0, 1, 1, 0},
      {"before the first", {5, 4, 6}, 0, 1, 0, 0},
      {"across wrap-around", {0xfffffffe, 0xffffffff, 0, 1}, 0, 0, 0, 0},
      {"lost at wrap-around", {0xfffffffe, 1}, 2, 0, 0, 0},
      {"late across wrap-around", {0xfffffffe, 0, 0xffffffff, 1}, 0, 1, 0, 0},
      {"twice across wrap-around", {0xffffffff, 0, 1, 0xffffffff}, 0, 0, 1, 0},
      {"the window's edge", {0, 64, 1}, 62, 1, 0, 0},
      {"past the window's edge", {0, 65, 1, 66}, 63, 1, 0, 0},
      {"the sender begins anew", range(100000, 10) + range(0, 10), 0, 0, 0, 1},
      {"and anew far ahead", range(0, 10) + range(0x40000000, 10), 0, 0, 0, 1},
      {"a stray number far ahead", {1, 2, 0x40000000, 3, 4}, 0, 1, 0, 0},
      {"a million lost at once", {1, 1000002}, 1000000, 0, 0, 0},
      {"a sender that does not count", {0, 0, 0, 0}, 0, 0, 3, 0},
      {"anew within the window", range(0, 40) + range(0, 60), 0, 0, 0, 1},
      {"anew within the window, and shorter", range(0, 40) + range(0, 30), 0, 0, 0, 1},
      {"anew, its first ones lost", range(0, 40) + range(2, 40), 0, 0, 0, 1},
      {"anew, some lost", range(0, 40) + Numbers{0, 1, 3, 4, 6} + range(7, 40), 2, 0, 0, 1},
      {"anew, begun in the middle", range(30, 20) + range(0, 60), 0, 0, 0, 1},
      {"anew, after loss", range(0, 10) + range(12, 20) + range(0, 60), 2, 0, 0, 1},
      {"anew, twice", range(0, 40) + range(0, 20) + range(0, 50), 0, 0, 0, 2},
      {"anew at once", range(0, 4) + range(0, 40), 0, 0, 0, 1},
      {"anew past the window", range(0, 70) + range(0, 70), 0, 0, 0, 1},
      {"anew, and two swapped", range(0, 40) + Numbers{0, 2, 1, 3, 4, 5} + range(6, 40), 0, 0, 0,
       1},
      {"two of the first, twice", range(0, 20) + Numbers{0, 1} + range(20, 5), 0, 0, 2, 0},
      {"many of the first, twice", range(0, 20) + range(0, 10) + range(20, 50), 0, 0, 10, 0},
      {"each twice", {0, 0, 1, 1, 2, 2, 3, 3, 4, 4}, 0, 0, 5, 0},
      {"each twice, later", {0, 1, 2, 0, 3, 1, 4, 2, 5, 3, 6}, 0, 0, 4, 0},
      {"late ones twice, in a row", range(0, 60) + range(20, 10) + range(60, 5), 0, 0, 10, 0},
      {"late ones in a row", range(0, 2) + range(7, 20) + range(2, 5) + range(27, 5), 0, 5, 0, 0},
      {"two stragglers in a row", range(0, 5) + range(7, 80) + Numbers{5, 6} + range(87, 9), 0, 2,
       0, 0},
  };
  for (const auto& c : cases) {
    SequenceWindow window;
    for (const std::uint32_t n : c.numbers) window.see(n);
    EXPECT_EQ(window.counts().lost, c.lost) << c.name;
    EXPECT_EQ(window.counts().reordered, c.reordered) << c.name;
    EXPECT_EQ(window.counts().duplicate, c.duplicate) << c.name;
    EXPECT_EQ(window.counts().restarts, c.restarts) << c.name;
  }
}

TEST(SequenceWindow, EveryNumberIsSeenLostOrRepeated) {
  // Numbers 0..9999 in blocks of 16 backwards, every 7th missing: nothing else is lost, whatever
  // the order.
  SequenceWindow window;
  std::uint64_t missing = 0;
  for (std::uint32_t block = 0; block < 10000; block += 16)
    for (std::uint32_t i = 16; i-- > 0;)
      if ((block + i) % 7 == 3 && block > 0)
        ++missing;
      else
        window.see(0xfffff000 + block + i);
  // Those after the very last one seen can't be known; the last block ends with its smallest.
  EXPECT_LE(window.counts().lost, missing);
  EXPECT_GE(window.counts().lost + 3, missing);
  EXPECT_EQ(window.counts().duplicate, 0u);
}

}  // namespace
}  // namespace vmirror
