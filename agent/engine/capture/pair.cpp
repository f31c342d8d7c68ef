#include "agent/engine/capture/pair.hpp"

#include <poll.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace vmirror {
namespace {

constexpr std::size_t kTaken = 256;  ///< Frames that one side is asked for at once.
constexpr Time kSilent = 10 * kSecond;
constexpr std::uint64_t kSpoken = 100;  ///< Frames of one half that make the other's silence odd.

class PairSource final : public FrameSource {
 public:
  PairSource(std::unique_ptr<FrameSource> first, std::unique_ptr<FrameSource> second,
             PairOptions options)
      : options_(std::move(options)) {
    sides_[0].source = std::move(first);
    sides_[1].source = std::move(second);
    const Time now = options_.clock();
    for (Side& side : sides_) side.heard_at = now;
  }

  Result<std::size_t> next(std::span<Frame> batch, int timeout_ms) override {
    refill();
    std::size_t given = merge(batch);
    if (given == 0 && !error_ && !finished() && timeout_ms > 0) {
      wait(timeout_ms);
      refill();  // Nothing was given in this call: what a side lent before is not needed any more.
      given = merge(batch);
    }
    judge_silence();
    if (given == 0 && error_) return tl::unexpected(*error_);
    return given;
  }

  void wake_on(int fd) override {
    wake_fd_ = fd;
    for (Side& side : sides_) side.source->wake_on(fd);
  }

  bool finished() const override {
    return std::ranges::all_of(
        sides_, [](const Side& side) { return side.at == side.count && side.source->finished(); });
  }

  std::span<const std::uint64_t, kDropKinds> dropped() const override {
    for (std::size_t i = 0; i < kDropKinds; ++i)
      dropped_[i] = sides_[0].source->dropped()[i] + sides_[1].source->dropped()[i];
    return dropped_;
  }

  std::span<const std::string> warnings() const override {
    warnings_.clear();
    for (const Side& side : sides_) {
      const auto own = side.source->warnings();
      warnings_.insert(warnings_.end(), own.begin(), own.end());
      if (!side.silence.empty()) warnings_.push_back(side.silence);
    }
    return warnings_;
  }

 private:
  struct Side {
    std::unique_ptr<FrameSource> source;
    std::vector<Frame> taken = std::vector<Frame>(kTaken);
    std::size_t at = 0, count = 0;  ///< Of `taken`: what waits.
    Time complete = 0;              ///< All frames up to here were taken.
    Time heard_at = 0;              ///< When its last frame was given.
    bool heard = false;             ///< Since the last call.
    std::uint64_t since = 0;        ///< Frames that it gave since the other one's last.
    std::string silence;            ///< The warning; empty: none.
  };

  void refill() {
    for (Side& side : sides_) {
      if (error_ || side.at < side.count || side.source->finished()) continue;
      const Time asked = options_.clock();
      const auto taken = side.source->next(side.taken, 0);
      if (!taken) {
        error_ = taken.error();
        return;
      }
      side.at = 0;
      side.count = *taken;
      if (*taken == 0) side.complete = std::max(side.complete, asked - options_.late);
    }
  }

  /// Whether nothing older than `time` can come of the side, which has nothing now.
  bool is_past(const Side& side, Time time) const {
    return time <= side.complete || error_ || side.source->finished();
  }

  std::size_t merge(std::span<Frame> batch) {
    std::size_t given = 0;
    for (; given < batch.size(); ++given) {
      const bool has[] = {sides_[0].at < sides_[0].count, sides_[1].at < sides_[1].count};
      if (!has[0] && !has[1]) break;
      const auto time = [&](std::size_t i) { return sides_[i].taken[sides_[i].at].time; };
      const std::size_t which = !has[0] || (has[1] && time(1) < time(0)) ? 1 : 0;
      Side &side = sides_[which], &other = sides_[1 - which];
      if (!has[1 - which] && !is_past(other, time(which))) break;
      batch[given] = side.taken[side.at++];
      batch[given].direction = which == 0 ? Direction::out : Direction::in;
      side.complete = std::max(side.complete, batch[given].time);
      ++side.since;
      other.since = 0;
      side.heard = true;
    }
    return given;
  }

  void wait(int timeout_ms) const {
    pollfd fds[] = {{wake_fd_, POLLIN, 0}, {-1, POLLIN, 0}, {-1, POLLIN, 0}};
    for (std::size_t i = 0; i < 2; ++i) {
      const Side& side = sides_[i];
      if (side.at < side.count) {  // Until the other one can have nothing older.
        const Time left = side.taken[side.at].time + options_.late - options_.clock();
        timeout_ms =
            std::min(timeout_ms, static_cast<int>(std::max<Time>(left, 0) / kMillisecond) + 1);
      } else if (!side.source->finished()) {
        fds[i + 1].fd = side.source->readable_fd();
        if (fds[i + 1].fd < 0) return;  // It never waits for long.
      }
    }
    poll(fds, 3, timeout_ms);
  }

  void judge_silence() {
    const Time now = options_.clock();
    for (Side& side : sides_) {
      if (std::exchange(side.heard, false) || now < side.heard_at) {
        side.heard_at = now;
        side.silence.clear();
      }
    }
    for (std::size_t i = 0; i < 2; ++i) {
      Side &side = sides_[i], &other = sides_[1 - i];
      if (now - side.heard_at < kSilent || other.since < kSpoken) continue;
      side.silence = options_.names[i] + ": no frame for " +
                     std::to_string((now - side.heard_at) / kSecond) + " s, in which " +
                     options_.names[1 - i] + " had " + std::to_string(other.since) +
                     ": one half of the pair is silent; see the cable and the TAP's port";
    }
  }

  PairOptions options_;
  std::array<Side, 2> sides_;
  int wake_fd_ = -1;
  std::optional<Error> error_;
  mutable std::array<std::uint64_t, kDropKinds> dropped_{};
  mutable std::vector<std::string> warnings_;
};

}  // namespace

std::unique_ptr<FrameSource> make_pair_source(std::unique_ptr<FrameSource> first,
                                              std::unique_ptr<FrameSource> second,
                                              PairOptions options) {
  return std::make_unique<PairSource>(std::move(first), std::move(second), std::move(options));
}

}  // namespace vmirror
