// A client of the control socket of Open vSwitch's daemons: what `ovs-appctl` talks to
// (ovs-appctl(8); ovs-vswitchd(8), "RUNTIME MANAGEMENT COMMANDS"). Some of what a daemon knows is
// in no database: learned addresses, how a packet would be forwarded, whether the daemon answers.
//
//   call("fdb/show", {"br0"})  --{"id":0,"method":"fdb/show","params":["br0"]}-->  ovs-vswitchd
//                              <--{"id":0,"result":" port  VLAN  MAC ...","error":null}--
//
// JSON-RPC over a Unix socket (lib/unixctl.man, lib/unixctl.c). Only a process on the daemon's host
// that may open the socket can do it.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/result.hpp"

namespace vmirror::ovs {

constexpr std::size_t kMaxControlAnswer = 16U << 20U;  ///< Bytes of an answer.

/// Has no state but what it was made with; all functions may be called from any thread.
class ControlSocket {
 public:
  /// `remote`: where the switch's database is, as OvsOptions::remote: the daemons' sockets are in
  /// the folder of a `unix:` one.
  explicit ControlSocket(const std::string& remote, std::string program = "ovs-vswitchd");

  /// One command and its answer. Looks for the socket anew: each start of a daemon makes another.
  /// Waits for at most `timeout` in all. The daemon answers between two rounds of its main loop,
  /// so that one that is stuck does not answer.
  ///
  /// Error::Kind::unsupported: the database is not on this host. Error::Kind::missing: no socket.
  /// Error::Kind::unreachable: nobody listens, or no answer came in time. Error::Kind::refused: the
  /// daemon's words. Error::Kind::invalid: the answer is none. Error::Kind::exhausted: it is longer
  /// than kMaxControlAnswer.
  Result<std::string> call(std::string_view command, const std::vector<std::string>& arguments,
                           std::chrono::milliseconds timeout) const;

 private:
  std::vector<std::string> candidates() const;

  std::string folder_;  ///< Empty: the database is elsewhere.
  std::string program_;
};

}  // namespace vmirror::ovs
