// Protocols that are told apart, not read: their flows go by their names, and who answers has the
// service. They have no record.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// GE Fanuc's SRTP: TCP 18245.
extern const Dissector kGeSrtp;
/// Emerson's ROC Plus: TCP and UDP 4000.
extern const Dissector kRocPlus, kRocPlusUdp;
/// Mitsubishi's SLMP (MELSEC, binary frames 3E and 4E): TCP and UDP 5006, 5007 and others.
extern const Dissector kSlmp, kSlmpUdp;
/// Bristol's BSAP with its serial framing: UDP 1234 and 1235. BSAP's own form for IP is not told.
extern const Dissector kBsap;
/// CODESYS V3: TCP 11740 and others, UDP 1740 to 1743.
extern const Dissector kCodesys, kCodesysUdp;

}  // namespace vmirror
