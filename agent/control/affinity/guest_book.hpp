// All guests of this host, from the two that tell: libvirt's connection, which is the truth, and
// libvirt's hook, which is earlier. While a guest starts libvirtd answers no question about it (it
// holds the guest for as long as its hooks run), so that only the hook can say whose port it is
// that appears.
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

/// Guests that only the hook told of; past it a further one is passed over.
constexpr std::size_t kMaxAnnouncedGuests = 1024;
/// What the hook told holds for so long where a connection that works does not show it as started.
constexpr Time kAnnouncementHolds = 60 * kSecond;

/// All functions may be called by any thread.
class GuestBook {
 public:
  /// `use` is called with all guests after each change, never two at once; it must not wait, nor
  /// call back. A guest that did not change is the same object as before.
  using Use = std::function<void(std::shared_ptr<const Guests>)>;
  explicit GuestBook(Use use) : use_(std::move(use)) {}

  /// What libvirt's connection shows now. Never null.
  void told(std::shared_ptr<const Guests> guests, Time now);

  /// What the hook was called for. `migrate`: the guest is about to come here (without a connection
  /// nobody could tell that it has, so that it is then one that starts); `prepare`, `start`: it is
  /// about to run; `release`: it is gone. Holds until the connection shows the guest as something
  /// else than off.
  void announced(const std::string& operation, Guest guest, Time now);

  /// Guests that only the hook told of, now, and calls of it that were passed over because there
  /// were kMaxAnnouncedGuests.
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
