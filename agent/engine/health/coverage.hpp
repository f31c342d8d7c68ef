// The worker's side of coverage: which of the frames that it receives are a NIC's. What the counts
// mean is in window.hpp.
//
// A frame is a NIC's `out` when its source MAC is the NIC's, and its `in` when its destination MAC
// is the NIC's, or a group that the NIC did not send to itself (in the NIC's VLAN, where that is
// known). NICs are told apart by input, VLAN and MAC.
//
// A switch sends unicast to every port of the VLAN while it has not learned where the address is: a
// guest's port counts it, and its mirror copies it, once for all ports that it went to. Nothing in
// the copy tells which these were. So a unicast frame to an address that has not sent anything for
// kForgotten is counted as *flooded*, for each NIC of its VLAN but its sender's and its receiver's.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/model/frame.hpp"
#include "agent/model/mirror_index.hpp"

namespace vmirror {

/// Frames received of one NIC since it is watched.
struct NicFrames {
  PortKey at;
  Mac mac;
  std::string vm;
  std::uint64_t out = 0, in = 0;              ///< By the rule above.
  std::uint64_t out_group = 0, in_group = 0;  ///< Of these, to group addresses.
  std::uint64_t flooded = 0;  ///< Frames for others that the switch may have sent to it, too.
  /// Of its first and its latest `out`, 0: none. RARP is no guest's: QEMU announces with it where a
  /// guest has come to. A NIC begins anew when it is watched again after
  /// it was not, or comes to another port: a guest that returns is a new one. A guest's broadcasts
  /// may come by other mirrored ports before it runs here: `restart` tells when that is over.
  Time first_out = 0, last_out = 0;
  NicFrames& operator+=(const NicFrames& other);
  /// "br0/vnet0"
  std::string port() const { return at.switch_name + "/" + at.port; }
};

/// A worker's counts of the NICs that it watches. The worker's thread counts, any other may read
/// meanwhile: each number is right for itself.
class NicCounts {
 public:
  /// In the mirror index's order.
  std::vector<NicFrames> read() const;
  /// The next `out` of this NIC is its first.
  void restart_first_out(const PortKey& at) const;

 private:
  friend class CoverageCounter;
  /// Only the worker adds, so that no addition needs to be atomic.
  struct Count : std::atomic<std::uint64_t> {
    void add(std::uint64_t n) { store(get() + n, std::memory_order_relaxed); }
    std::uint64_t get() const { return load(std::memory_order_relaxed); }
  };
  struct When : std::atomic<Time> {
    void set(Time time) { store(time, std::memory_order_relaxed); }
    Time get() const { return load(std::memory_order_relaxed); }
  };
  struct alignas(64) Frames {
    Count out, in, out_group;  ///< `in` without groups.
    /// Group and flooded frames that are not its: from before it was watched, and its own.
    Count groups_before, flooded_before;
    When first_out, last_out;
  };
  struct Nic {
    WatchedNic watched;
    Frames frames;
    Nic* next = nullptr;  ///< Of the same MAC. The counter's.
  };
  using ByVlan = std::array<Count, 4097>;  ///< By VLAN and, last, all.
  struct Shared {
    ByVlan groups, flooded;
  };

  PersistentMap<PortKey, std::shared_ptr<Nic>> nics_;
  std::shared_ptr<Shared> shared_;
};

/// A frame that left a mirrored port with a source that is no NIC's: neither its source nor its
/// destination is a watched NIC's, and the switch knew where the destination is, so that it sent
/// the frame to no other port. Told of inputs whose frames are all copies of NICs.
struct StrayMac {
  Mac mac;
  std::uint16_t vlan = 0;
  Time time = 0;
};

/// Counts frames of watched NICs, and frames that come twice. One thread.
class CoverageCounter {
 public:
  /// How long an address may be silent before the switch may have forgotten where it is. An address
  /// ages out after 300 s (Open vSwitch's mac-aging-time, 15 s at least). But those of a port that
  /// gets another tag are forgotten at once, all where the switch starts again, and no copy tells.
  static constexpr Time kForgotten = 2 * kSecond;

  CoverageCounter() = default;
  /// `input`: the NICs of other inputs are passed over; empty: none is.
  explicit CoverageCounter(std::string input) : input_(std::move(input)) {}

  /// Watches these NICs from now on. Counts of NICs that stay are kept: of those whose port, MAC
  /// and VLAN are as before. Null or empty: none. Costs what differs from the index before.
  void watch(const MirrorIndex& index);
  /// False: `count` need not be called.
  bool watching() const { return counts_ != nullptr; }
  bool watches(const Mac& mac) const;
  void count(const Frame& frame, const Packet& packet);

  /// Strays since the last call, each about twice a second while it sends; more than kMostStrays at
  /// once are passed over. Good until the next `count`.
  std::span<const StrayMac> take_strays();
  static constexpr std::size_t kMostStrays = 64;

  std::vector<NicFrames> frames() const;
  /// What is counted now, for other threads; until the next `watch`. Null: none is watched.
  std::shared_ptr<const NicCounts> counts() const { return counts_; }
  /// Frames equal to one seen at most 50 ms before: a mirror that copies twice, or both ends of a
  /// conversation mirrored.
  std::uint64_t duplicates() const { return duplicates_; }

 private:
  struct Recent {
    std::uint64_t hash = 0;
    Time time = 0;
  };
  static constexpr std::size_t kRecent = 8192;
  static constexpr Time kWindow = 50 * kMillisecond;
  static constexpr std::size_t kHeard = 4096;          ///< Past it an address is forgotten early.
  static constexpr Time kHeardAgain = kForgotten / 4;  ///< Between two times that are kept of one.
  /// A place of the hash table; `nic` is null where it is free, else the first of that MAC.
  struct Slot {
    std::uint64_t mac = 0;
    NicCounts::Nic* nic = nullptr;
  };

  NicCounts::Nic* find(std::uint64_t mac) const;
  NicCounts::Nic* find(std::uint64_t mac, std::uint16_t vlan) const;
  void put(NicCounts::Nic* nic);
  void remove(NicCounts::Nic* nic);
  void rebuild(std::size_t nics);
  Recent& heard(std::uint64_t mac, std::uint16_t vlan);
  bool spoke(std::uint64_t mac, std::uint16_t vlan, const NicCounts::Nic* nic, Time now);
  void note_stray(std::uint64_t source, std::uint64_t destination, const Mac& mac,
                  std::uint16_t vlan, Time time);
  void flood(std::uint16_t vlan, NicCounts::Nic* from, NicCounts::Nic* to);

  std::string input_;
  MirrorIndex index_;
  std::shared_ptr<NicCounts> counts_;
  std::vector<Slot> slots_;  ///< Open addressing by MAC: some are always free.
  std::shared_ptr<NicCounts::Shared> shared_;
  std::vector<Recent> recent_;
  std::vector<Recent>
      heard_;  ///< Addresses that sent, by MAC and VLAN: not of NICs whose VLAN is known.
  bool copies_alone_ = false;  ///< Some NIC's copies come by this input and no other.
  std::vector<StrayMac> strays_, told_strays_;
  std::uint64_t duplicates_ = 0;
};

}  // namespace vmirror
