// BACnet/IP (ANSI/ASHRAE 135, annex J): who reads, writes and restarts the controllers of a
// building, and what those are.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// One message: BVLC, network and application headers.
struct BacnetMessage {
  enum class Pdu : std::uint8_t {
    confirmed_request,
    unconfirmed_request,
    simple_ack,
    complex_ack,
    segment_ack,
    error,
    reject,
    abort,
  };
  std::uint8_t function = 0;  ///< Of BVLC.
  Bytes bvlc;                 ///< What BVLC itself says; forwarded: the origin's address and port.
  bool has_network = false;
  std::optional<std::uint8_t> network_type;  ///< A message of the network layer: no PDU.
  std::optional<std::uint16_t> destination_network, source_network;
  Bytes source_address;  ///< In source_network.
  std::optional<Pdu> pdu;
  bool segmented = false, more_follows = false;
  std::uint8_t sequence = 0;
  std::uint8_t invoke_id = 0;
  std::uint8_t service = 0;  ///< Of reject and abort: the reason.
  Bytes data;
  std::size_t trailing = 0;  ///< Bytes behind the message that the datagram has.
  bool cut = false;          ///< The datagram is shorter than BVLC's length.
};

/// `bytes`: a datagram. truncated: it ends within a header; bad_length: a header past BVLC's end;
/// bad_value: no BACnet, or a type that there is not.
Parsed<BacnetMessage> parse_bacnet(Bytes bytes);

/// Record `bacnet`: bvlc_function; origin (of a forwarded message), ttl (of a foreign device's
/// registration), result; network_message, dnet, snet, sadr; pdu_type, pdu_service, invoke_id;
/// objects [{object_type, instance_number, property, array_index, value}], at most 16; of Who-Is
/// low_limit and high_limit; of I-Am max_apdu and vendor_id; state (of reinitialize_device and of
/// device_communication_control); error_class, error_code, reason; of an answer whose request was
/// seen latency_us. Segments are joined, and told with the last. ICSNPP's names, where it has them.
/// Facts of who answers, or of the station behind its router (network and address): service
/// "bacnet", and of the device object vendor, model, firmware, station_name, description and
/// serial_number.
/// Acts: read, write, set_time, start, stop (a restart, too), download (a file that is
/// written, a restore). UDP 47808 and others.
extern const Dissector kBacnet;

}  // namespace vmirror
