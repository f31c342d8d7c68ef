// Cutting a stream. A message lies in one segment as a rule and is dissected where it is; one that
// goes over the segment's end waits in a buffer.
//
//   segments   |  m1  | m2 | m3..|..m3 |.............m4 (first 64 KiB)....|...rest of m4 | m5 |
//   given as      the frame's own   a buffer          a buffer, cut          skipped
//              begin_message        continue_message
#include "agent/engine/dissect/dissection.hpp"

#include <algorithm>
#include <cstring>

namespace vmirror {

Dissection::Dissection(const Dissectors& dissectors, BufferLimits buffers,
                       std::size_t pending_requests)
    : dissectors_(dissectors),
      requests_(pending_requests),
      buffers_(buffers),
      counters_(dissectors.size() + 1) {}

void Dissection::dissect(DissectorId id, Bytes message, const Context& context, Facts& facts) {
  DissectorCounters& counters = counters_[id];
  ++counters.messages;
  Malformed malformed = dissectors_[id].dissect(message, context, facts);
  if (context.cut) {
    ++counters.cut;
    if (malformed == Malformed::truncated) return;
  }
  if (malformed != Malformed::none) ++counters.malformed[static_cast<std::size_t>(malformed)];
}

/// The context with its sides right.
Context Dissection::oriented(DissectorId id, const Context& context) const {
  Context out = context;
  if (is_decided(id)) out.to_server = dissectors_.to_server(id, context, context.to_server);
  return out;
}

void Dissection::datagram_of(DissectorId& id, Bytes payload, const Context& context, Facts& facts) {
  if (payload.empty()) return;
  if (is_undecided(id)) {
    const auto [verdict, found] = dissectors_.probe(Carrier::datagram, payload, context);
    if (verdict != Probe::yes) {
      id = id + 1 < kUndecided + kProbedPayloads ? id + 1 : kNoDissector;
      return;
    }
    id = found;
    ++counters_[id].flows;
  }
  dissect(id, payload, oriented(id, context), facts);
}

void Dissection::feed(Conversation& conversation, Bytes bytes, const Context& context,
                      Facts& facts) {
  if (conversation.dissector == kNoDissector || bytes.empty()) return;
  Side& side = conversation.side[context.to_server ? 0 : 1];
  Context mine = oriented(conversation.dissector, context);
  mine.cut = false;  // Of the segment; what it cost a message, `gap` tells.
  Call call{conversation, side, mine, facts};
  std::uint32_t probed = 0;
  if (is_undecided(conversation.dissector)) {
    if (!decide(call, bytes)) return;
    mine.to_server = dissectors_.to_server(conversation.dissector, mine, mine.to_server);
    probed = std::exchange(side.buffer, 0);  // `bytes` is in there now.
    side.held = 0;
  }
  while (!bytes.empty() && conversation.dissector != kNoDissector) {
    std::size_t used = std::min<std::size_t>(side.skip, bytes.size());
    if (used > 0) {
      side.skip -= static_cast<std::uint32_t>(used);
    } else {
      used = side.held == 0 ? begin_message(call, bytes) : continue_message(call, bytes);
    }
    bytes = bytes.subspan(used);
  }
  buffers_.release(probed);
}

/// Asks the probes, on all that is there of this side. True: decided, and `stream` is what was
/// there.
bool Dissection::decide(Call& call, Bytes& stream) {
  auto& [conversation, side, context, facts] = call;
  if (side.held > 0) {
    if (!hold(side, stream, side.held + static_cast<std::uint32_t>(stream.size()))) {
      close(conversation);
      return false;
    }
    stream = Bytes(buffers_.bytes(side.buffer)).first(side.held);
  }
  const auto [verdict, found] = dissectors_.probe(Carrier::stream, stream, context);
  if (verdict == Probe::yes) {
    conversation.dissector = found;
    ++counters_[found].flows;
    return true;
  }
  if (++conversation.dissector >= kUndecided + kProbedPayloads) {
    close(conversation);
  } else if (verdict == Probe::no) {
    unhold(side);
    side.searching = true;
  } else if (side.held == 0) {
    hold(side, stream, static_cast<std::uint32_t>(stream.size()));
  }
  return false;
}

/// After a loss: is the front of this segment the front of a message? One that ends with the
/// segment is; else the probe has to say so, where there is one.
bool Dissection::is_way_back(const Dissector& dissector, const Framing& framing, Bytes stream,
                             const Context& context) const {
  if (framing.status == Framing::Status::message && framing.size == stream.size()) return true;
  return !dissector.probe || dissector.probe(stream, context) != Probe::no;
}

/// A message begins at `stream`'s front. Returns the bytes used.
std::size_t Dissection::begin_message(Call& call, Bytes stream) {
  auto& [conversation, side, context, facts] = call;
  const Dissector& dissector = dissectors_[conversation.dissector];
  const Framing framing = dissector.frame(stream, context);
  const bool known = framing.status == Framing::Status::message;
  if (framing.status == Framing::Status::lost || (known && framing.size == 0) ||
      (side.searching && !is_way_back(dissector, framing, stream, context))) {
    lose(call, stream.size());
    return stream.size();
  }
  side.searching = false;
  if (known && framing.size <= stream.size()) {
    conversation.failures = 0;
    dissect(conversation.dissector, stream.first(framing.size), context, facts);
    return framing.size;
  }
  side.need = known ? framing.size : 0;
  if (!hold(side, stream, known ? std::min(framing.size, kMaxMessage) : 0))
    overflow(call, stream.size());
  return stream.size();
}

/// The message that waits in the buffer goes on with `bytes`. Returns the bytes used.
std::size_t Dissection::continue_message(Call& call, Bytes bytes) {
  auto& [conversation, side, context, facts] = call;
  const std::uint32_t before = side.held;
  const std::uint32_t most = side.need != 0 ? std::min(side.need, kMaxMessage) : kMaxMessage;
  bytes = bytes.first(std::min<std::size_t>(bytes.size(), most - before));
  if (!hold(side, bytes, most == side.need ? most : 0)) {
    overflow(call, before + bytes.size());
    return bytes.size();
  }
  const Bytes front = Bytes(buffers_.bytes(side.buffer)).first(side.held);
  if (side.need == 0) {
    const Framing framing = dissectors_[conversation.dissector].frame(front, context);
    if (framing.status == Framing::Status::lost ||
        (framing.status == Framing::Status::message && framing.size == 0) ||
        (framing.status == Framing::Status::more && side.held == kMaxMessage)) {
      unhold(side);
      lose(call, front.size());
      return bytes.size();
    }
    if (framing.status == Framing::Status::more) return bytes.size();
    side.need = framing.size;
  }
  const std::uint32_t whole = std::min(side.need, kMaxMessage);
  if (side.held < whole) return bytes.size();
  Context mine = context;
  mine.cut |= side.need > kMaxMessage;
  side.skip = side.need - whole;
  unhold(side);
  conversation.failures = 0;
  dissect(conversation.dissector, front.first(whole), mine, facts);
  return std::max(whole, before) - before;
}

void Dissection::gap(Conversation& conversation, std::uint32_t size, const Context& context,
                     Facts& facts) {
  if (conversation.dissector == kNoDissector) return;
  Side& side = conversation.side[context.to_server ? 0 : 1];
  if (is_undecided(conversation.dissector)) {
    unhold(side);
    side.searching = true;
    return;
  }
  DissectorCounters& counters = counters_[conversation.dissector];
  if (side.held > 0) {
    if (side.need != 0) {  // Its front is worth reading, and its end is known.
      Context mine = oriented(conversation.dissector, context);
      mine.cut = true;
      side.skip = side.need - side.held;
      dissect(conversation.dissector, Bytes(buffers_.bytes(side.buffer)).first(side.held), mine,
              facts);
    } else {
      counters.skipped_bytes += side.held;
    }
    unhold(side);
  }
  const std::uint32_t inside = std::min(side.skip, size);
  side.skip -= inside;
  if (size == inside) return;
  ++counters.lost;
  side.searching = true;
}

void Dissection::restart(Conversation& conversation, const Context& context) {
  Side& side = conversation.side[context.to_server ? 0 : 1];
  unhold(side);
  side = Side{};
}

void Dissection::close(Conversation& conversation) {
  for (Side& side : conversation.side) unhold(side);
  conversation = Conversation{};
}

SavedMessages Dissection::save(const Conversation& conversation, int index) {
  const Side& side = conversation.side[static_cast<std::size_t>(index)];
  SavedMessages out{{}, side.need, side.skip, side.searching};
  if (side.held == 0) return out;
  const Bytes held = Bytes(buffers_.bytes(side.buffer)).first(side.held);
  out.held.assign(held.begin(), held.end());
  return out;
}

void Dissection::restore(Conversation& conversation, int index, const SavedMessages& saved) {
  Side& side = conversation.side[static_cast<std::size_t>(index)];
  unhold(side);
  side = Side{};
  if (conversation.dissector == kNoDissector) return;
  const bool decided = is_decided(conversation.dissector);
  side.searching = saved.searching;
  side.skip = saved.held.empty() && decided ? saved.skip : 0;
  if (saved.held.empty()) return;
  const std::uint32_t whole = std::min(saved.need, kMaxMessage);
  const bool complete = saved.held.size() >= (whole != 0 ? whole : kMaxMessage);
  if (complete || (!decided && saved.need != 0)) {
    side.searching = true;
  } else if (!hold(side, saved.held, whole)) {
    const auto size = static_cast<std::uint32_t>(saved.held.size());
    if (decided) ++counters_[conversation.dissector].buffer_overflow;
    side.skip = whole != 0 ? saved.need - size : 0;
    side.searching |= whole == 0;
  } else {
    side.need = saved.need;
  }
}

/// Appends to what the side holds, in a buffer of at least `capacity` bytes.
bool Dissection::hold(Side& side, Bytes bytes, std::uint32_t capacity) {
  const std::uint32_t total = side.held + static_cast<std::uint32_t>(bytes.size());
  capacity = std::max(capacity, total);
  if (side.buffer == 0 || buffers_.bytes(side.buffer).size() < capacity) {
    const std::uint32_t larger = buffers_.acquire(capacity);
    if (larger == 0) return false;
    if (side.held > 0)
      std::memcpy(buffers_.bytes(larger).data(), buffers_.bytes(side.buffer).data(), side.held);
    buffers_.release(side.buffer);
    side.buffer = larger;
  }
  std::memcpy(buffers_.bytes(side.buffer).data() + side.held, bytes.data(), bytes.size());
  side.held = total;
  return true;
}

void Dissection::unhold(Side& side) {
  buffers_.release(side.buffer);
  side.buffer = side.held = side.need = 0;
}

/// No buffer for a message of which `seen` bytes came: passes over it.
void Dissection::overflow(Call& call, std::size_t seen) {
  ++counters_[call.conversation.dissector].buffer_overflow;
  const std::uint32_t need = call.side.need;
  unhold(call.side);
  if (need > seen) {
    call.side.skip = need - static_cast<std::uint32_t>(seen);
  } else {
    call.side.searching = true;
  }
}

/// The stream is not what it should be: drops `skipped` bytes and searches on from the next
/// segment.
void Dissection::lose(Call& call, std::size_t skipped) {
  DissectorCounters& counters = counters_[call.conversation.dissector];
  counters.skipped_bytes += skipped;
  if (!call.side.searching) ++counters.lost;
  call.side.searching = true;
  if (++call.conversation.failures < kMaxFailures) return;
  ++counters.given_up;
  close(call.conversation);
}

}  // namespace vmirror
