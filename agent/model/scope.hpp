// The network that addresses belong to. Two tenants, customers or sites may use the same addresses:
// in two scopes these are two hosts and two conversations.
//
//   bits   31..24  kind             what else tells the scope
//          0       none             0: frames that say nothing of a network
//          1       outer VLAN       12 bits: the outermost of several tags (802.1ad)
//          2       VXLAN            24 bits: VNI
//          3       GENEVE           24 bits: VNI
//          4       PBB              24 bits: I-SID
//          0x40..  own tunnel       30 bits of a hash of the outermost MACs and the inner scope:
//                                   what a guest wrote into a tunnel of its own
//          0x80..  several of these, or the mirroring session, its sender, the input: 31 bits of a
//                  hash. Two of 1,000 such scopes are taken for one with a chance of 1 in 4,300.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "agent/model/frame.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

using Scope = std::uint32_t;

/// What tells flows and assets apart beside addresses, ports and protocol. Of one input.
struct Identity {
  bool vlan = true;      ///< The innermost VLAN of a flow, and the outermost of several tags.
  bool overlay = true;   ///< The VNI of VXLAN and GENEVE, PBB's I-SID.
  bool session = false;  ///< The mirroring session: its encapsulation and ID.
  bool sender = false;   ///< Who encapsulated the copy.
  bool input = false;    ///< The input that the frame came by.
  bool operator==(const Identity&) const = default;
};
/// The words by which users name the parts of an identity: "vlan, overlay, session, sender, input".
inline constexpr std::array<std::pair<const char*, bool Identity::*>, 5> kIdentityParts = {
    {{"vlan", &Identity::vlan},
     {"overlay", &Identity::overlay},
     {"session", &Identity::session},
     {"sender", &Identity::sender},
     {"input", &Identity::input}}};
/// An identity of these parts and no others. Error::Kind::invalid: an unknown word.
Result<Identity> parse_identity(std::span<const std::string> words);

/// The scope of a frame. Pure.
Scope scope_of(const Identity& identity, const Frame& frame, const Packet& packet,
               const Origin& origin);
/// The scope that an overlay's number names; 0: this encapsulation has none.
Scope overlay_scope(Encapsulation encapsulation, std::uint32_t number);

/// The VNI of a scope of VXLAN or GENEVE; none: it is another.
std::optional<std::uint32_t> vni_of(Scope scope);

/// What a guest's own tunnel carries between these MACs, in whatever order, is in a network of its
/// own: anybody can write another's addresses into a tunnel. `inner`: its scope by scope_of. Pure.
Scope own_tunnel_scope(const Mac& a, const Mac& b, Scope inner);
constexpr bool is_own_tunnel(Scope scope) {
  return scope >> 30 == 1;
}

/// "outer vlan 100", "vxlan 5001", "geneve 7", "pbb 9", "own tunnel 40c0ffee", "scope
/// 80c0ffee"; empty for 0.
std::string scope_text(Scope scope);

}  // namespace vmirror
