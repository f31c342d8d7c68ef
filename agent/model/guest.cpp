#include "agent/model/guest.hpp"

namespace vmirror {

const char* to_text(GuestState state) {
  switch (state) {
    case GuestState::incoming:
      return "incoming";
    case GuestState::running:
      return "running";
    case GuestState::suspended:
      return "suspended";
    case GuestState::leaving:
      return "leaving";
    case GuestState::off:
      break;
  }
  return "off";
}

const char* to_text(GuestEvent::Kind kind) {
  using Kind = GuestEvent::Kind;
  switch (kind) {
    case Kind::started:
      return "started";
    case Kind::incoming:
      return "incoming";
    case Kind::suspended_leaving:
      return "suspended for migration";
    case Kind::suspended_postcopy:
      return "suspended for post-copy";
    case Kind::resumed_arrived:
      return "resumed after migration";
    case Kind::resumed_postcopy:
      return "resumed in post-copy";
    case Kind::resumed_here:
      return "resumed: the migration failed";
    case Kind::left:
      return "left by migration";
    case Kind::suspended:
      return "suspended";
    case Kind::resumed:
      return "resumed";
    case Kind::stopped:
      return "stopped";
    case Kind::leaving:
      return "migrates from here";
    case Kind::not_leaving:
      return "no migration from here";
    case Kind::changed:
      break;
  }
  return "changed";
}

}  // namespace vmirror
