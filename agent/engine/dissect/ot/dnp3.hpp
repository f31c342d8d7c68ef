// DNP3 (IEEE 1815): what control centres read, write and operate of outstations, and what those
// are.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// The longest user data of a link frame, in bytes.
constexpr std::size_t kMostDnp3Data = 250;

/// One link frame. Its checks were right.
struct Dnp3Frame {
  bool from_master = false, primary = false;
  std::uint8_t function = 0;  ///< Of the link: 4 unconfirmed user data.
  std::uint16_t destination = 0, source = 0;
  std::size_t data_size = 0;  ///< Bytes of user data, which `read_dnp3_data` gives.
  Bytes blocks;               ///< The user data with its checks.
};
/// `bytes`: one frame. truncated; bad_value: no start, or a check that is wrong; bad_length:
/// shorter than a header by its own length, or bytes behind its end.
Parsed<Dnp3Frame> parse_dnp3(Bytes bytes);
/// The user data without its checks, written to `out`.
Bytes read_dnp3_data(const Dnp3Frame& frame, std::span<std::uint8_t, kMostDnp3Data> out);

/// Record `dnp3`, of an application message, or of a frame of the link alone: type (request |
/// response | unsolicited_response | link), src, dst (addresses of DNP3), control {dir, pri,
/// function_code, function} of the link; application {control {fir, fin, con, uns, sequence},
/// function_code, function, objects [{group, variation, name, qualifier, prefix_code, range_code,
/// start, stop, count, attribute, file_name, points [{index, op_type, tcc, count, on_time,
/// off_time, status_code}]}], complete}; of a response iin {indicators [...]}. Suricata's names,
/// where it has them. complete: all objects could be read.
/// Facts of who answers: service "dnp3", role "rtu"; of the station behind it, from device
/// attributes (group 0), vendor, model, firmware, hardware, serial_number, station_name.
/// Acts: read, write (operate, too), set_time, start, stop (a restart, too), download (files
/// that are written). TCP and UDP 20000.
extern const Dissector kDnp3, kDnp3Udp;

}  // namespace vmirror
