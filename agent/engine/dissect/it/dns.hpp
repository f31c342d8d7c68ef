// DNS over UDP and TCP (RFC 1035), in Suricata's EVE shape, version 2.
#pragma once

#include "agent/engine/dissect/it/dns_message.hpp"

namespace vmirror {

/// Record `dns`: version, type (query | answer), id, flags, qr, aa, tc, rd, ra, opcode, rrname,
/// rrtype; an answer also rcode, answers [{rrname, rrtype, ttl, rdata}], grouped {A: [...]},
/// authorities, latency_us. An update (RFC 2136) has prerequisites and updates in their place. 64
/// resources of a section at most.
/// Facts: host_name of an IP, from answers of type A, AAAA (dns.a, dns.aaaa) and PTR (dns.ptr).
/// Found on odd ports.
extern const Dissector kDns;
/// The same over TCP, where a length stands in front of each message (RFC 1035, section 4.2.2).
extern const Dissector kDnsTcp;

}  // namespace vmirror
