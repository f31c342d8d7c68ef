// Which encapsulation a UDP port carries: a small table of an input's own, with one test for the
// ports that carry none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace vmirror {

enum class UdpCarrier : std::uint8_t { none, vxlan, geneve, tzsp, hp_erm, gtp, capwap, teredo };
constexpr UdpCarrier kUdpCarriers[] = {UdpCarrier::vxlan,  UdpCarrier::geneve, UdpCarrier::tzsp,
                                       UdpCarrier::hp_erm, UdpCarrier::gtp,    UdpCarrier::capwap,
                                       UdpCarrier::teredo};
/// "vxlan"; "none" where it is none.
const char* to_text(UdpCarrier carrier);
/// None of that name: UdpCarrier::none.
UdpCarrier parse_udp_carrier(std::string_view name);

class UdpCarriers {
 public:
  /// The ports that IANA lists or that the protocol's inventor uses: VXLAN 4789, 4790 (GPE) and 8472
  /// (old Linux), GENEVE 6081, TZSP 37008, GTP-U 2152, CAPWAP data 5247, Teredo 3544. HP's mirrors
  /// have none: the port is in the switch's configuration.
  UdpCarriers();

  /// From now on `port` carries this, and nothing else.
  void set(std::uint16_t port, UdpCarrier carrier);
  /// No port carries this any more.
  void clear(UdpCarrier carrier);

  bool may_have(std::uint16_t port) const { return (mask_ >> (port & 63) & 1) != 0; }
  UdpCarrier of(std::uint16_t port) const {
    if (!may_have(port)) return UdpCarrier::none;
    for (const auto& [known, carrier] : ports_)
      if (known == port) return carrier;
    return UdpCarrier::none;
  }
  const std::vector<std::pair<std::uint16_t, UdpCarrier>>& ports() const { return ports_; }

 private:
  void count_mask();

  std::uint64_t mask_ = 0;  ///< Bit N: some port whose last six bits are N.
  std::vector<std::pair<std::uint16_t, UdpCarrier>> ports_;
};

}  // namespace vmirror
