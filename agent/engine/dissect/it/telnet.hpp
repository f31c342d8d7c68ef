// Telnet (RFC 854) by presence: its negotiation tells it. It has no record.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// No record is claimed: flows go by the name, and the server has the fact service "telnet". The
/// negotiation tells a flow (DO, DONT, WILL, WONT, at port 23 one, elsewhere two and nothing else);
/// what is typed is not read.
extern const Dissector kTelnet;

}  // namespace vmirror
