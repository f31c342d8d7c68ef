// The inventory: folds flows and facts into assets, one for each MAC that sent something.
//
//   a flow begins     its MACs exist: first seen, VLAN, vendor
//   a flow's report   packets and bytes by sender, last seen, subnets that a router forwards for
//   a fact            an address, a name, a model... of a MAC, or of the asset that holds an
//   address
//
// An address is bound to a MAC only by what says so on the link: ARP, neighbour discovery, DHCP
// (facts with both). The IP header of a flow never binds, for behind a router the MAC is the
// router's. Where a MAC sends from more than `router_sources` addresses that are not bound to it,
// it is a router; facts (router advertisements) say so at once. An address that moves is unbound
// from its former MAC. Group addresses are no assets. Bounded; the longest unseen gives way.
//
// One thread. No work per packet.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/inventory/vendors.hpp"
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
};

struct InventoryCounters {
  std::uint64_t evicted = 0;   ///< Assets that gave way.
  std::uint64_t overflow = 0;  ///< IPs, VLANs, properties that found no room, or gave way.
  std::uint64_t unplaced = 0;  ///< Facts about an address that no asset holds.
};

class Inventory {
 public:
  explicit Inventory(InventoryOptions options, std::shared_ptr<const Vendors> vendors = nullptr);
  ~Inventory();
  Inventory(Inventory&&) noexcept;
  Inventory& operator=(Inventory&&) noexcept;

  /// A flow's first frame: `flow.mac`, `ip`, `vlan`, `first`.
  void flow_started(const Flow& flow);
  /// A report of a flow, with what it counted since the last one.
  void flow_reported(const Flow& flow, const std::array<std::uint64_t, 2>& new_packets,
                     const std::array<std::uint64_t, 2>& new_bytes);
  void learn(const Fact& fact, Time time);

  std::size_t size() const;
  const InventoryCounters& counters() const;
  /// All assets, by MAC. `vm` is left empty.
  std::vector<Asset> assets() const;
  /// Null: no such asset. Good until the next call that is not const.
  const Asset* find(const Mac& mac) const;
  /// Assets that are new or say something new since the last call (not: counters, times). At most
  /// 1,024 are kept in mind; the rest come with later changes.
  std::vector<const Asset*> take_changed();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vmirror
