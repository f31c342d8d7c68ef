// Which encapsulation a UDP port carries: a small table of an input's own, with one test for the
// ports that carry none.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/model/frame.hpp"

namespace vmirror {

/// The encapsulations that are told by a UDP port.
constexpr Encapsulation kInUdp[] = {
    Encapsulation::vxlan, Encapsulation::geneve, Encapsulation::tzsp,  Encapsulation::hp_erm,
    Encapsulation::gtp,   Encapsulation::capwap, Encapsulation::teredo};
/// Of kInUdp, by its name: "vxlan". None of that name: Encapsulation::none.
Encapsulation parse_in_udp(std::string_view name);

class UdpCarriers {
 public:
  /// The ports that IANA lists or that the protocol's inventor uses: VXLAN 4789, 4790 (GPE) and
  /// 8472 (old Linux), GENEVE 6081, TZSP 37008, GTP-U 2152, CAPWAP data 5247, Teredo 3544. HP's
  /// mirrors have none: the port is in the switch's configuration.
  UdpCarriers();

  /// From now on `port` carries this, and nothing else.
  void set(std::uint16_t port, Encapsulation carried);
  /// No port carries this any more.
  void clear(Encapsulation carried);

  bool may_have(std::uint16_t port) const { return (mask_ >> (port & 63) & 1) != 0; }
  /// Encapsulation::none where the port carries none.
  Encapsulation of(std::uint16_t port) const {
    if (!may_have(port)) return Encapsulation::none;
    for (const auto& [known, carried] : ports_)
      if (known == port) return carried;
    return Encapsulation::none;
  }

 private:
  void count_mask();

  std::uint64_t mask_ = 0;  ///< Bit N: some port whose last six bits are N.
  std::vector<std::pair<std::uint16_t, Encapsulation>> ports_;
};

}  // namespace vmirror
