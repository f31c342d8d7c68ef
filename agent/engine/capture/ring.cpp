// The AF_PACKET ring, TPACKET_V3.
//
//   ring   | block | block | ... |        the kernel fills them in turn, we hand them back in turn
//   block  | version[4] | private's offset[4] | status[4] | frames[4] | first frame's offset[4] ...
//   frame  | tpacket3_hdr | bytes... |
//          tpacket3_hdr: next[4] time[8] captured[4] on the wire[4] status[4] mac[2] net[2] VLAN...
//
//   field[n]: n bytes
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <vector>

#include "agent/engine/capture/capture.hpp"
#include "agent/engine/capture/link_speed.hpp"
#include "agent/engine/capture/offloads.hpp"

namespace vmirror {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr unsigned short kRawIp = 519;  // ARPHRD_RAWIP, which net/if_arp.h lacks.
constexpr std::size_t kAhead = 6;  ///< Frames whose headers are asked for before they are read.
constexpr std::size_t kLine = 64;  ///< Bytes of a line of the cache.
/// The kernel's timer for a block that is not full counts in its own ticks, and may be late.
constexpr milliseconds kTimerSlack{50};

class RingSource : public FrameSource {
 public:
  explicit RingSource(const RingOptions& options) : options_(options) {}
  ~RingSource() override {
    if (ring_ != nullptr) munmap(ring_, options_.block_size * options_.block_count);
    if (fd_ >= 0) close(fd_);  // Also ends promiscuity and the fanout membership.
  }

  Result<void> open();
  Result<std::size_t> next(std::span<Frame> batch, int timeout_ms) override;
  void wake_on(int fd) override { wake_fd_ = fd; }
  int readable_fd() const override { return fd_; }
  bool finished() const override { return false; }
  std::span<const std::uint64_t, kDropKinds> dropped() const override { return dropped_; }
  std::span<const std::string> warnings() const override { return warnings_; }

 private:
  tl::unexpected<Error> failed(const char* what) const;
  tl::unexpected<Error> gone() const;
  template <typename T>
  Result<void> set(int option, const T& value, const char* what);
  tl::unexpected<Error> is_down() const;
  Result<void> see_it_up() const;
  Result<void> make_ring();
  Result<void> bind_to(unsigned index);
  Result<void> cut_to_snaplen();
  tpacket_block_desc* block() const {
    return reinterpret_cast<tpacket_block_desc*>(ring_ + current_ * options_.block_size);
  }
  bool ready() const {
    return (__atomic_load_n(&block()->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) !=
           0;
  }
  std::size_t hand_out(std::span<Frame> batch);
  void hand_back();
  void read_drops();
  bool waited_for_last_block(int timeout_ms);
  Result<std::size_t> interface_error();

  RingOptions options_;
  int fd_ = -1;
  int wake_fd_ = -1;
  std::uint8_t* ring_ = nullptr;
  std::size_t current_ = 0;     ///< The block that is read, or is the next to be.
  std::uint32_t left_ = 0;      ///< Frames of it that were not handed out yet.
  bool held_ = false;           ///< The block is ours: handed out, wholly or in part.
  std::uint8_t* at_ = nullptr;  ///< The next frame in it.
  LinkType link_ = LinkType::ethernet;
  std::optional<Clock::time_point> last_block_by_;  ///< Since the interface went away.
  std::array<std::uint64_t, kDropKinds> dropped_{};
  std::vector<std::string> warnings_;
};

/// By errno. The interface may come and go meanwhile, so that nothing but the ring's own sizes is
/// Error::Kind::invalid: to try again is of use.
tl::unexpected<Error> RingSource::failed(const char* what) const {
  const int error = errno;
  const std::string text = std::string(what) + ": " + std::strerror(error);
  switch (error) {
    case ENODEV:
    case ENXIO:
      return gone();
    case ENETDOWN:
      return is_down();
    case ENOMEM:
    case ENOBUFS:
      return fail(Error::Kind::exhausted, text, options_.interface, "make block_count smaller");
    case EPERM:
    case EACCES:
      return fail(Error::Kind::refused, text, options_.interface,
                  "run as root, or with CAP_NET_RAW");
    default:
      return fail(Error::Kind::refused, text, options_.interface, "see dmesg(1)");
  }
}

tl::unexpected<Error> RingSource::gone() const {
  return fail(Error::Kind::missing, "the interface was deleted", options_.interface,
              "open it again once it is back");
}

tl::unexpected<Error> RingSource::is_down() const {
  return fail(Error::Kind::unreachable, "the interface is down", options_.interface,
              "ip link set " + options_.interface + " up");
}

template <typename T>
Result<void> RingSource::set(int option, const T& value, const char* what) {
  if (setsockopt(fd_, SOL_PACKET, option, &value, sizeof value) == 0) return {};
  return failed(what);
}

Result<void> RingSource::open() {
  const unsigned index = if_nametoindex(options_.interface.c_str());
  if (index == 0)
    return fail(Error::Kind::missing, "no such interface", options_.interface,
                "see `ip link` in this network namespace");
  fd_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return failed("no packet socket");
  if (auto up = see_it_up(); !up) return up;
  for (const auto& name : merging_offloads(options_.interface, options_.offloads_off))
    warnings_.push_back(options_.interface + ": " + name + " is on, frames may arrive merged");
  if (options_.block_count == 0)
    options_.block_count = default_block_count(options_.block_size, link_speed(options_.interface));
  // The filter and the direction come before the bind, so that nothing slips in.
  if (auto made = make_ring(); !made) return made;
  if (auto cut = cut_to_snaplen(); !cut) return cut;
  if (options_.receive_only) {
    if (auto only = set(PACKET_IGNORE_OUTGOING, 1, "receive only"); !only) return only;
  }
  if (auto bound = bind_to(index); !bound) return bound;
  if (options_.promiscuous) {
    packet_mreq request{};
    request.mr_ifindex = static_cast<int>(index);
    request.mr_type = PACKET_MR_PROMISC;
    if (auto joined = set(PACKET_ADD_MEMBERSHIP, request, "promiscuous"); !joined) return joined;
  }
  if (options_.fanout_group) {
    static constexpr int kModes[] = {PACKET_FANOUT_HASH, PACKET_FANOUT_LB, PACKET_FANOUT_CPU,
                                     PACKET_FANOUT_RND, PACKET_FANOUT_QM};
    const int value = *options_.fanout_group | kModes[static_cast<std::size_t>(options_.fanout)]
                                                   << 16;
    if (auto joined = set(PACKET_FANOUT, value, "fanout group"); !joined) return joined;
  }
  return {};
}

/// A ring could be bound to an interface that is down, and would tell of it only once it is read.
Result<void> RingSource::see_it_up() const {
  ifreq request{};
  options_.interface.copy(request.ifr_name, sizeof request.ifr_name - 1);
  if (ioctl(fd_, SIOCGIFFLAGS, &request) != 0) return failed("flags");
  if ((request.ifr_flags & IFF_UP) == 0) return is_down();
  return {};
}

Result<void> RingSource::make_ring() {
  if (auto version = set(PACKET_VERSION, static_cast<int>(TPACKET_V3), "ring version 3"); !version)
    return version;
  constexpr unsigned kFrame = 2048;  // Only its product with the count matters to version 3.
  tpacket_req3 request{};
  request.tp_block_size = static_cast<unsigned>(options_.block_size);
  request.tp_block_nr = options_.block_count;
  request.tp_frame_size = kFrame;
  request.tp_frame_nr = request.tp_block_size / kFrame * request.tp_block_nr;
  request.tp_retire_blk_tov = options_.block_timeout_ms;
  if (setsockopt(fd_, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) != 0) {
    if (errno != EINVAL) return failed("ring");
    return fail(Error::Kind::invalid, "the kernel takes no ring of this size", options_.interface,
                "make block_size a multiple of the page's size");
  }
  void* at = mmap(nullptr, options_.block_size * options_.block_count, PROT_READ | PROT_WRITE,
                  MAP_SHARED, fd_, 0);
  if (at == MAP_FAILED) return failed("the ring can't be mapped");
  ring_ = static_cast<std::uint8_t*>(at);
  return {};
}

/// A classic BPF program of one instruction: keep `snaplen` bytes.
Result<void> RingSource::cut_to_snaplen() {
  if (options_.snaplen == 0) return {};
  sock_filter keep{BPF_RET | BPF_K, 0, 0, options_.snaplen};
  const sock_fprog program{1, &keep};
  if (setsockopt(fd_, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
    return failed("snaplen");
  return {};
}

Result<void> RingSource::bind_to(unsigned index) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(index);
  if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return failed("bind");
  socklen_t size = sizeof address;
  getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
  if (address.sll_ifindex <= 0) return gone();
  switch (address.sll_hatype) {
    case ARPHRD_ETHER:
    case ARPHRD_LOOPBACK:
      link_ = LinkType::ethernet;
      return {};
    case ARPHRD_NONE:
    case kRawIp:
      link_ = LinkType::ip;
      return {};
    default:
      return fail(Error::Kind::unsupported,
                  "hardware type " + std::to_string(address.sll_hatype) + " is not read",
                  options_.interface, "use an Ethernet or tun interface");
  }
}

Result<std::size_t> RingSource::next(std::span<Frame> batch, int timeout_ms) {
  if (held_ && left_ == 0) hand_back();
  if (!held_ && !ready()) {
    pollfd waiting[] = {{fd_, POLLIN | POLLERR, 0}, {wake_fd_, POLLIN, 0}};
    poll(waiting, 2, timeout_ms);
    const bool ended = (waiting[0].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
    const bool nothing_more = ended && waited_for_last_block(timeout_ms);
    if (!ready()) {
      read_drops();
      if (nothing_more) return interface_error();
      return 0;
    }
  }
  return hand_out(batch);
}

/// After the interface went away: frames that came before may lie in a block that is not full,
/// which only the kernel's timer hands over. poll() on the ring is of no use for that, it tells of
/// the error at once. Waits for the block, but no longer than `next` may. True: none will come.
bool RingSource::waited_for_last_block(int timeout_ms) {
  const auto now = Clock::now();
  if (!last_block_by_) last_block_by_ = now + milliseconds(options_.block_timeout_ms) + kTimerSlack;
  auto until = *last_block_by_;
  if (timeout_ms >= 0) until = std::min(until, now + milliseconds(timeout_ms));
  constexpr int kStepMs = 2;
  pollfd wake{wake_fd_, POLLIN, 0};
  while (!ready() && Clock::now() < until)
    if (poll(&wake, 1, kStepMs) > 0) break;
  return Clock::now() >= *last_block_by_ && !ready();
}

std::size_t RingSource::hand_out(std::span<Frame> batch) {
  if (!held_) {
    const auto& header = block()->hdr.bh1;
    held_ = true;
    left_ = header.num_pkts;
    at_ = reinterpret_cast<std::uint8_t*>(block()) + header.offset_to_first_pkt;
  }
  const std::size_t count = std::min<std::size_t>(left_, batch.size());
  for (std::size_t i = 0; i < count; ++i) {
    const auto* h = reinterpret_cast<const tpacket3_hdr*>(at_);
    // Written by another core, so that each line is on its way for long. Frames are often as long
    // as their neighbours; where they are not, nothing is lost but three prefetches.
    const std::uint8_t* const ahead = at_ + kAhead * h->tp_next_offset;
    __builtin_prefetch(ahead);
    __builtin_prefetch(ahead + kLine);
    __builtin_prefetch(ahead + 2 * kLine);
    Frame& frame = batch[i];
    frame.bytes = {at_ + h->tp_mac, h->tp_snaplen};
    frame.wire_size = h->tp_len;
    frame.link = link_;
    frame.time = static_cast<Time>(h->tp_sec) * kSecond + h->tp_nsec;
    frame.input = options_.input;
    frame.stripped = {};
    if ((h->tp_status & TP_STATUS_VLAN_VALID) != 0) {
      const bool named = (h->tp_status & TP_STATUS_VLAN_TPID_VALID) != 0;
      frame.stripped = {named ? h->hv1.tp_vlan_tpid : ethertype::kVlan,
                        static_cast<std::uint16_t>(h->hv1.tp_vlan_tci)};
      frame.wire_size += 4;
    }
    at_ += h->tp_next_offset;
  }
  left_ -= static_cast<std::uint32_t>(count);
  return count;
}

void RingSource::hand_back() {
  __atomic_store_n(&block()->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
  held_ = false;
  current_ = (current_ + 1) % options_.block_count;
  read_drops();
}

/// Reading the statistics sets the kernel's to zero, so they are added up here.
void RingSource::read_drops() {
  tpacket_stats_v3 stats{};
  socklen_t size = sizeof stats;
  if (getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0)
    dropped_[static_cast<std::size_t>(Drop::kernel)] += stats.tp_drops;
}

Result<std::size_t> RingSource::interface_error() {
  last_block_by_.reset();
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
  sockaddr_ll address{};
  size = sizeof address;
  getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
  if (address.sll_ifindex <= 0) return gone();
  if (error == 0) return 0;
  if (error == ENETDOWN) return is_down();
  return fail(Error::Kind::unreachable, std::strerror(error), options_.interface);
}

}  // namespace

unsigned default_block_count(std::size_t block_size, std::optional<std::uint32_t> speed) {
  constexpr std::uint64_t kUnknown = 10'000, kLeast = 16 << 20, kMost = 256 << 20;
  constexpr std::uint64_t kBytesOf50Ms = 50'000 / 8;  // At 1 Mbit/s.
  const std::uint64_t frames = speed.value_or(kUnknown) * kBytesOf50Ms;
  const std::uint64_t headers = frames / 8;  // 88 bytes before each frame.
  const std::uint64_t bytes = std::clamp(frames + headers, kLeast, kMost);
  return static_cast<unsigned>(std::max<std::uint64_t>(bytes / block_size, 1));
}

Result<std::unique_ptr<FrameSource>> open_ring(const RingOptions& options) {
  auto ring = std::make_unique<RingSource>(options);
  if (auto opened = ring->open(); !opened) return tl::unexpected(opened.error());
  return ring;
}

}  // namespace vmirror
