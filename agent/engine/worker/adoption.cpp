#include "agent/engine/worker/adoption.hpp"

#include <utility>

namespace vmirror {

std::size_t Adoption::Hash::operator()(const FlowKey& key) const noexcept {
  const std::uint64_t rest = std::uint64_t{key.ports} << 32 | std::uint64_t{key.vlan} << 16 |
                             std::uint64_t{key.protocol} << 8 | key.version;
  return hash.of(key.address[0], key.address[1], key.address[2], key.address[3], rest);
}

Adoption::Adoption(Handover handover, Time now, const KeyedHash& hash)
    : handover_(std::move(handover)),
      came_(now),
      places_(0, Hash{hash}),
      claimed_(std::make_unique<std::atomic<bool>[]>(handover_.flows.size())),
      waiting_(handover_.flows.size()) {
  settle(handover_, now);
  places_.reserve(handover_.flows.size());
  for (std::size_t place = 0; place < handover_.flows.size(); ++place)
    places_.emplace(handover_.flows[place].flow.key, place);
}

const HandedFlow* Adoption::claim(const FlowKey& key) {
  const auto at = places_.find(key);
  return at == places_.end() ? nullptr : claim(at->second);
}

const HandedFlow* Adoption::claim(std::size_t place) {
  if (is_claimed(place) || claimed_[place].exchange(true, std::memory_order_acq_rel))
    return nullptr;
  waiting_.fetch_sub(1, std::memory_order_relaxed);
  return &handover_.flows[place];
}

}  // namespace vmirror
