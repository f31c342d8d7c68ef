// One connection to one libvirtd: the effects. Calls may take long (a domain is locked while its
// hook runs), and may be made by several threads at once.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/control/libvirt/connection.hpp"
#include "agent/control/libvirt/events.hpp"
#include "agent/model/guest.hpp"
#include "plugin/base/result.hpp"

struct _virConnect;

namespace vmirror {

class EventLoop;

class LibvirtLink {
 public:
  /// Called on the event loop's thread; must be quick.
  struct Callbacks {
    std::function<void(DomainEvent)> event;
    std::function<void(std::string)> closed;  ///< With the reason.
  };

  /// Read-only, with its events registered and its keepalive on. Error::Kind::unreachable.
  static Result<std::shared_ptr<LibvirtLink>> open(const LibvirtOptions& options,
                                                   Callbacks callbacks);
  ~LibvirtLink();
  LibvirtLink(const LibvirtLink&) = delete;
  LibvirtLink& operator=(const LibvirtLink&) = delete;

  /// "9.0.0"
  std::string version() const;
  /// The UUIDs of all guests, running or not.
  Result<std::vector<std::string>> list() const;
  struct Reading {
    Guest guest;
    bool starts = false;  ///< The guest is about to run. No event reports a failed start.
  };
  /// A guest; none: libvirtd has no such guest. `before`: as state_of() takes it.
  Result<std::optional<Reading>> read(const std::string& uuid,
                                      std::optional<GuestState> before) const;

  /// A DomainEvent::Id::noted comes whenever libvirtd writes its status file of a guest. False: the
  /// status files are on another host, or can't be read.
  bool sees_notes() const { return notes_watch_ >= 0; }
  /// A migration of the guest from this host is under way.
  Result<bool> is_leaving(const std::string& uuid) const;

 private:
  LibvirtLink(_virConnect* connection, std::shared_ptr<EventLoop> loop);
  void listen(const Callbacks& callbacks);
  void watch_notes(const Callbacks& callbacks);

  const std::shared_ptr<EventLoop> loop_;  ///< Outlives the connection.
  _virConnect* const connection_;
  std::vector<int> registered_;
  std::unique_ptr<Callbacks> on_closed_;
  bool has_close_callback_ = false;
  int notes_watch_ = -1;  ///< libvirt's handle.
};

/// Migrates on a connection of its own, and returns at the end: Libvirt::migrate().
Result<void> migrate_domain(const std::string& uri, const std::string& uuid,
                            const std::string& destination, const MigrateOptions& options);

}  // namespace vmirror
