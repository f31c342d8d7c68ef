// One attempt of a sink's writer to hand lines over: what file_output.cpp and socket_output.cpp are
// to sink.cpp. Used by the writer's thread alone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "agent/engine/export/sink.hpp"

namespace vmirror {

/// What became of the front of the text that was offered.
struct Attempt {
  std::size_t taken = 0;    ///< Bytes that are settled: written or lost. The rest is offered again.
  std::size_t written = 0;  ///< Bytes of them that the output has.
  std::uint64_t lines = 0;  ///< Lines that ended in what was written.
  std::uint64_t lost = 0;   ///< Lines given up, for `reason`.
  LineLoss reason = LineLoss::count_;
  std::uint64_t rotations = 0;
  std::optional<Error> error;  ///< The output fails: try again later.
};

class LineOutput {
 public:
  virtual ~LineOutput() = default;
  /// Writes from the front of `text`, which starts where the last attempt's `taken` ended. Waits at
  /// most about 100 ms for a reader that is slow; then nothing is taken and there is no error.
  virtual Attempt write(std::string_view text) = 0;
  /// Opens the output anew at the next write.
  virtual void reopen() = 0;
};

/// Lines are long: to look for the next end is faster than to look at each byte.
inline std::uint64_t count_lines(std::string_view text) {
  std::uint64_t lines = 0;
  for (std::size_t at = 0; (at = text.find('\n', at)) != text.npos; ++at) ++lines;
  return lines;
}

/// Error::Kind::invalid: an empty path. Error::Kind::refused: it can't be opened now.
Result<std::unique_ptr<LineOutput>> make_file_output(const FileOutput& options);
/// Error::Kind::invalid: a path that is empty or longer than a socket's may be (107 bytes).
Result<std::unique_ptr<LineOutput>> make_socket_output(const SocketOutput& options);

}  // namespace vmirror
