#include "agent/engine/capture/offloads.hpp"

#include <cstdint>
#include <optional>

#include "agent/engine/capture/ethtool.hpp"

namespace vmirror {
namespace {

std::optional<std::uint32_t> ask(const Ethtool& ethtool, const std::string& interface,
                                 std::uint32_t command, std::uint32_t value = 0) {
  ethtool_value request{command, value};
  if (!ethtool.ask(interface, request)) return std::nullopt;
  return request.data;
}

}  // namespace

std::vector<std::string> merging_offloads(const std::string& interface, bool off) {
  std::vector<std::string> out;
  const Ethtool ethtool;
  if (off) {
    ask(ethtool, interface, ETHTOOL_SGRO, 0);
    if (const auto flags = ask(ethtool, interface, ETHTOOL_GFLAGS))
      ask(ethtool, interface, ETHTOOL_SFLAGS, *flags & ~static_cast<std::uint32_t>(ETH_FLAG_LRO));
  }
  // An internal port of Open vSwitch's kernel datapath shows these offloads as on and has none: a
  // large frame in a copy is as the guest sent it.
  if (ethtool.driver(interface) == "openvswitch") return out;
  if (ask(ethtool, interface, ETHTOOL_GGRO).value_or(0) != 0)
    out.emplace_back("generic-receive-offload");
  if ((ask(ethtool, interface, ETHTOOL_GFLAGS).value_or(0) & ETH_FLAG_LRO) != 0)
    out.emplace_back("large-receive-offload");
  return out;
}

}  // namespace vmirror
