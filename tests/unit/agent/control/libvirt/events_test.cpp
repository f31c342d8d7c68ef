// What libvirt's events mean: the sequences that libvirt 9.0 and QEMU 7.2 sent in real migrations
// between two libvirtd, each side's, in its order.
#include "agent/control/libvirt/events.hpp"

#include <gtest/gtest.h>
#include <libvirt/libvirt.h>

#include <vector>

namespace vmirror {
namespace {

using Kind = GuestEvent::Kind;
using State = GuestState;

struct Step {
  int event, detail;
  std::optional<Kind> kind;
  State after;
};

constexpr int kDefined = VIR_DOMAIN_EVENT_DEFINED, kUndefined = VIR_DOMAIN_EVENT_UNDEFINED,
              kStarted = VIR_DOMAIN_EVENT_STARTED, kSuspended = VIR_DOMAIN_EVENT_SUSPENDED,
              kResumed = VIR_DOMAIN_EVENT_RESUMED, kStopped = VIR_DOMAIN_EVENT_STOPPED,
              kShutdown = VIR_DOMAIN_EVENT_SHUTDOWN;

const struct {
  const char* what;
  std::optional<State> before;
  std::vector<Step> steps;
} kSequences[] = {
    // RESUMED is told before STARTED.
    {"boot",
     State::off,
     {{kResumed, VIR_DOMAIN_EVENT_RESUMED_UNPAUSED, {}, State::running},
      {kStarted, VIR_DOMAIN_EVENT_STARTED_BOOTED, Kind::started, State::running}}},
    {"boot of a guest nobody heard of",
     std::nullopt,
     {{kResumed, VIR_DOMAIN_EVENT_RESUMED_UNPAUSED, {}, State::running},
      {kStarted, VIR_DOMAIN_EVENT_STARTED_BOOTED, Kind::started, State::running}}},
    {"start --paused, resume",
     State::off,
     {{kStarted, VIR_DOMAIN_EVENT_STARTED_BOOTED, Kind::started, State::running},
      {kSuspended, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED, Kind::suspended, State::suspended},
      {kResumed, VIR_DOMAIN_EVENT_RESUMED_UNPAUSED, Kind::resumed, State::running}}},
    {"destroy",
     State::running,
     {{kShutdown, VIR_DOMAIN_EVENT_SHUTDOWN_HOST, {}, State::running},
      {kStopped, VIR_DOMAIN_EVENT_STOPPED_DESTROYED, Kind::stopped, State::off}}},
    {"live migration, source",
     State::running,
     {{kSuspended, VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED, Kind::suspended_leaving, State::leaving},
      {kStopped, VIR_DOMAIN_EVENT_STOPPED_MIGRATED, Kind::left, State::off}}},
    {"live migration, destination, defined there",
     std::nullopt,
     {{kStarted, VIR_DOMAIN_EVENT_STARTED_MIGRATED, Kind::incoming, State::incoming},
      {kDefined, VIR_DOMAIN_EVENT_DEFINED_ADDED, Kind::changed, State::incoming},
      {kResumed, VIR_DOMAIN_EVENT_RESUMED_MIGRATED, Kind::resumed_arrived, State::running}}},
    {"live migration, back to where it is still defined",
     State::off,
     {{kStarted, VIR_DOMAIN_EVENT_STARTED_MIGRATED, Kind::incoming, State::incoming},
      {kDefined, VIR_DOMAIN_EVENT_DEFINED_UPDATED, Kind::changed, State::incoming},
      {kResumed, VIR_DOMAIN_EVENT_RESUMED_MIGRATED, Kind::resumed_arrived, State::running}}},
    // In pre-copy the source says nothing when it is aborted, or the destination is killed.
    {"aborted or failed, destination",
     std::nullopt,
     {{kStarted, VIR_DOMAIN_EVENT_STARTED_MIGRATED, Kind::incoming, State::incoming},
      {kStopped, VIR_DOMAIN_EVENT_STOPPED_FAILED, Kind::stopped, State::off}}},
    // With the CPUs stopped already, the source resumes with the same event as an arrival.
    {"aborted or failed while suspended, source",
     State::running,
     {{kSuspended, VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED, Kind::suspended_leaving, State::leaving},
      {kResumed, VIR_DOMAIN_EVENT_RESUMED_MIGRATED, Kind::resumed_here, State::running}}},
    {"source's libvirtd killed, destination",
     std::nullopt,
     {{kStarted, VIR_DOMAIN_EVENT_STARTED_MIGRATED, Kind::incoming, State::incoming},
      {kShutdown, VIR_DOMAIN_EVENT_SHUTDOWN_HOST, {}, State::incoming},
      {kStopped, VIR_DOMAIN_EVENT_STOPPED_DESTROYED, Kind::stopped, State::off}}},
    {"post-copy, source",
     State::running,
     {{kSuspended, VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED, Kind::suspended_leaving, State::leaving},
      {kSuspended, VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY, Kind::suspended_postcopy, State::leaving},
      {kStopped, VIR_DOMAIN_EVENT_STOPPED_MIGRATED, Kind::left, State::off}}},
    {"post-copy, destination",
     std::nullopt,
     {{kStarted, VIR_DOMAIN_EVENT_STARTED_MIGRATED, Kind::incoming, State::incoming},
      {kDefined, VIR_DOMAIN_EVENT_DEFINED_ADDED, Kind::changed, State::incoming},
      {kResumed, VIR_DOMAIN_EVENT_RESUMED_POSTCOPY, Kind::resumed_postcopy, State::running},
      {kResumed, VIR_DOMAIN_EVENT_RESUMED_MIGRATED, Kind::changed, State::running}}},
    {"suspend, resume",
     State::running,
     {{kSuspended, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED, Kind::suspended, State::suspended},
      {kResumed, VIR_DOMAIN_EVENT_RESUMED_UNPAUSED, Kind::resumed, State::running}}},
    {"rename",
     State::off,
     {{kUndefined, VIR_DOMAIN_EVENT_UNDEFINED_RENAMED, {}, State::off},
      {kDefined, VIR_DOMAIN_EVENT_DEFINED_RENAMED, Kind::changed, State::off}}},
    {"undefined while it runs",
     State::running,
     {{kUndefined, VIR_DOMAIN_EVENT_UNDEFINED_REMOVED, Kind::changed, State::running}}},
};

DomainEvent told(DomainEvent::Id id, int event, int detail, std::string text = {}) {
  DomainEvent out;
  out.id = id;
  out.event = event;
  out.detail = detail;
  out.text = std::move(text);
  return out;
}

TEST(Events, SequencesOfLibvirt) {
  for (const auto& sequence : kSequences) {
    std::optional<State> state = sequence.before;
    for (std::size_t i = 0; i < sequence.steps.size(); i++) {
      SCOPED_TRACE(std::string(sequence.what) + ", step " + std::to_string(i + 1));
      const Step& step = sequence.steps[i];
      const Transition next =
          transition(state, told(DomainEvent::Id::lifecycle, step.event, step.detail));
      if (next.state) state = next.state;
      EXPECT_EQ(next.kind, step.kind);
      EXPECT_EQ(state.value_or(step.after), step.after);
      EXPECT_TRUE(next.read);
    }
  }
}

TEST(Events, TheOthersKeepTheState) {
  using Id = DomainEvent::Id;
  const struct {
    Id id;
    int event;
    const char* text;
    std::optional<Kind> kind;
    const char* detail;
    bool read;
    bool ask = false;
  } table[] = {
      {Id::iteration, 3, "", {}, "", false, true},  // Also of `save`, `dump` and snapshots.
      {Id::noted, 0, "", {}, "", false, true},
      {Id::leaving, 0, "", Kind::leaving, "", false},
      {Id::device_added, 0, "net1", Kind::changed, "net1 attached", true},
      {Id::device_removed, 0, "net1", Kind::changed, "net1 detached", true},
      {Id::metadata, VIR_DOMAIN_METADATA_ELEMENT, "", Kind::changed, "metadata", true},
      {Id::metadata, VIR_DOMAIN_METADATA_TITLE, "", Kind::changed, "title", true},
      {Id::job_completed, 0, "job completed, downtime 215 ms", Kind::changed,
       "job completed, downtime 215 ms", true},
      {Id::not_leaving, 0, "", Kind::not_leaving, "", false},
  };
  for (const auto& row : table) {
    const Transition next = transition(State::leaving, told(row.id, row.event, 0, row.text));
    EXPECT_EQ(next.kind, row.kind);
    EXPECT_EQ(next.state, std::nullopt);
    EXPECT_EQ(next.detail, row.detail);
    EXPECT_EQ(next.read, row.read);
    EXPECT_EQ(next.ask, row.ask);
  }
}

TEST(Events, StatesAsLibvirtReadsThemOut) {
  const struct {
    int state, reason;
    std::optional<State> before, after;
  } table[] = {
      {VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED, {}, State::running},
      {VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_MIGRATED, State::incoming, State::running},
      {VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_POSTCOPY, State::running, State::running},
      {VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_MIGRATION_CANCELED, {}, State::running},
      {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER, State::running, State::suspended},
      {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_IOERROR, {}, State::suspended},
      // Both sides of a migration: what was heard before tells which; else the job must.
      {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION, State::incoming, State::incoming},
      {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION, State::leaving, State::leaving},
      {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION, State::running, {}},
      {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION, {}, {}},
      {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_POSTCOPY, {}, State::leaving},
      {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_STARTING_UP, {}, {}},
      {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_STARTING_UP, State::incoming, State::incoming},
      {VIR_DOMAIN_SHUTDOWN, 0, State::running, State::running},
      {VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_MIGRATED, State::leaving, State::off},
      {VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_FAILED, State::incoming, State::off},
  };
  for (const auto& row : table)
    EXPECT_EQ(state_of(row.state, row.reason, row.before), row.after)
        << row.state << '/' << row.reason;
}

}  // namespace
}  // namespace vmirror
