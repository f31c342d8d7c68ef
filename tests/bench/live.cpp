// Capture at rates that hurt: live frames (sender.cpp) to a veth, and on another core the program
// that receives them: a bare TPACKET_V3 loop, vmirrord without and with protocols, tcpdump and
// dumpcap that write to /dev/null. All have rings of vmirrord's default size. Each program's own
// statistics say what it received and dropped, the scheduler what CPU time it took.
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <thread>

#include "agent/engine/capture/capture.hpp"
#include "agent/engine/flow/flow_table.hpp"
#include "tests/bench/benches.hpp"
#include "tests/bench/many_flows.hpp"
#include "tests/bench/veth.hpp"

namespace vmirror::bench {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr std::uint32_t kFewFlows = 4096;
constexpr const char* kComparedFor = "3";
constexpr int kRounds = 3;

// ---- The least that a receiver does

/// A TPACKET_V3 loop that sums each frame's first 64 bytes.
class BareRing {
 public:
  bool open(const char* interface, const RingOptions& options) {
    socket_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    const int version = TPACKET_V3;
    tpacket_req3 request{};
    block_size_ = options.block_size;
    blocks_ = default_block_count(block_size_, kVethSpeed);
    request.tp_block_size = static_cast<unsigned>(options.block_size);
    request.tp_block_nr = blocks_;
    request.tp_frame_size = 2048;
    request.tp_frame_nr = request.tp_block_size / 2048 * request.tp_block_nr;
    request.tp_retire_blk_tov = options.block_timeout_ms;
    if (setsockopt(socket_, SOL_PACKET, PACKET_VERSION, &version, sizeof version) != 0 ||
        setsockopt(socket_, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) != 0) {
      return false;
    }
    void* const at = mmap(nullptr, block_size_ * blocks_, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_POPULATE, socket_, 0);
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
    if (at == MAP_FAILED ||
        bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      return false;
    }
    ring_ = static_cast<std::uint8_t*>(at);
    return true;
  }

  std::size_t receive() {
    auto* const block = reinterpret_cast<tpacket_block_desc*>(ring_ + next_ * block_size_);
    auto& status = block->hdr.bh1.block_status;
    if ((__atomic_load_n(&status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0) {
      pollfd ready{socket_, POLLIN | POLLERR, 0};
      poll(&ready, 1, 20);
      return 0;
    }
    const std::uint8_t* at =
        reinterpret_cast<std::uint8_t*>(block) + block->hdr.bh1.offset_to_first_pkt;
    const std::size_t count = block->hdr.bh1.num_pkts;
    for (std::size_t i = 0; i < count; ++i) {
      const auto* const frame = reinterpret_cast<const tpacket3_hdr*>(at);
      std::uint64_t words[8];
      std::memcpy(words, at + frame->tp_mac, 64);
      for (const std::uint64_t word : words) sum_ += word;
      at += frame->tp_next_offset;
    }
    __atomic_store_n(&status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    next_ = (next_ + 1) % blocks_;
    keep(sum_);
    return count;
  }

  std::uint64_t dropped() const {
    tpacket_stats_v3 stats{};
    socklen_t size = sizeof stats;
    getsockopt(socket_, SOL_PACKET, PACKET_STATISTICS, &stats, &size);
    return stats.tp_drops;
  }

 private:
  int socket_ = -1;
  std::uint8_t* ring_ = nullptr;
  std::size_t block_size_ = 0, next_ = 0;
  unsigned blocks_ = 0;
  std::uint64_t sum_ = 0;
};

volatile std::sig_atomic_t stopped = 0;

// ---- Programs that receive

struct Counts {
  double received = 0, dropped = 0;  ///< What was dropped is not among the received.
};

/// A receiver that tells its counts when it ends.
struct Program {
  std::vector<std::string> command;
  const char* ready;  ///< In its output, once it captures.
  int signal;         ///< That ends it.
  /// What precedes the numbers in its output, or what follows them.
  const char* received;
  const char* dropped;
};

std::map<std::string, Program> programs() {
  const RingOptions ring;
  const std::size_t bytes = ring.block_size * default_block_count(ring.block_size, kVethSpeed);
  return {{"bare", {{self_path(), "@ring", kVeth}, "ready", SIGTERM, " received", " dropped"}},
          {"tcpdump",
           {{"tcpdump", "-n", "-i", kVeth, "-Z", "root", "-B", std::to_string(bytes >> 10), "-w",
             "/dev/null"},
            "listening on",
            SIGINT,
            " packets captured",
            " packets dropped by kernel"}},
          {"dumpcap",
           {{"dumpcap", "-q", "-i", kVeth, "-B", std::to_string(bytes >> 20), "-w", "/dev/null"},
            "File: ",
            SIGINT,
            "/",
            " (pcap:"}}};
}

std::string text_of(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The number that stands before `what`.
std::optional<double> number_before(const std::string& text, const std::string& what) {
  const std::size_t end = text.rfind(what);
  if (end == text.npos) return std::nullopt;
  const std::size_t begin = text.find_last_not_of("0123456789", end - 1) + 1;
  if (begin == end) return std::nullopt;
  return std::strtod(text.c_str() + begin, nullptr);
}

/// "Packets received/dropped on interface 'vmb0': 5242880/0 (pcap:0/...": the last slash before
/// " (pcap:" stands between the two.
std::optional<Counts> counts_of(const Program& program, const std::string& text) {
  const std::string until = text.substr(0, text.find(" (pcap:"));
  const auto received = number_before(until, program.received);
  const auto dropped = number_before(text, program.dropped);
  if (!received || !dropped) return std::nullopt;
  return Counts{*received, *dropped};
}

struct Run {
  Counts counts;
  double sent = 0, cpu_seconds = 0;
};

/// Sends, and waits until all of it was received.
std::optional<double> send(const std::vector<std::string>& how, const fs::path& folder) {
  const std::string log = (folder / "sent").string();
  const pid_t sender = start_sender(std::strtoul(how[0].c_str(), nullptr, 10),
                                    static_cast<std::uint32_t>(std::atoi(how[1].c_str())),
                                    std::strtod(how[2].c_str(), nullptr), log);
  int status = 0;
  waitpid(sender, &status, 0);
  std::this_thread::sleep_for(milliseconds(500));
  const std::string text = text_of(log);
  if (status != 0) {
    std::fprintf(stderr, "the sender failed: %s", text.c_str());
    return std::nullopt;
  }
  return std::strtod(text.c_str(), nullptr);
}

std::optional<Run> run_program_of(const Program& program, const std::vector<std::string>& how,
                                  const fs::path& folder) {
  const std::string log = (folder / "log").string();
  const pid_t child = start_on(0, program.command, log);
  for (int tries = 0; tries < 100 && text_of(log).find(program.ready) == std::string::npos; ++tries)
    std::this_thread::sleep_for(milliseconds(50));
  std::this_thread::sleep_for(milliseconds(300));
  const double before = cpu_seconds_of(child);
  const auto sent = send(how, folder);
  const double cpu = cpu_seconds_of(child) - before;
  end_by(child, program.signal);
  const auto counts = counts_of(program, text_of(log));
  if (!counts) std::fprintf(stderr, "no counts: %s", text_of(log).c_str());
  if (!sent || !counts) return std::nullopt;
  return Run{*counts, *sent, cpu};
}

std::optional<Run> run_daemon(const std::string& protocols, const std::vector<std::string>& how,
                              const fs::path& folder) {
  const bool many = std::strtoul(how[1].c_str(), nullptr, 10) > FlowTableOptions{}.max_flows;
  const LiveDaemon daemon((fs::path(self_path()).parent_path() / "vmirrord").string(), folder,
                          "{protocols: " + protocols + (many ? ", max_flows: 1048576}" : "}"));
  if (!daemon.is_up()) {
    std::fprintf(stderr, "no vmirrord: %s", text_of(daemon.log()).c_str());
    return std::nullopt;
  }
  const auto before = daemon.ask();
  const double cpu = cpu_seconds_of(daemon.pid());
  const auto sent = send(how, folder);
  const double took = cpu_seconds_of(daemon.pid()) - cpu;
  const auto after = daemon.ask();
  if (!before || !sent || !after) return std::nullopt;
  const double dropped = after->dropped - before->dropped;
  return Run{{after->received - before->received - dropped, dropped}, *sent, took};
}

std::optional<Run> run_live(Report& report, const std::string& receiver, std::size_t bytes,
                            std::uint32_t flows, const std::string& seconds) {
  const auto n =
      run_part({"@live", receiver, std::to_string(bytes), std::to_string(flows), seconds});
  if (n && n->size() == 4) return Run{{(*n)[1], (*n)[2]}, (*n)[0], (*n)[3]};
  report.note("live, " + receiver + ": " + (n ? "no numbers" : n.error().text()));
  return std::nullopt;
}

constexpr std::array<const char*, 5> kReceivers = {"bare", "none", "all", "tcpdump", "dumpcap"};

/// Each receiver in turn; against tcpdump's the CPU time of a frame of the others.
void compare(Report& report, std::size_t bytes, double of_tcpdump) {
  std::map<std::string, std::vector<double>> cpu, rate, dropped;
  for (int round = 0; round < kRounds; ++round) {
    for (const char* receiver : kReceivers) {
      const auto run = run_live(report, receiver, bytes, kFewFlows, kComparedFor);
      if (!run || run->counts.received == 0) continue;
      cpu[receiver].push_back(run->cpu_seconds / run->counts.received * 1e6);
      dropped[receiver].push_back(run->counts.dropped / run->sent * 100);
      rate[receiver].push_back(run->sent / std::strtod(kComparedFor, nullptr));
    }
  }
  const std::string name = "live." + std::to_string(bytes) + ".";
  const auto reference =
      cpu.count("tcpdump") != 0 ? std::optional(median(cpu["tcpdump"])) : std::optional<double>();
  for (const char* receiver : kReceivers) {
    if (cpu.count(receiver) == 0) continue;
    const bool engine = std::string(receiver) == "none";
    report.add({name + receiver + "_cpu", median(cpu[receiver]), "us/frame", reference,
                engine ? std::optional(ratio_at_most(of_tcpdump)) : std::nullopt});
    report.add({name + receiver + "_dropped",
                median(dropped[receiver]),
                "% of the frames",
                {},
                engine ? std::optional(value_at_most(0)) : std::nullopt});
  }
  report.add({name + "sent", median(rate["none"]), "frames/s", {}, {}});
}

}  // namespace

/// @ring INTERFACE: the bare loop, until SIGTERM; its counts.
int part_ring(const std::vector<std::string>& arguments) {
  if (arguments.size() != 1) return 64;
  std::signal(SIGTERM, [](int) { stopped = 1; });
  BareRing ring;
  if (!ring.open(arguments[0].c_str(), {})) return 1;
  std::printf("ready\n");
  std::fflush(stdout);
  double frames = 0;
  while (stopped == 0) frames += static_cast<double>(ring.receive());
  std::printf("%.0f received\n%.0f dropped\n", frames, static_cast<double>(ring.dropped()));
  return 0;
}

/// @live RECEIVER BYTES FLOWS SECONDS (bare, tcpdump, dumpcap, or the protocols of a vmirrord):
/// prints frames sent, received and dropped, and CPU seconds.
int part_live(const std::vector<std::string>& arguments) {
  if (arguments.size() != 4) return 64;
  if (const int status = enter_veth(); status != 0) return status;
  const fs::path folder = scratch_folder();
  const std::vector<std::string> how(arguments.begin() + 1, arguments.end());
  const auto known = programs();
  const auto at = known.find(arguments[0]);
  const auto run = at != known.end() ? run_program_of(at->second, how, folder)
                                     : run_daemon(arguments[0], how, folder);
  if (!run) return 1;
  fs::remove_all(folder);
  std::printf("%.0f\n%.0f\n%.0f\n%.9f\n", run->sent, run->counts.received, run->counts.dropped,
              run->cpu_seconds);
  return 0;
}

void bench_live(Report& report) {
  if (cores() < 2) return report.note("live needs two cores: left out");
  compare(report, 64, 1);
  compare(report, 1400, 0.35);
  if (const auto run = run_live(report, "none", 64, ManyFlows::kFlows, "60")) {
    report.add({"live.minute_dropped", run->counts.dropped, "frames", {}, value_at_most(0)});
    report.add({"live.minute_received", run->counts.received, "frames", run->sent, {}});
    report.add(
        {"live.minute_cpu", run->cpu_seconds / run->counts.received * 1e6, "us/frame", {}, {}});
  }
}

}  // namespace vmirror::bench
