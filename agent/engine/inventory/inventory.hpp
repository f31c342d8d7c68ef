// The inventory: folds flows and facts into assets, one for each unicast MAC of a scope that sent
// or received. An address of another scope is another host's.
//
//   a flow begins     its MACs exist: first seen, VLAN, vendor; the sender's address, see below
//   its answer        the first frame of its other side: the sender's address
//   its other senders each frame that a third MAC sent in place of an end: its packets and bytes
//   a flow's report   packets and bytes by sender, last seen
//   a fact            an address, a name, a model... of a MAC, or of the asset that holds an
//   address
//
// Whose is an IP address? Behind a router every frame has the router's MAC. So an address is bound
// to a MAC by what says so on the link (facts with both: ARP, neighbour discovery, DHCP), and else
// by a frame that no router forwarded yet: one whose TTL is a system's initial value (64, 128 or
// 255). What a fact bound is not taken away by a TTL. Sender addresses that are not bound are
// remembered by their MAC: more than `router_sources` of them make it a router; facts (router
// advertisements, redirects) do so at once. An address that moves to another MAC leaves the former.
// Bounded; what was not seen for longest gives way, and what is too old goes (`age`). The present
// is when the last flow began or was answered: what a clock stamped that was set back since counts
// as of it (plugin/base/clock.hpp).
//
// One thread. No work per packet, but for those of other senders.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "agent/engine/inventory/vendors.hpp"
#include "agent/engine/wire/keyed_hash.hpp"
#include "agent/model/asset.hpp"
#include "agent/model/facts.hpp"
#include "agent/model/flow.hpp"

namespace vmirror {

struct InventoryOptions {
  std::size_t max_assets = 65536;
  std::size_t max_ips = 32;         ///< Of one asset; the oldest gives way.
  std::size_t max_vlans = 16;       ///< Of one asset.
  std::size_t max_properties = 32;  ///< Of one asset.
  std::size_t max_text = 256;       ///< Bytes of a property's value; cut behind.
  std::size_t router_sources = 8;   ///< Unbound sender addresses behind one MAC that make it one.
  bool note_senders = false;        ///< Keep who sent its first frame, for `take_senders`.
  Time max_age = 0;  ///< Assets that were not seen for so long are forgotten; 0: none.
  KeyedHash hash = KeyedHash();
};

struct InventoryCounters {
  /// Of what each asset has a bounded number of.
  struct OfAnAsset {
    std::size_t most = 0;        ///< The most that one asset had.
    std::uint64_t overflow = 0;  ///< Those that found no room, or gave way.
  };
  std::uint64_t evicted = 0;   ///< Assets that gave way.
  std::uint64_t unplaced = 0;  ///< Facts about an address that no asset holds.
  OfAnAsset ips = {}, vlans = {}, properties = {};
};

/// A MAC that sent its first frame.
struct NewSender {
  Mac mac;
  Scope scope = 0;
  std::uint16_t vlan = 0;
  Time time = 0;
};

class Inventory {
 public:
  explicit Inventory(InventoryOptions options, std::shared_ptr<const Vendors> vendors = nullptr);
  ~Inventory();
  Inventory(Inventory&&) noexcept;
  Inventory& operator=(Inventory&&) noexcept;

  /// A flow begins. `side` sent its first frame, whose TTL or hop limit was `ttl` (0: not IP).
  void flow_started(const Flow& flow, std::size_t side, std::uint8_t ttl);
  /// A flow's other side sent its first frame, with this TTL and the flow's VLAN: who only ever
  /// answers (a controller, a server) is known by that alone.
  void flow_answered(const Subject& sender, std::uint16_t vlan, std::uint8_t ttl, Time time,
                     Scope scope = 0);
  /// A frame of a flow that somebody else sent than Flow::mac: the other port of a router.
  void flow_passed(const Subject& sender, std::uint16_t vlan, std::uint8_t ttl, std::uint64_t bytes,
                   Time time, Scope scope = 0);
  /// A report of a flow, with what each Flow::mac sent since the last one.
  void flow_reported(const Flow& flow, const std::array<std::uint64_t, 2>& new_packets,
                     const std::array<std::uint64_t, 2>& new_bytes);
  void learn(const Fact& fact, Time time, Scope scope = 0);

  /// Forgets assets that are too old, if a few places that are looked at have some: to be called
  /// now and then, with the frames' time. All places are looked at in turn.
  void age(Time now);

  /// What another host's inventory knew of a MAC that came here. Joined with what is known of it:
  /// counters are summed, unless it was seen here while it was seen there; then the greater stand.
  void adopt(const Asset& asset);

  std::size_t size() const;
  const InventoryCounters& counters() const;
  /// All assets, by MAC and scope.
  std::vector<Asset> assets() const;
  /// Adds assets to `out`, from the place `from` on, until these are about `work` (an asset counts
  /// as 4, each of its properties as 1); the place to go on at, 0: that was the last. Asset after
  /// asset, whatever changes between two calls: an asset that is there from the first call to the
  /// last comes once. One that gave way may be missing, and one that came back after it gave way
  /// may come twice.
  std::size_t page(std::size_t from, std::size_t work, std::vector<Asset>& out) const;
  /// The same for their keys alone, at most `count`.
  std::size_t page_of_keys(std::size_t from, std::size_t count, std::vector<AssetKey>& out) const;
  /// Null: no such asset. Good until the next call that is not const. `vm` is left empty.
  const Asset* find(const Mac& mac, Scope scope = 0) const;
  /// The assets of this MAC, whatever their scope; `vm` is left empty.
  std::vector<Asset> of(const Mac& mac) const;
  /// True when `take_changed` has something.
  bool changed() const;
  /// Assets that are new or say something new since the last call (not: counters, times). Good
  /// until the next call that is not const. To be called now and then, or the list grows.
  std::span<const Asset* const> take_changed();
  /// Who sent its first frame since the last call, where the options say so. Good until the next
  /// call that is not const. To be called now and then, or the list grows.
  std::span<const NewSender> take_senders();
  /// At the end: `take_changed` gives every asset once more, with its final counters.
  void change_all();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Puts assets in the order in which they are listed. Moves each once: an asset is large.
void sort_by_key(std::vector<Asset>& assets);

}  // namespace vmirror
