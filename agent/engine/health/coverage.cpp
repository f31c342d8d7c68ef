#include "agent/engine/health/coverage.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

namespace vmirror {
namespace {

constexpr std::size_t kAllVlans = 4096;  ///< Index of the sum in NicCounts::ByVlan.

std::uint64_t load_mac(const std::uint8_t* p) {
  std::uint64_t v = 0;
  std::memcpy(&v, p, 6);
  return v;
}

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

/// Of the frame's size and its first 160 bytes: past the headers of anything, with the IP ID and
/// the TCP sequence, which differ between frames that only look alike.
std::uint64_t frame_hash(const Frame& frame, std::uint16_t vlan) {
  constexpr std::size_t kStep = 16;
  const std::size_t size = std::min<std::size_t>(frame.bytes.size(), 160);
  const std::uint8_t* at = frame.bytes.data();
  const std::uint8_t* const end = at + size;
  std::uint64_t hash = mix(frame.wire_size ^ 0x9e3779b97f4a7c15ULL, vlan ^ 0xbf58476d1ce4e5b9ULL);
  const auto step = [&hash](const std::uint8_t* from) {
    std::uint64_t a, b;
    std::memcpy(&a, from, 8);
    std::memcpy(&b, from + 8, 8);
    hash = mix(a ^ hash, b ^ 0x94d049bb133111ebULL);
  };
  for (; end - at >= std::ptrdiff_t{3 * kStep}; at += 3 * kStep) {
    step(at);
    step(at + kStep);
    step(at + 2 * kStep);
  }
  for (; end - at >= std::ptrdiff_t{kStep}; at += kStep) step(at);
  // The last 16 once more where they are not a whole step: a copy of what is left costs more.
  if (size < kStep) {
    std::uint8_t tail[kStep] = {};
    std::memcpy(tail, at, size);
    step(tail);
  } else if (at != end) {
    step(end - kStep);
  }
  return hash | 1;
}

std::uint64_t scatter(std::uint64_t mac) {
  return mac * 0x9e3779b97f4a7c15ULL;
}

std::size_t home_of(std::uint64_t mac, std::size_t mask) {
  return static_cast<std::size_t>(scatter(mac) >> 40) & mask;
}

/// Its frames among those of all NICs. The worker may be in the middle of adding one to both.
std::uint64_t since(std::uint64_t all, std::uint64_t before) {
  return std::max(all, before) - before;
}

std::size_t place(const std::optional<std::uint16_t>& vlan) {
  return vlan ? *vlan & 0xfff : kAllVlans;
}

/// Frames of this VLAN are among those that reach it.
bool is_in(const WatchedNic& nic, std::uint16_t vlan) {
  return !nic.vlan || *nic.vlan == vlan;
}

}  // namespace

NicFrames& NicFrames::operator+=(const NicFrames& other) {
  out += other.out;
  in += other.in;
  out_group += other.out_group;
  in_group += other.in_group;
  flooded += other.flooded;
  if (first_out == 0 || (other.first_out != 0 && other.first_out < first_out))
    first_out = other.first_out;
  last_out = std::max(last_out, other.last_out);
  return *this;
}

// ---- Counting

std::vector<NicFrames> NicCounts::read() const {
  std::vector<NicFrames> out;
  out.reserve(nics_.size());
  for (const auto& [at, nic] : nics_) {
    const Frames& f = nic->frames;
    const std::size_t vlan = place(nic->watched.vlan);
    NicFrames& frames = out.emplace_back();
    frames.at = at;
    frames.mac = nic->watched.mac;
    frames.vm = nic->watched.vm;
    frames.out = f.out.get();
    frames.out_group = f.out_group.get();
    frames.in_group = since(shared_->groups[vlan].get(), f.groups_before.get());
    frames.in = f.in.get() + frames.in_group;
    frames.flooded = since(shared_->flooded[vlan].get(), f.flooded_before.get());
    frames.first_out = f.first_out.get();
    frames.last_out = f.last_out.get();
  }
  return out;
}

void NicCounts::restart_first_out(const PortKey& at) const {
  if (const auto* nic = nics_.get(at)) (*nic)->frames.first_out.set(0);
}

void CoverageCounter::watch(const MirrorIndex& next) {
  if (!shared_ && !next.nics.empty()) {
    shared_ = std::make_shared<NicCounts::Shared>();
    recent_.resize(kRecent);
    heard_.resize(kHeard);
  }
  auto counts = std::make_shared<NicCounts>();
  if (counts_) *counts = *counts_;
  counts->shared_ = shared_;
  // Those that go may still be there when those that come are put in.
  rebuild(index_.nics.size() + next.nics.size());
  diff(index_.nics, next.nics, [&](const PortKey& at, const WatchedNic*, const WatchedNic* is) {
    std::shared_ptr<NicCounts::Nic> before;
    if (const auto* known = counts->nics_.get(at)) before = *known;
    if (before) remove(before.get());
    if (is == nullptr || !(input_.empty() || is->input.empty() || is->input == input_)) {
      counts->nics_.erase(at);
      return;
    }
    const auto nic = std::make_shared<NicCounts::Nic>();
    nic->watched = *is;
    NicCounts::Frames& frames = nic->frames;
    if (before && before->watched.mac == is->mac && before->watched.vlan == is->vlan) {
      const NicCounts::Frames& f = before->frames;
      frames.out.add(f.out.get());
      frames.in.add(f.in.get());
      frames.out_group.add(f.out_group.get());
      frames.groups_before.add(f.groups_before.get());
      frames.flooded_before.add(f.flooded_before.get());
      frames.first_out.set(f.first_out.get());
      frames.last_out.set(f.last_out.get());
    } else {
      frames.groups_before.add(shared_->groups[place(is->vlan)].get());
      frames.flooded_before.add(shared_->flooded[place(is->vlan)].get());
    }
    put(nic.get());
    counts->nics_.set(at, nic);
  });
  index_ = next;
  copies_alone_ = std::ranges::any_of(counts->nics_, [&](const auto& entry) {
    return !input_.empty() && entry.second->watched.input == input_;
  });
  counts_ = counts->nics_.empty() ? nullptr : std::move(counts);
}

/// Makes room for so many.
void CoverageCounter::rebuild(std::size_t nics) {
  std::size_t size = std::max<std::size_t>(8, slots_.size());
  while (size < nics * 2) size *= 2;
  if (size == slots_.size()) return;
  slots_.assign(size, {});
  if (!counts_) return;
  for (const auto& [at, nic] : counts_->nics_) {
    nic->next = nullptr;
    put(nic.get());
  }
}

/// There is a free slot. Those of one MAC are in the order of their ports, for the one that counts
/// of two that can't be told apart.
void CoverageCounter::put(NicCounts::Nic* nic) {
  const std::uint64_t mac = load_mac(nic->watched.mac.octets.data());
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = home_of(mac, mask);
  while (slots_[at].nic != nullptr && slots_[at].mac != mac) at = (at + 1) & mask;
  slots_[at].mac = mac;
  NicCounts::Nic** link = &slots_[at].nic;
  while (*link != nullptr && (*link)->watched.at < nic->watched.at) link = &(*link)->next;
  nic->next = *link;
  *link = nic;
}

/// Where it was the last of its MAC: frees the slot, and moves up those that had to go past it.
void CoverageCounter::remove(NicCounts::Nic* nic) {
  const std::uint64_t mac = load_mac(nic->watched.mac.octets.data());
  const std::size_t mask = slots_.size() - 1;
  std::size_t hole = home_of(mac, mask);
  while (slots_[hole].mac != mac || slots_[hole].nic == nullptr) hole = (hole + 1) & mask;
  NicCounts::Nic** link = &slots_[hole].nic;
  while (*link != nic) link = &(*link)->next;
  *link = nic->next;
  if (slots_[hole].nic != nullptr) return;
  for (std::size_t at = (hole + 1) & mask; slots_[at].nic != nullptr; at = (at + 1) & mask) {
    const std::size_t from_home = (at - home_of(slots_[at].mac, mask)) & mask;
    if (from_home < ((at - hole) & mask)) continue;
    slots_[hole] = slots_[at];
    hole = at;
  }
  slots_[hole] = {};
}

inline NicCounts::Nic* CoverageCounter::find(std::uint64_t mac) const {
  if (slots_.empty()) return nullptr;
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = home_of(mac, mask); slots_[at].nic != nullptr; at = (at + 1) & mask)
    if (slots_[at].mac == mac) return slots_[at].nic;
  return nullptr;
}

/// The NIC that is in that VLAN, else one that may be in any. A port of another VLAN neither sent
/// the frame nor gets it, though its NIC has the same MAC.
inline NicCounts::Nic* CoverageCounter::find(std::uint64_t mac, std::uint16_t vlan) const {
  NicCounts::Nic* any = nullptr;
  for (NicCounts::Nic* nic = find(mac); nic != nullptr; nic = nic->next) {
    if (nic->watched.vlan == vlan) return nic;
    if (any == nullptr && !nic->watched.vlan) any = nic;
  }
  return any;
}

bool CoverageCounter::watches(const Mac& mac) const {
  return find(load_mac(mac.octets.data())) != nullptr;
}

/// Where the time is kept at which an address was last heard; its `hash` is of the latest address.
inline CoverageCounter::Recent& CoverageCounter::heard(std::uint64_t mac, std::uint16_t vlan) {
  return heard_[(static_cast<std::size_t>(scatter(mac) >> 40) ^ vlan) & (kHeard - 1)];
}

/// The switch knows the port of an address that spoke just now in this VLAN. Of a NIC that may be
/// in any VLAN it is kept as of a stranger: by VLAN.
inline bool CoverageCounter::spoke(std::uint64_t mac, std::uint16_t vlan, const NicCounts::Nic* nic,
                                   Time now) {
  if (nic != nullptr && nic->watched.vlan) {
    const Time last = nic->frames.last_out.get();
    return last != 0 && now - last <= kForgotten;
  }
  const Recent& at = heard(mac, vlan);
  return at.hash == mac && now - at.time <= kForgotten;
}

/// A frame that may have gone to all ports of its VLAN. Its sender's is not among them, and its
/// receiver has counted it.
inline void CoverageCounter::flood(std::uint16_t vlan, NicCounts::Nic* from, NicCounts::Nic* to) {
  if (from != nullptr && is_in(from->watched, vlan)) from->frames.flooded_before.add(1);
  if (to != nullptr && is_in(to->watched, vlan)) to->frames.flooded_before.add(1);
  shared_->flooded[vlan].add(1);
  shared_->flooded[kAllVlans].add(1);
}

void CoverageCounter::count(const Frame& frame, const Packet& packet) {
  if (!packet.has_macs) return;
  const std::uint8_t* bytes = frame.bytes.data();
  const bool to_group = (bytes[0] & 1) != 0;
  const std::uint16_t vlan = packet.vlan() & 0xfff;
  const std::uint64_t source = load_mac(bytes + 6), destination = load_mac(bytes);
  NicCounts::Nic* const from = find(source, vlan);
  if (from != nullptr) {
    NicCounts::Frames& frames = from->frames;
    frames.out.add(1);
    if (packet.ethertype != ethertype::kRarp) {
      if (frames.first_out.get() == 0) frames.first_out.set(frame.time);
      frames.last_out.set(frame.time);
    }
    if (to_group) {
      frames.out_group.add(1);
      // Its own groups are no `in`, as far as they are among those that it would have received.
      if (is_in(from->watched, vlan)) frames.groups_before.add(1);
    }
  }
  bool heard_again = false;
  if (from == nullptr || !from->watched.vlan) {
    Recent& at = heard(source, vlan);
    heard_again = at.hash != source ||
                  static_cast<std::uint64_t>(frame.time - at.time) > std::uint64_t{kHeardAgain};
    if (heard_again) at = {source, frame.time};
  }
  if (to_group) {
    shared_->groups[vlan].add(1);
    shared_->groups[kAllVlans].add(1);
  } else {
    NicCounts::Nic* const to = find(destination, vlan);
    if (to != nullptr) to->frames.in.add(1);
    if (!spoke(destination, vlan, to, frame.time))
      flood(vlan, from, to);
    else if (heard_again && from == nullptr && to == nullptr) [[unlikely]]
      note_stray(source, destination, packet.source_mac(frame.bytes), vlan, frame.time);
  }
  const std::uint64_t hash = frame_hash(frame, vlan);
  Recent& recent = recent_[hash % kRecent];
  if (recent.hash == hash && frame.time - recent.time <= kWindow) ++duplicates_;
  recent = {hash, frame.time};
}

/// In whatever VLAN: a NIC that sends in another than its own is none.
void CoverageCounter::note_stray(std::uint64_t source, std::uint64_t destination, const Mac& mac,
                                 std::uint16_t vlan, Time time) {
  if (!copies_alone_ || find(source) != nullptr || find(destination) != nullptr) return;
  if (strays_.size() < kMostStrays) strays_.push_back({mac, vlan, time});
}

std::span<const StrayMac> CoverageCounter::take_strays() {
  told_strays_.clear();
  std::swap(strays_, told_strays_);
  return told_strays_;
}

std::vector<NicFrames> CoverageCounter::frames() const {
  return counts_ ? counts_->read() : std::vector<NicFrames>();
}

}  // namespace vmirror
