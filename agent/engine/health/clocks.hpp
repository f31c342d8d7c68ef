// What messages say of clocks, folded into rows: one for each host and field that tells. A server's
// answer is captured within milliseconds of its making, so that its time less the frame's is how
// far its clock is from that of the capturing host.
//
//   ClockReading (agent/model/facts.hpp), frame's time --> row (bounded) --> rows(): status, check
//
// Who judges knows no protocol: agent/report/check_clocks.cpp has the bounds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/engine/wire/keyed_hash.hpp"
#include "agent/engine/wire/lent.hpp"
#include "agent/model/facts.hpp"
#include "agent/model/scope.hpp"

namespace vmirror {

struct ClockRow {
  IpAddress ip;
  Scope scope = 0;
  const char* source = "";     ///< "ntp.transmit_time". A literal.
  Time first = 0, last = 0;    ///< The frames' time.
  std::uint64_t readings = 0;  ///< Times that it was shown.
  std::optional<Time> offset;  ///< Of the latest reading: above 0, the clock is ahead of ours.
  std::uint64_t refused = 0;   ///< Times that somebody refused it as too far off.
  IpAddress refused_by;        ///< Who did last.
};

/// Of one worker, on its thread. No allocation after construction.
class Clocks {
 public:
  static constexpr std::uint32_t kRows = 256;

  explicit Clocks(const KeyedHash& hash) : hash_(hash), rows_(kRows) {}

  /// Of a frame of `time`; nothing is made of a clock without an address.
  void fold(const ClockReading& reading, Time time, Scope scope);
  /// All rows, by address, scope and source.
  std::vector<ClockRow> rows() const;
  LentUse use() const { return rows_.use(); }

 private:
  KeyedHash hash_;
  Lent<ClockRow> rows_;
};

/// What several workers read, in `to`: of one clock the latest reading stands, counts are summed.
void merge_into(std::vector<ClockRow>& to, const std::vector<ClockRow>& from);

}  // namespace vmirror
