// All guests of this host, from two sources: libvirt's connection, which is authoritative, and
// libvirt's hook, which is earlier. While a guest starts, libvirtd answers no question about the
// guest (it locks the guest while the hooks run). Only the hook can then tell which guest a new
// port belongs to.
//
//   connection --told-----> +-----------+
//   hook ------announced--> | GuestBook | --use--> control
//                           +-----------+
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "agent/model/guest.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

/// Guests that only the hook announced; a further announcement is ignored and counted.
constexpr std::size_t kMaxAnnouncedGuests = 1024;
/// An announcement is valid for this time while a working connection shows the guest as off.
constexpr Time kAnnouncementHolds = 60 * kSecond;

/// All functions may be called by any thread.
class GuestBook {
 public:
  /// `use` is called with all guests after each change, never twice at the same time. It must not
  /// wait, nor call the book. An unchanged guest is the same object as before.
  using Use = std::function<void(std::shared_ptr<const Guests>)>;
  explicit GuestBook(Use use) : use_(std::move(use)) {}

  /// The guests by libvirt's connection. Never null.
  void told(std::shared_ptr<const Guests> guests, Time now);

  /// A call of the hook. `migrate`: the guest is about to migrate here (without a connection the
  /// guest counts as one that starts, since no event would report its arrival); `prepare`, `start`:
  /// the guest is about to run; `release`: the guest is gone. Valid until the connection shows the
  /// guest in another state than off.
  void announced(const std::string& operation, Guest guest, Time now);

  /// The number of guests that only the hook announced, and of calls that were ignored because of
  /// kMaxAnnouncedGuests.
  struct Count {
    std::size_t announced = 0;
    std::uint64_t passed_over = 0;
  };
  Count count() const;

 private:
  struct Announced {
    std::shared_ptr<const Guest> guest;
    Time at = 0;
  };
  void tell();

  mutable std::mutex mutex_;
  Use use_;
  std::shared_ptr<const Guests> told_;  ///< Null: no connection.
  std::map<std::string, Announced> announced_;
  std::uint64_t revision_ = 0;
  std::uint64_t passed_over_ = 0;
};

}  // namespace vmirror
