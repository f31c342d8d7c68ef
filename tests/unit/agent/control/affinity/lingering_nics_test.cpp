// A NIC is watched for a second after its port went.
#include "agent/control/affinity/lingering_nics.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

Mac mac(int n) {
  Mac out = *Mac::parse("52:54:00:00:00:00");
  out.octets[4] = static_cast<std::uint8_t>(n >> 8);
  out.octets[5] = static_cast<std::uint8_t>(n);
  return out;
}

std::shared_ptr<const MirrorIndex> index(std::initializer_list<int> nics, const char* port = "p") {
  auto out = std::make_shared<MirrorIndex>();
  for (const int n : nics)
    out->nics.set({port, std::to_string(n)}, {.at = {port, std::to_string(n)}, .mac = mac(n)});
  return out;
}

TEST(LingeringNics, ANicThatGoesStaysForASecond) {
  LingeringNics nics;
  const auto both = index({1, 2});
  EXPECT_EQ(nics.follow(both, 0), both);
  const auto one = index({1});
  EXPECT_EQ(*nics.follow(one, kSecond), *both);
  const auto same = nics.follow(one, kSecond + kMillisecond);
  EXPECT_EQ(nics.follow(one, kSecond + 2 * kMillisecond), same);
  EXPECT_EQ(nics.follow(one, 2 * kSecond), one);
}

TEST(LingeringNics, ANicThatIsBackIsAsItIsNow) {
  LingeringNics nics;
  nics.follow(index({1}), 0);
  nics.follow(index({}), 1);
  EXPECT_EQ(*nics.follow(index({1}, "q"), 2), *index({1}, "q"));
  EXPECT_EQ(*nics.follow(index({1}, "q"), 5 * kSecond), *index({1}, "q"));
}

TEST(LingeringNics, AClockThatIsSetBackMakesItStayNoLonger) {
  for (const Time back : {10 * kSecond, 7200 * kSecond}) {
    LingeringNics nics;
    const Time before = 100'000 * kSecond, now = before - back;
    nics.follow(index({1}), before);
    const auto none = index({});
    EXPECT_EQ(*nics.follow(none, before), *index({1}));
    EXPECT_EQ(*nics.follow(none, now), *index({1}));
    EXPECT_EQ(nics.follow(none, now + kSecond), none);
  }
}

TEST(LingeringNics, Bounded) {
  LingeringNics nics;
  auto many = std::make_shared<MirrorIndex>();
  for (int n = 0; n < 3000; ++n) many->nics.set({"p", std::to_string(n)}, {.mac = mac(n)});
  nics.follow(many, 0);
  EXPECT_EQ(nics.follow(index({}), 1)->nics.size(), LingeringNics::kMost);
}

}  // namespace
}  // namespace vmirror
