// Coverage: does the mirror of a NIC show all that the switch moved on its port?
//
//   coverage = frames received of a NIC / frames that the switch counted on its port
//
// The worker counts (CoverageCounter); what the counts mean is pure (coverage, health). A frame is
// a NIC's `out` when its source MAC is the NIC's, and its `in` when its destination MAC is the
// NIC's, or a group that the NIC did not send to itself (in the NIC's VLAN, where that is known).
// Unicast that the switch floods to a port for want of a learned address is counted by the switch
// and can't be told by us: it lowers coverage by as much.
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
  Mac mac;
  std::string vm, port;
  std::uint64_t out = 0, in = 0;              ///< By the rule above.
  std::uint64_t out_group = 0, in_group = 0;  ///< Of these, to group addresses.
  Time last = 0;                              ///< Of the latest frame that names the MAC.
  /// Of its first and its latest `out`, 0: none. RARP is no guest's: QEMU announces with it where a
  /// guest has come to. A NIC begins anew when it is watched again after
  /// it was not, or comes to another port: a guest that returns is a new one. A guest's broadcasts
  /// may come by other mirrored ports before it runs here: `restart` tells when that is over.
  Time first_out = 0, last_out = 0;
  NicFrames& operator+=(const NicFrames& other);
};

/// A worker's counts of the NICs that it watches. The worker's thread counts, any other may read
/// meanwhile: each number is right for itself.
class NicCounts {
 public:
  /// In the mirror index's order.
  std::vector<NicFrames> read() const;
  /// The next `out` of this NIC is its first.
  void restart_first_out(const Mac& mac) const;

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
    Count groups_before;       ///< Group frames when it began to be watched.
    When last, first_out, last_out;
  };
  struct Nic {
    WatchedNic watched;
    Frames frames;
  };
  using Groups = std::array<Count, 4097>;  ///< By VLAN and, last, all.

  std::uint64_t groups(std::optional<std::uint16_t> vlan) const;

  PersistentMap<Mac, std::shared_ptr<Nic>> nics_;
  std::shared_ptr<Groups> groups_;
};

/// Counts frames of watched NICs, and frames that come twice. One thread.
class CoverageCounter {
 public:
  CoverageCounter() = default;

  /// Watches these NICs from now on. Counts of NICs that stay are kept. Null or empty: none. Costs
  /// what differs from the index before.
  void watch(std::shared_ptr<const MirrorIndex> index);
  /// False: `count` need not be called.
  bool watching() const { return counts_ != nullptr; }
  bool watches(const Mac& mac) const;
  void count(const Frame& frame, const Packet& packet);

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
  /// A place of the hash table; `nic` is null where it is free.
  struct Slot {
    std::uint64_t mac = 0;
    NicCounts::Nic* nic = nullptr;
  };

  NicCounts::Nic* find(std::uint64_t mac) const;
  void put(std::uint64_t mac, NicCounts::Nic* nic);
  void remove(std::uint64_t mac);

  MirrorIndex index_;
  std::shared_ptr<NicCounts> counts_;
  std::vector<Slot> slots_;  ///< Open addressing by MAC: some are always free.
  std::shared_ptr<NicCounts::Groups> groups_;
  std::vector<Recent> recent_;
  std::uint64_t duplicates_ = 0;
};

/// One reading of one NIC: what was received of it, and what its switch counted then.
struct CoverageSample {
  Time time = 0;
  NicFrames received;
  std::optional<PortCounters> port;  ///< None: the switch could not be read.
  std::string port_id;               ///< Port::id: changes when the port is added again.
};

/// What two readings tell.
struct Coverage {
  Time from = 0, to = 0;
  std::uint64_t received_in = 0, received_out = 0;
  std::uint64_t counted_in = 0, counted_out = 0;
  /// received / counted of the mirrored directions; none: nothing was counted.
  std::optional<double> ratio;
  bool comparable = true;  ///< False: the port's counters were reset or unread in between.
};

/// Compares `now` with `baseline` (taken once the session was active). Pure.
Coverage coverage(const CoverageSample& baseline, const CoverageSample& now, Direction mirrored);
/// True when `now` can't be compared with `baseline`: the port was added again, or a counter went
/// back. Then `now` is the next baseline. Pure.
bool needs_new_baseline(const CoverageSample& baseline, const CoverageSample& now);

/// What a person should look at, in words; empty: nothing. "no frame of 52:54:..:01 came in 60 s,
/// while its port moved 812", "only one direction...", "... are broadcast or multicast". Pure.
std::vector<std::string> warnings(const CoverageSample& baseline, const CoverageSample& now,
                                  Direction mirrored);

}  // namespace vmirror
