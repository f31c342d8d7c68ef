#include "agent/control/affinity/locate.hpp"

#include <algorithm>
#include <iterator>
#include <set>

#include "agent/model/uuid.hpp"

namespace vmirror {
namespace {

const std::string& label(const Port& port, const char* key) {
  static const std::string none;
  const auto it = port.labels.find(key);
  return it == port.labels.end() ? none : it->second;
}

/// What the hypervisor tells.
void describe(Location& at, const Guest& guest, const GuestNic* nic) {
  at.vm_uuid = guest.uuid;
  if (!guest.name.empty()) at.vm_name = guest.name;
  at.title = guest.title;
  if (guest.state == GuestState::incoming) at.presence = Presence::incoming;
  for (const auto& [key, value] : guest.labels) at.labels[key] = value;
  if (nic == nullptr) return;
  at.network = nic->network;
  at.link_down = nic->link_down;
  if (at.interface_id.empty()) at.interface_id = nic->interface_id;
  if (!at.mac) at.mac = nic->mac;
  if (at.mac) at.mac_unknown.clear();
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

const Guest* GuestPorts::guest(const std::string& uuid) const {
  const auto* guest = guests_ ? guests_->by_uuid.get(uuid) : nullptr;
  return guest == nullptr ? nullptr : guest->get();
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
              .vlan = port.vlan,
              .labels = port.labels,
              .mac_unknown = port.mac_unknown};
  (is_uuid(port.vm) ? at.vm_uuid : at.vm_name) = port.vm;
  if (const std::string& name = label(port, "vm-name"); !name.empty()) at.vm_name = name;
  if (const std::string& on = label(port, "vm-host"); !on.empty()) at.host = on;
  if (guest == nullptr) {
    if (port.incoming) at.presence = Presence::incoming;
    return at;
  }
  describe(at, *guest, nic_of(*guest, port));
  return at;
}

Locations locate_portless(const std::string& host, const Guest& guest,
                          const std::vector<const Port*>& ports, const Observed& observed) {
  Locations out;
  if (guest.state == GuestState::off) return out;
  std::set<const GuestNic*> plugged;
  for (const Port* port : ports) plugged.insert(nic_of(guest, *port));
  for (const GuestNic& nic : guest.nics) {
    if (plugged.contains(&nic)) continue;
    const bool settled = guest.state == GuestState::running || nic.port == NicPort::none;
    std::optional<Error> why = why_no_port(nic, observed.switches.contains(nic.bridge));
    if (!why && nic.port == NicPort::by_other)
      why = Error{Error::Kind::unsupported,
                  "is on " + nic.on + ", which is no port of a switch here",
                  {},
                  "add its device to a switch that is read here"};
    if (!why || !settled) continue;
    Location& at = out.emplace_back();
    at.host = host;
    at.port = nic.device;
    if (at.port.empty())
      at.port = guest.name + "/" + (nic.mac ? nic.mac->text() : std::to_string(out.size()));
    why->what = "not mirrored: its NIC " + why->what;
    at.no_port = std::move(why);
    describe(at, guest, &nic);
  }
  return out;
}

Locations locate(const Observed& observed, const Guests* guests, const std::string& host) {
  GuestPorts index;
  // Borrowed for the time of this call.
  index.update(std::shared_ptr<const Guests>(std::shared_ptr<void>(), guests));
  Locations out;
  std::map<std::string, std::vector<const Port*>> ports_of;
  for (const auto& [switch_name, sw] : observed.switches)
    for (const auto& [port_name, port] : sw.ports) {
      if (port.owned) continue;
      const Guest* guest = index.guest_of(switch_name, port);
      if (guest != nullptr) ports_of[guest->uuid].push_back(&port);
      out.push_back(locate(host, switch_name, port, guest));
    }
  if (guests != nullptr)
    for (const auto& [uuid, guest] : guests->by_uuid)
      std::ranges::move(locate_portless(host, *guest, ports_of[uuid], observed),
                        std::back_inserter(out));
  return out;
}

}  // namespace vmirror
