// What a pipeline tells of itself, slice by slice.
#include <algorithm>
#include <cstdio>
#include <utility>

#include "agent/engine/worker/pipeline_state.hpp"

namespace vmirror {

std::vector<ProtocolSnapshot> Pipeline::State::protocols() const {
  std::vector<ProtocolSnapshot> out;
  if (!reading) return out;
  const auto of = [&](std::string_view name) -> ProtocolSnapshot& {
    for (ProtocolSnapshot& p : out)
      if (p.name == name) return p;
    out.push_back({std::string(name), 0, 0, 0});
    return out.back();
  };
  for (std::size_t id = 1; id <= reading->dissectors->size(); ++id) {
    const auto dissector = static_cast<DissectorId>(id);
    const DissectorCounters& c = reading->dissection.counters(dissector);
    ProtocolSnapshot& p = of(reading->dissectors->name(dissector));
    for (const std::uint64_t n : c.malformed) p.malformed += n;
    p.cut += c.cut;
  }
  for (const auto& [name, number] : records) of(name).records += number;
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

std::vector<Limit> Pipeline::State::limits(std::size_t sessions) {
  const auto ended = [&](FlowEnd end) {
    return flows.counters().ended[static_cast<std::size_t>(end)];
  };
  const InventoryCounters& assets = inventory.counters();
  const Decapsulator::FragmentUse fragments = decap.fragments();
  constexpr bool kEach = true;
  std::vector<Limit> out = {
      {"flows", "flows", flows.capacity(), flows.active(), ended(FlowEnd::evicted)},
      {"assets", "assets", options.inventory.max_assets, inventory.size(), assets.evicted},
      {"asset_ips", "IP addresses of an asset", options.inventory.max_ips, assets.ips.most,
       assets.ips.overflow, kEach},
      {"asset_vlans", "VLANs of an asset", options.inventory.max_vlans, assets.vlans.most,
       assets.vlans.overflow, kEach},
      {"asset_properties", "properties of an asset", options.inventory.max_properties,
       assets.properties.most, assets.properties.overflow, kEach},
      {"fragments", "outer datagrams", options.decap.max_datagrams, fragments.datagrams,
       fragments.too_many},
      {"fragment_bytes", "bytes of outer datagrams", options.decap.max_fragment_bytes,
       fragments.bytes, fragments.too_large},
      {"sessions", "mirroring sessions", Decapsulator::kMaxSessions, sessions,
       decap.sessions_overflowed()},
  };
  if (findings) {
    for (const Findings::Use& each : findings->uses())
      out.push_back({each.name, each.unit, each.use.count, each.use.used, each.use.gave_way});
    if (own_baseline) out.push_back(limit_of(findings->baseline()));
  }
  if (options.decap.own_tunnels)
    out.push_back({"own_tunnels", "tunnels of guests", kMostOwnTunnels, own_tunnels.use().used,
                   own_tunnels.use().gave_way});
  if (!reading) return out;
  out.push_back(
      {"clocks", "clocks that are heard", Clocks::kRows, clocks.use().used, clocks.use().gave_way});
  const Reassembler& reassembler = reading->streams.reassembler();
  const Requests& requests = reading->dissection.requests();
  out.push_back({"streams", "TCP flows", reading->streams.capacity(), reading->streams.used(),
                 reading->streams.overflowed()});
  out.push_back({"segments", "chunks", options.reassembly.chunks, reassembler.chunks_in_use(),
                 reassembler.counters().limit_chunks});
  const Fragments::Use guest_fragments = reading->fragments.use();
  constexpr FragmentLimits kGuests;
  out.push_back({"guest_fragments", "datagrams", kGuests.datagrams, guest_fragments.datagrams,
                 guest_fragments.too_many});
  out.push_back({"guest_fragment_bytes", "bytes of datagrams", kGuests.bytes, guest_fragments.bytes,
                 guest_fragments.too_large});
  const auto add_buffers = [&](const char* name, std::uint32_t size, const BufferUse& of) {
    out.push_back(
        {name, "buffers of " + std::to_string(size) + " bytes", of.count, of.used, of.refused});
  };
  add_buffers("messages", Buffers::kSmall, reading->dissection.buffers().small());
  add_buffers("large_messages", Buffers::kLarge, reading->dissection.buffers().large());
  out.push_back({"requests", "requests", Requests::kCapacity, requests.pending(),
                 requests.counters().gave_way});
  const auto add_lent = [&](const char* name, const char* unit, const LentUse& of) {
    out.push_back({name, unit, of.count, of.used, of.gave_way});
  };
  add_lent("states", "states of dissectors", reading->dissection.states());
  add_lent("joins", "messages in parts", reading->dissection.joins());
  add_lent("expectations", "announced ports", reading->dissection.expectations());
  out.push_back({"inside", "protocols inside another", Dissection::kMaxInside,
                 reading->dissection.inside().most, reading->dissection.inside().refused, kEach});
  const auto add_facts = [&](const char* name, const char* unit, std::size_t limit,
                             Facts::Part part) {
    out.push_back(
        {name, unit, limit, reading->facts.most(part), reading->facts.overflowed(part), kEach});
  };
  add_facts("fields", "fields of a frame's records", Facts::kMaxFields, Facts::Part::fields);
  add_facts("records", "records of a frame", Facts::kMaxRecords, Facts::Part::records);
  add_facts("facts", "facts of a frame", Facts::kMaxFacts, Facts::Part::facts);
  add_facts("acts", "acts of a frame", Facts::kMaxActs, Facts::Part::acts);
  add_facts("clock_readings", "clock readings of a frame", Facts::kMaxClocks, Facts::Part::clocks);
  add_facts("text_bytes", "bytes of a frame's made text", Facts::kKeepBytes, Facts::Part::bytes);
  return out;
}

std::vector<NamedCount> Pipeline::State::stream_counts() const {
  if (!reading) return {};
  const ReassemblyCounters& c = reading->streams.reassembler().counters();
  const auto sum = [&](std::uint64_t DissectorCounters::*counter) {
    std::uint64_t out = 0;
    for (std::size_t id = 1; id <= reading->dissectors->size(); ++id)
      out += reading->dissection.counters(static_cast<DissectorId>(id)).*counter;
    return out;
  };
  return {{"segments", c.segments},
          {"out_of_order", c.out_of_order},
          {"retransmitted", c.retransmitted},
          {"overlapped_bytes", c.overlapped_bytes},
          {"gaps", c.gaps},
          {"gap_bytes", c.gap_bytes},
          {"truncated_bytes", c.truncated_bytes},
          {"midstream", c.midstream},
          {"out_of_window", c.out_of_window},
          {"messages_lost", sum(&DissectorCounters::lost)},
          {"skipped_bytes", sum(&DissectorCounters::skipped_bytes)},
          {"parts_lost", sum(&DissectorCounters::lost_parts)},
          {"parts_unread", sum(&DissectorCounters::unread_parts)},
          {"fragments_given_up", reading->fragments_given_up}};
}

std::vector<NamedCount> Pipeline::State::adopted_counts() const {
  const AdoptionCounters& c = adopted;
  return {{"continued", c.continued}, {"both", c.both},       {"over", c.over},
          {"idle", c.idle},           {"flushed", c.flushed}, {"forgotten", c.forgotten},
          {"streams", c.streams}};
}

std::vector<NamedCount> Pipeline::State::errors() const {
  std::vector<NamedCount> out;
  for (std::size_t i = 1; i < kHeaderErrors; ++i)
    if (header_errors[i] > 0)
      out.push_back({to_text(static_cast<HeaderError>(i)), header_errors[i]});
  for (std::size_t i = 1; i < kDecapErrors; ++i)
    if (decap.errors()[i] > 0)
      out.push_back({to_text(static_cast<DecapError>(i)), decap.errors()[i]});
  if (too_deep > 0) out.push_back({to_text(Drop::nesting_too_deep), too_deep});
  return out;
}

std::vector<NamedCount> Pipeline::State::not_understood() const {
  std::vector<NamedCount> out;
  const auto add = [&](const char* kind, const NumberCounts& from, bool hexadecimal) {
    for (const auto& [number, frames] : from.counts()) {
      char name[40];
      std::snprintf(name, sizeof name, hexadecimal ? "%s 0x%04x" : "%s %u", kind, unsigned{number});
      out.push_back({name, frames});
    }
    if (from.others() > 0) out.push_back({std::string(kind) + " others", from.others()});
  };
  add("ethertype", ethertypes, true);
  add("llc_sap", llc_saps, true);
  add("snap_protocol", snap_protocols, true);
  add("ip_protocol", ip_protocols, false);
  add("gre_protocol", decap.gre_unknown(), true);
  return out;
}

EngineCounters Pipeline::known(Time time) const {
  State& s = *state_;
  EngineCounters out;
  out.time = time;
  out.last_frame = s.last_frame;
  InputSnapshot& input = out.inputs.emplace_back();
  input.name = s.options.input_name;
  input.frames = s.counters;
  input.decapsulated = s.decap.taken_off();
  input.sessions = s.decap.sessions();
  input.senders = s.decap.senders();
  out.flows_active = s.flows.active();
  out.flows_started = s.flows.counters().started;
  out.flows_ended = s.flows.counters().ended;
  out.assets_known = s.inventory.size();
  out.protocols = s.protocols();
  out.errors = s.errors();
  out.not_understood = s.not_understood();
  out.streams = s.stream_counts();
  out.duplicates = s.coverage.duplicates();
  out.clocks = s.clocks.rows();
  out.adopted = s.adopted_counts();
  if (s.findings) {
    for (const FindingRule& rule : finding_rules())
      out.findings_begun.push_back(
          {rule.id, s.findings->counts()[static_cast<std::size_t>(rule.kind)]});
    out.learns_until = s.findings->baseline().learns_until();
  }
  out.limits = s.limits(input.sessions.size());
  return out;
}

std::vector<std::uint32_t> Pipeline::top_flows() const {
  return state_->flows.top(state_->options.top_flows);
}

void Pipeline::add_flows(std::span<const std::uint32_t> places, std::vector<Flow>& to) const {
  const State& s = *state_;
  for (const std::uint32_t place : places) {
    if (!s.flows.is_active(place)) continue;
    Flow& flow = to.emplace_back(s.flows.flow(place));
    const FlowTable::Entry& entry = std::as_const(s.flows).entry(place);
    if (s.reading) flow.application = s.application(flow.protocol, entry.dissector, entry.stream);
  }
}

std::size_t Pipeline::add_asset_keys(std::size_t from, std::size_t count,
                                     std::vector<AssetKey>& to) const {
  return state_->inventory.page_of_keys(from, count, to);
}

std::size_t Pipeline::add_assets(std::size_t from, std::size_t work, std::vector<Asset>& to) const {
  const State& s = *state_;
  const std::size_t before = to.size();
  const std::size_t next = s.inventory.page(from, work, to);
  for (Asset& asset : std::span(to).subspan(before)) asset.vm = s.guest_of(asset).vm;
  return next;
}

void Pipeline::add_findings(std::vector<Finding>& to) const {
  if (state_->findings) state_->findings->all(to);
}

EngineSnapshot Pipeline::snapshot(Time time) const {
  EngineSnapshot out{known(time), {}, {}, state_->coverage.frames(), {}};
  add_findings(out.findings);
  sort_by_last(out.findings);
  add_flows(top_flows(), out.top_flows);
  for (std::size_t from = 0; (from = add_assets(from, ~std::size_t{0}, out.assets)) != 0;) continue;
  sort_by_key(out.assets);
  return out;
}

}  // namespace vmirror
