// A handover that an engine was given, while its flows wait for the worker where they go on. All
// workers hold the same one; each flow is claimed once. What is not an atomic never changes.
#pragma once

#include <atomic>
#include <memory>
#include <unordered_map>

#include "agent/engine/wire/keyed_hash.hpp"
#include "agent/engine/worker/handover.hpp"

namespace vmirror {

/// What became of flows that were given, by worker.
struct AdoptionCounters {
  std::uint64_t continued = 0;  ///< They went on: one flow with what was counted there.
  std::uint64_t both = 0;       ///< They had been seen here, too: the greater counters stand.
  std::uint64_t over = 0;       ///< Another flow with that key began: reported as closed.
  std::uint64_t idle = 0;       ///< No packet came within their timeout: reported as idle.
  std::uint64_t flushed = 0;    ///< The daemon stopped first.
  std::uint64_t forgotten = 0;  ///< The guest did not come, or left again with them.
  std::uint64_t streams = 0;    ///< Of those that went on: with their stream's state.
};

/// Used by all workers and by the engine.
class Adoption {
 public:
  /// It came `now`: see `settle`.
  Adoption(Handover handover, Time now, const KeyedHash& hash = KeyedHash());

  Time came() const { return came_; }
  const Handover& handover() const { return handover_; }
  /// The flow of this key, to whom asks first; null: there is none, or it is taken.
  const HandedFlow* claim(const FlowKey& key);
  /// The same of the flow at this place in handover().flows.
  const HandedFlow* claim(std::size_t place);
  bool is_claimed(std::size_t place) const {
    return claimed_[place].load(std::memory_order_acquire);
  }
  /// True for whom asks first: the assets are his to take.
  bool claim_assets() { return !assets_claimed_.exchange(true); }
  /// Flows that nobody claimed yet.
  std::size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

  /// A worker more that holds it; one less. True: it was the last.
  void enter() { ++holders_; }
  bool leave() { return --holders_ == 0; }

 private:
  struct Hash {
    KeyedHash hash;
    std::size_t operator()(const FlowKey& key) const noexcept;
  };
  Handover handover_;
  Time came_;
  std::unordered_map<FlowKey, std::size_t, Hash> places_;
  std::unique_ptr<std::atomic<bool>[]> claimed_;
  std::atomic<std::size_t> waiting_;
  std::atomic<int> holders_ = 0;
  std::atomic<bool> assets_claimed_ = false;
};

}  // namespace vmirror
