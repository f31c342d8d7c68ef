// Synchrophasors (IEEE C37.118.2): measurements of phasor measurement units, and who asks for them.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

struct SynchrophasorFrame {
  enum Type : std::uint8_t { kData, kHeader, kConfig1, kConfig2, kCommand, kConfig3 };
  std::uint8_t type = kData;
  std::uint8_t version = 0;
  std::uint16_t id_code = 0;  ///< Of the stream, or of whom a command is for.
  std::uint32_t soc = 0;      ///< Seconds since 1970.
  std::uint8_t time_quality = 0;
  std::uint32_t fraction = 0;  ///< Of the second, in units of the configuration's time base.
  Bytes data;                  ///< Between header and check.
  bool checked = false;        ///< The check is right.
};

/// `bytes`: one frame. truncated; bad_value: no sync, or a type that there is not; bad_length: too
/// short by its own size, or bytes behind its end.
Parsed<SynchrophasorFrame> parse_synchrophasor(Bytes bytes);

/// Record `synchrophasor`: type, version, id_code, soc, fraction, time_quality; command; of a
/// configuration (1 and 2) time_base, num_pmu, pmus [{station_name, id_code, phasors, analogs,
/// digitals}] (at most 16), data_rate; text of a header; data_size; checksum ("wrong").
/// Facts of who sends measurements: service "synchrophasor", role "pmu" or, of several, "pdc", and
/// station_name of one. TCP 4712, UDP 4713.
extern const Dissector kSynchrophasor, kSynchrophasorUdp;

}  // namespace vmirror
