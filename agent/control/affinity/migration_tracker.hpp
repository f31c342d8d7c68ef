// Makes the records of migrations (agent/model/migration.hpp): one state machine for each agent.
// Its inputs are observations, each with a time; its outputs are actions. It reads no clock, no
// counter and no file.
//
//   guest views, libvirt's events, counters, peers' messages, losses, time
//        |
//        v                                      +-- SendMigration ------------------> other agent
//   [ tracker: open records, finished ones ] ---+-- ReadCounters, RestartFirstFrame -> engine
//                                               +-- HandOverGuest, LetGuestGo -------> engine
//                                               +-- AskLeaving ----------------------> libvirt
//                                               +-- RecordChanged -------------------> journal, API
//                                               +-- RecordFinished ------------------> EVE, metrics
//
// half_phase.hpp has the phases of this host's half of a record, with a drawing. On the destination
// a record begins when the guest is incoming. On the source a record begins when a peer asks for
// the guest, or libvirt reports that the guest leaves or is suspended for the migration. A record
// is finished when both halves are complete, or the other half will not be known. Inputs may come
// twice, late or never: views show states and replace lost events; the exact time is then lost, and
// a note says so.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "agent/control/affinity/frame_ledger.hpp"
#include "agent/control/affinity/guest_view.hpp"
#include "agent/control/affinity/half_phase.hpp"
#include "agent/control/affinity/migration_message.hpp"
#include "agent/control/affinity/output_watch.hpp"
#include "agent/model/guest.hpp"
#include "agent/model/migration.hpp"

namespace vmirror {

struct TrackerOptions {
  std::string host;                               ///< This host.
  std::vector<std::string> peers;                 ///< The other hosts whose agents are configured.
  bool hypervisor = false;                        ///< A hypervisor reports GuestEvents.
  std::size_t open = 64, kept = 256, notes = 16;  ///< Records; notes of a half.
  Time read_every = 250 * kMillisecond;           ///< Counters, while the guest is copied.
  Time ask_every = kSecond;          ///< Asks whether the guest is still being migrated away.
  Time settle = 300 * kMillisecond;  ///< From the suspension to the last reading of counters.
  /// From the resumption to the last reading. A guest that leaves earlier can't be counted.
  Time run_in = 250 * kMillisecond;
  Time linger = 5 * kSecond;      ///< For the removal of ports and mirrors after the guest left.
  Time patience = 10 * kSecond;   ///< For the other half, after this half is complete.
  Time longest = 3600 * kSecond;  ///< A longer migration ends as `lost`.
};

// ---- Actions

/// To one agent; `to` empty: to all agents that are up.
struct SendMigration {
  std::string to;
  MigrationMessage message;
};
/// Read the guest's counters now, the engine first, then the ports, and call `counters`.
struct ReadCounters {
  std::string guest;  ///< GuestView::key()
};
/// Ask the hypervisor whether the guest is being migrated from here (Libvirt::ask_leaving).
struct AskLeaving {
  std::string guest;
};
/// Engine::restart_first_out of the guest's NICs: frames were seen before the guest ran here.
struct RestartFirstFrame {
  std::string guest;
};
/// Take the engine's state of the guest, send it to the agent of host `to`, and call `handed_over`.
/// On the source, when the guest is suspended and the destination's agent is known.
struct HandOverGuest {
  std::string guest, id, to;
};
/// Engine::let_go: the guest left, or did not arrive in the end.
struct LetGuestGo {
  std::string guest;
};
/// Publish the record, and write it to the journal.
struct RecordChanged {
  MigrationRecord record;
  std::string replaces;  ///< The record's previous id, which must be forgotten; empty: none.
};
/// The record is finished: EVE event, metric. Once for each record; a half that arrives later gives
/// a RecordChanged.
struct RecordFinished {
  MigrationRecord record;
};
using TrackerAction = std::variant<SendMigration, ReadCounters, AskLeaving, RestartFirstFrame,
                                   HandOverGuest, LetGuestGo, RecordChanged, RecordFinished>;
using TrackerActions = std::vector<TrackerAction>;

/// One agent sees the switches of both hosts, and the guest's ports went from one to the other.
struct SeenMove {
  std::string vm_uuid, vm_name, from, to;
  bool mirrored = false;           ///< A policy wants its NICs.
  bool in_place = false;           ///< All its mirrors were read back as in place, on the new host.
  std::vector<std::string> notes;  ///< What is not known of it.
};

struct TrackerCounters {
  std::size_t open = 0, kept = 0;  ///< Of TrackerOptions::open, ::kept.
  std::uint64_t refused = 0;       ///< Migrations without a record: too many were open.
  std::uint64_t dropped = 0;       ///< Finished records that were dropped for newer ones.
  std::uint64_t notes_dropped = 0;
  std::uint64_t ignored = 0;               ///< Messages and events that belong to no known record.
  std::uint64_t unexpected_handovers = 0;  ///< Without an open migration, or not of its guest.
  std::map<MigrationState, std::uint64_t> finished;
};

/// One thread. Every function returns the actions to carry out now, in this order.
class MigrationTracker {
 public:
  explicit MigrationTracker(TrackerOptions options) : options_(std::move(options)) {}

  // -- at the agent's start, in this order --
  /// The journal's records. Open records continue, with a note that the agent was down from
  /// `alive` (its last sign of life) until now.
  TrackerActions restore(std::vector<MigrationRecord> records, Time alive, Time now);
  /// All guests that are here were passed in once: guests that appear from now on are new.
  TrackerActions ready(Time now);

  // -- observations on this host --
  /// The guest's view now. To be called when the view changed, and once without ports when the last
  /// port was removed. A repeated view changes nothing.
  TrackerActions view(const GuestView& view, Time now);
  /// An event of libvirt; before the view that shows its effect.
  TrackerActions event(const GuestEvent& event);
  TrackerActions counters(const std::string& guest, const GuestCounters& reading, Time now);
  /// libvirt, or the switch, can or can't be read from now on. Before the first call libvirt was
  /// not read yet.
  TrackerActions hypervisor(bool readable, Time now);
  TrackerActions switches(bool readable, Time now);

  // -- the other agents --
  TrackerActions peer_up(const std::string& host, Time now);
  TrackerActions peer_down(const std::string& host, Time now);
  TrackerActions message(const std::string& host, const MigrationMessage& message, Time now);
  /// The peer's clock less ours, as the link estimates it (PeerStatus::clock_offset); valid until
  /// the next one. When the offset becomes known or changes, this host's halves are sent again:
  /// separately begun halves are matched by their times, and not before while ours is open.
  TrackerActions clock_offset(const std::string& host, std::optional<Time> offset, Time now);
  /// A guest moved from one host to another, seen from outside of both: a whole record, which is
  /// finished.
  TrackerActions moved(const SeenMove& move, Time now);
  /// The guest (its key) that `host` may hand over to this host by the record `id`; none: no such
  /// migration from there is open.
  std::optional<std::string> expected_from(const std::string& host, const std::string& id) const;
  /// The outcome of a handover: on the source when it was sent or failed, on the destination when
  /// the engine took it. `id` is the record's.
  TrackerActions handed_over(const std::string& id, const HandoverResult& result, Time now);

  /// Time has passed. To be called at `wake()`, and once a second also without an open record. The
  /// wall clock may have been set back since the last call: no wait becomes longer by it, and no
  /// observation counts as one of the future.
  TrackerActions tick(Time now);
  std::optional<Time> wake() const;

  /// All records, oldest first: the finished ones, then the open ones.
  std::vector<MigrationRecord> records() const;
  /// Keys (UUIDs) of guests whose half on this host is not complete.
  std::vector<std::string> migrating() const;
  TrackerCounters counters() const;
  void unexpected_handover() { ++counters_.unexpected_handovers; }

 private:
  static constexpr Time kNever = std::numeric_limits<Time>::max();
  struct Open {
    explicit Open(bool here_is_source) : source(here_is_source), ledger(!here_is_source) {}

    std::string guest;
    bool source;
    bool tentative = false;  ///< Only a new port shows it: hidden until a peer confirms it.
    MigrationRecord record;
    std::vector<std::string> interface_ids;
    FrameLedger ledger;
    bool counted = true;     ///< The ledger has all readings.
    bool countable = false;  ///< As in GuestView.
    bool restored = false;   ///< By `restore`, without a view of its guest since.
    bool coming = false;     ///< The guest was incoming (destination).
    bool had_mirrors = false;
    bool handed = false;               ///< The guest's analysis was to be handed over (source).
    bool changed = true, tell = true;  ///< To be published; to be sent to the other agent.
    Time began = 0, next_read = 0, next_ask = 0;  ///< next_read: kNever after the last reading.
    // These times keep their age if the clock is set back; the record's times do not change.
    half::Phase phase;
    std::optional<Time> gone;        ///< The last port was removed.
    std::optional<Time> unmirrored;  ///< A mirror that was in place is missing.
    OutputWatch output;
    MigrationState theirs = MigrationState::running;  ///< The other host's verdict.
    std::string replaces;

    MigrationHalf& half() { return source ? record.source : record.destination; }
    MigrationHalf& other() { return source ? record.destination : record.source; }
    const MigrationHalf& half() const { return source ? record.source : record.destination; }
    const MigrationHalf& other() const { return source ? record.destination : record.source; }
    bool is_over() const { return half::is_over(phase); }
    bool is_complete() const { return half::is_complete(phase); }
    /// The guest runs here (destination).
    bool has_arrived() const { return !source && half::switchover(phase).has_value(); }
  };

  Open* find(const std::string& guest, bool source);
  struct Found {  ///< At most one of the two pointers is set.
    Open* open = nullptr;
    MigrationRecord* finished = nullptr;
    bool unsure = false;  ///< The record can't be determined before the clocks are known.
  };
  bool lacks_half_of(const MigrationRecord& record, const std::string& host) const;
  Found find_for(const std::string& host, const MigrationMessage& message);
  const GuestView* view_for(const MigrationMessage& message) const;
  Open* begin(const std::string& guest, bool source, Time now);
  void begin_from_view(const GuestView& view, bool appeared, Time now);
  void end_earlier(const std::string& guest, bool source, Time now);
  void note(Open& open, std::string text);
  void conclude(Open& open, MigrationState verdict, Time now);
  void conclude_unseen(Open& open, Time now);
  // Steps of one half (migration_steps.cpp).
  void look(Open& open, const GuestView& view, Time now);
  void look_source(Open& open, const GuestView& view, Time now);
  void look_destination(Open& open, const GuestView& view, Time now);
  void event_source(Open& open, const GuestEvent& event);
  void event_destination(Open& open, const GuestEvent& event);
  void arrived(Open& open, Time now, std::optional<Time> resumed);
  void hand_over(Open& open);
  void count(Open& open, const GuestCounters& reading, Time now);
  std::optional<Time> end_begins(const Open& open) const;
  Time end_lasts(const Open& open) const;
  void read(Open& open, Time now);
  void step(Open& open, Time now);
  void decide_without_events(Open& open, Time now);
  bool has_nothing_more(const Open& open, Time now) const;
  /// `stays`: nobody said that the guest left, and it moves again: it may have been here all the
  /// time.
  void complete(Open& open, Time now, bool stays = false);
  bool awaits_other_half(Open& open, Time now);

  const MigrationRecord* latest_of(const std::string& uuid) const;
  bool is_late(const GuestEvent& event) const;
  void take(Open& open, const std::string& host, const MigrationMessage& message, Time now);
  void compare_clocks(MigrationRecord& record, const std::string& host,
                      const MigrationRecord& said) const;
  bool is_elsewhere(const GuestView& view) const;
  void tell_anew(const std::string& host);
  void take_late(MigrationRecord& record, const std::string& host, const MigrationMessage& message);
  TrackerActions readable(std::optional<Time>& since, bool readable, const std::string& what,
                          Time now);
  MigrationMessage message_of(const Open& open, bool asks) const;
  void send(const Open& open);
  void finish(Open& open);
  void keep(MigrationRecord record, std::string replaces);
  void go_back(Time by, Time now);
  TrackerActions flush(Time now);

  TrackerOptions options_;
  std::map<std::string, GuestView> views_;  ///< Guests with ports here, by key.
  std::list<Open> open_;
  std::deque<MigrationRecord> finished_;
  std::map<std::string, Time> completed_;  ///< By UUID: when its latest half was complete.
  std::set<std::string> up_;
  std::map<std::string, Time> down_since_;
  std::map<std::string, Time> offsets_;
  std::optional<Time> no_hypervisor_, no_switches_;
  bool ready_ = false, hypervisor_read_ = false;
  Time now_ = 0, ticked_ = 0;
  TrackerActions actions_;
  TrackerCounters counters_;
};

}  // namespace vmirror
