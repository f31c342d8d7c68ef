#include "tests/bench/passes.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/split.hpp>
#include <cstring>

#include "agent/engine/capture/capture.hpp"
#include "agent/engine/worker/analyze.hpp"
#include "tests/bench/benches.hpp"

namespace vmirror::bench {
namespace {

/// Not inlined, and by this name: callgrind counts what is executed inside (run_part).
template <typename Function>
[[gnu::noinline]] auto vmirror_bench_measured(Function&& function) {
  auto result = function();
  asm volatile("" ::: "memory");  // No tail call.
  return result;
}

std::uint64_t word_at(const std::uint8_t* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// Adds up the first 64 bytes of each whole record between the two; where it stopped.
const std::uint8_t* walk(const std::uint8_t* at, const std::uint8_t* end, std::uint64_t& sum,
                         std::uint64_t& packets) {
  while (end - at >= 16) {
    std::uint32_t size;
    std::memcpy(&size, at + 8, 4);
    if (size + 16 > static_cast<std::size_t>(end - at)) break;
    at += 16;
    if (size >= 64) {
      for (int i = 0; i < 64; i += 8) sum += word_at(at + i);
    } else {
      std::uint32_t i = 0;
      for (; i + 8 <= size; i += 8) sum += word_at(at + i);
      for (; i < size; ++i) sum += at[i];
    }
    at += size;
    ++packets;
  }
  return at;
}

/// The sum over a whole file, read in pieces; behind a piece is room for the record that it cuts.
std::uint64_t sum_of(int file, std::uint64_t& packets) {
  constexpr std::size_t kPiece = 256 << 10, kFileHeader = 24;
  std::vector<std::uint8_t> buffer(2 * kPiece);
  std::size_t left = 0, skip = kFileHeader;
  std::uint64_t sum = 0;
  for (ssize_t n; (n = read(file, buffer.data() + left, kPiece)) > 0; skip = 0) {
    const std::uint8_t* const end = buffer.data() + left + n;
    const std::uint8_t* const at = walk(buffer.data() + skip, end, sum, packets);
    left = static_cast<std::size_t>(end - at);
    if (left > kPiece) break;  // No capture of ours has such records.
    std::memmove(buffer.data(), at, left);
  }
  return sum;
}

}  // namespace

Pass bare_pass(const std::string& path) {
  Pass pass;
  const double start = thread_cpu_seconds();
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return pass;
  keep(vmirror_bench_measured([&] { return sum_of(file, pass.packets); }));
  close(file);
  pass.cpu_seconds = thread_cpu_seconds() - start;
  return pass;
}

Result<Pass> engine_pass(const std::string& path, const PipelineOptions& options) {
  const std::string files[] = {path};
  const double start = thread_cpu_seconds();
  const auto report = vmirror_bench_measured([&] { return analyze(files, options); });
  if (!report) return tl::unexpected(report.error());
  return Pass{report->packets, thread_cpu_seconds() - start, report->flows};
}

Result<Pass> source_pass(const std::string& path) {
  const double start = thread_cpu_seconds();
  Pass pass;
  auto source = open_capture_file(path);
  if (!source) return tl::unexpected(source.error());
  std::array<Frame, kBatchFrames> batch;
  const auto ended = vmirror_bench_measured([&]() -> Result<std::size_t> {
    while (!(*source)->finished()) {
      const auto count = (*source)->next(batch, 0);
      if (!count) return count;
      pass.packets += *count;
    }
    return 0;
  });
  if (!ended) return tl::unexpected(ended.error());
  source->reset();
  pass.cpu_seconds = thread_cpu_seconds() - start;
  return pass;
}

Result<PipelineOptions> pipeline_options(const std::string& protocols) {
  std::vector<std::string> names;
  boost::split(names, protocols, boost::is_any_of(","));
  auto dissectors = Dissectors::select(names);
  if (!dissectors) return tl::unexpected(dissectors.error());
  PipelineOptions options;
  options.findings.emplace();  // As a daemon has it.
  if (dissectors->size() > 0) {
    options.dissectors = std::make_shared<const Dissectors>(std::move(*dissectors));
  }
  if (auto vendors = Vendors::load()) {
    options.vendors = std::make_shared<const Vendors>(std::move(*vendors));
  }
  return options;
}

Result<HeldFrames> HeldFrames::load(const std::string& path) {
  auto source = open_capture_file(path);
  if (!source) return tl::unexpected(source.error());
  HeldFrames held;
  std::vector<std::size_t> offsets;
  std::array<Frame, kBatchFrames> batch;
  while (!(*source)->finished()) {
    const auto count = (*source)->next(batch, 0);
    if (!count) return tl::unexpected(count.error());
    for (std::size_t i = 0; i < *count; ++i) {
      offsets.push_back(held.bytes_.size());
      held.bytes_.insert(held.bytes_.end(), batch[i].bytes.begin(), batch[i].bytes.end());
      held.frames_.push_back(batch[i]);
    }
  }
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    Frame& frame = held.frames_[i];
    frame.bytes = Bytes(held.bytes_.data() + offsets[i], frame.bytes.size());
  }
  if (!offsets.empty()) held.duration_ = held.frames_.back().time - held.frames_.front().time + 1;
  return held;
}

void HeldFrames::replay(Pipeline& pipeline) {
  for (std::size_t done = 0; done < frames_.size(); done += kBatchFrames) {
    const std::size_t count = std::min(kBatchFrames, frames_.size() - done);
    const std::span<Frame> batch(frames_.data() + done, count);
    pipeline.process(batch);
    for (Frame& frame : batch) frame.time += duration_;
  }
}

/// A third replay: flows, sessions and assets are known by then.
Result<Pass> warm_pass(const std::string& path) {
  const auto options = pipeline_options("none");
  if (!options) return tl::unexpected(options.error());
  auto held = HeldFrames::load(path);
  if (!held) return tl::unexpected(held.error());
  Pipeline pipeline(*options);
  held->replay(pipeline);
  held->replay(pipeline);
  const double start = thread_cpu_seconds();
  const std::size_t packets = vmirror_bench_measured([&] {
    held->replay(pipeline);
    return held->size();
  });
  return Pass{packets, thread_cpu_seconds() - start, 0};
}

Result<Pass> eve_pass(const std::string& path, PipelineOptions options) {
  const std::string lines = path + ".eve." + std::to_string(getpid());
  auto sinks = LineSinks::open({{.output = FileOutput{lines}, .wait = true}});
  if (!sinks) return tl::unexpected(sinks.error());
  options.eve.sinks = sinks->get();
  const double start = process_cpu_seconds();
  auto pass = engine_pass(path, options);
  (*sinks)->stop();
  unlink(lines.c_str());
  if (pass) pass->cpu_seconds = process_cpu_seconds() - start;
  return pass;
}

/// @pass bare|source|warm|eve|PROTOCOLS FILE (none, all, or names joined by commas; eve: all, and
/// their lines): prints packets, CPU seconds, flows, peak anonymous bytes.
int part_pass(const std::vector<std::string>& arguments) {
  if (arguments.size() != 2) return 64;
  const std::string& kind = arguments[0];
  Result<Pass> pass;
  if (kind == "bare") {
    pass = bare_pass(arguments[1]);
  } else if (kind == "source") {
    pass = source_pass(arguments[1]);
  } else if (kind == "warm") {
    pass = warm_pass(arguments[1]);
  } else if (auto all = pipeline_options("all"); kind == "eve" && all) {
    pass = eve_pass(arguments[1], *all);
  } else if (auto options = pipeline_options(kind)) {
    pass = engine_pass(arguments[1], *options);
  } else {
    pass = tl::unexpected(options.error());
  }
  if (!pass) {
    std::fprintf(stderr, "%s\n", pass.error().text().c_str());
    return 1;
  }
  std::printf("%.0f\n%.9f\n%.0f\n%.0f\n", static_cast<double>(pass->packets), pass->cpu_seconds,
              static_cast<double>(pass->flows), static_cast<double>(resident().peak));
  return 0;
}

}  // namespace vmirror::bench
