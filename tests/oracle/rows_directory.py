"""Directory and applications: Kerberos, LDAP, SMB, DCE/RPC, NTLM, TLS, SSH, HTTP, FTP, SIP, RADIUS."""
import re

from normal import loose, lower, named, stripped, text
from row import Field, Row, number

KRB5_TYPES = {10: "KRB_AS_REQ", 11: "KRB_AS_REP", 12: "KRB_TGS_REQ", 13: "KRB_TGS_REP", 14: "KRB_AP_REQ",
              15: "KRB_AP_REP", 30: "KRB_ERROR"}
LDAP_OPERATIONS = dict(enumerate((
    "bind_request", "bind_response", "unbind_request", "search_request", "search_result_entry", "search_result_done",
    "modify_request", "modify_response", "add_request", "add_response", "delete_request", "delete_response",
    "modify_dn_request", "modify_dn_response", "compare_request", "compare_response", "abandon_request")))
LDAP_OPERATIONS.update({19: "search_result_reference", 23: "extended_request", 24: "extended_response",
                        25: "intermediate_response"})
SMB2_COMMANDS = dict(enumerate((
    "negotiate", "session_setup", "logoff", "tree_connect", "tree_disconnect", "create", "close", "flush", "read",
    "write", "lock", "ioctl", "cancel", "echo", "query_directory", "change_notify", "query_info", "set_info",
    "oplock_break")))
DCERPC_TYPES = {0: "request", 2: "response", 3: "fault", 11: "bind", 12: "bind_ack", 13: "bind_nak",
                14: "alter_context", 15: "alter_context_response", 16: "auth3", 17: "shutdown", 18: "co_cancel",
                19: "orphaned"}
RADIUS_CODES = {1: "access_request", 2: "access_accept", 3: "access_reject", 4: "accounting_request",
                5: "accounting_response", 11: "access_challenge", 12: "status_server", 13: "status_client",
                40: "disconnect_request", 41: "disconnect_ack", 42: "disconnect_nak", 43: "coa_request",
                44: "coa_ack", 45: "coa_nak"}


def krb5_error(value):
    """"eRR-PREAUTH-REQUIRED" and KDC_ERR_PREAUTH_REQUIRED."""
    return re.sub(r"^(kdc|krbap|krb)?err", "", loose(value))


def error_status(record):
    """SMB's status, which ours tells of answers."""
    return record.get("status", 0)


def direction(record):
    return record.get("type")


ROWS = (
    Row("krb5", "kerberos", "krb5", (
        Field("kerberos.msg_type", "msg_type", theirs=named(KRB5_TYPES)),
        Field("kerberos.error_code#", "error_code", krb5_error),
        Field(("kerberos.CNameString", "kerberos.msg_type"), lambda r: r.get("cname") if r["msg_type"] == "KRB_AS_REQ" else None,
              text, pick=lambda v: ["/".join(v["kerberos.CNameString"])]
              if "kerberos.CNameString" in v and v.get("kerberos.msg_type") == ["10"] else [])),
        only=("kerberos.msg_type",), why="a layer without a message is a token that wraps what is sealed"),
    *(Row(name, "ldap.messageID", name, (
        Field("ldap.messageID", "message_id"),
        Field("ldap.protocolOp", "operation", theirs=named(LDAP_OPERATIONS)),
        Field("ldap.resultCode", "result_code"), Field("ldap.baseObject", "base", text),
        Field("ldap.name", "name", text), Field("ldap.mechanism", "mechanism", text),
        Field("ldap.requestName", "oid", text)), within=within, mine=lambda record: record["operation"] != "sealed")
      for name, within in (("ldap", ("ldap", "cldap")), ("cldap", ("cldap", "ldap")))),
    Row("smb2", "smb2.header_len", "smb", (
        Field("smb2.cmd", "command", theirs=named(SMB2_COMMANDS)), Field("smb2.msg_id", "message_id"),
        Field("smb2.flags.response", direction, theirs=named({0: "request", 1: "response"})),
        Field("smb2.nt_status", error_status, absent=0),
        Field(("smb2.tree", "smb2.cmd", "smb2.flags.response"), "share", text,
              pick=lambda v: v.get("smb2.tree", []) if (v["smb2.cmd"], v["smb2.flags.response"]) == (["3"], ["0"]) else [])),
        only=("smb2.cmd",), why="the head of what is sealed has no command",
        mine=lambda record: record["dialect"] == "2"),
    Row("dcerpc", "dcerpc.pkt_type", "dcerpc", (
        Field("dcerpc.pkt_type", "type", theirs=named(DCERPC_TYPES)), Field("dcerpc.cn_call_id", "call_id"),
        Field("dcerpc.opnum", "opnum"), Field("dcerpc.cn_ctx_id", "context_id",
              pick=lambda v: v.get("dcerpc.cn_ctx_id", []) if v["dcerpc.pkt_type"][0] in ("0", "2") else []),
        Field("dcerpc.cn_bind_to_uuid", "interfaces.uuid", text, many=True)),
        only=("dcerpc.cn_call_id",), mine=lambda record: "context_id" in record or "interfaces" in record or
        "results" in record or record["type"] in ("auth3", "fault"),
        why="the connectionless protocol numbers otherwise"),
    Row("ntlm", "ntlmssp.messagetype", "ntlm", (
        Field("ntlmssp.messagetype", "type", theirs=named({1: "negotiate", 2: "challenge", 3: "authenticate"})),
        Field("ntlmssp.auth.username", "user", text, theirs=lambda v: "" if v == "NULL" else v),
        Field(("ntlmssp.auth.domain", "ntlmssp.messagetype"), lambda r: r.get("domain") if r["type"] == "authenticate" else None,
              text, pick=lambda v: [one for one in v.get("ntlmssp.auth.domain", []) if one != "NULL"]))),
    Row("tls", "tls.handshake.type", "tls", (
        Field("tls.handshake.type", "type", theirs=named({1: "client_hello", 2: "server_hello"})),
        Field("tls.handshake.extensions_server_name", "sni", text),
        Field(("tls.handshake.ciphersuite", "tls.handshake.type"), "cipher_suite",
              pick=lambda v: v.get("tls.handshake.ciphersuite", []) if v["tls.handshake.type"][0] == "2" else [])),
        only=(("tls.handshake.type", lambda value: value in (1, 2)),),
        mine=lambda record: record["type"] in ("client_hello", "server_hello"),
        why="of the other messages ours tells the server's certificate and alerts, by names of its own"),
    Row("ssh", "ssh.protocol", "ssh", (
        Field("ssh.protocol", lambda r: [f"SSH-{one['proto_version']}-{one['software_version']}" for one in r.values()],
              stripped),)),
    Row("http", ("http.request.method", "http.response.code"), "http", (
        Field("http.request.method", "http_method", text), Field("http.request.uri", "url", text),
        Field("http.response.code", "status"), Field("http.server", "server", stripped),
        Field("http.user_agent", "http_user_agent", stripped)), within=("http", "ssdp")),
    Row("ftp", ("ftp.request.command", "ftp.response.code"), "ftp", (
        Field("ftp.request.command", "command", lower), Field("ftp.response.code", "completion_code"))),
    Row("sip", ("sip.Method", "sip.Status-Code"), "sip", (
        Field("sip.Status-Code", "code"), Field("sip.r-uri", "uri", text), Field("sip.Call-ID", "call_id", stripped),
        Field("sip.User-Agent", "user_agent", stripped))),
    Row("radius", "radius", "radius", (
        Field("radius.code", "code", theirs=named(RADIUS_CODES)), Field("radius.id", "identifier"),
        Field("radius.User_Name", "username", text), Field("radius.NAS_IP_Address", "nas_ip", text),
        Field("radius.NAS_Identifier", "nas_identifier", text), Field("radius.Framed-IP-Address", "framed_ip", text))),
)
