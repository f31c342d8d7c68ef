// A host's libvirtd: which guests it has, and what happens to them. Connects, and connects again,
// by itself.
//
//   libvirtd --events--> [ libvirt's event loop ] --> inbox --> [ thread ] --> on_event, on_guests
//      ^                                                  ^         |
//      '------- calls ------- [ workers ] -- answers -----'<-- jobs-'
//
// libvirt's default event loop (virEventRunDefaultImpl) is one per process, registered for good by
// the first start(); all Libvirts of a process share it, and nobody else may register another. It
// has a thread while there is a Libvirt.
//
// A call of libvirt may take long and can't be given up: a domain is locked while its hook runs or
// its QEMU starts. So calls are made by a few workers. A domain that does not answer holds up one
// of them, never an event.
//
// libvirt has no event for a migration's begin on its source, and the event of a pass through the
// guest's memory comes of `save`, `dump` and snapshots, too (from QEMU 11.1 on not for the first
// pass). The job's operation tells; reading it costs a call, so it is read where there is a sign:
// that event, or that libvirtd wrote its note on the guest anew (/run/libvirt/qemu/NAME.xml, which
// it does as a job begins and ends). Where the notes are another host's, guests are asked in turn.
//
// The connection is libvirt's read-only one: no privilege is needed to watch. migrate() opens
// another that may write.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "agent/model/guest.hpp"
#include "plugin/base/clock.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

struct LibvirtOptions {
  std::string uri = "qemu:///system";  ///< As `virsh -c` takes it.
  /// A libvirtd that answers nothing for interval * (count + 1) is given up, and connected to anew.
  std::chrono::seconds keepalive_interval{2};
  unsigned keepalive_count = 2;
  /// Between attempts to connect: doubled from min to max; min again after a success.
  std::chrono::milliseconds backoff_min{100};
  std::chrono::milliseconds backoff_max{500};
  /// All guests, after each change of what is known; also when the connection comes or goes. Called
  /// on the Libvirt's thread, never two at once, nor together with on_event. Must not destroy the
  /// Libvirt; may call all of its other functions.
  std::function<void(std::shared_ptr<const Guests>)> on_guests;
  /// Each event, in the order in which libvirtd told it, before the on_guests that shows its
  /// effect. On the same thread.
  std::function<void(const GuestEvent&)> on_event;
};

/// For people.
struct LibvirtStatus {
  std::string uri;
  bool connected = false;
  Time since = 0;       ///< Of the connection, or of its loss; 0 when there was none yet.
  std::string version;  ///< libvirtd's: "9.0.0"; empty before the first connection.
  std::string error;    ///< Why it isn't connected, or what it could not read; empty: all is well.
  std::size_t guests = 0;
  std::uint64_t connections = 0;   ///< Made so far.
  std::uint64_t events = 0;        ///< Taken in.
  std::size_t events_waiting = 0;  ///< To be told.
  std::uint64_t events_lost = 0;   ///< More than kMaxLibvirtEvents waited; all was read again.
  std::uint64_t reads = 0;         ///< Of one guest.
  std::uint64_t full_reads = 0;    ///< Of all.
};

constexpr std::size_t kMaxLibvirtEvents = 16384;  ///< Events that wait to be told.
/// Guests asked a second whether they leave, where no sign of it can be seen.
constexpr std::size_t kAskedInTurn = 8;
constexpr std::size_t kMaxLibvirtMigrations =
    4;  ///< Migrations that this agent asked for, at once.

struct MigrateOptions {
  bool live = true;  ///< The guest runs on meanwhile; else it is suspended first.
  /// Aborted when it takes longer; 0: never.
  std::chrono::seconds timeout{300};
};

/// All functions may be called from any thread.
class Libvirt {
 public:
  /// Starts to connect and returns. A wrong URI shows as Guests::error and in the status, for what
  /// is wrong today may be installed tomorrow.
  static std::unique_ptr<Libvirt> start(LibvirtOptions options);
  /// Ends the connection. No callback runs after it. A call that libvirtd does not answer is left
  /// to itself after a second.
  ~Libvirt();
  Libvirt(const Libvirt&) = delete;
  Libvirt& operator=(const Libvirt&) = delete;

  /// Never null. Guests::error is set until the first complete reading, and while the connection is
  /// down: then it shows the last known guests. A guest whose description is past the bounds of
  /// domain_xml.hpp sets no error: it is as it was read last, or left out, and the status names it.
  std::shared_ptr<const Guests> guests() const;
  LibvirtStatus status() const;

  /// Reads this guest now, before others that wait; for a port whose vm-id isn't known. Cheap to
  /// repeat: a guest that waits to be read is read once. Nothing, while
  /// disconnected, or for what is no UUID.
  void hint(const std::string& uuid);

  /// Asks whether the guest is being migrated from here. If it is not, on_event is told
  /// GuestEvent::Kind::not_leaving, after all events that came before the answer; else nothing.
  /// Cheap to repeat, as `hint`.
  void ask_leaving(const std::string& uuid);

  /// Asks this host's libvirtd to migrate the guest to the libvirtd at `destination` ("qemu+tcp://
  /// host2/system"), peer to peer (libvirt.org, "Guest migration"): from here to there, and defined
  /// there if it was defined here. Returns at once; `done` is called later, on a thread of its own,
  /// with Error::Kind::missing (no such guest), refused (libvirt's words), or unreachable. Returns
  /// Error::Kind::exhausted when kMaxLibvirtMigrations are running; then `done` isn't called.
  Result<void> migrate(const std::string& uuid, const std::string& destination,
                       const MigrateOptions& options, std::function<void(Result<void>)> done);

 private:
  class Impl;
  explicit Libvirt(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace vmirror
