// What became of what was asked: the states of sessions and policies, each with its reason in
// words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plugin/api/model.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

enum class SessionState : std::uint8_t {
  pending,   ///< Asked for; not on the switch yet, or not proven by counters yet.
  ready,     ///< The switch shows it as asked, and the guest is silent: there is nothing to copy.
  active,    ///< The switch shows it as asked, and copies move with the port's traffic: see Proof.
  failed,    ///< The switch refused it, says that it is broken, or copies nothing.
  refused,   ///< Not attempted, for the reason given.
  draining,  ///< No longer asked for; still on the switch.
  unknown,   ///< The switch can't be read, or carries nothing out; it was left as it is.
};
/// "pending"
const char* to_text(SessionState state);

/// How far a session is proven.
enum class Proof : std::uint8_t {
  none,       ///< The switch shows it as asked; nothing that it offers proves that copies come.
  copied,     ///< The switch's count of what the mirror copied moves with the port's traffic.
  sent,       ///< Remote: the copies move, and the switch has a way out to the collector.
  delivered,  ///< Remote: the collector is one of our agents, and its counts came back.
  received,   ///< Local: the engine's own count of the NIC's frames agrees with the port's.
  traced,     ///< Of a ready session: the switch, asked, would copy the guest's frames.
};
/// "none", "copied", "sent", "delivered", "received", "traced"
const char* to_text(Proof proof);
/// The same for people and alarms; null where the state is no claim: of what is not active only a
/// proof counts, not the lack of one.
const char* told_proof(SessionState state, Proof proof);

/// One session as people see it.
struct SessionStatus {
  std::string name;  ///< "vnet0@local"
  SessionState state = SessionState::pending;
  Proof proof = Proof::none;  ///< Of an active or a ready session; else `none`.
  std::string reason;
  /// Whatever a person should know of a session that works, each with its remedy: a path whose MTU
  /// is too small, copies that come twice.
  std::vector<std::string> warnings;
  Time since = 0;  ///< When it came into this state.
  std::string policy;
  std::string vm;       ///< Its name, else its UUID.
  std::string vm_uuid;  ///< Empty where nobody told it.
  std::optional<Mac> mac;
  std::string switch_name;
  std::string port;
  Direction direction = Direction::both;
  std::string filter;  ///< As in a policy; empty: none.
  Filtering filtering = Filtering::none;
  /// The switch copies only some of the port's frames (its filter, VLANs): coverage can't be told.
  bool selective = false;
  std::string target;     ///< "erspan-192.0.2.9"
  bool in_place = false;  ///< The switch shows the mirror as asked, whether anything moves or not.
  Time in_place_since = 0;                ///< The reading that first showed it so; 0: it isn't.
  std::string mirror;                     ///< Empty: none serves it.
  std::vector<std::string> more_mirrors;  ///< Where one can't express the filter.
  std::string output;                     ///< Port name, or "vlan 100".
  std::optional<std::uint32_t> session_id;
  std::optional<std::uint64_t> copied_frames;  ///< By the mirrors, for all ports they serve.
  std::optional<std::uint64_t> port_frames;    ///< By the port, in the session's directions.
  bool operator==(const SessionStatus&) const = default;
};
/// "pending", "ready (traced)", "active (received)", "active, not proven"
std::string state_text(const SessionStatus& session);

enum class PolicyState : std::uint8_t {
  in_force,         ///< It selects NICs of this host.
  selects_nothing,  ///< No NIC of this host matches. Not an error.
  expired,
  refused,  ///< Some or all of it, for the reason given.
};
/// "in force"
const char* to_text(PolicyState state);

struct PolicyStatus {
  std::string name;
  PolicyState state = PolicyState::in_force;
  std::string reason;
  std::size_t sessions = 0;
  bool operator==(const PolicyStatus&) const = default;
};

}  // namespace vmirror
