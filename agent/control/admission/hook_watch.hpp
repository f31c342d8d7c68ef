// Checks that libvirt's hook (agent/control/hook) works: the hook should announce each guest that
// starts here or migrates here. Without the hook a policy with `require: true` refuses nothing, and
// nobody would notice. Causes: the hook is not installed, libvirtd has not looked for hooks since
// the installation, or a profile of AppArmor stops the hook.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "agent/api/hook.hpp"
#include "agent/model/guest.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

/// For people.
struct HookStatus {
  std::uint64_t calls = 0, refused = 0;
  Time last_call = 0;           ///< 0: none yet.
  std::uint64_t missed = 0;     ///< Guests that started or came here without a call of the hook.
  std::string last_missed;      ///< The name of the latest missed guest, until the next call.
  std::size_t remembered = 0;   ///< Guests that the hook announced.
  std::uint64_t forgotten = 0;  ///< Guests above kMaxRemembered; each may count as missed.
};

/// One thread.
class HookWatch {
 public:
  /// An announcement is valid for this time: from a guest's first call of the hook to its start.
  static constexpr Time kHolds = 600 * kSecond;
  /// Guests that are remembered; above this number the earliest guest is forgotten.
  static constexpr std::size_t kMaxRemembered = 4096;

  void called(const HookCall& call, HookAnswer::Kind answer, Time now);
  /// True: the guest started or came here without a call, as the first one since the last call.
  bool happened(const GuestEvent& event);
  const HookStatus& status() const { return status_; }

 private:
  std::map<std::string, Time> announced_;  ///< By name: the hook may know nothing else.
  HookStatus status_;
};

}  // namespace vmirror
