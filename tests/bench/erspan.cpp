// What ERSPAN II costs on top of the bare frames, in instructions; and whether anything is
// allocated once all is warm.
#include "tests/bench/benches.hpp"
#include "tests/bench/mixed_capture.hpp"
#include "tests/bench/passes.hpp"

namespace vmirror::bench {
namespace {

constexpr std::uint64_t kPackets = 200'000;

Result<double> instructions(const std::string& kind, const std::string& path) {
  auto numbers = run_part({"@pass", kind, path}, true);
  if (!numbers) return tl::unexpected(numbers.error());
  return numbers->back() / (*numbers)[0];
}

/// Allocations for each packet of a third replay of the same frames: their flows, sessions and
/// assets are known by then, though flows end and begin again.
Result<double> allocations_per_packet(const std::string& path, const std::string& protocols) {
  auto options = pipeline_options(protocols);
  if (!options) return tl::unexpected(options.error());
  auto held = HeldFrames::load(path);
  if (!held) return tl::unexpected(held.error());
  Pipeline pipeline(*options);
  held->replay(pipeline);
  held->replay(pipeline);
  const std::uint64_t before = allocations();
  held->replay(pipeline);
  return static_cast<double>(allocations() - before) / static_cast<double>(held->size());
}

}  // namespace

void bench_erspan(Report& report) {
  pin_to_core(0);
  const auto bare = mixed_capture({.packets = kPackets});
  const auto wrapped = mixed_capture({.packets = kPackets, .wrapped = true});
  if (!bare || !wrapped) return report.note((!bare ? bare : wrapped).error().text());
  for (const std::string kind : {"none", "warm"}) {
    const auto bare_cost = instructions(kind, *bare);
    const auto wrapped_cost = instructions(kind, *wrapped);
    if (!bare_cost || !wrapped_cost)
      return report.note((!bare_cost ? bare_cost : wrapped_cost).error().text());
    const std::string name = kind == "none" ? "of_a_file" : kind;
    report.add({"erspan.instructions_" + name, *wrapped_cost, "instructions/packet", *bare_cost,
                ratio_at_most(1.15)});
  }
  for (const std::string protocols : {"none", "all"}) {
    const auto count = allocations_per_packet(*wrapped, protocols);
    if (!count) return report.note(count.error().text());
    report.add(
        {"erspan.allocations_" + protocols, *count, "allocations/packet", {}, value_at_most(0)});
  }
}

}  // namespace vmirror::bench
