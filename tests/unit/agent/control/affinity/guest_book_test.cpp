// Who the guests are, while libvirt's connection and its hook tell of them in any order.
#include "agent/control/affinity/guest_book.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace vmirror {
namespace {

Guest guest(const char* uuid, GuestState state = GuestState::off) {
  Guest g;
  g.uuid = uuid;
  g.name = std::string("name-") + uuid;
  g.state = state;
  return g;
}

std::shared_ptr<const Guests> guests(const std::vector<Guest>& all,
                                     std::optional<Error> error = {}) {
  auto out = std::make_shared<Guests>();
  for (const Guest& g : all) out->by_uuid.set(g.uuid, std::make_shared<const Guest>(g));
  out->error = std::move(error);
  return out;
}

struct Book {
  std::vector<std::shared_ptr<const Guests>> used;
  GuestBook book{[this](std::shared_ptr<const Guests> g) { used.push_back(std::move(g)); }};

  /// "a:incoming b:off"
  std::string now() const {
    std::string out;
    if (used.empty()) return "nothing";
    for (const auto& [uuid, g] : used.back()->by_uuid)
      out += (out.empty() ? "" : " ") + uuid + ":" + to_text(g->state);
    return out;
  }
};

TEST(GuestBook, KnowsAGuestBeforeItsPort) {
  Book b;
  b.book.announced("prepare", guest("a"), 0);
  EXPECT_EQ(b.now(), "a:suspended");
  EXPECT_EQ(b.used.back()->by_uuid.at("a")->name, "name-a");
}

TEST(GuestBook, WithoutAConnectionNobodyTellsThatItHasCome) {
  Book b;
  b.book.announced("migrate", guest("a"), 0);
  EXPECT_EQ(b.now(), "a:suspended");
}

TEST(GuestBook, AfterMigrateItIsOneThatComesHere) {
  Book b;
  b.book.told(guests({}), 0);
  for (const char* operation : {"migrate", "prepare", "start"}) {
    b.book.announced(operation, guest("a"), 0);
    EXPECT_EQ(b.now(), "a:incoming") << operation;
  }
  EXPECT_EQ(b.used.size(), 2U) << "what is the same is told once";
  b.book.announced("release", guest("a"), 0);
  EXPECT_EQ(b.now(), "");
  b.book.announced("prepare", guest("a"), 0);
  EXPECT_EQ(b.now(), "a:suspended") << "a start of its own";
}

TEST(GuestBook, TheConnectionsWordReplacesTheHooksOnceTheGuestRuns) {
  Book b;
  b.book.told(guests({guest("a"), guest("b", GuestState::running)}), 0);
  b.book.announced("prepare", guest("a"), 1);
  EXPECT_EQ(b.now(), "a:suspended b:running");
  b.book.told(guests({guest("a"), guest("b")}), 2);
  EXPECT_EQ(b.now(), "a:suspended b:off") << "a reading from before its start";
  b.book.told(guests({guest("a", GuestState::running), guest("b")}), 3);
  EXPECT_EQ(b.now(), "a:running b:off");
  b.book.told(guests({guest("a"), guest("b")}), 4);
  EXPECT_EQ(b.now(), "a:off b:off");
}

TEST(GuestBook, AStartThatCameToNothingIsForgotten) {
  Book b;
  b.book.announced("prepare", guest("a"), 0);
  const Time late = kAnnouncementHolds + 1;
  b.book.told(guests({}, Error{Error::Kind::unreachable, "down", "", ""}), late);
  EXPECT_EQ(b.now(), "a:suspended") << "a connection that is down knows nothing better";
  b.book.told(guests({}), late);
  EXPECT_EQ(b.now(), "");

  b.book.announced("prepare", guest("a"), 7200 * kSecond);  // By a clock that is then set back.
  b.book.told(guests({}), 0);
  EXPECT_EQ(b.now(), "a:suspended");
  b.book.told(guests({}), late);
  EXPECT_EQ(b.now(), "");
}

TEST(GuestBook, IsBounded) {
  Book b;
  for (std::size_t i = 0; i <= kMaxAnnouncedGuests; i++)
    b.book.announced("prepare", guest(std::to_string(i).c_str()), 0);
  EXPECT_EQ(b.used.back()->by_uuid.size(), kMaxAnnouncedGuests);
  EXPECT_EQ(b.book.count().announced, kMaxAnnouncedGuests);
  EXPECT_EQ(b.book.count().passed_over, 1U);
}

TEST(GuestBook, WhatDidNotChangeIsTheSameObject) {
  Book b;
  const auto told = guests({guest("b", GuestState::running)});
  b.book.told(told, 0);
  b.book.announced("prepare", guest("a"), 0);
  EXPECT_EQ(b.used.back()->by_uuid.at("b"), told->by_uuid.at("b"));
  EXPECT_GT(b.used[1]->revision, b.used[0]->revision);
}

}  // namespace
}  // namespace vmirror
