#include "agent/engine/worker/snapshot.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace vmirror {

void merge_into(Asset& to, const Asset& from) {
  if (to.vendor.empty()) to.vendor = from.vendor;
  if (to.vm.empty()) to.vm = from.vm;
  for (const IpAddress& ip : from.ips)
    if (std::find(to.ips.begin(), to.ips.end(), ip) == to.ips.end()) to.ips.push_back(ip);
  std::vector<std::uint16_t> vlans;
  std::set_union(to.vlans.begin(), to.vlans.end(), from.vlans.begin(), from.vlans.end(),
                 std::back_inserter(vlans));
  to.vlans = std::move(vlans);
  for (const AssetProperty& property : from.properties) {
    const auto at =
        std::find_if(to.properties.begin(), to.properties.end(), [&](const AssetProperty& p) {
          return p.attribute == property.attribute && p.value == property.value;
        });
    if (at == to.properties.end()) {
      to.properties.push_back(property);
    } else {
      at->last = std::max(at->last, property.last);
    }
  }
  to.router |= from.router;
  to.first = std::min(to.first, from.first);
  to.last = std::max(to.last, from.last);
  to.packets += from.packets;
  to.bytes += from.bytes;
}

void merge_into(std::vector<NicFrames>& to, const std::vector<NicFrames>& from) {
  std::vector<NicFrames> out;
  out.reserve(std::max(to.size(), from.size()));
  auto at = to.begin();
  for (const NicFrames& nic : from) {
    while (at != to.end() && at->at < nic.at) out.push_back(std::move(*at++));
    if (at != to.end() && at->at == nic.at) {
      out.push_back(std::move(*at++));
      out.back() += nic;
    } else {
      out.push_back(nic);
    }
  }
  std::move(at, to.end(), std::back_inserter(out));
  to = std::move(out);
}

namespace {

void add(std::vector<NamedCount>& to, const std::vector<NamedCount>& from) {
  for (const NamedCount& count : from) {
    const auto at = std::find_if(to.begin(), to.end(),
                                 [&](const NamedCount& c) { return c.name == count.name; });
    if (at == to.end()) {
      to.push_back(count);
    } else {
      at->count += count.count;
    }
  }
}

using NumberedAs = std::pair<IpAddress, Encapsulation>;

/// Those that number their copies.
std::set<NumberedAs> numbering(const InputSnapshot& input) {
  std::set<NumberedAs> out;
  for (const SessionCounters& s : input.sessions)
    if (s.rule != SequenceRule::none) out.emplace(s.sender, numbered_as(s.encapsulation));
  return out;
}

void add(std::vector<SessionCounters>& to, const std::vector<SessionCounters>& from) {
  for (const SessionCounters& s : from) {
    const auto at = std::find_if(to.begin(), to.end(), [&](const SessionCounters& t) {
      return std::tie(t.encapsulation, t.session, t.sender) ==
             std::tie(s.encapsulation, s.session, s.sender);
    });
    if (at == to.end()) {
      to.push_back(s);
      continue;
    }
    at->received += s.received;
    at->bytes += s.bytes;
    at->truncated += s.truncated;
    at->bad += s.bad;
    if (at->rule == SequenceRule::none) {
      at->rule = s.rule;
      at->sequence = s.sequence;
    }
    at->first = std::min(at->first, s.first);
    at->last = std::max(at->last, s.last);
  }
}

void add(std::vector<SenderCounters>& to, const std::vector<SenderCounters>& from) {
  for (const SenderCounters& s : from)
    if (std::ranges::none_of(to, [&](const SenderCounters& t) {
          return t.sender == s.sender && t.encapsulation == s.encapsulation;
        }))
      to.push_back(s);
}

/// Both workers' sessions and senders. Numbers that were spread over them tell of no loss.
void add_copies(InputSnapshot& to, const InputSnapshot& from) {
  std::set<NumberedAs> spread;
  std::ranges::set_intersection(numbering(to), numbering(from),
                                std::inserter(spread, spread.end()));
  add(to.sessions, from.sessions);
  add(to.senders, from.senders);
  for (SessionCounters& s : to.sessions)
    if (s.rule != SequenceRule::none && spread.contains({s.sender, numbered_as(s.encapsulation)}))
      s.rule = SequenceRule::open;
  for (SenderCounters& s : to.senders)
    if (spread.contains({s.sender, s.encapsulation})) s.rule = SequenceRule::open;
}

void add(std::vector<InputSnapshot>& to, const InputSnapshot& from) {
  const auto at = std::find_if(to.begin(), to.end(),
                               [&](const InputSnapshot& i) { return i.name == from.name; });
  if (at == to.end()) {
    to.push_back(from);
    return;
  }
  at->frames += from.frames;
  for (std::size_t i = 0; i < from.decapsulated.size(); ++i)
    at->decapsulated[i] += from.decapsulated[i];
  add_copies(*at, from);
  for (const std::string& warning : from.warnings)
    if (std::find(at->warnings.begin(), at->warnings.end(), warning) == at->warnings.end())
      at->warnings.push_back(warning);
  if (from.error) at->error = from.error;
  if (from.reinjected) {
    ReinjectCounters& sum = at->reinjected ? *at->reinjected : at->reinjected.emplace();
    sum.frames += from.reinjected->frames;
    sum.sent += from.reinjected->sent;
    sum.sent_bytes += from.reinjected->sent_bytes;
    for (std::size_t i = 0; i < sum.lost.size(); ++i) sum.lost[i] += from.reinjected->lost[i];
  }
  at->workers += from.workers;
}

void add(std::vector<ProtocolSnapshot>& to, const std::vector<ProtocolSnapshot>& from) {
  for (const ProtocolSnapshot& p : from) {
    const auto at = std::find_if(to.begin(), to.end(),
                                 [&](const ProtocolSnapshot& t) { return t.name == p.name; });
    if (at == to.end()) {
      to.push_back(p);
      continue;
    }
    at->records += p.records;
    at->malformed += p.malformed;
    at->cut += p.cut;
  }
}

void add(std::vector<Limit>& to, const std::vector<Limit>& from) {
  for (const Limit& limit : from) {
    const auto at =
        std::find_if(to.begin(), to.end(), [&](const Limit& t) { return t.name == limit.name; });
    if (at == to.end()) {
      to.push_back(limit);
      continue;
    }
    at->limit += limit.limit;
    at->used += limit.used;
    at->overflow += limit.overflow;
  }
}

std::vector<Asset> by_mac(std::span<const std::shared_ptr<const EngineSnapshot>> parts) {
  std::map<Mac, Asset> assets;
  for (const auto& part : parts)
    for (const Asset& asset : part->assets) {
      const auto [at, is_new] = assets.try_emplace(asset.mac, asset);
      if (!is_new) merge_into(at->second, asset);
    }
  std::vector<Asset> out;
  out.reserve(assets.size());
  for (auto& [mac, asset] : assets) out.push_back(std::move(asset));
  return out;
}

}  // namespace

FrameCounters EngineSnapshot::frames() const {
  FrameCounters sum;
  for (const InputSnapshot& input : inputs) sum += input.frames;
  return sum;
}

EngineSnapshot merge(std::span<const std::shared_ptr<const EngineSnapshot>> parts,
                     std::size_t top_flows) {
  if (parts.size() == 1) return *parts[0];
  EngineSnapshot out;
  for (const auto& part : parts) {
    out.time = std::max(out.time, part->time);
    out.last_frame = std::max(out.last_frame, part->last_frame);
    for (const InputSnapshot& input : part->inputs) add(out.inputs, input);
    out.flows_active += part->flows_active;
    out.flows_started += part->flows_started;
    for (std::size_t i = 0; i < out.flows_ended.size(); ++i)
      out.flows_ended[i] += part->flows_ended[i];
    out.top_flows.insert(out.top_flows.end(), part->top_flows.begin(), part->top_flows.end());
    add(out.protocols, part->protocols);
    add(out.errors, part->errors);
    add(out.streams, part->streams);
    merge_into(out.nics, part->nics);
    out.duplicates += part->duplicates;
    add(out.adopted, part->adopted);
    add(out.limits, part->limits);
  }
  const auto bytes = [](const Flow& flow) { return flow.bytes[0] + flow.bytes[1]; };
  std::stable_sort(out.top_flows.begin(), out.top_flows.end(),
                   [&](const Flow& a, const Flow& b) { return bytes(a) > bytes(b); });
  if (out.top_flows.size() > top_flows) out.top_flows.resize(top_flows);
  out.assets = by_mac(parts);
  return out;
}

}  // namespace vmirror
