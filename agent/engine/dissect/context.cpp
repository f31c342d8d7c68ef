// What Context offers: a worker's memory of flows, and the protocols inside. Who a state or a part
// belongs to is in its key:
//
//   state   | key:56 | owner:8 |              owner 0: which protocol was found at the place `key`
//   join    | key:55 | owner:8 | to server:1 |
#include <algorithm>
#include <functional>

#include "agent/engine/dissect/dissection.hpp"

namespace vmirror {
namespace {

constexpr DissectorId kChosen = kNoDissector;

std::uint64_t state_key(DissectorId owner, std::uint64_t key) {
  return key << 8 | owner;
}

std::uint64_t join_key(const Context& context, std::uint64_t key) {
  return key << 9 | std::uint64_t{context.self} << 1 | context.to_server;
}

std::uint64_t port_key(Carrier carrier, std::uint16_t port) {
  return std::uint64_t{port} << 8 | static_cast<std::uint8_t>(carrier);
}

}  // namespace

void Context::ask(std::uint64_t key, std::uint32_t a, std::uint32_t b) const {
  if (engine) engine->requests().ask(flow, key, {time, a, b});
}

std::optional<Request> Context::answer(std::uint64_t key) const {
  return engine ? engine->requests().answer(flow, key) : std::nullopt;
}

void* Context::state_of(std::uint64_t key, std::size_t bytes) const {
  if (!engine) return nullptr;
  Dissection::State* state = engine->state_of(*this, key, bytes);
  return state ? state->bytes.data() : nullptr;
}

bool Context::has_state(std::uint64_t key) const {
  return engine && engine->states_.find(flow, state_key(self, key)) != nullptr;
}

void Context::forget_state(std::uint64_t key) const {
  if (!engine) return;
  const std::uint64_t wanted = state_key(self, key);
  engine->states_.forget(
      flow, [wanted](std::uint64_t at, const auto&) { return at == wanted; }, [](auto&) {});
}

std::optional<Joined> Context::join(Bytes part, Begins begins, bool is_last,
                                    std::uint64_t key) const {
  if (engine) return engine->join(*this, part, begins, is_last, key);
  if (begins == Begins::no || !is_last) return std::nullopt;
  return Joined{part, false};
}

void Context::expect(const IpAddress& server, std::uint16_t port, const Dissector& protocol,
                     Time lasts) const {
  if (engine) engine->expect(*this, server, port, protocol, lasts);
}

bool Context::hand_down(Place place, Bytes part, Facts& facts, std::uint32_t own) const {
  return engine && engine->hand_down(*this, place, part, facts, own);
}

Dissection::State* Dissection::state_of(const Context& context, std::uint64_t key,
                                        std::size_t size) {
  State* state = states_.take(context.flow, state_key(context.self, key), [](State&) {});
  if (state == nullptr) return nullptr;
  // A new state has no size; a guest that came may bring one of a version that kept another size.
  if (state->size != size) {
    *state = State{};
    state->owner = context.self;
    state->size = static_cast<std::uint8_t>(size);
  }
  return state;
}

std::optional<Joined> Dissection::join(const Context& context, Bytes part, Begins begins, bool last,
                                       std::uint64_t key) {
  DissectorCounters& counters = counters_[context.self];
  const std::uint64_t own = join_key(context, key);
  const auto give_back = [this](Join& join) {
    ++counters_[join.owner].lost_parts;
    buffers_.release(join.buffer);
  };
  const auto forget = [&] {
    joins_.forget(
        context.flow, [own](std::uint64_t k, Join&) { return k == own; }, [](Join&) {});
  };
  Join* join = joins_.find(context.flow, own);
  if (join == nullptr && begins == Begins::no) {
    ++counters.lost_parts;
    return std::nullopt;
  }
  if (join != nullptr && begins == Begins::yes) {
    give_back(*join);
    *join = Join{};
    join->owner = context.self;
  }
  if (last && (join == nullptr || (join->held == 0 && !join->dropped))) {
    if (join != nullptr) forget();
    return Joined{part, false};
  }
  if (join == nullptr) {
    join = joins_.take(context.flow, own, give_back);
    if (join == nullptr) {
      ++counters.lost_parts;
      return std::nullopt;
    }
    join->owner = context.self;
  }
  const std::size_t room = kMaxMessage - join->held;
  join->cut |= part.size() > room;
  if (!join->dropped &&
      !hold(join->buffer, join->held, part.first(std::min(part.size(), room)), 0)) {
    ++counters.buffer_overflow;
    join->dropped = true;
  }
  if (!last) return std::nullopt;
  std::optional<Joined> out;
  if (!join->dropped)
    out = Joined{Bytes(buffers_.bytes(join->buffer)).first(join->held), join->cut};
  buffers_.release(join->buffer);
  forget();
  return out;
}

void Dissection::expect(const Context& context, const IpAddress& server, std::uint16_t port,
                        const Dissector& protocol, Time lasts) {
  const DissectorId id = dissectors_.find(protocol);
  if (id == kNoDissector) return;
  Expected* expected =
      expectations_.take(hash_(server), port_key(protocol.carrier, port), [](Expected&) {});
  if (expected != nullptr) *expected = {server, id, context.time + lasts};
}

/// The protocol that was announced for either end of this flow.
DissectorId Dissection::expected(Carrier carrier, const Context& context) {
  if (expectations_.empty()) return kNoDissector;
  const auto at = [&](const IpAddress& ip, std::uint16_t port) {
    const Expected* expected = expectations_.find(hash_(ip), port_key(carrier, port));
    const bool holds = expected && expected->server == ip && context.time <= expected->until;
    return holds ? expected->id : kNoDissector;
  };
  const DissectorId to = at(context.destination.ip, context.destination_port);
  return to != kNoDissector ? to : at(context.source.ip, context.source_port);
}

/// Who reads what is handed down at this place: the one that is there, or the one that this flow's
/// first part was.
DissectorId Dissection::choose(Place place, Bytes part, Context& context) {
  const std::span<const DissectorId> there = dissectors_.inside_of(place);
  if (there.size() == 1 && dissectors_[there[0]].probe == nullptr) return there[0];
  const std::uint64_t key = state_key(kChosen, place);
  if (const State* chosen = states_.find(context.flow, key)) return chosen->bytes[0];
  for (const DissectorId id : there) {
    const auto probe = dissectors_[id].probe;
    context.self = id;
    if (probe != nullptr && !is_yes(probe(part, context))) continue;
    if (State* chosen = states_.take(context.flow, key, [](State&) {})) {
      chosen->size = 1;
      chosen->bytes[0] = id;
    }
    ++counters_[id].flows;
    return id;
  }
  return kNoDissector;
}

bool Dissection::hand_down(const Context& context, Place place, Bytes part, Facts& facts,
                           std::uint32_t tag) {
  if (context.depth >= kMaxInside) {
    ++inside_.refused;
    return false;
  }
  Context mine = context;
  ++mine.depth;
  mine.tag = tag;
  const DissectorId id = choose(place, part, mine);
  if (id == kNoDissector) {
    ++counters_[context.self].unread_parts;
    return false;
  }
  inside_.most = std::max(inside_.most, mine.depth);
  if (dissectors_[id].names_flow) innermost_ = id;  // Until it hands down itself.
  dissect(id, part, mine, facts);
  return true;
}

// ---- For guests that move

SavedMemory Dissection::save_memory(std::uint64_t flow) {
  SavedMemory out;
  states_.each_of(flow, [&](std::uint64_t key, const State& state) {
    const auto owner = static_cast<DissectorId>(key);
    SavedMemory::State& saved = out.states.emplace_back();
    saved.key = key >> 8;
    if (owner == kChosen) {
      const std::string_view name = dissectors_.name(state.bytes[0]);
      saved.bytes.assign(name.begin(), name.end());
      return;
    }
    saved.protocol = dissectors_.name(owner);
    saved.carrier = dissectors_[owner].carrier;
    saved.bytes.assign(state.bytes.begin(), state.bytes.begin() + state.size);
  });
  joins_.each_of(flow, [&](std::uint64_t key, const Join& join) {
    if (join.dropped) return;
    const Bytes held =
        join.buffer != 0 ? Bytes(buffers_.bytes(join.buffer)).first(join.held) : Bytes();
    out.joins.push_back({{dissectors_.name(join.owner),
                          dissectors_[join.owner].carrier,
                          key >> 9,
                          {held.begin(), held.end()}},
                         (key & 1) != 0,
                         join.cut});
  });
  return out;
}

void Dissection::restore_memory(std::uint64_t flow, const SavedMemory& saved) {
  for (const SavedMemory::State& from : saved.states) {
    const bool chosen = from.protocol.empty();
    const DissectorId id = chosen ? dissectors_.find(as_text(from.bytes), Carrier::inside)
                                  : dissectors_.find(from.protocol, from.carrier);
    if (id == kNoDissector || from.bytes.size() > kMaxState) continue;
    const std::uint64_t key = state_key(chosen ? kChosen : id, from.key);
    if (states_.find(flow, key) != nullptr) continue;
    State* state = states_.take(flow, key, [](State&) {});
    if (state == nullptr) return;
    state->owner = chosen ? kChosen : id;
    state->size = static_cast<std::uint8_t>(chosen ? 1 : from.bytes.size());
    if (chosen)
      state->bytes[0] = id;
    else
      std::copy(from.bytes.begin(), from.bytes.end(), state->bytes.begin());
  }
  for (const SavedMemory::Join& from : saved.joins) {
    Context context;
    context.flow = flow;
    context.self = dissectors_.find(from.of.protocol, from.of.carrier);
    context.to_server = from.to_server;
    if (context.self == kNoDissector || from.of.bytes.size() > kMaxMessage) continue;
    const std::uint64_t key = join_key(context, from.of.key);
    if (joins_.find(flow, key) != nullptr) continue;
    join(context, from.of.bytes, Begins::yes, false, from.of.key);
    if (Join* restored = joins_.find(flow, key)) restored->cut = from.cut;
  }
}

std::vector<SavedExpectation> Dissection::save_expectations(std::span<const IpAddress> servers) {
  std::vector<SavedExpectation> out;
  expectations_.each([&](std::uint64_t, std::uint64_t key, const Expected& expected) {
    if (std::find(servers.begin(), servers.end(), expected.server) == servers.end()) return;
    out.push_back({expected.server, static_cast<std::uint16_t>(key >> 8),
                   dissectors_.name(expected.id), dissectors_[expected.id].carrier,
                   expected.until});
  });
  return out;
}

void Dissection::restore(const SavedExpectation& saved) {
  const DissectorId id = dissectors_.find(saved.protocol, saved.carrier);
  if (id == kNoDissector) return;
  Expected* expected = expectations_.take(hash_(saved.server), port_key(saved.carrier, saved.port),
                                          [](Expected&) {});
  if (expected != nullptr) *expected = {saved.server, id, saved.until};
}

void Dissection::forget_flow(std::uint64_t flow) {
  const auto all = [](std::uint64_t, const auto&) { return true; };
  states_.forget(flow, all, [](State&) {});
  joins_.forget(flow, all, [this](Join& join) {
    ++counters_[join.owner].lost_parts;
    buffers_.release(join.buffer);
  });
}

}  // namespace vmirror
