#include "agent/engine/worker/streams.hpp"

#include <algorithm>
#include <memory>
#include <type_traits>
#include <utility>

namespace vmirror {

Streams::Streams(Dissection& dissection, ReassemblyLimits limits, std::uint32_t max_streams)
    : dissection_(dissection), reassembler_(limits), max_(max_streams) {
  static_assert(std::is_trivially_destructible_v<Stream>);
  streams_ = std::allocator<Stream>().allocate(std::size_t{max_} + 1);
}

Streams::~Streams() {
  std::allocator<Stream>().deallocate(streams_, std::size_t{max_} + 1);
}

std::uint32_t Streams::open(DissectorId dissector) {
  std::uint32_t handle = free_;
  if (handle != 0) {
    free_ = streams_[handle].next_free;
  } else if (fresh_ <= max_) {
    handle = fresh_++;
  } else {
    ++overflowed_;
    return 0;
  }
  ++used_;
  Stream& stream = *std::construct_at(&streams_[handle]);
  stream.conversation.dissector = dissector;
  return handle;
}

Streams::Taken Streams::read_from(std::uint32_t handle, const Piece& first, const Context& context,
                                  Facts& facts) {
  Stream& stream = streams_[handle];
  read(stream, first, context, facts);
  const Taken out{stream.conversation.dissector, stream.conversation.turned};
  if (out.turned) turn(handle);
  if (!is_read(out.dissector)) release(handle);
  return out;
}

void Streams::close(std::uint32_t handle, const Context& context, Facts& facts) {
  Stream& stream = streams_[handle];
  reassembler_.flush(stream.tcp);
  read(stream, reassembler_.next(stream.tcp), context, facts);
  dissection_.finish(stream.conversation, context, facts);
  release(handle);
}

/// Passes on `piece` and what the reassembler has behind it. It may be the other side's.
void Streams::read(Stream& stream, std::optional<Piece> piece, const Context& context,
                   Facts& facts) {
  Context mine = context;
  for (; piece; piece = reassembler_.next(stream.tcp)) {
    if ((piece->side == 0) != mine.to_server) mine = mine.reversed();
    if (piece->restarted) dissection_.restart(stream.conversation, mine);
    if (piece->gap > 0) dissection_.gap(stream.conversation, piece->gap, mine, facts);
    if (!piece->bytes.empty()) dissection_.feed(stream.conversation, piece->bytes, mine, facts);
  }
}

HandedStream Streams::save(std::uint32_t handle) {
  const Stream& stream = streams_[handle];
  HandedStream out;
  for (const int side : {0, 1}) {
    const auto i = static_cast<std::size_t>(side);
    out.tcp[i] = reassembler_.save(stream.tcp, side);
    out.messages[i] = dissection_.save(stream.conversation, side);
  }
  out.failures = stream.conversation.failures;
  if (const char* name = dissection_.dissectors().name(stream.conversation.innermost))
    out.innermost = name;
  return out;
}

void Streams::adopt(std::uint32_t handle, DissectorId dissector, const HandedStream& given) {
  Stream& stream = streams_[handle];
  Conversation& conversation = stream.conversation;
  const bool found = is_undecided(conversation.dissector) && is_decided(dissector);
  if (found) conversation.dissector = dissector;
  if (conversation.innermost == kNoDissector)
    conversation.innermost = dissection_.dissectors().find(given.innermost, Carrier::inside);
  for (const int side : {0, 1}) {
    const auto i = static_cast<std::size_t>(side);
    if (!stream.tcp.side[i].open) {
      reassembler_.restore(stream.tcp, side, given.tcp[i]);
      dissection_.restore(conversation, side, given.messages[i]);
    } else if (found) {  // What was kept to be probed lies somewhere in a message.
      dissection_.restore(conversation, side, {{}, 0, 0, true});
    }
  }
  conversation.failures =
      std::clamp<std::uint8_t>(given.failures, conversation.failures, Dissection::kMaxFailures - 1);
}

void Streams::turn(std::uint32_t handle) {
  Stream& stream = streams_[handle];
  std::swap(stream.tcp.side[0], stream.tcp.side[1]);
  std::swap(stream.conversation.side[0], stream.conversation.side[1]);
  stream.conversation.turned = false;
}

void Streams::release(std::uint32_t handle) {
  Stream& stream = streams_[handle];
  reassembler_.close(stream.tcp);
  dissection_.close(stream.conversation);
  stream.next_free = free_;
  free_ = handle;
  --used_;
}

}  // namespace vmirror
