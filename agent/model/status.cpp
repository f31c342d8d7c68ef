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
