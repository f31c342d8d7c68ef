// What a port counted against what the engine received, read while both move.
#include "agent/control/affinity/frame_ledger.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

/// {port out, port in, copied out, copied in}; -1: not there.
struct Reading {
  int port_out, port_in, out, in, group = 0;
};

GuestCounters counters(const Reading& r) {
  GuestCounters c;
  const auto n = [](int value) { return static_cast<std::uint64_t>(value); };
  if (r.port_out >= 0) c.port = PortCounters{n(r.port_out), 0, n(r.port_in), 0, 0};
  if (r.out >= 0) c.copied = CopiedFrames{n(r.out), n(r.in), n(r.group), 0, 0};
  return c;
}

TEST(FrameLedger, WhatWasLost) {
  using Result = FrameLedger::Result;
  const struct {
    const char* what;
    std::vector<Reading> before, after;
    std::optional<Result> result;
    bool on_destination = false;
  } table[] = {
      {"nothing lost", {{100, 50, 10, 5}}, {{200, 70, 110, 25}}, Result{120, 120, 0}},
      {"lost from the guest",
       {{100, 50, 10, 5}},
       {{200, 70, 103, 25}, {200, 70, 103, 25}},
       Result{120, 113, 0}},
      {"lost to the guest",
       {{100, 50, 10, 5}},
       {{200, 70, 110, 20}, {200, 70, 110, 20}},
       Result{120, 115, 0}},
      {"the guest moved on after one reading",
       {{100, 50, 10, 5}},
       {{200, 70, 95, 25}},
       Result{120, 120, 15}},
      {"more copies one way hide no loss the other way",
       {{0, 0, 0, 0}},
       {{10, 10, 5, 30}, {10, 10, 5, 30}},
       Result{20, 15, 0}},
      {"the engine lags at the beginning",
       {{100, 0, 91, 0}, {150, 0, 150, 0}},
       {{200, 0, 200, 0}},
       Result{100, 100, 0}},
      {"the engine catches up at the end",
       {{100, 0, 100, 0}},
       {{200, 0, 180, 0}, {200, 0, 200, 0}},
       Result{100, 100, 0}},
      {"it lags at the end, where the guest runs on",
       {{0, 0, 0, 0}},
       {{100, 0, 96, 0}, {150, 0, 147, 0}, {200, 0, 196, 0}},
       Result{200, 200, 3}},
      {"a NIC that is watched later begins at 0, and lacks what was before",
       {{40, 0, -1, 0}},
       {{50, 0, 3, 0}, {50, 0, 3, 0}},
       Result{10, 3, 0}},
      {"the port is gone before the engine caught up",
       {{100, 0, 100, 0}},
       {{200, 0, 180, 0}, {-1, 0, 200, 0}},
       Result{100, 100, 0}},
      {"a queue in the tap is no loss",
       {{0, 100, 0, 130}, {0, 150, 0, 150}},
       {{0, 200, 0, 200}},
       Result{100, 100, 0}},
      {"on the destination, copies wait in the tap since before the first reading",
       {{0, 0, 0, 38}, {0, 0, 0, 858}},
       {{250, 904, 250, 906}, {270, 915, 270, 915}},
       Result{1185, 1185, 0},
       true},
      {"on the destination, copies wait in the tap, and some are lost",
       {{0, 1, 0, 38}, {0, 1, 0, 858}},
       {{250, 904, 250, 864}, {250, 904, 250, 864}},
       Result{1153, 1114, 0},
       true},
      {"no reading of before", {}, {{1, 1, 1, 1}}, {}},
      {"no reading of the end", {{1, 1, 1, 1}}, {}, {}},
      {"no port", {{-1, 0, 5, 5}}, {{-1, 0, 9, 9}}, {}},
      {"the engine began anew", {{100, 0, 100, 0}}, {{200, 0, 5, 0}}, {}},
      {"the port began anew", {{100, 0, 100, 0}}, {{5, 0, 105, 0}}, {}},
  };
  for (const auto& row : table) {
    SCOPED_TRACE(row.what);
    FrameLedger ledger(row.on_destination);
    for (const Reading& r : row.before) ledger.before(counters(r));
    for (const Reading& r : row.after) ledger.after(counters(r));
    const auto result = ledger.result();
    ASSERT_EQ(result.has_value(), row.result.has_value());
    if (!result) continue;
    EXPECT_EQ(result->port_frames, row.result->port_frames);
    EXPECT_EQ(result->copied_frames, row.result->copied_frames);
    EXPECT_EQ(result->uncertain, row.result->uncertain);
  }
}

TEST(FrameLedger, DuplicatesOfTheDestinationAreWhatCameBeforeTheGuest) {
  for (const bool late : {false, true}) {
    SCOPED_TRACE(late ? "the first reading comes late" : "the first reading comes in time");
    FrameLedger ledger(true);
    if (!late) ledger.before(counters({0, 0, -1, 0}));
    ledger.before(counters({0, 0, 2, 9, 6}));  // Two of its broadcasts; three for it, six groups.
    ledger.after(counters({10, 5, 12, 14, 6}));
    EXPECT_EQ(ledger.duplicates(), 5U);
    EXPECT_EQ(ledger.result()->copied_frames, 15U);
  }
}

TEST(FrameLedger, DuplicatesOfTheSourceAreWhatNobodyTookAnyMore) {
  FrameLedger ledger(false);
  ledger.before(counters({100, 50, 100, 50}));
  ledger.after(counters({120, 60, 120, 60}));
  ledger.after(counters({120, 60, 120, 67}));
  EXPECT_EQ(ledger.duplicates(), 7U);
}

}  // namespace
}  // namespace vmirror
