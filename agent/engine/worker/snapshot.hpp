// What the engine knows, as values, in three slices that are asked for separately. Each worker
// makes its own between two batches; the one who asks joins them, on a thread of its own.
//
//   EngineCounters   as of one moment of each worker; costs the same whatever was counted
//   TopFlows         the flows were chosen at one moment; each is as of a moment in from..to
//   AssetList        each asset is as of a moment in from..to
//
// Nobody changes a value after it was made.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/engine/decap/decap.hpp"
#include "agent/engine/export/reinject.hpp"
#include "agent/engine/findings/baseline.hpp"
#include "agent/engine/health/clocks.hpp"
#include "agent/engine/health/coverage.hpp"
#include "agent/model/asset.hpp"
#include "agent/model/copies.hpp"
#include "agent/model/drop.hpp"
#include "agent/model/finding.hpp"
#include "agent/model/flow.hpp"

namespace vmirror {

/// A named bound, how much of it is in use, and how often it was hit.
struct Limit {
  std::string name;  ///< "flows", "streams", "assets", "fragment_bytes"
  std::string unit;  ///< "flows", "bytes"
  std::uint64_t limit = 0;
  std::uint64_t used = 0;
  std::uint64_t overflow = 0;  ///< Times that it was full: each cost something, as the name says.
  /// A bound of each asset, or of each frame: `used` is the most that one had so far, and stays so
  /// where several workers have such a bound.
  bool each = false;
};
/// The bound of what was seen before.
Limit limit_of(const Baseline& baseline);

/// One capture input, all of its workers together.
struct InputSnapshot {
  std::string name;
  FrameCounters frames;
  /// Headers taken off, indexed by Encapsulation.
  std::array<std::uint64_t, kEncapsulations> decapsulated{};
  std::vector<SessionCounters> sessions;
  /// Of several numbered sessions. Where several workers took a sender's numbers in, none of them
  /// knows what is missing: its rule, and its sessions', is `open`.
  std::vector<SenderCounters> senders;
  std::vector<std::string> warnings;
  std::optional<Error> error;  ///< What is wrong with it now; it is tried again meanwhile.
  std::optional<ReinjectCounters> reinjected;  ///< None: its bare frames are not sent on.
  int workers = 1;
};

/// One protocol of the selection.
struct ProtocolSnapshot {
  std::string name;
  std::uint64_t records = 0;
  std::uint64_t malformed = 0;
  std::uint64_t cut = 0;  ///< Messages that the mirror's truncation or a gap cut short.
  bool operator==(const ProtocolSnapshot&) const = default;
};

/// A counter by its name: {"ip_header_length", 3}.
struct NamedCount {
  std::string name;
  std::uint64_t count = 0;
  bool operator==(const NamedCount&) const = default;
};

/// What was received of the watched NICs, and what the inputs lost. No worker is asked for it.
///
///   frames captured until `complete`      after `time`
///   all of them are counted               none of them is
struct NicReadings {
  std::vector<NicFrames> nics;  ///< In the mirror index's order.
  Time complete = 0, time = 0;  ///< Wall clock.
  std::uint64_t lost = 0;       ///< Drop::kernel of all inputs.
};

struct EngineCounters {
  Time time = 0;        ///< Wall clock: all of it is of this moment or later, but an input whose
                        ///< `error` says that a worker does not answer.
  Time last_frame = 0;  ///< Time of the latest frame analysed; 0: none yet.
  std::vector<InputSnapshot> inputs;

  std::uint64_t flows_active = 0;
  std::uint64_t flows_started = 0;
  std::array<std::uint64_t, kFlowEnds> flows_ended{};  ///< Indexed by FlowEnd.
  std::uint64_t assets_known = 0;                      ///< MACs.
  std::vector<ProtocolSnapshot> protocols;             ///< By name; those of the selection.
  std::vector<NamedCount> errors;  ///< HeaderError and DecapError that occurred.
  /// Frames that nobody here can read, by the number that says so: "ethertype 0x88c7".
  std::vector<NamedCount> not_understood;
  std::vector<NamedCount> streams;  ///< Reassembly: segments, gaps, gap_bytes, ...
  std::vector<ClockRow> clocks;     ///< What messages say of clocks.
  std::uint64_t duplicates = 0;     ///< Frames that came twice; looked for while NICs are watched.
  std::vector<NamedCount> findings_begun;  ///< That began, by kind; empty: none are looked for.
  Time learns_until = 0;            ///< When the learning time of findings ends; 0: not known.
  std::vector<NamedCount> adopted;  ///< AdoptionCounters of guests that came.
  std::vector<Limit> limits;

  /// All inputs together.
  FrameCounters frames() const;
};

/// The active flows with most bytes (FlowTable::top says how exactly), most first.
struct TopFlows {
  Time from = 0, to = 0;  ///< Wall clock.
  std::vector<Flow> flows;
  int workers_missing = 0;  ///< They did not answer: what they know is not in here.
};

/// All assets, by MAC. One that was known from `from` to `to` is in it, once, whatever else came or
/// gave way meanwhile. One that came or gave way between them may be in it or not.
struct AssetList {
  Time from = 0, to = 0;  ///< Wall clock.
  std::vector<Asset> assets;
  int workers_missing = 0;  ///< They did not answer: what they know is not in here.
};

/// All findings, latest first. One that several workers have is one.
struct FindingList {
  Time from = 0, to = 0;  ///< Wall clock.
  std::vector<Finding> findings;
  int workers_missing = 0;  ///< They did not answer: what they know is not in here.
};

/// The MACs of a worker's assets, for their number: what two workers know is one.
struct KnownAssets {
  std::vector<AssetKey> keys;  ///< A key may be there twice.
};

/// All of it at once: after a file, and for tests. Of a running engine its slices have times of
/// their own.
struct EngineSnapshot : EngineCounters {
  std::vector<Flow> top_flows;    ///< TopFlows::flows
  std::vector<Asset> assets;      ///< AssetList::assets
  std::vector<NicFrames> nics;    ///< Watched NICs, in the mirror index's order.
  std::vector<Finding> findings;  ///< FindingList::findings
};

/// The mirroring sessions that copies came of, of all inputs; those that are refused left out.
std::map<CopiesKey, Copies> copies(const EngineCounters& counters);

/// What two workers learned of one MAC, in `to`: counters summed; an address or property that both
/// have is there once.
void merge_into(Asset& to, const Asset& from);

/// What two workers counted of NICs, in `to`. Both are in the order of their ports.
void merge_into(std::vector<NicFrames>& to, std::vector<NicFrames> from);

/// What several workers counted: counters summed, inputs, protocols and limits joined by name. Its
/// `time` is the earliest of theirs. `assets_known` is a sum, too: see `distinct`. Pure.
EngineCounters merge(std::span<const std::shared_ptr<const EngineCounters>> parts);

/// How many MACs these are. Null: a worker that is missing. Pure.
std::size_t distinct(std::span<const std::shared_ptr<const KnownAssets>> parts);

/// The `count` greatest of several workers' flows. Null: a worker that is missing. Pure.
TopFlows merge(std::span<const std::shared_ptr<const TopFlows>> parts, std::size_t count);

/// By MAC what several workers know of it. Within a part that has a MAC twice its later asset
/// stands. Null: a worker that is missing. Pure.
AssetList merge(std::span<const std::shared_ptr<const AssetList>> parts);

/// Several workers' findings, each once: counts summed. Null: a worker that is missing. Pure.
FindingList merge(std::span<const std::shared_ptr<const FindingList>> parts);
/// The order in which they are listed.
void sort_by_last(std::vector<Finding>& findings);

}  // namespace vmirror
