#include "agent/control/reconcile/budget_keeper.hpp"

#include <algorithm>
#include <utility>

#include "agent/control/reconcile/way_out.hpp"

namespace vmirror {
namespace {

/// The outer Ethernet header of a copy that leaves in a tunnel.
constexpr double kOuterEthernet = 14;

bool has_grown(const PortCounters& was, const PortCounters& is) {
  return is.in_frames >= was.in_frames && is.in_bytes >= was.in_bytes &&
         is.out_frames >= was.out_frames && is.out_bytes >= was.out_bytes;
}

/// The rate that counts from now on: see kRateFalls.
void follow(double& rate, double measured, Time passed) {
  const double share = std::min(1.0, static_cast<double>(passed) / kRateFalls);
  rate = measured > rate ? measured : rate + (measured - rate) * share;
}

void follow(PortRates::OfPort& rate, const PortCounters& was, const PortCounters& is, Time passed) {
  const auto a_second = [&](std::uint64_t before, std::uint64_t after) {
    return static_cast<double>(after - before) * kSecond / static_cast<double>(passed);
  };
  follow(rate.in_frames, a_second(was.in_frames, is.in_frames), passed);
  follow(rate.in_bytes, a_second(was.in_bytes, is.in_bytes), passed);
  follow(rate.out_frames, a_second(was.out_frames, is.out_frames), passed);
  follow(rate.out_bytes, a_second(was.out_bytes, is.out_bytes), passed);
}

bool concerns(const Budget& budget, const BudgetClaim& claim) {
  if (budget.collectors.empty()) return true;
  const auto collector = collector_of(claim.target);
  return collector && std::ranges::any_of(budget.collectors, [&](const Prefix& prefix) {
           return prefix.contains(*collector);
         });
}

bool fits(const BudgetUse& use, const Rate& more, double share) {
  const auto within = [&](double sum, std::uint64_t limit) {
    return limit == 0 || sum <= share * static_cast<double>(limit);
  };
  return within(use.used.bits + more.bits, use.budget.bits_per_second) &&
         within(use.used.frames + more.frames, use.budget.frames_per_second);
}

std::string bound_text(const Budget& budget) {
  std::string out;
  if (budget.bits_per_second != 0) out = std::to_string(budget.bits_per_second) + " bits/s";
  if (budget.frames_per_second != 0)
    out += (out.empty() ? "" : " and ") + std::to_string(budget.frames_per_second) + " frames/s";
  return out;
}

}  // namespace

void PortRates::update(const std::vector<BudgetClaim>& claims, const Observed& observed, Time now) {
  std::map<PortKey, Kept> kept;
  for (const BudgetClaim& claim : claims) {
    if (kept.contains(claim.port)) continue;
    const Port* port = switch_of(observed, claim.port.switch_name).ports.get(claim.port.port);
    if (port == nullptr || !port->counters) continue;
    const auto was = ports_.find(claim.port);
    const bool known = was != ports_.end() && was->second.id == port->id &&
                       has_grown(was->second.counters, *port->counters) &&
                       now >= was->second.written;
    if (!known) {
      kept[claim.port] = {port->id, *port->counters, now, {}};
      continue;
    }
    Kept& is = kept[claim.port] = std::move(was->second);
    const Time passed = now - is.written;
    const bool written = is.counters != *port->counters;
    if (passed == 0 || (!written && passed < kRateSilence)) continue;
    follow(is.rate, is.counters, *port->counters, passed);
    is.counters = *port->counters;
    is.written = now;
  }
  ports_ = std::move(kept);
}

PortRates::OfPort PortRates::of(const PortKey& port) const {
  const auto at = ports_.find(port);
  return at == ports_.end() ? OfPort{} : at->second.rate;
}

Rate cost_of(const BudgetClaim& claim, const PortRates::OfPort& port, std::uint32_t snaplen) {
  double frames = 0, bytes = 0;
  const auto add = [&](double more_frames, double more_bytes) {
    frames += more_frames;
    bytes += snaplen == 0 ? more_bytes : std::min(more_bytes, more_frames * snaplen);
  };
  if (includes(claim.direction, Direction::in)) add(port.in_frames, port.in_bytes);
  if (includes(claim.direction, Direction::out)) add(port.out_frames, port.out_bytes);
  if (const std::uint32_t overhead = overhead_of(claim.target); overhead != 0)
    bytes += frames * (overhead + kOuterEthernet);
  return {8 * bytes, frames};
}

Allotment allot(const std::vector<Budget>& budgets, std::vector<BudgetClaim> claims,
                const PortRates& rates, const BudgetCuts& cuts) {
  Allotment out;
  for (const Budget& budget : budgets) out.uses.push_back({.budget = budget});
  std::ranges::sort(claims, [](const BudgetClaim& a, const BudgetClaim& b) {
    return a.priority != b.priority ? a.priority > b.priority : a.session < b.session;
  });
  for (const BudgetClaim& claim : claims) {
    std::vector<BudgetUse*> uses;
    for (BudgetUse& use : out.uses)
      if (concerns(use.budget, claim)) uses.push_back(&use);
    const PortRates::OfPort port = rates.of(claim.port);
    const Rate whole = cost_of(claim, port, claim.snaplen);
    for (BudgetUse* use : uses) use->asked += whole;
    const auto cut = cuts.find(claim.session);
    const BudgetUse* full = nullptr;  // The first budget that is too small.
    const auto taken = [&](const Rate& rate, bool is_more) {
      const double share = is_more ? kBudgetReturn : 1.0;
      const auto small = std::ranges::find_if(
          uses, [&](const BudgetUse* use) { return !fits(*use, rate, share); });
      if (small != uses.end()) {
        full = full == nullptr ? *small : full;
        return false;
      }
      for (BudgetUse* use : uses) use->used += rate;
      return true;
    };
    const bool was_cut = cut != cuts.end(), was_dropped = was_cut && cut->second.snaplen == 0;
    if (taken(whole, was_cut)) continue;
    const std::uint32_t left =
        claim.snaplen == 0 ? claim.truncate : std::min(claim.truncate, claim.snaplen);
    const bool truncated = left != 0 && taken(cost_of(claim, port, left), was_dropped);
    for (BudgetUse* use : uses) ++(truncated ? use->truncated : use->dropped);
    out.cuts[claim.session] = {claim.port, truncated ? left : 0,
                               "budget `" + full->budget.name + "` of " + bound_text(full->budget) +
                                   " is too small for this session and those of higher priority"};
  }
  return out;
}

const BudgetCuts& BudgetKeeper::update(const std::vector<BudgetClaim>& claims,
                                       const Observed& observed, Time now) {
  rates_.update(claims, observed, now);
  allotment_ = allot(budgets_, claims, rates_, allotment_.cuts);
  return allotment_.cuts;
}

}  // namespace vmirror
