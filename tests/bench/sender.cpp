// A sender that is faster than tcpreplay: an AF_PACKET transmit ring (packet(7), PACKET_TX_RING),
// one system call for many frames, past the queueing discipline.
//
//   ring   | status, size | frame... | status, size | frame... |   kSlots of kSlot bytes
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "tests/bench/benches.hpp"
#include "tests/bench/many_flows.hpp"
#include "tests/bench/passes.hpp"

namespace vmirror::bench {
namespace {

constexpr unsigned kSlots = 1024, kSlot = 2048, kKick = 64;
constexpr std::size_t kHeader = TPACKET2_HDRLEN - sizeof(sockaddr_ll);

class TransmitRing {
 public:
  bool open(const char* interface) {
    socket_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    const int on = 1, version = TPACKET_V2;
    tpacket_req request{};
    request.tp_frame_size = kSlot;
    request.tp_frame_nr = kSlots;
    request.tp_block_size = kSlot * kSlots / 8;
    request.tp_block_nr = 8;
    setsockopt(socket_, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
    setsockopt(socket_, SOL_PACKET, PACKET_LOSS, &on, sizeof on);
    setsockopt(socket_, SOL_PACKET, PACKET_VERSION, &version, sizeof version);
    setsockopt(socket_, SOL_PACKET, PACKET_TX_RING, &request, sizeof request);
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
    if (bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return false;
    void* const at = mmap(nullptr, kSlot * kSlots, PROT_READ | PROT_WRITE, MAP_SHARED, socket_, 0);
    ring_ = static_cast<std::uint8_t*>(at);
    return at != MAP_FAILED;
  }

  /// Waits for a free slot.
  void send(Bytes frame) {
    auto* const slot = reinterpret_cast<tpacket2_hdr*>(ring_ + next_ * kSlot);
    while (__atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE) != TP_STATUS_AVAILABLE) kick(0);
    std::memcpy(reinterpret_cast<std::uint8_t*>(slot) + kHeader, frame.data(), frame.size());
    slot->tp_len = static_cast<std::uint32_t>(frame.size());
    __atomic_store_n(&slot->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
    next_ = (next_ + 1) % kSlots;
    if (next_ % kKick == 0) kick(MSG_DONTWAIT);
  }
  void kick(int flags) { ::send(socket_, nullptr, 0, flags); }

 private:
  int socket_ = -1;
  std::uint8_t* ring_ = nullptr;
  unsigned next_ = 0;
};

}  // namespace

/// @send INTERFACE FILE TIMES: FILE `flows` is ManyFlows.
int part_send(const std::vector<std::string>& arguments) {
  if (arguments.size() != 3) return 64;
  TransmitRing ring;
  if (!ring.open(arguments[0].c_str())) return 1;
  int times = std::atoi(arguments[2].c_str());
  if (arguments[1] == "flows") {
    ManyFlows flows;
    std::array<std::uint8_t, ManyFlows::kSize> frame;
    for (std::uint64_t n = 0;
         n < std::uint64_t{ManyFlows::kFlows} * static_cast<std::uint64_t>(times); ++n) {
      flows.next(frame.data());
      ring.send(frame);
    }
    ring.kick(0);
    return 0;
  }
  const auto held = HeldFrames::load(arguments[1]);
  if (!held) return 1;
  for (; times > 0; --times) {
    for (const Frame& frame : held->frames()) {
      if (frame.bytes.size() <= kSlot - kHeader) ring.send(frame.bytes);
    }
  }
  ring.kick(0);
  return 0;
}

}  // namespace vmirror::bench
