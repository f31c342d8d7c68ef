// Budgets: how much the copies of one host may cost, in bits and frames a second. A budget bounds
// all copies of the host, or those on the way to some collectors (a WAN link). Values.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/api/filter.hpp"
#include "plugin/api/model.hpp"

namespace vmirror {

/// One budget of the configuration. docs/OPERATING.md, "Budgets", is the manual.
struct Budget {
  std::string name;                     ///< Unique: "host", "wan-plant2".
  std::set<Prefix> collectors = {};     ///< Copies to these addresses; empty: all copies.
  std::uint64_t bits_per_second = 0;    ///< At most; 0: no bound.
  std::uint64_t frames_per_second = 0;  ///< At most; 0: no bound.
  bool operator==(const Budget&) const = default;
};

/// Bits or frames a second: "20M" is 20,000,000. k, M and G; no fractions.
Result<std::uint64_t> parse_rate(std::string_view text);

/// Traffic a second.
struct Rate {
  double bits = 0, frames = 0;
  Rate& operator+=(const Rate& other);
  bool operator==(const Rate&) const = default;
};

/// What a session without any budget would be, and what its policy allows past a budget.
struct BudgetClaim {
  std::string session;
  PortKey port;
  Target target;
  Direction direction = Direction::both;
  std::uint32_t snaplen = 0;   ///< As the policy has it; 0: whole frames.
  int priority = 0;            ///< The lowest is cut first; of equals, the name that sorts last.
  std::uint32_t truncate = 0;  ///< Bytes left of each copy past a budget; 0: none is made.
  bool operator==(const BudgetClaim&) const = default;
};

/// What a budget takes from a session.
struct BudgetCut {
  PortKey port;
  std::uint32_t snaplen = 0;  ///< Bytes left of each copy; 0: no copy is made.
  std::string reason;         ///< Without numbers that change while nothing else does.
  bool operator==(const BudgetCut&) const = default;
};

/// By session. A session that is not in it is whole.
using BudgetCuts = std::map<std::string, BudgetCut>;

/// How much of a budget is in use.
struct BudgetUse {
  Budget budget;
  Rate asked = {};                         ///< By all sessions, if all were whole.
  Rate used = {};                          ///< By the sessions as they are.
  std::size_t truncated = 0, dropped = 0;  ///< Sessions, by what became of them.
  bool operator==(const BudgetUse&) const = default;
};

}  // namespace vmirror
