// A guest's state on its way: 10,000 TCP connections that are read, half of them with a message
// that waits for its rest. The reference is what the same frames cost a pipeline in the first
// place.
#include "agent/engine/worker/pipeline.hpp"
#include "tests/bench/benches.hpp"
#include "tests/bench/passes.hpp"
#include "tests/support/payloads.hpp"

namespace vmirror::bench {
namespace {

using namespace test;

constexpr std::size_t kFlows = 10'000;
const std::vector<Mac> kGuest = {mac("52:54:00:00:00:01")};

/// Frame `step` of every flow: SYN, SYN-ACK, the first part of a request.
std::vector<Buffer> frames_of(int step) {
  static const Buffer request = payload("modbus", "read holding registers");
  std::vector<Buffer> out;
  for (std::size_t flow = 0; flow < kFlows; ++flow) {
    const Ends up{.source_port = static_cast<std::uint16_t>(1024 + flow), .destination_port = 502};
    const Bytes part = flow % 2 == 0 ? Bytes(request) : Bytes(request).first(5);
    constexpr std::uint8_t kSyn = tcp_flag::kSyn, kAck = tcp_flag::kAck;
    out.push_back(step == 0   ? tcp_frame(up, {100, 0, kSyn})
                  : step == 1 ? tcp_frame(up.reversed(), {500, 101, kSyn | kAck})
                  : step == 2 ? tcp_frame(up, {101, 501, kAck}, part)
                              : tcp_frame(up.reversed(), {501, 101, kAck}));
  }
  return out;
}

void process(Pipeline& pipeline, const std::vector<Buffer>& frames) {
  std::vector<Frame> batch;
  for (const Buffer& bytes : frames) {
    batch.push_back(frame_of(bytes, kSecond));
    if (batch.size() < kBatchFrames) continue;
    pipeline.process(batch);
    batch.clear();
  }
  pipeline.process(batch);
}

struct Times {
  double seen, take, give, go_on, late;
  std::size_t bytes;
};

template <typename Work>
double cpu_of(const Work& work) {
  const double begin = thread_cpu_seconds();
  work();
  return (thread_cpu_seconds() - begin) * 1e3;
}

Times measure(const PipelineOptions& options) {
  Pipeline source(options), destination(options), late(options);
  Times out{};
  const std::vector<Buffer> first[] = {frames_of(0), frames_of(1), frames_of(2)},
                            next = frames_of(3);
  out.seen = cpu_of([&] {
    for (const auto& frames : first) process(source, frames);
  });
  std::string bytes;
  out.take = cpu_of([&] {
    Handover handover = source.take(kGuest, {});
    handover.macs = kGuest;
    bytes = encode(handover);
  });
  out.bytes = bytes.size();
  const auto adopt = [&](Pipeline& pipeline) {
    auto handover = decode({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
    const auto adoption = std::make_shared<Adoption>(std::move(*handover), wall_clock());
    adoption->enter();
    pipeline.adopt(adoption);
  };
  out.give = cpu_of([&] { adopt(destination); });
  out.go_on = cpu_of([&] { process(destination, next); });
  process(late, next);
  out.late = cpu_of([&] { adopt(late); });
  return out;
}

}  // namespace

void bench_handover(Report& report) {
  pin_to_core(0);
  const auto options = pipeline_options("all");
  if (!options) return report.note(options.error().text());
  std::vector<Times> runs;
  for (int i = 0; i < 5; ++i) runs.push_back(measure(*options));
  const auto middle = [&](double Times::*time) {
    std::vector<double> values;
    for (const Times& run : runs) values.push_back(run.*time);
    return median(values);
  };
  const double seen = middle(&Times::seen);
  report.add({"handover.bytes_per_flow", static_cast<double>(runs[0].bytes) / kFlows, "bytes"});
  report.add({"handover.take", middle(&Times::take), "CPU ms for 10,000 flows", seen});
  report.add({"handover.give", middle(&Times::give), "CPU ms for 10,000 flows", seen});
  report.add({"handover.go_on", middle(&Times::go_on), "CPU ms for 10,000 flows", seen});
  report.add({"handover.give_late", middle(&Times::late), "CPU ms for 10,000 flows", seen});
}

}  // namespace vmirror::bench
