"""Whom a guest talks to (guest/talker.c says the format): numbered frames to it, and a log of all that it
sent and that came, with the wall clock.

    python3 peer.py ADDRESS GUEST INTERVAL_MS LOG

A line of the log is one of
    sent NUMBER TIME           a frame to the guest
    got NUMBER RECEIVED TIME           a frame of the guest's, which had RECEIVED distinct ones of ours
    echo NUMBER RECEIVED ECHO TIME     the same, in answer to our frame ECHO
    accept TIME | tcp NUMBER TIME | closed TIME       its TCP connections and requests
"""

import selectors
import signal
import socket
import sys
import time

UDP_PORT, TCP_PORT = 5555, 5556
SO_RCVBUFFORCE = 33  # Of <asm-generic/socket.h>; Python has no name for it.


class Peer:
    """Sockets and log; `run` never returns."""

    def __init__(self, address, guest, interval, log):
        self.guest, self.interval = (guest, UDP_PORT), interval
        self.log = open(log, "a", encoding="ascii")  # pylint: disable=consider-using-with
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        self.udp.bind((address, UDP_PORT))
        self.udp.setblocking(False)
        self.tcp = socket.socket()
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind((address, TCP_PORT))
        self.tcp.listen(8)
        self.number = 0

    def write(self, *words):
        print(*words, f"{time.time():.6f}", file=self.log)

    def send(self):
        self.number += 1
        try:
            self.udp.sendto(f"VMP n {self.number}\n".encode().ljust(48, b"\n"), self.guest)
        except OSError:
            return  # No neighbour yet, or the buffer is full: nothing was sent.
        self.write("sent", self.number)

    def take(self):
        while True:
            try:
                words = self.udp.recv(256).split()
            except OSError:
                return
            if words[:1] == [b"VMG"]:
                self.write("got", int(words[2]), int(words[4]))
            elif words[:1] == [b"VMA"]:
                self.write("echo", int(words[2]), int(words[4]), int(words[6]))

    def talk(self, selector, connection):
        data = b""
        try:
            data = connection.recv(4096)
            connection.sendall(data)
        except OSError:
            pass
        for number in data.split():
            self.write("tcp", int(number))
        if not data:
            self.write("closed")
            selector.unregister(connection)
            connection.close()

    def run(self):
        selector = selectors.DefaultSelector()
        selector.register(self.udp, selectors.EVENT_READ)
        selector.register(self.tcp, selectors.EVENT_READ)
        next_send = next_flush = time.monotonic()
        print("ready", flush=True)
        while True:
            now = time.monotonic()
            if now >= next_send:
                self.send()
                next_send = max(next_send + self.interval, now)
            if now >= next_flush:
                self.log.flush()
                next_flush = now + 0.05
            for key, _ in selector.select(max(0.0, next_send - time.monotonic())):
                if key.fileobj is self.udp:
                    self.take()
                elif key.fileobj is self.tcp:
                    connection, _ = self.tcp.accept()
                    self.write("accept")
                    selector.register(connection, selectors.EVENT_READ)
                else:
                    self.talk(selector, key.fileobj)


def main():
    address, guest, interval, log = sys.argv[1:]
    peer = Peer(address, guest, float(interval) / 1000, log)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        peer.run()
    finally:
        peer.log.flush()


if __name__ == "__main__":
    main()
