// A question and its answer, each one message on a netlink socket:
//
//   nlmsghdr | rtmsg or ndmsg | attribute | attribute ...
//                                an attribute: rtattr | value | padding to a multiple of 4
#include "plugin/base/next_hop.hpp"

#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <optional>

namespace vmirror {
namespace {

/// The kernel's answers here are some hundred bytes.
constexpr std::size_t kMostBytes = 4096;

template <typename Header>
struct Message {
  nlmsghdr netlink{};
  Header header{};
  alignas(4) std::array<std::byte, RTA_SPACE(16)> attribute{};
};

class Netlink {
 public:
  Netlink() : socket_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {}
  ~Netlink() {
    if (socket_ >= 0) ::close(socket_);
  }
  Netlink(const Netlink&) = delete;
  Netlink& operator=(const Netlink&) = delete;

  /// The answer, for one address as the attribute of type `attribute`; none: the kernel has none.
  template <typename Header>
  const nlmsghdr* ask(std::uint16_t type, Header header, std::uint16_t attribute,
                      const IpAddress& address) {
    Message<Header> question;
    const std::uint16_t size = address.version == 4 ? 4 : 16;
    question.netlink.nlmsg_type = type;
    question.netlink.nlmsg_flags = NLM_F_REQUEST;
    question.header = header;
    const rtattr head{static_cast<std::uint16_t>(RTA_LENGTH(size)), attribute};
    std::memcpy(question.attribute.data(), &head, sizeof head);
    std::memcpy(question.attribute.data() + RTA_LENGTH(0), address.octets.data(), size);
    question.netlink.nlmsg_len =
        static_cast<std::uint32_t>(offsetof(Message<Header>, attribute) + RTA_SPACE(size));
    if (::send(socket_, &question, question.netlink.nlmsg_len, 0) < 0) return nullptr;
    // The kernel answers one object within send().
    const ssize_t got = ::recv(socket_, answer_.data(), answer_.size(), MSG_DONTWAIT);
    const auto* out = reinterpret_cast<const nlmsghdr*>(answer_.data());
    if (got < 0 || !NLMSG_OK(out, static_cast<std::size_t>(got)) || out->nlmsg_type == NLMSG_ERROR)
      return nullptr;
    return out;
  }

 private:
  const int socket_;
  alignas(nlmsghdr) std::array<std::byte, kMostBytes> answer_;
};

struct NextHop {
  int device = 0;
  IpAddress address;
};

/// None: no route, or one that leads to no neighbour.
std::optional<NextHop> next_hop_of(Netlink& kernel, const IpAddress& to) {
  rtmsg header{};
  header.rtm_family = to.version == 4 ? AF_INET : AF_INET6;
  header.rtm_dst_len = to.version == 4 ? 32 : 128;
  const nlmsghdr* answer = kernel.ask(RTM_GETROUTE, header, RTA_DST, to);
  if (answer == nullptr || answer->nlmsg_type != RTM_NEWROUTE) return {};
  const auto* route = static_cast<const rtmsg*>(NLMSG_DATA(answer));
  if (route->rtm_type != RTN_UNICAST) return {};
  NextHop out{0, to};
  int rest = static_cast<int>(RTM_PAYLOAD(answer));
  for (const rtattr* at = RTM_RTA(route); RTA_OK(at, rest); at = RTA_NEXT(at, rest)) {
    if (at->rta_type == RTA_OIF && RTA_PAYLOAD(at) >= sizeof out.device)
      std::memcpy(&out.device, RTA_DATA(at), sizeof out.device);
    if (at->rta_type == RTA_GATEWAY) {
      const std::size_t size = RTA_PAYLOAD(at);
      if (size != 4 && size != 16) return {};
      out.address = IpAddress{};
      out.address.version = size == 4 ? 4 : 6;
      std::memcpy(out.address.octets.data(), RTA_DATA(at), size);
    }
    if (at->rta_type == RTA_VIA) return {};  // A gateway of the other family: not looked up.
  }
  return out.device == 0 ? std::nullopt : std::optional(out);
}

}  // namespace

bool next_hop_is_silent(const IpAddress& to) {
  Netlink kernel;
  const auto hop = next_hop_of(kernel, to);
  if (!hop) return false;
  ndmsg header{};
  header.ndm_family = hop->address.version == 4 ? AF_INET : AF_INET6;
  header.ndm_ifindex = hop->device;
  const nlmsghdr* answer = kernel.ask(RTM_GETNEIGH, header, NDA_DST, hop->address);
  if (answer == nullptr || answer->nlmsg_type != RTM_NEWNEIGH) return false;
  const auto* neighbour = static_cast<const ndmsg*>(NLMSG_DATA(answer));
  return (neighbour->ndm_state & (NUD_INCOMPLETE | NUD_FAILED)) != 0;
}

}  // namespace vmirror
