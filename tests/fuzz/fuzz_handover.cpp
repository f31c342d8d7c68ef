// Fuzzes what another host's agent sends of a guest: the bytes, and what an engine makes of them.
// What is read must be written as it was, and an engine must live on with whatever it was given:
// streams in any state, flows that go on, time out or are forgotten.
#include <cstdlib>

#include "agent/engine/worker/pipeline.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/support/payloads.hpp"

using namespace vmirror;
using namespace vmirror::test;

namespace {

const Ends kEnds{.source_port = 40123, .destination_port = 502};

PipelineOptions small() {
  const std::string all[] = {"all"};
  PipelineOptions options;
  options.dissectors = std::make_shared<const Dissectors>(Dissectors::select(all).value());
  options.flows.max_flows = 8;
  options.buffers = {.small = 2, .large = 1};
  options.reassembly = {.chunks = 8, .held_bytes = 8000};
  options.max_streams = 4;
  options.inventory.max_assets = 4;
  return options;
}

const std::vector<Buffer>& frames() {
  static const Buffer request = payload("modbus", "read holding registers");
  static const std::vector<Buffer> out = {
      tcp_frame(kEnds, {100, 0, tcp_flag::kSyn}),
      tcp_frame(kEnds.reversed(), {500, 101, tcp_flag::kSyn | tcp_flag::kAck}),
      tcp_frame(kEnds, {101, 501}, Bytes(request).first(5)),
      tcp_frame(kEnds, {110, 501}, Bytes(request).subspan(9)),  // Held ahead of a hole.
      udp_frame({.destination_port = 53}, payloads_of("dns").front().bytes),
      tcp_frame(kEnds, {106, 501}, Bytes(request).subspan(5, 4)),
      tcp_frame(kEnds.reversed(), {501, 113}, payloads_of("modbus").back().bytes),
  };
  return out;
}

void process(Pipeline& pipeline, std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < to; ++i) {
    const Frame frame = frame_of(frames()[i], kSecond + static_cast<Time>(i));
    pipeline.process(std::span(&frame, 1));
  }
}

}  // namespace

VMIRROR_FUZZ(bytes) {
  static Pipeline pipeline(small());
  const HandoverLimits limits{.flows = 64, .bytes = 64 << 10};
  auto handover = decode(bytes, limits);
  if (!handover) return;
  const std::string again = encode(*handover);
  const auto same =
      decode({reinterpret_cast<const std::uint8_t*>(again.data()), again.size()}, limits);
  // What a later version appended is not written again: nothing may be more than it was.
  if (again.size() > bytes.size() || !same || *same != *handover) std::abort();
  const std::vector<Mac> macs = handover->macs;
  shift(*handover, handover->time);
  const bool late = (handover->time & 1) != 0;
  const Time came =
      (handover->time & 2) != 0 ? 5 * kSecond : Time{1} << 61;  // 2^61: all times are before.
  if (late) process(pipeline, 4, 6);
  const auto adoption = std::make_shared<Adoption>(std::move(*handover), came);
  adoption->enter();
  pipeline.adopt(adoption);
  process(pipeline, late ? 6 : 5, frames().size());
  pipeline.tick(3600 * kSecond);
  pipeline.take(macs, limits);
  pipeline.let_go(macs);
  pipeline.flush();
  const EngineSnapshot snapshot = pipeline.snapshot(0);
  for (const Limit& limit : snapshot.limits)
    if ((limit.name == "streams" || limit.name == "segments") && limit.used != 0) std::abort();
  if (snapshot.flows_active != 0 || adoption->waiting() != 0) std::abort();
}

VMIRROR_SEEDS() {
  std::vector<Buffer> out;
  const std::vector<Mac> macs = {kEnds.source_mac};
  for (std::size_t seen = 0; seen <= 5; ++seen) {
    Pipeline source(small());
    process(source, 0, seen);
    Handover handover = source.take(macs, {});
    handover.macs = macs;
    handover.time = static_cast<Time>(seen);
    const std::string bytes = encode(handover);
    out.emplace_back(bytes.begin(), bytes.end());
  }
  return out;
}
