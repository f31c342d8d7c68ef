// What the engine knows at one moment, as one value: each worker makes its own between two batches,
// and they are merged outside of the workers. Nobody changes a snapshot after it was made.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/engine/decap/decap.hpp"
#include "agent/engine/export/reinject.hpp"
#include "agent/engine/health/coverage.hpp"
#include "agent/model/asset.hpp"
#include "agent/model/drop.hpp"
#include "agent/model/flow.hpp"

namespace vmirror {

/// A named bound, how much of it is in use, and how often it was hit.
struct Limit {
  std::string name;  ///< "flows", "streams", "assets", "fragment_bytes"
  std::string unit;  ///< "flows", "bytes"
  std::uint64_t limit = 0;
  std::uint64_t used = 0;
  std::uint64_t overflow = 0;  ///< Times that it was full: each cost something, as the name says.
};

/// One capture input, all of its workers together.
struct InputSnapshot {
  std::string name;
  FrameCounters frames;
  /// Headers taken off, indexed by Encapsulation.
  std::array<std::uint64_t, 8> decapsulated{};
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

/// What was received of the watched NICs, and what the inputs lost; cheaper than a snapshot.
///
///   frames captured until `complete`      after `time`
///   all of them are counted               none of them is
struct NicReadings {
  std::vector<NicFrames> nics;  ///< In the mirror index's order.
  Time complete = 0, time = 0;  ///< Wall clock.
  std::uint64_t lost = 0;       ///< Drop::kernel of all inputs.
};

struct EngineSnapshot {
  Time time = 0;        ///< Wall clock, when it was asked for.
  Time last_frame = 0;  ///< Time of the latest frame analysed; 0: none yet.
  std::vector<InputSnapshot> inputs;

  std::uint64_t flows_active = 0;
  std::uint64_t flows_started = 0;
  std::array<std::uint64_t, kFlowEnds> flows_ended{};  ///< Indexed by FlowEnd.
  std::vector<Flow> top_flows;                         ///< Active ones, most bytes first.
  std::vector<Asset> assets;                           ///< By MAC.
  std::vector<ProtocolSnapshot> protocols;             ///< By name; those of the selection.
  std::vector<NamedCount> errors;   ///< HeaderError and DecapError that occurred.
  std::vector<NamedCount> streams;  ///< Reassembly: segments, gaps, gap_bytes, ...
  std::vector<NicFrames> nics;      ///< Watched NICs, in the mirror index's order.
  std::uint64_t duplicates = 0;     ///< Frames that came twice; looked for while NICs are watched.
  std::vector<NamedCount> adopted;  ///< AdoptionCounters of guests that came.
  std::vector<Limit> limits;

  /// All inputs together.
  FrameCounters frames() const;
};

/// What two workers learned of one MAC, in `to`: counters summed; an address or property that both
/// have is there once.
void merge_into(Asset& to, const Asset& from);

/// What two workers counted of NICs, in `to`. Both are in the order of their ports.
void merge_into(std::vector<NicFrames>& to, const std::vector<NicFrames>& from);

/// One snapshot of several workers': counters summed, inputs and protocols joined by name, assets
/// by MAC, the `top_flows` greatest flows kept. Limits of one name are summed. Pure.
EngineSnapshot merge(std::span<const std::shared_ptr<const EngineSnapshot>> parts,
                     std::size_t top_flows);

}  // namespace vmirror
