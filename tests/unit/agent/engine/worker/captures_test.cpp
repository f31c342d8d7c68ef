// The oracle of transparency over real captures, where they are at hand: VMIRROR_CAPTURES, or
// ../shared/captures next to the sources. They aren't part of the project; without them this is
// skipped. Every 12th file is used; its name is printed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "agent/engine/capture/capture.hpp"
#include "tests/support/encapsulate.hpp"
#include "tests/support/source_tree.hpp"
#include "tests/unit/agent/engine/worker/scene.hpp"

namespace vmirror {
namespace {

using namespace test;
namespace fs = std::filesystem;

constexpr std::size_t kEvery = 12, kMostFrames = 1500;

std::vector<fs::path> sample() {
  const char* named = std::getenv("VMIRROR_CAPTURES");
  const fs::path folder = named ? fs::path(named) : test::source_tree() / "../shared/captures";
  std::vector<fs::path> all, out;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder, error))
    if (entry.is_regular_file() && entry.path().extension().string().starts_with(".pcap"))
      all.push_back(entry.path());
  std::sort(all.begin(), all.end());
  for (std::size_t i = 0; i < all.size(); i += kEvery) out.push_back(all[i]);
  return out;
}

/// The Ethernet frames that were captured whole and that an envelope can carry.
std::vector<Buffer> frames_of(const fs::path& path) {
  std::vector<Buffer> out;
  auto source = open_capture_file(path.string());
  if (!source) return out;
  std::vector<Frame> batch(64);
  while (!(*source)->finished() && out.size() < kMostFrames) {
    const auto taken = (*source)->next(batch, 0);
    if (!taken) break;
    for (const Frame& frame : std::span(batch).first(*taken))
      if (frame.link == LinkType::ethernet && frame.bytes.size() >= 14 &&
          frame.bytes.size() < 60000 && frame.wire_size == frame.bytes.size())
        out.emplace_back(frame.bytes.begin(), frame.bytes.end());
  }
  return out;
}

TEST(Captures, TellTheSameWhenWrapped) {
  const std::vector<fs::path> files = sample();
  if (files.empty()) GTEST_SKIP() << "no captures here; set VMIRROR_CAPTURES to a folder of some";
  PipelineOptions options;
  options.dissectors = all_dissectors();
  options.decap.max_depth = 8;  // Some are wrapped already.
  std::size_t used = 0;
  for (const fs::path& path : files) {
    const std::vector<Buffer> frames = frames_of(path);
    if (frames.empty()) continue;
    ++used;
    std::cout << path.filename().string() << " " << frames.size() << " frames\n";
    SCOPED_TRACE(path.string());
    const Analysed bare = run(frames, options);
    if (bare.snapshot.frames().dropped_total() > 0) continue;  // It breaks off inside a copy.
    for (const char* way : {"erspan2", "vxlan", "erspan2_fragments"}) {
      SCOPED_TRACE(way);
      std::vector<Buffer> wrapped;
      std::uint32_t sequence = 0;
      for (const Buffer& frame : frames)
        for (Buffer& bytes : wrapping(way).wrap(frame, sequence++))
          wrapped.push_back(std::move(bytes));
      const Analysed outcome = run(wrapped, options);
      EXPECT_EQ(text_of(outcome.snapshot), text_of(bare.snapshot));
    }
  }
  EXPECT_GT(used, 0u);
}

}  // namespace
}  // namespace vmirror
