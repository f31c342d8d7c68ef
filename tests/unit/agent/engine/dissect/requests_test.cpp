#include "agent/engine/dissect/requests.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

TEST(Requests, AnAnswerTakesItsRequest) {
  Requests requests(16);
  requests.ask(1, 7, {100, 11, 12});
  requests.ask(2, 7, {200, 21, 22});
  const auto request = requests.answer(1, 7);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->time, 100);
  EXPECT_EQ(request->a, 11u);
  EXPECT_EQ(request->b, 12u);
  EXPECT_FALSE(requests.answer(1, 7));
  EXPECT_FALSE(requests.answer(3, 7));
  EXPECT_EQ(requests.answer(2, 7)->a, 21u);
  EXPECT_EQ(requests.counters().answered, 2u);
  EXPECT_EQ(requests.counters().unmatched, 2u);
}

TEST(Requests, OneWithTheSameKeyTakesItsPlace) {
  Requests requests(16);
  requests.ask(1, 7, {100, 1, 0});
  requests.ask(1, 7, {200, 2, 0});
  EXPECT_EQ(requests.answer(1, 7)->a, 2u);
  EXPECT_EQ(requests.counters().unanswered, 1u);
  EXPECT_EQ(requests.pending(), 0u);
}

TEST(Requests, TheOldestGivesWay) {
  Requests requests(4);
  for (std::uint64_t key = 0; key < 6; ++key) requests.ask(1, key, {});
  EXPECT_EQ(requests.pending(), 4u);
  EXPECT_EQ(requests.counters().unanswered, 2u);
  EXPECT_EQ(requests.counters().gave_way, 2u);
  EXPECT_FALSE(requests.answer(1, 1));
  EXPECT_TRUE(requests.answer(1, 2));
}

TEST(Requests, ExpireOldestFirst) {
  Requests requests(8);
  for (int second = 1; second <= 5; ++second)
    requests.ask(1, static_cast<std::uint64_t>(second), {second * kSecond, 0, 0});
  requests.answer(1, 1);
  requests.expire(63 * kSecond, 60 * kSecond);
  EXPECT_EQ(requests.counters().unanswered, 2u);
  EXPECT_EQ(requests.counters().gave_way, 0u);
  EXPECT_TRUE(requests.answer(1, 4));
  EXPECT_FALSE(requests.answer(1, 3));
}

TEST(Requests, OneFromBeforeTheClockWasSetBackKeepsNobodyFromExpiring) {
  Requests requests(8);
  requests.ask(1, 1, {7200 * kSecond, 0, 0});
  requests.ask(1, 2, {10 * kSecond, 0, 0});
  requests.expire(20 * kSecond, 60 * kSecond);
  EXPECT_FALSE(requests.answer(1, 1));
  EXPECT_TRUE(requests.answer(1, 2));
}

TEST(Requests, NoneIsUnaccountedFor) {
  Requests requests(64);
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    requests.ask(i % 7, i % 50, {static_cast<Time>(i), 0, 0});
    if (i % 3 == 0) requests.answer(i % 7, (i * 31) % 50);
    if (i % 1000 == 0) requests.expire(static_cast<Time>(i), 20);
    const RequestCounters& c = requests.counters();
    ASSERT_EQ(c.asked, c.answered + c.unanswered + requests.pending());
  }
  EXPECT_GT(requests.counters().answered, 0u);
}

}  // namespace
}  // namespace vmirror
