// Every transition from every phase, as the drawing in half_phase.hpp has them.
#include "agent/control/affinity/half_phase.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace vmirror::half {
namespace {

constexpr auto kDone = MigrationState::done, kAborted = MigrationState::aborted,
               kLost = MigrationState::lost;

/// "complete 9: over 5 done, switchover 3"
std::string text(const Phase& phase) {
  if (const auto* suspended = std::get_if<Suspended>(&phase))
    return "suspended, switchover " + std::to_string(suspended->switchover);
  std::string out;
  if (const auto at = complete_since(phase)) out = "complete " + std::to_string(*at) + ": ";
  const auto since = over_since(phase);
  if (!since) return out + "underway";
  out += "over " + std::to_string(*since) + " " + to_text(verdict(phase));
  if (const auto at = switchover(phase)) out += ", switchover " + std::to_string(*at);
  return out;
}

TEST(HalfPhase, HasTheTransitionsOfTheDrawing) {
  const Phase underway, suspended = Suspended{3}, over = Over{kLost, 5, {}},
                        complete = Complete{{kLost, 5, {}}, 9};
  using Move = std::function<Phase(const Phase&)>;
  const Move suspends = [](const Phase&p) { return suspend(p, 4); },
             arrives = [](const Phase&p) { return arrive(p, 4, 6); },
             ends = [](const Phase&p) { return end(p, kAborted, 7); },
             completes = [](const Phase&p) { return half::complete(p, 8); };
  const std::string stays_suspended = "suspended, switchover 3", stays_over = "over 5 lost",
                    stays_complete = "complete 9: over 5 lost";
  const struct {
    const char* what;
    const Phase& from;
    const Move& move;
    std::string to;
  } table[] = {
      {"underway suspends", underway, suspends, "suspended, switchover 4"},
      {"underway arrives", underway, arrives, "over 6 done, switchover 4"},
      {"underway ends", underway, ends, "over 7 aborted"},
      {"underway completes", underway, completes, "underway"},
      {"suspended suspends", suspended, suspends, stays_suspended},
      {"suspended arrives", suspended, arrives, stays_suspended},
      {"suspended ends", suspended, ends, "over 7 aborted, switchover 3"},
      {"suspended completes", suspended, completes, stays_suspended},
      {"over suspends", over, suspends, stays_over},
      {"over arrives", over, arrives, stays_over},
      {"over ends", over, ends, stays_over},
      {"over completes", over, completes, "complete 8: over 5 lost"},
      {"complete suspends", complete, suspends, stays_complete},
      {"complete arrives", complete, arrives, stays_complete},
      {"complete ends", complete, ends, stays_complete},
      {"complete completes", complete, completes, stays_complete},
  };
  for (const auto& row : table) EXPECT_EQ(text(row.move(row.from)), row.to) << row.what;
}

TEST(HalfPhase, TellsHowFarItIs) {
  const struct {
    Phase phase;
    bool over, complete;
    MigrationState verdict;
  } table[] = {
      {Underway{}, false, false, MigrationState::running},
      {Suspended{3}, false, false, MigrationState::running},
      {Over{kDone, 5, 3}, true, false, kDone},
      {Complete{{kAborted, 5, {}}, 9}, true, true, kAborted},
  };
  for (const auto& row : table) {
    EXPECT_EQ(is_over(row.phase), row.over) << text(row.phase);
    EXPECT_EQ(is_complete(row.phase), row.complete) << text(row.phase);
    EXPECT_EQ(verdict(row.phase), row.verdict) << text(row.phase);
  }
}

/// From 1,000 back to 400: what was 100 ago is 100 ago.
TEST(HalfPhase, IsAsOldAsItWasAfterTheClockWasSetBack) {
  const struct {
    Phase phase;
    std::string to;
  } table[] = {
      {Underway{}, "underway"},
      {Suspended{900}, "suspended, switchover 300"},
      {Suspended{350}, "suspended, switchover 350"},
      {Over{kDone, 950, 900}, "over 350 done, switchover 300"},
      {Over{kDone, 950, {}}, "over 350 done"},
      {Complete{{kDone, 950, 900}, 980}, "complete 380: over 350 done, switchover 300"},
  };
  for (const auto& row : table) EXPECT_EQ(text(set_back(row.phase, 600, 400)), row.to);
}

}  // namespace
}  // namespace vmirror::half
