#include "agent/engine/worker/snapshot.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
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
          return p.attribute == property.attribute && p.value == property.value &&
                 p.station == property.station;
        });
    if (at == to.properties.end()) {
      to.properties.push_back(property);
    } else {
      at->last = std::max(at->last, property.last);
      at->confidence = std::max(at->confidence, property.confidence);
    }
  }
  to.router |= from.router;
  to.first = std::min(to.first, from.first);
  to.last = std::max(to.last, from.last);
  to.packets += from.packets;
  to.bytes += from.bytes;
}

void merge_into(std::vector<NicFrames>& to, std::vector<NicFrames> from) {
  if (to.empty()) {
    to = std::move(from);
    return;
  }
  std::vector<NicFrames> out;
  out.reserve(std::max(to.size(), from.size()));
  auto at = to.begin();
  for (NicFrames& nic : from) {
    while (at != to.end() && at->at < nic.at) out.push_back(std::move(*at++));
    if (at != to.end() && at->at == nic.at) {
      out.push_back(std::move(*at++));
      out.back() += nic;
    } else {
      out.push_back(std::move(nic));
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
    if (limit.each) {
      at->used = std::max(at->used, limit.used);
    } else {
      at->limit += limit.limit;
      at->used += limit.used;
    }
    at->overflow += limit.overflow;
  }
}

/// Widens from..to to that of one more part.
template <typename Slice>
void add_times(Slice& to, const Slice& from, bool first) {
  to.from = first ? from.from : std::min(to.from, from.from);
  to.to = std::max(to.to, from.to);
}

/// Adds one part's; what it has twice gave way and came back meanwhile.
void add_assets(std::map<AssetKey, Asset>& all, const std::vector<Asset>& part) {
  std::map<AssetKey, const Asset*> latest;
  for (const Asset& asset : part) latest[asset.key()] = &asset;
  for (const auto& [key, asset] : latest) {
    const auto [at, is_new] = all.try_emplace(key, *asset);
    if (!is_new) merge_into(at->second, *asset);
  }
}

}  // namespace

Limit limit_of(const Baseline& baseline) {
  return {"finding_baseline", "devices and pairs that were seen before", baseline.capacity(),
          baseline.used(), baseline.overflowed()};
}

FrameCounters EngineCounters::frames() const {
  FrameCounters sum;
  for (const InputSnapshot& input : inputs) sum += input.frames;
  return sum;
}

std::map<CopiesKey, Copies> copies(const EngineCounters& counters) {
  std::map<CopiesKey, Copies> out;
  for (const InputSnapshot& input : counters.inputs)
    for (const SessionCounters& s : input.sessions) {
      if (!s.accepted) continue;
      Copies& to = out[{s.encapsulation, s.session, s.sender}];
      to.received += s.received;
      // Else the loss is the sender's, of all its sessions together, or not known.
      if (s.rule == SequenceRule::session) to.lost += s.sequence.lost;
      to.last = std::max(to.last, s.last);
    }
  return out;
}

EngineCounters merge(std::span<const std::shared_ptr<const EngineCounters>> parts) {
  if (parts.size() == 1) return *parts[0];
  EngineCounters out;
  for (const auto& part : parts) {
    out.time = out.time == 0 ? part->time : std::min(out.time, part->time);
    out.last_frame = std::max(out.last_frame, part->last_frame);
    for (const InputSnapshot& input : part->inputs) add(out.inputs, input);
    out.flows_active += part->flows_active;
    out.flows_started += part->flows_started;
    for (std::size_t i = 0; i < out.flows_ended.size(); ++i)
      out.flows_ended[i] += part->flows_ended[i];
    out.assets_known += part->assets_known;
    add(out.protocols, part->protocols);
    add(out.errors, part->errors);
    add(out.not_understood, part->not_understood);
    add(out.streams, part->streams);
    merge_into(out.clocks, part->clocks);
    out.duplicates += part->duplicates;
    add(out.adopted, part->adopted);
    add(out.findings_begun, part->findings_begun);
    out.learns_until = std::max(out.learns_until, part->learns_until);
    add(out.limits, part->limits);
  }
  return out;
}

std::size_t distinct(std::span<const std::shared_ptr<const KnownAssets>> parts) {
  std::vector<AssetKey> all;
  for (const auto& part : parts)
    if (part) all.insert(all.end(), part->keys.begin(), part->keys.end());
  std::ranges::sort(all);
  return static_cast<std::size_t>(std::unique(all.begin(), all.end()) - all.begin());
}

TopFlows merge(std::span<const std::shared_ptr<const TopFlows>> parts, std::size_t count) {
  TopFlows out;
  for (const auto& part : parts) {
    if (!part) {
      ++out.workers_missing;
      continue;
    }
    add_times(out, *part, out.from == 0);
    out.flows.insert(out.flows.end(), part->flows.begin(), part->flows.end());
  }
  const auto bytes = [](const Flow& flow) { return flow.bytes[0] + flow.bytes[1]; };
  std::ranges::stable_sort(out.flows, std::greater<>(), bytes);
  if (out.flows.size() > count) out.flows.resize(count);
  return out;
}

AssetList merge(std::span<const std::shared_ptr<const AssetList>> parts) {
  AssetList out;
  std::map<AssetKey, Asset> assets;
  for (const auto& part : parts) {
    if (!part) {
      ++out.workers_missing;
      continue;
    }
    add_times(out, *part, out.from == 0);
    add_assets(assets, part->assets);
  }
  out.assets.reserve(assets.size());
  for (auto& [key, asset] : assets) out.assets.push_back(std::move(asset));
  return out;
}

namespace {

auto order_of(const FindingKey& key) {
  const auto subject = [](const Subject& s) {
    return std::tuple(s.mac, s.ip, s.station.kind, s.station.number);
  };
  return std::tuple(key.kind, key.scope, subject(key.on), subject(key.by),
                    std::string_view(key.source));
}

}  // namespace

void sort_by_last(std::vector<Finding>& findings) {
  std::ranges::sort(findings, [](const Finding& a, const Finding& b) {
    return a.last != b.last ? a.last > b.last : order_of(a.key) < order_of(b.key);
  });
}

FindingList merge(std::span<const std::shared_ptr<const FindingList>> parts) {
  FindingList out;
  std::vector<Finding> all;
  for (const auto& part : parts) {
    if (!part) {
      ++out.workers_missing;
      continue;
    }
    add_times(out, *part, out.from == 0);
    all.insert(all.end(), part->findings.begin(), part->findings.end());
  }
  std::ranges::sort(all, {}, [](const Finding& f) { return order_of(f.key); });
  for (const Finding& finding : all) {
    if (out.findings.empty() || !(out.findings.back().key == finding.key)) {
      out.findings.push_back(finding);
      continue;
    }
    Finding& row = out.findings.back();
    row.first = std::min(row.first, finding.first);
    row.last = std::max(row.last, finding.last);
    row.count += finding.count;
  }
  sort_by_last(out.findings);
  return out;
}

}  // namespace vmirror
