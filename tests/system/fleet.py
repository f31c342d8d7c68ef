"""Fifty guests that are nothing but ports, the traffic between them, and a listener that sees what arrives.

    g0 ---veth--- vnet0 +-----+ vmr-br0*  copies for the engine
    g1 ---veth--- vnet1 | br0 |
    ...                 |     | ==tunnels==> br-wan ---veth--- eth0 in netns collector
    g49 --veth--- vnet49+-----+

Every guest that talks sends one frame each TICK to the next guest, always with the same addresses and ports, so
that the switch has one flow of it that goes on. A frame says which it is (MARK, guests, number) within its
first 54 bytes, so that a cut copy still says so.
"""

import ctypes
import errno
import os
import socket
import struct
import threading
import time

import world as w

TICK = 0.05  #: Seconds between two frames of one guest.
FRAME_BYTES = 200
LATEST = 10.0  #: Seconds that the switch may take to forward a frame, for its copies to be judged.
MARK = b"\xa7vmirr\x1f"  #: At byte 42 of a frame, after Ethernet, IPv4 and UDP.
HEADER_BYTES = 14 + 20 + 8
HOST, OUTGOING = 0, 4  #: linux/if_packet.h: for this device's address; sent by it.
SOL_PACKET, PACKET_STATISTICS = 263, 6  #: linux/socket.h, linux/if_packet.h
CLONE_NEWNET = 0x40000000  #: linux/sched.h
ETH_P_ALL = 3


def port(guest):
    return f"vnet{guest}"


def mac(guest):
    return bytes((0x52, 0x54, 0, 1, 0, guest))


def mac_text(guest):
    return ":".join(f"{octet:02x}" for octet in mac(guest))


def frame(source, destination, number):
    """UDP from guest to guest; the checksums are right or, of UDP, absent (RFC 768)."""
    body = MARK + struct.pack(">BBI", source, destination, number)
    body = body.ljust(FRAME_BYTES - HEADER_BYTES, b".")
    udp = struct.pack(">HHHH", 20000 + source, 20000 + destination, 8 + len(body), 0)
    addresses = bytes((10, 0, 0, source + 1)) + bytes((10, 0, 0, destination + 1))
    head = struct.pack(">BBHHHBBH", 0x45, 0, 28 + len(body), 0, 0x4000, 64, 17, 0) + addresses
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xffff) + (total >> 16)
    head = head[:10] + struct.pack(">H", ~((total & 0xffff) + (total >> 16)) & 0xffff) + head[12:]
    return mac(destination) + mac(source) + b"\x08\x00" + head + udp + body


def attach(one, *instructions):
    """A filter of classic BPF (linux/filter.h) on a socket: (code, if true, if false, k) each."""
    code = b"".join(struct.pack("HBBI", op, yes, no, k & 0xffffffff) for op, yes, no, k in instructions)
    held = ctypes.create_string_buffer(code)
    one.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HxxxxxxP", len(instructions), ctypes.addressof(held)))


def pass_over_floods(one, count):
    """Of the frames that reach a guest those alone that are for it: with a switch that floods, fifty times as many
    come, more than the socket holds."""
    load, equal, end = 0x20, 0x15, 0x06  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ, BPF_RET
    extension = -0x1000  # SKF_AD_OFF; + 4: the kind of packet, + 8: the device's index.
    guests = [socket.if_nametoindex(f"g{guest}") for guest in range(count)]
    attach(one, (load, 0, 0, extension + 4), (equal, count + 2, 0, HOST), (equal, count + 2, 0, OUTGOING),
           (load, 0, 0, extension + 8),
           *((equal, count - number, 0, index) for number, index in enumerate(guests)),
           (end, 0, 0, 0xffff), (end, 0, 0, 0))


def packet_socket(device=None, netns=None, listens=True):
    """An AF_PACKET socket on a device, or on all. In another network namespace, where it then stays. One that only
    sends must not listen: what it would hold unread is the kernel's memory, 512 MiB for each socket."""
    made = []

    def make():
        if netns:
            with open(f"/run/netns/{netns}", "rb") as there:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"setns {netns}")
        one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL) if listens else 0)
        if listens:
            one.setsockopt(socket.SOL_SOCKET, 33, 256 << 20)  # SO_RCVBUFFORCE
        if device:
            one.bind((device, 0))
        made.append(one)

    # A thread of its own: setns changes the namespace of the calling thread alone.
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if not made:
        raise w.Failed(f"no packet socket on {device or 'all devices'} in {netns or 'this namespace'}")
    return made[0]


class Talkers:
    """Sends the guests' frames, on a thread of its own."""

    def __init__(self, count):
        self.count = count
        self.talks = [False] * count
        self._numbers = [0] * count
        self._sockets = [packet_socket(f"g{guest}", listens=False) for guest in range(count)]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        due = time.monotonic()
        while not self._ended.is_set():
            for guest in range(self.count):
                if self.talks[guest]:
                    self._send(guest)
            due = max(due + TICK, time.monotonic())
            self._ended.wait(due - time.monotonic())

    def _send(self, guest):
        try:
            self._sockets[guest].send(frame(guest, (guest + 1) % self.count, self._numbers[guest]))
        except OSError:
            return  # The link is down: nothing was sent, and nothing is expected.
        self._numbers[guest] += 1

    def numbers(self):
        """The number of the next frame, by guest."""
        return list(self._numbers)

    def end(self):
        self._ended.set()
        self._thread.join()
        for one in self._sockets:
            one.close()


class Heard:
    """What arrived: by (guest, number), with the length of what came."""

    def __init__(self):
        self.entered = {}  #: Frames that reached the switch.
        self.delivered = {}  #: Frames that reached the guest for whom they are.
        self.copies = {}  #: By device: of the switch's own ports, what came out of them.
        self.remote = {}  #: By session ID of the tunnel: what reached the collector.

    def take(self, here, there):
        for data, (device, _, kind, *_) in here:
            said = _read(data) if kind != OUTGOING else None
            if said is None:
                continue
            source, destination, number, begins = said
            key, length = (source, number), len(data) - begins
            if device == port(source):
                self.entered[key] = length
            elif device == f"g{destination}":
                self.delivered[key] = length
            elif device.startswith("vmr-"):
                self.copies.setdefault(device, {})[key] = length
        for data, (_, _, kind, *_) in there:
            said, session = _read(data), _session(data)
            if said is not None and session is not None and kind != OUTGOING:
                source, _, number, begins = said
                self.remote.setdefault(session, {})[(source, number)] = len(data) - begins

    def not_forwarded(self, sent):
        """Which part of the frames of guests that are heard at all did not reach their guest. On a machine that
        is busy ovs-vswitchd is seconds late, or has no time for all: the frames are then lost, and not their
        copies alone."""
        reached = {source for source, _ in self.delivered}
        frames = [key for key in self.entered if key[0] in reached and sent[key[0]][0] <= key[1] < sent[key[0]][1]]
        return sum(key not in self.delivered for key in frames) / len(frames) if frames else 0.0


def _read(data):
    """(source, destination, number, where the frame begins in `data`), or None."""
    at = data.find(MARK)
    if at < HEADER_BYTES or len(data) < at + len(MARK) + 6:
        return None
    source, destination, number = struct.unpack(">BBI", data[at + len(MARK):at + len(MARK) + 6])
    return source, destination, number, at - HEADER_BYTES


def _session(data):
    """The session ID of an ERSPAN copy, the key of a GRE copy (RFC 2890), after Ethernet and IPv4; or None."""
    if len(data) < 46 or data[12:14] != b"\x08\x00" or data[23] != 47:
        return None
    flags, protocol = struct.unpack(">HH", data[34:38])
    if protocol in (0x88be, 0x22eb):
        return struct.unpack(">H", data[44:46])[0] & 0x3ff
    return struct.unpack(">I", data[38:42])[0] if flags & 0x2000 else 0


def listen(talkers, seconds, collector):
    """Listens for `seconds` on all devices here and on eth0 of netns `collector`, and then until the switch has
    done with what came. Returns what was heard, the range of numbers that each guest sent meanwhile, and why that
    is no witness of what the switch copies; empty: it is."""
    here, there = packet_socket(), packet_socket("eth0", collector)
    try:
        pass_over_floods(here, talkers.count)
        for one in (here, there):
            for _ in _drain(one):
                pass
            _lost(one)
        first = talkers.numbers()
        time.sleep(seconds)
        sent = list(zip(first, talkers.numbers()))
        heard, ends = Heard(), time.monotonic() + LATEST
        while True:
            time.sleep(0.5)  # For what is still on its way.
            heard.take(_drain(here), _drain(there))
            late = heard.not_forwarded(sent)
            if late <= 0.005 or time.monotonic() > ends:
                break
        lost = _lost(here) + _lost(there)
    finally:
        here.close()
        there.close()
    if lost:
        return heard, sent, f"the listener lost {lost} frames"
    return heard, sent, f"the switch had not forwarded {late:.1%} after {LATEST:g} s" if late > 0.005 else ""


def _lost(one):
    """Frames that the socket had no room for, since the last call (packet(7))."""
    return struct.unpack("II", one.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]


def _drain(one):
    """What waits, but no more than comes in a second: it goes on coming."""
    one.setblocking(False)
    for _ in range(30000):
        try:
            yield one.recvfrom(2048)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENETDOWN:  # Told once, of a link that went down.
                raise


class Fleet(w.World):
    """A switch with `count` guests' ports, of which none is plugged yet, and a collector."""

    def __init__(self, directory, count):
        super().__init__(directory)
        self.count = count

    def start(self):
        self.start_switch()
        self.add_collector()
        batch = os.path.join(self.directory, "links")
        with open(batch, "w", encoding="ascii") as out:
            for guest in range(self.count):
                out.write(f"link add {port(guest)} up type veth peer name g{guest} address {mac_text(guest)}\n"
                          f"link set g{guest} up\n")
        self.run("ip", "-batch", batch)

    def plug_words(self, guest, tag):
        """ovs-vsctl's words that add the port as libvirt does."""
        tags = [f"tag={tag}"] if tag else []
        return ["--", "--if-exists", "del-port", port(guest), "--", "add-port", "br0", port(guest), *tags,
                "--", "set", "Interface", port(guest), f'external-ids:attached-mac="{mac_text(guest)}"',
                f'external-ids:iface-id="nic{guest}"', f'external-ids:vm-id="{guest}"',
                "external-ids:iface-status=active"]

    def end(self):
        self.stop_all()
        self.run("ip", "netns", "delete", "collector", check=False)  # The rest ends with the namespaces.


def in_test_folder(name):
    folder = os.path.join("/run/test", name)
    os.makedirs(folder, exist_ok=True)
    return folder
