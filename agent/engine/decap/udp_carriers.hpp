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
    Encapsulation::vxlan,  Encapsulation::geneve, Encapsulation::tzsp,
    Encapsulation::hp_erm, Encapsulation::gtp,    Encapsulation::capwap,
    Encapsulation::teredo, Encapsulation::gre,    Encapsulation::mpls};
/// Of kInUdp, by its name: "vxlan". None of that name: Encapsulation::none.
Encapsulation parse_in_udp(std::string_view name);

class UdpCarriers {
 public:
  /// The ports that IANA lists or that the protocol's inventor uses: VXLAN 4789, 4790 (GPE) and
  /// 8472 (old Linux), GENEVE 6081, TZSP 37008, GTP-U 2152, CAPWAP data 5247, Teredo 3544, GRE 4754
  /// (RFC 8086), MPLS 6635 (RFC 7510). HP's mirrors have none: the port is in the switch's
  /// configuration.
  UdpCarriers();

  /// From now on `port` carries this, and nothing else.
  void set(std::uint16_t port, Encapsulation carried);
  /// No port carries this any more.
  void clear(Encapsulation carried);

  /// Encapsulation::none where the port carries none.
  Encapsulation of(std::uint16_t port) const {
    for (const auto& [known, carried] : ports_)
      if (known == port) return carried;
    return Encapsulation::none;
  }
  /// False where the next function answers none for sure.
  bool may_have(std::uint16_t source, std::uint16_t destination) const {
    return ((mask_ >> (destination & 63) | answers_mask_ >> (source & 63)) & 1) != 0;
  }
  /// By the destination port. An access controller (CAPWAP) and a Teredo server answer from their
  /// port to one that the other side chose: these are known by the source port, too.
  /// Encapsulation::none where neither port carries any.
  Encapsulation of(std::uint16_t source, std::uint16_t destination) const {
    if (!may_have(source, destination)) return Encapsulation::none;
    const Encapsulation carried = of(destination);
    if (carried != Encapsulation::none) return carried;
    constexpr std::uint16_t kFirstChosen = 1024;
    const Encapsulation answered = of(source);
    return answers(answered) && destination >= kFirstChosen ? answered : Encapsulation::none;
  }

 private:
  static bool answers(Encapsulation carried) {
    return carried == Encapsulation::capwap || carried == Encapsulation::teredo;
  }
  void count_mask();

  std::uint64_t mask_ = 0;          ///< Bit N: some port whose last six bits are N.
  std::uint64_t answers_mask_ = 0;  ///< The same of ports that are answered from.
  std::vector<std::pair<std::uint16_t, Encapsulation>> ports_;
};

}  // namespace vmirror
