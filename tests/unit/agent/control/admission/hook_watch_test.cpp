// When libvirt's hook counts as missed.
#include "agent/control/admission/hook_watch.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

using Happening = GuestEvent::Kind;

TEST(HookWatch, AGuestThatBeginsShouldHaveBeenAnnounced) {
  HookWatch watch;
  const auto happens = [&](Happening kind, const char* name, Time seconds) {
    return watch.happened({seconds * kSecond, kind, "u", name, ""});
  };
  const auto calls = [&](const char* operation, const char* name, Time seconds) {
    watch.called({operation, name, ""}, HookAnswer::Kind::go_on, seconds * kSecond);
  };
  calls("prepare", "dc1", 1);
  EXPECT_FALSE(happens(Happening::started, "dc1", 2));
  calls("migrate", "dc2", 3);
  EXPECT_FALSE(happens(Happening::incoming, "dc2", 4));
  EXPECT_FALSE(happens(Happening::resumed_arrived, "dc9", 4)) << "it began before";
  EXPECT_EQ(watch.status().missed, 0U);

  EXPECT_TRUE(happens(Happening::started, "dc3", 5));
  EXPECT_FALSE(happens(Happening::incoming, "dc4", 6)) << "said already";
  EXPECT_EQ(watch.status().missed, 2U);
  EXPECT_EQ(watch.status().last_missed, "dc4");

  calls("prepare", "dc5", 7);
  EXPECT_EQ(watch.status().last_missed, "") << "it works again";
  EXPECT_TRUE(happens(Happening::started, "dc3", 8));
  calls("release", "dc1", 9);
  EXPECT_TRUE(happens(Happening::started, "dc1", 10)) << "what was announced then has ended";
  EXPECT_TRUE(!happens(Happening::started, "dc5", 7 + 601)) << "said already";
  EXPECT_EQ(watch.status().missed, 5U) << "an announcement does not hold for ever";
  EXPECT_EQ(watch.status().calls, 4U);
}

TEST(HookWatch, RefusalsAreCountedAndMemoryIsBounded) {
  HookWatch watch;
  for (std::size_t i = 0; i <= HookWatch::kMaxRemembered; ++i)
    watch.called({"prepare", "g" + std::to_string(i), ""}, HookAnswer::Kind::refuse,
                 static_cast<Time>(i));
  EXPECT_EQ(watch.status().refused, HookWatch::kMaxRemembered + 1);
  EXPECT_EQ(watch.status().remembered, HookWatch::kMaxRemembered);
  EXPECT_EQ(watch.status().forgotten, 1U);
  EXPECT_TRUE(watch.happened({1, Happening::started, "u", "g0", ""}))
      << "the earliest is forgotten";
  EXPECT_FALSE(watch.happened({1, Happening::started, "u", "g1", ""}));
}

/// Announced by a clock that was two hours ahead.
TEST(HookWatch, AClockThatIsSetBackMakesNoAnnouncementLast) {
  HookWatch watch;
  const auto starts = [&](const char* name, Time seconds) {
    return watch.happened({seconds * kSecond, GuestEvent::Kind::started, "u", name, ""});
  };
  watch.called({"prepare", "dc1", ""}, HookAnswer::Kind::go_on, 7200 * kSecond);
  EXPECT_FALSE(starts("dc1", 5)) << "it may have been announced just now";
  EXPECT_TRUE(starts("dc1", 5 + 601));
}

TEST(HookWatch, WhatWasAnnouncedSinceTheClockWasSetBackIsKeptLongest) {
  HookWatch watch;
  const auto announced = [&](const std::string& name, Time at) {
    watch.called({"prepare", name, ""}, HookAnswer::Kind::go_on, at);
  };
  for (std::size_t i = 0; i < HookWatch::kMaxRemembered; ++i)
    announced("g" + std::to_string(i), 7200 * kSecond + static_cast<Time>(i));
  announced("a", 10 * kSecond);
  announced("b", 11 * kSecond);
  const auto missed = [&](const std::string& name) {
    const auto before = watch.status().missed;
    watch.happened({11 * kSecond, GuestEvent::Kind::started, "u", name, ""});
    return watch.status().missed != before;
  };
  EXPECT_FALSE(missed("a"));
  EXPECT_FALSE(missed("b"));
  EXPECT_TRUE(missed("g0"));
}

}  // namespace
}  // namespace vmirror
