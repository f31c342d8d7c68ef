// A sender that is faster than any program in user space: the kernel makes the frames. An XDP
// program of some instructions, run by BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES, gives
// each frame its flow and passes it to the stack as if the interface had received it.
//
//   frame n      | MACs, IPv4, UDP, payload: ManyFlows::frame |
//                  source MAC[4..5] = source IP[2..3] = n % flows % 65536, source port = 32768 ...
//   test run     frame n, n + 1, ... -> XDP_PASS -> vmb0's receive path -> ring
//
// Everything up to the copy into the ring happens on the core of the sender.
// Source: Documentation/bpf/bpf_prog_run.rst, "Running XDP programs in live frame mode".
#include <linux/bpf.h>
#include <net/if.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/bench/benches.hpp"
#include "tests/bench/many_flows.hpp"

namespace vmirror::bench {
namespace {

constexpr std::uint32_t kAtOnce = 1 << 20;  ///< Frames of one system call.
constexpr std::uint32_t kBulk = 64;         ///< Frames that the stack is given at once.

int call(bpf_cmd command, const bpf_attr& attributes) {
  return static_cast<int>(syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

std::uint64_t address_of(const void* at) {
  return reinterpret_cast<std::uint64_t>(at);
}

/// How many frames were made so far, in a map of one value.
int make_counter() {
  bpf_attr map{};
  map.map_type = BPF_MAP_TYPE_ARRAY;
  map.key_size = 4;
  map.value_size = 8;
  map.max_entries = 1;
  return call(BPF_MAP_CREATE, map);
}

/// The program that turns ManyFlows::frame into the frame of the next of `flows` flows.
int load_program(int counter, std::uint32_t flows) {
  enum : std::uint8_t { kResult, kContext, kData, kEnd, kLimit, kCounter };  // Registers 0 to 5.
  constexpr std::uint8_t kSet = BPF_ALU64 | BPF_MOV | BPF_X, kBy = BPF_ALU64 | BPF_K;
  constexpr std::uint8_t kLoad = BPF_LDX | BPF_MEM, kStore = BPF_STX | BPF_MEM;
  constexpr std::int16_t kMac = 10, kIp = 28, kPort = 35;  // Where ManyFlows::next writes.
  // Fields: operation, destination, source, offset, number.
  const std::array<bpf_insn, 23> program{{
      {kLoad | BPF_W, kData, kContext, offsetof(xdp_md, data), 0},
      {kLoad | BPF_W, kEnd, kContext, offsetof(xdp_md, data_end), 0},
      {kSet, kLimit, kData, 0, 0},
      {kBy | BPF_ADD, kLimit, 0, 0, ManyFlows::kSize},
      {BPF_JMP | BPF_JGT | BPF_X, kLimit, kEnd, 16, 0},  // The verifier wants to see it.
      {BPF_LD | BPF_DW | BPF_IMM, kCounter, BPF_PSEUDO_MAP_VALUE, 0, counter},
      {},
      {kLoad | BPF_DW, kResult, kCounter, 0, 0},
      {kSet, kEnd, kResult, 0, 0},
      {kBy | BPF_ADD, kEnd, 0, 0, 1},
      {kStore | BPF_DW, kCounter, kEnd, 0, 0},
      {kBy | BPF_MOD, kResult, 0, 0, static_cast<std::int32_t>(flows)},
      {kSet, kEnd, kResult, 0, 0},
      {kBy | BPF_RSH, kEnd, 0, 0, 16},
      {kBy | BPF_AND, kResult, 0, 0, 0xffff},
      {BPF_ALU | BPF_END | BPF_TO_BE, kResult, 0, 0, 16},
      {kStore | BPF_H, kData, kResult, kMac, 0},
      {kStore | BPF_H, kData, kResult, kIp, 0},
      {kStore | BPF_B, kData, kEnd, kPort, 0},
      {kBy | BPF_MOV, kResult, 0, 0, XDP_PASS},
      {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
      {kBy | BPF_MOV, kResult, 0, 0, XDP_ABORTED},
      {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
  }};
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_XDP;
  load.expected_attach_type = BPF_XDP;
  load.insns = address_of(program.data());
  load.insn_cnt = program.size();
  load.license = address_of("");
  return call(BPF_PROG_LOAD, load);
}

/// A veth has a receive queue for live frames only while it has an XDP program, which these frames
/// do not pass.
int attach(int program, std::uint32_t interface) {
  bpf_attr link{};
  link.link_create.prog_fd = static_cast<std::uint32_t>(program);
  link.link_create.target_ifindex = interface;
  link.link_create.attach_type = BPF_XDP;
  return call(BPF_LINK_CREATE, link);
}

bool run(int program, std::uint32_t interface, const test::Buffer& frame) {
  xdp_md context{};
  context.data_end = static_cast<std::uint32_t>(frame.size());
  context.ingress_ifindex = interface;
  bpf_attr test{};
  test.test.prog_fd = static_cast<std::uint32_t>(program);
  test.test.data_in = address_of(frame.data());
  test.test.data_size_in = static_cast<std::uint32_t>(frame.size());
  test.test.ctx_in = address_of(&context);
  test.test.ctx_size_in = sizeof context;
  test.test.repeat = kAtOnce;
  test.test.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
  test.test.batch_size = kBulk;
  return call(BPF_PROG_TEST_RUN, test) == 0;
}

int failed(const char* what) {
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
  return 1;
}

}  // namespace

/// @send INTERFACE BYTES FLOWS SECONDS: sends frames of ManyFlows to the interface, as fast as
/// possible and a million at a time; prints their number.
int part_send(const std::vector<std::string>& arguments) {
  if (arguments.size() != 4) return 64;
  const std::uint32_t interface = if_nametoindex(arguments[0].c_str());
  const test::Buffer frame = ManyFlows::frame(std::strtoul(arguments[1].c_str(), nullptr, 10));
  const auto flows = static_cast<std::uint32_t>(std::strtoul(arguments[2].c_str(), nullptr, 10));
  if (interface == 0 || frame.size() < ManyFlows::kSize || flows == 0) return 64;
  const int counter = make_counter();
  if (counter < 0) return failed("no BPF map");
  const int program = load_program(counter, flows);
  if (program < 0) return failed("no XDP program");
  if (attach(program, interface) < 0) return failed("no XDP program on the interface");
  const double until = now_seconds() + std::strtod(arguments[3].c_str(), nullptr);
  double sent = 0;
  for (; now_seconds() < until; sent += kAtOnce)
    if (!run(program, interface, frame)) return failed("no live frames");
  std::printf("%.0f\n", sent);
  return 0;
}

}  // namespace vmirror::bench
