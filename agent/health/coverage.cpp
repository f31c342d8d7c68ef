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
  for (std::size_t i = 0; i < nics_.size(); ++i) {
    const Frames& f = frames_[i];
    NicFrames& frames = out.emplace_back();
    frames.mac = nics_[i].mac;
    frames.vm = nics_[i].vm;
    frames.port = nics_[i].port;
    frames.out = f.out.get();
    frames.out_group = f.out_group.get();
    const std::uint64_t before = f.groups_before.get();
    frames.in_group = std::max(groups(nics_[i].vlan), before) - before;  // Read in the middle.
    frames.in = f.in.get() + frames.in_group;
    frames.last = f.last.get();
    frames.first_out = f.first_out.get();
    frames.last_out = f.last_out.get();
  }
  return out;
}

void NicCounts::restart_first_out(const Mac& mac) const {
  for (std::size_t i = 0; i < nics_.size(); ++i)
    if (nics_[i].mac == mac) frames_[i].first_out.set(0);
}

void CoverageCounter::watch(std::shared_ptr<const MirrorIndex> index) {
  const std::shared_ptr<const NicCounts> before = counts_;
  counts_ = nullptr;
  if (index && !index->nics.empty()) {
    if (!groups_) groups_ = std::make_shared<NicCounts::Groups>();
    if (recent_.empty()) recent_.resize(kRecent);
    counts_ = std::make_shared<NicCounts>();
    counts_->groups_ = groups_;
    counts_->frames_ = std::make_unique<NicCounts::Frames[]>(index->nics.size());
    counts_->nics_.reserve(index->nics.size());
    for (const auto& [mac, wanted] : index->nics) {
      NicCounts::Frames& frames = counts_->frames_[counts_->nics_.size()];
      const std::uint32_t old = find(load_mac(wanted.mac.octets.data()));
      if (old != kNone && before->nics_[old].vlan == wanted.vlan) {
        const NicCounts::Frames& f = before->frames_[old];
        frames.out.add(f.out.get());
        frames.in.add(f.in.get());
        frames.out_group.add(f.out_group.get());
        frames.groups_before.add(f.groups_before.get());
        frames.last.set(f.last.get());
        if (before->nics_[old].port == wanted.port) {
          frames.first_out.set(f.first_out.get());
          frames.last_out.set(f.last_out.get());
        }
      } else {
        frames.groups_before.add(counts_->groups(wanted.vlan));
      }
      counts_->nics_.push_back({wanted.mac, wanted.vm, wanted.port, wanted.vlan});
    }
  }
  const std::size_t size = counts_ ? counts_->nics_.size() : 0;
  macs_.resize(size);
  index_.assign(size == 0 ? 0 : std::bit_ceil(size * 4), 0);
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t mask = index_.size() - 1;
    macs_[i] = load_mac(counts_->nics_[i].mac.octets.data());
    std::size_t at = home_of(macs_[i], mask);
    while (index_[at] != 0) at = (at + 1) & mask;
    index_[at] = static_cast<std::uint32_t>(i + 1);
  }
}

std::uint32_t CoverageCounter::find(std::uint64_t mac) const {
  if (index_.empty()) return kNone;
  const std::size_t mask = index_.size() - 1;
  for (std::size_t at = home_of(mac, mask); index_[at] != 0; at = (at + 1) & mask)
    if (macs_[index_[at] - 1] == mac) return index_[at] - 1;
  return kNone;
}

bool CoverageCounter::watches(const Mac& mac) const {
  return find(load_mac(mac.octets.data())) != kNone;
}

void CoverageCounter::count(const Frame& frame, const Packet& packet) {
  if (!packet.has_macs) return;
  const std::uint8_t* bytes = frame.bytes.data();
  const bool to_group = (bytes[0] & 1) != 0;
  const std::uint16_t vlan = packet.vlan();
  if (const std::uint32_t nic = find(load_mac(bytes + 6)); nic != kNone) {
    NicCounts::Frames& frames = counts_->frames_[nic];
    frames.out.add(1);
    frames.last.set(frame.time);
    if (frames.first_out.get() == 0) frames.first_out.set(frame.time);
    frames.last_out.set(frame.time);
    if (to_group) {
      frames.out_group.add(1);
      // Its own groups are no `in`, as far as they are among those that it would have received.
      const std::optional<std::uint16_t>& own = counts_->nics_[nic].vlan;
      if (!own || *own == vlan) frames.groups_before.add(1);
    }
  }
  if (to_group) {
    (*groups_)[vlan].add(1);
    (*groups_)[kAllVlans].add(1);
  } else if (const std::uint32_t nic = find(load_mac(bytes)); nic != kNone) {
    counts_->frames_[nic].in.add(1);
    counts_->frames_[nic].last.set(frame.time);
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
