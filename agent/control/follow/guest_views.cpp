#include "agent/control/follow/guest_views.hpp"

#include <algorithm>

namespace vmirror {
namespace {

std::string key_of(const Location& at) {
  return guest_key(at.vm_uuid, at.interface_id);
}

PortKey port_of(const Location& at) {
  return {at.switch_name, at.port};
}

bool is_same_nic(const Location& a, const Location& b) {
  return (!a.interface_id.empty() && a.interface_id == b.interface_id) || (a.mac && a.mac == b.mac);
}

/// Nothing of it can be counted, or is mirrored.
bool is_portless(const std::optional<Location>& at) {
  return at && at->no_port;
}

PortKey port_of(const SessionStatus& session) {
  return {session.switch_name, session.port};
}

}  // namespace

std::set<std::string> GuestViews::follow(const RoundChanges& changes) {
  std::set<std::string> touched;
  for (const auto& [before, after] : changes.ports) {
    if (is_portless(before) || is_portless(after)) continue;
    if (before) {
      const std::string key = key_of(*before);
      const auto entry = guests_.find(key);
      if (entry != guests_.end() && (!after || key_of(*after) != key)) {
        entry->second.ports.erase(port_of(*before));
        touched.insert(key);
      }
    }
    if (!after) continue;
    const std::string key = key_of(*after);
    give(port_of(*after), key, touched);
    if (key.empty()) continue;
    guests_[key].put(*after, changes.time);
    touched.insert(key);
  }
  for (const auto& [before, after] : changes.sessions) {
    const SessionStatus& session = after ? *after : *before;
    if (session.switch_name.empty()) continue;  // Of a NIC without a port.
    const auto known = key_of_port_.find(port_of(session));
    // Its port may have gone before this agent began.
    const std::string key = known != key_of_port_.end() ? known->second : session.vm_uuid;
    const auto entry = guests_.find(key);
    if (entry == guests_.end()) continue;
    if (after) {
      entry->second.sessions.insert_or_assign(after->name, *after);
      key_of_port_[port_of(session)] = key;
    } else {
      entry->second.sessions.erase(before->name);
    }
    touched.insert(key);
  }
  for (const auto& [before, after] : changes.ports)
    if (!after) tidy(port_of(*before));
  for (const auto& [before, after] : changes.sessions)
    if (!after) tidy(port_of(*before));
  return touched;
}

/// Its sessions that are there go with it.
void GuestViews::give(const PortKey& port, const std::string& key, std::set<std::string>& touched) {
  const auto known = key_of_port_.find(port);
  if (known != key_of_port_.end() && known->second != key) {
    std::map<std::string, SessionStatus> kept, moved;
    auto& all = guests_[known->second].sessions;
    for (auto& [name, session] : all)
      (port_of(session) == port ? moved : kept).emplace(name, std::move(session));
    all = std::move(kept);
    if (!key.empty()) guests_[key].sessions.merge(moved);
    touched.insert(known->second);
  }
  if (key.empty())
    key_of_port_.erase(port);
  else
    key_of_port_[port] = key;
}

/// Whose the port was is known until its last session went, too.
void GuestViews::tidy(const PortKey& port) {
  const auto known = key_of_port_.find(port);
  if (known == key_of_port_.end()) return;
  const auto entry = guests_.find(known->second);
  const bool needed = entry != guests_.end() &&
                      (entry->second.ports.contains(port) ||
                       std::ranges::any_of(entry->second.sessions, [&port](const auto& session) {
                         return port_of(session.second) == port;
                       }));
  if (!needed) key_of_port_.erase(known);
}

/// What went makes room for the same NIC by another name, and for a guest that was started anew.
void GuestViews::Entry::put(const Location& at, Time now) {
  if (ports.empty()) {
    since = now;
    had.clear();
  }
  std::erase_if(had, [&](const auto& nic) {
    return !ports.contains(nic.first) && is_same_nic(nic.second.at, at);
  });
  ports.insert_or_assign(port_of(at), at);
  had.insert_or_assign(port_of(at), Had{at});
}

std::set<std::string> GuestViews::follow(std::shared_ptr<const Guests> guests) {
  std::set<std::string> touched;
  const auto before = std::exchange(told_, std::move(guests));
  diff_guests(before.get(), told_.get(), [&](const std::string& key, const Guest*, const Guest*) {
    if (guests_.contains(key)) touched.insert(key);
  });
  return touched;
}

const Guest* GuestViews::guest(const std::string& key) const {
  if (!told_) return nullptr;
  const auto* guest = told_->by_uuid.get(key);
  return guest == nullptr ? nullptr : guest->get();
}

GuestView GuestViews::view(const std::string& key) const {
  std::vector<Location> at;
  std::vector<SessionStatus> sessions;
  const auto entry = guests_.find(key);
  if (entry != guests_.end()) {
    for (const auto& [port, location] : entry->second.ports) at.push_back(location);
    for (const auto& [name, session] : entry->second.sessions) sessions.push_back(session);
  }
  GuestView out = view_of(at, sessions, guest(key));
  if (!at.empty()) out.ports_since = entry->second.since;
  if (at.empty() && entry != guests_.end() && !entry->second.had.empty()) {  // Who it was.
    const Location& was = entry->second.had.begin()->second.at;
    out.uuid = was.vm_uuid;
    if (out.name.empty()) out.name = was.vm_name;
    for (const auto& [port, nic] : entry->second.had)
      if (!nic.at.interface_id.empty()) out.interface_ids.push_back(nic.at.interface_id);
    std::ranges::sort(out.interface_ids);
  }
  return out;
}

std::vector<Location> GuestViews::nics(const std::string& key) const {
  const auto entry = guests_.find(key);
  std::vector<Location> out;
  if (entry != guests_.end())
    for (const auto& [port, nic] : entry->second.had) out.push_back(nic.at);
  return out;
}

/// The ports of a guest that leaves go one by one, and nobody need have told that it leaves.
void GuestViews::forget(const std::vector<std::string>& but) {
  for (auto it = guests_.begin(); it != guests_.end();) {
    Entry& entry = it->second;
    const bool keep = std::ranges::find(but, it->first) != but.end();
    for (auto& [port, nic] : entry.had) nic.beats += !entry.ports.contains(port);
    if (!keep && !entry.ports.empty())
      std::erase_if(entry.had, [](const auto& nic) { return nic.second.beats >= kBeats; });
    const bool over = !keep && entry.ports.empty() && entry.sessions.empty();
    it = over ? guests_.erase(it) : std::next(it);
  }
}

}  // namespace vmirror
