#include "agent/control/affinity/location_table.hpp"

#include <set>

namespace vmirror {

void LocationTable::put(const Location& location, Time now) {
  const Key key{location.switch_name, location.port};
  const auto [it, is_new] = here_.try_emplace(key, LocationRow{location, now});
  if (is_new) {
    // The same NIC is back on its port: it isn't gone.
    std::erase_if(gone_, [&location](const LocationRow& row) {
      return row.location.switch_name == location.switch_name &&
             row.location.port == location.port && row.location.vm_uuid == location.vm_uuid &&
             row.location.interface_id == location.interface_id && row.location.mac == location.mac;
    });
    return;
  }
  if (it->second.location.presence != location.presence) it->second.since = now;
  it->second.location = location;
}

void LocationTable::remove(const std::string& switch_name, const std::string& port, Time now) {
  const auto it = here_.find({switch_name, port});
  if (it == here_.end()) return;
  LocationRow row = std::move(it->second);
  here_.erase(it);
  row.location.presence = Presence::gone;
  row.since = now;
  gone_.push_front(std::move(row));
  while (!gone_.empty() && gone_.back().since + options_.keep_gone <= now) gone_.pop_back();
  if (gone_.size() > options_.max_gone) {
    gone_.pop_back();
    ++overflow_;
  }
}

void LocationTable::fold(const Locations& locations, Time now) {
  std::set<Key> there;
  for (const Location& location : locations) {
    there.emplace(location.switch_name, location.port);
    put(location, now);
  }
  std::vector<Key> went;
  for (const auto& [key, row] : here_)
    if (!there.contains(key)) went.push_back(key);
  for (const auto& [switch_name, port] : went) remove(switch_name, port, now);
}

std::vector<LocationRow> LocationTable::rows(Time now) const {
  std::vector<LocationRow> out;
  out.reserve(here_.size() + gone_.size());
  for (const auto& [key, row] : here_) out.push_back(row);
  for (const LocationRow& row : gone_)
    if (row.since + options_.keep_gone > now) out.push_back(row);
  return out;
}

}  // namespace vmirror
