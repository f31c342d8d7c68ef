"""IT and directory: names, addresses, management, logons, files, the web."""
from normal import dotless, named, stripped, text
from row import Field, Row, number

DNS_TYPES = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 10: "NULL", 12: "PTR", 13: "HINFO", 15: "MX", 16: "TXT", 17: "RP",
    18: "AFSDB", 24: "SIG", 25: "KEY", 28: "AAAA", 29: "LOC", 33: "SRV", 35: "NAPTR", 36: "KX", 37: "CERT",
    39: "DNAME", 41: "OPT", 42: "APL", 43: "DS", 44: "SSHFP", 45: "IPSECKEY", 46: "RRSIG", 47: "NSEC",
    48: "DNSKEY", 49: "DHCID", 50: "NSEC3", 51: "NSEC3PARAM", 52: "TLSA", 53: "SMIMEA", 55: "HIP", 59: "CDS",
    60: "CDNSKEY", 61: "OPENPGPKEY", 62: "CSYNC", 63: "ZONEMD", 64: "SVCB", 65: "HTTPS", 99: "SPF",
    108: "EUI48", 109: "EUI64", 249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR", 255: "ANY", 256: "URI",
    257: "CAA", 32769: "DLV"}
DNS_RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN",
              7: "YXRRSET", 8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE"}
DHCP_TYPES = {1: "discover", 2: "offer", 3: "request", 4: "decline", 5: "ack", 6: "nak", 7: "release", 8: "inform",
              9: "forcerenew", 10: "leasequery", 11: "leaseunassigned", 12: "leaseunknown", 13: "leaseactive"}
DHCP6_TYPES = {1: "solicit", 2: "advertise", 3: "request", 4: "confirm", 5: "renew", 6: "rebind", 7: "reply",
               8: "release", 9: "decline", 10: "reconfigure", 11: "information_request", 12: "relay_forward",
               13: "relay_reply"}
SNMP_PDUS = {0: "get_request", 1: "get_next_request", 2: "response", 3: "set_request", 4: "trap_v1",
             5: "get_bulk_request", 6: "inform_request", 7: "trap_v2", 8: "report"}
SNMP_ERRORS = {1: "too_big", 2: "no_such_name", 3: "bad_value", 4: "read_only", 5: "gen_err", 6: "no_access",
               7: "wrong_type", 8: "wrong_length", 9: "wrong_encoding", 10: "wrong_value", 11: "no_creation",
               12: "inconsistent_value", 13: "resource_unavailable", 14: "commit_failed", 15: "undo_failed",
               16: "authorization_error", 17: "not_writable", 18: "inconsistent_name"}
SYSLOG_FACILITIES = dict(enumerate((
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "security", "console", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7")))
SYSLOG_SEVERITIES = dict(enumerate(("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")))
LISTED = 64  # Ours names as many resources of a section at most.


def _resources(element):
    """What the element has for the answers and the authorities: ours tells these two sections."""
    def pick(values):
        answers, authorities = (int(values.get(f"dns.count.{n}", ["0"])[0]) for n in ("answers", "auth_rr"))
        found = values.get(element, [])
        return found[:min(answers, LISTED)] + found[answers:answers + min(authorities, LISTED)]
    return pick


def dns_type(name):
    """RFC 3597, section 5: a type without a name is TYPE and its number."""
    return int(name[4:]) if name.startswith("TYPE") and name[4:].isdigit() else name


def _our_resources(key):
    return lambda record: [one[key] for section in ("answers", "prerequisites", "authorities", "updates")
                           for one in record.get(section, ())]


def _addresses(kind, element):
    """The addresses of the answers: the first ones, because the additionals' come last."""
    def pick(values):
        count = int(values.get("dns.count.answers", ["0"])[0])
        kinds = [int(one) for one in values.get("dns.resp.type", ())[:min(count, LISTED)]]
        return values.get(element, [])[:kinds.count(kind)]
    return pick


def _our_addresses(kind):
    return lambda record: [one.get("rdata") for one in record.get("answers", ()) if one["rrtype"] == kind]


_COUNTS = ("dns.count.answers", "dns.count.auth_rr", "dns.resp.type")
_RESOURCES = (
    Field(("dns.resp.type", *_COUNTS), _our_resources("rrtype"), theirs=named(DNS_TYPES), mine=dns_type, many=True,
          pick=_resources("dns.resp.type")),
    Field(("dns.resp.ttl", *_COUNTS), _our_resources("ttl"), many=True, pick=_resources("dns.resp.ttl")),
    Field(("dns.a", *_COUNTS), _our_addresses("A"), text, many=True, pick=_addresses(1, "dns.a")),
    Field(("dns.aaaa", *_COUNTS), _our_addresses("AAAA"), text, many=True, pick=_addresses(28, "dns.aaaa")))

ROWS = (
    Row("dns", "dns", "dns", (
        Field("dns.id", "id"), Field("dns.flags", "flags", theirs=number, mine=lambda v: int(v, 16)),
        Field("dns.flags.opcode", "opcode"),
        Field("dns.qry.name", "rrname", dotless), Field("dns.qry.type", "rrtype", theirs=named(DNS_TYPES), mine=dns_type),
        Field("dns.flags.rcode", "rcode", theirs=named(DNS_RCODES)), *_RESOURCES)),
    Row("llmnr", "llmnr", "llmnr", (
        Field("dns.id", "id"), Field("dns.qry.name", "rrname", dotless),
        Field("dns.qry.type", "rrtype", theirs=named(DNS_TYPES), mine=dns_type), *_RESOURCES)),
    Row("mdns", "mdns", "mdns", (
        Field("dns.qry.name", "queries.rrname", dotless, many=True),
        Field("dns.qry.type", "queries.rrtype", theirs=named(DNS_TYPES), mine=dns_type, many=True),
        Field(("dns.flags.response",), "type", theirs=named({0: "request", 1: "response"})), *_RESOURCES)),
    Row("dhcp", "dhcp", "dhcp", (
        Field("dhcp.type", "type", theirs=named({1: "request", 2: "reply"})), Field("dhcp.id", "id"),
        Field("dhcp.hw.mac_addr", "client_mac", text), Field("dhcp.ip.your", "assigned_ip", text),
        Field("dhcp.ip.client", "client_ip", text), Field("dhcp.ip.server", "next_server_ip", text),
        Field("dhcp.ip.relay", "relay_ip", text), Field("dhcp.option.dhcp", "dhcp_type", theirs=named(DHCP_TYPES)),
        Field("dhcp.option.hostname", "hostname", stripped), Field("dhcp.fqdn.name", "fqdn", lambda v: dotless(stripped(v))),
        Field("dhcp.option.domain_name", "domain", stripped),
        Field("dhcp.option.vendor_class_id", "vendor_class_identifier", stripped),
        Field("dhcp.option.requested_ip_address", "requested_ip", text),
        Field("dhcp.option.dhcp_server_id", "server_ip", text), Field("dhcp.option.subnet_mask", "subnet_mask", text),
        Field("dhcp.option.router", "routers", text, many=True),
        Field("dhcp.option.domain_name_server", "dns_servers", text, many=True),
        Field("dhcp.option.ip_address_lease_time", "lease_time"))),
    Row("dhcp6", "dhcpv6", "dhcp6", (
        Field("dhcpv6.msgtype", "message_type", theirs=named(DHCP6_TYPES)), Field("dhcpv6.xid", "transaction_id"),
        Field("dhcpv6.hopcount", "hop_count"), Field("dhcpv6.linkaddr", "link_address", text),
        Field("dhcpv6.peeraddr", "peer_address", text),
        Field("dhcpv6.client_domain", "fqdn", lambda v: dotless(stripped(v))),
        Field("dhcpv6.iaaddr.ip", "addresses", text, many=True),
        Field("dhcpv6.iaprefix.pref_addr", "prefixes.prefix", text, many=True),
        Field("dhcpv6.dns_server", "dns_servers", text, many=True)), once=True),
    Row("snmp", "snmp", "snmp", (
        Field(("snmp.version", "snmp.msgVersion"), "version", theirs=named({0: 1, 1: 2, 3: 3})),
        Field("snmp.community", "community", text), Field("snmp.msgUserName", "usm", text),
        Field("snmp.data", "pdu_type", theirs=named(SNMP_PDUS)), Field("snmp.request_id", "request_id"),
        Field("snmp.error_status", "error_status", theirs=lambda v: named(SNMP_ERRORS)(v) or None),
        Field("snmp.name", "vars", text, many=True, pick=lambda v: v.get("snmp.name", [])[:LISTED]))),
    Row("ntp", "ntp", "ntp", (
        Field("ntp.flags.vn", "version"),
        Field("ntp.flags.mode", "mode", theirs=named({
            1: "symmetric_active", 2: "symmetric_passive", 3: "client", 4: "server", 5: "broadcast", 6: "control",
            7: "private"})),
        Field("ntp.stratum", "stratum"))),
    Row("syslog", "syslog", "syslog", (
        Field("syslog.facility", "facility", theirs=named(SYSLOG_FACILITIES)),
        Field("syslog.level", "severity", theirs=named(SYSLOG_SEVERITIES)))),
    Row("tftp", "tftp.opcode", "tftp", (
        Field("tftp.opcode", "packet", theirs=named({1: "read", 2: "write", 5: "error", 6: "oack"})),
        Field(("tftp.source_file", "tftp.destination_file"), "file", text,
              pick=lambda v: {"1": v.get("tftp.source_file"), "2": v.get("tftp.destination_file")}.get(
                  v["tftp.opcode"][0]) or []),
        Field("tftp.type", "mode", text), Field("tftp.error.code", "error_code"),
        Field("tftp.error.message", "message", text)),
        unless=(("tftp.opcode", lambda value: value in (3, 4)),), why="blocks of data and their acknowledgements are not told"),
    Row("nbns", "nbns", "nbns", (
        Field("nbns.id", "id"), Field("nbns.flags.response", "type", theirs=named({0: "query", 1: "answer"})))),
)
