#include "agent/control/affinity/guest_view.hpp"

#include <algorithm>

namespace vmirror {

std::string guest_key(const std::string& uuid, const std::string& interface_id) {
  if (!uuid.empty()) return uuid;
  return interface_id.empty() ? std::string() : "nic " + interface_id;
}

std::string GuestView::key() const {
  return guest_key(uuid, interface_ids.empty() ? std::string() : interface_ids.front());
}

GuestView view_of(std::span<const Location> at, std::span<const SessionStatus> sessions,
                  const Guest* guest) {
  GuestView view;
  if (guest != nullptr) {
    view.uuid = guest->uuid;
    view.name = guest->name;
    view.state = guest->state;
  }
  std::size_t counted = 0;
  for (const Location& nic : at) {
    if (nic.presence == Presence::gone) continue;
    ++view.ports;
    if (view.uuid.empty()) view.uuid = nic.vm_uuid;
    if (view.name.empty()) view.name = nic.vm_name;
    if (!nic.interface_id.empty()) view.interface_ids.push_back(nic.interface_id);
    view.incoming = view.incoming || nic.presence == Presence::incoming;
    const bool to_engine = std::ranges::any_of(sessions, [&nic](const SessionStatus& s) {
      return s.switch_name == nic.switch_name && s.port == nic.port && s.target == "local" &&
             s.direction == Direction::both && !s.selective;
    });
    if (to_engine) ++counted;
  }
  std::ranges::sort(view.interface_ids);
  view.in_place = true;
  for (const SessionStatus& s : sessions) {
    if (s.in_place) ++view.mirrors;
    if (s.in_place && s.target == "local") view.output = s.output;
    if (s.state == SessionState::draining) continue;
    view.wanted = true;
    view.in_place = view.in_place && s.in_place;
    view.in_place_since = std::max(view.in_place_since, s.in_place_since);
  }
  view.in_place = view.in_place && view.wanted;
  if (!view.in_place) view.in_place_since = 0;
  view.countable = view.ports > 0 && counted == view.ports;
  return view;
}

}  // namespace vmirror
