// Guests that come and go: what a pipeline knows of one is copied out, ends here, or goes on here.
#include <algorithm>
#include <unordered_map>
#include <utility>

#include "agent/engine/worker/pipeline_state.hpp"

namespace vmirror {
namespace {

constexpr std::uint32_t kAtOnce = 256;  ///< Flows that end before their reports are written.

bool is_tcp(const FlowKey& key) {
  return key.version != 0 && key.protocol == ip_protocol::kTcp;
}

/// What the destination is to read the flow as; kUndecided and up while it is still looked for.
DissectorId dissector_of(const Dissectors& dissectors, const HandedFlow& given) {
  if (!given.application.empty()) {
    const Carrier carrier = is_tcp(given.flow.key) ? Carrier::stream : Carrier::datagram;
    DissectorId id = dissectors.find(given.application, carrier);
    if (id == kNoDissector && given.done) id = dissectors.find(given.application, Carrier::inside);
    return given.done && id != kNoDissector ? id | kDone : id;
  }
  if (!given.probed) return kNoDissector;
  return static_cast<DissectorId>(kUndecided + std::min<int>(*given.probed, kProbedPayloads - 1));
}

bool is_one_of(std::span<const Mac> macs, const Mac& mac) {
  return std::find(macs.begin(), macs.end(), mac) != macs.end();
}

}  // namespace

// ---- The source

/// The flow at this place, without its requests.
HandedFlow Pipeline::State::hand(std::uint32_t place) {
  HandedFlow out;
  out.flow = flows.save(place);
  const FlowTable::Entry& entry = std::as_const(flows).entry(place);
  if (reading) out.memory = reading->dissection.save_memory(flows.id(place));
  if (!reading || entry.dissector == kNoDissector) return out;
  if (const char* name = reading->dissectors->name(entry.dissector)) out.application = name;
  out.done = is_done(entry.dissector);
  if (is_undecided(entry.dissector))
    out.probed = static_cast<std::uint8_t>(entry.dissector - kUndecided);
  if (entry.stream != 0) out.stream = reading->streams.save(entry.stream);
  return out;
}

Handover Pipeline::take(std::span<const Mac> macs, const HandoverLimits& limits) {
  State& s = *state_;
  const auto [places, all] = s.flows.of(macs, limits.flows);
  std::unordered_map<std::uint64_t, std::vector<HandedRequest>> requests;
  if (s.reading) {
    for (const std::uint32_t place : places) requests[s.flows.id(place)];
    const auto wanted = [&](std::uint64_t flow) { return requests.contains(flow); };
    for (const Requests::Pending& p : s.reading->dissection.requests().of(wanted))
      requests[p.flow].push_back({p.key, p.request});
  }
  Handover out;
  out.left_out.flows = all - places.size();
  HandoverBudget budget(limits);
  for (const std::uint32_t place : places) {
    HandedFlow flow = s.hand(place);
    if (s.reading) flow.requests = std::move(requests[s.flows.id(place)]);
    if (budget.admit(flow, out.left_out)) out.flows.push_back(std::move(flow));
  }
  for (const Mac& mac : macs) {
    for (Asset& asset : s.inventory.of(mac)) {
      asset.vendor.clear();
      if (s.reading)
        for (SavedExpectation& each : s.reading->dissection.save_expectations(asset.ips))
          out.expectations.push_back(std::move(each));
      out.assets.push_back(std::move(asset));
    }
  }
  return out;
}

void Pipeline::let_go(std::span<const Mac> macs) {
  State& s = *state_;
  for (const auto& [adoption, since] : s.adoptions) {
    const std::vector<Mac>& given = adoption->handover().macs;
    if (std::none_of(given.begin(), given.end(), [&](const Mac& m) { return is_one_of(macs, m); }))
      continue;
    for (std::size_t i = 0; i < adoption->handover().flows.size(); ++i)
      if (adoption->claim(i) != nullptr) ++s.adopted.forgotten;
  }
  std::vector<std::uint32_t> places = s.flows.of(macs, FlowTable::kMostFlows).first;
  std::erase_if(places, [&](std::uint32_t place) {
    const std::array<Mac, 2>& ends = std::as_const(s.flows).entry(place).mac;
    return std::any_of(ends.begin(), ends.end(), [&](const Mac& end) {
      return !is_one_of(macs, end) && s.coverage.watches(end);
    });
  });
  if (s.reading && !places.empty()) {
    std::unordered_map<std::uint64_t, bool> ids;
    for (const std::uint32_t place : places) ids.emplace(s.flows.id(place), true);
    s.reading->dissection.requests().give_away(
        [&](std::uint64_t flow) { return ids.contains(flow); });
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    s.flows.move_away(places[i]);
    if (i % kAtOnce == kAtOnce - 1) s.fold_flow_reports();
  }
  s.fold_flow_reports();
  s.eve.settle(s.last_frame);
}

// ---- The destination

void Pipeline::adopt(std::shared_ptr<Adoption> adoption) {
  State& s = *state_;
  if (adoption->claim_assets())
    for (const Asset& asset : adoption->handover().assets) {
      s.inventory.adopt(asset);
      if (s.findings) s.findings->know_device(asset.mac, asset.scope);
    }
  if (s.findings)  // Conversations that go on are no news.
    for (const HandedFlow& each : adoption->handover().flows) {
      const Flow& flow = each.flow.flow;
      s.findings->know_master(flow.ip[0], flow.ip[1], flow.scope);
    }
  if (s.reading)
    for (const SavedExpectation& each : adoption->handover().expectations)
      s.reading->dissection.restore(each);
  std::unordered_map<std::uint64_t, std::uint64_t> renamed;  // Flows that began here already.
  const std::vector<HandedFlow>& given = adoption->handover().flows;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const std::uint32_t place = s.flows.find(given[i].flow.key);
    if (place == FlowTable::kNone || adoption->claim(i) == nullptr) continue;
    const std::uint64_t before = s.flows.id(place);
    s.go_on(place, given[i], adoption->came());
    if (s.flows.id(place) == before) continue;
    renamed.emplace(before, s.flows.id(place));
    if (s.reading) s.reading->dissection.forget(before);
  }
  if (s.reading && !renamed.empty()) {
    Requests& requests = s.reading->dissection.requests();
    const auto is_renamed = [&](std::uint64_t flow) { return renamed.contains(flow); };
    const std::vector<Requests::Pending> pending = requests.of(is_renamed);
    requests.give_away(is_renamed);
    for (const Requests::Pending& p : pending) requests.ask(renamed[p.flow], p.key, p.request);
  }
  const Time came = adoption->came();
  s.adoptions.push_back({std::move(adoption), came});
}

/// A flow begins here: does it go on? True: its client and server are the other way round.
bool Pipeline::State::go_on(std::uint32_t place, Time now) {
  bool turned = false;
  for (const auto& [adoption, since] : adoptions)
    if (const HandedFlow* given = adoption->claim(std::as_const(flows).entry(place).key))
      turned ^= go_on(place, *given, now);
  return turned;
}

bool Pipeline::State::go_on(std::uint32_t place, const HandedFlow& given, Time now) {
  bool turned = false;
  switch (flows.join(place, given.flow, now, turned)) {
    case FlowTable::Join::over:
      ++adopted.over;
      end_adopted(given, FlowEnd::closed);
      return false;
    case FlowTable::Join::one:
      ++adopted.continued;
      break;
    case FlowTable::Join::both:
      ++adopted.both;
      break;
  }
  FlowTable::Entry& entry = flows.entry(place);
  if (turned && entry.stream != 0) reading->streams.turn(entry.stream);
  if (reading) adopt_reading(entry, flows.id(place), given);
  return turned;
}

/// What was read of the flow there, so that reading goes on here.
void Pipeline::State::adopt_reading(FlowTable::Entry& entry, std::uint64_t id,
                                    const HandedFlow& given) {
  const DissectorId dissector = dissector_of(*reading->dissectors, given);
  Streams& streams = reading->streams;
  if (given.stream && is_tcp(entry.key) && dissector != kNoDissector) {
    if (entry.stream == 0 && (entry.dissector != kNoDissector || is_decided(dissector)))
      entry.stream = streams.open(dissector);
    if (entry.stream != 0) {
      streams.adopt(entry.stream, dissector, *given.stream);
      entry.dissector = streams.dissector(entry.stream);
      ++adopted.streams;
    }
  } else if (!is_decided(entry.dissector) && entry.stream == 0 &&
             (is_decided(dissector) || is_done(dissector))) {
    entry.dissector = dissector;
  }
  reading->dissection.restore_memory(id, given.memory);
  for (const HandedRequest& request : given.requests)
    reading->dissection.requests().ask(id, request.key, request.request);
}

/// A flow that was given and does not go on here.
void Pipeline::State::end_adopted(const HandedFlow& given, FlowEnd end) {
  Flow flow = given.flow.flow;
  const bool closed = flow.tcp == TcpState::closed || flow.tcp == TcpState::reset;
  flow.end = closed ? FlowEnd::closed : end;
  std::array<std::uint64_t, 2> packets, bytes;
  for (std::size_t side = 0; side < 2; ++side) {
    packets[side] = flow.packets[side] - given.flow.reported_packets[side];
    bytes[side] = flow.bytes[side] - given.flow.reported_bytes[side];
  }
  inventory.flow_reported(flow, packets, bytes);
  if (!eve.flows()) return;
  if (reading)
    flow.application = reading->dissectors->name(dissector_of(*reading->dissectors, given));
  write(flow);
}

/// Once a second: ends what waited for its timeout, lets go of what has nothing left. The clock may
/// be set back while it waits.
void Pipeline::State::expire_adoptions(Time now) {
  if (now - adoptions_expired < kSecond && now >= adoptions_expired) return;
  adoptions_expired = now;
  for (Adopted& each : adoptions) each.since = as_of(each.since, now);
  std::erase_if(adoptions, [&](const Adopted& each) {
    const auto& [adoption, since] = each;
    const std::vector<HandedFlow>& given = adoption->handover().flows;
    for (std::size_t i = 0; i < given.size(); ++i) {
      if (adoption->is_claimed(i)) continue;
      const Time last = std::min(given[i].flow.flow.last, since);
      if (now - last <= flows.timeout(given[i].flow)) continue;
      if (adoption->claim(i) == nullptr) continue;
      ++adopted.idle;
      end_adopted(given[i], FlowEnd::idle);
      eve.settle(now);
    }
    if (adoption->waiting() > 0) return false;
    adoption->leave();
    return true;
  });
}

/// At the worker's end. Flows that still wait are reported by the last worker that could have
/// taken them.
void Pipeline::State::leave_adoptions() {
  for (const auto& [adoption, since] : adoptions) {
    if (!adoption->leave()) continue;
    for (std::size_t i = 0; i < adoption->handover().flows.size(); ++i) {
      const HandedFlow* given = adoption->claim(i);
      if (given == nullptr) continue;
      ++adopted.flushed;
      end_adopted(*given, FlowEnd::flushed);
      eve.settle(last_frame);
    }
  }
  adoptions.clear();
}

}  // namespace vmirror
