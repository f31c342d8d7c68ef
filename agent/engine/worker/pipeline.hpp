// The engine's pipeline: all that happens to a frame between capture and the outputs, on one
// thread, with state of its own.
//
//   parse_packet -> Decapsulator -> flow table -> dissectors (TCP: reassembly) -> inventory
//                                        |              |                          |
//                                        +--- ended flows, records, assets: EVE ---+
//                                          acts, new devices, strays: findings: EVE
//                        (coverage counts of watched NICs, re-injection of decapsulated frames)
//
// A batch goes through in stages, so that the memory that one frame needs is on its way while
// others are worked on. No allocation per frame in steady state.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "agent/engine/decap/decap.hpp"
#include "agent/engine/dissect/dissection.hpp"
#include "agent/engine/export/reinject.hpp"
#include "agent/engine/findings/findings.hpp"
#include "agent/engine/flow/flow_table.hpp"
#include "agent/engine/inventory/inventory.hpp"
#include "agent/engine/stream/reassembler.hpp"
#include "agent/engine/worker/adoption.hpp"
#include "agent/engine/worker/eve_writer.hpp"
#include "agent/engine/worker/handover.hpp"
#include "agent/engine/worker/snapshot.hpp"
#include "agent/model/mirror_index.hpp"
#include "agent/model/observer.hpp"
#include "agent/model/source.hpp"

namespace vmirror {

struct PipelineOptions {
  std::string input_name = "input";  ///< EVE's in_iface, and the snapshot's.
  DecapOptions decap;
  Identity identity;  ///< What tells flows and assets of this input apart.
  FlowTableOptions flows;
  InventoryOptions inventory;
  BufferLimits buffers;
  ReassemblyLimits reassembly;
  std::uint32_t max_streams = 65536;  ///< TCP flows that are reassembled at once.
  /// The protocols to read, shared by all workers; null: none. A selection of none costs nothing.
  std::shared_ptr<const Dissectors> dissectors;
  /// Vendors by MAC prefix, shared by all workers; null: no vendors.
  std::shared_ptr<const Vendors> vendors;
  std::optional<FindingOptions> findings;  ///< None: none are looked for.
  /// What was seen before, shared by all workers; null: this pipeline has one of its own.
  std::shared_ptr<Baseline> baseline;
  EveOptions eve;
  Reinjector* reinject =
      nullptr;  ///< Of this pipeline's thread alone, which flushes it; null: none.
  FrameObserver* observer = nullptr;  ///< Of this pipeline's thread alone; null: none.
  std::uint32_t top_flows = 100;      ///< Of the greatest flows so many can be told.
};

/// Used by one thread.
class Pipeline {
 public:
  explicit Pipeline(PipelineOptions options);
  ~Pipeline();
  Pipeline(Pipeline&&) noexcept;
  Pipeline& operator=(Pipeline&&) noexcept;

  /// Analyses frames, in order. Their bytes are borrowed for the call. Any number of frames.
  void process(std::span<const Frame> frames);
  /// Ends what timed out: call it when a source gave nothing for a while. `now` in the frames'
  /// time.
  void tick(Time now);
  /// Gives up held fragments and reports all flows as flushed: at a file's end, or before stopping.
  void flush();
  /// Frames that the source lost before it could show them: the sum since the source was opened.
  void source_dropped(std::span<const std::uint64_t, kDropKinds> dropped);
  /// A source that was opened again counts from zero: what it dropped so far is kept.
  void source_reopened();
  /// PipelineOptions::reinject, from now on.
  void reinject(Reinjector* to);
  /// The NICs to count frames of, and to filter; null or empty: none, at no cost. Counts of NICs
  /// that stay are kept. A frame that is filtered out is counted as the NIC's all the same.
  void watch(std::shared_ptr<const MirrorIndex> index);

  // -- guests that move; see Engine --
  /// What is known of the guest with these MACs. Changes nothing. Handover::time and macs are left.
  Handover take(std::span<const Mac> macs, const HandoverLimits& limits);
  /// Their flows end as moved, all but those whose other end is watched; what was adopted of them
  /// and waits is forgotten.
  void let_go(std::span<const Mac> macs);
  /// Flows that may go on here, from now on; those that began here already do at once. Its flows'
  /// timeouts are the flow table's. The caller called `enter` for this pipeline.
  void adopt(std::shared_ptr<Adoption> adoption);

  const FrameCounters& counters() const;
  /// What is counted of the watched NICs, for other threads to read; until the next `watch`. Null:
  /// none is watched.
  std::shared_ptr<const NicCounts> nic_counts() const;
  Time last_frame() const;  ///< Time of the latest frame; 0: none yet.

  // -- slices of what is known; `time` is what the caller's clock says; see snapshot.hpp --
  /// At a cost that depends on the numbers of mirroring sessions (at most 1,024) and of clocks
  /// (256) alone.
  EngineCounters known(Time time) const;
  /// The places of the greatest flows now, for `add_flows`.
  std::vector<std::uint32_t> top_flows() const;
  /// Adds those of these flows that are still active.
  void add_flows(std::span<const std::uint32_t> places, std::vector<Flow>& to) const;
  /// Inventory::page_of_keys
  std::size_t add_asset_keys(std::size_t from, std::size_t count, std::vector<AssetKey>& to) const;
  /// Inventory::page, with the names of guests.
  std::size_t add_assets(std::size_t from, std::size_t work, std::vector<Asset>& to) const;
  /// Adds all findings.
  void add_findings(std::vector<Finding>& to) const;
  /// All of it, at once.
  EngineSnapshot snapshot(Time time) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vmirror
