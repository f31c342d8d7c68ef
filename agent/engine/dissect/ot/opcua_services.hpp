// The services of OPC UA, as secure channels carry them (OPC 10000-4).
#pragma once

#include "agent/engine/dissect/dissector.hpp"
#include "agent/engine/dissect/ot/opcua_values.hpp"

namespace vmirror {

/// The name of the service with this number of a request or a response ("Read"); null: none.
const char* opcua_service(std::uint32_t number);

/// Tells of one message, from its type on: service, result and what opcua.hpp says of services.
/// `cut`: it may end early.
Malformed tell_opcua_service(Bytes body, std::uint32_t request_id, bool cut, const Context& context,
                             Facts& facts);

}  // namespace vmirror
