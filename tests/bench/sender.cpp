// A sender that is faster than tcpreplay: frames held in memory, handed to an AF_PACKET socket many
// at a time, past the queueing discipline.
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "tests/bench/benches.hpp"
#include "tests/bench/passes.hpp"

namespace vmirror::bench {
namespace {

int open_socket(const char* interface) {
  const int out = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  const int on = 1, room = 64 << 20;
  setsockopt(out, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
  setsockopt(out, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
  return bind(out, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ? out : -1;
}

}  // namespace

/// @send INTERFACE FILE TIMES
int part_send(const std::vector<std::string>& arguments) {
  if (arguments.size() != 3) return 64;
  const int out = open_socket(arguments[0].c_str());
  auto held = HeldFrames::load(arguments[1]);
  if (out < 0 || !held) return 1;
  const std::span<const Frame> frames = held->frames();
  std::vector<iovec> parts(frames.size());
  std::vector<mmsghdr> messages(frames.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    parts[i] = {const_cast<std::uint8_t*>(frames[i].bytes.data()), frames[i].bytes.size()};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  std::uint64_t refused = 0;
  for (int times = std::atoi(arguments[2].c_str()); times > 0; --times) {
    for (std::size_t sent = 0; sent < messages.size();) {
      const std::size_t count = std::min<std::size_t>(256, messages.size() - sent);
      const int done = sendmmsg(out, &messages[sent], static_cast<unsigned>(count), 0);
      if (done > 0) {
        sent += static_cast<std::size_t>(done);
      } else if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR) {
        ++sent;  // A frame that the interface does not take.
        ++refused;
      }
    }
  }
  close(out);
  if (refused > 0)
    std::fprintf(stderr, "%lu frames were refused\n", static_cast<unsigned long>(refused));
  return 0;
}

}  // namespace vmirror::bench
