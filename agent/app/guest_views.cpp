#include "agent/app/guest_views.hpp"

#include <algorithm>

namespace vmirror {
namespace {

std::string key_of(const Location& at) {
  return guest_key(at.vm_uuid, at.interface_id);
}

PortKey port_of(const Location& at) {
  return {at.switch_name, at.port};
}

}  // namespace

std::set<std::string> GuestViews::follow(const RoundChanges& changes) {
  std::set<std::string> touched;
  for (const auto& [before, after] : changes.ports) {
    if (before) {
      const std::string key = key_of(*before);
      const auto entry = guests_.find(key);
      if (entry != guests_.end() && (!after || key_of(*after) != key)) {
        entry->second.ports.erase(port_of(*before));
        touched.insert(key);
      }
      if (!after) key_of_port_.erase(port_of(*before));
    }
    if (!after) continue;
    const std::string key = key_of(*after);
    if (key.empty()) continue;
    Entry& entry = guests_[key];
    if (entry.ports.empty()) entry.since = changes.time;
    entry.ports.insert_or_assign(port_of(*after), *after);
    entry.had.clear();
    for (const auto& [port, at] : entry.ports) entry.had.push_back(at);
    key_of_port_[port_of(*after)] = key;
    touched.insert(key);
  }
  for (const auto& [before, after] : changes.sessions) {
    const SessionStatus& session = after ? *after : *before;
    const PortKey port{session.switch_name, session.port};
    std::string key;
    if (const auto known = key_of_port_.find(port); known != key_of_port_.end())
      key = known->second;
    else if (!session.vm_uuid.empty())
      key = session.vm_uuid;  // Its port went in this round.
    const auto entry = guests_.find(key);
    if (entry == guests_.end()) continue;
    if (after)
      entry->second.sessions.insert_or_assign(after->name, *after);
    else
      entry->second.sessions.erase(before->name);
    touched.insert(key);
  }
  return touched;
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
    const Location& was = entry->second.had.front();
    out.uuid = was.vm_uuid;
    if (out.name.empty()) out.name = was.vm_name;
    for (const Location& nic : entry->second.had)
      if (!nic.interface_id.empty()) out.interface_ids.push_back(nic.interface_id);
    std::ranges::sort(out.interface_ids);
  }
  return out;
}

std::vector<Location> GuestViews::nics(const std::string& key) const {
  const auto entry = guests_.find(key);
  return entry == guests_.end() ? std::vector<Location>{} : entry->second.had;
}

void GuestViews::forget(const std::vector<std::string>& but) {
  std::erase_if(guests_, [&](const auto& entry) {
    return entry.second.ports.empty() && entry.second.sessions.empty() &&
           std::ranges::find(but, entry.first) == but.end();
  });
}

}  // namespace vmirror
