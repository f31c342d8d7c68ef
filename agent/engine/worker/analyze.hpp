// analyze: capture files through the production pipeline, as fast as it goes, on the caller's
// thread.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "agent/engine/worker/pipeline.hpp"

namespace vmirror {

struct AnalyzeReport {
  std::uint64_t packets = 0;  ///< Frames received: those of the files and those lost of them.
  std::uint64_t bytes = 0;    ///< On the wire.
  double cpu_seconds = 0;     ///< Of this thread, from the first file's opening to the flush.
  std::uint64_t flows = 0;    ///< Flows started.
  EngineSnapshot snapshot;    ///< After the flush, one input by the name in the options.
};

/// Reads `files` in order as one input: flows go on from one file to the next. Error: a file that
/// can't be opened, or is no capture; nothing is analysed then. A file that breaks off is analysed
/// as far as it goes: see Drop::capture_truncated and the snapshot's `error` and `warnings`.
/// `progress`, where given, is told the frames received so far, about every million. Frames that
/// `wanted`, where given, does not take are passed over as if the files had none of them.
Result<AnalyzeReport> analyze(std::span<const std::string> files, PipelineOptions options,
                              const std::function<void(std::uint64_t)>& progress = {},
                              const std::function<bool(const Frame&)>& wanted = {});

}  // namespace vmirror
