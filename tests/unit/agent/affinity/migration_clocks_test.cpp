// Migrations between hosts whose clocks differ.
#include "tests/unit/agent/affinity/two_hosts.hpp"

namespace vmirror {
namespace {

/// Each began its half alone, and the link is up before it knows by how much the clocks differ.
TEST_F(TwoHosts, HalvesThatBeganApartAreJoinedOnceTheClocksAreKnown) {
  for (const Time ahead : {-5 * kSecond, 5 * kSecond}) {
    SCOPED_TRACE(ahead < 0 ? "the destination's clock is late"
                           : "the destination's clock is early");
    now_ = kStart;
    clocks_known_ = false;
    use(true, true);
    link(false);
    Host& b = host("hostb");
    b.clock = ahead;
    make(b);
    act(b, b.tracker->ready(at("hostb")));
    runs_on("hosta");
    tell("hosta", Kind::iteration, "iteration 1");
    migrate("hosta", "hostb");
    pass(12'000);
    link(true);
    pass(900);
    compare_clocks();
    pass(20'000);
    const MigrationRecord r = only("hosta");
    EXPECT_EQ(text(r), text(only("hostb")));
    EXPECT_EQ(host("hosta").tracker->records().size(), 1U);
    EXPECT_EQ(host("hostb").tracker->records().size(), 1U);
    EXPECT_EQ(r.clock_offset, -ahead);
    EXPECT_TRUE(r.source.ended && r.destination.ended);
    EXPECT_EQ(gap_frames(r), 0U) << text(r);
    EXPECT_EQ(downtime(r), 40 * kMillisecond);
  }
}

}  // namespace
}  // namespace vmirror
