// BudgetKeeper: keeps the copies of this host within its budgets. Pure; the clock is an argument.
//
//   counters of the ports --> [ PortRates ] --> what each session would cost, whole
//                                                   |
//   claims of the resolver, highest priority first  v
//                                          [ allot ] --> whole | truncated | no copies
//                                             ^               |
//                                             +--- cuts <-----+   a session that was cut must fit
//                                                                 into 80% of a budget to come back
//
// The rate of a port is known whether it is mirrored or not, so a session that was cut comes back
// as soon as it fits. A session costs at most all frames of its port in its directions: what a
// filter or VLANs leave out is not known before, and counts as copied.
#pragma once

#include <map>
#include <vector>

#include "agent/model/budget.hpp"
#include "plugin/api/model.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

/// A cut session comes back where its budgets would then be used up to this share.
constexpr double kBudgetReturn = 0.8;
/// A rate that rises counts at once; one that falls, by this time's share of the way.
constexpr Time kRateFalls = 30 * kSecond;
/// A port whose counters were not written for this time sends nothing.
constexpr Time kRateSilence = 6 * kSecond;

/// Frames and bytes a second of ports, by their counters. A switch writes its counters only every
/// few seconds: a rate is that of the time between two writes.
class PortRates {
 public:
  /// Costs what it is given: ask for the ports of sessions only.
  void update(const std::vector<BudgetClaim>& claims, const Observed& observed, Time now);
  /// Of a port that was not measured yet: nothing.
  struct OfPort {
    double in_frames = 0, in_bytes = 0, out_frames = 0, out_bytes = 0;
  };
  OfPort of(const PortKey& port) const;

 private:
  struct Kept {
    std::string id;
    PortCounters counters;
    Time written = 0;  ///< When `counters` were first seen.
    OfPort rate;
  };
  std::map<PortKey, Kept> ports_;
};

/// What the session costs if `snaplen` bytes are left of each frame (0: all), with the headers that
/// carry a copy to its collector.
Rate cost_of(const BudgetClaim& claim, const PortRates::OfPort& port, std::uint32_t snaplen);

struct Allotment {
  BudgetCuts cuts;
  std::vector<BudgetUse> uses;  ///< In the order of the budgets.
};
/// `cuts`: those in force so far.
Allotment allot(const std::vector<Budget>& budgets, std::vector<BudgetClaim> claims,
                const PortRates& rates, const BudgetCuts& cuts);

class BudgetKeeper {
 public:
  explicit BudgetKeeper(std::vector<Budget> budgets) : budgets_(std::move(budgets)) {}
  bool empty() const { return budgets_.empty(); }
  /// Measures, and allots anew.
  const BudgetCuts& update(const std::vector<BudgetClaim>& claims, const Observed& observed,
                           Time now);
  const std::vector<BudgetUse>& uses() const { return allotment_.uses; }

 private:
  const std::vector<Budget> budgets_;
  PortRates rates_;
  Allotment allotment_;
};

}  // namespace vmirror
