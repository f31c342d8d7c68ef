// PROFINET IO's context manager (IEC 61158-6-10): who connects to which device, what is read and
// written, and what a device says of itself (I&M).
#pragma once

#include <optional>

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// Context::tag of what DCE/RPC hands down: the operation's number, and
constexpr std::uint32_t kProfinetLittleEndian = 1U << 16;  ///< the byte order of NDR's fields,
constexpr std::uint32_t kProfinetResponse = 1U << 17;      ///< that it answers.

/// I&M0: what every module has.
struct ProfinetIdentity {
  std::uint16_t vendor_id = 0;
  std::string_view order_id, serial_number;
  std::uint16_t hardware_revision = 0;
  char software_prefix = 'V';  ///< V released, R revision, P prototype, U field test, T test
  std::uint8_t software[3] = {};
};
/// A call's data, as far as it is told.
struct ProfinetCall {
  std::uint32_t status = 0;  ///< Of a response; 0: done.
  Bytes blocks;
  std::string_view station_name;  ///< Of the sender: who connects, or the device that answers.
  struct Target {
    std::uint32_t api = 0;
    std::uint16_t slot = 0, subslot = 0, index = 0;
    std::uint32_t size = 0;  ///< Bytes of the record.
  };
  std::optional<Target> target;  ///< read, write
  std::optional<ProfinetIdentity> identity;
};
/// `stub`: NDR's data. truncated: it is shorter than its size says.
Parsed<ProfinetCall> parse_profinet_cm(Bytes stub, bool response, bool little_endian);

/// Record `profinet_cm`: operation (connect, release, read, write, control, read_implicit), type;
/// of a connect station_name; of a read or a write api, slot, subslot, index, record_size; of a
/// response status, where it is not done; of I&M0 vendor_id, order_id, serial_number,
/// hardware_revision, software_revision.
/// Facts: service "profinet_cm" of who answers; of I&M0 of slot 0 order_number, serial_number,
/// hardware and firmware; station_name of who connects and who answers
/// (profinet_cm.station_name).
/// Acts: read and write, by who asks.
extern const Dissector kProfinetCm;

}  // namespace vmirror
