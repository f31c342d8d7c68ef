#include "agent/engine/health/clocks.hpp"

#include <algorithm>
#include <string_view>
#include <tuple>

namespace vmirror {
namespace {

auto order_of(const ClockRow& row) {
  return std::tuple(row.ip, row.scope, std::string_view(row.source));
}

/// FNV-1a: literals of one text may have several addresses.
std::uint64_t number_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace

void Clocks::fold(const ClockReading& reading, Time time, Scope scope) {
  if (reading.of.ip.empty()) return;
  ClockRow& row =
      *rows_.take(hash_(reading.of.ip, scope), number_of(reading.source), [](ClockRow&) {});
  if (row.first == 0) {
    row.ip = reading.of.ip;
    row.scope = scope;
    row.source = reading.source;
    row.first = time;
  }
  row.last = time;
  if (reading.shows != 0) {
    ++row.readings;
    row.offset = reading.shows - time;
  }
  if (reading.refused_by.ip.empty()) return;
  ++row.refused;
  row.refused_by = reading.refused_by.ip;
}

std::vector<ClockRow> Clocks::rows() const {
  std::vector<ClockRow> out;
  rows_.each([&](std::uint64_t, std::uint64_t, const ClockRow& row) { out.push_back(row); });
  std::ranges::sort(out, {}, order_of);
  return out;
}

void merge_into(std::vector<ClockRow>& to, const std::vector<ClockRow>& from) {
  for (const ClockRow& row : from) {
    const auto at = std::ranges::lower_bound(to, order_of(row), {}, order_of);
    if (at == to.end() || order_of(*at) != order_of(row)) {
      to.insert(at, row);
      continue;
    }
    if (row.offset && (row.last >= at->last || !at->offset)) at->offset = row.offset;
    if (row.refused > 0 && (row.last >= at->last || at->refused == 0))
      at->refused_by = row.refused_by;
    at->first = std::min(at->first, row.first);
    at->last = std::max(at->last, row.last);
    at->readings += row.readings;
    at->refused += row.refused;
  }
}

}  // namespace vmirror
