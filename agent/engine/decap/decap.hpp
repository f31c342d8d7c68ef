// The decapsulator: takes what mirrors and tunnels wrap around a frame off again.
//
//   Ethernet [VLANs, tags] ( IP ( GRE ( ERSPAN I | II | III | Ethernet | IP | MPLS )
//                               | UDP ( VXLAN | GENEVE | TZSP | HP ERM | GTP-U | CAPWAP | Teredo )
//                               | IP )
//                          | PBB | FabricPath | ISL | MPLS pseudowire ) frame or IP packet,
//   nested up to a bound; RSPAN: the outermost VLAN tag is the mirror's.
//
// One Decapsulator serves one input on one thread. A bare frame costs one look at its Packet.
//
// What is no mirror passes as it is on an input that accepts bare frames, with its reason counted
// in `errors`: GRE of a protocol that is not read (named by number), and datagrams to the port of
// an encapsulation that have no such header. The same on a collector's input is dropped. A mirror
// that can't be read (cut off, contradictory, an ERSPAN frame type that is not Ethernet or IP) is
// dropped on either.
//
// Outer fragments: those of GRE are joined; those of UDP as well, except that on an input that
// accepts bare frames a UDP fragment that comes before its datagram's first one, or follows one to
// another port, passes as it is.
//
// Layers: of several encapsulations, `Origin` tells of the outermost ERSPAN, and where there is
// none, of the outermost. Session IDs are checked, and counted, for that one.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "agent/engine/decap/error.hpp"
#include "agent/engine/decap/sender_sequence.hpp"
#include "agent/engine/decap/udp_carriers.hpp"
#include "agent/engine/wire/keyed_hash.hpp"
#include "agent/model/drop.hpp"
#include "agent/model/frame.hpp"
#include "agent/model/number_counts.hpp"

namespace vmirror {

struct DecapOptions {
  bool accept_bare = true;  ///< False: a collector's interface; bare frames are not_mirrored.
  /// Session IDs (or keys, VNIs) to take; empty: any. What has none (ERSPAN I, GRE without a key)
  /// counts as 0. RSPAN copies are taken by `rspan_vlan` alone.
  std::set<std::uint32_t> sessions = {};
  std::optional<std::uint16_t> rspan_vlan =
      {};                ///< Frames with this outermost tag are RSPAN copies.
  UdpCarriers udp = {};  ///< What is encapsulated in UDP, by port.
  int max_depth = 4;     ///< Encapsulations taken off one frame.
  /// The outermost frames are as guests sent and received them (the target `local`): what they wrap
  /// is a guest's own tunnel, which says nothing of who sent it. The engine then counts NICs by the
  /// outermost frame, and analyses as it is what can't be taken off. The decapsulator reads it not.
  bool own_tunnels = false;
  std::size_t max_datagrams = 256;           ///< Outer fragmented datagrams held at once.
  std::size_t max_fragment_bytes = 4 << 20;  ///< Bytes of outer fragments held at once.
  Time fragment_timeout = 30 * kSecond;
  KeyedHash hash = KeyedHash();  ///< Of sessions, whose senders a guest can make up.
};

/// Counters of one mirroring session, told apart by encapsulation, ID, and sender.
struct SessionCounters {
  Encapsulation encapsulation = Encapsulation::none;
  std::uint32_t session = 0;
  IpAddress sender;
  std::uint64_t received = 0, bytes = 0;  ///< Of inner frames.
  std::uint64_t truncated = 0;
  std::uint64_t bad = 0;  ///< BSO other than good.
  bool accepted = true;   ///< False: an unknown session; received counts what was refused.
  Time first = 0, last = 0;
  SequenceRule rule = SequenceRule::none;
  /// By the session's own numbers: to be shown where the rule is `session`.
  SequenceWindow::Counts sequence;
};

/// Sessions of one sender may be numbered together where this is the same: all ERSPAN is erspan2.
constexpr Encapsulation numbered_as(Encapsulation e) {
  return e == Encapsulation::erspan3 ? Encapsulation::erspan2 : e;
}

/// What numbers say of a sender of several sessions that carry numbers.
struct SenderCounters {
  IpAddress sender;
  Encapsulation encapsulation = Encapsulation::none;  ///< As numbered_as() says.
  std::size_t sessions = 0;
  SequenceRule rule = SequenceRule::open;
  /// Over all of its sessions: to be shown where the rule is `sender`.
  SequenceWindow::Counts sequence;
};

/// What became of one frame.
struct Decapsulated {
  enum class Status : std::uint8_t {
    frame,  ///< `frame` and `packet` are to be analysed (the input itself where it was bare).
    held,   ///< A fragment that waits, or one that completed nothing.
    drop,   ///< Not analysed, for the reason `drop`.
  };
  Status status = Status::frame;
  Drop drop = Drop::count_;
  DecapError error = DecapError::none;  ///< What is wrong, where `drop` is a decap_ kind.
  /// Frames of the input that this settles: more when fragments joined, or were given up. With
  /// `drop` and `frames` 1 it may be an older fragment that is given up while this one is held.
  std::uint32_t frames = 1;
  Frame frame;
  Packet packet;
  Origin origin;
};

class Envelopes;

class Decapsulator {
 public:
  explicit Decapsulator(DecapOptions options);
  ~Decapsulator();
  Decapsulator(Decapsulator&&) noexcept;
  Decapsulator& operator=(Decapsulator&&) noexcept;

  /// `packet` is parse_packet(frame). The result borrows from `frame`'s bytes, or from a buffer of
  /// the decapsulator's that is good until the next call. No allocation but for fragments and for a
  /// session's first frame (at most kMaxSessions are told apart; later ones share one entry,
  /// counted).
  Decapsulated take(const Frame& frame, const Packet& packet);

  /// For `take_known` (envelope.hpp): the common case, at a small part of the cost.
  Envelopes& envelopes();
  /// Goes on where `take_known` said Shortcut::outermost: what it gave of `outer`. As `take`.
  Decapsulated take_inner(const Frame& outer, const Frame& inner, const Packet& packet,
                          const Origin& origin);

  /// Gives up fragments older than the timeout: the number of frames, all fragment_incomplete.
  std::uint64_t expire(Time now);
  /// Gives up all fragments: at a file's end.
  std::uint64_t flush();

  /// Frames taken off by encapsulation, indexed by Encapsulation.
  const std::array<std::uint64_t, kEncapsulations>& taken_off() const;
  /// Encapsulations that were refused, by reason, indexed by DecapError.
  const std::array<std::uint64_t, kDecapErrors>& errors() const;
  /// GRE protocols that are not read, and how often each came.
  const NumberCounts& gre_unknown() const;
  /// Outer datagrams that wait for the rest, by number and bytes, and those that gave way to others
  /// for want of either.
  struct FragmentUse {
    std::size_t datagrams = 0, bytes = 0;
    std::uint64_t too_many = 0, too_large = 0;
  };
  FragmentUse fragments() const;
  /// By encapsulation, session and sender.
  std::vector<SessionCounters> sessions() const;
  /// Frames of sessions that are not told apart, because kMaxSessions are.
  std::uint64_t sessions_overflowed() const;
  /// By address and encapsulation; those of one session are left out.
  std::vector<SenderCounters> senders() const;

  static constexpr std::size_t kMaxSessions = 1024;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// True when `take_known` (envelope.hpp) may know the frame: GRE with a sequence number and
/// ERSPAN's protocol, where it stands behind plain Ethernet and IPv4. One look, for the many that
/// are bare.
inline bool may_be_erspan2(const Frame& frame) {
  return frame.bytes.size() >= 64 && load_be32(frame.bytes.data() + 34) == 0x100088be;
}

/// True when the frame may carry an encapsulation that `take` would look into. Inline: the fast
/// path.
inline bool may_be_encapsulated(const Packet& p, const UdpCarriers& udp,
                                const std::optional<std::uint16_t>& rspan_vlan) {
  constexpr std::uint64_t kInIp = std::uint64_t{1} << ip_protocol::kGre |
                                  std::uint64_t{1} << ip_protocol::kIpv4 |
                                  std::uint64_t{1} << ip_protocol::kIpv6;
  if (p.protocol == ip_protocol::kUdp ? udp.may_have(p.source_port, p.destination_port)
                                      : p.protocol < 64 && (kInIp >> p.protocol & 1) != 0)
    return true;
  if (p.fragment || p.carrier != LinkCarrier::none) return true;
  return rspan_vlan && p.tag_count > 0 && p.tags[0].id() == *rspan_vlan;
}

}  // namespace vmirror
