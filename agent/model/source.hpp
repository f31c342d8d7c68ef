// Where frames come from, as the engine sees it: a ring on an interface, or a capture file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "agent/model/drop.hpp"
#include "agent/model/frame.hpp"

namespace vmirror {

constexpr std::size_t kBatchFrames = 256;  ///< That the engine asks a source for at once.

/// A source of frames, used by one thread.
class FrameSource {
 public:
  virtual ~FrameSource() = default;

  /// Fills the front of `batch` and returns how many. The frames' bytes are good until the next
  /// call. Waits at most `timeout_ms` for the first. 0 frames: none came in time, or `finished()`.
  /// Error: the interface went away, or the file is unreadable from here on (what came before
  /// stands).
  virtual Result<std::size_t> next(std::span<Frame> batch, int timeout_ms) = 0;

  /// While this file descriptor is readable (an eventfd, borrowed), `next` does not wait. What does
  /// not wait for long may ignore it.
  virtual void wake_on(int /*fd*/) {}

  /// Readable once `next` would give a frame without waiting; -1: `next` never waits for long.
  virtual int readable_fd() const { return -1; }

  /// True when there will never be another frame: the file's end.
  virtual bool finished() const = 0;

  /// Frames that were lost or refused before `next` could show them, by kind, since the start.
  /// These are not among the frames that `next` gave.
  virtual std::span<const std::uint64_t, kDropKinds> dropped() const = 0;

  /// What a person should know of this source: "eth0: generic-receive-offload is on, frames arrive
  /// merged". Empty when nothing is wrong.
  virtual std::span<const std::string> warnings() const = 0;
};

}  // namespace vmirror
