#include "agent/model/status.hpp"

#include "agent/model/location.hpp"

namespace vmirror {

const char* to_text(Presence presence) {
  switch (presence) {
    case Presence::incoming:
      return "incoming";
    case Presence::active:
      return "active";
    case Presence::gone:
      break;
  }
  return "gone";
}

const char* to_text(SessionState state) {
  switch (state) {
    case SessionState::pending:
      return "pending";
    case SessionState::ready:
      return "ready";
    case SessionState::active:
      return "active";
    case SessionState::failed:
      return "failed";
    case SessionState::refused:
      return "refused";
    case SessionState::draining:
      return "draining";
    case SessionState::unknown:
      break;
  }
  return "unknown";
}

const char* to_text(Proof proof) {
  switch (proof) {
    case Proof::copied:
      return "copied";
    case Proof::sent:
      return "sent";
    case Proof::delivered:
      return "delivered";
    case Proof::received:
      return "received";
    case Proof::none:
      break;
  }
  return "none";
}

std::string state_text(const SessionStatus& session) {
  if (session.state != SessionState::active) return to_text(session.state);
  if (session.proof == Proof::none) return "active, not proven";
  return std::string("active (") + to_text(session.proof) + ")";
}

const char* to_text(PolicyState state) {
  switch (state) {
    case PolicyState::in_force:
      return "in force";
    case PolicyState::selects_nothing:
      return "selects nothing";
    case PolicyState::expired:
      return "expired";
    case PolicyState::refused:
      break;
  }
  return "refused";
}

}  // namespace vmirror
