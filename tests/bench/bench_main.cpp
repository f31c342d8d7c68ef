// vmirror_bench [NAME...] [--json] [--list] [--help]: runs the benches of these names, or all.
#include <sched.h>

#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/benches.hpp"
#include "tests/bench/harness.hpp"

namespace vmirror::bench {
namespace {

constexpr Bench kBenches[] = {
    {"engine", "the pipeline on a capture file, against a bare loop, nfpcapd and argus",
     bench_engine},
    {"erspan", "frames in ERSPAN II, against the bare frames; allocations", bench_erspan},
    {"memory", "one million flows; endless replay", bench_memory},
    {"protocols", "all protocols, against none", bench_protocols},
    {"workers", "two workers, each with a file of its own, against one", bench_workers},
    {"handover", "a guest's 10,000 flows: taken, given, gone on with", bench_handover},
    {"hashes", "65,536 hosts whose addresses were chosen to collide, against random ones",
     bench_hashes},
    {"live", "capture at 1.6 million frames a second, against tcpdump (root)", bench_live},
    {"snapshot", "what it costs a worker to be asked, with a million flows (root)", bench_snapshot},
    {"mirror_latency", "from a port's insertion into OVSDB to its mirror there (root)",
     bench_mirror_latency},
    {"change_latency", "from a policy's change to its effect on flows that run (root)",
     bench_change_latency},
    {"vsphere", "first observation, memory, moves of 500 and 5,000 VMs; a vCenter in Go",
     bench_vsphere},
    {"idle", "vmirrord with a mirror and no traffic (root)", bench_idle},
    {"hook", "what libvirt's hook adds to a guest's start, agent up, hung and dead (root)",
     bench_hook},
};

constexpr Part kParts[] = {
    {"@pass", part_pass},   {"@memory", part_memory},   {"@send", part_send},
    {"@live", part_live},   {"@changes", part_changes}, {"@held", part_held},
    {"@asked", part_asked}, {"@ring", part_ring},       {"@workers", part_workers},
};

constexpr int kUsage = 64;

void print_help() {
  std::cout << "Measures vmirror. Without a NAME: every bench, for some minutes each.\n"
               "Usage: vmirror_bench [NAME...] [--json] [--list] [--help]\n\n"
               "  --json  Print one JSON object a line\n"
               "  --list  Name the benches\n"
               "  --help  Print this and exit\n\nBenches:\n";
  for (const Bench& bench : kBenches)
    std::cout << "  " << bench.name << std::string(16 - std::string_view(bench.name).size(), ' ')
              << bench.what << '\n';
  std::cout << "\nExit codes: 0 measured; 64 wrong command line.\n\n"
               "Example: vmirror_bench engine protocols --json\n";
}

int run_benches(const std::vector<std::string>& names, bool json) {
  for (const auto& name : names) {
    bool known = false;
    for (const Bench& bench : kBenches) known = known || name == bench.name;
    if (!known) {
      std::cerr << "vmirror_bench: no " << (name.starts_with('-') ? "option" : "bench") << " `"
                << name << "`; see --help\n";
      return kUsage;
    }
  }
  Report report(std::cout, json);
  cpu_set_t all;  // A bench pins itself; the next one begins anew.
  sched_getaffinity(0, sizeof all, &all);
  for (const Bench& bench : kBenches) {
    bool wanted = names.empty();
    for (const auto& name : names) wanted = wanted || name == bench.name;
    sched_setaffinity(0, sizeof all, &all);
    if (wanted) bench.run(report);
  }
  report.finish();
  return 0;
}

}  // namespace
}  // namespace vmirror::bench

int main(int argc, char** argv) {
  using namespace vmirror::bench;
  std::vector<std::string> names(argv + 1, argv + argc);
  for (const Part& part : kParts) {
    if (!names.empty() && names[0] == part.name) return part.run({names.begin() + 1, names.end()});
  }
  bool json = false;
  std::vector<std::string> wanted;
  for (const auto& name : names) {
    if (name == "--list") {
      for (const Bench& bench : kBenches) std::cout << bench.name << "\t" << bench.what << '\n';
      return 0;
    }
    if (name == "--help" || name == "-h") {
      print_help();
      return 0;
    }
    if (name == "--json") {
      json = true;
    } else {
      wanted.push_back(name);
    }
  }
  return run_benches(wanted, json);
}
