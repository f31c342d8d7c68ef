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

std::optional<Error> why_no_port(const GuestNic& nic, bool bridge_is_read) {
  const auto no = [](std::string what, std::string remedy) {
    return Error{Error::Kind::unsupported, std::move(what), {}, std::move(remedy)};
  };
  constexpr const char* kMove = "put the NIC on a bridge of Open vSwitch";
  if (bridge_is_read) return std::nullopt;
  if (nic.port == NicPort::none) {
    // No software of the host sees what these send.
    const bool passed = nic.type == "hostdev" || nic.type == "vdpa";
    return no("is on " + nic.on,
              (passed ? "mirror on the physical switch, or " : "") + std::string(kMove));
  }
  if (!nic.bridge.empty())
    return no("is to be on " + nic.bridge + ", and there is no such switch here",
              "see `ovs-vsctl list-br`");
  if (nic.port == NicPort::open && nic.network.empty())
    return no("is on no switch that could mirror it", kMove);
  return std::nullopt;
}

}  // namespace vmirror
