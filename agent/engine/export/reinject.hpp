// Re-injection: sends decapsulated frames out of an interface, for sensors that take no ERSPAN.
//
//   frame, stripped tag  ->  | dst[6] src[6] | tpid[2] tci[2] | rest |  ->  AF_PACKET, sendmmsg
//
// The sensor's interface gets what the guest's had: bare frames, with their VLAN tag where it had
// been taken out. Sending never blocks; what does not go out is counted by the reason.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "agent/model/frame.hpp"

namespace vmirror {

/// Why a frame was not sent.
enum class ReinjectLoss : std::uint8_t {
  too_long,     ///< More than the interface's MTU takes.
  no_ethernet,  ///< No MAC header to send it with (a bare IP packet), or shorter than one.
  truncated,    ///< The mirror cut the copy: it is no longer the frame that the guest sent.
  queue_full,   ///< The interface's queue had no room.
  link_down,    ///< The interface is down or gone.
  failed,       ///< The kernel refused it for any other reason.
  count_,
};
/// "too_long": the counter's name in every output.
const char* to_text(ReinjectLoss loss);

struct ReinjectOptions {
  std::string interface;
  std::span<const std::string> inputs;  ///< Interfaces that frames are taken from; for open() only.
  bool send_truncated = false;          ///< Send copies that the mirror cut, as short as they are.
};

struct ReinjectCounters {
  std::uint64_t frames = 0;  ///< Given to `add`.
  std::uint64_t sent = 0, sent_bytes = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(ReinjectLoss::count_)> lost{};
  /// Given = sent + lost + waiting for `flush`.
  std::uint64_t lost_total() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t n : lost) sum += n;
    return sum;
  }
};

/// One interface's sender, used by one thread.
class Reinjector {
 public:
  static constexpr std::size_t kBatch = 64;  ///< Frames that wait for one sendmmsg.

  /// Error::Kind::missing: no such interface. Error::Kind::refused: it is an input, or the other
  /// end of an input's veth pair (a loop), no Ethernet, or the kernel gives no packet socket
  /// (needs CAP_NET_RAW).
  static Result<Reinjector> open(const ReinjectOptions& options);
  ~Reinjector();
  Reinjector(Reinjector&&) noexcept;
  Reinjector& operator=(Reinjector&&) noexcept;

  /// Copies the frame; sends when kBatch wait.
  void add(const Frame& frame, const Origin& origin);
  /// Sends what waits. Call it when the source has no more for now. `now` paces the attempts to
  /// find an interface again that went away (once a second); it may be set back.
  void flush(Time now);
  const ReinjectCounters& counters() const;
  /// What is wrong now: "mon1: is down". Empty: nothing.
  const std::optional<Error>& error() const;

 private:
  struct State;
  explicit Reinjector(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace vmirror
