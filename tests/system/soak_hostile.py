"""A hostile day: all attacks at once beside a real policy, and whether the policy's sessions stay true meanwhile.

    a guest              frames of invented hosts, tunnels with another guest's inner addresses, nests, broken headers, junk
    a local user         scrapes the metrics, holds idle connections
    a client             asks the control socket for everything and for nonsense, holds idle connections
    a stranger           holds idle connections to the agents' port, sends junk there
    a writer of policies writes bad files: junk, aliases, a FIFO, a link to what is not his

Two honest guests talk all the time, a real agent is linked, and a hook asks. The run fails if a session of an honest guest is
seen in another state than active, if coverage of one of them is surely below 99.9%, if the link or an answer to the hook is
missing, if memory grows after the first half, or if the daemon ends.

VMIRROR_SECONDS is how long (`./run soak hostile`: an hour), VMIRROR_SEED what the attackers' dice begin with.
"""

import concurrent.futures
import contextlib
import json
import multiprocessing
import os
import random
import socket
import struct
import sys
import threading
import time
import unittest

import system
import world as w

SECONDS = float(os.environ.get("VMIRROR_SECONDS", "15"))
SEED = int(os.environ.get("VMIRROR_SEED", "1"))
AGENTS_PORT, METRICS_PORT = 9478, 9477
HONEST = ("vnet-plc", "vnet-hmi")
FLOOD = 1000  #: Frames a second of the hostile guest.
IDLE = 40  #: Connections that say nothing, of each kind.
HOOK = b"POST /v1/hook?operation=release&guest=nobody HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
POLICY = "policy: honest\nselect: [{port: vnet-plc}, {port: vnet-hmi}, {port: vnet-web}]\ntargets: [local]\n"


# ---- A guest's frames ----

def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def ipv4(source, destination, protocol, payload):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, source, destination)
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xffff) + (total >> 16)
    total = (total & 0xffff) + (total >> 16)
    return head[:10] + struct.pack("!H", ~total & 0xffff) + head[12:] + payload


def udp(port, payload, source=40000):
    return struct.pack("!HHHH", source, port, 8 + len(payload), 0) + payload


def hostile_frame(dice):
    """A frame of one of the kinds; its source is the guest's own MAC or an invented one."""
    plc, web = (mac_bytes(w.GUESTS[name][1]) for name in ("plc", "web"))
    source = dice.choice((web, dice.randbytes(6)))
    source = bytes([source[0] & 0xfe]) + source[1:]
    plain = plc + source + b"\x08\x00" + ipv4(dice.randbytes(4), socket.inet_aton(w.GUESTS["plc"][0]), 17,
                                              udp(dice.choice((53, 67, 137, 161, 5353)), dice.randbytes(dice.randrange(200))))
    kind = dice.randrange(5)
    if kind == 0:
        return plain
    if kind == 1:  # Another guest's addresses inside a tunnel of this one.
        inner = b"\xff" * 6 + plc + plain[12:]
        return b"\x02" * 6 + source + b"\x08\x00" + ipv4(b"\x0a\x00\x00\x0b", b"\x0a\x00\x00\x63", 17,
                                                        udp(4789, b"\x08\0\0\0\0\0\x07\0" + inner))
    if kind == 2:  # Nests.
        packet = udp(9, b"x")
        for _ in range(dice.randrange(20)):
            packet = ipv4(b"\x0a\x00\x00\x0b", b"\x0a\x00\x00\x63", 4, packet)
        return b"\x02" * 6 + source + b"\x08\x00" + packet
    if kind == 3:  # A broken ERSPAN.
        return b"\x02" * 6 + source + b"\x08\x00" + ipv4(b"\x0a\x00\x00\x0b", b"\x0a\x00\x00\x63", 47,
                                                        b"\x10\x00\x88\xbe" + dice.randbytes(dice.randrange(40)))
    return b"\x02" * 6 + source + dice.choice((b"\x08\x00", b"\x86\xdd", b"\x81\x00", b"\x88\x47")) + dice.randbytes(dice.randrange(46, 900))


def flood(seconds):
    """Run in the guest's namespace: `soak_hostile.py --flood SECONDS`."""
    dice = random.Random(SEED)
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.bind(("eth0", 0))
    end, sent, begun = time.monotonic() + seconds, 0, time.monotonic()
    while time.monotonic() < end:
        while sent < (time.monotonic() - begun) * FLOOD:
            with contextlib.suppress(OSError):
                out.send(hostile_frame(dice).ljust(60, b"\0"))
            sent += 1
        time.sleep(0.01)


# ---- Others ----

def connect(where):
    out = socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET)
    out.settimeout(5 * w.PATIENCE)
    out.connect(where)
    return out


def ask(where, request):
    """The whole answer; empty: none came."""
    with contextlib.suppress(OSError), connect(where) as peer:
        peer.sendall(request)
        answer = b""
        while more := peer.recv(65536):
            answer += more
        return answer
    return b""


def call_hook(where):
    """The answer, and the milliseconds until it came."""
    at = time.monotonic()
    answer = ask(where, HOOK)
    return answer, (time.monotonic() - at) * 1000


class Attackers:
    """Threads that attack until they are ended."""

    def __init__(self):
        self.ends, self.threads, self.done, self.held = threading.Event(), [], {}, []

    def add(self, name, pause, attack):
        def loop():
            dice = random.Random(f"{SEED} {name}")
            while not self.ends.is_set():
                with contextlib.suppress(OSError):
                    attack(dice)
                self.done[name] = self.done.get(name, 0) + 1
                self.ends.wait(pause)
        self.threads.append(threading.Thread(target=loop, name=name))

    def hold(self, name, where):
        """Idle connections; one that is closed is made again."""
        held = []
        self.held.append(held)

        def again(_):
            for one in list(held):
                one.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    with contextlib.suppress(ConnectionError):
                        if one.recv(1):
                            continue
                    held.remove(one)
                    one.close()
            while len(held) < IDLE and not self.ends.is_set():
                held.append(connect(where))
        self.add(name, 0.1, again)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        for thread in self.threads:
            thread.join()
        for held in self.held:
            for one in held:
                one.close()


class Hostile(system.SystemTest):
    def setUp(self):
        address = "127.0.0.1"
        self.host = system.Daemon(self.world, "host", {
            "switch": {"driver": "ovs", "remote": w.OVSDB}, "local": {"offloads_off": True},
            "export": {"prometheus": {"port": METRICS_PORT}},
            "peers": {"listen": f"{address}:{AGENTS_PORT}", "hosts": [{"host": "agent", "address": address, "port": 1}]}})
        self.agent = system.Daemon(self.world, "agent", {
            "inputs": [{"interface": "none0"}],
            "peers": {"hosts": [{"host": "host", "address": address, "port": AGENTS_PORT}]}})
        self.host.write_policy("honest", POLICY)
        self.host.start()
        self.agent.start()
        self.talk_until("active sessions", lambda: set(self.host.sessions().values()) == {"active"})

    def bad_policy(self, dice):
        path = os.path.join(self.host.policies, f"bad{dice.randrange(4)}.yaml")
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
        kind = dice.randrange(5)
        if kind == 0:
            os.mkfifo(path)
        elif kind == 1:
            os.symlink("/etc/shadow", path)
        else:
            text = (b"policy: bad\nselect: [" + b"{port: x}," * 2000 + b"]\n", dice.randbytes(2000), b"policy: [unknown]\n")[kind - 2]
            with open(path, "wb") as out:
                out.write(text)

    def attack(self):
        out = Attackers()
        agents, metrics = ("127.0.0.1", AGENTS_PORT), ("127.0.0.1", METRICS_PORT)
        get = "GET {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".format
        for number in range(4):
            out.add(f"scraper {number}", 0.02, lambda dice: ask(metrics, get("/metrics").encode()))
        out.add("asker", 0.05, lambda dice: ask(self.host.socket, get(dice.choice(
            ("/v1/assets", "/v1/flows", "/v1/status", "/v1/explain/%ff%00"))).encode()))
        out.add("nonsense", 0.05, lambda dice: ask(self.host.socket, dice.randbytes(dice.randrange(1, 3000)) + b"\r\n\r\n"))
        out.add("junk policies", 0.2, lambda dice: ask(self.host.socket, b"PUT /v1/policies HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                                       b"Content-Length: 9\r\n\r\n" + dice.randbytes(9)))
        out.add("stranger", 0.05, lambda dice: ask(agents, dice.randbytes(dice.randrange(1, 3000))))
        out.add("writer", 0.3, self.bad_policy)
        out.hold("idle strangers", agents)
        out.hold("idle scrapers", metrics)
        out.hold("idle clients", self.host.socket)
        return out

    def memory(self):
        with open(f"/proc/{self.world.processes['host'].pid}/status", encoding="ascii") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024

    def judge(self, status):
        for session in status["sessions"]:
            if session["port"] in HONEST:
                self.assertEqual(session["state"], "active", session)
        for row in status["coverage"]:
            if row["port"].rsplit("/", 1)[-1] in HONEST:
                self.assertNotIn(row["verdict"], ("lossy", "excess"), row)
                if row["counted"] > 1000 and row["ratio"] is not None:
                    self.worst = min(self.worst, row["ratio"])

    def test_all_at_once(self):
        self.worst, took, memory = 1.0, [], []
        web = ("ip", "netns", "exec", "web", sys.executable, os.path.abspath(__file__), "--flood", str(SECONDS))
        self.world.spawn("flood", *web)
        begun = time.monotonic()
        # A hook is a process of its own, and the agent has connections for each process: from the attackers' process the
        # hook's connection would be one of the idle ones, and the oldest of these gives way.
        hooks = concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
        with hooks, self.attack() as attackers, concurrent.futures.ThreadPoolExecutor(1) as honest:
            while time.monotonic() < begun + SECONDS:
                talks = honest.submit(self.world.traffic, "hmi", "modbus", w.GUESTS["plc"][0], 100)
                answer, milliseconds = hooks.submit(call_hook, self.host.socket).result()
                took.append(milliseconds)
                self.assertTrue(answer.startswith(b"HTTP/1.1 "), answer[:200])
                self.assertNotIn(b" 503 ", answer.split(b"\r\n")[0] + b" ", "the hook was turned away")
                self.judge(self.host.ask("status"))
                memory.append(self.memory())
                talks.result()
        self.world.talk()
        status = self.host.ask("status")
        self.judge(status)
        self.assertEqual(status["peers"]["hosts"][0]["state"], "up", status["peers"])
        self.assertGreater(status["peers"]["refused_connections"], IDLE / 2, status["peers"])
        self.assertGreaterEqual(self.worst, 0.999)
        self.assertTrue(self.world.alive("host"))
        for name in ("scraper 0", "asker", "nonsense", "stranger", "writer", "idle strangers", "idle scrapers", "idle clients"):
            self.assertGreater(attackers.done.get(name, 0), 3, name)
        half = len(memory) // 2
        print(f"{len(took)} rounds in {time.monotonic() - begun:.0f} s; hook {sorted(took)[len(took) // 2]:.1f} ms median, "
              f"{max(took):.1f} ms at most; coverage {self.worst:.4f} at least; memory {memory[half]:.0f} MB at half time, "
              f"{memory[-1]:.0f} MB at the end; link made {status['peers']['hosts'][0]['connections']} times; {attackers.done}",
              file=sys.stderr)
        if SECONDS >= 600:  # The tables of what the attackers invent are full by half time.
            self.assertLess(memory[-1], memory[half] * 1.05 + 16)

    def tearDown(self):
        for daemon in (self.agent, self.host):
            self.world.kill(daemon.name)


if __name__ == "__main__":
    if "--flood" in sys.argv:
        flood(float(sys.argv[sys.argv.index("--flood") + 1]))
    else:
        system.main(__file__)
