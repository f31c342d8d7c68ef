// ADS over AMS/TCP: who reads, writes, starts and stops Beckhoff's TwinCAT runtimes.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// One AMS packet in its TCP header.
struct AdsMessage {
  std::uint16_t router_command = 0;  ///< 0: an AMS packet; else the router's: nothing below is set.
  Bytes target_net_id, source_net_id;  ///< Six bytes each.
  std::uint16_t target_port = 0, source_port = 0;
  std::uint16_t command = 0;
  bool response = false;
  std::uint32_t error = 0;
  std::uint32_t invoke_id = 0;
  Bytes data;
};
/// `bytes`: one packet. truncated; bad_length: a length that contradicts another; bad_value: a
/// command of the router that there is not.
Parsed<AdsMessage> parse_ads(Bytes bytes);

/// Record `ads`: router_command, of others than AMS packets; type (request | response), command,
/// target, source ("10.0.0.2.1.1:851": net ID and port), invoke_id, error where it is not 0;
/// index_group, index_offset, length, write_length (of reads and writes); ads_state, device_state;
/// result of a response; device {name, version}; latency_us.
/// Facts of who answers: service "ads", vendor "Beckhoff", and from ReadDeviceInfo model, firmware.
/// Acts: read, write, start, stop (by WriteControl's state: reset and configuration mode, too).
/// TCP 48898.
extern const Dissector kAds;

}  // namespace vmirror
