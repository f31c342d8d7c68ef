// What an agent writes to the store: the row of its host and those of its sessions. Pure.
//
//   ControlSnapshot, policies --> report_of --> HostReport --+
//                                                            +--> changes --> Transaction
//   this host's rows in the store --------------------------+
#pragma once

#include <algorithm>
#include <map>
#include <span>
#include <string>

#include "agent/control/reconcile/reconciler.hpp"
#include "agent/control/store/contents.hpp"
#include "plugin/ovsdb/value.hpp"

namespace vmirror {

/// Of one host; what is past it is left out, and counted (`store_sessions`).
constexpr std::size_t kMostReportedSessions = 4096;
constexpr std::size_t kMostReasonBytes = 400;  ///< Of a reason; the rest is cut off.

struct HostReport {
  HostRow host;
  bool sessions_known = false;  ///< False: the switch was not read yet; what was told stays.
  std::map<std::string, SessionRow> sessions;  ///< By name.
  std::size_t left_out = 0;                    ///< Sessions past kMostReportedSessions.
};

struct ReportView {
  std::string host;
  std::string driver;
  std::string version;  ///< vmirrord's.
  const ControlSnapshot& control;
  /// The store's policies, as files, and the generation that they are of: which `control` acted on.
  std::span<const PolicyFile> policies;
  std::int64_t generation = 0;
  bool drained = false;
};

HostReport report_of(const ReportView& view);

/// What brings the rows of the host, as `own` has them, to the report; empty: nothing. A row is
/// written only if it differs in more than the numbers within its reason. Rows of sessions that are
/// gone are deleted. Columns that the server's schema lacks are left out.
ovsdb::Transaction changes(const HostReport& report, const ovsdb::Snapshot& own);

/// Tells whether another agent writes the row of this host: the row had this agent's instance, and
/// has another's. An agent that started anew found the one's before it, which is none.
class RivalWatch {
 public:
  static constexpr Time kMemory = 120 * kSecond;
  /// `instance`: as the row has it; empty: there is no row, or its schema has no instances.
  void saw(const std::string& own, const std::string& instance, Time now) {
    if (instance == own)
      ours_ = true;
    else if (ours_ && !instance.empty())
      last_ = now;
  }
  /// When one was seen last; 0: not within kMemory.
  Time last(Time now) const { return now - last_ < kMemory && !is_ahead(last_, now) ? last_ : 0; }

 private:
  bool ours_ = false;
  Time last_ = 0;
};

/// How often a host writes: once a second for kBurst times, and on the whole once in kEach.
class ReportPace {
 public:
  static constexpr Time kLeast = kSecond, kEach = 8 * kSecond;
  static constexpr int kBurst = 10;
  bool may_write(Time now) const {
    if (is_ahead(last_, now)) return true;
    return now - last_ >= kLeast && paid_until_ - now <= (kBurst - 1) * kEach;
  }
  void wrote(Time now) {
    paid_until_ = std::max(is_ahead(last_, now) ? 0 : paid_until_, now) + kEach;
    last_ = now;
  }

 private:
  Time last_ = 0;        ///< The latest writing.
  Time paid_until_ = 0;  ///< Each writing adds kEach to it.
};

}  // namespace vmirror
