// What one host's engine knows of a guest, handed to another's when the guest is migrated, so that
// analysis goes on: a flow that began there and continues here is one flow.
//
//   source       take(macs) -> Handover -> encode -> bytes ---- the agents' link ----+
//   destination  give(Handover) <- decode <- bytes <--------------------------------+
//
// Values; the functions are pure. Times are the source's clock until `shift`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/engine/dissect/dissection.hpp"
#include "agent/engine/dissect/requests.hpp"
#include "agent/engine/flow/flow_table.hpp"
#include "agent/engine/stream/reassembler.hpp"
#include "agent/model/asset.hpp"
#include "agent/model/migration.hpp"

namespace vmirror {

/// Bounds of one guest's handover, for who makes it and for who reads it.
struct HandoverLimits {
  std::uint32_t flows = 65536;
  std::size_t bytes = 16 << 20;  ///< Encoded.
};

/// Both directions of a TCP flow: the reassembler's and the dissector's part, side 0 the client.
struct HandedStream {
  std::array<SavedSide, 2> tcp;
  std::array<SavedMessages, 2> messages;
  std::uint8_t failures = 0;  ///< Conversation::failures
  std::string innermost;      ///< Of Conversation::innermost the name; empty: none.
  bool operator==(const HandedStream&) const = default;
};

/// A request of the flow that was not answered yet.
struct HandedRequest {
  std::uint64_t key = 0;
  Request request;
  bool operator==(const HandedRequest&) const = default;
};

/// One flow, and what is read in it.
struct HandedFlow {
  SavedFlow flow;
  std::string application;  ///< The dissector's name; empty: none, or not found yet.
  /// While it is still looked for: payloads that were probed.
  std::optional<std::uint8_t> probed;
  bool done = false;                   ///< Nothing more of it is to be read.
  std::optional<HandedStream> stream;  ///< TCP that is read.
  std::vector<HandedRequest> requests;
  SavedMemory memory;  ///< What dissectors know of it.
  bool operator==(const HandedFlow&) const = default;
};

/// What a bound kept back. A flow without its stream goes on as one whose middle is first seen.
struct LeftOut {
  std::uint64_t flows = 0, streams = 0, assets = 0;
  bool operator==(const LeftOut&) const = default;
};

struct Handover {
  Time time = 0;                               ///< When it was taken.
  std::vector<Mac> macs;                       ///< The guest's NICs.
  std::vector<HandedFlow> flows;               ///< Latest first.
  std::vector<Asset> assets;                   ///< Of `macs`; without vendor and VM.
  std::vector<SavedExpectation> expectations;  ///< Ports of these assets that were announced.
  LeftOut left_out;
  /// Workers that did not answer in time: what they know is not in here.
  std::uint16_t workers_missing = 0;
  bool operator==(const Handover&) const = default;
};

/// Decides what of a handover goes within its limits, flow by flow.
class HandoverBudget {
 public:
  explicit HandoverBudget(const HandoverLimits& limits) : limits_(limits) {}
  /// True: the flow goes, without its stream, requests and memory where it would not fit with them.
  /// What does not is counted in `left_out`.
  bool admit(HandedFlow& flow, LeftOut& left_out);
  bool admit(const Asset& asset, LeftOut& left_out);

 private:
  HandoverLimits limits_;
  std::size_t bytes_ = 0;
  std::uint32_t flows_ = 0;
};

/// One guest's handover of what several workers had of it: latest flows first, within the limits.
/// Assets of one MAC, and the halves of a flow whose directions came to two workers, are joined.
Handover merge(std::vector<Handover> parts, const HandoverLimits& limits);

/// Bytes that these take in `encode`.
std::size_t encoded_size(const HandedFlow& flow);
std::size_t encoded_size(const Asset& asset);
/// The bytes for the link (layout: handover_bytes.cpp).
std::string encode(const Handover& handover);
/// Reads what another agent sent. Errors. invalid: it contradicts itself or is cut off; exhausted:
/// past the limits; unsupported: of a version that is not read here (its remedy says so).
Result<Handover> decode(Bytes bytes, const HandoverLimits& limits = {});
/// All times by `offset` nanoseconds: the destination's clock less the source's.
void shift(Handover& handover, Time offset);
/// What was seen ahead of `now` (clock.hpp) was seen at `now`: the source's clock was set back. A
/// flow's times move as one.
void settle(Handover& handover, Time now);
/// For the migration's record: counts and the reason why not all was handed over, in words. `bytes`
/// is the encoded size.
HandoverResult result_of(const Handover& handover, HandoverResult::State state,
                         std::uint64_t bytes);

}  // namespace vmirror
