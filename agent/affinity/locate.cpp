#include "agent/affinity/locate.hpp"

#include <algorithm>
#include <cctype>

namespace vmirror {
namespace {

/// 8-4-4-4-12 hexadecimal digits (RFC 9562).
bool is_uuid(const std::string& text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0)
      return false;
  }
  return true;
}

std::string label(const Port& port, const char* key) {
  const auto it = port.labels.find(key);
  return it == port.labels.end() ? std::string() : it->second;
}

}  // namespace

Locations locate(const Observed& observed, const std::string& host) {
  Locations out;
  for (const auto& [switch_name, sw] : observed.switches)
    for (const auto& [port_name, port] : sw.ports) {
      if (port.owned) continue;
      Location at{.host = host,
                  .switch_name = switch_name,
                  .port = port_name,
                  .vm_name = {},
                  .vm_uuid = {},
                  .interface_id = port.interface_id,
                  .mac = port.mac,
                  .labels = port.labels};
      if (label(port, "iface-status") == "inactive") at.presence = Presence::incoming;
      (is_uuid(port.vm) ? at.vm_uuid : at.vm_name) = port.vm;
      if (const std::string name = label(port, "vm-name"); !name.empty()) at.vm_name = name;
      out.push_back(std::move(at));
    }
  return out;
}

}  // namespace vmirror
