// Protocols on the link that are told apart, not read: who sends them has the service. They have no
// record; their streams are thousands of frames a second.
#pragma once

#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

/// IEC 61850-9-2's Sampled Values: service "sampled_values" of the publisher's MAC. bad_length: a
/// PDU longer than the frame, or than its own length.
extern const Dissector kSampledValues;
/// EtherCAT: service "ethercat" of the sender's MAC. The first device sends frames back with the
/// master's MAC, of which it sets the second bit. bad_value: a type other than commands, network
/// variables and mailboxes; truncated: datagrams past the frame's end.
extern const Dissector kEthercat;

}  // namespace vmirror
