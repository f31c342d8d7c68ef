#include "agent/control/peers/frame.hpp"

namespace vmirror {
namespace {

constexpr std::uint32_t kMagic = 0x564d504c;  // "VMPL"
// RFC 8446, 5.1: the first byte of an alert and of a ClientHello. No frame is long enough for it.
constexpr std::uint8_t kTlsAlert = 21, kTlsHandshake = 22;

void put16(std::string& out, std::uint16_t v) {
  out += static_cast<char>(v >> 8);
  out += static_cast<char>(v);
}
void put32(std::string& out, std::uint32_t v) {
  put16(out, static_cast<std::uint16_t>(v >> 16));
  put16(out, static_cast<std::uint16_t>(v));
}
void put64(std::string& out, std::uint64_t v) {
  put32(out, static_cast<std::uint32_t>(v >> 32));
  put32(out, static_cast<std::uint32_t>(v));
}

Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::span<std::uint8_t> rest(std::string& text, std::size_t from) {
  return {reinterpret_cast<std::uint8_t*>(text.data()) + from, text.size() - from};
}

tl::unexpected<Error> malformed(std::string what) {
  return fail(Error::Kind::invalid, std::move(what), {},
              "does a vmirrord of this version listen there?");
}

}  // namespace

std::string encode_peer_head(PeerFrame::Kind kind, std::string_view type, std::size_t body_size) {
  std::string out;
  out.reserve(kPeerHeader + type.size());
  put32(out, static_cast<std::uint32_t>(type.size() + body_size));
  out += static_cast<char>(kind);
  out += static_cast<char>(type.size());
  put16(out, 0);
  out += type;
  return out;
}

std::string encode_peer_frame(PeerFrame::Kind kind, std::string_view body) {
  return encode_peer_head(kind, {}, body.size()) += body;
}

PeerFrameReader::PeerFrameReader() : header_(kPeerHeader, '\0') {}

std::span<std::uint8_t> PeerFrameReader::space() {
  switch (part_) {
    case Part::header:
      return rest(header_, have_);
    case Part::type:
      return rest(frame_.type, have_);
    default:
      return rest(frame_.body, have_);
  }
}

Result<std::optional<PeerFrame>> PeerFrameReader::filled(std::size_t n) {
  have_ += n;
  if (part_ == Part::header) {
    const auto first = static_cast<std::uint8_t>(header_[0]);
    if (!limit_ && have_ > 0 && (first == kTlsAlert || first == kTlsHandshake))
      return fail(Error::Kind::refused, "it speaks TLS, this agent does not", {},
                  "set peers.tls on both hosts, or on neither");
    if (have_ < header_.size()) return std::nullopt;
    if (const auto ok = read_header(); !ok) return tl::unexpected(ok.error());
    part_ = Part::type;
    have_ = 0;
  }
  if (part_ == Part::type) {
    if (have_ < frame_.type.size()) return std::nullopt;
    if (const auto ok = begin_body(); !ok) return tl::unexpected(ok.error());
    part_ = Part::body;
    have_ = 0;
  }
  if (have_ < frame_.body.size()) return std::nullopt;
  part_ = Part::header;
  have_ = 0;
  return std::exchange(frame_, {});
}

Result<void> PeerFrameReader::read_header() {
  Cursor at(as_bytes(header_));
  const std::size_t length = at.u32();
  const std::uint8_t kind = at.u8();
  const std::size_t type = at.u8();
  const auto message = static_cast<std::uint8_t>(PeerFrame::Kind::message);
  if (kind < 1 || kind > message || at.u16() != 0 || type > kMaxPeerType || type > length ||
      (kind == message) != (type > 0))
    return malformed("this is not the agents' protocol");
  frame_.kind = static_cast<PeerFrame::Kind>(kind);
  if (kind == message && !limit_) return malformed("a message came before the hello");
  frame_.type.resize(type);
  body_bytes_ = length - type;
  return {};
}

/// No byte of a body has room before its bound is known, which its type has.
Result<void> PeerFrameReader::begin_body() {
  const std::size_t most =
      frame_.kind == PeerFrame::Kind::message ? limit_(frame_.type) : kMaxPeerControl;
  if (body_bytes_ > most)
    return malformed("a frame of " + std::to_string(body_bytes_) + " bytes, " +
                     std::to_string(most) + " are allowed");
  frame_.body.resize(body_bytes_);
  return {};
}

std::string encode(const PeerHello& hello) {
  std::string out;
  put32(out, kMagic);
  put16(out, hello.version);
  put16(out, 0);
  put64(out, hello.instance);
  put64(out, hello.connection);
  put16(out, static_cast<std::uint16_t>(hello.host.size()));
  return out += hello.host;
}

Result<PeerHello> parse_peer_hello(std::string_view body) {
  Cursor at(as_bytes(body));
  PeerHello hello;
  const bool magic = at.u32() == kMagic;
  hello.version = at.u16();
  if (!magic || !at.ok()) return malformed("its hello is not the agents' protocol");
  if (hello.version != kPeerVersion) return hello;
  at.skip(2);
  hello.instance = at.u64();
  hello.connection = at.u64();
  const std::size_t size = at.u16();
  hello.host = as_text(at.take(size));
  if (!at.ok() || size == 0 || size > kMaxPeerHost)
    return malformed("its hello is not the agents' protocol");
  return hello;
}

std::string encode_ping(Time now) {
  std::string out;
  put64(out, static_cast<std::uint64_t>(now));
  return out;
}

std::string encode_pong(Time ping_sent, Time received, Time now) {
  std::string out;
  for (const Time t : {ping_sent, received, now}) put64(out, static_cast<std::uint64_t>(t));
  return out;
}

Result<Time> parse_ping(std::string_view body) {
  Cursor at(as_bytes(body));
  const auto time = static_cast<Time>(at.u64());
  if (!at.ok()) return malformed("a ping without its time");
  return time;
}

Result<PeerTimes> parse_pong(std::string_view body, Time received) {
  Cursor at(as_bytes(body));
  PeerTimes out;
  out.sent = static_cast<Time>(at.u64());
  out.peer_received = static_cast<Time>(at.u64());
  out.peer_sent = static_cast<Time>(at.u64());
  out.received = received;
  if (!at.ok()) return malformed("a pong without its times");
  return out;
}

}  // namespace vmirror
