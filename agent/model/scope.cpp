#include "agent/model/scope.hpp"

#include <algorithm>
#include <cstdio>

namespace vmirror {
namespace {

enum Kind : std::uint8_t { kOuterVlan = 1, kVxlan, kGeneve, kPbb };
constexpr const char* kNames[] = {"", "outer vlan ", "vxlan ", "geneve ", "pbb "};
constexpr Scope kOwnTunnel = 0x40000000, kHashed = 0x80000000;

constexpr Scope scope(Kind kind, std::uint32_t number) {
  return Scope{kind} << 24 | (number & 0xffffff);
}

/// FNV-1a: the same on every host, since flows move with a guest.
class Hash {
 public:
  void add(std::uint64_t value) {
    for (int i = 0; i < 64; i += 8) state_ = (state_ ^ (value >> i & 0xff)) * 0x100000001b3;
  }
  Scope value() const { return static_cast<Scope>(state_ ^ state_ >> 32); }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325;
};

}  // namespace

Result<Identity> parse_identity(std::span<const std::string> words) {
  Identity out{false, false, false, false, false};
  for (const std::string& word : words) {
    const auto* part = std::ranges::find(kIdentityParts, word,
                                         [](const auto& p) { return std::string_view(p.first); });
    if (part == kIdentityParts.end()) {
      std::string known;
      for (const auto& [name, member] : kIdentityParts)
        known += std::string(known.empty() ? "" : ", ") + name;
      return tl::unexpected(Error{Error::Kind::invalid, "`" + word + "` tells no flows apart",
                                  "identity", "write a list of " + known});
    }
    out.*part->second = true;
  }
  return out;
}

Scope overlay_scope(Encapsulation encapsulation, std::uint32_t number) {
  switch (encapsulation) {
    case Encapsulation::vxlan:
      return scope(kVxlan, number);
    case Encapsulation::geneve:
      return scope(kGeneve, number);
    case Encapsulation::pbb:
      return scope(kPbb, number);
    default:
      return 0;
  }
}

std::optional<std::uint32_t> vni_of(Scope scope) {
  const Scope kind = scope >> 24;
  if (kind != kVxlan && kind != kGeneve) return std::nullopt;
  return scope & 0xffffff;
}

Scope scope_of(const Identity& identity, const Frame& frame, const Packet& packet,
               const Origin& origin) {
  const Scope outer =
      identity.vlan && packet.tag_count > 1 ? scope(kOuterVlan, packet.tags[0].id()) : Scope{0};
  const Scope overlay = identity.overlay ? origin.overlay : Scope{0};
  const bool mirrored = origin.depth > 0;
  const bool more = identity.input || (mirrored && (identity.session || identity.sender));
  if (!more && (outer == 0 || overlay == 0)) return std::max(outer, overlay);
  Hash hash;
  hash.add(std::uint64_t{outer} << 32 | overlay);
  if (identity.input) hash.add(std::uint64_t{1} << 32 | frame.input);
  if (mirrored && identity.session)
    hash.add(std::uint64_t{static_cast<std::uint8_t>(origin.encapsulation)} << 40 |
             std::uint64_t{2} << 32 | origin.session);
  if (mirrored && identity.sender) {
    hash.add(origin.sender.halves().first);
    hash.add(origin.sender.halves().second);
  }
  return hash.value() | kHashed;
}

Scope own_tunnel_scope(const Mac& a, const Mac& b, Scope inner) {
  Hash hash;
  hash.add(std::min(a, b).number());
  hash.add(std::max(a, b).number());
  hash.add(inner);
  return (hash.value() & (kOwnTunnel - 1)) | kOwnTunnel;
}

std::string scope_text(Scope scope) {
  if (scope == 0) return {};
  if (is_own_tunnel(scope) || (scope & kHashed) != 0) {
    char text[24];
    std::snprintf(text, sizeof text, "%s %08x", is_own_tunnel(scope) ? "own tunnel" : "scope",
                  scope);
    return text;
  }
  return kNames[scope >> 24] + std::to_string(scope & 0xffffff);
}

}  // namespace vmirror
