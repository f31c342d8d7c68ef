#include "agent/engine/export/reinject.hpp"

#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace vmirror {
namespace {

constexpr std::size_t kMacs = 12, kTag = 4, kEthernet = 14;

/// A file descriptor that closes itself.
struct Descriptor {
  int fd = -1;
  Descriptor() = default;
  explicit Descriptor(int number) : fd(number) {}
  Descriptor(Descriptor&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd, other.fd);
    return *this;
  }
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

struct Link {
  int index = 0;
  unsigned hardware = 0;  ///< ARPHRD_*
  std::size_t mtu = 0;
  int peer = 0;  ///< The other end of a veth pair in this network namespace; 0: none here.
};

/// Asks the kernel for one interface (RTM_GETLINK, rtnetlink(7)). Index 0: there is none.
Link find_link(const std::string& name) {
  Link link;
  link.index = static_cast<int>(::if_nametoindex(name.c_str()));
  const Descriptor netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  struct {
    nlmsghdr header;
    ifinfomsg info;
  } request{};
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.info);
  request.header.nlmsg_type = RTM_GETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.info.ifi_index = link.index;
  alignas(nlmsghdr) char answer[16384];
  if (link.index == 0 || ::send(netlink.fd, &request, request.header.nlmsg_len, 0) < 0) return link;
  const ssize_t size = ::recv(netlink.fd, answer, sizeof answer, 0);
  const auto* header = reinterpret_cast<const nlmsghdr*>(answer);
  if (size <= 0 || !NLMSG_OK(header, static_cast<unsigned>(size)) ||
      header->nlmsg_type != RTM_NEWLINK)
    return link;
  const auto* info = static_cast<const ifinfomsg*>(NLMSG_DATA(header));
  link.hardware = info->ifi_type;
  bool elsewhere = false;
  auto left = static_cast<int>(IFLA_PAYLOAD(header));
  for (const rtattr* a = IFLA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
    std::uint32_t value = 0;
    std::memcpy(&value, RTA_DATA(a), std::min<std::size_t>(sizeof value, RTA_PAYLOAD(a)));
    if (a->rta_type == IFLA_MTU) link.mtu = value;
    if (a->rta_type == IFLA_LINK) link.peer = static_cast<int>(value);
    if (a->rta_type == IFLA_LINK_NETNSID) elsewhere = true;
  }
  if (elsewhere) link.peer = 0;
  return link;
}

/// A packet socket that sends on one interface and receives nothing.
Result<Descriptor> open_sender(const std::string& name, const Link& link) {
  Descriptor sender(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = link.index;
  if (sender.fd < 0 ||
      ::bind(sender.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail(Error::Kind::refused, std::string("no packet socket: ") + std::strerror(errno),
                name, "run with CAP_NET_RAW");
  return sender;
}

Error link_error(const std::string& name, int number) {
  return {Error::Kind::unreachable, std::strerror(number), name,
          "bring the interface up; sending goes on by itself"};
}

}  // namespace

const char* to_text(ReinjectLoss loss) {
  switch (loss) {
    case ReinjectLoss::too_long:
      return "too_long";
    case ReinjectLoss::no_ethernet:
      return "no_ethernet";
    case ReinjectLoss::truncated:
      return "truncated";
    case ReinjectLoss::queue_full:
      return "queue_full";
    case ReinjectLoss::link_down:
      return "link_down";
    case ReinjectLoss::failed:
      return "failed";
    case ReinjectLoss::count_:
      break;
  }
  return "unknown";
}

struct Reinjector::State {
  std::string interface;
  bool send_truncated = false;
  Link link;
  Descriptor sender;
  std::size_t slot = 0;             ///< The longest frame that the interface takes.
  std::vector<std::uint8_t> bytes;  ///< kBatch slots.
  std::array<std::size_t, kBatch> sizes{};
  std::size_t waiting = 0;
  ReinjectCounters counters;
  std::optional<Error> error;
  Time last_search = -kSecond;

  void lose(ReinjectLoss reason) { ++counters.lost[static_cast<std::size_t>(reason)]; }

  void use(Link found, Descriptor socket) {
    link = found;
    sender = std::move(socket);
    slot = kEthernet + kTag + link.mtu;
    bytes.resize(kBatch * slot);
    waiting = 0;
  }

  /// Sends what waits; what the kernel refuses is counted and not tried again.
  void send() {
    std::array<mmsghdr, kBatch> messages{};
    std::array<iovec, kBatch> parts;
    for (std::size_t i = 0; i < waiting; ++i) {
      parts[i] = {bytes.data() + i * slot, sizes[i]};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    for (std::size_t i = 0; i < waiting;) {
      const int n =
          ::sendmmsg(sender.fd, &messages[i], static_cast<unsigned>(waiting - i), MSG_DONTWAIT);
      if (n > 0) {
        for (const std::size_t end = i + static_cast<std::size_t>(n); i < end; ++i) {
          ++counters.sent;
          counters.sent_bytes += sizes[i];
        }
        error.reset();
      } else if (errno != EINTR) {
        refuse(errno);
        ++i;
      }
    }
    waiting = 0;
  }

  void refuse(int number) {
    switch (number) {
      case EAGAIN:
      case ENOBUFS:
        return lose(ReinjectLoss::queue_full);
      case EMSGSIZE:
        return lose(ReinjectLoss::too_long);
      case ENETDOWN:
      case ENXIO:
      case ENODEV:
        error = link_error(interface, number);
        return lose(ReinjectLoss::link_down);
      default:
        error = link_error(interface, number);
        return lose(ReinjectLoss::failed);
    }
  }

  /// An interface that went and came back has another index: look for it, at most once a second.
  /// Also notices another MTU. A second to either side: the clock may be set back.
  void search(Time now) {
    if (!error || std::abs(now - last_search) < kSecond) return;
    last_search = now;
    const Link found = find_link(interface);
    if (found.index == 0 || (found.index == link.index && found.mtu == link.mtu)) return;
    if (auto socket = open_sender(interface, found)) use(found, std::move(*socket));
  }
};

Result<Reinjector> Reinjector::open(const ReinjectOptions& options) {
  const Link link = find_link(options.interface);
  if (link.index == 0)
    return fail(Error::Kind::missing, "no such interface", options.interface,
                "see `ip link` for the names");
  if (link.hardware != ARPHRD_ETHER)
    return fail(Error::Kind::refused, "is no Ethernet interface", options.interface,
                "frames can be re-injected to Ethernet only");
  for (const std::string& input : options.inputs) {
    const int index = static_cast<int>(::if_nametoindex(input.c_str()));
    if (index == 0 || (index != link.index && index != link.peer)) continue;
    return fail(Error::Kind::refused,
                index == link.index
                    ? "frames are taken from it: sending them there would be a loop"
                    : "is the other end of input " + input + ": sending there would be a loop",
                options.interface, "choose an interface that only the sensor listens on");
  }
  auto sender = open_sender(options.interface, link);
  if (!sender) return tl::unexpected<Error>(sender.error());
  auto state = std::make_unique<State>();
  state->interface = options.interface;
  state->send_truncated = options.send_truncated;
  state->use(link, std::move(*sender));
  return Reinjector(std::move(state));
}

Reinjector::Reinjector(std::unique_ptr<State> state) : state_(std::move(state)) {}
Reinjector::~Reinjector() = default;
Reinjector::Reinjector(Reinjector&&) noexcept = default;
Reinjector& Reinjector::operator=(Reinjector&&) noexcept = default;

void Reinjector::add(const Frame& frame, const Origin& origin) {
  State& s = *state_;
  ++s.counters.frames;
  const Bytes bytes = frame.bytes;
  if (frame.link != LinkType::ethernet || bytes.size() < kEthernet)
    return s.lose(ReinjectLoss::no_ethernet);
  const bool cut = origin.truncated || is_cut(frame);
  if (cut && !s.send_truncated) return s.lose(ReinjectLoss::truncated);

  // The MTU is of what follows the MAC header; one tag goes on top of it.
  const std::uint16_t type = load_be16(bytes.data() + kMacs);
  const bool tagged =
      frame.stripped.present() || type == ethertype::kVlan || type == ethertype::kProviderVlan;
  const std::size_t size = bytes.size() + (frame.stripped.present() ? kTag : 0);
  if (size > kEthernet + s.link.mtu + (tagged ? kTag : 0)) return s.lose(ReinjectLoss::too_long);

  std::uint8_t* out = s.bytes.data() + s.waiting * s.slot;
  std::memcpy(out, bytes.data(), kMacs);
  out += kMacs;
  if (frame.stripped.present()) {
    store_be16(out, frame.stripped.tpid);
    store_be16(out + 2, frame.stripped.tci);
    out += kTag;
  }
  std::memcpy(out, bytes.data() + kMacs, bytes.size() - kMacs);
  s.sizes[s.waiting] = size;
  if (++s.waiting == kBatch) s.send();
}

void Reinjector::flush(Time now) {
  if (state_->waiting > 0) state_->send();
  state_->search(now);
}

const ReinjectCounters& Reinjector::counters() const {
  return state_->counters;
}
const std::optional<Error>& Reinjector::error() const {
  return state_->error;
}

}  // namespace vmirror
