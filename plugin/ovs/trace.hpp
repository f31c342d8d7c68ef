// ofproto/trace: what ovs-vswitchd says that it would do with a frame (ovs-vswitchd(8),
// "ofproto/trace Command"), and what that tells of a mirror. Nothing is sent, and nothing is
// learned of it.
//
//   bridge("br0")                                              per table: what was decided
//   -------------
//    0. priority 0
//       NORMAL
//        -> no learned MAC for destination, flooding
//        >> native tunnel routing failed                       a tunnel without a route
//   Final flow: unchanged
//   Megaflow: recirc_id=0,eth,arp,in_port=v0,...
//   Datapath actions: push_vlan(vid=99,pcp=0),vmr-br0,pop_vlan,v1,clone(tnl_push(dst=10.9.9.9...))
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/api/tracer.hpp"
#include "plugin/base/result.hpp"

namespace vmirror::ovs {

/// Of an answer, which is longer the more patched bridges there are; 64 levels at most.
constexpr std::size_t kMaxTrace = 1U << 20U;

struct Trace {
  /// Those of all recirculations, as text, nested ones flattened: {"push_vlan(vid=99,pcp=0)",
  /// "vmr-br0"}.
  std::vector<std::string> actions;
  bool no_route = false;    ///< Some tunnel had none.
  bool unresolved = false;  ///< Some tunnel's next hop has not answered ARP or ND yet.

  /// A frame goes out by the port of this name.
  bool leaves_by(std::string_view port) const;
};

/// Reads the answer. Pure; in time linear in the text. Error::Kind::invalid: it has no actions;
/// Error::Kind::exhausted: it is longer than kMaxTrace.
Result<Trace> parse_trace(std::string_view text);

/// The flow to trace for one direction: an ARP frame of the guest's to all, or one to the guest
/// from an address that nobody has, which comes in by the bridge's own port.
std::string flow_of(const TraceQuestion& question, Direction one);

/// What the trace of one direction tells. Pure.
TraceAnswer judge_trace(const TraceQuestion& question, Direction one, const Result<Trace>& trace);

/// Asks by the control socket of the daemon beside this remote; see ControlSocket.
std::unique_ptr<Tracer> make_tracer(const std::string& remote);

}  // namespace vmirror::ovs
