// What every bench stands on: what a measurement is and how it is printed, CPU time, pinning, runs
// that alternate, and child processes whose CPU time, memory and instructions are counted.
//
// The machine that measures is small and noisy, so a number says something only next to its
// reference from the same run: one core, A and B in turn, the median of each.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plugin/base/result.hpp"

namespace vmirror::bench {

/// What a measurement must reach.
struct Target {
  enum class Of : std::uint8_t { value, ratio } of;
  enum class Side : std::uint8_t { at_least, at_most } side;
  double bound;
};
constexpr Target value_at_most(double bound) {
  return {Target::Of::value, Target::Side::at_most, bound};
}
constexpr Target ratio_at_most(double bound) {
  return {Target::Of::ratio, Target::Side::at_most, bound};
}
constexpr Target ratio_at_least(double bound) {
  return {Target::Of::ratio, Target::Side::at_least, bound};
}

struct Measure {
  std::string name;  ///< "engine.packet_rate"
  double value = 0;
  std::string unit;                      ///< "packets/s"
  std::optional<double> reference = {};  ///< In the same unit, from the same run.
  std::optional<Target> target = {};

  std::optional<double> ratio() const;  ///< value / reference
  /// Empty where there is no target.
  std::optional<bool> met() const;
};

/// Where benches put their measures: printed as they come, so that a long run shows progress.
class Report {
 public:
  /// Text: aligned columns. JSON: one array of objects with the keys name, value, reference, ratio,
  /// unit, target ("ratio >= 0.25"), met; null where there is none.
  Report(std::ostream& out, bool json) : out_(out), json_(json) {}

  void add(const Measure& measure);
  /// What a reader should know: why something was left out. Not shown in JSON.
  void note(const std::string& text);
  void finish();

 private:
  std::ostream& out_;
  bool json_;
  std::size_t count_ = 0;
};

/// One bench, as bench_main.cpp lists them.
struct Bench {
  const char* name;
  const char* what;
  void (*run)(Report& report);
};

// ---- Measuring in this process

/// CPU seconds of the calling thread.
double thread_cpu_seconds();
/// CPU seconds of all of this process's threads.
double process_cpu_seconds();
/// Seconds of a monotonic clock.
double now_seconds();
/// Keeps the calling thread, and what it starts, on one core. False: not allowed.
bool pin_to_core(int core);
/// Cores that this process may run on.
int cores();
/// Bytes resident now, as /proc/self/status has them: all of it, and its part that is no file.
struct Resident {
  std::uint64_t all = 0, anonymous = 0, peak = 0;
};
Resident resident();

double median(std::vector<double> values);
/// Runs each of `functions` once to warm up, then `rounds` times in turn; the medians of what they
/// return.
std::vector<double> alternate(int rounds, const std::vector<std::function<double()>>& functions);

/// Keeps the compiler from leaving out what computed `value`.
template <typename T>
inline void keep(const T& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

// ---- Child processes

/// How a child ended.
struct Finished {
  int status = -1;             ///< Exit status, or 128 + the signal.
  std::string output;          ///< Both of its outputs, in order.
  double cpu_seconds = 0;      ///< Of all its threads, in user and kernel mode.
  std::uint64_t peak_rss = 0;  ///< Bytes.
};
/// Runs a program (looked up in PATH) and waits. Error::Kind::missing: there is no such program.
Result<Finished> run_program(const std::vector<std::string>& arguments);
/// This program's own path.
std::string self_path();

/// A part of a bench that runs in a process of its own: `vmirror_bench @NAME ARGUMENTS...`. It
/// prints numbers, one a line.
struct Part {
  const char* name;
  int (*run)(const std::vector<std::string>& arguments);
};
/// Runs a part and reads its numbers. With `instructions`, under valgrind's callgrind, and the last
/// number is the instructions executed inside of functions called `vmirror_bench_measured`.
Result<std::vector<double>> run_part(const std::vector<std::string>& arguments,
                                     bool instructions = false);

/// How often this process called malloc or its kin so far, operator new included (allocations.cpp).
std::uint64_t allocations();

}  // namespace vmirror::bench
