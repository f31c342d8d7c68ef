// The state of a session to the engine here, by what the engine received: each test is the story of
// one session, told second by second.
#include <gtest/gtest.h>

#include "agent/control/reconcile/judge.hpp"
#include "tests/unit/agent/control/reconcile/one_session.hpp"

namespace vmirror {
namespace {

using CoverageVerdict = Coverage::Verdict;

struct LocalStory {
  LocalStory() {
    Session s;
    s.name = "vnet0@local";
    test::serve_by_one_mirror(s, std::nullopt, resolved, realisation, observed);
    Switch& sw = observed.switches["br0"];
    Port port;
    port.name = "vnet0";
    port.id = "1";
    port.mac = *Mac::parse("52:54:00:00:00:01");
    port.counters = PortCounters{};
    sw.ports.set("vnet0", port);
    port.name = "out";
    sw.ports.set("out", port);
  }
  Session& asked() { return resolved.desired.sessions[0]; }
  NicEvidence& nic() { return evidence.nics[{"br0", "vnet0"}]; }
  /// The window that is told from now on: of the mirror as it is.
  void window(CoverageVerdict verdict, std::uint64_t counted = 0, std::uint64_t received = 0) {
    Coverage c;
    c.from = kSecond;
    c.to = 2 * kSecond;
    c.verdict = verdict;
    c.counted_out = counted;
    c.received_out = {received, received};
    if (counted != 0) c.low = c.high = static_cast<double>(received) / static_cast<double>(counted);
    nic().window = c;
    nic().since = tracks.at(0).status.in_place_since;
  }
  /// "active (received)"
  std::string at(int second) {
    tracks =
        judge(tracks, {resolved, realisation, observed, evidence, {}, stall}, second * kSecond);
    return state_text(tracks.at(0).status);
  }
  std::string reason() const { return tracks.at(0).status.reason; }

  Resolved resolved;
  Realisation realisation;
  Observed observed;
  Evidence evidence;
  std::optional<Error> stall;
  std::vector<Track> tracks;
};

const std::string kProven = "active (received)", kNotProven = "active, not proven";

TEST(JudgeLocal, AMirrorsCounterProvesNothing) {
  LocalStory s;
  EXPECT_EQ(s.at(1), "pending");
  EXPECT_EQ(s.reason(), "the engine does not take the copies from port out yet");
  s.nic();
  Switch& sw = s.observed.switches["br0"];
  for (int second = 2; second < 6; ++second) {
    ++*sw.mirrors["m"].copied_frames;
    sw.ports["vnet0"].counters->out_frames += 5;
    EXPECT_EQ(s.at(second), "pending");
  }
  EXPECT_EQ(s.reason(), "what port vnet0 moves is not counted yet");
}

TEST(JudgeLocal, ASilentGuestIsReadyUntilItIsProvenAndActiveAfter) {
  LocalStory s;
  s.nic();
  s.at(1);
  s.window(CoverageVerdict::silent);
  EXPECT_EQ(s.at(2), "ready");
  EXPECT_EQ(
      s.reason(),
      "port vnet0 has been silent since 1970-01-01T00:00:01Z: nothing to copy; not proven yet: "
      "the guest is silent");
  EXPECT_EQ(s.at(1000), "ready");
  s.window(CoverageVerdict::complete, 10, 10);
  EXPECT_EQ(s.at(1001), kProven);
  s.window(CoverageVerdict::silent);
  EXPECT_EQ(s.at(2000), kProven);
  s.observed.switches["br0"].ports["vnet0"].id = "2";
  EXPECT_EQ(s.at(2001), "pending") << "added again";
}

TEST(JudgeLocal, ASwitchThatCountsNoPortIsProvenByWhatComes) {
  LocalStory s;
  Switch& sw = s.observed.switches["br0"];
  sw.capabilities.proofs = {ProofSource::collector};
  sw.ports["vnet0"].counters.reset();
  sw.mirrors["m"].copied_frames.reset();
  s.nic();
  s.at(1);
  EXPECT_EQ(s.at(100), kNotProven) << "never failed for it";
  s.nic().received = 5;
  EXPECT_EQ(s.at(101), kProven);
  EXPECT_EQ(s.at(500), kProven) << "silent since";
  sw.mirrors["m"].id = "another";
  EXPECT_EQ(s.at(501), kNotProven) << "made anew";
}

TEST(JudgeLocal, CountersThatAreNeverWrittenAreSilence) {
  LocalStory s;
  s.nic();
  EXPECT_EQ(s.at(1), "pending");
  EXPECT_EQ(s.at(7), "pending");
  EXPECT_EQ(s.at(8), "ready");
}

TEST(JudgeLocal, AWindowOfAnotherMirrorIsNone) {
  LocalStory s;
  s.nic();
  s.at(1);
  s.window(CoverageVerdict::complete, 10, 10);
  EXPECT_EQ(s.at(2), kProven);
  s.observed.switches["br0"].mirrors["m"].snaplen = 64;
  EXPECT_EQ(s.at(3), "pending");
  s.observed.switches["br0"].mirrors["m"].snaplen = 0;
  EXPECT_EQ(s.at(4), "pending") << "the window is from before";
  s.window(CoverageVerdict::complete, 1, 1);
  EXPECT_EQ(s.at(5), kProven);
}

TEST(JudgeLocal, ALossIsNeverActiveAndFailsOnceItLasts) {
  LocalStory s;
  s.nic();
  s.at(1);
  s.window(CoverageVerdict::complete, 10, 10);
  s.at(2);
  s.window(CoverageVerdict::lossy, 500, 2);
  EXPECT_EQ(s.at(3), "pending");
  EXPECT_EQ(s.reason(),
            "port vnet0 moved 500 frames since 1970-01-01T00:00:01Z, the engine received 2 (0.4%)");
  EXPECT_EQ(s.at(18), "pending");
  EXPECT_EQ(s.at(19), "failed");
  s.window(CoverageVerdict::silent);
  EXPECT_EQ(s.at(20), "failed") << "silence mends nothing";
  s.window(CoverageVerdict::complete, 5, 5);
  EXPECT_EQ(s.at(21), kProven);
}

TEST(JudgeLocal, ALossThatIsOverIsNotToldForEver) {
  LocalStory s;
  s.nic();
  s.at(1);
  s.window(CoverageVerdict::lossy, 500, 400);
  EXPECT_EQ(s.at(3), "pending");
  EXPECT_EQ(s.at(17), "pending");
  s.window(CoverageVerdict::open, 100, 50);
  s.nic().window->to = 20 * kSecond;
  EXPECT_EQ(s.at(18), "pending");
  EXPECT_EQ(s.at(20), "failed") << "it lasted until a moment ago";
  EXPECT_EQ(s.at(32), "failed");
  EXPECT_EQ(s.at(33), kNotProven) << "no window told of a loss for so long";
  s.window(CoverageVerdict::lossy, 500, 400);
  EXPECT_EQ(s.at(34), "pending");
}

TEST(JudgeLocal, ALossOfBeforeTheSwitchHungIsForgotten) {
  LocalStory s;
  s.nic();
  s.at(1);
  s.window(CoverageVerdict::lossy, 500, 400);
  EXPECT_EQ(s.at(3), "pending");
  s.stall = Error{Error::Kind::unreachable, "ovs-vswitchd does nothing", "switch", ""};
  EXPECT_EQ(s.at(20), "unknown");
  s.stall.reset();
  s.window(CoverageVerdict::silent);
  EXPECT_EQ(s.at(21), "ready");
}

TEST(JudgeLocal, MoreThanWholeIsNoProof) {
  LocalStory s;
  s.nic();
  s.at(1);
  s.window(CoverageVerdict::excess, 10, 20);
  EXPECT_EQ(s.at(2), kNotProven);
  EXPECT_TRUE(
      s.reason().ends_with("at least 20 frames came, and the port moved 10: a fault of counting"));
}

TEST(JudgeLocal, WhatTheCountersNeverTellIsNotProven) {
  LocalStory s;
  s.nic();
  s.at(1);
  s.window(CoverageVerdict::open, 100, 50);
  EXPECT_EQ(s.at(2), "pending");
  s.nic().window->to = 20 * kSecond;
  EXPECT_EQ(s.at(20), kNotProven);
  s.window(CoverageVerdict::complete, 10, 10);
  EXPECT_EQ(s.at(21), kProven);
  s.window(CoverageVerdict::open, 100, 50);
  EXPECT_EQ(s.at(22), kProven);
}

TEST(JudgeLocal, TwoNicsThatCannotBeToldApartAreNotProven) {
  LocalStory s;
  s.nic().rival = "br0/vnet1";
  EXPECT_EQ(s.at(1), kNotProven);
  EXPECT_NE(s.reason().find("br0/vnet1 has the same MAC in the same VLAN"), std::string::npos);
}

TEST(JudgeLocal, SelectiveSessionsAreJudgedAsFarAsCanBeTold) {
  const auto story = [](std::optional<std::uint16_t> tag, Filtering filtering) {
    LocalStory s;
    s.asked().vlans = {10};
    if (filtering != Filtering::none) s.asked().filter.only = {{.carried = {{0, 6}}}};
    s.realisation.verdicts[0].filtering = filtering;
    s.realisation.mirrors[0].vlans = {10};
    s.observed.switches["br0"].mirrors["m"].vlans = {10};
    s.observed.switches["br0"].ports["vnet0"].vlan = tag;
    s.nic();
    s.at(1);
    s.window(CoverageVerdict::lossy, 100, 0);
    return s;
  };
  LocalStory trunk = story({}, Filtering::none);
  EXPECT_EQ(trunk.at(2), "ready");
  EXPECT_TRUE(trunk.tracks[0].status.selective);
  trunk.window(CoverageVerdict::lossy, 100, 3);
  EXPECT_EQ(trunk.at(3), kProven);
  LocalStory inside = story(10, Filtering::none);
  EXPECT_EQ(inside.at(2), "pending") << "all its frames are of that VLAN";
  EXPECT_FALSE(inside.tracks[0].status.selective);
  EXPECT_EQ(story(10, Filtering::by_switch).at(2), "ready");
  EXPECT_EQ(story(10, Filtering::by_receiver).at(2), "pending") << "the switch copies all";
  LocalStory outside = story(20, Filtering::none);
  EXPECT_EQ(outside.at(2), "ready");
  EXPECT_EQ(outside.reason(), "port vnet0 is in VLAN 20, of which it copies nothing");
}

TEST(JudgeLocal, OfASwitchThatHangsOnlyWhatComesIsBelieved) {
  LocalStory s;
  s.nic();
  s.at(1);
  s.window(CoverageVerdict::complete, 10, 10);
  s.at(2);
  s.stall = Error{Error::Kind::unreachable, "ovs-vswitchd does nothing", "switch", ""};
  EXPECT_EQ(s.at(20), "unknown");
  EXPECT_EQ(s.reason(), "nothing moves: ovs-vswitchd does nothing");
  s.nic().received = 7;
  EXPECT_EQ(s.at(21), kProven) << "a datapath may go on without its daemon";
  EXPECT_EQ(s.at(23), kProven) << "a reading between two words of the engine says nothing";
  EXPECT_EQ(s.at(24), "unknown");
  s.stall.reset();
  EXPECT_EQ(s.at(25), kProven) << "it was proven before";
}

}  // namespace
}  // namespace vmirror
