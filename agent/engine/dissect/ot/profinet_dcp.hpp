// PROFINET DCP (IEC 61158-6-10): which devices a link has, how they are named and addressed, and
// who names them.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// A DCP frame. What is not there is empty.
struct DcpMessage {
  std::uint16_t frame_id = 0;     ///< 0xfefc hello, 0xfefd get and set, 0xfefe and 0xfeff identify
  std::uint8_t service = 0;       ///< 3 get, 4 set, 5 identify, 6 hello
  std::uint8_t service_type = 0;  ///< 0 request, 1 success, 5 not supported
  std::uint32_t id = 0;           ///< Xid: which request is answered.
  std::string_view station_name, station_type, alias;
  bool has_device = false;
  std::uint16_t vendor_id = 0, device_id = 0;
  bool has_role = false;
  std::uint8_t role = 0;
  IpAddress ip, netmask, gateway;
  std::uint8_t control = 0;  ///< Of a set: 1 start, 2 stop, 3 signal, 5 factory reset, 6 reset
  bool is_dcp() const { return frame_id >= 0xfefc && frame_id <= 0xfeff; }
  bool is_request() const { return service_type == 0; }
};

/// `bytes`: behind the EtherType. Of another frame than DCP the frame ID alone is read: PROFINET's
/// cyclic data and alarms have no shape of their own. truncated; bad_value: a service that is not
/// known; bad_length: a block too short for its kind.
Parsed<DcpMessage> parse_profinet_dcp(Bytes bytes);

/// Record `profinet_dcp`: service (hello | get | set | identify), type (request | response), xid,
/// and as they are there station_name, station_type, alias, vendor_id, device_id, roles [], ip,
/// netmask, gateway, control. Frames of cyclic data have no record.
/// Facts of the frame's source MAC, from what a device says of itself: station_name, model
/// (profinet_dcp.station_type), vendor (profinet_dcp.vendor_id, of some), role, ip_address. Of any
/// other PROFINET frame: service "profinet".
/// Act: write, of a set on the device that it is for.
extern const Dissector kProfinetDcp;

}  // namespace vmirror
