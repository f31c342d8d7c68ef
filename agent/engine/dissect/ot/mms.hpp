// MMS: what IEC 61850 clients ask of protection relays and controllers.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

struct MmsMessage {
  std::uint32_t type = 0;                  ///< BER tag of the PDU: 0xa0 confirmed request, ...
  std::optional<std::uint64_t> invoke_id;  ///< Of the confirmed ones.
  std::uint32_t service = 0;               ///< BER tag of the service; 0: none.
  Bytes detail;                            ///< What the service says.
};

/// `bytes`: an SPDU, as COTP carried it. Nothing in the value: no MMS is in there (a session that
/// ends, an ACSE message without user data). truncated or bad_length: its BER is broken; bad_value:
/// no session.
Parsed<std::optional<MmsMessage>> parse_mms(Bytes bytes);

/// Record `mms`: type, invoke_id, service; variables (of reads, writes and reports, "domain/item",
/// at most 16), results and failures (of a read's answer), object_class and domain, names (at most
/// 16) and name_count (of a name list), identity {vendor, model, revision}, file (that is opened);
/// an answer also latency_us.
/// Facts of who answers: service "mms", and from identify vendor, model, firmware; service "iccp"
/// of whose variables are ICCP's (TASE.2), of which no record is claimed.
/// Acts: read, write (a file that is deleted, too), download, start, stop.
extern const Dissector kMms;

}  // namespace vmirror
