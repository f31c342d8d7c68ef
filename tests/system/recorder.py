"""Records which numbered frames (guest/talker.c) an interface sees, on a packet socket of its own: what
vmirrord says of itself is compared to this.

    python3 recorder.py INTERFACE LOG

Waits for the interface, and again when it goes away and comes back. A line of the log is one of
    attached TIME | detached TIME | lost COUNT TIME      (frames that the socket had no room for)
    KIND NUMBER GUEST TIME      KIND is VMG, VMA (the guest's) or VMP (the peer's); GUEST its address
"""

import os
import signal
import socket
import struct
import sys
import time

ETH_P_ALL, SOL_PACKET, PACKET_STATISTICS = 3, 263, 6
SO_RCVBUFFORCE = 33  # Of <asm-generic/socket.h>; Python has no name for it.
UDP_PORT = 5555


def numbered(frame):
    """(KIND, NUMBER, GUEST) of a frame, or None."""
    if frame[12:14] != b"\x08\x00" or frame[23] != 17:
        return None
    udp = 14 + (frame[14] & 15) * 4
    if frame[udp + 2:udp + 4] != struct.pack(">H", UDP_PORT):
        return None
    words = frame[udp + 8:].split(None, 3)
    if len(words) < 3 or words[0] not in (b"VMG", b"VMA", b"VMP"):
        return None
    guest = frame[30:34] if words[0] == b"VMP" else frame[26:30]
    return words[0].decode(), int(words[2]), socket.inet_ntoa(guest)


def attach(interface):
    """A packet socket on it, as soon as it is there and up."""
    while True:
        try:
            out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            out.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
            out.bind((interface, ETH_P_ALL))
            out.settimeout(0.05)
            return out
        except OSError:
            out.close()
            time.sleep(0.002)


def record(tap, write, flush):
    """Until the interface goes away."""
    lost = 0
    index = socket.if_nametoindex(tap.getsockname()[0])
    while True:
        try:
            if found := numbered(tap.recv(2048)):
                write(*found)
                continue
        except TimeoutError:
            pass
        flush()
        dropped = struct.unpack("II", tap.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        if dropped:
            lost += dropped
            write("lost", lost)
        if socket.if_nametoindex(tap.getsockname()[0]) != index:
            return


def main():
    interface, path = sys.argv[1:]
    with open(path, "a", encoding="ascii", buffering=1) as log:
        def write(*words):
            print(*words, f"{time.time():.6f}", file=log)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        while True:
            tap = attach(interface)
            write("attached")
            try:
                record(tap, write, log.flush)
            except OSError:
                pass  # It went away, or down.
            tap.close()
            write("detached")
            log.flush()


if __name__ == "__main__":
    os.nice(-5) if os.geteuid() == 0 else None  # pylint: disable=expression-not-assigned
    main()
