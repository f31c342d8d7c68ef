// The oracle of transparency: what the engine tells of a capture is the same, bare or wrapped in
// each encapsulation, however the frames are batched.
#include <gtest/gtest.h>

#include <set>

#include "tests/support/encapsulate.hpp"
#include "tests/unit/agent/engine/worker/scene.hpp"

namespace vmirror {
namespace {

using namespace test;

PipelineOptions options_for_wrapped() {
  PipelineOptions options;
  options.decap.rspan_vlan = kRspanVlan;
  options.identity.overlay = false;  // The number of the envelope is told.
  options.dissectors = all_dissectors();
  return options;
}

std::vector<Buffer> wrapped(const std::vector<Buffer>& frames, const Wrapping& way) {
  std::vector<Buffer> out;
  std::uint32_t sequence = 0xfffffff8;
  for (const Buffer& frame : frames)
    for (Buffer& bytes : way.wrap(frame, sequence++)) out.push_back(std::move(bytes));
  return out;
}

TEST(Transparency, EachEncapsulationTellsTheSame) {
  const std::vector<Buffer> frames = scene();
  const Analysed bare = run(frames, options_for_wrapped());
  ASSERT_GT(bare.eve.size(), 10u);
  for (const Wrapping& way : wrappings()) {
    if (!way.keeps_link) continue;
    SCOPED_TRACE(way.name);
    const Analysed outcome = run(wrapped(frames, way), options_for_wrapped());
    EXPECT_EQ(text_of(outcome.snapshot), text_of(bare.snapshot));
    EXPECT_EQ(outcome.eve, bare.eve);
    EXPECT_GT(outcome.snapshot.inputs[0].decapsulated[static_cast<std::size_t>(way.encapsulation)],
              0u);
  }
}

TEST(Transparency, CopiesWithoutTheirLinkTellTheSameOfIp) {
  const std::vector<Buffer> frames = scene(true);
  const Analysed bare = run(frames, options_for_wrapped());
  for (const Wrapping& way : wrappings()) {
    if (way.keeps_link) continue;
    SCOPED_TRACE(way.name);
    const Analysed outcome = run(wrapped(frames, way), options_for_wrapped());
    EXPECT_EQ(outcome.snapshot.protocols, bare.snapshot.protocols);
    EXPECT_EQ(outcome.snapshot.flows_started, bare.snapshot.flows_started);
    EXPECT_TRUE(outcome.snapshot.assets.empty()) << "there is no MAC";
  }
}

/// What was told of flows and messages; of assets it is told once a batch.
std::multiset<std::string> but_assets(const Analysed& outcome) {
  std::multiset<std::string> out;
  for (const std::string& line : outcome.eve)
    if (line.find("\"event_type\":\"asset\"") == std::string::npos) out.insert(line);
  return out;
}

TEST(Transparency, BatchesMakeNoDifference) {
  const std::vector<Buffer> frames = wrapped(scene(), wrapping("erspan3"));
  const Analysed whole = run(frames, options_for_wrapped(), 1000);
  for (const std::size_t batch : {1u, 2u, 31u, 32u, 33u}) {
    SCOPED_TRACE(batch);
    const Analysed outcome = run(frames, options_for_wrapped(), batch);
    EXPECT_EQ(text_of(outcome.snapshot), text_of(whole.snapshot));
    EXPECT_EQ(but_assets(outcome), but_assets(whole));
  }
}

}  // namespace
}  // namespace vmirror
