// Frames of 65,536 hosts whose addresses were chosen to collide under the hash that the inventory
// had before it had a secret, against as many random ones. A guest makes up such addresses.
#include <random>

#include "agent/engine/worker/pipeline.hpp"
#include "tests/bench/benches.hpp"
#include "tests/bench/passes.hpp"
#include "tests/support/frames.hpp"

namespace vmirror::bench {
namespace {

using namespace test;

constexpr std::size_t kHosts = 65'536;
constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15ULL;

Mac mac_of(std::uint64_t number) {
  Mac mac;
  for (int i = 5; i >= 0; --i, number >>= 8)
    mac.octets[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(number);
  mac.octets[0] &= 0xfe;
  return mac;
}

/// Their places in the former index of 131,072 were 256 next to each other.
bool collides(const Mac& mac) {
  return ((mac.number() * kGolden >> 16) * kGolden >> 32 & (2 * kHosts - 1)) < 256;
}

IpAddress ip_of(std::uint64_t low, std::uint64_t high) {
  IpAddress ip;
  ip.version = 6;
  std::memcpy(ip.octets.data(), &low, 8);
  std::memcpy(ip.octets.data() + 8, &high, 8);
  ip.octets[0] = 0x20;
  return ip;
}

std::vector<Buffer> frames_of(bool chosen) {
  std::mt19937_64 random(7);
  std::vector<Buffer> out;
  const IpAddress server = ip_of(1, 1);
  while (out.size() < kHosts) {
    Ends ends{.source_mac = mac_of(random())};
    if (chosen && !collides(ends.source_mac)) continue;
    ends.source = ip_of(random(), random());
    // std::hash<IpAddress> is the same of all: (first * golden) ^ (second + version).
    if (chosen)
      ends.source =
          ip_of(ends.source.halves().first, (ends.source.halves().first * kGolden ^ 12345) - 6);
    ends.destination = server;
    out.push_back(udp_frame(ends, {}));
  }
  return out;
}

/// CPU time to take the frames in, twice: as new hosts, and as known ones with a new flow each.
double cost_of(const std::vector<Buffer>& frames) {
  PipelineOptions options;
  Pipeline pipeline(options);
  const double begin = thread_cpu_seconds();
  std::vector<Frame> batch;
  for (const Time time : {kSecond, 1000 * kSecond}) {
    for (const Buffer& bytes : frames) {
      batch.push_back(frame_of(bytes, time));
      if (batch.size() < kBatchFrames) continue;
      pipeline.process(batch);
      batch.clear();
    }
    pipeline.process(batch);
    batch.clear();
    pipeline.tick(time + 600 * kSecond);
  }
  return (thread_cpu_seconds() - begin) * 1e3;
}

}  // namespace

void bench_hashes(Report& report) {
  pin_to_core(0);
  const std::vector<Buffer> random = frames_of(false), chosen = frames_of(true);
  std::vector<double> values, references;
  for (int i = 0; i < 5; ++i) {
    values.push_back(cost_of(chosen));
    references.push_back(cost_of(random));
  }
  report.add({"hashes.colliding", median(values), "CPU ms for 65,536 hosts", median(references),
              ratio_at_most(3)});
}

}  // namespace vmirror::bench
