// Where lines go: a file with rotation, or a Unix socket, each behind a bounded queue and a writer
// thread of its own. Capture never waits for an output: what finds no room is lost and counted by
// the reason.
//
//   worker --submit--+--> | batches, at most queue_bytes | --writer thread--> file
//                    +--> | batches, at most queue_bytes | --writer thread--> socket
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "plugin/base/result.hpp"

namespace vmirror {

/// A file that is appended to, and rotated: eve.json -> eve.json.1 -> ... -> eve.json.KEEP.
struct FileOutput {
  std::string path;
  std::uint64_t max_bytes = 256 << 20;  ///< Rotated before it grows past this; 0: never.
  int keep = 4;                         ///< Rotated files kept beside it; 0: the full one goes.
};
/// A socket that another program listens on; connected to, and again once a second when it is gone.
struct SocketOutput {
  std::string path;
  bool datagram = false;  ///< One datagram a line (Suricata's unix_dgram), else a stream.
};

struct SinkOptions {
  std::variant<FileOutput, SocketOutput> output;
  std::size_t queue_bytes = 8 << 20;      ///< Lines that wait for the output, at most.
  std::chrono::milliseconds retry{1000};  ///< Between attempts while the output fails.
  std::chrono::milliseconds drain{1000};  ///< How long the end waits for the last lines.
  /// Who submits waits for room while the output works: for files that are read, not for capture.
  bool wait = false;
};

/// The path of its file or socket, which names an output everywhere.
const std::string& name(const SinkOptions& options);

/// Why a line did not reach its output.
enum class LineLoss : std::uint8_t {
  queue_full,    ///< The output was slower than the lines, or failing for too long.
  too_long,      ///< Longer than the socket takes in one datagram.
  disconnected,  ///< The reader went away in the middle of it.
  stopped,       ///< Not written before the end.
  count_,
};
/// "queue_full": the counter's name in every output.
const char* to_text(LineLoss loss);

struct SinkStatus {
  std::string name;         ///< Of the output.
  std::uint64_t lines = 0;  ///< Written.
  std::uint64_t bytes = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(LineLoss::count_)> lost{};
  std::uint64_t rotations = 0;
  std::uint64_t waiting_bytes = 0;
  std::uint64_t queue_bytes = 0;  ///< The bound of `waiting_bytes`.
  std::optional<Error>
      error;  ///< What is wrong now (disk full, nobody listens); gone when it works.

  std::uint64_t lost_total() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t n : lost) sum += n;
    return sum;
  }
};

/// One output. All functions may be called by any thread. submitted = written + lost + waiting.
class LineSink {
 public:
  /// Starts the writer. Error::Kind::invalid: an empty path, or a socket's path that is too long;
  /// Error::Kind::refused: a file that can't be opened now (a socket may come later).
  static Result<std::unique_ptr<LineSink>> open(SinkOptions options);
  ~LineSink();  ///< stop()

  /// Takes a copy of whole lines, each ended by '\n'. Waits for the output only with
  /// SinkOptions::wait; no allocation in steady state. Hand over many at a time (64 KiB or a tenth
  /// of a second's).
  void submit(std::string_view lines);
  /// The file was moved away by another program (SIGHUP): opens it anew under its name.
  void reopen();
  SinkStatus status() const;
  /// Begins the end: the writer has `drain` for what waits. Does not wait for it.
  void close();
  /// close(), and waits until the writer has ended; what it could not write is lost as `stopped`.
  /// Lines submitted later are, too. May be called again.
  void stop();

 private:
  struct State;
  explicit LineSink(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// All outputs of the same lines. Each has a queue, a writer and counters of its own: one that is
/// slow, full or gone takes nothing from the others. Functions and threads as LineSink's.
class LineSinks {
 public:
  /// Error: that of the first output that can't be opened; none is open then.
  static Result<std::unique_ptr<LineSinks>> open(std::vector<SinkOptions> options);

  void submit(std::string_view lines);
  void reopen();
  /// In the order of the options.
  std::vector<SinkStatus> status() const;
  /// Ends all, for at most the longest `drain`.
  void stop();

 private:
  std::vector<std::unique_ptr<LineSink>> sinks_;
};

}  // namespace vmirror
