"""What other protocols carry, or what is spelled as another: SSDP, RDP, SMB 1, SPNEGO, the endpoint mapper, PROFINET's
context manager, CIP's implicit I/O."""
from normal import named, stripped, text
from row import Field, Row, number

MECHANISMS = {"1.3.6.1.5.5.2": "spnego", "1.2.840.113554.1.2.2": "krb5", "1.2.840.48018.1.2.2": "ms_krb5",
              "1.2.840.113554.1.2.2.3": "krb5_user_to_user", "1.3.6.1.4.1.311.2.2.10": "ntlm",
              "1.3.6.1.4.1.311.2.2.30": "negoex"}
NEGOTIATION_STATES = {0: "accept_completed", 1: "accept_incomplete", 2: "reject", 3: "request_mic"}
RDP_PROTOCOLS = {0: "rdp", 1: "ssl", 2: "hybrid", 4: "rdstls", 8: "hybrid_ex", 16: "rdsaad"}
RDP_FAILURES = {
    1: "ssl_required_by_server", 2: "ssl_not_allowed_by_server", 3: "ssl_cert_not_on_server", 4: "inconsistent_flags",
    5: "hybrid_required_by_server", 6: "ssl_with_user_auth_required_by_server"}
PNIO_OPERATIONS = {0: "connect", 1: "release", 2: "read", 3: "write", 4: "control", 5: "read_implicit"}
EPM_OPERATIONS = dict(enumerate(("insert", "delete", "lookup", "map", "lookup_handle_free", "inq_object", "mgmt_delete")))
SSDP_LINES = ("http.request.line", "http.response.line", "http.unknown_header")
NO_INTERFACES = {"00000000-0000-0000-0000-000000000000",
                 "8a885d04-1ceb-11c9-9fe8-08002b104860", "71710533-beba-4937-8319-b5dbef9ccc36"}  # NDR, NDR64
LISTED = 16


def mechanism(value):
    return MECHANISMS.get(value, value)


def header_of_ssdp(name):
    """SSDP's own headers, of which tshark knows the lines alone."""
    def pick(values):
        lines = [line.partition(":") for kind in SSDP_LINES for line in values.get(kind, ())]
        return [value.removesuffix("\\r\\n").strip() for found, _, value in lines if found.strip().lower() == name]
    return pick


def _lines(name):
    return Field(SSDP_LINES, name, stripped, pick=header_of_ssdp(name))


def interfaces(values):
    """A tower's first floor is the interface, its second the transfer syntax. Before it may stand an object's."""
    return [one for one in values.get("epm.uuid", []) if one not in NO_INTERFACES][:LISTED]


def endpoints(key):
    """The key of an answer's endpoints, or of what a request asks for."""
    def of(record):
        return [one[key] for one in record.get("endpoints", [record]) if key in one]
    of.__name__ = key
    return of


def read_or_written(element):
    """Of operations on one record of data: the header's value is the first."""
    return lambda values: values.get(element, [])[:1] if number(values["pn_io.opnum"][0]) in (2, 3, 5) else []


ROWS = (
    Row("ssdp", ("http.request.method", "http.response.code"), "ssdp", (
        Field(("http.request.method", "http.response.code"), "type", text, theirs=lambda v: {
            "NOTIFY": "notify", "M-SEARCH": "search", "200": "response"}.get(v, v)),
        _lines("st"), _lines("nt"), _lines("nts"), _lines("usn"),
        Field("http.server", "server", stripped), Field("http.user_agent", "user_agent", stripped),
        Field("http.location", "location", stripped)), within=("ssdp", "http")),
    Row("rdp", "rdp", "rdp", (
        Field(("rdp.neg_type", "rdp.rt_cookie"), "event_type", text,
              theirs=lambda v: "initial_response" if number(v) in (2, 3) else "initial_request"),
        Field("rdp.rt_cookie", "cookie", stripped, theirs=lambda v: v.removeprefix("Cookie: ")),
        Field("rdp.negReq.selectedProtocol", "protocol", theirs=named(RDP_PROTOCOLS)),
        Field("rdp.negFailure.failureCode", "error", theirs=named(RDP_FAILURES))),
        only=("rdp.neg_type", "rdp.rt_cookie"), why="what follows the negotiation is not told"),
    Row("smb1", "smb.server_component", "smb", (
        Field("smb.cmd", "command"),
        Field("smb.flags.response", "type", theirs=named({0: "request", 1: "response"}))),
        within=("nbss", "nbdgm"), mine=lambda record: record["dialect"] == "1",
        why="announcements by datagram have no session: they are not told"),
    Row("spnego", "spnego", "spnego", (
        Field(("spnego.mechTypes", "spnego.mechToken"), "type", text,
              pick=lambda v: ["init" if v.keys() & {"spnego.mechTypes", "spnego.mechToken"} else "response"]),
        Field("spnego.MechType", "mechanisms", text, theirs=mechanism, many=True),
        Field("spnego.negResult", "state", theirs=named(NEGOTIATION_STATES)),
        Field("spnego.supportedMech", "mechanism", text, theirs=mechanism))),
    Row("epm", "epm.opnum", "epm", (
        Field("epm.opnum", "operation", theirs=named(EPM_OPERATIONS)),
        Field("epm.uuid", endpoints("uuid"), text, many=True, pick=interfaces),
        Field("epm.proto.tcp_port", endpoints("port"), theirs=lambda v: number(v) or None, many=True),
        Field("epm.proto.ip", endpoints("ip"), text, theirs=lambda v: None if v == "0.0.0.0" else v, many=True))),
    Row("profinet_cm", "pn_io.opnum", "profinet_cm", (
        Field("pn_io.opnum", "operation", theirs=named(PNIO_OPERATIONS)),
        Field("pn_io.cminitiator_station_name", "station_name", stripped),
        *(Field((element, "pn_io.opnum"), mine, pick=read_or_written(element)) for element, mine in (
            ("pn_io.api", "api"), ("pn_io.slot_nr", "slot"), ("pn_io.subslot_nr", "subslot"), ("pn_io.index", "index"),
            ("pn_io.record_data_length", "record_size"))),
        Field("pn_io.order_id", "order_id", stripped), Field("pn_io.im_serial_number", "serial_number", stripped))),
    Row("cip_io", "enip.cpf.sai.connid", "cip_io", (
        Field("enip.cpf.sai.connid", "connection_id"), Field("enip.cpf.sai.seq", "sequence"))),
)
