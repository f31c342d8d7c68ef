// One batch, in groups of kGroup frames, each group in three stages:
//
//   take in   headers, decapsulation, the flow's key       every frame of the group
//   locate    the flow's entry                             ...
//   analyse   the flow's counters, then what is asked for: messages, coverage, re-injection
//
// What the first two stages ask the memory for is there when the next one comes.
#include "agent/engine/worker/pipeline.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "agent/engine/worker/pipeline_state.hpp"

namespace vmirror {

// ---- Stage one

inline void Pipeline::State::take_in(const Frame& frame) {
  Item& item = items[count];
  item.is_counted = false;
  counters.received_bytes += frame.wire_size;
  const std::uint64_t analysed_before = counters.analysed;
  bool borrowed = false;
  Shortcut shortcut = Shortcut::none;
  if (may_be_erspan2(frame) && !options.decap.own_tunnels)
    shortcut = take_known(envelopes, frame, item.inner, item.packet, item.origin);
  if (shortcut == Shortcut::whole) {
    ++counters.analysed;
    item.frame = &item.inner;
  } else {
    if (shortcut == Shortcut::none)
      new (&item.packet) Packet(parse_packet(frame.bytes, frame.link, frame.stripped));
    if (item.packet.error == HeaderError::link_truncated) [[unlikely]] {
      counters.drop(Drop::short_frame);
      return;
    }
    if (shortcut == Shortcut::outermost ||
        may_be_encapsulated(item.packet, options.decap.udp, options.decap.rspan_vlan) ||
        !options.decap.accept_bare) {
      if (!take_off(frame, item, shortcut == Shortcut::outermost)) return;
      const std::uint8_t* at = item.inner.bytes.data();
      borrowed = at < frame.bytes.data() || at >= frame.bytes.data() + frame.bytes.size();
    } else {
      ++counters.analysed;
      item.frame = &frame;
      if (item.origin.depth != 0) item.origin = {};
      item.origin.direction = frame.direction;
    }
  }
  if (filter.active() && !filter.wants(*item.frame, item.packet))
    return filter_out(item, counters.analysed - analysed_before);
  flows.prepare(item.probe, *item.frame, item.packet);
  if (const Scope scope = scope_of(item)) flows.set_scope(item.probe, scope);
  // A buffer of the decapsulator's is good until the next frame only.
  if (++count == kGroup || borrowed) run_group();
}

/// The encapsulations of a frame. `known`: its outermost is off already. False: there is nothing
/// to analyse. Not inlined: the result of the decapsulator holds arrays, and a function with arrays
/// has a stack protector, which bare frames need not pay for.
[[gnu::noinline]] bool Pipeline::State::take_off(const Frame& frame, Item& item, bool known) {
  if (options.decap.own_tunnels) return unwrap_own(frame, item);
  return unwrap(known ? decap.take_inner(frame, item.inner, item.packet, item.origin)
                      : decap.take(frame, item.packet),
                item);
}

/// Most frames have none, unless the input gives each a scope.
inline Scope Pipeline::State::scope_of(const Item& item) {
  if (item.in_own_tunnel()) [[unlikely]]
    return own_scope_of(item);
  if (item.packet.tag_count < 2 && item.origin.depth == 0 && !options.identity.input) return 0;
  return vmirror::scope_of(options.identity, *item.frame, item.packet, item.origin);
}

/// Of what a guest's own tunnel carries, which names the guest by the outermost addresses.
[[gnu::noinline]] Scope Pipeline::State::own_scope_of(const Item& item) {
  const Scope inner = vmirror::scope_of(options.identity, *item.frame, item.packet, item.origin);
  const Scope out = own_tunnel_scope(item.outermost[0], item.outermost[1], inner);
  *own_tunnels.take(out, 0, [](OwnTunnel&) {}) = {item.outermost, item.outermost_vlan};
  return out;
}

/// What the decapsulator made of a frame. False: there is nothing to analyse.
bool Pipeline::State::unwrap(const Decapsulated& taken, Item& item) {
  if (taken.status == Decapsulated::Status::held) {
    ++counters.held;
    return false;
  }
  counters.held += 1;  // This one, until what it settles is taken away again.
  counters.held -= taken.frames;
  if (taken.status == Decapsulated::Status::drop) {
    counters.drop(taken.drop, taken.frames);
    return false;
  }
  counters.analysed += taken.frames;
  item.inner = taken.frame;
  item.frame = &item.inner;
  item.packet = taken.packet;
  item.origin = taken.origin;
  return true;
}

/// A guest's own tunnel, or what looks so: what the inside says of MACs counts for no NIC, and
/// no nest is so deep, and no header so broken, that its frame is not analysed.
[[gnu::noinline]] bool Pipeline::State::unwrap_own(const Frame& frame, Item& item) {
  const Packet outermost = item.packet;
  if (coverage.watching()) coverage.count(frame, outermost);
  item.is_counted = true;
  if (outermost.has_macs)
    item.outermost = {outermost.source_mac(frame.bytes), outermost.destination_mac(frame.bytes)};
  item.outermost_vlan = outermost.vlan();
  Decapsulated taken = decap.take(frame, outermost);
  const bool unread = taken.drop == Drop::decap_truncated || taken.drop == Drop::decap_malformed ||
                      taken.drop == Drop::decap_unsupported || taken.drop == Drop::nesting_too_deep;
  if (taken.status == Decapsulated::Status::drop && unread) {
    if (taken.drop == Drop::nesting_too_deep && options.decap.max_depth > 0) ++too_deep;
    taken.status = Decapsulated::Status::frame;
    taken.frame = frame;
    taken.packet = outermost;
    taken.origin = {};
    taken.origin.direction = frame.direction;
  }
  return unwrap(taken, item);
}

/// The switch copied it all the same: it counts for coverage.
void Pipeline::State::filter_out(const Item& item, std::uint64_t frames) {
  counters.analysed -= frames;
  counters.drop(Drop::filtered, frames);
  if (coverage.watching() && !item.is_counted) coverage.count(*item.frame, item.packet);
}

// ---- Stages two and three

void Pipeline::State::run_group() {
  for (std::size_t i = 0; i < count; ++i) flows.locate(items[i].probe);
  for (std::size_t i = 0; i < count; ++i) analyse(items[i]);
  count = 0;
  if (!flows.reports().empty()) fold_flow_reports();
}

inline void Pipeline::State::analyse(Item& item) {
  FlowTable::Entry& entry = flows.update(item.probe, *item.frame, item.packet, item.origin);
  if (item.probe.started)
    begin_flow(item, entry);
  else if (item.probe.other_sender || entry.packets[item.probe.side] == 1)
    note_sender(item, entry);
  if (item.packet.error != HeaderError::none)
    ++header_errors[static_cast<std::size_t>(item.packet.error)];
  if (reading) read(item, entry);
  if (options.observer != nullptr) [[unlikely]]
    options.observer->analysed(*item.frame, item.packet, item.origin, flows.id(item.probe.entry),
                               reading ? &reading->facts : nullptr);
  if (item.packet.error != HeaderError::none && reading) [[unlikely]]
    note_anomaly(item);
  if (reading && !reading->facts.empty()) tell(item, entry);
  if (coverage.watching() && !item.is_counted) coverage.count(*item.frame, item.packet);
  if (options.reinject != nullptr && item.origin.depth > 0)
    options.reinject->add(*item.frame, item.origin);
}

/// Headers that the mirror cut are no fault of their sender.
[[gnu::noinline]] void Pipeline::State::note_anomaly(const Item& item) {
  if (item.origin.truncated || is_cut(*item.frame, item.packet)) return;
  reading->facts.record(kAnomaly);
  reading->facts.add("type", "decode");
  reading->facts.add("event", to_text(item.packet.error));
}

/// The first frame of a flow's other side, or one that a third MAC sent.
void Pipeline::State::note_sender(const Item& item, const FlowTable::Entry& entry) {
  const Packet& p = item.packet;
  const Frame& frame = *item.frame;
  const Subject sender{p.sender_mac(frame.bytes), p.source_ip(frame.bytes)};
  if (item.probe.other_sender) {
    const std::size_t bytes = wire_bytes(frame, p);
    flows.count_other(item.probe, bytes);
    inventory.flow_passed(sender, entry.vlan, p.ttl, bytes, frame.time, entry.key.scope);
  } else {
    inventory.flow_answered(sender, entry.vlan, p.ttl, frame.time, entry.key.scope);
  }
}

void Pipeline::State::begin_flow(Item& item, FlowTable::Entry& entry) {
  const Flow flow = flows.flow(item.probe.entry);
  inventory.flow_started(flow, item.probe.side, item.packet.ttl);
  if (reading && !flow.ip[0].empty()) {
    const Dissectors& dissectors = *reading->dissectors;
    if (flow.protocol == ip_protocol::kUdp) {
      entry.dissector = dissectors.for_datagram(flow.port[0], flow.port[1]);
    } else if (flow.protocol == ip_protocol::kTcp) {
      entry.dissector = dissectors.for_stream(flow.port[0], flow.port[1]);
    }
  }
  if (!adoptions.empty() && go_on(item.probe.entry, item.frame->time)) item.probe.side ^= 1;
}

/// Reads the frame's messages, where it can carry any that is selected.
inline void Pipeline::State::read(const Item& item, FlowTable::Entry& entry) {
  const Packet& p = item.packet;
  const Bytes bytes = item.frame->bytes;
  Dissection& dissection = reading->dissection;
  if (p.ip_version == 0) {
    const DissectorId id = reading->dissectors->for_link(p);
    if (id == kNoDissector) return count_not_understood(p);
    Context context = context_of(item);
    dissection.message(id, p.network_of(bytes), context, reading->facts);
  } else if (p.fragment) {
    read_fragment(item);
  } else if (p.protocol == ip_protocol::kTcp) {
    if (!is_read(entry.dissector) || p.error != HeaderError::none) return;
    read_segment(item, entry);
  } else if (p.protocol == ip_protocol::kUdp) {
    if (!is_read(entry.dissector) || p.error != HeaderError::none) return;
    read_datagram(item, entry);
  } else {
    const DissectorId id = reading->dissectors->for_network(p.protocol);
    if (id == kNoDissector) return count_not_understood(p);
    Context context = context_of(item);
    dissection.message(id, transport_of(p, bytes), context, reading->facts);
  }
}

void Pipeline::State::read_datagram(const Item& item, FlowTable::Entry& entry) {
  Context context = context_of(item);
  Dissection& dissection = reading->dissection;
  if (dissection.datagram(entry.dissector, item.packet.payload_of(item.frame->bytes), context,
                          reading->facts))
    flows.turn(item.probe.entry);
  if (dissection.innermost() != kNoDissector) entry.stream = dissection.innermost();
}

/// Reads a guest's datagram with its last fragment, as of the flow of its ports. Each fragment is
/// counted in a flow as it comes.
[[gnu::noinline]] void Pipeline::State::read_fragment(const Item& item) {
  Fragments& fragments = reading->fragments;
  const Fragments::Outcome taken = fragments.take(*item.frame, item.packet, false);
  if (taken.status == Fragments::Outcome::Status::dropped)
    reading->fragments_given_up += taken.frames;
  if (taken.status == Fragments::Outcome::Status::joined) {
    Item whole = item;
    whole.frame = &taken.frame;
    whole.packet = parse_packet(taken.frame.bytes, taken.frame.link, taken.frame.stripped);
    flows.prepare(whole.probe, taken.frame, whole.packet);
    flows.set_scope(whole.probe, item.probe.key.scope);
    const std::uint32_t place = flows.find(whole.probe.key);
    if (place != FlowTable::kNone && !whole.packet.fragment) {
      FlowTable::Entry& entry = flows.entry(place);
      whole.probe.entry = place;
      whole.probe.side = static_cast<std::uint8_t>(entry.lesser_side ^ whole.probe.from_greater);
      read(whole, entry);
    }
  }
  fragments.release();
}

/// A frame that ends analysis early, by the number that says why. What is wrong with its headers is
/// counted as an error, what the decapsulator could not read there.
[[gnu::noinline]] void Pipeline::State::count_not_understood(const Packet& p) {
  if (p.error != HeaderError::none) return;
  if (p.ip_version != 0) {
    if (p.protocol != ip_protocol::kGre && p.protocol != ip_protocol::kSctp)
      ip_protocols.count(p.protocol);
  } else if (p.llc && p.snap_oui != 0) {
    snap_protocols.count(p.ethertype);
  } else if (p.llc) {
    llc_saps.count(p.llc_dsap);
  } else if (p.ethertype != ethertype::kArp && p.ethertype != ethertype::kRarp) {
    ethertypes.count(p.ethertype);
  }
}

/// Opens the flow's stream once somebody answers or says something: the SYNs of a scan take none.
/// False: nothing is to be read yet, or no stream is free.
bool Pipeline::State::open_stream(const Item& item, FlowTable::Entry& entry) {
  const Packet& p = item.packet;
  constexpr std::uint8_t kAnswer = tcp_flag::kSyn | tcp_flag::kAck;
  const bool answers = (p.tcp_flags & kAnswer) == kAnswer;
  if (!answers && p.payload_size == 0) return false;
  entry.stream = reading->streams.open(entry.dissector);
  if (entry.stream == 0) entry.dissector = kNoDissector;
  if (entry.stream == 0 || !answers) return entry.stream != 0;
  // The SYN that it answers passed without a stream: the acknowledgement tells its number.
  const Segment syn{p.acknowledgement - 1, 0, tcp_flag::kSyn, 0, {}, item.frame->time};
  reading->streams.take(
      entry.stream, syn, item.probe.side != 0, [&] { return context_of(item).reversed(); },
      reading->facts);
  return true;
}

void Pipeline::State::read_segment(const Item& item, FlowTable::Entry& entry) {
  if (entry.stream == 0 && !open_stream(item, entry)) return;
  const Packet& p = item.packet;
  const Segment segment{p.sequence,
                        p.acknowledgement,
                        p.tcp_flags,
                        p.payload_wire_size,
                        p.payload_of(item.frame->bytes),
                        item.frame->time};
  const Streams::Taken taken = reading->streams.take(
      entry.stream, segment, item.probe.side == 0, [&] { return context_of(item); },
      reading->facts);
  entry.dissector = taken.dissector;
  if (!is_read(taken.dissector)) entry.stream = 0;
  if (taken.turned) flows.turn(item.probe.entry);
}

Context Pipeline::State::context_of(const Item& item) {
  const Packet& p = item.packet;
  const Frame& frame = *item.frame;
  Context context;
  context.time = frame.time;
  context.source.mac = p.sender_mac(frame.bytes);
  if (p.has_macs) context.destination.mac = p.destination_mac(frame.bytes);
  context.source.ip = p.source_ip(frame.bytes);
  context.destination.ip = p.destination_ip(frame.bytes);
  context.source_port = p.source_port;
  context.destination_port = p.destination_port;
  context.vlan = p.vlan();
  context.ttl = p.ttl;
  context.to_server = item.probe.side == 0;
  context.cut = item.origin.truncated || is_cut(frame, p);
  context.flow = flows.id(item.probe.entry);
  const FlowTable::Entry& entry = std::as_const(flows).entry(item.probe.entry);
  context.start_seen = ((entry.flags[0] | entry.flags[1]) & tcp_flag::kSyn) != 0;
  context.engine = &reading->dissection;
  return context;
}

/// Hands on what the frame told.
void Pipeline::State::tell(const Item& item, const FlowTable::Entry& entry) {
  EventHead head;
  if (eve.heads()) {
    head = event_head(*item.frame, item.packet, item.origin);
    head.flow_id = flows.id(item.probe.entry);
    if (const char* name = application(entry.key.protocol, entry.dissector, entry.stream))
      head.app_proto = name;
    const GuestOf guest = item.in_own_tunnel()
                              ? guest_of(item.outermost[0], item.outermost[1], item.outermost_vlan)
                              : guest_of(head.src_mac, head.dest_mac, item.packet.vlan());
    guest.into(head);
    if (item.packet.skipped_tags > 0) {
      tags = skipped_tags(item.frame->bytes, item.frame->link);
      head.tags = &tags;
    }
  }
  head.time = item.frame->time;
  head.scope = entry.key.scope;
  fold(head, item.packet.vlan());
}

void Pipeline::State::fold(const EventHead& head, std::uint16_t vlan) {
  Facts& facts = reading->facts;
  for (const Record& record : facts.records())
    if (record.protocol != kAnomaly) count_record(record.protocol);
  if (eve.records()) eve.write_records(head, facts);
  for (const Fact& fact : facts.facts()) inventory.learn(fact, head.time, head.scope);
  for (const ClockReading& clock : facts.clocks()) clocks.fold(clock, head.time, head.scope);
  if (findings) {
    findings->fold(facts, {head.time, head.scope, vlan});
    if (!findings->told().empty()) tell_findings(head);
  }
  facts.clear();
  reading->dissection.settle();
}

void Pipeline::State::count_record(const char* protocol) {
  for (auto& [name, number] : records) {
    if (name != protocol) continue;
    ++number;
    return;
  }
  records.emplace_back(protocol, 1);
}

/// Of two guests with one MAC that of the VLAN; the first where that tells nothing. Null: no guest
/// of ours has it.
const WatchedNic* Pipeline::State::nic_of(const Mac& mac, std::uint16_t vlan) const {
  const auto at = guests.find(mac);
  if (at == guests.end()) return nullptr;
  for (const auto& [port, nic] : at->second)
    if (nic.vlan == vlan) return &nic;
  return &at->second.begin()->second;
}

Pipeline::State::GuestOf Pipeline::State::guest_of(const Mac& source, const Mac& destination,
                                                   std::uint16_t vlan) const {
  if (guests.empty()) return {};
  if (const WatchedNic* nic = nic_of(source, vlan)) return {nic->vm, nic->at.port, Direction::out};
  const WatchedNic* nic = nic_of(destination, vlan);
  return nic == nullptr ? GuestOf{} : GuestOf{nic->vm, nic->at.port, Direction::in};
}

/// What a guest's own tunnel carries is that guest's, whatever it says.
Pipeline::State::GuestOf Pipeline::State::guest_of(Scope scope, const Mac& source,
                                                   const Mac& destination,
                                                   std::uint16_t vlan) const {
  if (!is_own_tunnel(scope)) return guest_of(source, destination, vlan);
  const OwnTunnel* tunnel = own_tunnels.find(scope, 0);
  if (tunnel == nullptr) return {};
  GuestOf out = guest_of(tunnel->macs[0], tunnel->macs[1], tunnel->vlan);
  out.direction = Direction::none;  // The tunnel's first frame is not this one.
  return out;
}

Pipeline::State::GuestOf Pipeline::State::guest_of(const Asset& asset) const {
  GuestOf out = guest_of(asset.scope, asset.mac, {},
                         asset.vlans.empty() ? std::uint16_t{0} : asset.vlans.front());
  out.direction = Direction::none;
  return out;
}

/// What the mirror says of the direction stands.
void Pipeline::State::GuestOf::into(EventHead& head) const {
  head.vm = vm;
  head.nic = nic;
  if (head.origin.direction == Direction::none) head.origin.direction = direction;
}

// ---- The end of flows, and what is done now and then

void Pipeline::State::fold_flow_reports() {
  for (const FlowReport& report : flows.reports()) {
    const bool ended = report.flow.end != FlowEnd::none;
    const char* name =
        reading ? application(report.flow.protocol, report.dissector, report.stream) : nullptr;
    if (ended && reading) end_reading(report, name);
    inventory.flow_reported(report.flow, report.new_packets, report.new_bytes);
    if (!eve.flows()) continue;
    Flow flow = report.flow;
    flow.application = name;
    write(flow);
  }
  flows.clear_reports();
}

void Pipeline::State::write(const Flow& flow) {
  EventHead head = event_head(flow);
  guest_of(flow.scope, flow.mac[0], flow.mac[1], flow.vlan).into(head);
  eve.write_flow(head, flow);
}

/// By whose name a flow goes: the innermost. A UDP flow has no stream, and keeps it there.
const char* Pipeline::State::application(std::uint8_t protocol, DissectorId dissector,
                                         std::uint32_t stream) const {
  DissectorId id = dissector;
  if (stream != 0)
    id = protocol == ip_protocol::kTcp ? reading->streams.application(stream)
                                       : static_cast<DissectorId>(stream);
  return reading->dissectors->name(id);
}

/// What the stream still holds is read as of the flow's last packet.
void Pipeline::State::end_reading(const FlowReport& report, const char* name) {
  const Flow& flow = report.flow;
  const bool streams = report.stream != 0 && flow.protocol == ip_protocol::kTcp;
  if (streams && flow.end == FlowEnd::moved) {
    reading->streams.forget(report.stream);
  } else if (streams) {
    Context context;
    context.time = flow.last;
    context.source = {flow.mac[0], flow.ip[0], {}};
    context.destination = {flow.mac[1], flow.ip[1], {}};
    context.source_port = flow.port[0];
    context.destination_port = flow.port[1];
    context.vlan = flow.vlan;
    context.flow = flow.id;
    context.engine = &reading->dissection;
    reading->streams.close(report.stream, context, reading->facts);
  }
  reading->dissection.forget(flow.id);
  if (reading->facts.empty()) return;
  EventHead head = event_head(flow);
  if (name != nullptr) head.app_proto = name;
  guest_of(flow.scope, flow.mac[0], flow.mac[1], flow.vlan).into(head);
  fold(head, flow.vlan);
}

/// After `frames` frames, or after none for a while.
void Pipeline::State::housekeep(Time now, std::size_t frames) {
  flows.sweep(now, static_cast<std::uint32_t>(16 + frames / 4));
  if (!flows.reports().empty()) fold_flow_reports();
  if (counters.held > 0) {
    const std::uint64_t given_up = decap.expire(now);
    counters.held -= given_up;
    counters.drop(Drop::fragment_incomplete, given_up);
  }
  if (reading && (now - requests_expired > kSecond || now < requests_expired)) {
    reading->dissection.requests().expire(now);
    reading->fragments_given_up += reading->fragments.expire(now);
    requests_expired = now;
  }
  inventory.age(now);
  if (inventory.changed()) {
    const std::span<const Asset* const> changed = inventory.take_changed();
    if (eve.assets())
      for (const Asset* asset : changed) {
        EventHead head;
        guest_of(*asset).into(head);
        eve.write_asset(head, *asset);
      }
  }
  if (findings) look_for_findings(now);
  if (!adoptions.empty()) expire_adoptions(now);
  eve.settle(now);
}

Pipeline::Pipeline(PipelineOptions options) : state_(std::make_unique<State>(std::move(options))) {}
Pipeline::~Pipeline() = default;
Pipeline::Pipeline(Pipeline&&) noexcept = default;
Pipeline& Pipeline::operator=(Pipeline&&) noexcept = default;

void Pipeline::process(std::span<const Frame> frames) {
  if (frames.empty()) return;
  State& s = *state_;
  s.counters.received += frames.size();
  for (const Frame& frame : frames) s.take_in(frame);
  if (s.count > 0) s.run_group();
  s.last_frame = frames.back().time;
  s.housekeep(s.last_frame, frames.size());
}

void Pipeline::tick(Time now) {
  State& s = *state_;
  s.housekeep(now, 16384);
  s.eve.flush();
}

void Pipeline::reinject(Reinjector* to) {
  state_->options.reinject = to;
}

void Pipeline::flush() {
  State& s = *state_;
  const std::uint64_t given_up = s.decap.flush();
  s.counters.held -= given_up;
  s.counters.drop(Drop::fragment_incomplete, given_up);
  for (bool more = true; more;) {
    more = s.flows.flush(256);
    s.fold_flow_reports();
    s.eve.settle(s.last_frame);
  }
  s.leave_adoptions();
  s.inventory.change_all();
  tick(s.last_frame);
}

void Pipeline::source_dropped(std::span<const std::uint64_t, kDropKinds> dropped) {
  State& s = *state_;
  for (std::size_t i = 0; i < kDropKinds; ++i) {
    const std::uint64_t sum = s.source_before[i] + dropped[i];
    const std::uint64_t fresh = sum - std::exchange(s.source_seen[i], sum);
    s.counters.received += fresh;
    s.counters.dropped[i] += fresh;
  }
}

void Pipeline::source_reopened() {
  state_->source_before = state_->source_seen;
}

void Pipeline::watch(std::shared_ptr<const MirrorIndex> index) {
  State& s = *state_;
  const MirrorIndex next = index ? *index : MirrorIndex{};
  diff(s.watched.nics, next.nics,
       [&](const PortKey& at, const WatchedNic* was, const WatchedNic* is) {
         if (was != nullptr) {
           const auto of_mac = s.guests.find(was->mac);
           if (of_mac != s.guests.end() && of_mac->second.erase(at) != 0 && of_mac->second.empty())
             s.guests.erase(of_mac);
         }
         s.twins.erase(at);
         const bool is_here =
             is != nullptr && (is->input.empty() || is->input == s.options.input_name);
         if (is_here && !is->rival.empty() && is->port() < is->rival)
           s.twins[at] = {is->mac, is->vlan.value_or(0), 0};
         if (is != nullptr) s.guests[is->mac].insert_or_assign(at, *is);
       });
  s.watched = next;
  s.filter.watch(next);
  s.coverage.watch(next);
}

std::shared_ptr<const NicCounts> Pipeline::nic_counts() const {
  return state_->coverage.counts();
}

Time Pipeline::last_frame() const {
  return state_->last_frame;
}

const FrameCounters& Pipeline::counters() const {
  return state_->counters;
}

}  // namespace vmirror
