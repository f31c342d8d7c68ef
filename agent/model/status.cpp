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
    case Proof::traced:
      return "traced";
    case Proof::none:
      break;
  }
  return "none";
}

const char* told_proof(SessionState state, Proof proof) {
  const bool told =
      state == SessionState::active || (state == SessionState::ready && proof != Proof::none);
  return told ? to_text(proof) : nullptr;
}

std::string state_text(const SessionStatus& session) {
  const std::string state = to_text(session.state);
  const char* proof = told_proof(session.state, session.proof);
  if (proof == nullptr) return state;
  return session.proof == Proof::none ? state + ", not proven" : state + " (" + proof + ")";
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
