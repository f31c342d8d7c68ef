"""Real traffic between guests, with nothing but Python: small servers and clients.

    python3 traffic.py serve http|dns|modbus|bulk [ADDRESS]
    python3 traffic.py ping|http|dns|modbus ADDRESS [COUNT]
    python3 traffic.py bulk ADDRESS MEGABYTES [MEGABYTES A SECOND]
    python3 traffic.py mdns OWN_ADDRESS NAME
    python3 traffic.py stream ADDRESS NAME
    python3 traffic.py frames MAC COUNT [PER_SECOND [VLAN [DEVICE [EACH]]]]

Servers answer until they are ended; they print `ready` once they listen. A stream is one UDP flow that goes
on: 500 datagrams a second of 300 bytes, which begin with STREAM and NAME.
"""

import socket
import struct
import sys
import time

STREAM = b"a stream of "
STREAM_PORT = 5000


def read_exactly(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            return None
        data += more
    return data


def serve_stream(port, talk):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("", port))
    server.listen(16)
    print("ready", flush=True)
    while True:
        connection, _ = server.accept()
        with connection:
            try:
                talk(connection)
            except OSError:
                pass  # A client that went away.


def http_talk(connection):
    connection.recv(4096)
    body = b"<h1>Pump station 7</h1>\n" * 200
    connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def bulk_talk(connection):
    """Takes all that comes, and says so at its end."""
    while connection.recv(1 << 20):
        pass
    connection.sendall(b"done")


def modbus_talk(connection):
    """Modbus/TCP: 3 read holding registers, 6 write one, 43/14 read device identification."""
    while (header := read_exactly(connection, 7)) is not None:
        transaction, _, length, unit = struct.unpack(">HHHB", header)
        pdu = read_exactly(connection, length - 1)
        if pdu is None:
            return
        if pdu[0] == 3:
            _, count = struct.unpack(">HH", pdu[1:5])
            answer = struct.pack(">BB", 3, count * 2) + bytes(count * 2)
        elif pdu[0] == 6:
            answer = pdu
        elif pdu[0] == 43:
            objects = [b"Examplewerk", b"EX-2000", b"V1.4"]
            answer = struct.pack(">BBBBBBB", 43, 14, 1, 1, 0, 0, len(objects))
            for number, text in enumerate(objects):
                answer += struct.pack(">BB", number, len(text)) + text
        else:
            answer = struct.pack(">BB", pdu[0] | 0x80, 1)  # Illegal function.
        connection.sendall(struct.pack(">HHHB", transaction, 0, len(answer) + 1, unit) + answer)


def serve_dns():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("", 53))
    print("ready", flush=True)
    while True:
        query, peer = server.recvfrom(2048)
        question = query[12:]
        answer = b"\xc0\x0c" + struct.pack(">HHIH4s", 1, 1, 60, 4, bytes((10, 0, 0, 13)))
        server.sendto(query[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0) + question + answer, peer)


def dns_name(name):
    return b"".join(bytes((len(label),)) + label.encode() for label in name.split(".")) + b"\0"


def ask_http(address):
    with socket.create_connection((address, 80), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while connection.recv(65536):
            pass


def ask_dns(address, number):
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(5)
    query = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + dns_name("hmi.plant.example")
    client.sendto(query + struct.pack(">HH", 1, 1), (address, 53))
    client.recv(2048)


def ask_modbus(address, rounds):
    requests = [struct.pack(">BHH", 3, 0, 10), struct.pack(">BHH", 6, 1, 42),
                struct.pack(">BBBB", 43, 14, 1, 0), struct.pack(">B", 99)]
    with socket.create_connection((address, 502), timeout=5) as connection:
        for number in range(rounds):
            pdu = requests[number % len(requests)]
            connection.sendall(struct.pack(">HHHB", number, 0, len(pdu) + 1, 1) + pdu)
            length = struct.unpack(">HHHB", read_exactly(connection, 7))[2]
            read_exactly(connection, length - 1)


def send_bulk(address, megabytes, rate=0.0):
    """One connection, which is still open when the last byte was taken."""
    with socket.create_connection((address, 5001), timeout=60) as connection:
        for _ in range(megabytes * 16):
            connection.sendall(bytes(1 << 16))
            if rate:
                time.sleep(1 / 16 / rate)
        connection.shutdown(socket.SHUT_WR)
        read_exactly(connection, 4)


def announce_mdns(address, name):
    """One mDNS response (RFC 6762): `name`.local has this address."""
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    sender.bind((address, 5353))
    record = dns_name(name + ".local") + struct.pack(">HHIH", 1, 0x8001, 120, 4)
    sender.sendto(struct.pack(">HHHHHH", 0, 0x8400, 0, 1, 0, 0) + record + socket.inet_aton(address),
                  ("224.0.0.251", 5353))


def ping(address, number):
    """One echo request (RFC 792), and its answer."""
    client = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    client.settimeout(5)
    message = struct.pack(">HHH", 0x0800, 7, number) + bytes(range(40))
    total = sum(struct.unpack(">23H", message))
    total = (total & 0xffff) + (total >> 16)
    client.sendto(message[:2] + struct.pack(">H", ~total & 0xffff) + message[2:], (address, 0))
    while client.recv(2048)[20:24:4] != b"\0":
        pass


def stream(address, name):
    """Both ends send and have the port open, so that nobody answers that it is closed."""
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind(("", STREAM_PORT))
    data = (STREAM + name.encode() + b".").ljust(300, b"-")
    while True:
        try:
            sender.sendto(data, (address, STREAM_PORT))
        except OSError:
            pass  # The other end does not listen yet, or there is no way to it.
        time.sleep(0.002)


def send_frames(mac, count, per_second=1000, vlan=0, device="eth0", each=0):
    """So many frames of an experimental ethertype (IEEE 802, 0x88b5) to this MAC; of `each` the last one is
    without the tag."""
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sender.bind((device, 0))
    head = bytes.fromhex(mac.replace(":", "")) + sender.getsockname()[4]
    tag = struct.pack(">HH", 0x8100, vlan) if vlan else b""
    begin = time.monotonic()
    for number in range(count):
        is_plain = each and number % each == each - 1
        sender.send(head + (b"" if is_plain else tag) + struct.pack(">HI", 0x88b5, number) + bytes(90))
        time.sleep(max(0.0, begin + (number + 1) / per_second - time.monotonic()))


def main(words):
    if words[0] == "serve":
        {"http": lambda: serve_stream(80, http_talk), "dns": serve_dns,
         "modbus": lambda: serve_stream(502, modbus_talk),
         "bulk": lambda: serve_stream(5001, bulk_talk)}[words[1]]()
    if words[0] == "frames":
        return send_frames(words[1], *map(int, words[2:5]), *words[5:6], *map(int, words[6:]))
    kind, address, *more = words
    count = int(more[0]) if more and more[0].isdigit() else 1
    if kind == "modbus":
        ask_modbus(address, count)
    elif kind == "stream":
        stream(address, more[0])
    elif kind == "bulk":
        send_bulk(address, count, float(more[1]) if len(more) > 1 else 0.0)
    elif kind == "mdns":
        announce_mdns(address, more[0])
    else:
        for number in range(count):
            if kind == "http":
                ask_http(address)
            elif kind == "ping":
                ping(address, number)
            else:
                ask_dns(address, number)


if __name__ == "__main__":
    main(sys.argv[1:])
