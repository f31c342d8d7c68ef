// Whether libvirt's hook (agent/control/hook) is at work: each guest that starts or comes here
// should have been announced by it. Where it isn't, a policy with `require: true` refuses nothing,
// and nobody would know: the hook was not installed, libvirtd has not looked for it since, or a
// profile of AppArmor stops it.
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
  std::uint64_t missed = 0;     ///< Guests that started or came here, and the hook had not called.
  std::string last_missed;      ///< The latest one's name, until the hook calls again.
  std::size_t remembered = 0;   ///< Guests that it announced.
  std::uint64_t forgotten = 0;  ///< More than kMaxRemembered were; each may count as missed.
};

/// One thread.
class HookWatch {
 public:
  /// An announcement counts for so long: what a guest takes from its first hook to its start.
  static constexpr Time kHolds = 600 * kSecond;
  /// Guests that are remembered; past it the earliest is forgotten.
  static constexpr std::size_t kMaxRemembered = 4096;

  void called(const HookCall& call, HookAnswer::Kind answer, Time now);
  /// True: it started or came here without a call, and is the first since the last call.
  bool happened(const GuestEvent& event);
  const HookStatus& status() const { return status_; }

 private:
  std::map<std::string, Time> announced_;  ///< By name: the hook does not always know more.
  HookStatus status_;
};

}  // namespace vmirror
