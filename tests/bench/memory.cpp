// What flows take: a million of them at once, and replays without end, each with new addresses.
#include <array>
#include <cstring>

#include "tests/bench/benches.hpp"
#include "tests/bench/passes.hpp"
#include "tests/support/frames.hpp"

namespace vmirror::bench {
namespace {

constexpr std::uint32_t kFlows = 1'000'000;
constexpr int kReplays = 60;
constexpr int kSettled = 35;  ///< By then each asset has all the addresses that it may have.

/// One UDP frame for each of `kFlows` conversations of 4,096 hosts; `round` is part of the
/// addresses.
void play(Pipeline& pipeline, std::uint32_t round, Time& time) {
  static const test::Buffer model = test::udp_frame({}, test::counting(22));
  std::array<std::array<std::uint8_t, 64>, kBatchFrames> bytes;
  std::array<Frame, kBatchFrames> batch;
  for (std::size_t i = 0; i < kBatchFrames; ++i) {
    std::memcpy(bytes[i].data(), model.data(), 64);
    batch[i] = test::frame_of(bytes[i]);
  }
  for (std::uint32_t flow = 0; flow < kFlows; flow += kBatchFrames) {
    for (std::uint32_t i = 0; i < kBatchFrames; ++i) {
      std::uint8_t* const frame = bytes[i].data();
      const std::uint32_t n = flow + i;
      frame[10] = static_cast<std::uint8_t>(n >> 8 & 15);  // Source MAC.
      frame[11] = static_cast<std::uint8_t>(n);
      frame[27] = static_cast<std::uint8_t>(round);  // Source IP: 10.round.host.host
      frame[28] = static_cast<std::uint8_t>(n >> 8 & 15);
      frame[29] = static_cast<std::uint8_t>(n);
      frame[34] = static_cast<std::uint8_t>(128 | n >> 20);  // Source port.
      frame[35] = static_cast<std::uint8_t>(n >> 12);
      batch[i].time = time += 1000;
    }
    pipeline.process({batch.data(), std::min<std::size_t>(kBatchFrames, kFlows - flow)});
  }
}

}  // namespace

/// @memory: prints the anonymous bytes before, with a million flows, and with each replay more.
int part_memory(const std::vector<std::string>&) {
  auto options = pipeline_options("none");
  if (!options) return 1;
  options->flows.max_flows = kFlows;
  const std::uint64_t before = resident().anonymous;
  Pipeline pipeline(*options);
  Time time = 1'700'000'000 * kSecond;
  for (std::uint32_t round = 0; round <= kReplays; ++round) {
    play(pipeline, round, time);
    if (round == 0) {
      std::printf("%.0f\n%.0f\n", static_cast<double>(before),
                  static_cast<double>(pipeline.snapshot(time).flows_active));
    }
    std::printf("%.0f\n", static_cast<double>(round == 0 ? resident().all : resident().anonymous));
    if (round == 0) std::printf("%.0f\n", static_cast<double>(resident().anonymous));
  }
  return 0;
}

void bench_memory(Report& report) {
  const auto numbers = run_part({"@memory"});
  if (!numbers || numbers->size() < 4 + kReplays) {
    return report.note(numbers ? "memory: no numbers" : numbers.error().text());
  }
  const auto& n = *numbers;
  const double before = n[0], flows = n[1], all = n[2], first = n[3], settled = n[3 + kSettled],
               last = n.back();
  report.add({"memory.flows_at_once", flows, "flows", {}, {}});
  report.add({"memory.bytes_per_flow", (first - before) / flows, "bytes", {}, value_at_most(256)});
  report.add({"memory.rss_of_a_million_flows", all / 1e6, "MB", {}, value_at_most(400)});
  report.add({"memory.after_60_replays", last / 1e6, "MB", settled / 1e6, ratio_at_most(1.01)});
}

}  // namespace vmirror::bench
