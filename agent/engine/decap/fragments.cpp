#include "agent/engine/decap/fragments.hpp"

#include <algorithm>
#include <utility>

namespace vmirror {
namespace {

constexpr std::size_t kMaxPayload = 65535;
constexpr std::size_t kHeaderRoom = 256;      // Link, tags, IPv6 and hop-by-hop headers.
constexpr std::size_t kMaxRanges = 64;        // Separate pieces of one datagram.
constexpr std::size_t kSpareBytes = 1 << 14;  // A larger buffer is not kept for later.

/// IPv6: walks to the fragment header. Returns its offset in the frame, or 0.
std::size_t find_fragment_header(Bytes bytes, const Packet& p, std::uint16_t& next_at) {
  std::size_t at = p.network + 40u;
  next_at = static_cast<std::uint16_t>(p.network + 6);
  if (at > bytes.size()) return 0;
  std::uint8_t next = bytes[next_at];
  while (next != 44) {
    const bool options = next == 0 || next == 43 || next == 60 || next == 135;
    if (!options || at + 8 > bytes.size()) return 0;
    next = bytes[at];
    next_at = static_cast<std::uint16_t>(at);
    at += (bytes[at + 1] + 1u) * 8;
  }
  return at + 8 <= bytes.size() ? at : 0;
}

std::uint16_t ipv4_checksum(Bytes header) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < header.size(); i += 2) sum += load_be16(header.data() + i);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

struct Key {
  IpAddress source, destination;
  std::uint32_t id = 0;
  std::uint8_t protocol = 0;
  bool operator==(const Key&) const = default;
};

struct Range {
  std::uint32_t begin, end;
};

}  // namespace

tl::expected<FragmentPart, DecapError> parse_fragment(const Frame& frame, const Packet& p) {
  FragmentPart part;
  const Bytes bytes = frame.bytes;
  const std::size_t end = p.network + std::size_t{p.network_size};
  std::size_t data_at;
  if (p.ip_version == 4) {
    data_at = p.network + (bytes[p.network] & 15) * 4u;
    part.headers = bytes.first(data_at);
    part.protocol = p.protocol;
  } else {
    const std::size_t header = find_fragment_header(bytes.first(end), p, part.next_at);
    if (header == 0) return tl::unexpected(DecapError::fragment_malformed);
    data_at = header + 8;
    part.headers = bytes.first(header);
    part.protocol = bytes[header];
  }
  part.offset = p.fragment_offset;
  part.more = p.more_fragments;
  part.data = bytes.subspan(data_at, end - data_at);
  if (part.offset + part.data.size() > kMaxPayload || part.headers.size() > kHeaderRoom ||
      part.data.empty() || (part.more && part.data.size() % 8 != 0))
    return tl::unexpected(DecapError::fragment_malformed);
  return part;
}

struct Fragments::Datagram {
  Key key;
  Time since = 0;
  std::uint32_t frames = 0;
  std::uint32_t total = 0;      ///< Bytes of payload, known from the last fragment; 0: not yet.
  std::uint16_t headers = 0;    ///< Bytes of the first fragment's headers; 0: it has not come.
  std::uint16_t next_at = 0;    ///< FragmentPart's, of the first one.
  std::uint8_t first_next = 0;  ///< IPv6: what the payload begins with.
  LinkType link = LinkType::ethernet;
  VlanTag stripped;
  std::vector<Range> ranges;           ///< What has come, by `begin`, touching ones merged.
  std::vector<std::uint8_t> buffer{};  ///< kHeaderRoom, and the payload.

  std::size_t room() const { return buffer.size() - kHeaderRoom; }
  bool whole() const {
    return headers != 0 && total != 0 && ranges.size() == 1 && ranges[0].begin == 0 &&
           ranges[0].end == total;
  }

  void begin_with(const Frame& frame, const FragmentPart& first) {
    headers = static_cast<std::uint16_t>(first.headers.size());
    next_at = first.next_at;
    first_next = first.protocol;
    link = frame.link;
    stripped = frame.stripped;
    std::memcpy(buffer.data() + kHeaderRoom - headers, first.headers.data(), headers);
  }

  enum class Fit { fits, repeated, overlaps };
  /// Where a piece would go. `repeated`: all of it is there already, as a lossy path's copy has it.
  Fit fit(std::uint32_t begin, std::uint32_t end) const {
    for (const Range& r : ranges) {
      if (begin >= r.begin && end <= r.end) return Fit::repeated;
      if (begin < r.end && end > r.begin) return Fit::overlaps;
    }
    return Fit::fits;
  }
  void insert(std::uint32_t begin, std::uint32_t end) {
    auto at =
        std::find_if(ranges.begin(), ranges.end(), [&](const Range& r) { return r.begin >= end; });
    if (at != ranges.begin() && std::prev(at)->end == begin) {
      std::prev(at)->end = end;
      if (at != ranges.end() && at->begin == end) {
        std::prev(at)->end = at->end;
        ranges.erase(at);
      }
    } else if (at != ranges.end() && at->begin == end) {
      at->begin = begin;
    } else {
      ranges.insert(at, {begin, end});
    }
  }
};

Fragments::Fragments(FragmentLimits limits) : limits_(limits) {}
Fragments::~Fragments() = default;

std::unique_ptr<Fragments::Datagram> Fragments::fresh() {
  if (spare_.empty()) return std::make_unique<Datagram>();
  auto out = std::move(spare_.back());
  spare_.pop_back();
  std::vector<Range> ranges = std::move(out->ranges);
  std::vector<std::uint8_t> buffer = std::move(out->buffer);
  *out = Datagram{};
  ranges.clear();
  buffer.clear();
  out->ranges = std::move(ranges);
  out->buffer = std::move(buffer);
  return out;
}

void Fragments::recycle(std::unique_ptr<Datagram> datagram) {
  if (datagram->buffer.capacity() <= kSpareBytes && spare_.size() < limits_.datagrams)
    spare_.push_back(std::move(datagram));
}

std::uint32_t Fragments::give_up(std::size_t index) {
  auto datagram = std::move(active_[index]);
  active_.erase(active_.begin() + static_cast<std::ptrdiff_t>(index));
  bytes_ -= datagram->room();
  const std::uint32_t frames = datagram->frames;
  recycle(std::move(datagram));
  return frames;
}

/// Gives up the oldest until `bytes` and `datagrams` more fit, but never `keep`.
void Fragments::make_room(std::size_t bytes, std::size_t datagrams, const Datagram* keep) {
  std::size_t oldest = 0;
  while (bytes_ + bytes > limits_.bytes || active_.size() + datagrams > limits_.datagrams) {
    if (oldest < active_.size() && active_[oldest].get() == keep) ++oldest;
    if (oldest >= active_.size()) break;
    ++(bytes_ + bytes > limits_.bytes ? too_large_ : too_many_);
    overflowed_ += give_up(oldest);
  }
}

Fragments::Outcome Fragments::dropped(Drop drop, std::uint32_t frames, DecapError error) {
  Outcome out;
  out.status = Outcome::Status::dropped;
  out.drop = drop;
  out.error = error;
  out.frames = frames;
  return out;
}

Fragments::Outcome Fragments::take(const Frame& frame, const Packet& p, bool join_only,
                                   std::uint32_t weight) {
  const Key key{p.source_ip(frame.bytes), p.destination_ip(frame.bytes), p.fragment_id,
                // IPv6 numbers datagrams alone; its first fragment may name an extension header.
                p.ip_version == 4 ? p.protocol : std::uint8_t{0}};
  std::size_t index = 0;
  while (index < active_.size() && active_[index]->key != key) ++index;
  bool known = index < active_.size();
  const bool stale = known && frame.time - active_[index]->since > limits_.timeout;
  if ((!known || stale) && join_only) {
    Outcome out;
    out.status = Outcome::Status::unwanted;
    return out;
  }
  std::uint32_t expired = 0;
  if (stale) {
    expired = give_up(index);
    known = false;
  }
  const auto part = parse_fragment(frame, p);
  if (!part) {
    const std::uint32_t others = known ? give_up(index) : expired;
    return dropped(drop_of(part.error()), others + weight, part.error());
  }
  if (!known) {
    make_room(0, 1, nullptr);
    index = active_.size();
    active_.push_back(fresh());
    active_[index]->key = key;
    active_[index]->since = frame.time;
    active_[index]->buffer.resize(kHeaderRoom);
  }
  Outcome out = add(index, frame, *part, weight);
  if (out.status != Outcome::Status::held) {
    out.frames += expired;
  } else if (expired > 0) {
    return dropped(Drop::fragment_incomplete, expired);
  } else if (overflowed_ > 0) {
    return dropped(Drop::fragment_overflow, std::exchange(overflowed_, 0));
  }
  return out;
}

/// Adds one piece. Two ends, or one that others go past, and any overlap end the datagram.
Fragments::Outcome Fragments::add(std::size_t index, const Frame& frame, const FragmentPart& part,
                                  std::uint32_t weight) {
  Datagram* d = active_[index].get();
  const std::uint32_t begin = part.offset;
  const auto end = static_cast<std::uint32_t>(begin + part.data.size());
  const auto fit = d->fit(begin, end);
  const bool two_ends = d->total != 0 && (end > d->total || (!part.more && end != d->total));
  const bool past_end = !part.more && !d->ranges.empty() && d->ranges.back().end > end;
  if (fit == Datagram::Fit::overlaps || two_ends || past_end || d->ranges.size() >= kMaxRanges) {
    const auto error = fit == Datagram::Fit::overlaps ? DecapError::fragment_overlap
                                                      : DecapError::fragment_malformed;
    return dropped(drop_of(error), give_up(index) + weight, error);
  }
  d->frames += weight;
  if (fit == Datagram::Fit::repeated) return {};
  if (!reserve(d, end)) {
    ++too_large_;
    return dropped(Drop::fragment_overflow, give_up(index_of(d)) + std::exchange(overflowed_, 0));
  }
  std::memcpy(d->buffer.data() + kHeaderRoom + begin, part.data.data(), part.data.size());
  d->insert(begin, end);
  if (!part.more) d->total = end;
  if (begin == 0) d->begin_with(frame, part);
  return d->whole() ? finish(index_of(d), frame) : Outcome{};
}

std::size_t Fragments::index_of(const Datagram* d) const {
  std::size_t index = 0;
  while (active_[index].get() != d) ++index;
  return index;
}

bool Fragments::reserve(Datagram* d, std::size_t end) {
  if (end <= d->room()) return true;
  const std::size_t grow = end - d->room();
  make_room(grow, 0, d);
  if (bytes_ + grow > limits_.bytes) return false;
  d->buffer.resize(kHeaderRoom + end);
  bytes_ += grow;
  return true;
}

/// Patches the headers to those of one whole datagram. An IPv4 length counts its header; lengths
/// past 65,535 become 0, which the header parser reads as "to the frame's end".
Fragments::Outcome Fragments::finish(std::size_t index, const Frame& last) {
  joined_.push_back(std::move(active_[index]));
  active_.erase(active_.begin() + static_cast<std::ptrdiff_t>(index));
  Datagram& d = *joined_.back();
  bytes_ -= d.room();
  std::uint8_t* begin = d.buffer.data() + kHeaderRoom - d.headers;

  Outcome out;
  out.status = Outcome::Status::joined;
  out.frames = d.frames;
  Frame& frame = out.frame;
  frame = last;
  frame.bytes = {begin, d.headers + std::size_t{d.total}};
  frame.wire_size = static_cast<std::uint32_t>(frame.bytes.size());
  frame.link = d.link;
  frame.stripped = d.stripped;

  const Packet p = parse_packet({begin, d.headers}, d.link, d.stripped);
  std::uint8_t* ip = begin + p.network;
  const std::size_t header = d.headers - p.network;
  if (d.key.source.version == 4) {
    const std::size_t length = header + d.total;
    store_be16(ip + 2, length > 0xffff ? 0 : static_cast<std::uint16_t>(length));
    store_be16(ip + 6, 0);
    store_be16(ip + 10, 0);
    store_be16(ip + 10, ipv4_checksum({ip, header}));
  } else {
    const std::size_t length = header - 40 + d.total;
    store_be16(ip + 4, length > 0xffff ? 0 : static_cast<std::uint16_t>(length));
    begin[d.next_at] = d.first_next;
  }
  return out;
}

void Fragments::release() {
  for (auto& datagram : joined_) recycle(std::move(datagram));
  joined_.clear();
}

std::uint64_t Fragments::expire(Time now) {
  std::uint64_t frames = std::exchange(overflowed_, 0);
  for (std::size_t i = 0; i < active_.size();) {
    Time& since = active_[i]->since;
    since = as_of(since, now);
    if (now - since > limits_.timeout)
      frames += give_up(i);
    else
      ++i;
  }
  return frames;
}

std::uint64_t Fragments::flush() {
  std::uint64_t frames = std::exchange(overflowed_, 0);
  while (!active_.empty()) frames += give_up(active_.size() - 1);
  return frames;
}

std::uint64_t Fragments::held() const {
  std::uint64_t frames = 0;
  for (const auto& d : active_) frames += d->frames;
  return frames;
}

}  // namespace vmirror
