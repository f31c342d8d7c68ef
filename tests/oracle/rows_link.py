"""Link and network: ARP, ICMP, IGMP, VRRP, LLDP, CDP, STP, LACP."""
from normal import lower, named, stripped, text, words_in_hex
from row import Field, Row, number

ARP_OPCODES = {1: "request", 2: "reply", 3: "rarp_request", 4: "rarp_reply"}
IGMP_TYPES = {0x11: "query", 0x12: "report_v1", 0x16: "report_v2", 0x17: "leave", 0x22: "report_v3"}

ROWS = (
    Row("arp", "arp.opcode", "arp", (
        Field("arp.opcode", "opcode", theirs=named(ARP_OPCODES)),
        Field("arp.src.hw_mac", "src_mac", text), Field("arp.src.proto_ipv4", "src_ip", text),
        Field("arp.dst.hw_mac", "dest_mac", text), Field("arp.dst.proto_ipv4", "dest_ip", text))),
    Row("icmp", "icmp.type", "icmp", (
        Field("icmp.type", "icmp_type"), Field("icmp.code", "icmp_code"),
        Field("icmp.ident", "id"), Field("icmp.seq", "seq"), Field("icmp.redir_gw", "gateway", text))),
    Row("icmp6", "icmpv6.type", "icmp6", (
        Field("icmpv6.type", "icmp_type"), Field("icmpv6.code", "icmp_code"),
        Field("icmpv6.echo.identifier", "id"), Field("icmpv6.echo.sequence_number", "seq"),
        Field(("icmpv6.nd.ns.target_address", "icmpv6.nd.na.target_address", "icmpv6.rd.na.target_address",
               "icmpv6.nd.rd.target_address"),
              "target", text))),
    Row("igmp", "igmp.type", "igmp", (
        Field("igmp.type", "type", theirs=named(IGMP_TYPES)),
        Field("igmp.maddr", lambda r: [r["group"]] if "group" in r else [g["group"] for g in r.get("groups", ())],
              text, many=True),
        Field("igmp.record_type", "groups.record_type", many=True)),
        unless=(("igmp.type", lambda value: value not in IGMP_TYPES),),
        why="DVMRP, PIM 1 and others that have IGMP's number are not read"),
    Row("vrrp", "vrrp", "vrrp", (
        Field("vrrp.version", "version"), Field("vrrp.virt_rtr_id", "vrid"), Field("vrrp.prio", "priority"),
        Field(("vrrp.ip_addr", "vrrp.ipv6_addr"), "addresses", text, many=True))),
    Row("lldp", "lldp", "lldp", (
        Field(("lldp.chassis.id.mac", "lldp.chassis.id.ip4", "lldp.chassis.id"), "chassis_id", lower, theirs=words_in_hex),
        Field(("lldp.port.id", "lldp.port.id.mac", "lldp.port.id.ip4"), "port_id", lower),
        Field("lldp.time_to_live", "ttl"),
        Field("lldp.tlv.system.name", "system_name", stripped), Field("lldp.tlv.system.desc", "system_description", stripped),
        Field("lldp.port.desc", "port_description", stripped),
        Field(("lldp.mgn.addr.ip4", "lldp.mgn.addr.ip6"), "management_address", text),
        Field("lldp.ieee.802_1.port_vlan.id", "port_vlan"),
        Field("lldp.media.hardware", "hardware", stripped), Field("lldp.media.firmware", "firmware", stripped),
        Field("lldp.media.software", "software", stripped), Field("lldp.media.sn", "serial_number", stripped),
        Field("lldp.media.manufacturer", "manufacturer", stripped), Field("lldp.media.model", "model", stripped))),
    Row("cdp", "cdp", "cdp", (
        Field("cdp.version", "version"), Field("cdp.ttl", "ttl"), Field("cdp.deviceid", "device_id", stripped),
        Field("cdp.portid", "port_id", stripped), Field("cdp.platform", "platform", stripped),
        Field("cdp.nrgyz.ip_address", "address", text), Field("cdp.vtp_management_domain", "vtp_domain", stripped),
        Field("cdp.native_vlan", "native_vlan"),
        Field("cdp.software_version", "software_version", lambda v: stripped(str(v).split("\n")[0])))),
    Row("stp", "stp", "stp", (
        Field("stp.version", "version", theirs=named({0: "stp", 2: "rstp", 3: "mstp", 4: "spt"})),
        Field("stp.type", "type", theirs=named({0: "config", 2: "rapid", 0x80: "tcn"})),
        Field("stp.flags.tc", "topology_change"),
        Field(("stp.root.prio", "stp.root.ext"), "root_priority",
              pick=lambda v: [str(sum(int(v[k][0]) for k in ("stp.root.prio", "stp.root.ext") if k in v))]
              if "stp.root.prio" in v else []),
        Field("stp.root.hw", "root_mac", text), Field("stp.root.cost", "root_path_cost"),
        Field(("stp.bridge.prio", "stp.bridge.ext"), "bridge_priority",
              pick=lambda v: [str(sum(int(v[k][0]) for k in ("stp.bridge.prio", "stp.bridge.ext") if k in v))]
              if "stp.bridge.prio" in v else []),
        Field("stp.bridge.hw", "bridge_mac", text), Field("stp.port", "port_id"),
        Field("mstp.config_name", "mst_name", stripped), Field("mstp.config_revision_level", "mst_revision"))),
    Row("lacp", "lacp", "lacp", (
        Field("lacp.version", "version"),
        *(Field(f"lacp.{side}.{theirs}", f"{side}.{mine}", number if mine != "system" else text)
          for side in ("actor", "partner")
          for theirs, mine in (("sys_priority", "system_priority"), ("sysid", "system"), ("key", "key"),
                               ("port_priority", "port_priority"), ("port", "port"))))),
)
