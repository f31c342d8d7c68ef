// Follows the guests of this host: passes observations to the tracker of agent/control/affinity,
// and carries out the tracker's actions. The only place where migrations meet the engine, the
// agents' link, the kernel's counters and the journal.
//
//   control --ports, mirrors--+                          +--> peers: its half, asked or told
//   libvirt --events, guests--+--> [ MigrationTracker ] -+--> engine: counters, take, give, let go
//   peers ----messages--------+                          +--> journal, EVE, log
//
// Everything runs on the daemon's main thread, except for the handover of a guest's analysis state,
// which has a thread of its own: a handover may take 200 ms and 16 MiB.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/control/affinity/migration_tracker.hpp"
#include "agent/control/libvirt/connection.hpp"
#include "agent/control/peers/peers.hpp"
#include "agent/control/reconcile/reconciler.hpp"
#include "agent/engine/export/sink.hpp"
#include "agent/engine/worker/engine.hpp"

namespace vmirror {

struct FollowingOptions {
  std::string host;                ///< This host's name.
  std::vector<std::string> peers;  ///< The other hosts whose agents are linked.
  bool hypervisor = false;         ///< A hypervisor reports events and guests; else only ports.
  /// The ports are interfaces of this machine, whose counters can be read; false in an appliance.
  bool ports_are_here = true;
  std::string state;  ///< Folder for the journal; created if it is missing.
};

/// For `status` and the metrics.
struct FollowingStatus {
  TrackerCounters tracker;
  std::uint64_t gap_frames = 0;   ///< Of all finished migrations whose gap is known.
  std::uint64_t gap_unknown = 0;  ///< Finished migrations whose gap is not known.
  std::uint64_t duplicates = 0;   ///< Of all finished migrations.
  /// The number of finished migrations, by the outcome of the handover.
  std::map<HandoverResult::State, std::uint64_t> handovers;
  std::size_t handovers_waiting = 0;    ///< Received, and not read yet.
  std::uint64_t handovers_refused = 0;  ///< Because kMaxWaitingHandovers waited.
  std::uint64_t downtimes = 0;          ///< Migrations that are done, with a known downtime.
  Time downtime = 0;                    ///< The sum of these downtimes.
  std::string journal_error;            ///< Empty: none.
};
/// Adds a finished migration. Pure.
void count(FollowingStatus& counts, const MigrationRecord& record);

/// The type of the message with a guest's analysis state: "ID\n" and what agent/engine/worker
/// encodes; and its most bytes.
constexpr const char* kHandoverMessage = "handover";
constexpr std::size_t kMaxHandoverMessage = std::size_t{16} << 20;

/// Received handovers that wait to be read; a further one is refused, and the record says so.
constexpr std::size_t kMaxWaitingHandovers = 8;

/// Call all functions on the io_context's thread, unless they say otherwise. Destroy it before the
/// engine and the link.
class Following {
 public:
  /// Reads the journal. `eve` may be null.
  Following(boost::asio::io_context& io, FollowingOptions options, Engine& engine, LineSinks* eve);
  ~Following();
  Following(const Following&) = delete;
  Following& operator=(const Following&) = delete;

  /// The link for messages; until this call no message is sent.
  void use(Peers& peers);
  /// Answers whether a guest is being migrated away (Libvirt::ask_leaving); until this call nobody.
  void use(Libvirt& libvirt);
  /// The handlers for the link; any thread may call them.
  PeersHandlers handlers(PeersHandlers also);

  void on_change(const RoundChanges& changes);
  /// After a reading: `readable` is false when it failed; `outage` is Observed's.
  void on_round(bool readable, const std::optional<Outage>& outage, Time now);
  void on_guest_event(const GuestEvent& event);
  void on_guests(std::shared_ptr<const Guests> guests, Time now);

  std::vector<MigrationRecord> records() const;
  /// UUIDs of guests that migrate now.
  std::vector<std::string> migrating() const;
  FollowingStatus status() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace vmirror
