#include "tests/bench/harness.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>
#include <sstream>

namespace vmirror::bench {
namespace {

/// 26600000 -> "26.6 M", 0.1812 -> "0.181".
std::string short_number(double value) {
  char text[32];
  const double size = std::fabs(value);
  if (size >= 1e9) {
    std::snprintf(text, sizeof text, "%.2f G", value / 1e9);
  } else if (size >= 1e6) {
    std::snprintf(text, sizeof text, "%.2f M", value / 1e6);
  } else if (size >= 1e4) {
    std::snprintf(text, sizeof text, "%.1f k", value / 1e3);
  } else if (size >= 100 || value == std::floor(value)) {
    std::snprintf(text, sizeof text, "%.0f", value);
  } else {
    std::snprintf(text, sizeof text, "%.3g", value);
  }
  return text;
}

std::string target_text(const Target& target) {
  char text[64];
  std::snprintf(text, sizeof text, "%s %s %g", target.of == Target::Of::ratio ? "ratio" : "value",
                target.side == Target::Side::at_least ? ">=" : "<=", target.bound);
  return text;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + time.tv_usec * 1e-6;
}

double clock_seconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

}  // namespace

std::optional<double> Measure::ratio() const {
  if (!reference || *reference == 0) return std::nullopt;
  return value / *reference;
}

std::optional<bool> Measure::met() const {
  if (!target) return std::nullopt;
  const std::optional<double> is = target->of == Target::Of::value ? value : ratio();
  if (!is) return false;
  return target->side == Target::Side::at_least ? *is >= target->bound : *is <= target->bound;
}

void Report::add(const Measure& measure) {
  const auto met = measure.met();
  if (json_) {
    boost::json::object o;
    const auto optional = [](const auto& value) {
      return value ? boost::json::value(*value) : boost::json::value();
    };
    o["name"] = measure.name;
    o["value"] = measure.value;
    o["reference"] = optional(measure.reference);
    o["ratio"] = optional(measure.ratio());
    o["unit"] = measure.unit;
    o["target"] =
        measure.target ? boost::json::value(target_text(*measure.target)) : boost::json::value();
    o["met"] = optional(met);
    out_ << (count_ == 0 ? "[\n  " : ",\n  ") << boost::json::serialize(o);
  } else {
    if (count_ == 0) {
      out_ << "measure                                     value  reference     ratio  unit\n";
    }
    char line[160];
    std::snprintf(line, sizeof line, "%-38s %10s %10s %9s  %s", measure.name.c_str(),
                  short_number(measure.value).c_str(),
                  measure.reference ? short_number(*measure.reference).c_str() : "-",
                  measure.ratio() ? short_number(*measure.ratio()).c_str() : "-",
                  measure.unit.c_str());
    out_ << line;
    if (met) out_ << "  [" << target_text(*measure.target) << (*met ? ": met]" : ": NOT MET]");
    out_ << '\n';
  }
  out_.flush();
  ++count_;
}

void Report::note(const std::string& text) {
  constexpr std::size_t kMost = 160;  // Of a program that said much, the beginning.
  const std::string line = text.substr(0, std::min(text.find('\n'), kMost));
  if (!json_) out_ << "  " << line << std::endl;
}

void Report::finish() {
  if (json_) out_ << (count_ == 0 ? "[]\n" : "\n]\n");
  out_.flush();
}

double thread_cpu_seconds() {
  return clock_seconds(CLOCK_THREAD_CPUTIME_ID);
}
double process_cpu_seconds() {
  return clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
}
double now_seconds() {
  return clock_seconds(CLOCK_MONOTONIC);
}

bool pin_to_core(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  return sched_setaffinity(0, sizeof set, &set) == 0;
}

int cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

Resident resident() {
  Resident out;
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    const auto read = [&](const char* key, std::uint64_t& value) {
      if (line.rfind(key, 0) == 0)
        value = std::strtoull(line.c_str() + std::strlen(key), nullptr, 10) * 1024;
    };
    read("VmRSS:", out.all);
    read("RssAnon:", out.anonymous);
    read("VmHWM:", out.peak);
  }
  return out;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::vector<double> alternate(int rounds, const std::vector<std::function<double()>>& functions) {
  std::vector<std::vector<double>> values(functions.size());
  for (const auto& function : functions) function();
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < functions.size(); ++i) values[i].push_back(functions[i]());
  }
  std::vector<double> out;
  for (auto& each : values) out.push_back(median(std::move(each)));
  return out;
}

Result<Finished> run_program(const std::vector<std::string>& arguments) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(Error::Kind::internal, "no pipe");
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  close(ends[1]);
  Finished out;
  char buffer[4096];
  for (ssize_t n = 0;
       child > 0 && ((n = read(ends[0], buffer, sizeof buffer)) > 0 || errno == EINTR);) {
    if (n > 0) out.output.append(buffer, static_cast<std::size_t>(n));
  }
  close(ends[0]);
  if (child < 0) return fail(Error::Kind::internal, "fork failed", arguments[0]);
  int status = 0;
  rusage usage{};
  while (wait4(child, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  out.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (out.status == 127) {
    return fail(Error::Kind::missing, "no such program", arguments[0], "./run deps bench");
  }
  out.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  out.peak_rss = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  return out;
}

std::string self_path() {
  char path[4096];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  return size > 0 ? std::string(path, static_cast<std::size_t>(size)) : std::string();
}

Result<std::vector<double>> run_part(const std::vector<std::string>& arguments, bool instructions) {
  std::vector<std::string> command;
  if (instructions) {
    command = {"valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
               "--collect-atstart=no", "--toggle-collect=*vmirror_bench_measured*"};
  }
  command.push_back(self_path());
  command.insert(command.end(), arguments.begin(), arguments.end());
  auto done = run_program(command);
  if (!done) return tl::unexpected(done.error());
  if (done->status != 0) {
    return vmirror::fail(Error::Kind::internal,
                         "ended with " + std::to_string(done->status) + ": " + done->output,
                         arguments[0]);
  }
  std::vector<double> numbers;
  double collected = 0;
  std::istringstream lines(done->output);
  for (std::string line; std::getline(lines, line);) {
    if (const auto at = line.find("Collected : "); at != std::string::npos) {
      collected = std::strtod(line.c_str() + at + 12, nullptr);
    }
    char* end = nullptr;
    const double number = std::strtod(line.c_str(), &end);
    if (end != line.c_str() && *end == '\0') numbers.push_back(number);
  }
  if (instructions) numbers.push_back(collected);
  return numbers;
}

}  // namespace vmirror::bench
