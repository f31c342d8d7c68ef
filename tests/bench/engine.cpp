// The engine on a capture file: L2-L4, flows and inventory, no protocols.
#include <filesystem>

#include "tests/bench/benches.hpp"
#include "tests/bench/mixed_capture.hpp"
#include "tests/bench/passes.hpp"

namespace vmirror::bench {
namespace {

/// Packets for each second of CPU that a program took to read the file, all its threads together.
double program_rate(Report& report, std::uint64_t packets,
                    const std::vector<std::string>& command) {
  const auto done = run_program(command);
  if (!done || done->status != 0) {
    report.note(command[0] + " left out: " + (done ? done->output : done.error().text()));
    return 0;
  }
  return static_cast<double>(packets) / done->cpu_seconds;
}

void compare_programs(Report& report, const std::string& path, const Pass& engine) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(path).parent_path() / "nfpcapd";
  fs::create_directories(folder);
  const std::vector<std::string> nfpcapd = {"nfpcapd", "-r", path, "-w", folder.string()};
  const std::vector<std::string> argus = {"argus", "-X", "-r", path, "-w", "/dev/null"};
  for (const auto& command : {nfpcapd, argus}) {
    if (const double rate = program_rate(report, engine.packets, command); rate > 0) {
      report.add({"engine.rate_against_" + command[0], engine.rate(), "packets/CPU s", rate, {}});
    }
  }
  fs::remove_all(folder);
}

void count_instructions(Report& report) {
  const auto path = mixed_capture({.packets = 200'000});
  if (!path) return report.note(path.error().text());
  const auto bare = run_part({"@pass", "bare", *path}, true);
  const auto source = run_part({"@pass", "source", *path}, true);
  const auto engine = run_part({"@pass", "none", *path}, true);
  if (!bare || !source || !engine) return report.note((!engine ? engine : bare).error().text());
  const auto each = [](const std::vector<double>& numbers) { return numbers.back() / numbers[0]; };
  report.add({"engine.instructions", each(*engine), "instructions/packet", each(*bare), {}});
  report.add(
      {"engine.instructions_of_source", each(*source), "instructions/packet", each(*bare), {}});
}

}  // namespace

void bench_engine(Report& report) {
  pin_to_core(0);
  const auto path = mixed_capture({});
  const auto options = pipeline_options("none");
  if (!path || !options) return report.note((!path ? path.error() : options.error()).text());
  report.note(*path);

  Pass engine;
  const auto rates = alternate(5, {[&] { return bare_pass(*path).rate(); },
                                   [&] { return source_pass(*path).value_or(Pass{}).rate(); },
                                   [&] {
                                     engine = engine_pass(*path, *options).value_or(Pass{});
                                     return engine.rate();
                                   }});
  report.add({"engine.rate", rates[2], "packets/s", rates[0], ratio_at_least(0.25)});
  report.add({"engine.rate_of_source", rates[1], "packets/s", rates[0], {}});
  report.add({"engine.packets", static_cast<double>(engine.packets), "packets", {}, {}});
  report.add({"engine.flows", static_cast<double>(engine.flows), "flows", {}, {}});
  engine.cpu_seconds = static_cast<double>(engine.packets) / rates[2];
  compare_programs(report, *path, engine);

  report.add({"engine.bytes_per_flow",
              static_cast<double>(FlowTable::bytes_per_flow(options->flows.max_flows)),
              "bytes",
              {},
              {}});
  const auto bare = run_part({"@pass", "bare", *path});
  const auto alone = run_part({"@pass", "none", *path});
  if (alone && bare) report.add({"engine.peak_rss", (*alone)[3] / 1e6, "MB", (*bare)[3] / 1e6, {}});
  count_instructions(report);
}

void bench_protocols(Report& report) {
  pin_to_core(0);
  const auto path = mixed_capture({});
  const auto none = pipeline_options("none");
  const auto all = pipeline_options("all");
  if (!path || !none || !all) return report.note("no capture, or no protocols");
  const auto rates =
      alternate(3, {[&] { return engine_pass(*path, *none).value_or(Pass{}).rate(); },
                    [&] { return engine_pass(*path, *all).value_or(Pass{}).rate(); }});
  report.add({"protocols.rate", rates[1], "packets/s", rates[0], {}});
}

}  // namespace vmirror::bench
