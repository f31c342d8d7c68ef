#include "agent/engine/decap/udp_carriers.hpp"

namespace vmirror {

Encapsulation parse_in_udp(std::string_view name) {
  for (const Encapsulation carried : kInUdp)
    if (name == to_text(carried)) return carried;
  return Encapsulation::none;
}

UdpCarriers::UdpCarriers()
    : ports_{{4789, Encapsulation::vxlan},  {4790, Encapsulation::vxlan},
             {8472, Encapsulation::vxlan},  {6081, Encapsulation::geneve},
             {37008, Encapsulation::tzsp},  {2152, Encapsulation::gtp},
             {5247, Encapsulation::capwap}, {3544, Encapsulation::teredo},
             {4754, Encapsulation::gre},    {6635, Encapsulation::mpls}} {
  count_mask();
}

void UdpCarriers::set(std::uint16_t port, Encapsulation carried) {
  std::erase_if(ports_, [&](const auto& known) { return known.first == port; });
  ports_.emplace_back(port, carried);
  count_mask();
}

void UdpCarriers::clear(Encapsulation carried) {
  std::erase_if(ports_, [&](const auto& known) { return known.second == carried; });
  count_mask();
}

void UdpCarriers::count_mask() {
  mask_ = answers_mask_ = 0;
  for (const auto& [port, carried] : ports_) {
    const std::uint64_t bit = std::uint64_t{1} << (port & 63);
    mask_ |= bit;
    if (answers(carried)) answers_mask_ |= bit;
  }
}

}  // namespace vmirror
