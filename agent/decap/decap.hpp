// The decapsulator: takes what mirrors wrap around a frame off again, one file per encapsulation.
//
//   Ethernet [VLANs] IP (GRE (ERSPAN I | II | III | Ethernet) | UDP (VXLAN | GENEVE)) frame, nested
//   up to a bound; RSPAN: the outermost VLAN tag is the mirror's.
//
// One Decapsulator serves one input on one thread. A bare frame costs one look at its Packet.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "agent/model/drop.hpp"
#include "agent/model/frame.hpp"

namespace vmirror {

struct DecapOptions {
  bool accept_bare = true;  ///< False: a collector's interface; bare frames are not_mirrored.
  std::set<std::uint32_t> sessions;          ///< Session IDs (or keys, VNIs) to take; empty: any.
  std::optional<std::uint16_t> rspan_vlan;   ///< Frames with this outermost tag are RSPAN copies.
  int max_depth = 4;                         ///< Encapsulations taken off one frame.
  std::size_t max_datagrams = 256;           ///< Outer fragmented datagrams held at once.
  std::size_t max_fragment_bytes = 4 << 20;  ///< Bytes of outer fragments held at once.
  Time fragment_timeout = 30 * kSecond;
};

/// Counters of one mirroring session, told apart by encapsulation, ID, and sender.
struct SessionCounters {
  Encapsulation encapsulation = Encapsulation::none;
  std::uint32_t session = 0;
  IpAddress sender;
  std::uint64_t received = 0, bytes = 0;  ///< Of inner frames.
  std::uint64_t lost = 0;                 ///< Sequence numbers never seen.
  std::uint64_t reordered = 0;            ///< Came after a later one; no longer counted as lost.
  std::uint64_t duplicate = 0;            ///< Came twice (within the window of 64).
  std::uint64_t truncated = 0;
  std::uint64_t bad = 0;  ///< BSO other than good.
  bool accepted = true;   ///< False: an unknown session; received counts what was refused.
  Time first = 0, last = 0;
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
  std::uint32_t frames = 1;  ///< Frames of the input that this settles: more when fragments joined.
  Frame frame;
  Packet packet;
  Origin origin;
};

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

  /// Gives up fragments older than the timeout: the number of frames, all fragment_incomplete.
  std::uint64_t expire(Time now);
  /// Gives up all fragments: at a file's end.
  std::uint64_t flush();

  /// Frames taken off by encapsulation, indexed by Encapsulation.
  const std::array<std::uint64_t, 8>& taken_off() const;
  std::vector<SessionCounters> sessions() const;

  static constexpr std::size_t kMaxSessions = 1024;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// True when the frame may carry an encapsulation that `take` would look into. Inline: the fast
/// path.
inline bool may_be_encapsulated(const Packet& p, const std::optional<std::uint16_t>& rspan_vlan) {
  constexpr std::uint16_t kVxlan = 4789, kVxlanLinux = 8472, kGeneve = 6081;
  if (p.protocol == ip_protocol::kGre || p.fragment) return true;
  if (p.protocol == ip_protocol::kUdp)
    return p.destination_port == kVxlan || p.destination_port == kVxlanLinux ||
           p.destination_port == kGeneve;
  return rspan_vlan && p.tag_count > 0 && p.tags[0].id() == *rspan_vlan;
}

}  // namespace vmirror
