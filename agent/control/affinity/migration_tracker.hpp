// Makes the records of migrations (agent/model/migration.hpp): one state machine for each agent. It
// is told what is seen, each with its time, and answers with what to do; it reads no clock, no
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
// How far this host's half of a record is says half_phase.hpp, with a drawing of the phases.
// On the destination a record begins when the guest is incoming, on the source when a peer asks for
// the guest or libvirt tells that it leaves or is suspended for it. A half is complete once its
// host has nothing more to tell; a record is finished once both are, or the other one will not be
// known. What is told may come twice, late or never: views show states and mend lost events, at the
// price of the moment, which is noted then.
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
  bool hypervisor = false;                        ///< Somebody tells GuestEvents.
  std::size_t open = 64, kept = 256, notes = 16;  ///< Records; notes of a half.
  Time read_every = 250 * kMillisecond;           ///< Counters, while the guest is copied.
  Time ask_every = kSecond;          ///< Whether the guest is still being migrated from here.
  Time settle = 300 * kMillisecond;  ///< After the suspension the last counters are read.
  /// After the resumption the last counters are read. A guest that goes on before can't be counted.
  Time run_in = 250 * kMillisecond;
  Time linger = 5 * kSecond;      ///< For ports and mirrors to go after the guest did.
  Time patience = 10 * kSecond;   ///< For the other half, once this one is complete.
  Time longest = 3600 * kSecond;  ///< A migration that takes longer is lost sight of.
};

// ---- Actions

/// To one agent, or with `to` empty to all that are up.
struct SendMigration {
  std::string to;
  MigrationMessage message;
};
/// Read the guest's counters now, engine first, then its ports, and tell them with `counters`.
struct ReadCounters {
  std::string guest;  ///< GuestView::key()
};
/// Ask the hypervisor whether the guest is being migrated from here (Libvirt::ask_leaving).
struct AskLeaving {
  std::string guest;
};
/// Engine::restart_first_out of the guest's NICs: frames of it were seen before it ran here.
struct RestartFirstFrame {
  std::string guest;
};
/// Take what the engine knows of the guest and send it to that host's agent; then `handed_over`.
/// On the source, once the guest is suspended and the destination's agent is known.
struct HandOverGuest {
  std::string guest, id, to;
};
/// Engine::let_go: the guest left, or did not come after all.
struct LetGuestGo {
  std::string guest;
};
/// Publish the record, and write it to the journal.
struct RecordChanged {
  MigrationRecord record;
  std::string replaces;  ///< The id that it had before, which is to be forgotten; empty: none.
};
/// The record is finished: EVE event, metric. Once for each record; a half that comes later is a
/// RecordChanged.
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
  std::uint64_t dropped = 0;       ///< Finished records that made room.
  std::uint64_t notes_dropped = 0;
  std::uint64_t ignored = 0;  ///< Messages and events that belong to nothing known.
  std::map<MigrationState, std::uint64_t> finished;
};

/// One thread. Every function answers what to do now, in this order.
class MigrationTracker {
 public:
  explicit MigrationTracker(TrackerOptions options) : options_(std::move(options)) {}

  // -- at the agent's start, in this order --
  /// The journal's records: what was open goes on, with a note that the agent was down from
  /// `alive` (its last sign of life) until now.
  TrackerActions restore(std::vector<MigrationRecord> records, Time alive, Time now);
  /// All guests that are here were told once: what appears from now on is new.
  TrackerActions ready(Time now);

  // -- what is seen here --
  /// The guest's ports, mirrors or state are like this now. A guest is told when its view changed,
  /// and once with no ports when the last of them went. Repeating it changes nothing.
  TrackerActions view(const GuestView& view, Time now);
  /// Of libvirt; before the view that shows its effect.
  TrackerActions event(const GuestEvent& event);
  TrackerActions counters(const std::string& guest, const GuestCounters& reading, Time now);
  /// libvirt, or the switch, can't be read since now, or again. Before the first word on libvirt
  /// it was not read yet.
  TrackerActions hypervisor(bool readable, Time now);
  TrackerActions switches(bool readable, Time now);

  // -- the other agents --
  TrackerActions peer_up(const std::string& host, Time now);
  TrackerActions peer_down(const std::string& host, Time now);
  TrackerActions message(const std::string& host, const MigrationMessage& message, Time now);
  /// The peer's clock less ours, as the link estimates it (PeerStatus::clock_offset); the latest
  /// holds until another is known. Once it is known, or differs, what is there is told anew:
  /// halves that began apart are matched by their times. Before, none is while ours is open.
  TrackerActions clock_offset(const std::string& host, std::optional<Time> offset, Time now);
  /// A guest was on one host and is on another, seen from outside of both: a whole record, which is
  /// finished.
  TrackerActions moved(const SeenMove& move, Time now);
  /// What became of a handover: on the source when it was sent or failed, on the destination when
  /// it was given to the engine. `id` is the record's.
  TrackerActions handed_over(const std::string& id, const HandoverResult& result, Time now);

  /// Time has passed. Due at `wake()`, and once a second even where nothing is open; other calls do
  /// nothing. The wall clock may have been set back since the last one: what waits does so no
  /// longer for it, and what was told is none of the future.
  TrackerActions tick(Time now);
  std::optional<Time> wake() const;

  /// All records, oldest first: the finished ones, then the open ones.
  std::vector<MigrationRecord> records() const;
  /// Keys (UUIDs) of guests whose half is not complete here: they come, leave, or just did.
  std::vector<std::string> migrating() const;
  TrackerCounters counters() const;

 private:
  static constexpr Time kNever = std::numeric_limits<Time>::max();
  struct Open {
    std::string guest;
    bool source = false;
    bool tentative = false;  ///< Nobody but a new port says so: not shown until a peer does.
    MigrationRecord record;
    std::vector<std::string> interface_ids;
    FrameLedger ledger;
    bool counted = true;     ///< The ledger saw all of it.
    bool countable = false;  ///< As in GuestView.
    bool restored = false;   ///< By `restore`, and its guest was not told since.
    bool coming = false;     ///< It was incoming (destination).
    bool had_mirrors = false;
    bool handed = false;               ///< The guest's analysis was to be handed over (source).
    bool changed = true, tell = true;  ///< To be published; to be told to the other agent.
    Time began = 0, next_read = 0, next_ask = 0;  ///< next_read: kNever, it was read to the end.
    // As of now, should the clock be set back; the record keeps them as they were told.
    half::Phase phase;
    std::optional<Time> gone;        ///< Its last port went.
    std::optional<Time> unmirrored;  ///< A mirror that was in place is not.
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
  struct Found {  ///< At most one of them.
    Open* open = nullptr;
    MigrationRecord* finished = nullptr;
    bool unsure = false;  ///< Which it is can't be told before the clocks are known.
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
