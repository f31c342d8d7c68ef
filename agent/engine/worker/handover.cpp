#include "agent/engine/worker/handover.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "agent/engine/worker/snapshot.hpp"
#include "plugin/base/text.hpp"

namespace vmirror {
namespace {

constexpr std::size_t kHeadSize = 64 + 6 * 256;  ///< Of what is neither a flow nor an asset.

/// Two parts of one flow, each seen by another worker.
void join(HandedFlow& to, HandedFlow&& from) {
  Flow& flow = to.flow.flow;
  const Flow& other = from.flow.flow;
  const bool turned = to.flow.lesser_side != from.flow.lesser_side;
  for (std::size_t side = 0; side < 2; ++side) {
    const std::size_t theirs = turned ? 1 - side : side;
    if (flow.packets[side] == 0 && other.packets[theirs] > 0) flow.mac[side] = other.mac[theirs];
    flow.packets[side] += other.packets[theirs];
    flow.bytes[side] += other.bytes[theirs];
    flow.tcp_flags[side] |= other.tcp_flags[theirs];
    to.flow.reported_packets[side] += from.flow.reported_packets[theirs];
    to.flow.reported_bytes[side] += from.flow.reported_bytes[theirs];
  }
  flow.first = std::min(flow.first, other.first);
  flow.last = std::max(flow.last, other.last);
  if (to.application.empty()) to.application = std::move(from.application);
  if (!to.stream && !turned) to.stream = std::move(from.stream);
  if (to.memory.states.empty() && to.memory.joins.empty()) to.memory = std::move(from.memory);
  to.requests.insert(to.requests.end(), from.requests.begin(), from.requests.end());
}

}  // namespace

bool HandoverBudget::admit(HandedFlow& flow, LeftOut& left_out) {
  const std::size_t left = limits_.bytes - std::min(limits_.bytes, kHeadSize + bytes_);
  std::size_t size = encoded_size(flow);
  if (flows_ >= limits_.flows) size = left + 1;
  if (size > left && flow.stream && flows_ < limits_.flows) {
    flow.stream.reset();
    flow.requests.clear();
    flow.memory = {};
    size = encoded_size(flow);
    if (size <= left) ++left_out.streams;
  }
  if (size > left) {
    ++left_out.flows;
    return false;
  }
  bytes_ += size;
  ++flows_;
  return true;
}

bool HandoverBudget::admit(const Asset& asset, LeftOut& left_out) {
  const std::size_t size = encoded_size(asset);
  if (kHeadSize + bytes_ + size > limits_.bytes) {
    ++left_out.assets;
    return false;
  }
  bytes_ += size;
  return true;
}

Handover merge(std::vector<Handover> parts, const HandoverLimits& limits) {
  Handover out;
  std::map<AssetKey, Asset> assets;
  std::vector<HandedFlow> flows;
  for (Handover& part : parts) {
    out.left_out.flows += part.left_out.flows;
    out.left_out.streams += part.left_out.streams;
    for (const Asset& asset : part.assets) {
      const auto [at, is_new] = assets.try_emplace(asset.key(), asset);
      if (!is_new) merge_into(at->second, asset);
    }
    std::move(part.flows.begin(), part.flows.end(), std::back_inserter(flows));
    std::move(part.expectations.begin(), part.expectations.end(),
              std::back_inserter(out.expectations));
  }
  if (parts.size() > 1) {
    const auto key = [](const HandedFlow& f) {
      const FlowKey& k = f.flow.key;
      return std::tie(k.address, k.ports, k.ethertype, k.vlan, k.protocol, k.version, k.scope);
    };
    std::stable_sort(flows.begin(), flows.end(),
                     [&](const HandedFlow& a, const HandedFlow& b) { return key(a) < key(b); });
    std::size_t kept = 0;
    for (std::size_t i = 0; i < flows.size(); ++i) {
      if (kept > 0 && key(flows[kept - 1]) == key(flows[i])) {
        join(flows[kept - 1], std::move(flows[i]));
      } else if (kept++ != i) {
        flows[kept - 1] = std::move(flows[i]);
      }
    }
    flows.resize(kept);
    std::stable_sort(flows.begin(), flows.end(), [](const HandedFlow& a, const HandedFlow& b) {
      return a.flow.flow.last > b.flow.flow.last;
    });
  }
  HandoverBudget budget(limits);
  for (auto& [mac, asset] : assets)
    if (budget.admit(asset, out.left_out)) out.assets.push_back(std::move(asset));
  for (HandedFlow& flow : flows)
    if (budget.admit(flow, out.left_out)) out.flows.push_back(std::move(flow));
  return out;
}

namespace {

/// All times at which something of the guest's was seen.
template <typename Move>
void each_time(Handover& handover, const Move& move) {
  for (HandedFlow& handed : handover.flows) {
    move(handed.flow.flow.first);
    move(handed.flow.flow.last);
    for (HandedRequest& request : handed.requests) move(request.request.time);
    if (!handed.stream) continue;
    for (SavedSide& side : handed.stream->tcp) move(side.since);
  }
  for (Asset& asset : handover.assets) {
    move(asset.first);
    move(asset.last);
    for (AssetProperty& property : asset.properties) move(property.last);
  }
}

}  // namespace

void shift(Handover& handover, Time offset) {
  constexpr Time kMost = std::int64_t{1} << 61;
  offset = std::clamp(offset, -kMost, kMost);
  const auto move = [&](Time& time) {
    if (time != 0) time = std::clamp<Time>(std::clamp<Time>(time, 0, kMost) + offset, 0, kMost);
  };
  move(handover.time);
  for (SavedExpectation& expectation : handover.expectations) move(expectation.until);
  each_time(handover, move);
}

void settle(Handover& handover, Time now) {
  for (HandedFlow& handed : handover.flows) {
    Flow& flow = handed.flow.flow;
    if (is_ahead(flow.last, now)) flow.first = std::max<Time>(0, flow.first - (flow.last - now));
  }
  each_time(handover, [now](Time& time) { time = as_of(time, now); });
}

HandoverResult result_of(const Handover& handover, HandoverResult::State state,
                         std::uint64_t bytes) {
  HandoverResult out;
  out.state = state;
  out.flows = handover.flows.size();
  out.assets = handover.assets.size();
  out.bytes = bytes;
  for (const HandedFlow& flow : handover.flows) out.streams += flow.stream.has_value();
  const auto say = [&](const std::string& what) {
    out.reason += (out.reason.empty() ? "" : "; ") + what;
  };
  const LeftOut& left = handover.left_out;
  if (left.flows > 0) say(count(left.flows, "flow") + " left out: over the handover's bound");
  if (left.streams > 0)
    say(count(left.streams, "flow") + " without what was read of them: over the handover's bytes");
  if (left.assets > 0) say(count(left.assets, "asset") + " left out: over the handover's bytes");
  if (handover.workers_missing > 0)
    say(count(handover.workers_missing, "worker") + " did not answer in time");
  return out;
}

}  // namespace vmirror
