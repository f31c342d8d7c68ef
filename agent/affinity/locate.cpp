#include "agent/affinity/locate.hpp"

#include <algorithm>

#include "agent/model/uuid.hpp"

namespace vmirror {
namespace {

const std::string& label(const Port& port, const char* key) {
  static const std::string none;
  const auto it = port.labels.find(key);
  return it == port.labels.end() ? none : it->second;
}

}  // namespace

GuestPorts::Changes GuestPorts::update(std::shared_ptr<const Guests> guests) {
  Changes changes;
  const auto forget = [&](const Guest* guest) {
    for (const GuestNic& nic : guest->nics) {
      if (nic.device.empty()) continue;
      changes.devices.push_back(nic.device);
      const auto [first, last] = by_device_.equal_range(nic.device);
      for (auto it = first; it != last;)
        it = it->second == guest ? by_device_.erase(it) : std::next(it);
    }
  };
  const auto learn = [&](const Guest* guest) {
    for (const GuestNic& nic : guest->nics) {
      if (nic.device.empty()) continue;
      changes.devices.push_back(nic.device);
      by_device_.emplace(nic.device, guest);
    }
  };

  diff_guests(guests_.get(), guests.get(),
              [&](const std::string& uuid, const Guest* before, const Guest* after) {
                if (before) forget(before);
                if (after) learn(after);
                changes.uuids.push_back(uuid);
              });
  guests_ = std::move(guests);
  return changes;
}

const Guest* GuestPorts::guest_of(const std::string& switch_name, const Port& port) const {
  if (!guests_) return nullptr;
  if (is_uuid(port.vm)) {
    const auto* guest = guests_->by_uuid.get(lower(port.vm));
    return guest == nullptr ? nullptr : guest->get();
  }
  const auto [first, last] = by_device_.equal_range(port.name);
  for (auto it = first; it != last; ++it)
    for (const GuestNic& nic : it->second->nics)
      if (nic.device == port.name && (nic.bridge.empty() || nic.bridge == switch_name))
        return it->second;
  return nullptr;
}

const GuestNic* nic_of(const Guest& guest, const Port& port) {
  const auto find = [&guest](auto fits) -> const GuestNic* {
    const auto it = std::ranges::find_if(guest.nics, fits);
    return it == guest.nics.end() ? nullptr : &*it;
  };
  const GuestNic* nic = nullptr;
  if (!port.interface_id.empty())
    nic = find([&](const GuestNic& n) { return n.interface_id == port.interface_id; });
  if (nic == nullptr && port.mac) nic = find([&](const GuestNic& n) { return n.mac == port.mac; });
  if (nic == nullptr) nic = find([&](const GuestNic& n) { return n.device == port.name; });
  return nic;
}

Location locate(const std::string& host, const std::string& switch_name, const Port& port,
                const Guest* guest) {
  Location at{.host = host,
              .switch_name = switch_name,
              .port = port.name,
              .vm_name = {},
              .vm_uuid = {},
              .interface_id = port.interface_id,
              .mac = port.mac,
              .labels = port.labels};
  (is_uuid(port.vm) ? at.vm_uuid : at.vm_name) = port.vm;
  if (const std::string& name = label(port, "vm-name"); !name.empty()) at.vm_name = name;
  if (guest == nullptr) {
    if (label(port, "iface-status") == "inactive") at.presence = Presence::incoming;
    return at;
  }
  at.vm_uuid = guest->uuid;
  if (!guest->name.empty()) at.vm_name = guest->name;
  at.title = guest->title;
  if (guest->state == GuestState::incoming) at.presence = Presence::incoming;
  for (const auto& [key, value] : guest->labels) at.labels[key] = value;
  if (const GuestNic* nic = nic_of(*guest, port)) {
    at.network = nic->network;
    if (at.interface_id.empty()) at.interface_id = nic->interface_id;
    if (!at.mac) at.mac = nic->mac;
  }
  return at;
}

Locations locate(const Observed& observed, const Guests* guests, const std::string& host) {
  GuestPorts index;
  // Borrowed for the time of this call.
  index.update(std::shared_ptr<const Guests>(std::shared_ptr<void>(), guests));
  Locations out;
  for (const auto& [switch_name, sw] : observed.switches)
    for (const auto& [port_name, port] : sw.ports)
      if (!port.owned)
        out.push_back(locate(host, switch_name, port, index.guest_of(switch_name, port)));
  return out;
}

}  // namespace vmirror
