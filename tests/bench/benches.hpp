// The benches and their parts, one source each; bench_main.cpp lists them.
#pragma once

#include "tests/bench/harness.hpp"

namespace vmirror::bench {

void bench_engine(Report& report);
void bench_erspan(Report& report);
void bench_memory(Report& report);
void bench_protocols(Report& report);
void bench_handover(Report& report);
void bench_hashes(Report& report);
void bench_workers(Report& report);
void bench_live(Report& report);
void bench_snapshot(Report& report);
void bench_idle(Report& report);
void bench_hook(Report& report);
void bench_mirror_latency(Report& report);
void bench_change_latency(Report& report);
void bench_vsphere(Report& report);

int part_pass(const std::vector<std::string>& arguments);
int part_memory(const std::vector<std::string>& arguments);
int part_send(const std::vector<std::string>& arguments);
int part_changes(const std::vector<std::string>& arguments);
int part_held(const std::vector<std::string>& arguments);
int part_asked(const std::vector<std::string>& arguments);
int part_workers(const std::vector<std::string>& arguments);
int part_ring(const std::vector<std::string>& arguments);
int part_live(const std::vector<std::string>& arguments);

}  // namespace vmirror::bench
