// NTP (RFC 5905): who sets its clock by whom.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// The packet's header. Times are NTP timestamps: seconds since 1900 and a fraction, 32 bits each.
struct NtpMessage {
  std::uint8_t leap = 0;  ///< 3: its clock is not set
  std::uint8_t version = 0;
  std::uint8_t mode = 0;     ///< 3: client, 4: server
  std::uint8_t stratum = 0;  ///< 0: not said, 1: a clock, 2..15: by NTP, 16: not synchronised
  std::uint32_t reference_id = 0;
  std::uint64_t origin_time = 0, transmit_time = 0;
};

/// `bytes`: the UDP payload; extensions and a MAC may follow the header. truncated; bad_value: a
/// version that never was, or mode 0.
Parsed<NtpMessage> parse_ntp(Bytes bytes);

/// Record `ntp`: version, mode, and of modes 1 to 5 stratum and reference_id (an address, or text
/// of stratum 1); a server's answer also latency_us.
/// Facts: service "ntp" (ntp.mode) of a server's IP.
/// Clock: of who gives its time to others (all modes but a client's), where it is set by another.
extern const Dissector kNtp;

}  // namespace vmirror
