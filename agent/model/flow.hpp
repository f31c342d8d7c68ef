// A flow as the rest of the engine sees it: one conversation of two endpoints, both directions in
// one value. IP: 5-tuple, VLAN and scope. Other frames: the two MACs, EtherType, VLAN and scope.
#pragma once

#include <array>
#include <cstdint>

#include "agent/model/scope.hpp"
#include "plugin/base/address.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

enum class TcpState : std::uint8_t { none, syn, established, closing, closed, reset, midstream };
/// "established"
const char* to_text(TcpState state);

/// Why a flow was reported.
enum class FlowEnd : std::uint8_t {
  none,     ///< It goes on: the report of a long flow, or a snapshot.
  closed,   ///< TCP FIN both ways, or RST.
  idle,     ///< No packet for the protocol's timeout.
  evicted,  ///< The table was full (counted).
  flushed,  ///< The end of a capture file, or the daemon stopped.
  moved,    ///< The guest was migrated: the flow, with all that it counted, goes on on the
            ///< destination's host under the same id. Not to be added up.
};
constexpr std::size_t kFlowEnds = static_cast<std::size_t>(FlowEnd::moved) + 1;
const char* to_text(FlowEnd end);

/// What a flow keeps of the Origin of its first frame, small: each entry of the flow table has one.
struct FlowOrigin {
  std::uint32_t session = 0;
  Scope overlay = 0;
  std::uint16_t group = 0;
  Encapsulation encapsulation = Encapsulation::none;
  std::uint8_t hardware_id : 6 = 0;
  bool has_session : 1 = false;

  FlowOrigin() = default;
  explicit FlowOrigin(const Origin& o)
      : session(o.session),
        overlay(o.overlay),
        group(o.group),
        encapsulation(o.encapsulation),
        hardware_id(o.hardware_id & 0x3f),
        has_session(o.has_session) {}
  bool operator==(const FlowOrigin&) const = default;
  /// All that is known of it.
  Origin origin() const {
    Origin out;
    out.session = session;
    out.overlay = overlay;
    out.group = group;
    out.encapsulation = encapsulation;
    out.hardware_id = hardware_id;
    out.has_session = has_session;
    return out;
  }
};
static_assert(sizeof(FlowOrigin) == 12);

/// Side 0 is the client: who sent the SYN, or the first frame seen. Side 1 is the server.
struct Flow {
  std::uint64_t id = 0;  ///< Unique within a daemon's life; a migrated guest's flow keeps it.
  std::array<IpAddress, 2> ip;  ///< Empty for a flow below IP.
  std::array<Mac, 2> mac;       ///< As first seen from that side; side 1's from the first reply, or
                                ///< the first frame's destination until then.
  std::array<std::uint16_t, 2> port{};  ///< ICMP: type<<8|code of the first frame, and its id
  std::uint8_t protocol = 0;            ///< IANA, 0xff below IP
  std::uint16_t ethertype = 0;
  std::uint16_t vlan = 0;  ///< The innermost of the first frame, 0: none
  Scope scope = 0;         ///< Of both addresses.
  std::array<std::uint64_t, 2> packets{};
  std::array<std::uint64_t, 2> bytes{};  ///< On the wire, from the MAC header on.
  Time first = 0, last = 0;
  std::array<std::uint8_t, 2> tcp_flags{};
  TcpState tcp = TcpState::none;
  FlowEnd end = FlowEnd::none;
  const char* application = nullptr;  ///< The dissector's name, when one took it.
  FlowOrigin origin;                  ///< Of the first frame.
  std::uint16_t input = 0;
  bool operator==(const Flow&) const = default;
};

}  // namespace vmirror
