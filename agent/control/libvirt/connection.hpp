// The connection to a host's libvirtd: the guests and their events. It connects and reconnects by
// itself.
//
//   libvirtd --events--> [ libvirt's event loop ] --> inbox --> [ thread ] --> on_event, on_guests
//      ^                                                  ^         |
//      '------- calls ------- [ workers ] -- answers -----'<-- jobs-'
//
// A process has one default event loop of libvirt (virEventRunDefaultImpl). The first start()
// registers it for good. All Libvirts of a process share it, and no other code may register
// another. The loop has a thread while there is a Libvirt.
//
// A call of libvirt may take long and can't be cancelled: a domain is locked while its hook runs or
// its QEMU starts. A few workers therefore make the calls. A domain that does not answer blocks one
// worker, and never an event.
//
// libvirt has no event for the begin of a migration on its source. The event of a pass through the
// guest's memory is also sent for `save`, `dump` and snapshots (from QEMU 11.1 on not for the first
// pass). The job's operation decides. Reading it costs a call, so it is read after a sign: this
// event, or a write of libvirtd's status file of the guest (/run/libvirt/qemu/NAME.xml; at the
// begin and end of a job). If these files are on another host, guests are asked in turn.
//
// The connection is read-only: watching needs no privilege. migrate() opens another connection
// with write access.
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
  /// After interval * (count + 1) without an answer of libvirtd, the connection is opened again.
  std::chrono::seconds keepalive_interval{2};
  unsigned keepalive_count = 2;
  /// Between attempts to connect: doubled from min to max; min again after a success.
  std::chrono::milliseconds backoff_min{100};
  std::chrono::milliseconds backoff_max{500};
  /// All guests, after each change; also when the connection is opened or lost. Called on the
  /// Libvirt's thread, never twice at the same time, and never together with on_event. Must not
  /// destroy the Libvirt; may call all of its other functions.
  std::function<void(std::shared_ptr<const Guests>)> on_guests;
  /// Each event, in libvirtd's order, before the on_guests that shows its
  /// effect. On the same thread.
  std::function<void(const GuestEvent&)> on_event;
};

/// For people.
struct LibvirtStatus {
  std::string uri;
  bool connected = false;
  Time since = 0;       ///< Of the connection, or of its loss; 0 when there was none yet.
  std::string version;  ///< libvirtd's: "9.0.0"; empty before the first connection.
  std::string error;    ///< Why it isn't connected, or what it could not read; empty: no error.
  std::size_t guests = 0;
  std::uint64_t connections = 0;   ///< Opened so far.
  std::uint64_t events = 0;        ///< Received.
  std::size_t events_waiting = 0;  ///< To be delivered.
  std::uint64_t events_lost = 0;   ///< Above kMaxLibvirtEvents; all guests were read again.
  std::uint64_t reads = 0;         ///< Of one guest.
  std::uint64_t full_reads = 0;    ///< Of all guests.
};

constexpr std::size_t kMaxLibvirtEvents = 16384;  ///< Events that wait to be delivered.
/// Guests asked per second whether they leave, if the status files can't be seen.
constexpr std::size_t kAskedInTurn = 8;
constexpr std::size_t kMaxLibvirtMigrations =
    4;  ///< Migrations that this agent asked for, at once.

struct MigrateOptions {
  bool live = true;  ///< The guest runs during the migration; else it is suspended first.
  /// A longer migration is aborted; 0: never.
  std::chrono::seconds timeout{300};
};

/// All functions may be called from any thread.
class Libvirt {
 public:
  /// Starts to connect and returns. A wrong URI shows as Guests::error and in the status, and is
  /// tried again, since the missing part may be installed later.
  static std::unique_ptr<Libvirt> start(LibvirtOptions options);
  /// Ends the connection. No callback runs afterwards. A call without an answer of libvirtd is
  /// abandoned after a second.
  ~Libvirt();
  Libvirt(const Libvirt&) = delete;
  Libvirt& operator=(const Libvirt&) = delete;

  /// Never null. Guests::error is set until the first complete reading, and while the connection is
  /// down; the guests are then the last known ones. A guest with a description above the bounds of
  /// domain_xml.hpp sets no error: its last reading is kept, or none, and the status names it.
  std::shared_ptr<const Guests> guests() const;
  LibvirtStatus status() const;

  /// Reads this guest now, before other waiting guests; for a port with an unknown vm-id. Cheap to
  /// repeat: a guest that waits to be read is read once. Does nothing while
  /// disconnected, or if `uuid` is no UUID.
  void hint(const std::string& uuid);

  /// Asks whether the guest is being migrated from here. If it is not, on_event is called with
  /// GuestEvent::Kind::not_leaving, after all earlier events; else nothing is called.
  /// Cheap to repeat, as `hint`.
  void ask_leaving(const std::string& uuid);

  /// Asks this host's libvirtd to migrate the guest to the libvirtd at `destination` ("qemu+tcp://
  /// host2/system"), peer to peer (libvirt.org, "Guest migration"). The guest is defined on the
  /// destination if it was defined here. Returns at once. `done` is called later on a thread of
  /// its own, with Error::Kind::missing (no guest), refused (libvirt's words), unreachable. Returns
  /// Error::Kind::exhausted when kMaxLibvirtMigrations are running; then `done` isn't called.
  Result<void> migrate(const std::string& uuid, const std::string& destination,
                       const MigrateOptions& options, std::function<void(Result<void>)> done);

 private:
  class Impl;
  explicit Libvirt(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace vmirror
