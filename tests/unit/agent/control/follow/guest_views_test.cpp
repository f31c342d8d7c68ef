// What the tracker is told of guests, from what each round changed.
#include "agent/control/follow/guest_views.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

constexpr const char* kUuid = "aaaaaaaa-0000-4000-8000-000000000011";

Location nic(const std::string& port, const std::string& uuid = kUuid) {
  Location at;
  at.host = "a";
  at.switch_name = "br0";
  at.port = port;
  at.vm_uuid = uuid;
  at.vm_name = "dc1";
  at.interface_id = "id-" + port;
  return at;
}

SessionStatus session(const std::string& port, Time in_place_since) {
  SessionStatus s;
  s.name = port + "@local";
  s.switch_name = "br0";
  s.port = port;
  s.target = "local";
  s.vm_uuid = kUuid;
  s.in_place = in_place_since != 0;
  s.in_place_since = in_place_since;
  return s;
}

RoundChanges round(Time time, std::vector<RoundChanges::OfPort> ports,
                   std::vector<RoundChanges::OfSession> sessions = {}) {
  RoundChanges changes;
  changes.time = time;
  changes.ports = std::move(ports);
  changes.sessions = std::move(sessions);
  return changes;
}

TEST(GuestViews, FollowAGuestFromItsFirstPortToItsLast) {
  GuestViews views;
  // Its port comes; its mirror is not in place yet.
  EXPECT_EQ(views.follow(round(10, {{{}, nic("vnet0")}}, {{{}, session("vnet0", 0)}})),
            std::set<std::string>{kUuid});
  GuestView v = views.view(kUuid);
  EXPECT_EQ(v.ports, 1U);
  EXPECT_EQ(v.ports_since, 10);
  EXPECT_TRUE(v.wanted);
  EXPECT_FALSE(v.in_place);
  EXPECT_EQ(v.in_place_since, 0);

  // The mirror is read back; a second port comes, which nobody wants.
  views.follow(round(12, {}, {{session("vnet0", 0), session("vnet0", 12)}}));
  views.follow(round(15, {{{}, nic("vnet1")}}));
  v = views.view(kUuid);
  EXPECT_EQ(v.ports, 2U);
  EXPECT_EQ(v.ports_since, 10);
  EXPECT_TRUE(v.in_place);
  EXPECT_EQ(v.in_place_since, 12);
  EXPECT_EQ(v.interface_ids, (std::vector<std::string>{"id-vnet0", "id-vnet1"}));

  // Both go: told once without ports, yet still by its name, and its NICs are known until
  // forgotten.
  EXPECT_EQ(views.follow(
                round(20, {{nic("vnet0"), {}}, {nic("vnet1"), {}}}, {{session("vnet0", 12), {}}})),
            std::set<std::string>{kUuid});
  v = views.view(kUuid);
  EXPECT_EQ(v.ports, 0U);
  EXPECT_EQ(v.mirrors, 0U);
  EXPECT_EQ(v.key(), kUuid);
  EXPECT_EQ(v.name, "dc1");
  EXPECT_EQ(views.nics(kUuid).size(), 2U);
  views.forget({kUuid});
  EXPECT_EQ(views.nics(kUuid).size(), 2U);
  views.forget({});
  EXPECT_TRUE(views.nics(kUuid).empty());
}

TEST(GuestViews, ANicThatWasUnpluggedIsForgottenUnlessItsGuestLeaves) {
  GuestViews views;
  views.follow(round(1, {{{}, nic("vnet0")}, {{}, nic("vnet1")}}));
  views.follow(round(2, {{nic("vnet1"), {}}}));
  views.forget({kUuid});
  EXPECT_EQ(views.nics(kUuid).size(), 2U);
  views.forget({});
  ASSERT_EQ(views.nics(kUuid).size(), 1U);
  EXPECT_EQ(views.nics(kUuid).front().port, "vnet0");
}

/// A beat may fall between the removals of a guest's NICs, and a change of the one that is left.
TEST(GuestViews, ANicThatJustWentIsStillItsGuests) {
  GuestViews views;
  views.follow(round(1, {{{}, nic("vnet0")}, {{}, nic("vnet1")}}));
  views.follow(round(2, {{nic("vnet0"), {}}}));
  views.forget({});
  Location changed = nic("vnet1");
  changed.labels["tier"] = "web";
  views.follow(round(3, {{nic("vnet1"), changed}}));
  const auto all = views.nics(kUuid);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].port, "vnet0");
  EXPECT_EQ(all[1], changed);
  views.forget({});
  EXPECT_EQ(views.nics(kUuid), std::vector{changed});
}

TEST(GuestViews, ANicThatCameAgainIsOne) {
  const struct {
    const char* what;
    bool all;  ///< Its guest was gone meanwhile.
  } table[] = {{"by another port's name", false}, {"with its guest, which was started anew", true}};
  for (const auto& row : table) {
    SCOPED_TRACE(row.what);
    GuestViews views;
    views.follow(round(1, {{{}, nic("vnet0")}, {{}, nic("vnet1")}}));
    views.follow(round(2, {{nic("vnet0"), {}}}));
    if (row.all) views.follow(round(2, {{nic("vnet1"), {}}}));
    Location again = nic("vnet7");
    again.interface_id = row.all ? "id-other" : "id-vnet0";
    views.follow(round(3, {{{}, again}}));
    EXPECT_EQ(views.nics(kUuid), row.all ? std::vector{again} : (std::vector{nic("vnet1"), again}));
  }
}

/// Its mirror goes with it; what is told of the mirror later is of the new guest.
TEST(GuestViews, APortMayComeToBelongToAnotherGuest) {
  const std::string nobody, other = "bbbbbbbb-0000-4000-8000-000000000012";
  const struct {
    const char* what;
    std::string before, after, old_key, new_key;
  } table[] = {
      // Nobody told its UUID: the interface id is who it is.
      {"its UUID is told late", nobody, kUuid, "nic id-vnet0", kUuid},
      {"another guest has its name within one reading", kUuid, other, kUuid, other},
  };
  for (const auto& row : table) {
    SCOPED_TRACE(row.what);
    GuestViews views;
    views.follow(round(1, {{{}, nic("vnet0", row.before)}}, {{{}, session("vnet0", 1)}}));
    EXPECT_EQ(views.view(row.old_key).ports, 1U);
    EXPECT_EQ(views.view(row.old_key).mirrors, 1U);
    EXPECT_EQ(views.follow(round(2, {{nic("vnet0", row.before), nic("vnet0", row.after)}})),
              (std::set<std::string>{row.old_key, row.new_key}));
    EXPECT_EQ(views.view(row.old_key).ports, 0U);
    EXPECT_EQ(views.view(row.old_key).mirrors, 0U);
    EXPECT_EQ(views.view(row.new_key).ports, 1U);
    EXPECT_EQ(views.view(row.new_key).mirrors, 1U);
    views.follow(round(3, {}, {{session("vnet0", 1), {}}}));
    EXPECT_EQ(views.view(row.new_key).mirrors, 0U);
    views.forget({});
    EXPECT_TRUE(views.nics(row.old_key).empty());
  }
}

/// The mirror of its port may go in the same reading or in a later one.
TEST(GuestViews, AGuestWithoutUuidComesAndGoes) {
  SessionStatus mirror = session("vnet0", 1);
  mirror.vm_uuid.clear();
  const std::string key = "nic id-vnet0";
  for (const bool later : {false, true}) {
    SCOPED_TRACE(later ? "later" : "at once");
    GuestViews views;
    views.follow(round(1, {{{}, nic("vnet0", "")}}, {{{}, mirror}}));
    if (later) {
      views.follow(round(2, {{nic("vnet0", ""), {}}}));
      EXPECT_EQ(views.view(key).mirrors, 1U);
      EXPECT_EQ(views.follow(round(3, {}, {{mirror, {}}})), std::set<std::string>{key});
    } else {
      views.follow(round(2, {{nic("vnet0", ""), {}}}, {{mirror, {}}}));
    }
    EXPECT_EQ(views.view(key).ports, 0U);
    EXPECT_EQ(views.view(key).mirrors, 0U);
    views.forget({});
    EXPECT_TRUE(views.nics(key).empty());
  }
}

TEST(GuestViews, TheHypervisorsWordTouchesOnlyGuestsWithPortsHere) {
  GuestViews views;
  views.follow(round(1, {{{}, nic("vnet0")}}));
  const auto told = [](GuestState state) {
    auto guests = std::make_shared<Guests>();
    for (const char* uuid : {kUuid, "another"}) {
      auto guest = std::make_shared<Guest>();
      guest->uuid = uuid;
      guest->name = "dc1";
      guest->state = state;
      guests->by_uuid.set(uuid, guest);
    }
    return guests;
  };
  EXPECT_FALSE(views.view(kUuid).state);
  const auto first = told(GuestState::incoming);
  EXPECT_EQ(views.follow(first), std::set<std::string>{kUuid});
  EXPECT_EQ(views.view(kUuid).state, GuestState::incoming);
  EXPECT_TRUE(views.follow(first).empty());
}

TEST(GuestViews, ANicWithoutAPortIsNoneOfThem) {
  GuestViews views;
  views.follow(round(10, {{{}, nic("vnet0")}}, {{{}, session("vnet0", 11)}}));
  Location user = nic("dc1/52:54:00:00:00:01");
  user.switch_name.clear();
  user.no_port = Error{Error::Kind::unsupported, "not mirrored", {}, {}};
  SessionStatus refused = session("dc1/52:54:00:00:00:01", 0);
  refused.switch_name.clear();
  refused.state = SessionState::refused;
  const GuestView before = views.view(kUuid);
  EXPECT_TRUE(views.follow(round(12, {{{}, user}}, {{{}, refused}})).empty());
  EXPECT_EQ(views.view(kUuid), before);
  EXPECT_TRUE(before.in_place);
  EXPECT_EQ(views.nics(kUuid).size(), 1U);
  views.follow(round(13, {{user, {}}}, {{refused, {}}}));
  EXPECT_EQ(views.view(kUuid), before);
}

}  // namespace
}  // namespace vmirror
