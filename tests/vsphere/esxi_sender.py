"""What ESXi hosts would send: for each encapsulated session that vmirror-vcsim holds, the frames of its source ports,
in GRE, ERSPAN II or III, from the address of the host that the source's VM is on.

    esxi_sender.py CONTROL_URL PORT_KEY=DEVICE... HOST=ADDRESS...

A DEVICE is this end of the VM's veth pair; an ADDRESS is the host's VMkernel adapter's, on this machine. Ends with SIGTERM.
Formats: RFC 2784 and 2890 (GRE), draft-foschiano-erspan (ERSPAN).
"""

import json
import select
import socket
import struct
import sys
import time
import urllib.request

ETH_P_ALL, PACKET_OUTGOING, IPPROTO_GRE = 3, 4, 47
LOOK_S = 0.2  # Between looks at what the vCenter holds.
MAX_FRAME = 65535


def encapsulate(kind, erspan_id, cos, sequence, frame):
    """One copy, from the GRE header on."""
    if kind == "erspan2":
        return struct.pack("!HHI HHI", 0x1000, 0x88BE, sequence, 1 << 12, cos << 13 | erspan_id, 0) + frame
    if kind == "erspan3":
        stamp = time.monotonic_ns() // 100_000 & 0xFFFFFFFF  # Granularity 0: 100 microseconds.
        return struct.pack("!HHI HHI HH", 0x1000, 0x22EB, sequence, 2 << 12, cos << 13 | erspan_id, stamp, 0, 0) + frame
    return struct.pack("!HH", 0, 0x6558) + frame


def copies_of(state, key, sent):
    """The sessions that copy what this port's VM sent, or received: one (session, host) each."""
    host = next((vm["host"] for vm in state["vms"] if key in (vm["ports"] or [])), None)
    for session in state["switches"][0]["sessions"] or []:
        source = session.get("SourcePortTransmitted" if sent else "SourcePortReceived") or {}
        if session["Enabled"] and session["SessionType"] == "encapsulatedRemoteMirrorSource" and key in (source.get("PortKey") or []):
            yield session, host


class Sender:
    def __init__(self, control, ports, hosts):
        self.control, self.ports = control, {}
        self.sequences = {}
        for key, device in ports.items():
            taken = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            taken.bind((device, ETH_P_ALL))
            self.ports[taken] = key
        self.out = {}
        for host, address in hosts.items():
            self.out[host] = socket.socket(socket.AF_INET, socket.SOCK_RAW, IPPROTO_GRE)
            self.out[host].bind((address, 0))
        self.state = None

    def look(self):
        with urllib.request.urlopen(self.control + "/state", timeout=10) as answer:
            self.state = json.load(answer)

    def forward(self, taken):
        frame, address = taken.recvfrom(MAX_FRAME)
        for session, host in copies_of(self.state, self.ports[taken], address[2] != PACKET_OUTGOING):
            length = session.get("MirroredPacketLength") or MAX_FRAME
            sequence = self.sequences[session["Key"], host] = self.sequences.get((session["Key"], host), -1) + 1
            copy = encapsulate(session.get("EncapType") or "gre", session.get("ErspanId") or 0, session.get("ErspanCOS") or 0,
                               sequence & 0xFFFFFFFF, frame[:length])
            for to in session["DestinationPort"]["IpAddress"]:
                self.out[host].sendto(copy, (to, 0))

    def run(self):
        at = 0.0
        while True:
            if time.monotonic() >= at:
                self.look()
                at = time.monotonic() + LOOK_S
            for taken in select.select(list(self.ports), [], [], LOOK_S)[0]:
                self.forward(taken)


def main():
    words = dict(word.rsplit("=", 1) for word in sys.argv[2:])
    hosts = {key: value for key, value in words.items() if value.count(".") == 3}
    Sender(sys.argv[1], {key: value for key, value in words.items() if key not in hosts}, hosts).run()


if __name__ == "__main__":
    main()
