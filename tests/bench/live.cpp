// A live interface at top speed: a veth in a network namespace of its own, the sender on another
// core than the receiver, the receiver either a bare TPACKET_V3 loop or the production ring and
// pipeline.
//
//   core 1: tcpreplay or @send -> vmb1 ==veth== vmb0 -> ring -> core 0: bare loop or pipeline
//
// The kernel's part of receiving (copying to the ring) happens on the sender's core.
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "agent/engine/capture/capture.hpp"
#include "tests/bench/benches.hpp"
#include "tests/bench/mixed_capture.hpp"
#include "tests/bench/passes.hpp"

namespace vmirror::bench {
namespace {

constexpr std::uint64_t kPackets = 200'000;  ///< Of the capture that is sent.
constexpr const char* kLoops = "10";         ///< How often.

/// What was received, until the sender ended and nothing more came.
struct Received {
  std::uint64_t frames = 0, dropped = 0;
  double cpu_seconds = 0, seconds = 0;
};

/// Starts the sender on core 1.
pid_t start_sender(const std::string& sender, const std::string& path) {
  const pid_t child = fork();
  if (child != 0) return child;
  pin_to_core(1);
  dup2(STDERR_FILENO, STDOUT_FILENO);  // The part's own output is numbers.
  if (sender == "tcpreplay") {
    execlp("tcpreplay", "tcpreplay", "-q", "-K", "--topspeed", "-l", kLoops, "-i", "vmb1",
           path.c_str(), nullptr);
  } else {
    execl(self_path().c_str(), "vmirror_bench", "@send", "vmb1", path.c_str(), kLoops, nullptr);
  }
  _exit(127);
}

/// `receive` waits up to 20 ms and returns how many frames it took.
template <typename Receive>
Received receive_until_over(pid_t sender, const Receive& receive) {
  Received out;
  bool over = false;
  const double cpu = thread_cpu_seconds();
  double first = 0, last = 0;
  for (int idle = 0; !over || idle < 5;) {
    const std::size_t count = receive();
    out.frames += count;
    idle = count == 0 ? idle + 1 : 0;
    if (count > 0) {
      last = now_seconds();
      if (first == 0) first = last;
    } else if (!over) {
      over = waitpid(sender, nullptr, WNOHANG) == sender;
    }
  }
  out.cpu_seconds = thread_cpu_seconds() - cpu;
  out.seconds = last - first;
  return out;
}

/// The least that a TPACKET_V3 receiver does: sums each frame's first 64 bytes.
class BareRing {
 public:
  bool open(const char* interface, const RingOptions& options) {
    socket_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    const int version = TPACKET_V3;
    tpacket_req3 request{};
    block_size_ = options.block_size;
    request.tp_block_size = static_cast<unsigned>(options.block_size);
    request.tp_block_nr = blocks_ = options.block_count;
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

Result<Received> receive_bare(const std::string& sender, const std::string& path) {
  BareRing ring;
  if (!ring.open("vmb0", {})) return fail(Error::Kind::refused, "no ring", "vmb0");
  Received out = receive_until_over(start_sender(sender, path), [&] { return ring.receive(); });
  out.dropped = ring.dropped();
  return out;
}

Result<Received> receive_engine(const std::string& sender, const std::string& path) {
  auto options = pipeline_options("none");
  if (!options) return tl::unexpected(options.error());
  RingOptions ring;
  ring.interface = "vmb0";
  auto source = open_ring(ring);
  if (!source) return tl::unexpected(source.error());
  Pipeline pipeline(*options);
  std::array<Frame, kBatch> batch;
  Received out = receive_until_over(start_sender(sender, path), [&]() -> std::size_t {
    const auto count = (*source)->next(batch, 20);
    if (!count) return 0;
    pipeline.process({batch.data(), *count});
    return *count;
  });
  out.dropped = (*source)->dropped()[static_cast<std::size_t>(Drop::kernel)];
  return out;
}

std::optional<Received> run_live(Report& report, const char* receiver, const char* sender,
                                 const std::string& path) {
  const auto n = run_part({"@live", receiver, sender, path});
  if (n && n->size() == 4) {
    return Received{static_cast<std::uint64_t>((*n)[0]), static_cast<std::uint64_t>((*n)[1]),
                    (*n)[2], (*n)[3]};
  }
  report.note(n ? "live: no numbers" : n.error().text());
  return std::nullopt;
}

}  // namespace

/// @live bare|engine SENDER FILE: prints frames, drops, CPU seconds, seconds.
int part_live(const std::vector<std::string>& arguments) {
  if (arguments.size() != 3) return 64;
  if (unshare(CLONE_NEWNET) != 0) {
    std::fprintf(stderr, "no network namespace can be made: run it as root\n");
    return 77;
  }
  const int made = std::system(
      "sysctl -qw net.ipv6.conf.default.disable_ipv6=1 && "
      "ip link add vmb0 mtu 9000 type veth peer name vmb1 mtu 9000 && "
      "ip link set vmb0 up && ip link set vmb1 up");
  if (made != 0) return 1;
  pin_to_core(0);
  const auto out = arguments[0] == "bare" ? receive_bare(arguments[1], arguments[2])
                                          : receive_engine(arguments[1], arguments[2]);
  if (!out) {
    std::fprintf(stderr, "%s\n", out.error().text().c_str());
    return 1;
  }
  std::printf("%.0f\n%.0f\n%.9f\n%.9f\n", static_cast<double>(out->frames),
              static_cast<double>(out->dropped), out->cpu_seconds, out->seconds);
  return 0;
}

void bench_live(Report& report) {
  if (cores() < 2) return report.note("live needs two cores: left out");
  const auto path = mixed_capture({.packets = kPackets});
  if (!path) return report.note(path.error().text());
  for (const std::string sender : {"tcpreplay", "sender"}) {
    std::array<std::vector<double>, 2> cpu, dropped, rate;
    for (int round = 0; round < 3; ++round) {
      for (std::size_t i = 0; i < 2; ++i) {
        const auto run = run_live(report, i == 0 ? "bare" : "engine", sender.c_str(), *path);
        if (!run) return;
        const auto frames = static_cast<double>(run->frames);
        cpu[i].push_back(run->cpu_seconds / frames * 1e6);
        rate[i].push_back(frames / run->seconds);
        dropped[i].push_back(static_cast<double>(run->dropped));
      }
    }
    const double bare_drops = median(dropped[0]), drops = median(dropped[1]);
    report.add({"live." + sender + "_rate", median(rate[1]), "frames/s", median(rate[0]), {}});
    report.add(
        {"live." + sender + "_dropped", drops, "frames", bare_drops, value_at_most(bare_drops)});
    report.add({"live." + sender + "_cpu", median(cpu[1]), "us/frame", median(cpu[0]),
                value_at_most(0.5)});
  }
}

}  // namespace vmirror::bench
