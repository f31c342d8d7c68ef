// Fuzzes what another agent may send: frames, cut where the first byte says, are the same as whole;
// a frame that was read and is written again is the same bytes; no body is larger than allowed.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "agent/control/peers/frame.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace vmirror;

namespace {

constexpr std::size_t kMessageBytes = 3000;

struct Read {
  std::vector<PeerFrame> frames;
  std::string error;
  bool operator==(const Read&) const = default;
};

Read read_all(Bytes wire, std::size_t piece) {
  PeerFrameReader reader;
  Read out;
  while (!wire.empty()) {
    const auto space = reader.space();
    if (space.empty()) std::abort();
    const std::size_t n = std::min({space.size(), wire.size(), piece});
    std::copy_n(wire.begin(), n, space.begin());
    wire = wire.subspan(n);
    auto frame = reader.filled(n);
    if (!frame) {
      out.error = frame.error().text();
      break;
    }
    if (!*frame) continue;
    if ((*frame)->kind == PeerFrame::Kind::hello)
      reader.allow_messages([](std::string_view) { return kMessageBytes; });
    out.frames.push_back(std::move(**frame));
  }
  return out;
}

}  // namespace

VMIRROR_FUZZ(bytes) {
  if (bytes.empty()) return;
  const std::size_t piece = bytes[0] + std::size_t{1};
  const Bytes wire = bytes.subspan(1);
  const Read whole = read_all(wire, wire.size());
  if (read_all(wire, piece) != whole) std::abort();

  std::string again;
  for (const PeerFrame& frame : whole.frames) {
    const bool message = frame.kind == PeerFrame::Kind::message;
    if (frame.body.size() > (message ? kMessageBytes : kMaxPeerControl)) std::abort();
    again += encode_peer_head(frame.kind, frame.type, frame.body.size()) + frame.body;
    const auto hello = parse_peer_hello(frame.body);
    if (hello && hello->version == kPeerVersion &&
        !frame.body.starts_with(encode(*hello).substr(0, 6)))
      std::abort();
    (void)parse_ping(frame.body);
    (void)parse_pong(frame.body, 0);
  }
  if (!as_text(wire).starts_with(again)) std::abort();
}

VMIRROR_SEEDS() {
  const std::string hello =
      encode_peer_frame(PeerFrame::Kind::hello, encode(PeerHello{1, 2, 3, "hosta"}));
  const auto message = [](std::string_view type, std::string_view body) {
    return encode_peer_head(PeerFrame::Kind::message, type, body.size()).append(body);
  };
  std::vector<test::Buffer> out;
  for (const std::string& wire : {
           hello,
           hello + encode_peer_frame(PeerFrame::Kind::ping, encode_ping(1)) +
               encode_peer_frame(PeerFrame::Kind::pong, encode_pong(1, 2, 3)),
           hello + message("record", "{}") + message("state", std::string(2000, 'x')),
           message("record", "{}"),
           encode_peer_frame(PeerFrame::Kind::bye, "no"),
       })
    for (const char piece : {'\0', '\x07', '\xff'}) {
      const std::string input = piece + wire;
      out.emplace_back(input.begin(), input.end());
    }
  return out;
}
