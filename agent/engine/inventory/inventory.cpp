#include "agent/engine/inventory/inventory.hpp"

#include <algorithm>
#include <bit>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace vmirror {
namespace {

bool is_host(const Mac& mac) {
  return !mac.is_zero() && !mac.is_group();
}

/// An address that one machine can hold on a link.
bool is_host(const IpAddress& ip) {
  if (ip.empty() || ip.is_group() || ip.is_unspecified() || ip.is_loopback()) return false;
  return ip.version == 6 || ip.octets[0] != 0;
}

/// Linux, BSD and macOS begin with 64, Windows with 128, routers and switches with 255.
bool is_initial_ttl(std::uint8_t ttl) {
  return ttl == 64 || ttl == 128 || ttl == 255;
}

/// What a fact says, as text without control characters. Text is put into `room`, which is cut off
/// at its end.
std::string_view text_of(const Value& value, std::string& room, std::size_t max) {
  switch (value.kind) {
    case Value::Kind::boolean:
      return value.number != 0 ? "true" : "false";
    case Value::Kind::number:
      return room = std::to_string(value.number);
    case Value::Kind::signed_number:
      return room = std::to_string(value.signed_number);
    case Value::Kind::real:
      return room = std::to_string(value.real);
    case Value::Kind::mac:
      return room = value.mac().text();
    case Value::Kind::ip:
      return room = value.ip().text();
    case Value::Kind::text:
    case Value::Kind::bytes:
      break;
  }
  room.assign(value.text.substr(0, max));
  while (!room.empty() && (room.back() == '\0' || room.back() == ' ')) room.pop_back();
  for (char& c : room)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '.';
  return room;
}

}  // namespace

// An asset is in two parts: what every flow touches, in one cache line, and what is said of it.
struct Inventory::State {
  static constexpr std::uint32_t kNone = 0xffffffff;
  static constexpr std::uint32_t kEvictionSample = 8;
  static constexpr std::uint32_t kAgeSample = 4;

  struct alignas(64) Seen {
    Mac mac;
    Scope scope = 0;
    std::uint16_t vlan = 0;  ///< The last one, which is among the asset's.
    Time first = 0, last = 0;
    std::uint64_t packets = 0, bytes = 0;
    std::uint64_t address = 0;  ///< Keyed hash of the last sender address, if bound to this MAC.
    bool changed = false;
    bool sent = false;  ///< A frame at least.
  };
  struct Said {
    Asset asset;                         ///< Times and counters are those of Seen: see `whole`.
    std::vector<std::uint64_t> unbound;  ///< Keyed hashes of sender addresses that are not its own.
  };
  struct Host {
    IpAddress ip;
    Scope scope = 0;
    bool operator==(const Host&) const = default;
  };
  struct HashOfHost {
    KeyedHash hash;
    std::size_t operator()(const Host& host) const noexcept { return hash(host.ip, host.scope); }
  };
  struct Holder {
    std::uint32_t place;
    bool by_fact;
  };

  explicit State(const InventoryOptions& o) : options(o), by_ip(0, HashOfHost{o.hash}) {}

  InventoryOptions options;
  std::shared_ptr<const Vendors> vendors;
  InventoryCounters counters;
  std::vector<Seen> seen;            ///< With room for all: pages are touched as they are used.
  std::vector<Said> said;            ///< In the same places.
  std::vector<std::uint32_t> free;   ///< Places of assets that were too old; without a MAC.
  std::vector<std::uint32_t> index;  ///< Open addressing by key: one more than the place.
  std::unordered_map<Host, Holder, HashOfHost> by_ip;
  std::vector<std::uint32_t> changed;
  std::vector<const Asset*> told;  ///< What take_changed gave.
  std::vector<NewSender> senders, told_senders;
  Time now = 0;             ///< When the last flow began or was answered, or later.
  std::uint32_t hand = 0;   ///< Where the search for what gives way goes on.
  std::uint32_t aging = 0;  ///< Where the search for what is too old goes on.
  std::string room;         ///< For a fact's text.

  std::size_t home(const Mac& mac, Scope scope) const {
    return options.hash(mac, scope) & (index.size() - 1);
  }
  std::size_t used() const { return seen.size() - free.size(); }
  std::size_t after(std::size_t slot) const { return (slot + 1) & (index.size() - 1); }

  std::uint32_t find(const Mac& mac, Scope scope) const {
    for (std::size_t slot = home(mac, scope); index[slot] != 0; slot = after(slot)) {
      const Seen& s = seen[index[slot] - 1];
      if (s.mac == mac && s.scope == scope) return index[slot] - 1;
    }
    return kNone;
  }

  Asset& whole(std::uint32_t place) {
    Asset& asset = said[place].asset;
    const Seen& s = seen[place];
    asset.first = s.first;
    asset.last = s.last;
    asset.packets = s.packets;
    asset.bytes = s.bytes;
    return asset;
  }

  void mark(std::uint32_t place) {
    if (!std::exchange(seen[place].changed, true)) changed.push_back(place);
  }

  std::uint32_t touch(const Mac& mac, Scope scope, Time time) {
    if (!is_host(mac)) return kNone;
    now = std::max(now, time);
    std::uint32_t place = find(mac, scope);
    if (place == kNone) place = add(mac, scope, time);
    Seen& s = seen[place];
    s.first = std::min(s.first, time);
    s.last = std::max(as_of(s.last, now), time);
    return place;
  }

  void note_sender(std::uint32_t place, std::uint16_t vlan, Time time) {
    if (std::exchange(seen[place].sent, true) || !options.note_senders) return;
    senders.push_back({seen[place].mac, seen[place].scope, vlan, time});
  }

  std::uint32_t add(const Mac& mac, Scope scope, Time time) {
    std::uint32_t place;
    if (!free.empty()) {
      place = free.back();
      free.pop_back();
    } else if (seen.size() < options.max_assets) {
      place = static_cast<std::uint32_t>(seen.size());
      seen.emplace_back();
      said.emplace_back();
    } else {
      place = evict();
    }
    std::size_t slot = home(mac, scope);
    while (index[slot] != 0) slot = after(slot);
    index[slot] = place + 1;
    Seen& s = seen[place];
    s.mac = mac;
    s.scope = scope;
    s.first = s.last = time;
    said[place].asset.mac = mac;
    said[place].asset.scope = scope;
    if (vendors) said[place].asset.vendor = vendors->find(mac);
    mark(place);
    return place;
  }

  /// The longest unseen of the next few gives its place.
  std::uint32_t evict() {
    std::uint32_t oldest = kNone;
    for (std::uint32_t i = 0; i < std::min<std::size_t>(kEvictionSample, seen.size()); ++i) {
      hand = hand + 1 < seen.size() ? hand + 1 : 0;
      if (oldest == kNone || seen_earlier(seen[hand].last, seen[oldest].last, now)) oldest = hand;
    }
    forget(oldest);
    ++counters.evicted;
    return oldest;
  }

  /// Leaves the place without a MAC.
  void forget(std::uint32_t place) {
    for (const IpAddress& ip : said[place].asset.ips) by_ip.erase({ip, seen[place].scope});
    unlink(place);
    if (seen[place].changed) std::erase(changed, place);
    seen[place] = {};
    said[place] = {};
  }

  void age(Time time) {
    if (options.max_age == 0 || seen.empty()) return;
    for (std::uint32_t i = 0; i < kAgeSample; ++i) {
      aging = aging + 1 < seen.size() ? aging + 1 : 0;
      const Seen& s = seen[aging];
      if (s.mac.is_zero() || time - as_of(s.last, time) <= options.max_age) continue;
      forget(aging);
      free.push_back(aging);
    }
  }

  /// Takes an asset out of the index and closes the hole, so that no probe sequence is broken.
  void unlink(std::uint32_t place) {
    std::size_t hole = home(seen[place].mac, seen[place].scope);
    while (index[hole] != place + 1) hole = after(hole);
    const std::size_t mask = index.size() - 1;
    for (std::size_t slot = after(hole); index[slot] != 0; slot = after(slot)) {
      const Seen& s = seen[index[slot] - 1];
      const std::size_t from = home(s.mac, s.scope);
      if (((slot - from) & mask) < ((slot - hole) & mask)) continue;
      index[hole] = index[slot];
      hole = slot;
    }
    index[hole] = 0;
  }

  static void note_most(InventoryCounters::OfAnAsset& of, std::size_t size) {
    of.most = std::max(of.most, size);
  }

  void add_vlan(std::uint32_t place, std::uint16_t vlan) {
    if (vlan == seen[place].vlan || vlan == 0) return;
    std::vector<std::uint16_t>& vlans = said[place].asset.vlans;
    const auto at = std::lower_bound(vlans.begin(), vlans.end(), vlan);
    if (at == vlans.end() || *at != vlan) {
      if (vlans.size() >= options.max_vlans) {
        ++counters.vlans.overflow;
        return;
      }
      vlans.insert(at, vlan);
      note_most(counters.vlans, vlans.size());
      mark(place);
    }
    seen[place].vlan = vlan;
  }

  /// Unbinds the oldest address where there are as many as may be; empty where there is room.
  decltype(by_ip)::node_type make_room(std::uint32_t place) {
    std::vector<IpAddress>& ips = said[place].asset.ips;
    if (ips.size() < options.max_ips) return {};
    auto node = by_ip.extract({ips.front(), seen[place].scope});
    ips.erase(ips.begin());
    seen[place].address = 0;
    ++counters.ips.overflow;
    return node;
  }

  void bind(std::uint32_t place, const IpAddress& ip, bool by_fact) {
    if (!is_host(ip)) return;
    const Host host{ip, seen[place].scope};
    const auto at = by_ip.find(host);
    if (at != by_ip.end()) {
      Holder& holder = at->second;
      if (holder.place == place) holder.by_fact |= by_fact;
      if (holder.place == place || (holder.by_fact && !by_fact)) return;
      std::erase(said[holder.place].asset.ips, ip);
      seen[holder.place].address = 0;
      mark(holder.place);
      holder = {place, by_fact};
      make_room(place);
    } else if (auto node = make_room(place)) {  // The oldest one's node is used again.
      node.key() = host;
      node.mapped() = {place, by_fact};
      by_ip.insert(std::move(node));
    } else {
      by_ip.emplace(host, Holder{place, by_fact});
    }
    std::vector<IpAddress>& ips = said[place].asset.ips;
    ips.push_back(ip);
    note_most(counters.ips, ips.size());
    std::erase(said[place].unbound, options.hash(ip));
    mark(place);
  }

  /// A frame that the asset sent with this source address.
  void sent_from(std::uint32_t place, const IpAddress& ip, std::uint8_t ttl) {
    if (!is_host(ip)) return;
    const std::uint64_t hash = options.hash(ip);
    if (seen[place].address == hash) return;
    const bool on_link = is_initial_ttl(ttl);
    if (!on_link && said[place].asset.router) return;
    if (on_link) bind(place, ip, false);
    const auto holder = by_ip.find({ip, seen[place].scope});
    if (holder != by_ip.end() && holder->second.place == place) {
      seen[place].address = hash;
    } else if (!on_link) {
      remember_unbound(place, hash);
    }
  }

  void remember_unbound(std::uint32_t place, std::uint64_t hash) {
    std::vector<std::uint64_t>& unbound = said[place].unbound;
    if (std::find(unbound.begin(), unbound.end(), hash) != unbound.end()) return;
    unbound.push_back(hash);
    if (unbound.size() > options.router_sources) make_router(place);
  }

  void make_router(std::uint32_t place) {
    if (std::exchange(said[place].asset.router, true)) return;
    said[place].unbound = {};
    mark(place);
  }

  void add_property(std::uint32_t place, const Fact& fact, Time time) {
    const std::string_view value = text_of(fact.value, room, options.max_text);
    if (value.empty()) return;
    std::vector<AssetProperty>& properties = said[place].asset.properties;
    for (AssetProperty& property : properties) {
      if (property.attribute != fact.attribute || property.value != value ||
          property.station != fact.subject.station)
        continue;
      if (fact.confidence > property.confidence) {
        property.confidence = fact.confidence;
        property.source = fact.source;
        mark(place);
      }
      property.last = std::max(as_of(property.last, now), time);
      return;
    }
    if (properties.size() >= options.max_properties) {
      ++counters.properties.overflow;
      const auto oldest = std::min_element(
          properties.begin(), properties.end(),
          [&](const auto& a, const auto& b) { return seen_earlier(a.last, b.last, now); });
      if (oldest == properties.end()) return;
      std::rotate(oldest, oldest + 1, properties.end());
      AssetProperty& again = properties.back();  // With its memory.
      again.attribute = fact.attribute;
      again.value = value;
      again.source = fact.source;
      again.last = time;
      again.confidence = fact.confidence;
      again.station = fact.subject.station;
    } else {
      properties.push_back({fact.attribute, std::string(value), fact.source, time, fact.confidence,
                            fact.subject.station});
      note_most(counters.properties, properties.size());
    }
    mark(place);
  }
};

Inventory::Inventory(InventoryOptions options, std::shared_ptr<const Vendors> vendors)
    : state_(std::make_unique<State>(options)) {
  options.max_assets = std::max<std::size_t>(options.max_assets, 2);
  options.max_ips = std::max<std::size_t>(options.max_ips, 1);
  state_->options = options;
  state_->vendors = std::move(vendors);
  state_->index.resize(std::bit_ceil(options.max_assets * 2));
  state_->by_ip.reserve(options.max_assets);  // To move all at once would hold the worker.
  state_->seen.reserve(options.max_assets);
  state_->said.reserve(options.max_assets);
}
Inventory::~Inventory() = default;
Inventory::Inventory(Inventory&&) noexcept = default;
Inventory& Inventory::operator=(Inventory&&) noexcept = default;

void Inventory::flow_started(const Flow& flow, std::size_t side, std::uint8_t ttl) {
  state_->now = flow.first;
  for (std::size_t i = 0; i < 2; ++i) {
    const std::uint32_t place = state_->touch(flow.mac[i], flow.scope, flow.first);
    if (place == State::kNone) continue;
    state_->add_vlan(place, flow.vlan);
    if (i != side) continue;
    state_->note_sender(place, flow.vlan, flow.first);
    state_->sent_from(place, flow.ip[i], ttl);
  }
}

void Inventory::flow_answered(const Subject& sender, std::uint16_t vlan, std::uint8_t ttl,
                              Time time, Scope scope) {
  state_->now = time;
  const std::uint32_t place = state_->touch(sender.mac, scope, time);
  if (place == State::kNone) return;
  state_->add_vlan(place, vlan);
  state_->note_sender(place, vlan, time);
  state_->sent_from(place, sender.ip, ttl);
}

void Inventory::flow_passed(const Subject& sender, std::uint16_t vlan, std::uint8_t ttl,
                            std::uint64_t bytes, Time time, Scope scope) {
  flow_answered(sender, vlan, ttl, time, scope);
  const std::uint32_t place = state_->find(sender.mac, scope);
  if (place == State::kNone) return;
  ++state_->seen[place].packets;
  state_->seen[place].bytes += bytes;
}

void Inventory::flow_reported(const Flow& flow, const std::array<std::uint64_t, 2>& new_packets,
                              const std::array<std::uint64_t, 2>& new_bytes) {
  for (std::size_t i = 0; i < 2; ++i) {
    if (new_packets[i] == 0) continue;
    const std::uint32_t place = state_->touch(flow.mac[i], flow.scope, flow.last);
    if (place == State::kNone) continue;
    state_->seen[place].packets += new_packets[i];
    state_->seen[place].bytes += new_bytes[i];
  }
}

void Inventory::learn(const Fact& fact, Time time, Scope scope) {
  state_->now = std::max(state_->now, time);
  std::uint32_t place = State::kNone;
  if (!fact.subject.mac.is_zero()) {
    place = state_->touch(fact.subject.mac, scope, time);
    if (place != State::kNone) state_->bind(place, fact.subject.ip, true);
  } else if (const auto at = state_->by_ip.find({fact.subject.ip, scope});
             at != state_->by_ip.end()) {
    place = at->second.place;
  }
  if (place == State::kNone) {
    ++state_->counters.unplaced;
  } else if (fact.attribute == Attribute::ip_address) {
    if (fact.value.kind == Value::Kind::ip) state_->bind(place, fact.value.ip(), true);
  } else if (fact.attribute == Attribute::router) {
    if (fact.value.number != 0) state_->make_router(place);
  } else {
    state_->add_property(place, fact, time);
  }
}

void Inventory::adopt(const Asset& asset) {
  const std::uint32_t before_place = state_->find(asset.mac, asset.scope);
  const bool known = before_place != State::kNone;
  const Time before = known ? state_->seen[before_place].first : asset.first;
  const std::uint32_t place = state_->touch(asset.mac, asset.scope, asset.last);
  if (place == State::kNone) return;
  State::Seen& seen = state_->seen[place];
  const bool both = known && asset.last - before > kSecond;
  seen.first = std::min(seen.first, asset.first);
  seen.packets = both ? std::max(seen.packets, asset.packets) : seen.packets + asset.packets;
  seen.bytes = both ? std::max(seen.bytes, asset.bytes) : seen.bytes + asset.bytes;
  for (const std::uint16_t vlan : asset.vlans) state_->add_vlan(place, vlan);
  for (const IpAddress& ip : asset.ips) state_->bind(place, ip, false);
  for (const AssetProperty& p : asset.properties)
    state_->add_property(place,
                         {{{}, {}, p.station},
                          p.attribute,
                          Value::of(std::string_view(p.value)),
                          p.source.c_str(),
                          p.confidence},
                         p.last);
  if (asset.router) state_->make_router(place);
  state_->mark(place);
}

void Inventory::age(Time now) {
  state_->age(now);
}

std::size_t Inventory::size() const {
  return state_->used();
}

const InventoryCounters& Inventory::counters() const {
  return state_->counters;
}

std::vector<Asset> Inventory::assets() const {
  std::vector<Asset> out;
  for (std::size_t from = 0; (from = page(from, size() * 4, out)) != 0;) continue;
  sort_by_key(out);
  return out;
}

void sort_by_key(std::vector<Asset>& assets) {
  struct Place {
    std::uint64_t mac;
    Scope scope;
    std::uint32_t at;
    auto operator<=>(const Place&) const = default;
  };
  std::vector<Place> order;
  order.reserve(assets.size());
  for (const Asset& asset : assets)
    order.push_back({asset.mac.number(), asset.scope, static_cast<std::uint32_t>(order.size())});
  std::ranges::sort(order);
  std::vector<Asset> out;
  out.reserve(assets.size());
  for (const Place& place : order) out.push_back(std::move(assets[place.at]));
  assets = std::move(out);
}

std::size_t Inventory::page(std::size_t from, std::size_t work, std::vector<Asset>& out) const {
  if (from == 0) out.reserve(out.size() + size() + size() / 8);  // More may come meanwhile.
  const std::size_t end = state_->seen.size();
  for (std::size_t done = 0; from < end && done < work; ++from) {
    if (state_->seen[from].mac.is_zero()) continue;
    out.push_back(state_->whole(static_cast<std::uint32_t>(from)));
    done += 4 + out.back().properties.size();
  }
  return from < end ? from : 0;
}

std::size_t Inventory::page_of_keys(std::size_t from, std::size_t count,
                                    std::vector<AssetKey>& out) const {
  if (from == 0) out.reserve(out.size() + size() + size() / 8);
  const std::size_t end = state_->seen.size();
  for (; from < end && count > 0; ++from, --count)
    if (!state_->seen[from].mac.is_zero())
      out.push_back({state_->seen[from].mac, state_->seen[from].scope});
  return from < end ? from : 0;
}

const Asset* Inventory::find(const Mac& mac, Scope scope) const {
  const std::uint32_t place = state_->find(mac, scope);
  return place == State::kNone ? nullptr : &state_->whole(place);
}

std::vector<Asset> Inventory::of(const Mac& mac) const {
  std::vector<Asset> out;
  State& s = *state_;
  for (std::uint32_t place = 0; place < s.seen.size(); ++place)
    if (s.seen[place].mac == mac) out.push_back(s.whole(place));
  return out;
}

bool Inventory::changed() const {
  return !state_->changed.empty();
}

std::span<const Asset* const> Inventory::take_changed() {
  std::vector<const Asset*>& out = state_->told;
  out.clear();
  for (const std::uint32_t place : state_->changed) {
    state_->seen[place].changed = false;
    out.push_back(&state_->whole(place));
  }
  state_->changed.clear();
  return out;
}

std::span<const NewSender> Inventory::take_senders() {
  state_->told_senders.clear();
  std::swap(state_->senders, state_->told_senders);
  return state_->told_senders;
}

void Inventory::change_all() {
  for (std::uint32_t place = 0; place < state_->seen.size(); ++place)
    if (!state_->seen[place].mac.is_zero()) state_->mark(place);
}

}  // namespace vmirror
