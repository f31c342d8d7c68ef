#include "agent/engine/decap/udp_carriers.hpp"

#include <algorithm>

namespace vmirror {
namespace {

constexpr const char* kNames[] = {"none",   "vxlan", "geneve", "tzsp",
                                  "hp_erm", "gtp",   "capwap", "teredo"};

}  // namespace

const char* to_text(UdpCarrier carrier) {
  return kNames[static_cast<std::size_t>(carrier)];
}

UdpCarrier parse_udp_carrier(std::string_view name) {
  for (const UdpCarrier carrier : kUdpCarriers)
    if (name == to_text(carrier)) return carrier;
  return UdpCarrier::none;
}

UdpCarriers::UdpCarriers()
    : ports_{{4789, UdpCarrier::vxlan},  {4790, UdpCarrier::vxlan}, {8472, UdpCarrier::vxlan},
             {6081, UdpCarrier::geneve}, {37008, UdpCarrier::tzsp}, {2152, UdpCarrier::gtp},
             {5247, UdpCarrier::capwap}, {3544, UdpCarrier::teredo}} {
  count_mask();
}

void UdpCarriers::set(std::uint16_t port, UdpCarrier carrier) {
  std::erase_if(ports_, [&](const auto& known) { return known.first == port; });
  ports_.emplace_back(port, carrier);
  count_mask();
}

void UdpCarriers::clear(UdpCarrier carrier) {
  std::erase_if(ports_, [&](const auto& known) { return known.second == carrier; });
  count_mask();
}

void UdpCarriers::count_mask() {
  mask_ = 0;
  for (const auto& [port, carrier] : ports_) mask_ |= std::uint64_t{1} << (port & 63);
}

}  // namespace vmirror
