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

/// Instructions a packet of this pass, where callgrind counts them.
std::optional<double> instructions_of(Report& report, const std::string& pass,
                                      const Result<std::string>& path) {
  if (!path) return report.note(path.error().text()), std::nullopt;
  const auto numbers = run_part({"@pass", pass, *path}, true);
  if (!numbers) return report.note(numbers.error().text()), std::nullopt;
  return numbers->back() / numbers->front();
}

void add_instructions(Report& report, const std::string& name, const std::string& pass,
                      const std::string& reference) {
  const auto path = mixed_capture({.packets = 200'000});
  const auto value = instructions_of(report, pass, path);
  const auto against = instructions_of(report, reference, path);
  if (value && against) report.add({name, *value, "instructions/packet", *against, {}});
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
  report.add({"engine.rate", rates[2], "packets/s", rates[0], ratio_at_least(0.55)});
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
  add_instructions(report, "engine.instructions", "none", "bare");
  add_instructions(report, "engine.instructions_of_source", "source", "bare");
}

void bench_protocols(Report& report) {
  pin_to_core(0);
  const auto path = mixed_capture({});
  const auto none = pipeline_options("none");
  const auto all = pipeline_options("all");
  if (!path || !none || !all) return report.note("no capture, or no protocols");
  const auto rates =
      alternate(3, {[&] { return engine_pass(*path, *none).value_or(Pass{}).rate(); },
                    [&] { return engine_pass(*path, *all).value_or(Pass{}).rate(); },
                    [&] { return bare_pass(*path).rate(); }});
  report.add({"protocols.rate", rates[1], "packets/s", rates[0], {}});
  report.add({"protocols.rate_of_floor", rates[1], "packets/s", rates[2], ratio_at_least(0.30)});
  const auto cost = [](const Result<Pass>& pass) { return pass ? 1e6 / pass->rate() : 0; };
  const auto costs = alternate(3, {[&] { return cost(engine_pass(*path, *all)); },
                                   [&] { return cost(eve_pass(*path, *all)); }});
  report.add({"protocols.eve", costs[1], "CPU us/packet", costs[0], ratio_at_most(1.4)});
  add_instructions(report, "protocols.instructions", "all", "none");
  add_instructions(report, "protocols.eve_instructions", "eve", "all");
  const auto tls = instructions_of(report, "all", bulk_capture(true));
  const auto unknown = instructions_of(report, "all", bulk_capture(false));
  if (tls && unknown)
    report.add({"protocols.bulk_tls", *tls, "instructions/packet", *unknown, ratio_at_most(1.05)});
}

}  // namespace vmirror::bench
