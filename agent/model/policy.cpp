#include "agent/model/policy.hpp"

#include <fnmatch.h>

#include <algorithm>

#include "agent/model/uuid.hpp"

namespace vmirror {
namespace {

/// A part of a selector that isn't given asks nothing; one that is given matches no empty text.
bool fits(const std::string& glob, const std::string& text) {
  if (glob.empty()) return true;
  return !text.empty() && ::fnmatch(glob.c_str(), text.c_str(), 0) == 0;
}

}  // namespace

bool selects(const Selector& s, const Location& at) {
  // A NIC without a device has no port's name.
  const bool named = !at.no_port || at.port.find('/') == at.port.npos;
  if (!fits(s.vm, at.vm()) || !fits(s.port, named ? at.port : "")) return false;
  if (!fits(s.title, at.title) || !fits(s.network, at.network)) return false;
  if (!s.uuid.empty() && !fits(lower(s.uuid), lower(at.vm_uuid))) return false;
  if (!s.mac.empty() && !(at.mac && fits(s.mac, at.mac->text()))) return false;
  return std::ranges::all_of(s.labels, [&](const auto& label) {
    const auto it = at.labels.find(label.first);
    return it != at.labels.end() && ::fnmatch(label.second.c_str(), it->second.c_str(), 0) == 0;
  });
}

}  // namespace vmirror
