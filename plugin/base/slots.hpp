// Who gives way where more come than there is room for, so that nobody who only comes often keeps
// others out: each origin has a share, and an origin that wants more than its share loses its own
// oldest. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

namespace vmirror {

struct SlotLimits {
  std::size_t all = 0;   ///< Slots.
  std::size_t each = 0;  ///< Of one origin.
};

/// `taken` has the origin of each slot, oldest first; without the newcomer. The place of
/// the one that gives way to a newcomer of `origin`; none: there is room.
template <typename Origin>
std::optional<std::size_t> gives_way(const std::vector<Origin>& taken, const Origin& origin,
                                     const SlotLimits& limits) {
  const auto held = [&](const Origin& by) {
    return static_cast<std::size_t>(std::ranges::count(taken, by));
  };
  const auto oldest = [&](const Origin& by) {
    return static_cast<std::size_t>(std::ranges::find(taken, by) - taken.begin());
  };
  if (held(origin) >= limits.each && held(origin) > 0) return oldest(origin);
  if (taken.size() < limits.all || taken.empty()) return std::nullopt;
  return oldest(*std::ranges::max_element(taken, {}, held));
}

}  // namespace vmirror
