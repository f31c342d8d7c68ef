#include "agent/engine/flow/flow_table.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <new>
#include <utility>

namespace vmirror {
namespace {

// Entry::timeout: which of the options' idle times holds.
enum : std::uint8_t { kUdp, kIcmp, kOther, kOpening, kEstablished, kClosing, kClosed };

/// Both halves of a 128-bit product, folded.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}
std::uint32_t fold(std::uint64_t h) {
  return static_cast<std::uint32_t>(h ^ h >> 32);
}

template <typename T>
T load(const std::uint8_t* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

/// Whether these six octets are the MAC: for each packet, so without putting them in order.
bool is_mac(const std::uint8_t* at, const Mac& mac) {
  const std::uint8_t* octets = mac.octets.data();
  return ((load<std::uint32_t>(at) ^ load<std::uint32_t>(octets)) |
          (load<std::uint16_t>(at + 4) ^ load<std::uint16_t>(octets + 4))) == 0;
}

bool is_icmp(std::uint8_t protocol) {
  return protocol == ip_protocol::kIcmp || protocol == ip_protocol::kIcmpv6;
}

using Seeds = std::array<std::uint64_t, 4>;

/// `low` and `high` are address << 16 | port, in the key's order. `icmp_ports`: 0 for others.
std::uint32_t hash_ip4(const Seeds& seeds, std::uint64_t low, std::uint64_t high,
                       const FlowKey& key, std::uint64_t icmp_ports) {
  const std::uint64_t rest = std::uint64_t{key.vlan} << 48;
  return fold(
      mix(low ^ rest ^ seeds[0], high ^ std::uint64_t{key.protocol} << 48 ^ icmp_ports ^ seeds[1]));
}
std::uint32_t hash_ip6(const Seeds& seeds, const FlowKey& key) {
  const std::array<std::uint64_t, 4>& a = key.address;
  const std::uint64_t rest = std::uint64_t{key.vlan} << 16 | key.protocol;
  return fold(mix(a[0] ^ seeds[0], a[2] ^ seeds[1]) ^
              mix(a[1] ^ key.ports ^ seeds[2], a[3] ^ rest ^ seeds[3]));
}
std::uint32_t hash_link(const Seeds& seeds, const FlowKey& key) {
  const std::uint64_t rest = std::uint64_t{key.ethertype} << 48;
  return fold(mix(key.address[0] ^ rest ^ seeds[0],
                  key.address[2] ^ std::uint64_t{key.vlan} << 48 ^ key.ports ^ seeds[2]));
}

/// The key's ports of an ICMP message: the same for a question and its answer, whose sender is the
/// server. Messages that have no identifier have the ID 0.
std::uint32_t icmp_ports(const Packet& packet, bool& answer) {
  std::uint32_t type = packet.source_port >> 8;
  std::uint32_t id = packet.destination_port;
  const bool four = packet.protocol == ip_protocol::kIcmp;
  if (four && (type == 0 || type == 14)) {  // Echo reply, timestamp reply (RFC 792).
    answer = true;
    type = type == 0 ? 8 : 13;
  } else if (!four && type == 129) {  // Echo reply (RFC 4443).
    answer = true;
    type = 128;
  } else if (!(four ? type == 8 || type == 13 : type == 128)) {
    id = 0;
  }
  return type << 24 | (packet.source_port & 0xffu) << 16 | id;
}

/// A connection's state after one more segment.
TcpState next_state(TcpState state, std::uint8_t segment, const std::array<std::uint8_t, 2>& seen) {
  if (state == TcpState::reset || (segment & tcp_flag::kRst)) return TcpState::reset;
  const int fins = ((seen[0] & tcp_flag::kFin) != 0) + ((seen[1] & tcp_flag::kFin) != 0);
  if (fins == 2) return TcpState::closed;
  if (fins == 1) return TcpState::closing;
  if (state == TcpState::syn && !(segment & tcp_flag::kSyn) && (segment & tcp_flag::kAck))
    return TcpState::established;
  return state;
}

/// A SYN on a connection that was over: another connection with the same ports.
bool begins_anew(const FlowTable::Entry& entry, const Packet& packet) {
  return (packet.tcp_flags & (tcp_flag::kSyn | tcp_flag::kAck)) == tcp_flag::kSyn &&
         (entry.tcp == TcpState::closed || entry.tcp == TcpState::reset ||
          entry.tcp == TcpState::closing);
}

IpAddress address_of(const FlowKey& key, bool greater) {
  const auto* octets = reinterpret_cast<const std::uint8_t*>(&key.address[greater ? 2 : 0]);
  return key.version == 4   ? IpAddress::v4(octets)
         : key.version == 6 ? IpAddress::v6(octets)
                            : IpAddress{};
}

std::uint32_t slots_for(std::uint32_t flows) {
  return std::bit_ceil(flows + flows / 2 + 1);
}

}  // namespace

std::uint8_t FlowTable::timeout_of(TcpState state) {
  switch (state) {
    case TcpState::syn:
      return kOpening;
    case TcpState::closing:
      return kClosing;
    case TcpState::closed:
    case TcpState::reset:
      return kClosed;
    default:
      return kEstablished;
  }
}

std::uint8_t FlowTable::timeout_of(const FlowKey& key) {
  if (key.protocol == ip_protocol::kUdp && key.version != 0) return kUdp;
  return is_icmp(key.protocol) ? kIcmp : kOther;
}

void FlowTable::Pages::operator()(void* at) const {
  munmap(at, size);
}

/// The first `ready` are touched at once; with none, all are huge pages, as they are touched.
template <typename T>
FlowTable::PagesOf<T> FlowTable::map(std::size_t count, std::size_t ready) {
  const std::size_t size = count * sizeof(T);
  void* at = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  PagesOf<T> pages(static_cast<T*>(at), Pages{size});
  const std::size_t touched = std::min(ready, count) * sizeof(T);
  // A wish: fewer TLB misses where the kernel grants it.
  madvise(at, touched == 0 ? size : touched, MADV_HUGEPAGE);
  if (touched > 0 && madvise(at, touched, MADV_POPULATE_WRITE) != 0) {  // Before Linux 5.14.
    constexpr std::size_t kPage = 4096;
    for (std::size_t i = 0; i < touched; i += kPage) static_cast<volatile char*>(at)[i] = 0;
  }
  return pages;
}

FlowTable::FlowTable(FlowTableOptions options) : options_(options) {
  options_.max_flows = std::clamp<std::uint32_t>(options_.max_flows, 1, kMostFlows);
  if (options_.report_interval <= 0) options_.report_interval = std::int64_t{1} << 61;
  generation_ = options_.first_number;
  std::uint64_t seed = options_.seed;
  for (std::uint64_t& s : seeds_) {  // splitmix64 (Steele, Lea, Flood 2014)
    seed += 0x9e3779b97f4a7c15ULL;
    s = mix(seed ^ 0xbf58476d1ce4e5b9ULL, 0x94d049bb133111ebULL) | 1;
  }
  timeouts_ = {options_.udp,
               options_.icmp,
               options_.other,
               options_.tcp_opening,
               options_.tcp_established,
               options_.tcp_closing,
               options_.tcp_closed};
  const std::uint32_t slots = slots_for(options_.max_flows);
  mask_ = slots - 1;
  slots_ = map<Slot>(slots, options_.ready > 0 ? slots : 0);
  entries_ = map<Entry>(options_.max_flows, options_.ready);
  fragments_ = std::make_unique<FirstFragment[]>(kFragments);
  reports_.reserve(256);
}

std::size_t FlowTable::bytes_per_flow(std::uint32_t max_flows) {
  return sizeof(Entry) + slots_for(max_flows) * sizeof(Slot) / max_flows;
}

// ---- Step one: the key

void FlowTable::prepare(Probe& probe, const Frame& frame, const Packet& packet) {
  std::construct_at(&probe);  // In place: an assignment would wait for a copy on the stack.
  probe.key.ethertype = packet.ethertype;
  if (options_.by_vlan) probe.key.vlan = packet.vlan();
  probe.key.protocol = packet.protocol;
  probe.key.version = packet.ip_version;
  Ports ports{packet.source_port, packet.destination_port};
  if (packet.fragment) [[unlikely]]
    ports = ports_of_fragment(frame, packet);
  if (is_icmp(packet.protocol)) [[unlikely]] {
    probe.key.ports = icmp_ports(packet, probe.icmp_answer);
    ports = {};
  }
  const std::uint8_t* const network = frame.bytes.data() + packet.network;
  if (packet.ip_version == 4) {
    prepare_ip4(probe, network + 12, ports);
  } else if (packet.ip_version == 6) {
    prepare_ip6(probe, network + 8, ports);
  } else {
    prepare_link(probe, frame.bytes, packet);
  }
  __builtin_prefetch(&slots_[probe.hash & mask_]);
}

void FlowTable::set_scope(Probe& probe, Scope scope) const {
  probe.key.scope = scope;
  probe.hash ^= scope;
  __builtin_prefetch(&slots_[probe.hash & mask_]);
}

/// `addresses`: source and destination, as they stand in the header. Ports of ICMP are 0, and its
/// key has its own already.
inline void FlowTable::prepare_ip4(Probe& probe, const std::uint8_t* addresses, Ports ports) const {
  std::uint64_t low = std::uint64_t{load<std::uint32_t>(addresses)} << 16 | ports.from;
  std::uint64_t high = std::uint64_t{load<std::uint32_t>(addresses + 4)} << 16 | ports.to;
  probe.from_greater = low > high;
  if (probe.from_greater) std::swap(low, high);
  probe.key.address[0] = low >> 16;
  probe.key.address[2] = high >> 16;
  const std::uint32_t icmp = probe.key.ports;
  if (!is_icmp(probe.key.protocol))
    probe.key.ports = static_cast<std::uint32_t>(low << 16 | (high & 0xffff));
  probe.hash = hash_ip4(seeds_, low, high, probe.key, icmp);
}

void FlowTable::prepare_ip6(Probe& probe, const std::uint8_t* addresses, Ports ports) const {
  struct End {
    std::uint64_t a, b;
    std::uint16_t port;
    auto operator<=>(const End&) const = default;
  };
  End low{load<std::uint64_t>(addresses), load<std::uint64_t>(addresses + 8), ports.from};
  End high{load<std::uint64_t>(addresses + 16), load<std::uint64_t>(addresses + 24), ports.to};
  probe.from_greater = low > high;
  if (probe.from_greater) std::swap(low, high);
  probe.key.address = {low.a, low.b, high.a, high.b};
  if (!is_icmp(probe.key.protocol)) probe.key.ports = std::uint32_t{low.port} << 16 | high.port;
  probe.hash = hash_ip6(seeds_, probe.key);
}

void FlowTable::prepare_link(Probe& probe, Bytes bytes, const Packet& packet) const {
  std::uint64_t low = 0, high = 0;
  if (packet.has_macs) {
    std::memcpy(&low, bytes.data() + 6, 6);
    std::memcpy(&high, bytes.data(), 6);
  }
  probe.from_greater = low > high;
  if (probe.from_greater) std::swap(low, high);
  probe.key.address[0] = low;
  probe.key.address[2] = high;
  if (packet.llc) probe.key.ports = packet.snap_oui << 8 | (packet.llc_dsap & 0xfeu);
  probe.hash = hash_link(seeds_, probe.key);
}

/// Keeps the first fragment's ports; gives them to the later ones, and counts where they aren't
/// known.
FlowTable::Ports FlowTable::ports_of_fragment(const Frame& frame, const Packet& packet) {
  const IpAddress source = packet.source_ip(frame.bytes),
                  target = packet.destination_ip(frame.bytes);
  std::uint64_t datagram = mix(packet.fragment_id ^ seeds_[0],
                               (std::uint64_t{packet.protocol} << 16 | packet.vlan()) ^ seeds_[1]);
  for (int i = 0; i < 16; i += 8)
    datagram = mix(load<std::uint64_t>(source.octets.data() + i) ^ datagram,
                   load<std::uint64_t>(target.octets.data() + i) ^ seeds_[2 + i / 8]);
  FirstFragment& entry = fragments_[datagram % kFragments];
  if (packet.first_fragment) {
    entry = {datagram, frame.time, {packet.source_port, packet.destination_port}};
    return entry.ports;
  }
  const bool known = entry.datagram == datagram && frame.time - entry.time <= kFragmentTime &&
                     !is_ahead(entry.time, frame.time);
  if (known) return entry.ports;
  ++counters_.fragments_unmatched;
  return {};
}

// ---- Step two: the entry

void FlowTable::locate(Probe& probe) const {
  for (std::uint32_t i = probe.hash & mask_;; i = (i + 1) & mask_) {
    const Slot slot = slots_[i];
    if (slot.entry == 0) return;
    if (slot.hash != probe.hash) continue;
    probe.entry = slot.entry - 1;
    const auto* entry = reinterpret_cast<const char*>(&entries_[probe.entry]);
    __builtin_prefetch(entry, 1);
    __builtin_prefetch(entry + 64, 1);
    return;
  }
}

/// What `prepare` and `set_scope` give this key.
std::uint32_t FlowTable::hash_of(const FlowKey& key) const {
  if (key.version == 6) return hash_ip6(seeds_, key) ^ key.scope;
  if (key.version != 4) return hash_link(seeds_, key) ^ key.scope;
  const bool icmp = is_icmp(key.protocol);
  const std::uint32_t ports = icmp ? 0 : key.ports;
  return hash_ip4(seeds_, key.address[0] << 16 | ports >> 16,
                  key.address[2] << 16 | (ports & 0xffff), key, icmp ? key.ports : 0) ^
         key.scope;
}

std::uint32_t FlowTable::find(const FlowKey& key, std::uint32_t hash) const {
  for (std::uint32_t i = hash & mask_;; i = (i + 1) & mask_) {
    const Slot slot = slots_[i];
    if (slot.entry == 0) return kNone;
    if (slot.hash == hash && entries_[slot.entry - 1].key == key) return slot.entry - 1;
  }
}

// ---- Step three: the count

FlowTable::Entry& FlowTable::update(Probe& probe, const Frame& frame, const Packet& packet,
                                    const Origin& origin) {
  std::uint32_t place = probe.entry;
  if (place == kNone || !(entries_[place].key == probe.key)) place = find(probe.key, probe.hash);
  if (place != kNone) {
    Entry& entry = entries_[place];
    set_back(entry, frame.time);
    const bool idle = frame.time - entry.last > timeouts_[entry.timeout];
    if (idle || begins_anew(entry, packet)) [[unlikely]] {
      end(place, entry.timeout == kClosed || !idle ? FlowEnd::closed : FlowEnd::idle);
      place = kNone;
    }
  }
  if (place == kNone) {
    place = begin(probe, frame, packet, origin);
    probe.started = true;
  }
  Entry& entry = entries_[place];
  probe.entry = place;
  probe.side = static_cast<std::uint8_t>(entry.lesser_side ^ probe.from_greater);
  const std::size_t side = probe.side;
  const std::uint64_t bytes = wire_bytes(frame, packet);
  entry.bytes[side] += bytes;
  ++entry.packets[side];
  if (packet.has_macs && !is_mac(frame.bytes.data() + 6, entry.mac[side])) [[unlikely]] {
    if (entry.packets[side] == 1) {
      entry.mac[side] = packet.source_mac(frame.bytes);
    } else {
      probe.other_sender = true;
    }
  } else if (packet.cooked_mac != 0 && entry.packets[side] == 1) [[unlikely]] {
    entry.mac[side] = packet.sender_mac(frame.bytes);
  }
  entry.last = frame.time;
  if (packet.protocol == ip_protocol::kTcp) {
    entry.flags[side] |= packet.tcp_flags;
    constexpr std::uint8_t kChanges = tcp_flag::kSyn | tcp_flag::kFin | tcp_flag::kRst;
    if ((packet.tcp_flags & kChanges) || entry.tcp == TcpState::syn) {
      entry.tcp = next_state(entry.tcp, packet.tcp_flags, entry.flags);
      entry.timeout = timeout_of(entry.tcp);
    }
  }
  return entry;
}

void FlowTable::count_other(const Probe& probe, std::uint64_t bytes) {
  entries_[probe.entry].has_others = true;
  Others& others = others_[probe.entry];
  ++others.packets[probe.side];
  others.bytes[probe.side] += bytes;
}

std::uint32_t FlowTable::begin(const Probe& probe, const Frame& frame, const Packet& packet,
                               const Origin& origin) {
  if (active_ == options_.max_flows) evict(frame.time);
  std::uint32_t place = free_;
  if (place == kNone) {
    place = fresh_++;
    if (fresh_ % kChunk == 0) [[unlikely]]
      take_fresh_chunk();
    if (fresh_ == kCompared) [[unlikely]]
      note_all();
  } else {
    free_ = entries_[place].stream;
  }
  std::uint32_t i = probe.hash & mask_;
  while (slots_[i].entry != 0) i = (i + 1) & mask_;
  slots_[i] = {probe.hash, place + 1};
  ++active_;
  ++counters_.started;

  Entry& entry = entries_[place];
  entry = Entry{};
  entry.key = probe.key;
  entry.hash = probe.hash;
  const bool tcp = packet.protocol == ip_protocol::kTcp && packet.ip_version != 0;
  constexpr std::uint8_t kSynAck = tcp_flag::kSyn | tcp_flag::kAck;
  const bool from_server = probe.icmp_answer || (tcp && (packet.tcp_flags & kSynAck) == kSynAck);
  // The lesser endpoint is the client (side 0) when it sent this and is no server, or the reverse.
  entry.lesser_side = probe.from_greater != from_server ? 1 : 0;
  entry.last = entry.first = frame.time;
  entry.next_report = frame.time + options_.report_interval;
  if (generation_ == 0) ++generation_;  // Says of an entry that its id was given.
  entry.generation = generation_++;
  entry.origin = FlowOrigin(origin);
  entry.vlan = packet.vlan();
  entry.input = frame.input;
  if (tcp) {
    entry.tcp = (packet.tcp_flags & tcp_flag::kSyn) ? TcpState::syn : TcpState::midstream;
    entry.timeout = timeout_of(entry.tcp);
  } else {
    entry.timeout = timeout_of(entry.key);
  }
  if (packet.has_macs) {
    entry.mac[from_server ? 1 : 0] = packet.source_mac(frame.bytes);
    entry.mac[from_server ? 0 : 1] = packet.destination_mac(frame.bytes);
  }
  return place;
}

/// All entries of a chunk were touched: the kernel's own thread may now make huge pages of it.
[[gnu::noinline]] void FlowTable::take_fresh_chunk() {
  if (options_.ready > 0)
    madvise(&entries_[fresh_ - kChunk], kChunk * sizeof(Entry), MADV_HUGEPAGE);
}

// ---- The end of flows

void FlowTable::sweep(Time now, std::uint32_t entries) {
  entries = std::min(entries, fresh_);
  while (entries > 0) {
    if (sweep_hand_ >= fresh_) begin_turn();
    const std::uint32_t until = std::min(fresh_, sweep_hand_ + entries);
    entries -= until - sweep_hand_;
    for (std::uint32_t place = sweep_hand_; place < until; ++place) {
      Entry& entry = entries_[place];
      if (entry.key.version == kFreeVersion) continue;
      set_back(entry, now);
      if (now - entry.last > timeouts_[entry.timeout]) {
        end(place, entry.timeout == kClosed ? FlowEnd::closed : FlowEnd::idle);
        continue;
      }
      const std::uint64_t bytes = entry.bytes[0] + entry.bytes[1];
      if (bytes > noted_least_) [[unlikely]]
        note(place, bytes);
      if (now >= entry.next_report && entry.packets != entry.reported_packets)
        report(place, FlowEnd::none);
    }
    sweep_hand_ = until;
  }
}

bool FlowTable::flush(std::uint32_t count) {
  for (; count > 0 && active_ > 0; ++sweep_hand_) {
    if (sweep_hand_ >= fresh_) sweep_hand_ = 0;
    const Entry& entry = entries_[sweep_hand_];
    if (entry.key.version == kFreeVersion) continue;
    end(sweep_hand_, entry.timeout == kClosed ? FlowEnd::closed : FlowEnd::flushed);
    --count;
  }
  return active_ > 0;
}

/// Makes a flow that was last seen before the clock was set back one that was last seen `now`. Its
/// times move as one, so that it is as long as it was and its next report is as near.
void FlowTable::set_back(Entry& entry, Time now) {
  if (!is_ahead(entry.last, now)) [[likely]]
    return;
  const Time step = entry.last - now;
  entry.first -= step;
  entry.last -= step;
  entry.next_report -= step;
}

/// The least recently used of the next few: near enough to the oldest of all, at a bounded cost.
void FlowTable::evict(Time now) {
  std::uint32_t oldest = kNone;
  for (std::uint32_t i = 0; i < std::min(kEvictionSample, fresh_); ++i) {
    if (eviction_hand_ >= fresh_) eviction_hand_ = 0;
    const std::uint32_t place = eviction_hand_++;
    if (oldest == kNone || seen_earlier(entries_[place].last, entries_[oldest].last, now))
      oldest = place;
  }
  // A full table evicts one after another: the next few are on their way until then.
  for (std::uint32_t i = 0; i < kEvictionSample && eviction_hand_ + i < fresh_; ++i)
    __builtin_prefetch(&entries_[eviction_hand_ + i].last);
  set_back(entries_[oldest], now);
  end(oldest, FlowEnd::evicted);
}

void FlowTable::end(std::uint32_t place, FlowEnd reason) {
  report(place, reason);
  ++counters_.ended[static_cast<std::size_t>(reason)];
  unlink(place);
  Entry& entry = entries_[place];
  entry.key.version = kFreeVersion;
  entry.stream = free_;
  free_ = place;
  --active_;
}

/// Takes the entry out of the index and closes the hole, so that no probe sequence is broken.
void FlowTable::unlink(std::uint32_t place) {
  std::uint32_t hole = entries_[place].hash & mask_;
  while (slots_[hole].entry != place + 1) hole = (hole + 1) & mask_;
  for (std::uint32_t i = (hole + 1) & mask_; slots_[i].entry != 0; i = (i + 1) & mask_) {
    const std::uint32_t home = slots_[i].hash & mask_;
    if (((i - home) & mask_) < ((i - hole) & mask_)) continue;  // Its home lies behind the hole.
    slots_[hole] = slots_[i];
    hole = i;
  }
  slots_[hole] = {};
}

void FlowTable::report(std::uint32_t place, FlowEnd reason) {
  Entry& entry = entries_[place];
  FlowReport& out = reports_.emplace_back();
  out.flow = flow_of(place, reason);
  out.stream = entry.stream;
  out.dissector = entry.dissector;
  for (std::size_t side = 0; side < 2; ++side) {
    out.new_packets[side] = entry.packets[side] - entry.reported_packets[side];
    out.new_bytes[side] = entry.bytes[side] - entry.reported_bytes[side];
  }
  if (std::exchange(entry.has_others, false)) {
    const auto others = others_.extract(place);
    for (std::size_t side = 0; side < 2; ++side) {
      out.new_packets[side] -= others.mapped().packets[side];
      out.new_bytes[side] -= others.mapped().bytes[side];
    }
  }
  if (reason != FlowEnd::none) return;
  entry.reported_packets = entry.packets;
  entry.reported_bytes = entry.bytes;
  entry.next_report = entry.last + options_.report_interval;
}

void describe(const FlowKey& key, std::uint8_t lesser_side, Flow& flow) {
  const std::size_t lesser = lesser_side, greater = 1 - lesser;
  flow.ip[lesser] = address_of(key, false);
  flow.ip[greater] = address_of(key, true);
  if (is_icmp(key.protocol)) {
    flow.port = {static_cast<std::uint16_t>(key.ports >> 16),
                 static_cast<std::uint16_t>(key.ports)};
  } else if (key.version != 0) {
    flow.port[lesser] = static_cast<std::uint16_t>(key.ports >> 16);
    flow.port[greater] = static_cast<std::uint16_t>(key.ports);
  }
  flow.protocol = key.version == 0 ? ip_protocol::kNone : key.protocol;
  flow.ethertype = key.ethertype;
  flow.vlan = key.vlan;
  flow.scope = key.scope;
}

Flow FlowTable::flow_of(std::uint32_t place, FlowEnd reason) const {
  const Entry& entry = entries_[place];
  Flow flow;
  describe(entry.key, entry.lesser_side, flow);
  flow.id = id(place);
  flow.vlan = entry.vlan;
  flow.mac = entry.mac;
  flow.packets = entry.packets;
  flow.bytes = entry.bytes;
  flow.first = entry.first;
  flow.last = entry.last;
  flow.tcp_flags = entry.flags;
  flow.tcp = entry.tcp;
  flow.end = reason;
  flow.origin = entry.origin;
  flow.input = entry.input;
  return flow;
}

}  // namespace vmirror
