// Two workers beside one, each with a core and a file of its own and without a sender: what they
// take from each other is the caches and the memory's time.
#include <barrier>
#include <thread>

#include "tests/bench/benches.hpp"
#include "tests/bench/mixed_capture.hpp"
#include "tests/bench/passes.hpp"

namespace vmirror::bench {

/// @workers COUNT bare|PROTOCOLS FILE: the packets of a CPU second of all workers together. CPU
/// seconds, so that neighbours on the machine do not count.
int part_workers(const std::vector<std::string>& arguments) {
  if (arguments.size() != 3) return 64;
  const int count = std::atoi(arguments[0].c_str());
  const bool bare = arguments[1] == "bare";
  const auto options = pipeline_options(bare ? "none" : arguments[1]);
  if (!options || count < 1) return 64;
  std::barrier begin(count);
  std::vector<double> rates(static_cast<std::size_t>(count));
  std::vector<std::thread> workers;
  for (int i = 0; i < count; ++i) {
    workers.emplace_back([&, i] {
      pin_to_core(i);
      begin.arrive_and_wait();
      rates[static_cast<std::size_t>(i)] =
          bare ? bare_pass(arguments[2]).rate()
               : engine_pass(arguments[2], *options).value_or(Pass{}).rate();
    });
  }
  for (std::thread& worker : workers) worker.join();
  double sum = 0;
  for (const double rate : rates) sum += rate;
  std::printf("%.0f\n", sum);
  return 0;
}

void bench_workers(Report& report) {
  if (cores() < 2) return report.note("workers needs two cores: left out");
  const auto path = mixed_capture({});
  if (!path) return report.note(path.error().text());
  const auto rate = [&](const char* count, const char* what) {
    return [&report, &path, count, what] {
      const auto n = run_part({"@workers", count, what, *path});
      if (!n) report.note(n.error().text());
      return n && !n->empty() ? n->front() : 0;
    };
  };
  const auto rates =
      alternate(5, {rate("1", "none"), rate("2", "none"), rate("1", "bare"), rate("2", "bare")});
  report.add({"workers.two", rates[1], "packets/CPU s", rates[0], ratio_at_least(1.9)});
  report.add({"workers.two_bare", rates[3], "packets/CPU s", rates[2], {}});
}

}  // namespace vmirror::bench
