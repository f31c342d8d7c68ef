// LLMNR (RFC 4795): names that Windows asks its link for where DNS does not know them, and whoever
// answers.
#pragma once

#include "agent/engine/dissect/it/dns_message.hpp"

namespace vmirror {

/// Record `llmnr`: type (query | answer), id, rrname, rrtype, rcode of an answer, answers [{rrname,
/// rrtype, ttl, rdata}] (64 at most), latency_us.
/// Facts, from answers: host_name of the address in an A or AAAA record (llmnr.a, llmnr.aaaa).
extern const Dissector kLlmnr;

}  // namespace vmirror
