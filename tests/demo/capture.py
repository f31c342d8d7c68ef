"""Makes a capture file: a Modbus/TCP exchange and a DNS question as an ERSPAN II mirror would send them.

    write(PATH)

    | Ethernet 14 | IPv4 20 | GRE 8: S, 0x88be, sequence | ERSPAN II 8 | the mirrored frame |
"""

import struct

PLC, HMI, DNS = ("0080f4000012", "10.0.0.12"), ("000e8c000013", "10.0.0.13"), ("525400000011", "10.0.0.11")
SESSION = 5


def address(text):
    return bytes(int(part) for part in text.split("."))


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(source, destination, protocol, payload):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0x4000, 64, protocol, 0,
                       address(source), address(destination))
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def frame(source, destination, protocol, segment):
    """Ethernet and IPv4 around a TCP or UDP segment, with its checksum filled in."""
    pseudo = address(source[1]) + address(destination[1]) + struct.pack(">HH", protocol, len(segment))
    at = 16 if protocol == 6 else 6
    segment = segment[:at] + struct.pack(">H", checksum(pseudo + segment)) + segment[at + 2:]
    return (bytes.fromhex(destination[0] + source[0]) + b"\x08\0" +
            ipv4(source[1], destination[1], protocol, segment))


def udp(source, destination, ports, payload):
    return frame(source, destination, 17, struct.pack(">HHHH", *ports, 8 + len(payload), 0) + payload)


def tcp(source, destination, ports, sequence, acknowledgement, flags, payload=b""):
    return frame(source, destination, 6, struct.pack(">HHIIBBHHH", *ports, sequence, acknowledgement, 0x50,
                                                     flags, 65535, 0, 0) + payload)


def mirrored_frames():
    request = struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 0, 2)
    answer = struct.pack(">HHHBBBHH", 1, 0, 7, 1, 3, 4, 17, 42)
    there, back = (40000, 502), (502, 40000)
    yield tcp(HMI, PLC, there, 99, 0, 0x02)
    yield tcp(PLC, HMI, back, 499, 100, 0x12)
    yield tcp(HMI, PLC, there, 100, 500, 0x18, request)
    yield tcp(PLC, HMI, back, 500, 100 + len(request), 0x18, answer)
    yield tcp(HMI, PLC, there, 100 + len(request), 500 + len(answer), 0x11)
    yield tcp(PLC, HMI, back, 500 + len(answer), 101 + len(request), 0x11)
    name = b"\3hmi\5plant\7example\0" + struct.pack(">HH", 1, 1)
    yield udp(PLC, DNS, (41000, 53), struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + name)
    yield udp(DNS, PLC, (53, 41000), struct.pack(">6H", 7, 0x8180, 1, 1, 0, 0) + name + b"\xc0\x0c" +
              struct.pack(">HHIH4s", 1, 1, 60, 4, address("10.0.0.13")))


def write(path):
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for number, inner in enumerate(mirrored_frames()):
            mirror = struct.pack(">HHIII", 0x1000, 0x88be, number, 0x1000 << 16 | 3 << 11 | SESSION, 0)
            bytes_ = (bytes.fromhex("525400000002525400000001") + b"\x08\0" +
                      ipv4("192.0.2.1", "192.0.2.9", 47, mirror + inner))
            out.write(struct.pack("<IIII", 1767323045, number * 1000, len(bytes_), len(bytes_)) + bytes_)
