#include "agent/engine/capture/link_speed.hpp"

#include "agent/engine/capture/ethtool.hpp"

namespace vmirror {

std::optional<std::uint32_t> link_speed(const std::string& interface) {
  ethtool_cmd settings{};
  settings.cmd = ETHTOOL_GSET;
  if (!Ethtool().ask(interface, settings)) return std::nullopt;
  const std::uint32_t speed = ethtool_cmd_speed(&settings);
  if (speed == 0 || speed == static_cast<std::uint32_t>(SPEED_UNKNOWN)) return std::nullopt;
  return speed;
}

}  // namespace vmirror
