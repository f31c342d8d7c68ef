// The state of a session and its reason: each test is the story of one session, told by what the
// switch shows and counts, second by second.
#include "agent/control/reconcile/judge.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/control/reconcile/one_session.hpp"

namespace vmirror {
namespace {

const Mac kMac = *Mac::parse("52:54:00:00:00:01");

/// One session, vnet0@erspan, served by mirror m on br0 to port out; all in place.
struct Story {
  Story() {
    Session s;
    s.name = "vnet0@erspan";
    s.target = ErspanTarget{*IpAddress::parse("192.0.2.9"), 2, 1};
    s.policy = "p";
    test::serve_by_one_mirror(s, std::nullopt, resolved, realisation, observed);
    Location at;
    at.vm_name = "dc-1";
    at.mac = kMac;
    resolved.where = {{s.name, at}};

    Switch& sw = observed.switches["br0"];
    Port port;
    port.name = "vnet0";
    port.id = "1";
    port.mac = kMac;
    port.counters = PortCounters{};
    sw.ports["vnet0"] = port;
    Port out;
    out.name = "out";
    out.owned = true;
    out.egress = "eth0";
    out.carrier = true;
    sw.ports["out"] = out;
  }

  Port& port() { return observed.switches["br0"].ports["vnet0"]; }
  Mirror& mirror() { return observed.switches["br0"].mirrors.at("m"); }
  void moves(std::uint64_t out, std::uint64_t in = 0) {
    port().counters->out_frames += out;
    port().counters->in_frames += in;
  }
  void copies(std::uint64_t frames) { *mirror().copied_frames += frames; }
  /// Judges at this second; "state: reason".
  std::string at(int second) {
    tracks = judge(tracks, {resolved, realisation, observed, evidence, apply_error, stall},
                   second * kSecond);
    if (settled)
      for (Track& track : tracks) track.settled_at = 0;
    return told();
  }
  std::string unreadable(int second, const Error& error) {
    tracks = judge_unreadable(tracks, error, second * kSecond);
    return told();
  }
  std::string told() const {
    std::string out;
    for (const Track& t : tracks)
      out +=
          (out.empty() ? "" : "; ") + std::string(to_text(t.status.state)) + ": " + t.status.reason;
    return out;
  }

  Resolved resolved;
  Realisation realisation;
  Observed observed;
  Evidence evidence;
  std::optional<Error> apply_error, stall;
  std::vector<Track> tracks;
  bool settled = true;  ///< The mirror was put long ago.
};

const std::string kActive =
    "active: the switch shows it as asked, and copies move with port vnet0's traffic, out through "
    "eth0";
const std::string kSilent =
    "ready: port vnet0 has been silent since 1970-01-01T00:00:01Z: nothing to copy; not proven "
    "yet: "
    "the guest is silent";

TEST(Judge, ActiveOnlyOnceCopiesMoveWithThePort) {
  Story s;
  EXPECT_EQ(s.at(1), kSilent);
  EXPECT_TRUE(s.tracks[0].status.in_place);
  EXPECT_EQ(s.tracks[0].status.vm, "dc-1");
  s.copies(5);  // Of another port that shares the mirror.
  EXPECT_EQ(s.at(2), kSilent);
  s.moves(3);
  EXPECT_EQ(s.at(3), kActive);
  EXPECT_EQ(s.tracks[0].status.since, 3 * kSecond);
}

TEST(Judge, ACounterThatBeginsWithTheFramesOfTheMirrorBeforeIsNoProof) {
  Story s;
  s.settled = false;
  s.mirror().copied_frames.reset();
  s.mirror().id = "1";
  EXPECT_EQ(s.at(1), kSilent);
  s.mirror().copied_frames = 0;
  s.moves(900);
  EXPECT_TRUE(s.at(2).starts_with("pending"));
  s.copies(200);  // What the flows that ran had counted, written 5 s later.
  s.moves(900);
  EXPECT_TRUE(s.at(7).starts_with("pending"));
  s.copies(1);
  EXPECT_EQ(s.at(8), kActive);

  s.mirror().id = "2";  // Made anew within one reading: another's frames again.
  s.copies(200);
  s.moves(1);
  EXPECT_TRUE(s.at(9).starts_with("ready"));
  s.copies(200);
  s.moves(1);
  EXPECT_TRUE(s.at(15).starts_with("pending"));
  s.copies(1);
  EXPECT_EQ(s.at(16), kActive);
}

TEST(Judge, AnActiveSessionMayFallSilent) {
  Story s;
  s.at(1);
  s.moves(1);
  s.copies(1);
  EXPECT_EQ(s.at(2), kActive);
  EXPECT_EQ(s.at(1000), kActive);
  EXPECT_EQ(s.tracks[0].status.since, 2 * kSecond);
}

TEST(Judge, EvidenceIsOnlyOfTheLocalTarget) {
  Story s;
  s.at(1);
  s.evidence.nics[{"br0", "vnet0"}].received = 8;
  EXPECT_EQ(s.at(2), kSilent);
}

TEST(Judge, OnlyTheMirroredDirectionCounts) {
  Story s;
  s.resolved.desired.sessions[0].direction = Direction::in;
  s.at(1);
  s.moves(10, 0);
  s.copies(10);
  EXPECT_EQ(s.at(2), kSilent);
  s.moves(0, 1);
  EXPECT_EQ(s.at(3), kActive);
}

TEST(Judge, APortThatMovesWithoutCopiesFailsInTheEnd) {
  Story s;
  s.at(1);
  s.moves(4);
  const std::string fact =
      "port vnet0 moved 4 frames since 1970-01-01T00:00:01Z, its mirror copied none";
  EXPECT_EQ(s.at(2), "pending: " + fact + " yet");
  EXPECT_EQ(s.at(17), "pending: " + fact + " yet");
  EXPECT_EQ(s.at(18), "failed: " + fact);
  s.copies(1);
  EXPECT_EQ(s.at(19), kActive);
}

/// Of two mirrors with one output only the sender's copies a frame between their guests.
TEST(Judge, AMirrorBesideWhichAnotherCopiesIsNotTakenForFailed) {
  for (const auto& [copied_beside, to_the_same, state] :
       {std::tuple{4, true, "pending"}, {1, true, "failed"}, {4, false, "failed"}}) {
    Story s;
    s.settled = true;
    Mirror beside = s.mirror();
    beside.name = "beside";
    if (!to_the_same) beside.output = PortOutput{"elsewhere"};
    s.observed.switches["br0"].mirrors["beside"] = beside;
    s.at(1);
    s.moves(0, 4);
    *s.observed.switches["br0"].mirrors["beside"].copied_frames += copied_beside;
    s.at(2);
    const std::string told = s.at(30);
    EXPECT_TRUE(told.starts_with(state)) << copied_beside << to_the_same << told;
    EXPECT_EQ(told.find("another mirror with the same output, which copied 4 frames") != told.npos,
              state == std::string("pending"))
        << told;
    s.copies(1);
    EXPECT_EQ(s.at(31), kActive);
  }
}

TEST(Judge, AnActiveSessionWhoseCopiesStopFails) {
  Story s;
  s.at(1);
  s.moves(1);
  s.copies(1);
  EXPECT_EQ(s.at(2), kActive);
  s.moves(1);
  EXPECT_EQ(s.at(3), kActive);
  EXPECT_EQ(s.at(19),
            "failed: port vnet0 moved 1 frame since 1970-01-01T00:00:02Z, its mirror copied none");
}

TEST(Judge, AClockThatIsSetBackOnlyBeginsTheWaitAnew) {
  Story s;
  s.at(10'000);
  s.moves(5);
  s.at(10'001);
  EXPECT_TRUE(s.at(100).starts_with("pending")) << "set back";
  EXPECT_TRUE(s.at(110).starts_with("pending"));
  EXPECT_TRUE(s.at(120).starts_with("failed"));
}

TEST(Judge, AFilterMayMatchNothing) {
  Story s;
  s.resolved.desired.sessions[0].filter.only = {{.carried = {{0, 6}}}};
  s.realisation.verdicts[0].filtering = Filtering::by_switch;
  s.at(1);
  s.moves(4);
  EXPECT_EQ(s.at(100), "pending: no frame of port vnet0 matched the filter and VLANs yet");
}

TEST(Judge, WhatTheReceiverFiltersTheSwitchCopiesWhole) {
  Story s;
  s.resolved.desired.sessions[0].filter.only = {{.carried = {{0, 6}}}};
  s.realisation.verdicts[0].filtering = Filtering::by_receiver;
  s.at(1);
  EXPECT_FALSE(s.tracks[0].status.selective);
  EXPECT_EQ(s.tracks[0].status.filter, "[{protocol: tcp}]");
  s.moves(4);
  EXPECT_NE(s.at(2).find("its mirror copied none"), std::string::npos);
}

TEST(Judge, SeveralMirrorsOfOneFilterAreAllNeeded) {
  Story s;
  Mirror second = s.realisation.mirrors[0];
  second.name = "m2";
  second.out_ports = {};
  s.realisation.mirrors.push_back(second);
  s.realisation.verdicts[0].more_mirrors = {"m2"};
  s.realisation.verdicts[0].filtering = Filtering::by_switch;
  EXPECT_EQ(s.at(1), "pending: mirror m2 is not on the switch yet");
  second.owned = true;
  second.copied_frames = 0;
  Mirror& there = s.observed.switches["br0"].mirrors["m2"] = second;
  EXPECT_EQ(s.at(2).find("mirror m2"), std::string::npos) << "it copies one direction only";
  there.in_ports = {};
  EXPECT_EQ(s.at(3), "pending: mirror m2 does not select port vnet0");
  there.in_ports = {"vnet0"};
  s.at(4);
  s.moves(5);
  *there.copied_frames += 2;
  s.copies(1);
  EXPECT_TRUE(s.at(5).starts_with("active"));
  EXPECT_EQ(s.tracks[0].status.copied_frames, 3U);
}

TEST(Judge, AMirrorThatTheSwitchGaveUpHasFailed) {
  Story s;
  s.at(1);
  s.moves(1);
  s.copies(1);
  EXPECT_TRUE(s.at(2).starts_with("active"));
  s.mirror().error = "given up";
  EXPECT_EQ(s.at(3), "failed: the switch shows of mirror m: given up");
}

TEST(Judge, WhatIsNotThereYetIsPendingAndWhatTheSwitchRefusedFailed) {
  const struct {
    void (*spoil)(Story&);
    std::string reason;
  } table[] = {
      {[](Story& s) { s.observed.switches["br0"].mirrors.clear(); },
       "mirror m is not on the switch yet"},
      {[](Story& s) { s.mirror().out_ports.clear(); }, "mirror m does not select port vnet0"},
      {[](Story& s) { s.mirror().output.reset(); }, "mirror m has lost its output out"},
      {[](Story& s) { s.mirror().snaplen = 64; }, "mirror m is not as it was asked for yet"},
      {[](Story& s) { s.mirror().output = PortOutput{"vnet0"}; },
       "mirror m is not as it was asked for yet"},
  };
  for (const auto& row : table) {
    Story s;
    row.spoil(s);
    EXPECT_EQ(s.at(1), "pending: " + row.reason);
    EXPECT_FALSE(s.tracks[0].status.in_place);
    s.apply_error = Error{Error::Kind::refused, "no", "br0", ""};
    EXPECT_EQ(s.at(2), "failed: " + row.reason + ": br0: no");
  }
}

TEST(Judge, OtherPortsOfTheMirrorAreOtherSessionsBusiness) {
  Story s;
  s.realisation.mirrors[0].in_ports.insert("vnet1");
  EXPECT_EQ(s.at(1), kSilent);
}

TEST(Judge, WhatTheSwitchSaysIsTheReason) {
  Story s;
  s.port().error = "could not open network device vnet0 (No such device)";
  EXPECT_EQ(s.at(1),
            "failed: the switch says of port vnet0: could not open network device vnet0 (No such "
            "device)");
  s.port().error.clear();
  s.observed.switches["br0"].ports["out"].error = "broken";
  EXPECT_EQ(s.at(2), "failed: the switch says of port out: broken");
  s.observed.switches["br0"].ports.erase("out");
  EXPECT_EQ(s.at(3), "failed: its output port out is gone");
  s.observed.switches.clear();
  EXPECT_EQ(s.at(4), "pending: switch br0 is gone");
}

TEST(Judge, APortThatWasAddedAgainIsProvenAnew) {
  Story s;
  s.at(1);
  s.moves(1);
  s.copies(1);
  EXPECT_EQ(s.at(2), kActive);
  s.port().id = "2";
  EXPECT_EQ(s.at(3),
            "ready: port vnet0 has been silent since 1970-01-01T00:00:03Z: nothing to copy; not "
            "proven yet: the guest is silent");
}

TEST(Judge, CountersThatGoBackAreCountedAnew) {
  Story s;
  s.moves(100);
  s.copies(100);
  s.at(1);
  s.port().counters = PortCounters{};
  s.mirror().copied_frames = 0;
  EXPECT_EQ(s.at(2),
            "ready: port vnet0 has been silent since 1970-01-01T00:00:02Z: nothing to copy; not "
            "proven yet: the guest is silent");
  s.moves(1);
  s.copies(1);
  EXPECT_EQ(s.at(3), kActive);
}

TEST(Judge, ARefusalIsTheDriversWord) {
  Story s;
  s.realisation.verdicts[0].refused =
      Error{Error::Kind::refused, "the port is its own target: a loop", "br0/vnet0", ""};
  EXPECT_EQ(s.at(1), "refused: br0/vnet0: the port is its own target: a loop");
  s.realisation.verdicts.clear();
  EXPECT_EQ(s.at(2), "failed: the driver says nothing of it");
}

TEST(Judge, WhatNobodyAsksForDrainsUntilItIsGone) {
  Story s;
  s.at(1);
  s.resolved = {};
  s.realisation = {};
  EXPECT_EQ(s.at(2), "draining: no policy asks for it; mirror m is still there");
  s.apply_error = Error{Error::Kind::refused, "busy", "", ""};
  EXPECT_EQ(s.at(3), "draining: no policy asks for it; mirror m is still there: busy");
  s.mirror().in_ports.clear();
  s.mirror().out_ports.clear();
  EXPECT_EQ(s.at(4), "");
}

TEST(Judge, AnUnreadableSwitchMakesUnknownAndKeepsTheProof) {
  Story s;
  s.at(1);
  s.moves(1);
  s.copies(1);
  s.at(2);
  const Error error{Error::Kind::unreachable, "no answer", "unix:x", ""};
  const std::string unknown =
      "unknown: it was active until the switch could not be read (unix:x: no answer); it was left "
      "as it is";
  EXPECT_EQ(s.unreadable(3, error), unknown);
  EXPECT_EQ(s.tracks[0].status.since, 3 * kSecond);
  EXPECT_EQ(s.at(5), kActive);
}

TEST(Judge, AnUnreadableSwitchIsTheReasonEvenOfWhatWasUnknown) {
  Story s;
  s.at(1);
  s.stall = Error{Error::Kind::unreachable, "ovs-vswitchd does nothing", "switch", ""};
  EXPECT_EQ(s.at(9), "unknown: nothing moves: ovs-vswitchd does nothing");
  EXPECT_EQ(
      s.unreadable(10, {Error::Kind::unreachable, "no answer", "unix:x", ""}),
      "unknown: it was unknown until the switch could not be read (unix:x: no answer); it was "
      "left as it is");
  EXPECT_EQ(s.tracks[0].status.since, 9 * kSecond);
}

TEST(Judge, SilenceOfASwitchThatCarriesNothingOutSaysNothing) {
  Story s;
  s.at(1);
  s.moves(1);
  s.copies(1);
  s.at(2);
  s.stall = Error{Error::Kind::unreachable, "ovs-vswitchd does nothing", "switch", ""};
  const std::string unknown = "unknown: nothing moves: ovs-vswitchd does nothing";
  EXPECT_EQ(s.at(20), unknown);
  s.stall.reset();
  EXPECT_EQ(s.at(31), kActive) << "it was proven before";
}

TEST(Judge, OfASwitchThatStallsAClockThatIsSetBackMakesNoProofLast) {
  Story s;
  s.at(7200);
  s.moves(1);
  s.copies(1);
  EXPECT_EQ(s.at(7201), kActive);
  s.stall = Error{Error::Kind::unreachable, "ovs-vswitchd does nothing", "switch", ""};
  EXPECT_EQ(s.at(2), kActive);
  EXPECT_EQ(s.at(7), "unknown: nothing moves: ovs-vswitchd does nothing");
}

}  // namespace
}  // namespace vmirror
