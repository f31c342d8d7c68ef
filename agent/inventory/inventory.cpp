#include "agent/inventory/inventory.hpp"

#include <algorithm>
#include <list>
#include <unordered_map>
#include <utility>

namespace vmirror {
namespace {

bool is_host(const Mac& mac) {
  return !mac.is_zero() && !mac.is_group();
}

/// An address that one machine can hold on a link.
bool is_host(const IpAddress& ip) {
  if (ip.empty() || ip.is_group() || ip.is_unspecified()) return false;
  if (ip.version == 4) return ip.octets[0] != 127 && ip.octets[0] != 0;
  IpAddress loopback;
  loopback.version = 6;
  loopback.octets[15] = 1;
  return ip != loopback;
}

/// Linux, BSD and macOS begin with 64, Windows with 128, routers and switches with 255.
bool is_initial_ttl(std::uint8_t ttl) {
  return ttl == 64 || ttl == 128 || ttl == 255;
}

/// What a fact says, as text without control characters.
std::string text_of(const Value& value, std::size_t max) {
  switch (value.kind) {
    case Value::Kind::boolean:
      return value.number != 0 ? "true" : "false";
    case Value::Kind::number:
      return std::to_string(value.number);
    case Value::Kind::signed_number:
      return std::to_string(value.signed_number);
    case Value::Kind::real:
      return std::to_string(value.real);
    case Value::Kind::mac:
      return value.mac().text();
    case Value::Kind::ip:
      return value.ip.text();
    case Value::Kind::text:
    case Value::Kind::bytes:
      break;
  }
  std::string out(value.text.substr(0, max));
  while (!out.empty() && (out.back() == '\0' || out.back() == ' ')) out.pop_back();
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '.';
  return out;
}

}  // namespace

struct Inventory::State {
  struct Record {
    Asset asset;
    std::vector<std::size_t> unbound;  ///< Hashes of sender addresses that are not its own.
    bool changed = false;
  };
  using Records = std::list<Record>;
  struct Holder {
    Record* record;
    bool by_fact;
  };

  InventoryOptions options;
  std::shared_ptr<const Vendors> vendors;
  InventoryCounters counters;
  Records records;  ///< Seen last in front.
  std::unordered_map<Mac, Records::iterator> by_mac;
  std::unordered_map<IpAddress, Holder> by_ip;
  std::vector<Mac> changed;

  void mark(Record& record) {
    if (std::exchange(record.changed, true)) return;
    changed.push_back(record.asset.mac);
  }

  Record* touch(const Mac& mac, Time time) {
    if (!is_host(mac)) return nullptr;
    const auto [at, is_new] = by_mac.try_emplace(mac);
    if (!is_new) {
      if (at->second != records.begin()) records.splice(records.begin(), records, at->second);
    } else {
      records.emplace_front();
      at->second = records.begin();
      Asset& asset = records.front().asset;
      asset.mac = mac;
      asset.first = asset.last = time;
      if (vendors) asset.vendor = vendors->find(mac);
      mark(records.front());
      if (records.size() > options.max_assets) evict();
    }
    Record& record = records.front();
    record.asset.first = std::min(record.asset.first, time);
    record.asset.last = std::max(record.asset.last, time);
    return &record;
  }

  void evict() {
    const Asset& asset = records.back().asset;
    for (const IpAddress& ip : asset.ips) by_ip.erase(ip);
    by_mac.erase(asset.mac);
    records.pop_back();
    ++counters.evicted;
  }

  void add_vlan(Record& record, std::uint16_t vlan) {
    std::vector<std::uint16_t>& vlans = record.asset.vlans;
    if (vlan == 0 || std::find(vlans.begin(), vlans.end(), vlan) != vlans.end()) return;
    if (vlans.size() >= options.max_vlans) {
      ++counters.overflow;
      return;
    }
    vlans.insert(std::upper_bound(vlans.begin(), vlans.end(), vlan), vlan);
    mark(record);
  }

  void bind(Record& record, const IpAddress& ip, bool by_fact) {
    if (!is_host(ip)) return;
    const auto [at, is_new] = by_ip.try_emplace(ip, Holder{&record, by_fact});
    if (!is_new) {
      Holder& holder = at->second;
      if (holder.record == &record) {
        holder.by_fact |= by_fact;
        return;
      }
      if (holder.by_fact && !by_fact) return;
      std::erase(holder.record->asset.ips, ip);
      mark(*holder.record);
      holder = {&record, by_fact};
    }
    std::vector<IpAddress>& ips = record.asset.ips;
    if (ips.size() >= options.max_ips) {
      by_ip.erase(ips.front());
      ips.erase(ips.begin());
      ++counters.overflow;
    }
    ips.push_back(ip);
    std::erase(record.unbound, std::hash<IpAddress>()(ip));
    mark(record);
  }

  /// A frame that `record` sent with this source address.
  void sent_from(Record& record, const IpAddress& ip, std::uint8_t ttl) {
    if (!is_host(ip)) return;
    const auto holder = by_ip.find(ip);
    if (holder != by_ip.end() && holder->second.record == &record) return;
    if (is_initial_ttl(ttl)) return bind(record, ip, false);
    if (record.asset.router) return;
    const std::size_t hash = std::hash<IpAddress>()(ip);
    if (std::find(record.unbound.begin(), record.unbound.end(), hash) != record.unbound.end())
      return;
    record.unbound.push_back(hash);
    if (record.unbound.size() > options.router_sources) make_router(record);
  }

  void make_router(Record& record) {
    if (std::exchange(record.asset.router, true)) return;
    record.unbound = {};
    mark(record);
  }

  void add_property(Record& record, const Fact& fact, Time time) {
    std::string value = text_of(fact.value, options.max_text);
    if (value.empty()) return;
    std::vector<AssetProperty>& properties = record.asset.properties;
    for (AssetProperty& property : properties) {
      if (property.attribute != fact.attribute || property.value != value) continue;
      property.last = time;
      return;
    }
    if (properties.size() >= options.max_properties) {
      ++counters.overflow;
      const auto oldest =
          std::min_element(properties.begin(), properties.end(),
                           [](const auto& a, const auto& b) { return a.last < b.last; });
      if (oldest == properties.end()) return;
      properties.erase(oldest);
    }
    properties.push_back({fact.attribute, std::move(value), fact.source, time});
    mark(record);
  }
};

Inventory::Inventory(InventoryOptions options, std::shared_ptr<const Vendors> vendors)
    : state_(std::make_unique<State>()) {
  options.max_assets = std::max<std::size_t>(options.max_assets, 2);
  options.max_ips = std::max<std::size_t>(options.max_ips, 1);
  state_->options = options;
  state_->vendors = std::move(vendors);
}
Inventory::~Inventory() = default;
Inventory::Inventory(Inventory&&) noexcept = default;
Inventory& Inventory::operator=(Inventory&&) noexcept = default;

void Inventory::flow_started(const Flow& flow, std::size_t side, std::uint8_t ttl) {
  for (std::size_t i = 0; i < 2; ++i) {
    State::Record* record = state_->touch(flow.mac[i], flow.first);
    if (record == nullptr) continue;
    state_->add_vlan(*record, flow.vlan);
    if (i == side) state_->sent_from(*record, flow.ip[i], ttl);
  }
}

void Inventory::flow_reported(const Flow& flow, const std::array<std::uint64_t, 2>& new_packets,
                              const std::array<std::uint64_t, 2>& new_bytes) {
  for (std::size_t i = 0; i < 2; ++i) {
    if (new_packets[i] == 0) continue;
    State::Record* record = state_->touch(flow.mac[i], flow.last);
    if (record == nullptr) continue;
    record->asset.packets += new_packets[i];
    record->asset.bytes += new_bytes[i];
  }
}

void Inventory::learn(const Fact& fact, Time time) {
  State::Record* record = nullptr;
  if (!fact.subject.mac.is_zero()) {
    record = state_->touch(fact.subject.mac, time);
    if (record != nullptr) state_->bind(*record, fact.subject.ip, true);
  } else if (const auto at = state_->by_ip.find(fact.subject.ip); at != state_->by_ip.end()) {
    record = at->second.record;
  }
  if (record == nullptr) {
    ++state_->counters.unplaced;
  } else if (fact.attribute == Attribute::ip_address) {
    if (fact.value.kind == Value::Kind::ip) state_->bind(*record, fact.value.ip, true);
  } else if (fact.attribute == Attribute::router) {
    if (fact.value.number != 0) state_->make_router(*record);
  } else {
    state_->add_property(*record, fact, time);
  }
}

std::size_t Inventory::size() const {
  return state_->records.size();
}

const InventoryCounters& Inventory::counters() const {
  return state_->counters;
}

std::vector<Asset> Inventory::assets() const {
  std::vector<Asset> out;
  out.reserve(state_->records.size());
  for (const State::Record& record : state_->records) out.push_back(record.asset);
  std::sort(out.begin(), out.end(), [](const Asset& a, const Asset& b) { return a.mac < b.mac; });
  return out;
}

const Asset* Inventory::find(const Mac& mac) const {
  const auto at = state_->by_mac.find(mac);
  return at == state_->by_mac.end() ? nullptr : &at->second->asset;
}

bool Inventory::changed() const {
  return !state_->changed.empty();
}

std::vector<const Asset*> Inventory::take_changed() {
  std::vector<const Asset*> out;
  for (const Mac& mac : state_->changed) {
    const auto at = state_->by_mac.find(mac);
    if (at == state_->by_mac.end() || !at->second->changed) continue;
    at->second->changed = false;
    out.push_back(&at->second->asset);
  }
  state_->changed.clear();
  return out;
}

}  // namespace vmirror
