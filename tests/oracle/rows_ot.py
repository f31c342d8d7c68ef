"""OT: controllers, field buses over IP, the grid, buildings."""
import re

from normal import hex_bytes, loose, named, same, seconds, stripped, text, utc
from row import Field, Row, number

MODBUS_EXCEPTIONS = {
    1: "ILLEGAL_FUNCTION", 2: "ILLEGAL_DATA_ADDRESS", 3: "ILLEGAL_DATA_VALUE", 4: "SLAVE_DEVICE_FAILURE",
    5: "ACKNOWLEDGE", 6: "SLAVE_DEVICE_BUSY", 8: "MEMORY_PARITY_ERROR", 10: "GATEWAY_PATH_UNAVAILABLE",
    11: "GATEWAY_TARGET_DEVICE_FAILED_TO_RESPOND"}
S7_FUNCTIONS = {
    0: "cpu_services", 4: "read_variable", 5: "write_variable", 0x1a: "request_download", 0x1b: "download_block",
    0x1c: "download_ended", 0x1d: "start_upload", 0x1e: "upload", 0x1f: "end_upload", 0x28: "pi_service",
    0x29: "plc_stop", 0xf0: "setup_communication"}
IEC104_FUNCTIONS = {1: "startdt_act", 2: "startdt_con", 4: "stopdt_act", 8: "stopdt_con", 16: "testfr_act",
                    32: "testfr_con"}
IEC104_CAUSES = {
    1: "periodic", 2: "background", 3: "spontaneous", 4: "initialized", 5: "requested", 6: "activation",
    7: "activation_confirmed", 8: "deactivation", 9: "deactivation_confirmed", 10: "activation_terminated",
    11: "return_remote", 12: "return_local", 13: "file", 20: "interrogated", 37: "counter_interrogated",
    44: "unknown_type", 45: "unknown_cause", 46: "unknown_common_address", 47: "unknown_object_address"}
PMU_FRAMES = {0: "data", 1: "header", 2: "config_1", 3: "config_2", 4: "command", 5: "config_3"}
PMU_COMMANDS = {1: "turn_off_transmission", 2: "turn_on_transmission", 3: "send_header", 4: "send_config_1",
                5: "send_config_2", 6: "send_config_3", 8: "extended_frame"}
HART_TYPES = {0: "request", 1: "response", 2: "publish", 15: "nak"}
HART_IDS = {0: "session_initiate", 1: "session_close", 2: "keep_alive", 3: "token_passing_pdu", 4: "direct_pdu",
            5: "read_audit_log"}
ENIP_COMMANDS = {0: "nop", 4: "list_services", 0x63: "list_identity", 0x64: "list_interfaces",
                 0x65: "register_session", 0x66: "unregister_session", 0x6f: "send_rr_data",
                 0x70: "send_unit_data", 0x72: "indicate_status", 0x73: "cancel"}
MQTT_TYPES = {1: "connect", 2: "connack", 3: "publish", 4: "puback", 5: "pubrec", 6: "pubrel", 7: "pubcomp",
              8: "subscribe", 9: "suback", 10: "unsubscribe", 11: "unsuback", 12: "pingreq", 13: "pingresp",
              14: "disconnect", 15: "auth"}
BVLC_FUNCTIONS = {0: "bvlc_result", 1: "write_broadcast_distribution_table", 2: "read_broadcast_distribution_table",
                  3: "read_broadcast_distribution_table_ack", 4: "forwarded_npdu", 5: "register_foreign_device",
                  6: "read_foreign_device_table", 7: "read_foreign_device_table_ack", 8: "delete_foreign_device_table_entry", 9: "distribute_broadcast_to_network",
                  10: "original_unicast_npdu", 11: "original_broadcast_npdu"}
LISTED = 16


def message(record):
    """The only key of an mqtt record names its type."""
    return next(iter(record))


def in_message(key):
    def of(record):
        return next(iter(record.values())).get(key)
    of.__name__ = key
    return of


def publish_qos(values):
    """Other messages have the bits in their header for another purpose."""
    return values.get("mqtt.qos", [])[:1] if values.get("mqtt.msgtype", [""])[0] in ("3", 3) else []


def tsap(value):
    """tshark prints one that is a text as it is."""
    return value if re.fullmatch(r"(0x)?[0-9a-f]+|[0-9a-f]{2}(:[0-9a-f]{2})*", value) else value.encode().hex()


def dnp3_object(value):
    """Group and variation; of octet strings (110, 111, 113) the group: their variation is a length."""
    value = number(value)
    return value & 0xff00 if value >> 8 in (110, 111, 113) else value


def in_transport(values):
    """A link frame with user data in which no fragment ends."""
    control = number(values.get("dnp3.ctl.prifunc", ["0"])[0])
    return control in (3, 4) and "dnp3.al.func" not in values


ROWS = (
    Row("modbus", "mbtcp", "modbus", (
        Field("mbtcp.trans_id", "transaction_id"), Field("mbtcp.unit_id", "unit"),
        Field("modbus.func_code", "function_code"),
        Field("modbus.exception_code", "exception", theirs=named(MODBUS_EXCEPTIONS)))),
    Row("s7comm", "s7comm", "s7comm", (
        Field("s7comm.header.rosctr", "rosctr", theirs=named({1: "job", 2: "ack", 3: "ack_data", 7: "userdata"})),
        Field("s7comm.header.pduref", "pdu_ref"),
        Field("s7comm.param.func", "function", theirs=named(S7_FUNCTIONS)),
        Field("s7comm.header.errcls", "error_class", absent=0), Field("s7comm.header.errcod", "error_code", absent=0),
        Field("s7comm.param.pdu_length", "pdu_length"),
        Field("s7comm.param.item.db", "items.db", many=True, theirs=lambda v: number(v) or None))),
    Row("iec104", "iec60870_104", "iec104", (
        Field("iec60870_104.type", "format", theirs=named({0: "i", 1: "s", 3: "u"})),
        Field("iec60870_104.utype", "function", theirs=named(IEC104_FUNCTIONS)),
        Field("iec60870_104.tx", "send_number"), Field("iec60870_104.rx", "receive_number"),
        Field("iec60870_asdu.typeid#", "type", lambda v: text(v).split(" ")[0]),
        Field("iec60870_asdu.causetx", "cause", theirs=named(IEC104_CAUSES)),
        Field("iec60870_asdu.nega", "negative", absent=0), Field("iec60870_asdu.test", "test", absent=0),
        Field("iec60870_asdu.oa", "originator"),
        Field("iec60870_asdu.addr", "common_address"), Field("iec60870_asdu.numix", "objects"),
        Field("iec60870_asdu.ioa", "ioa")),
        only=("iec60870_104.type",), why="tshark calls bytes that are no frame a layer, too"),
    Row("dnp3", "dnp3", "dnp3", (
        Field("dnp3.src", "src"), Field("dnp3.dst", "dst"), Field("dnp3.ctl.dir", "control.dir"),
        Field(("dnp3.ctl.prifunc", "dnp3.ctl.secfunc"), "control.function_code"),
        Field("dnp3.al.func", "application.function_code"), Field("dnp3.al.seq", "application.control.sequence"),
        Field("dnp3.al.obj", lambda r: [o["group"] << 8 | o["variation"]
                                        for o in r.get("application", {}).get("objects", ())], dnp3_object, many=True)),
        unless=(in_transport,), why="a part of a fragment is told with its last part"),
    Row("goose", "goose", "goose", (
        Field("goose.appid", "appid"), Field("goose.gocbRef", "gocb_ref", text),
        Field("goose.datSet", "dat_set", text), Field("goose.goID", "go_id", text),
        Field("goose.timeAllowedtoLive", "time_allowed_ms"), Field("goose.stNum", "st_num"),
        Field("goose.sqNum", "sq_num"), Field("goose.confRev", "conf_rev"),
        Field("goose.numDatSetEntries", "entries"), Field("goose.t", "t_us", same, theirs=utc))),
    Row("synchrophasor", "synphasor", "synchrophasor", (
        Field("synphasor.frtype", "type", theirs=named(PMU_FRAMES)), Field("synphasor.version", "version"),
        Field("synphasor.idcode_stream_source", "id_code"),
        Field("synphasor.soc", "soc", same, theirs=seconds), Field("synphasor.fracsec_raw", "fraction"),
        Field("synphasor.command", "command", theirs=named(PMU_COMMANDS)),
        *(Field((name, "synphasor.frtype"), mine, pick=lambda v, name=name: v.get(name, []) if
                number(v["synphasor.frtype"][0]) in (2, 3) else [])  # Of configuration 3 ours tells the size.
          for name, mine in (("synphasor.conf.numpmu", "num_pmu"), ("synphasor.conf.timebase", "time_base"))))),
    Row("hart_ip", "hart_ip", "hart_ip", (
        Field("hart_ip.version", "version"), Field("hart_ip.message_type", "message_type", theirs=named(HART_TYPES)),
        Field("hart_ip.message_id", "message_id", theirs=named(HART_IDS)), Field("hart_ip.status", "status"),
        Field("hart_ip.transaction_id", "transaction_id"), Field("hart_ip.pt.command", "command"),
        Field("hart_ip.session_init.inactivity_close_timer", "inactivity_ms"),
        Field("hart_ip.pt.long_address", "address", hex_bytes, mine=lambda v: v if len(v) > 2 else None))),
    Row("enip", "enip", "enip", (
        Field("enip.command", "command", theirs=named(ENIP_COMMANDS)), Field("enip.session", "session"),
        Field("enip.lir.vendor", "identity.vendor_id"), Field("enip.lir.prodcode", "identity.product_code"),
        Field("enip.lir.serial", "identity.serial", mine=lambda v: int(v, 16)), Field("enip.lir.name", "identity.product_name", text),
        Field("enip.lsr.servicename", "services.name", stripped, many=True)),
        only=("enip.command",), why="tshark calls the list of items of implicit I/O enip, too; ours is cip_io"),
    Row("mqtt", "mqtt", "mqtt", (
        Field("mqtt.msgtype", message, theirs=named(MQTT_TYPES)),
        Field("mqtt.msgid", in_message("message_id")),
        Field("mqtt.clientid", in_message("client_id"), text), Field("mqtt.username", in_message("username"), text),
        Field("mqtt.kalive", in_message("keep_alive")), Field("mqtt.willtopic", in_message("will_topic"), text),
        Field(("mqtt.conack.val", "mqtt.connack.reason_code"), in_message("return_code")),
        Field("mqtt.topic", lambda r: [r["publish"]["topic"]] if "publish" in r else
              [t["topic"] for t in r.get("subscribe", r.get("unsubscribe", {})).get("topics", ())], text, many=True),
        Field(("mqtt.qos", "mqtt.msgtype"), in_message("qos"), pick=publish_qos))),
    Row("bacnet", "bvlc", "bacnet", (
        Field("bvlc.function", "bvlc_function", theirs=named(BVLC_FUNCTIONS)),
        Field("bacapp.type#", "pdu_type", lambda v: loose(v).replace("request", "req").replace("segmentack", "segack")),
        Field(("bacapp.confirmed_service#", "bacapp.unconfirmed_service#"), "pdu_service", loose),
        Field("bacapp.invoke_id", "invoke_id"), Field("bacnet.snet", "snet"),
        Field(("bacnet.dnet", "bacnet.hopc"), "dnet",  # The networks of a network message have the same name.
              pick=lambda v: v.get("bacnet.dnet", []) if "bacnet.hopc" in v else []),
        Field("bacapp.vendor_identifier", "vendor_id"))),
    Row("opcua", "opcua.transport.type", "opcua", (
        Field("opcua.transport.type", "type", text), Field("opcua.transport.chunk", "chunk", text),
        Field("opcua.transport.scid", "secure_channel_id"), Field("opcua.security.rqid", "request_id"),
        Field("opcua.transport.endpoint", "endpoint_url", text), Field("opcua.transport.error", "error"))),
    Row("cotp", "cotp", "cotp", (
        Field("cotp.type", "type", theirs=named({8: "disconnect_request", 12: "disconnect_confirm", 13: "connect_confirm",
                                                14: "connect_request"})),
        Field("cotp.srcref", "source_reference"), Field("cotp.destref", "destination_reference"),
        Field("cotp.tpdu_size", "tpdu_size"),
        Field(("cotp.src-tsap-bytes", "cotp.src-tsap"), "calling_tsap", hex_bytes, theirs=tsap),
        Field(("cotp.dst-tsap-bytes", "cotp.dst-tsap"), "called_tsap", hex_bytes, theirs=tsap)),
        unless=(("cotp.type", lambda value: value in (5, 6, 15)),), why="data and acknowledgements are not told"),
    Row("fins", "omron", "fins", (
        Field("omron.icf.dtb", "type", theirs=named({0: "request", 1: "response"})),
        Field("omron.command", "command_code", hex_bytes, theirs=lambda v: v.removeprefix("0x")),
        Field("omron.sid", "service_id"), Field("omron.response.code", "end_code", theirs=lambda v: number(v) or None)),
        only=("omron.command",), mine=lambda record: "command_code" in record,
        why="what TCP adds has other names: ours tells it with the frame, tshark as a record of its own"),
    Row("ads", "ams", "ads", (
        Field("ams.invokeid", "invoke_id"), Field("ams.cmdid#", "command", lambda v: loose(v).removeprefix("ads")),
        Field("ams.state_response", "type", theirs=named({0: "request", 1: "response"})),
        Field("ams.ads_indexgroup", "index_group"), Field("ams.ads_indexoffset", "index_offset")),
        only=("ams.invokeid",), mine=lambda record: "invoke_id" in record,
        why="the router's commands, before AMS, are told by ours alone"),
    Row("profinet_dcp", "pn_dcp", "profinet_dcp", (
        Field("pn_dcp.service_id", "service", theirs=named({3: "get", 4: "set", 5: "identify", 6: "hello"})),
        Field("pn_dcp.xid", "xid"),
        Field("pn_dcp.suboption_device_nameofstation", "station_name", stripped),
        Field("pn_dcp.suboption_device_devicevendorvalue", "station_type", text),
        Field("pn_dcp.suboption_vendor_id", "vendor_id"), Field("pn_dcp.suboption_device_id", "device_id"),
        Field("pn_dcp.suboption_ip_ip", "ip", text))),
    Row("mms", "mms", "mms", (
        Field("mms.invokeID", "invoke_id"), Field("mms.vendorName", "identity.vendor", text),
        Field("mms.modelName", "identity.model", text), Field("mms.revision", "identity.revision", text))),
    Row("cip", "cip", "cip", (
        Field("cip.rr", "type", theirs=named({0: "request", 1: "response"})),
        Field("cip.id.serial_number", "identity.serial", mine=lambda v: int(v, 16)),
        Field("cip.id.product_name", "identity.product_name", text))),
)
