// Joins the fragments of outer datagrams: a mirror's copy of a full-size frame is longer than the
// path's MTU, so senders split it.
//
//   IPv4  | ... | id:16 | 0:1 | DF:1 | MF:1 | offset:13, of 8 bytes | ... |              bits
//   IPv6  | next:8 | reserved:8 | offset:13, of 8 bytes | 0:2 | M:1 | id:32 |   header 44; bits
//
// A joined datagram is a frame again: the first fragment's link and IP headers, patched, and the
// whole payload. Bounded in datagrams and bytes; the oldest gives way.
#pragma once

#include <memory>
#include <tl/expected.hpp>
#include <vector>

#include "agent/engine/decap/error.hpp"
#include "agent/model/frame.hpp"

namespace vmirror {

/// One fragment, as its headers tell. Borrows from the frame.
struct FragmentPart {
  Bytes headers;              ///< From the link header to the last header that every fragment has.
  std::uint16_t next_at = 0;  ///< IPv6: where in `headers` the next-header number 44 stands.
  std::uint8_t protocol = 0;  ///< What the joined payload begins with (IPv6: any next header).
  std::uint16_t offset = 0;   ///< Of `data` in the payload, in bytes.
  bool more = false;
  Bytes data;
};

/// Reads the fragment headers of a frame for which packet.fragment holds. fragment_malformed: the
/// data ends past 65,535 bytes, or is not a multiple of 8 where more follows.
/// RFC 791 section 3.2, RFC 8200 section 4.5.
tl::expected<FragmentPart, DecapError> parse_fragment(const Frame& frame, const Packet& packet);

struct FragmentLimits {
  std::size_t datagrams = 256;
  std::size_t bytes = 4 << 20;  ///< Of payload room, holes included.
  Time timeout = 30 * kSecond;
};

/// Holds fragments until their datagrams are whole. One thread.
class Fragments {
 public:
  explicit Fragments(FragmentLimits limits);
  ~Fragments();

  struct Outcome {
    enum class Status : std::uint8_t {
      held,      ///< Waits for the rest.
      joined,    ///< `frame` is the datagram, made of `frames` fragments.
      unwanted,  ///< `take` was told to take only parts of datagrams that it holds.
      dropped,   ///< `frames` fragments are given up for the reason `drop`.
    };
    Status status = Status::held;
    Drop drop = Drop::count_;
    DecapError error = DecapError::none;
    /// dropped: this fragment and those held of its datagram; or, where an older datagram gave way
    /// (fragment_overflow, fragment_incomplete), those of the older, and this one is held. Either
    /// way the number of fragments held grows by 1 - frames.
    std::uint32_t frames = 1;
    Frame frame = {};
  };

  /// Takes one fragment. `join_only`: not to begin a new datagram with it. `weight`: the frames of
  /// the input that it stands for, more where it came out of a joined datagram itself. The joined
  /// frame's bytes are good until `release`.
  Outcome take(const Frame& frame, const Packet& packet, bool join_only, std::uint32_t weight = 1);
  /// Gives the joined frames' memory back, to be used again.
  void release();

  /// Gives up what is older than the timeout; the number of frames. What was held before the clock
  /// was set back is as old as if it had come `now`.
  std::uint64_t expire(Time now);
  /// Gives up all of it.
  std::uint64_t flush();
  /// Frames held.
  std::uint64_t held() const;
  /// How much of `limits` is in use, and the datagrams that gave way for want of it.
  struct Use {
    std::size_t datagrams = 0, bytes = 0;
    std::uint64_t too_many = 0, too_large = 0;
  };
  Use use() const { return {active_.size(), bytes_, too_many_, too_large_}; }

 private:
  struct Datagram;
  using List = std::vector<std::unique_ptr<Datagram>>;

  std::unique_ptr<Datagram> fresh();
  void recycle(std::unique_ptr<Datagram> datagram);
  std::uint32_t give_up(std::size_t index);
  std::size_t index_of(const Datagram* datagram) const;
  bool reserve(Datagram* datagram, std::size_t end);
  void make_room(std::size_t bytes, std::size_t datagrams, const Datagram* keep);
  Outcome add(std::size_t index, const Frame& frame, const FragmentPart& part,
              std::uint32_t weight);
  Outcome finish(std::size_t index, const Frame& last);
  static Outcome dropped(Drop drop, std::uint32_t frames, DecapError error = DecapError::none);

  FragmentLimits limits_;
  List active_;  ///< Oldest first.
  List joined_;  ///< Shown to the caller until `release`.
  List spare_;
  std::size_t bytes_ = 0;  ///< Payload room of `active_`.
  std::uint64_t too_many_ = 0, too_large_ = 0;
  std::uint32_t overflowed_ = 0;  ///< Fragments that gave way and are not told of yet.
};

}  // namespace vmirror
