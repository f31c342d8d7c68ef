#include "agent/engine/worker/analyze.hpp"

#include <algorithm>
#include <ctime>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "agent/engine/capture/capture.hpp"

namespace vmirror {
namespace {

constexpr std::uint64_t kProgress = 1'000'000;  ///< Frames between two tellings.

double thread_cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// Reads one file to its end, or to where it breaks off: that is the answer.
std::optional<Error> read_file(FrameSource& source, Pipeline& pipeline, std::span<Frame> batch,
                               const std::function<void(std::uint64_t)>& progress,
                               const std::function<bool(const Frame&)>& wanted) {
  std::optional<Error> broken;
  std::uint64_t told = pipeline.counters().received;
  while (!broken && !source.finished()) {
    const auto taken = source.next(batch, 0);
    if (!taken) {
      broken = taken.error();
    } else {
      const auto frames = batch.first(*taken);
      const auto end =
          wanted ? std::remove_if(frames.begin(), frames.end(), std::not_fn(wanted)) : frames.end();
      pipeline.process({frames.begin(), end});
      const std::uint64_t received = pipeline.counters().received;
      if (progress && received - told >= kProgress) progress(told = received);
    }
  }
  pipeline.source_dropped(source.dropped());
  pipeline.source_reopened();
  return broken;
}

}  // namespace

Result<AnalyzeReport> analyze(std::span<const std::string> files, PipelineOptions options,
                              const std::function<void(std::uint64_t)>& progress,
                              const std::function<bool(const Frame&)>& wanted) {
  const double begin = thread_cpu_seconds();
  std::vector<std::unique_ptr<FrameSource>> sources;
  for (const std::string& file : files) {
    auto source = open_capture_file(file);
    if (!source) return tl::unexpected(source.error());
    sources.push_back(std::move(*source));
  }
  Pipeline pipeline(std::move(options));
  std::vector<Frame> batch(kBatchFrames);
  std::optional<Error> error;
  std::vector<std::string> warnings;
  for (std::unique_ptr<FrameSource>& source : sources) {
    if (auto broken = read_file(*source, pipeline, batch, progress, wanted)) {
      if (error) warnings.push_back(error->text());
      error = std::move(broken);
    }
    for (const std::string& warning : source->warnings()) warnings.push_back(warning);
    source.reset();
  }
  pipeline.flush();
  AnalyzeReport report;
  report.snapshot = pipeline.snapshot(wall_clock());
  report.cpu_seconds = thread_cpu_seconds() - begin;
  InputSnapshot& input = report.snapshot.inputs.front();
  input.error = std::move(error);
  input.warnings = std::move(warnings);
  report.packets = input.frames.received;
  report.bytes = input.frames.received_bytes;
  report.flows = report.snapshot.flows_started;
  return report;
}

}  // namespace vmirror
