// Cutting a stream. A message lies in one segment as a rule and is dissected where it is; one that
// goes over the segment's end waits in a buffer.
//
//   segments   |  m1  | m2 | m3..|..m3 |.............m4 (first 64 KiB)....|...rest of m4 | m5 |
//   given as      the frame's own   a buffer          a buffer, cut          skipped
//              begin_message        continue_message
#include "agent/engine/dissect/dissection.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace vmirror {

Dissection::Dissection(const Dissectors& dissectors, BufferLimits buffers, LenderLimits lender)
    : dissectors_(dissectors),
      requests_(lender.requests, lender.hash),
      buffers_(buffers),
      states_(lender.states),
      joins_(lender.joins),
      hash_(lender.hash),
      expectations_(lender.expectations),
      counters_(dissectors.size() + 1) {}

Outcome Dissection::dissect(DissectorId id, Bytes message, Context& context, Facts& facts) {
  DissectorCounters& counters = counters_[id];
  ++counters.messages;
  context.self = id;
  if (context.depth == 0) innermost_ = kNoDissector;
  const Outcome outcome = dissectors_[id].dissect(message, context, facts);
  if (context.cut) {
    ++counters.cut;
    if (outcome.malformed == Malformed::truncated) return outcome;
  }
  if (outcome.malformed != Malformed::none) {
    ++counters.malformed[static_cast<std::size_t>(outcome.malformed)];
    facts.record(kAnomaly);
    facts.add("type", "applayer");
    facts.add("app_proto", dissectors_[id].name);
    facts.add("event", to_text(outcome.malformed));
  }
  return outcome;
}

/// Payloads that are looked at before a flow is given up.
int Dissection::tries(Carrier carrier, DissectorId expected, const Context& context) const {
  const bool hinted =
      expected != kNoDissector || dissectors_.hinted(carrier, context) != kNoDissector;
  return hinted ? kHintedPayloads : kProbedPayloads;
}

bool Dissection::datagram_of(DissectorId& id, Bytes payload, Context& context, Facts& facts) {
  if (payload.empty()) return false;
  bool turned = false;
  if (is_undecided(id)) {
    const DissectorId announced = expected(Carrier::datagram, context);
    const Found found = dissectors_.probe(Carrier::datagram, payload, context, announced);
    if (!is_yes(found.verdict)) {
      const int most = tries(Carrier::datagram, announced, context);
      id = id + 1 < kUndecided + most ? id + 1 : kNoDissector;
      return false;
    }
    id = found.id;
    ++counters_[id].flows;
    turned = dissectors_.to_server(found, context, context.to_server) != context.to_server;
    if (turned) context.to_server = !context.to_server;
  }
  const Outcome outcome = dissect(id, payload, context, facts);
  if (outcome.then == Outcome::Then::done) id |= kDone;
  if (outcome.then == Outcome::Then::become) {
    const DissectorId next = dissectors_.find(*outcome.next);
    id = next != kNoDissector ? next : id | kDone;
  }
  return turned;
}

void Dissection::feed(Conversation& conversation, Bytes bytes, const Context& context,
                      Facts& facts) {
  if (!is_read(conversation.dissector) || bytes.empty()) return;
  Side& side = conversation.side[context.to_server ? 0 : 1];
  Context mine = context;
  mine.to_server ^= conversation.turned;
  mine.cut = false;  // Of the segment; what it cost a message, `gap` tells.
  Call call{conversation, side, mine, facts};
  if (!is_undecided(conversation.dissector)) return cut_messages(call, bytes);
  if (!decide(call, bytes)) return;
  const std::uint32_t probed = std::exchange(side.buffer, 0);  // `bytes` is in there now.
  side.held = 0;
  cut_messages(call, bytes);
  buffers_.release(probed);
}

void Dissection::cut_messages(Call& call, Bytes bytes) {
  auto& [conversation, side, context, facts] = call;
  while (!bytes.empty() && is_read(conversation.dissector)) {
    context.self = conversation.dissector;  // `frame` may ask for what is known.
    std::size_t used = std::min<std::size_t>(side.skip, bytes.size());
    if (used > 0) {
      side.skip -= static_cast<std::uint32_t>(used);
    } else {
      used = side.held == 0 ? begin_message(call, bytes) : continue_message(call, bytes);
    }
    bytes = bytes.subspan(used);
  }
}

/// Who found the protocol may know the sides better than the order of the first frames.
void Dissection::settle_sides(Call& call, const Found& found) {
  auto& [conversation, side, context, facts] = call;
  conversation.dissector = found.id;
  side.searching = false;
  ++counters_[found.id].flows;
  if (context.start_seen) return;
  const bool to_server = dissectors_.to_server(found, context, context.to_server);
  if (to_server == context.to_server) return;
  context.to_server = to_server;
  conversation.turned = !conversation.turned;
}

/// Asks the probes, on all that is there of this side. True: decided, and `stream` is what was
/// there.
bool Dissection::decide(Call& call, Bytes& stream) {
  auto& [conversation, side, context, facts] = call;
  if (side.held > 0) {
    if (!hold(side.buffer, side.held, stream,
              side.held + static_cast<std::uint32_t>(stream.size()))) {
      close(conversation);
      return false;
    }
    stream = Bytes(buffers_.bytes(side.buffer)).first(side.held);
  }
  const DissectorId announced = expected(Carrier::stream, context);
  const Found found = dissectors_.probe(Carrier::stream, stream, context, announced);
  if (is_yes(found.verdict)) {
    settle_sides(call, found);
    return true;
  }
  if (++conversation.dissector >= kUndecided + tries(Carrier::stream, announced, context)) {
    const DissectorId hinted = dissectors_.hinted(Carrier::stream, context);
    if (hinted != kNoDissector) ++counters_[hinted].given_up;
    close(conversation);
  } else if (found.verdict == Probe::no) {
    unhold(side);
    side.searching = true;
  } else if (side.held == 0) {
    hold(side.buffer, side.held, stream, static_cast<std::uint32_t>(stream.size()));
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

/// One message of a stream: `size` bytes long, of which these are read.
void Dissection::read_message(Call& call, Bytes message, std::uint32_t size) {
  auto& [conversation, side, context, facts] = call;
  conversation.failures = 0;
  context.size = size;
  follow(call, dissect(conversation.dissector, message, context, facts));
}

void Dissection::follow(Call& call, const Outcome& outcome) {
  Conversation& conversation = call.conversation;
  if (innermost_ != kNoDissector) conversation.innermost = innermost_;
  if (outcome.then == Outcome::Then::same) return;
  const DissectorId name = conversation.application();
  const DissectorId next =
      outcome.then == Outcome::Then::become ? dissectors_.find(*outcome.next) : kNoDissector;
  const bool turned = conversation.turned;
  close(conversation);
  conversation.turned = turned;
  conversation.dissector = next != kNoDissector ? next : name | kDone;
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
  const std::uint32_t want = std::min(framing.size, framing.wanted);
  if (known && want <= stream.size()) {
    const auto used = std::min<std::size_t>(framing.size, stream.size());
    side.skip = framing.size - static_cast<std::uint32_t>(used);
    read_message(call, stream.first(want), framing.size);
    return used;
  }
  side.need = known ? framing.size : 0;
  side.want = want;
  if (!hold(side.buffer, side.held, stream, known ? std::min(want, kMaxMessage) : 0))
    overflow(call, stream.size());
  return stream.size();
}

/// The message that waits in the buffer goes on with `bytes`. Returns the bytes used.
std::size_t Dissection::continue_message(Call& call, Bytes bytes) {
  auto& [conversation, side, context, facts] = call;
  const std::uint32_t before = side.held;
  const std::uint32_t most = side.need != 0 ? std::min(side.want, kMaxMessage) : kMaxMessage;
  bytes = bytes.first(std::min<std::size_t>(bytes.size(), most - before));
  if (!hold(side.buffer, side.held, bytes, side.need != 0 && most == side.want ? most : 0)) {
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
    side.want = std::min(framing.size, framing.wanted);
  }
  const std::uint32_t size = side.need;
  const std::uint32_t whole = std::min(side.want, kMaxMessage);
  if (side.held < whole) return bytes.size();
  const std::uint32_t used = std::min(size, side.held);
  context.cut |= side.want > kMaxMessage;
  side.skip = size - used;
  unhold(side);
  read_message(call, front.first(whole), size);
  context.cut = false;
  return std::max(used, before) - before;
}

void Dissection::gap(Conversation& conversation, std::uint32_t size, const Context& context,
                     Facts& facts) {
  if (!is_read(conversation.dissector)) return;
  Side& side = conversation.side[context.to_server ? 0 : 1];
  if (is_undecided(conversation.dissector)) {
    unhold(side);
    side.searching = true;
    return;
  }
  DissectorCounters& counters = counters_[conversation.dissector];
  if (side.held > 0) {
    if (side.need != 0) {  // Its front is worth reading, and its end is known.
      Context mine = context;
      mine.to_server ^= conversation.turned;
      mine.cut = true;
      Call call{conversation, side, mine, facts};
      const Bytes front = Bytes(buffers_.bytes(side.buffer)).first(side.held);
      const std::uint32_t need = side.need;
      side.skip = need - side.held;
      unhold(side);
      read_message(call, front, need);
      if (!is_read(conversation.dissector)) return;
    } else {
      counters.skipped_bytes += side.held;
      unhold(side);
    }
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

void Dissection::finish(Conversation& conversation, const Context& context, Facts& facts) {
  for (const bool client : {true, false}) {
    if (!is_read(conversation.dissector)) return;
    Side& side = conversation.side[client ? 0 : 1];
    if (side.held == 0) continue;
    Context mine = client == context.to_server ? context : context.reversed();
    mine.to_server ^= conversation.turned;
    mine.last = true;
    Call call{conversation, side, mine, facts};
    finish_side(call);
  }
}

/// What was too short to be sure of is what its port says; what was too short to be whole is all
/// that there is.
void Dissection::finish_side(Call& call) {
  auto& [conversation, side, context, facts] = call;
  Bytes front = Bytes(buffers_.bytes(side.buffer)).first(side.held);
  if (is_undecided(conversation.dissector)) {
    Found found =
        dissectors_.probe(Carrier::stream, front, context, expected(Carrier::stream, context));
    if (found.verdict == Probe::maybe) found.id = dissectors_.hinted(Carrier::stream, context);
    if (!is_decided(found.id)) return unhold(side);
    settle_sides(call, found);
    const std::uint32_t probed = std::exchange(side.buffer, 0);
    side.held = 0;
    cut_messages(call, front);
    buffers_.release(probed);
    if (!is_read(conversation.dissector) || side.held == 0) return;
    front = Bytes(buffers_.bytes(side.buffer)).first(side.held);
  }
  std::uint32_t size = side.need, want = side.want;
  context.self = conversation.dissector;
  if (size == 0) {
    const Framing framing = dissectors_[conversation.dissector].frame(front, context);
    const bool known = framing.status == Framing::Status::message;
    size = known ? framing.size : side.held;
    want = known ? std::min(size, framing.wanted) : kMaxMessage;
  }
  context.cut = want > front.size();
  unhold(side);
  read_message(call, front.first(std::min<std::size_t>(want, front.size())), size);
}

void Dissection::close(Conversation& conversation) {
  for (Side& side : conversation.side) unhold(side);
  conversation = Conversation{};
}

SavedMessages Dissection::save(const Conversation& conversation, int index) {
  const Side& side = conversation.side[static_cast<std::size_t>(index)];
  SavedMessages out{{}, side.need, side.want, side.skip, side.searching};
  if (side.held == 0) return out;
  const Bytes held = Bytes(buffers_.bytes(side.buffer)).first(side.held);
  out.held.assign(held.begin(), held.end());
  return out;
}

void Dissection::restore(Conversation& conversation, int index, const SavedMessages& saved) {
  Side& side = conversation.side[static_cast<std::size_t>(index)];
  unhold(side);
  side = Side{};
  if (!is_read(conversation.dissector)) return;
  const bool decided = is_decided(conversation.dissector);
  side.searching = saved.searching;
  side.skip = saved.held.empty() && decided ? saved.skip : 0;
  if (saved.held.empty()) return;
  const std::uint32_t whole = std::min({saved.need, saved.want, kMaxMessage});
  const bool complete = saved.held.size() >= (whole != 0 ? whole : kMaxMessage);
  if (complete || (!decided && saved.need != 0)) {
    side.searching = true;
  } else if (!hold(side.buffer, side.held, saved.held, whole)) {
    const auto size = static_cast<std::uint32_t>(saved.held.size());
    if (decided) ++counters_[conversation.dissector].buffer_overflow;
    side.skip = whole != 0 ? saved.need - size : 0;
    side.searching |= whole == 0;
  } else {
    side.need = saved.need;
    side.want = saved.want;
  }
}

/// Appends to what a buffer holds; it gets one of at least `capacity` bytes.
bool Dissection::hold(std::uint32_t& buffer, std::uint32_t& held, Bytes bytes,
                      std::uint32_t capacity) {
  const std::uint32_t total = held + static_cast<std::uint32_t>(bytes.size());
  capacity = std::max(capacity, total);
  if (buffer == 0 || buffers_.bytes(buffer).size() < capacity) {
    const std::uint32_t larger = buffers_.acquire(capacity);
    if (larger == 0) return false;
    if (held > 0) std::memcpy(buffers_.bytes(larger).data(), buffers_.bytes(buffer).data(), held);
    buffers_.release(buffer);
    buffer = larger;
  }
  if (!bytes.empty()) std::memcpy(buffers_.bytes(buffer).data() + held, bytes.data(), bytes.size());
  held = total;
  return true;
}

void Dissection::unhold(Side& side) {
  buffers_.release(side.buffer);
  side.buffer = side.held = side.need = side.want = 0;
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
