#include "agent/health/coverage.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

namespace vmirror {
namespace {

constexpr std::size_t kAllVlans = 4096;  ///< Index of the sum in groups_by_vlan_.

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
  const Bytes bytes = frame.bytes.first(std::min<std::size_t>(frame.bytes.size(), 160));
  std::uint64_t hash = mix(frame.wire_size ^ 0x9e3779b97f4a7c15ULL, vlan ^ 0xbf58476d1ce4e5b9ULL);
  std::size_t at = 0;
  for (; at + 16 <= bytes.size(); at += 16) {
    std::uint64_t a, b;
    std::memcpy(&a, bytes.data() + at, 8);
    std::memcpy(&b, bytes.data() + at + 8, 8);
    hash = mix(a ^ hash, b ^ 0x94d049bb133111ebULL);
  }
  std::uint64_t tail[2] = {};
  std::memcpy(tail, bytes.data() + at, bytes.size() - at);
  return mix(tail[0] ^ hash, tail[1] ^ 0x94d049bb133111ebULL) | 1;
}

std::size_t home_of(std::uint64_t mac, std::size_t mask) {
  return static_cast<std::size_t>((mac * 0x9e3779b97f4a7c15ULL) >> 40) & mask;
}

std::string percent(double part) {
  return std::to_string(static_cast<int>(part * 100)) + "%";
}

/// Frames that the port moved between two readings; 0 where one is missing.
std::uint64_t moved(const CoverageSample& baseline, const CoverageSample& now,
                    std::uint64_t PortCounters::*counter) {
  if (!baseline.port || !now.port) return 0;
  return (*now.port).*counter - (*baseline.port).*counter;
}

}  // namespace

NicFrames& NicFrames::operator+=(const NicFrames& other) {
  out += other.out;
  in += other.in;
  out_group += other.out_group;
  in_group += other.in_group;
  last = std::max(last, other.last);
  if (first_out == 0 || (other.first_out != 0 && other.first_out < first_out))
    first_out = other.first_out;
  last_out = std::max(last_out, other.last_out);
  return *this;
}

// ---- Counting

std::uint64_t NicCounts::groups(std::optional<std::uint16_t> vlan) const {
  return (*groups_)[vlan ? *vlan & 0xfff : kAllVlans].get();
}

std::vector<NicFrames> NicCounts::read() const {
  std::vector<NicFrames> out;
  out.reserve(nics_.size());
  for (const auto& [mac, nic] : nics_) {
    const Frames& f = nic->frames;
    NicFrames& frames = out.emplace_back();
    frames.mac = mac;
    frames.vm = nic->watched.vm;
    frames.port = nic->watched.port;
    frames.out = f.out.get();
    frames.out_group = f.out_group.get();
    const std::uint64_t before = f.groups_before.get();
    frames.in_group = std::max(groups(nic->watched.vlan), before) - before;  // Read in the middle.
    frames.in = f.in.get() + frames.in_group;
    frames.last = f.last.get();
    frames.first_out = f.first_out.get();
    frames.last_out = f.last_out.get();
  }
  return out;
}

void NicCounts::restart_first_out(const Mac& mac) const {
  if (const auto* nic = nics_.get(mac)) (*nic)->frames.first_out.set(0);
}

void CoverageCounter::watch(std::shared_ptr<const MirrorIndex> index) {
  const MirrorIndex next = index ? *index : MirrorIndex{};
  if (!groups_ && !next.nics.empty()) {
    groups_ = std::make_shared<NicCounts::Groups>();
    recent_.resize(kRecent);
  }
  auto counts = std::make_shared<NicCounts>();
  if (counts_) *counts = *counts_;
  counts->groups_ = groups_;
  const std::size_t before = slots_.size();
  // Those that go may still be there when those that come are put in.
  const std::size_t needed = (index_.nics.size() + next.nics.size()) * 2;
  while (slots_.size() < needed) slots_.resize(std::max<std::size_t>(8, slots_.size() * 2));
  if (slots_.size() != before) {
    slots_.assign(slots_.size(), {});
    for (const auto& [mac, nic] : counts->nics_) put(load_mac(mac.octets.data()), nic.get());
  }
  diff(index_.nics, next.nics, [&](const Mac& mac, const WatchedNic* was, const WatchedNic* is) {
    if (is == nullptr) {
      remove(load_mac(mac.octets.data()));
      counts->nics_.erase(mac);
      return;
    }
    const auto nic = std::make_shared<NicCounts::Nic>();
    nic->watched = *is;
    NicCounts::Frames& frames = nic->frames;
    if (was != nullptr && was->vlan == is->vlan) {
      const NicCounts::Frames& f = counts->nics_.at(mac)->frames;
      frames.out.add(f.out.get());
      frames.in.add(f.in.get());
      frames.out_group.add(f.out_group.get());
      frames.groups_before.add(f.groups_before.get());
      frames.last.set(f.last.get());
      if (was->port == is->port) {
        frames.first_out.set(f.first_out.get());
        frames.last_out.set(f.last_out.get());
      }
    } else {
      frames.groups_before.add(counts->groups(is->vlan));
    }
    put(load_mac(mac.octets.data()), nic.get());
    counts->nics_.set(mac, nic);
  });
  index_ = next;
  counts_ = next.nics.empty() ? nullptr : std::move(counts);
}

/// Puts it in, or in its predecessor's place. There is a free slot.
void CoverageCounter::put(std::uint64_t mac, NicCounts::Nic* nic) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = home_of(mac, mask);
  while (slots_[at].nic != nullptr && slots_[at].mac != mac) at = (at + 1) & mask;
  slots_[at] = {mac, nic};
}

/// Frees its slot, and moves up those that had to go past it.
void CoverageCounter::remove(std::uint64_t mac) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t hole = home_of(mac, mask);
  while (slots_[hole].mac != mac || slots_[hole].nic == nullptr) hole = (hole + 1) & mask;
  for (std::size_t at = (hole + 1) & mask; slots_[at].nic != nullptr; at = (at + 1) & mask) {
    const std::size_t from_home = (at - home_of(slots_[at].mac, mask)) & mask;
    if (from_home < ((at - hole) & mask)) continue;
    slots_[hole] = slots_[at];
    hole = at;
  }
  slots_[hole] = {};
}

NicCounts::Nic* CoverageCounter::find(std::uint64_t mac) const {
  if (slots_.empty()) return nullptr;
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = home_of(mac, mask); slots_[at].nic != nullptr; at = (at + 1) & mask)
    if (slots_[at].mac == mac) return slots_[at].nic;
  return nullptr;
}

bool CoverageCounter::watches(const Mac& mac) const {
  return find(load_mac(mac.octets.data())) != nullptr;
}

void CoverageCounter::count(const Frame& frame, const Packet& packet) {
  if (!packet.has_macs) return;
  const std::uint8_t* bytes = frame.bytes.data();
  const bool to_group = (bytes[0] & 1) != 0;
  const std::uint16_t vlan = packet.vlan();
  if (NicCounts::Nic* nic = find(load_mac(bytes + 6))) {
    NicCounts::Frames& frames = nic->frames;
    frames.out.add(1);
    frames.last.set(frame.time);
    if (packet.ethertype != ethertype::kRarp) {
      if (frames.first_out.get() == 0) frames.first_out.set(frame.time);
      frames.last_out.set(frame.time);
    }
    if (to_group) {
      frames.out_group.add(1);
      // Its own groups are no `in`, as far as they are among those that it would have received.
      const std::optional<std::uint16_t>& own = nic->watched.vlan;
      if (!own || *own == vlan) frames.groups_before.add(1);
    }
  }
  if (to_group) {
    (*groups_)[vlan].add(1);
    (*groups_)[kAllVlans].add(1);
  } else if (NicCounts::Nic* nic = find(load_mac(bytes))) {
    nic->frames.in.add(1);
    nic->frames.last.set(frame.time);
  }
  const std::uint64_t hash = frame_hash(frame, vlan);
  Recent& recent = recent_[hash % kRecent];
  if (recent.hash == hash && frame.time - recent.time <= kWindow) ++duplicates_;
  recent = {hash, frame.time};
}

std::vector<NicFrames> CoverageCounter::frames() const {
  return counts_ ? counts_->read() : std::vector<NicFrames>();
}

// ---- Judging

bool needs_new_baseline(const CoverageSample& baseline, const CoverageSample& now) {
  if (!now.port) return false;
  if (!baseline.port || baseline.port_id != now.port_id) return true;
  return now.port->in_frames < baseline.port->in_frames ||
         now.port->out_frames < baseline.port->out_frames ||
         now.received.in < baseline.received.in || now.received.out < baseline.received.out;
}

Coverage coverage(const CoverageSample& baseline, const CoverageSample& now, Direction mirrored) {
  Coverage out;
  out.from = baseline.time;
  out.to = now.time;
  if (!now.port || needs_new_baseline(baseline, now)) {
    out.comparable = false;
    return out;
  }
  if (includes(mirrored, Direction::in)) {
    out.received_in = now.received.in - baseline.received.in;
    out.counted_in = moved(baseline, now, &PortCounters::in_frames);
  }
  if (includes(mirrored, Direction::out)) {
    out.received_out = now.received.out - baseline.received.out;
    out.counted_out = moved(baseline, now, &PortCounters::out_frames);
  }
  const std::uint64_t counted = out.counted_in + out.counted_out;
  if (counted > 0)
    out.ratio =
        static_cast<double>(out.received_in + out.received_out) / static_cast<double>(counted);
  return out;
}

std::vector<std::string> warnings(const CoverageSample& baseline, const CoverageSample& now,
                                  Direction mirrored) {
  constexpr std::uint64_t kEnough = 20;  // Frames, before shares of them mean anything.
  std::vector<std::string> out;
  if (needs_new_baseline(baseline, now)) return out;
  const std::string who = now.received.port.empty() ? now.received.mac.text() : now.received.port;
  const Coverage c = coverage(baseline, now, mirrored);
  const std::uint64_t received_in = now.received.in - baseline.received.in;
  const std::uint64_t received_out = now.received.out - baseline.received.out;
  const std::uint64_t received = received_in + received_out;
  const std::uint64_t counted = c.counted_in + c.counted_out;
  const std::string span = std::to_string((now.time - baseline.time) / kSecond) + " s";
  if (received == 0) {
    if (counted > 0)
      out.push_back(who + ": no traffic: no frame came in " + span + ", while its port moved " +
                    std::to_string(counted));
    return out;
  }
  const std::uint64_t unicast_in =
      received_in - (now.received.in_group - baseline.received.in_group);
  const std::uint64_t unicast_out =
      received_out - (now.received.out_group - baseline.received.out_group);
  const std::uint64_t unicast = unicast_in + unicast_out;
  if (mirrored == Direction::both && unicast >= kEnough && (unicast_in == 0 || unicast_out == 0))
    out.push_back(who + ": one direction only: of " + std::to_string(unicast) +
                  " unicast frames none is " + (unicast_in == 0 ? "to it" : "from it"));
  if (received >= kEnough && unicast * 5 < received)
    out.push_back(who + ": " +
                  percent(1 - static_cast<double>(unicast) / static_cast<double>(received)) +
                  " of its frames are broadcast or multicast: the mirror may miss its unicast");
  return out;
}

}  // namespace vmirror
