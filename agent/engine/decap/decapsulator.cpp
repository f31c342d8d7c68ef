// Composes the parsers of the encapsulations: takes one layer off after the other until the frame
// is bare, then checks and counts the session.
#include "agent/engine/decap/datagrams.hpp"
#include "agent/engine/decap/decap.hpp"
#include "agent/engine/decap/envelope.hpp"
#include "agent/engine/decap/erspan.hpp"
#include "agent/engine/decap/fragments.hpp"
#include "agent/engine/decap/geneve.hpp"
#include "agent/engine/decap/gre.hpp"
#include "agent/engine/decap/rspan.hpp"
#include "agent/engine/decap/sessions.hpp"
#include "agent/engine/decap/vxlan.hpp"
#include "agent/engine/wire/tags.hpp"
#include "agent/engine/wire/wlan.hpp"
#include "agent/model/scope.hpp"

namespace vmirror {
namespace {

/// What one look at a frame found.
enum class Found : std::uint8_t { bare, layer, error };

/// One encapsulation of a frame, and the frame that it carried.
struct Layer {
  Frame inner;
  Origin origin;
  std::uint32_t sequence = 0;
  bool has_sequence = false;
  DecapError error = DecapError::none;
  std::uint16_t number = 0;  ///< The GRE protocol, with DecapError::gre_protocol.
};

bool is_erspan(Encapsulation e) {
  return e == Encapsulation::erspan1 || e == Encapsulation::erspan2 || e == Encapsulation::erspan3;
}

/// The frame that begins `skip` bytes into the outer packet's payload.
void set_inner(const Frame& frame, const Packet& p, std::size_t skip, LinkType link, Layer& out) {
  out.inner = frame;
  out.inner.bytes = frame.bytes.subspan(p.payload + skip, p.payload_size - skip);
  // Where the capture cut the outer packet, its length field still tells.
  out.inner.wire_size = static_cast<std::uint32_t>(p.payload_wire_size - skip);
  out.inner.link = link;
  out.inner.stripped = {};
  out.origin.sender = p.source_ip(frame.bytes);
}

Found fail(Layer& out, DecapError error) {
  out.error = error;
  return Found::error;
}

void set_session(Origin& origin, Encapsulation encapsulation, std::uint32_t session) {
  origin.encapsulation = encapsulation;
  origin.session = session;
  origin.has_session = true;
}

Found take_erspan(const Frame& frame, const Packet& p, const GreHeader& gre, Layer& out) {
  const bool third = gre.protocol == gre_protocol::kErspan3;
  const Bytes packet = p.payload_of(frame.bytes).subspan(gre.size);
  const auto h = third ? parse_erspan3(packet) : parse_erspan2(packet);
  if (!h) return fail(out, h.error());
  set_inner(frame, p, gre.size + std::size_t{h->size},
            h->bare_ip ? LinkType::ip : LinkType::ethernet, out);
  if (lost_tag(*h)) {
    out.inner.stripped = {ethertype::kVlan, static_cast<std::uint16_t>(h->cos << 13 | h->vlan)};
    out.inner.wire_size += 4;
  }
  Origin& o = out.origin;
  set_session(o, third ? Encapsulation::erspan3 : Encapsulation::erspan2, h->session);
  o.truncated = h->truncated;
  o.vlan = h->vlan;
  o.port_index = h->port;
  if (third) {
    o.direction = h->egress ? Direction::in : Direction::out;
    o.bad_frame = h->bad_frame;
    o.hardware_time = h->timestamp;
    o.granularity = h->granularity;
    o.hardware_id = h->hardware;
    o.group = h->group;
  }
  return Found::layer;
}

/// What begins `skip` bytes behind the GRE header.
Found take_gre_payload(const Frame& frame, const Packet& p, const GreHeader& gre, std::size_t skip,
                       LinkType link, Layer& out) {
  if (p.payload_size < gre.size + skip) return fail(out, DecapError::gre_truncated);
  set_inner(frame, p, gre.size + skip, link, out);
  set_session(out.origin, Encapsulation::gre, gre.key);
  out.origin.has_session = gre.has_key;
  return Found::layer;
}

Found take_gre(const Frame& frame, const Packet& p, Layer& out) {
  const auto gre = parse_gre(p.payload_of(frame.bytes), p.payload_size == p.payload_wire_size);
  if (!gre) return fail(out, gre.error());
  out.has_sequence = gre->has_sequence;
  out.sequence = gre->sequence;
  switch (gre->protocol) {
    case gre_protocol::kErspan2:
      if (gre->has_sequence) return take_erspan(frame, p, *gre, out);
      set_inner(frame, p, gre->size, LinkType::ethernet, out);
      out.origin.encapsulation = Encapsulation::erspan1;
      return Found::layer;
    case gre_protocol::kErspan3:
      return take_erspan(frame, p, *gre, out);
    case gre_protocol::kEthernet:
      return take_gre_payload(frame, p, *gre, 0, LinkType::ethernet, out);
    case gre_protocol::kBehind22:
      return take_gre_payload(frame, p, *gre, 22, LinkType::ethernet, out);
    case gre_protocol::kIpv4:
    case gre_protocol::kIpv6:
      return take_gre_payload(frame, p, *gre, 0, LinkType::ip, out);
    case gre_protocol::kMpls:
    case gre_protocol::kMplsUpstream:
      return take_gre_payload(frame, p, *gre, 0, LinkType::mpls, out);
    case gre_protocol::kWccp: {
      const Bytes payload = p.payload_of(frame.bytes).subspan(gre->size);
      const bool redirected = !payload.empty() && payload[0] >> 4 != 4;
      return take_gre_payload(frame, p, *gre, redirected ? 4 : 0, LinkType::ip, out);
    }
    default:
      out.number = gre->protocol;
      if (gre->protocol >= gre_protocol::kArubaFirst && gre->protocol <= gre_protocol::kArubaLast &&
          parse_wlan(p.payload_of(frame.bytes).subspan(gre->size)))
        return take_gre_payload(frame, p, *gre, 0, LinkType::wlan, out);
      return fail(out, DecapError::gre_protocol);
  }
}

Found take_datagram(const Frame& frame, const Packet& p, Encapsulation carried, Layer& out) {
  const auto h =
      parse_datagram(carried, p.payload_of(frame.bytes), p.payload_size == p.payload_wire_size);
  if (!h) return fail(out, h.error());
  set_inner(frame, p, h->size, h->link, out);
  set_session(out.origin, carried, h->session);
  out.origin.has_session = h->has_session;
  out.origin.vlan = h->vlan;
  return Found::layer;
}

std::uint32_t bottom_label(const Frame& frame) {
  const SkippedTags all = skipped_tags(frame.bytes, frame.link);
  std::uint32_t label = 0;
  for (std::size_t i = 0; i < all.count; ++i)
    if (all.tags[i].kind == TagKind::mpls) label = static_cast<std::uint32_t>(all.tags[i].value);
  return label;
}

/// A label stack has no mark of its own: what it carries has to be there.
Found take_mpls(const Frame& frame, const Packet& p, Layer& out) {
  set_inner(frame, p, 0, LinkType::mpls, out);
  const Packet inner = parse_packet(out.inner.bytes, out.inner.link, {});
  if (inner.error != HeaderError::none ||
      (inner.ip_version == 0 && inner.carrier == LinkCarrier::none))
    return Found::bare;
  set_session(out.origin, Encapsulation::mpls, bottom_label(out.inner));
  return Found::layer;
}

Found take_udp(const Frame& frame, const Packet& p, Encapsulation carried, Layer& out) {
  const Bytes payload = p.payload_of(frame.bytes);
  if (carried == Encapsulation::geneve) {
    const auto h = parse_geneve(payload);
    if (!h) return fail(out, h.error());
    set_inner(frame, p, h->size, h->bare_ip ? LinkType::ip : LinkType::ethernet, out);
    set_session(out.origin, Encapsulation::geneve, h->vni);
    return Found::layer;
  }
  if (carried == Encapsulation::gre) return take_gre(frame, p, out);
  if (carried == Encapsulation::mpls) return take_mpls(frame, p, out);
  if (carried != Encapsulation::vxlan) return take_datagram(frame, p, carried, out);
  constexpr std::uint16_t kGpePort = 4790;
  const auto h = parse_vxlan(payload, p.destination_port == kGpePort);
  if (!h) return fail(out, h.error());
  // Eight bytes with the I bit are no rare front of something else: a frame has to follow.
  constexpr std::size_t kSmallestFrame = 14;
  if (!h->bare_ip && p.payload_wire_size < VxlanHeader::size + kSmallestFrame)
    return fail(out, DecapError::vxlan_flags);
  set_inner(frame, p, h->size, h->bare_ip ? LinkType::ip : LinkType::ethernet, out);
  set_session(out.origin, Encapsulation::vxlan, h->vni);
  return Found::layer;
}

/// IP in IP: there is no header between them.
Found take_ip(const Frame& frame, const Packet& p, Layer& out) {
  const Bytes payload = p.payload_of(frame.bytes);
  const int version = p.protocol == ip_protocol::kIpv4 ? 4 : 6;
  if (payload.empty() || payload[0] >> 4 != version) return Found::bare;
  set_inner(frame, p, 0, LinkType::ip, out);
  out.origin.encapsulation = Encapsulation::ip;
  return Found::layer;
}

/// A frame within a frame of the link layer; its header ends where the inner one begins.
Found take_carried(const Frame& frame, const Packet& p, Layer& out) {
  const std::uint8_t* inner = frame.bytes.data() + p.network;
  const std::size_t behind = frame.bytes.size() - p.network - p.network_size;
  out.inner = frame;
  out.inner.bytes = p.network_of(frame.bytes);
  out.inner.wire_size = static_cast<std::uint32_t>(whole_size(frame) - p.network - behind);
  out.inner.link = LinkType::ethernet;
  out.inner.stripped = {};
  switch (p.carrier) {
    case LinkCarrier::none:
      return Found::bare;
    case LinkCarrier::pbb:
      set_session(out.origin, Encapsulation::pbb, load_be32(inner - 4) & 0xffffff);
      break;
    case LinkCarrier::fabricpath:
      set_session(out.origin, Encapsulation::fabricpath, load_be16(inner - 2) >> 6);
      break;
    case LinkCarrier::isl:
      set_session(out.origin, Encapsulation::isl, load_be16(inner - 6) >> 1);
      break;
    case LinkCarrier::mpls:
      set_session(out.origin, Encapsulation::mpls, bottom_label(frame));
      break;
  }
  return Found::layer;
}

/// Looks for an encapsulation. Needs whole datagrams.
Found look(const Frame& frame, const Packet& p, const UdpCarriers& udp, Layer& out) {
  if (p.fragment || p.error != HeaderError::none) return Found::bare;
  if (p.carrier != LinkCarrier::none) return take_carried(frame, p, out);
  if (p.protocol == ip_protocol::kGre) return take_gre(frame, p, out);
  if (p.protocol == ip_protocol::kIpv4 || p.protocol == ip_protocol::kIpv6)
    return take_ip(frame, p, out);
  if (p.protocol != ip_protocol::kUdp) return Found::bare;
  const Encapsulation carried = udp.of(p.source_port, p.destination_port);
  return carried == Encapsulation::none ? Found::bare : take_udp(frame, p, carried, out);
}

}  // namespace

struct Decapsulator::State {
  explicit State(DecapOptions o)
      : options(std::move(o)),
        fragments({options.max_datagrams, options.max_fragment_bytes, options.fragment_timeout}),
        sessions(options.sessions, options.hash) {}

  DecapOptions options;
  Fragments fragments;
  Sessions sessions;
  std::array<std::uint64_t, kEncapsulations> taken_off{};
  Envelopes envelopes{taken_off[static_cast<std::size_t>(Encapsulation::erspan2)], options.udp};
  std::array<std::uint64_t, kDecapErrors> errors{};
  NumberCounts gre_unknown;
  std::unique_ptr<std::uint8_t[]> rspan_buffer;  ///< Made at the first RSPAN copy.
  static constexpr std::size_t kRspanBuffer = 65536;

  bool is_rspan(const Packet& p) const {
    return options.rspan_vlan && p.tag_count > 0 && p.tags[0].id() == *options.rspan_vlan;
  }
  void take_rspan(Decapsulated& out);
  enum class Step : std::uint8_t { whole, settled };
  Step join(Decapsulated& out);
  void drop(Decapsulated& out, Drop kind, DecapError error = DecapError::none);
  void refuse(Decapsulated& out, const Layer& layer);
  void peel(Decapsulated& out, std::uint32_t& sequence, bool& has_sequence);
  void settle(Decapsulated& out, const std::uint32_t* sequence);
};

void Decapsulator::State::drop(Decapsulated& out, Drop kind, DecapError error) {
  out.status = Decapsulated::Status::drop;
  out.drop = kind;
  out.error = error;
}

/// What can't be taken off: a broken mirror is dropped; what is none passes, unless nothing else
/// than mirrors is expected.
void Decapsulator::State::refuse(Decapsulated& out, const Layer& layer) {
  const DecapError error = layer.error;
  if (error == DecapError::gre_protocol) gre_unknown.count(layer.number);
  ++errors[static_cast<std::size_t>(error)];
  if (is_no_mirror(error) && (options.accept_bare || out.origin.depth > 0)) return;
  drop(out, drop_of(error), error);
}

void Decapsulator::State::take_rspan(Decapsulated& out) {
  if (!rspan_buffer) rspan_buffer = std::make_unique<std::uint8_t[]>(kRspanBuffer);
  set_session(out.origin, Encapsulation::rspan, out.packet.tags[0].id());
  out.origin.depth = 1;
  ++taken_off[static_cast<std::size_t>(Encapsulation::rspan)];
  out.frame = without_outer_tag(out.frame, {rspan_buffer.get(), kRspanBuffer});
  out.packet = parse_packet(out.frame.bytes, out.frame.link, out.frame.stripped);
}

/// Joins a fragment to its datagram. `whole`: out.frame is to be looked at as it is now.
Decapsulator::State::Step Decapsulator::State::join(Decapsulated& out) {
  const Packet& p = out.packet;
  const bool gre = p.protocol == ip_protocol::kGre;
  // A later IPv6 fragment names what its datagram begins with, maybe an extension header.
  const bool extension = p.ip_version == 6 && (p.protocol == 0 || p.protocol == 60);
  const bool in_ip = p.protocol == ip_protocol::kIpv4 || p.protocol == ip_protocol::kIpv6;
  if (!gre && !in_ip && p.protocol != ip_protocol::kUdp && !extension) return Step::whole;
  const bool only_bare = options.accept_bare || out.origin.depth > 0;
  const bool begins_overlay =
      p.fragment_offset == 0 &&
      options.udp.of(p.source_port, p.destination_port) != Encapsulation::none;
  const auto joined =
      fragments.take(out.frame, p, !gre && !in_ip && only_bare && !begins_overlay, out.frames);
  using Status = Fragments::Outcome::Status;
  switch (joined.status) {
    case Status::unwanted:
      return Step::whole;
    case Status::held:
      out.frames = 1;
      out.status = Decapsulated::Status::held;
      return Step::settled;
    case Status::dropped:
      out.frames = joined.frames;
      if (joined.error != DecapError::none) ++errors[static_cast<std::size_t>(joined.error)];
      drop(out, joined.drop, joined.error);
      return Step::settled;
    case Status::joined:
      out.frames = joined.frames;
      break;
  }
  out.frame = joined.frame;
  out.packet = parse_packet(out.frame.bytes, out.frame.link, out.frame.stripped);
  return Step::whole;
}

/// Takes off layer after layer. The sequence number is that of the layer that `origin` tells of.
void Decapsulator::State::peel(Decapsulated& out, std::uint32_t& sequence, bool& has_sequence) {
  for (;;) {
    if (out.packet.fragment && join(out) == Step::settled) return;
    Layer layer;
    const Found found = look(out.frame, out.packet, options.udp, layer);
    if (found == Found::bare) return;
    if (found == Found::error) return refuse(out, layer);
    if (out.origin.depth >= options.max_depth) return drop(out, Drop::nesting_too_deep);

    const Encapsulation kind = layer.origin.encapsulation;
    ++taken_off[static_cast<std::size_t>(kind)];
    const auto depth = static_cast<std::uint8_t>(out.origin.depth + 1);
    if (depth == 1 || (is_erspan(kind) && !is_erspan(out.origin.encapsulation))) {
      const Scope overlay = out.origin.overlay;
      out.origin = layer.origin;
      out.origin.overlay = overlay;
      sequence = layer.sequence;
      has_sequence = layer.has_sequence;
    }
    out.origin.depth = depth;
    if (const Scope overlay = overlay_scope(kind, layer.origin.session))
      out.origin.overlay = overlay;
    out.frame = layer.inner;
    out.packet = parse_packet(out.frame.bytes, out.frame.link, out.frame.stripped);
    if (out.packet.error == HeaderError::link_truncated) return drop(out, Drop::short_frame);
  }
}

/// Counts the session of what was taken off, and refuses it where it isn't accepted.
void Decapsulator::State::settle(Decapsulated& out, const std::uint32_t* sequence) {
  const bool accepted = sessions.count(out.origin, out.frame, sequence);
  if (!accepted && out.status == Decapsulated::Status::frame) drop(out, Drop::unknown_session);
}

Decapsulator::Decapsulator(DecapOptions options)
    : state_(std::make_unique<State>(std::move(options))) {}
Decapsulator::~Decapsulator() = default;
Decapsulator::Decapsulator(Decapsulator&&) noexcept = default;
Decapsulator& Decapsulator::operator=(Decapsulator&&) noexcept = default;

Decapsulated Decapsulator::take(const Frame& frame, const Packet& packet) {
  State& s = *state_;
  Decapsulated out;
  out.frame = frame;
  out.packet = packet;
  if (may_be_encapsulated(packet, s.options.udp, s.options.rspan_vlan)) {
    s.fragments.release();
    if (s.is_rspan(packet)) s.take_rspan(out);
    std::uint32_t sequence = 0;
    bool has_sequence = false;
    s.peel(out, sequence, has_sequence);
    if (out.origin.depth > 0) s.settle(out, has_sequence ? &sequence : nullptr);
    // Sessions past the bound share an entry, which has no sequence: they go the long way.
    if (out.status == Decapsulated::Status::frame && out.origin.depth == 1 &&
        s.sessions.last()->counters.encapsulation == Encapsulation::erspan2)
      s.envelopes.remember(frame, out.origin, s.sessions.last());
  }
  if (out.origin.depth == 0 && !s.options.accept_bare && out.status == Decapsulated::Status::frame)
    s.drop(out, Drop::not_mirrored);
  return out;
}

Decapsulated Decapsulator::take_inner(const Frame& outer, const Frame& inner, const Packet& packet,
                                      const Origin& origin) {
  State& s = *state_;
  Decapsulated out;
  out.frame = inner;
  out.packet = packet;
  out.origin = origin;
  ++s.taken_off[static_cast<std::size_t>(Encapsulation::erspan2)];
  s.fragments.release();
  std::uint32_t sequence = load_be32(outer.bytes.data() + 38);
  bool has_sequence = true;
  s.peel(out, sequence, has_sequence);
  s.settle(out, has_sequence ? &sequence : nullptr);
  return out;
}

Envelopes& Decapsulator::envelopes() {
  return state_->envelopes;
}
std::uint64_t Decapsulator::expire(Time now) {
  return state_->fragments.expire(now);
}
std::uint64_t Decapsulator::flush() {
  return state_->fragments.flush();
}
const std::array<std::uint64_t, kEncapsulations>& Decapsulator::taken_off() const {
  return state_->taken_off;
}
const std::array<std::uint64_t, kDecapErrors>& Decapsulator::errors() const {
  return state_->errors;
}
const NumberCounts& Decapsulator::gre_unknown() const {
  return state_->gre_unknown;
}
std::vector<SessionCounters> Decapsulator::sessions() const {
  return state_->sessions.counters();
}
std::uint64_t Decapsulator::sessions_overflowed() const {
  return state_->sessions.overflowed();
}
Decapsulator::FragmentUse Decapsulator::fragments() const {
  const Fragments::Use use = state_->fragments.use();
  return {use.datagrams, use.bytes, use.too_many, use.too_large};
}
std::vector<SenderCounters> Decapsulator::senders() const {
  return state_->sessions.senders();
}

}  // namespace vmirror
