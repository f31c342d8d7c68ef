// Multicast DNS (RFC 6762) and service discovery over it (RFC 6763): what a host on the link calls
// itself, and what it offers.
#pragma once

#include "agent/engine/dissect/it/dns_message.hpp"

namespace vmirror {

/// Record `mdns`: type (request | response), queries [{rrname, rrtype}], answers and additionals
/// [{rrname, rrtype, ttl, rdata}]. 64 of each at most.
/// Facts, from responses: host_name of the address in an A or AAAA record (mdns.a, mdns.aaaa;
/// without `.local`), service (mdns.ptr: "_ipp._tcp") and model (mdns.device_info) of the sender.
/// Messages that came over a router are told, but teach nothing of the sender's MAC.
extern const Dissector kMdns;

}  // namespace vmirror
