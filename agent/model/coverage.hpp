// Coverage: what came of a NIC's frames, against what its switch counted on the port, over one
// window of time. Worked out by agent/engine/health, judged by agent/control/reconcile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "plugin/api/model.hpp"
#include "plugin/api/tracer.hpp"
#include "plugin/base/persistent_map.hpp"

namespace vmirror {

/// A number that is known to lie between two.
struct Range {
  std::uint64_t low = 0, high = 0;
  bool operator==(const Range&) const = default;
};

/// What one window tells.
struct Coverage {
  enum class Verdict : std::uint8_t {
    silent,    ///< The port moved nothing.
    complete,  ///< All came, as far as the counters can tell.
    lossy,     ///< More than one frame of a hundred did not come, for sure.
    excess,    ///< More came than the port moved, for sure: a fault of counting, never a proof.
    open,      ///< The counters don't tell yet which of these it is.
  };
  Time from = 0, to = 0;
  std::uint64_t counted_in = 0, counted_out = 0;  ///< By the port, of the mirrored directions.
  Range received_in, received_out;                ///< Of the NIC, by the engine.
  /// At most so many frames for others did the switch send to the port, too.
  std::uint64_t flooded = 0;
  /// received / counted lies in between: with what explains the counters where it is complete, else
  /// from the NIC's own frames alone to all that may be its. 0 where nothing was counted.
  double low = 0, high = 0;
  std::optional<double> ratio;  ///< Told once it is known well enough: the value nearest to 1.
  Verdict verdict = Verdict::silent;
  std::uint64_t counted() const { return counted_in + counted_out; }
  Range received() const {
    return {received_in.low + received_out.low, received_in.high + received_out.high};
  }
  bool operator==(const Coverage&) const = default;
};
/// "complete"
const char* to_text(Coverage::Verdict verdict);

/// What is known of one NIC that the engine watches.
struct NicEvidence {
  /// Unicast frames received, since any time in the past, ever growing. Told while the switch owes
  /// a change.
  std::uint64_t received = 0;
  Time since = 0;  ///< SessionStatus::in_place_since of which `window` is.
  std::optional<Coverage> window = {};
  std::string rival = {};  ///< WatchedNic::rival
  bool operator==(const NicEvidence&) const = default;
};

/// What the engine received, of the NICs that it watches, and what the switch was asked. A
/// copy costs nothing that grows with the number of NICs, nor does a comparison with its ancestor.
struct Evidence {
  PersistentMap<PortKey, NicEvidence> nics;
  /// By session whose guest is silent: what the switch said that it would do with a frame.
  PersistentMap<std::string, TraceAnswer> traced = {};
  bool operator==(const Evidence&) const = default;
};

}  // namespace vmirror
