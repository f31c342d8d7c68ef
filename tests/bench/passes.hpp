// What the benches run over a capture file: the bare loop, the production pipeline, the file source
// alone; and frames held in memory, to be replayed for ever.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/engine/worker/pipeline.hpp"

namespace vmirror::bench {

struct Pass {
  std::uint64_t packets = 0;
  double cpu_seconds = 0;  ///< Of this thread, opening and closing the file included.
  std::uint64_t flows = 0;
  double rate() const { return static_cast<double>(packets) / cpu_seconds; }
};

/// Reads a pcap file of this machine's byte order in pieces of 256 KiB, goes from record to record,
/// and adds up each packet's first 64 bytes: the least that looking at every packet can cost.
Pass bare_pass(const std::string& path);
/// The production way of `vmirror analyze`: file source and pipeline.
Result<Pass> engine_pass(const std::string& path, const PipelineOptions& options);
/// The same with events written to a file beside `path`, which is removed. CPU seconds are those of
/// all threads.
Result<Pass> eve_pass(const std::string& path, PipelineOptions options);
/// The file source alone: frames are asked for and not looked at.
Result<Pass> source_pass(const std::string& path);
/// The pipeline alone, on frames in memory that it has seen twice before.
Result<Pass> warm_pass(const std::string& path);
/// What `vmirror analyze` has on: `protocols` is "none", "all" or a name; vendors where this
/// machine knows them.
Result<PipelineOptions> pipeline_options(const std::string& protocols);

/// A capture's frames in memory.
class HeldFrames {
 public:
  static Result<HeldFrames> load(const std::string& path);
  /// Hands all frames to the pipeline in batches. Each replay is later than the one before, so that
  /// time goes on.
  void replay(Pipeline& pipeline);
  std::size_t size() const { return frames_.size(); }
  std::span<const Frame> frames() const { return frames_; }

 private:
  std::vector<std::uint8_t> bytes_;
  std::vector<Frame> frames_;
  Time duration_ = 0;
};

}  // namespace vmirror::bench
