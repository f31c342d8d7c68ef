// `vmirror capture`: the frames of one guest or NIC, off the mirror, as pcapng. It reads the
// mirror's output beside the daemon, and changes nothing.
//
//   daemon's sessions --> capture_nics --> rings on their outputs --> Pipeline (decapsulation)
//                                                                        | frames by MAC
//                                                                     PcapngWriter --> file, pipe
#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "agent/cli/command.hpp"
#include "plugin/base/address.hpp"

namespace vmirror {

/// A NIC whose copies come to a device of this host.
struct CaptureNic {
  std::string switch_name, port;
  Mac mac = {};
  std::string vm;       ///< Empty: nobody knows.
  std::string session;  ///< The session's name.
  std::string device;   ///< The mirror's output, an internal port of ours: "vmr-br0".
  bool operator==(const CaptureNic&) const = default;
};

/// Of the sessions that the daemon tells (`sessions --json`) those whose copies come to this host,
/// once a NIC, by switch and port.
std::vector<CaptureNic> capture_nics(const boost::json::array& sessions);

/// The NICs of the VM, the port, the MAC or the session `name`. Error::Kind::missing: no session
/// has this name; unsupported: there is one, whose copies go elsewhere.
Result<std::vector<CaptureNic>> capture_nics(const boost::json::array& sessions,
                                             const std::string& name);

struct CaptureRequest {
  std::string name;       ///< VM, port, MAC or session; a MAC where `interface` is set.
  std::string interface;  ///< Of a collector, where encapsulated copies come in; else empty.
  std::string file = "-";
  std::string filter;         ///< pcap-filter(7), over the bare frames; empty: all.
  std::uint64_t count = 0;    ///< Ends after so many frames; 0: never.
  std::uint32_t snaplen = 0;  ///< Bytes of each frame; 0: all.
  double seconds = 0;         ///< Ends after this time; 0: never.
};

struct CaptureSummary {
  std::uint64_t frames = 0;
  std::uint64_t lost = 0;          ///< By the kernel, for want of room in the rings.
  std::uint64_t not_ethernet = 0;  ///< Copies without an Ethernet header, which are left out.
};

/// Captures until the request's end, SIGINT, SIGTERM, or until nobody reads any more; the signals
/// stay blocked in this thread. Errors: of capture_nics and open_ring; invalid: the filter, or a
/// name that is no MAC with `interface`; refused: standard output is a terminal.
Result<CaptureSummary> capture_frames(const CommandContext& context, const CaptureRequest& request);

/// The program vmirror-extcap, which Wireshark and tshark start to list and capture mirrored NICs.
/// `words` without the program's name; returns the exit code.
int run_extcap(std::vector<std::string> words, CommandContext& context);

}  // namespace vmirror
