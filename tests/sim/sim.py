"""A cluster of simulated hosts on this machine: a real store of three servers by `vmirror cluster`, many agents in few
processes with the product's link to the store and fake switches (agents.cpp), and an operator who applies policies and
watches all rows (watch.cpp). The same is then done with as many bare clients of OVSDB (bare.cpp): the reference.

    python3 tests/sim/sim.py 100              # as root: all of it is in a network namespace of its own
    python3 tests/sim/sim.py 10 30 100 --json

Each process is ended by its number. VMIRROR_BIN: the folder of vmirror and vmirror_sim.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("VMIRROR_BIN", os.path.join(ROOT, "build", "release", "bin"))
PER_PROCESS = 100
SERVERS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
POLICY = "policy: all\nselect: [{{port: 'vnet*'}}]\ntargets: [{target}]\n"
LOCAL, REMOTE = ("local", "local"), ("erspan: {address: 192.0.2.9}", "erspan-192.0.2.9")


def host_name(number):
    return f"kvm{number:04}"


class Part:
    """A process of vmirror_sim, that is asked by lines of JSON."""

    def __init__(self, *words):
        self.process = subprocess.Popen([os.path.join(BIN, "vmirror_sim"), *map(str, words)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def send(self, do, **values):
        self.process.stdin.write(json.dumps({"do": do, **values}) + "\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"vmirror_sim ended with {self.process.wait()}")
        answer = json.loads(line)
        if answer.get("error"):
            raise RuntimeError(str(answer))
        return answer

    def ask(self, do, **values):
        self.send(do, **values)
        return self.answer()

    def kill(self):
        self.process.kill()
        self.process.wait()


class Store:
    """Three servers, each with a folder and an address of loopback."""

    def __init__(self, directory):
        self.folders = [os.path.join(directory, f"store-{number}") for number in range(len(SERVERS))]
        for number, address in enumerate(SERVERS):
            words = ("init",) if number == 0 else ("join", "--to", f"tcp:{SERVERS[0]}:6652")
            self.cluster(number, *words, "--address", address, "--insecure")

    def cluster(self, number, *words):
        done = subprocess.run([os.path.join(BIN, "vmirror"), "cluster", *words, "--folder", self.folders[number], "--json"],
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return json.loads(done.stdout)

    @property
    def remotes(self):
        return ",".join(f"tcp:{address}:6651" for address in SERVERS)

    def pids(self):
        out = []
        for folder in self.folders:
            with open(os.path.join(folder, "server.pid"), encoding="ascii") as text:
                out.append(int(text.read()))
        return out

    def cpu(self):
        """Seconds that each server has used."""
        out = []
        for pid in self.pids():
            with open(f"/proc/{pid}/stat", encoding="ascii") as text:
                words = text.read().rpartition(")")[2].split()
            out.append((int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK"))
        return out

    def resident(self):
        """The largest server's, in MB."""
        out = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/status", encoding="ascii") as text:
                out = max(out, *(int(line.split()[1]) / 1000 for line in text if line.startswith("VmRSS:")))
        return out

    def written(self):
        """Bytes that the servers gave to their files and sockets."""
        out = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/io", encoding="ascii") as text:
                out += int(next(line for line in text if line.startswith("write_bytes:")).split()[1])
        return out

    def log_index(self):
        """Of RAFT: each transaction that changed something is one entry."""
        told = subprocess.run(["ovs-appctl", "-t", os.path.join(self.folders[0], "server.ctl"), "cluster/status", "vmirror"],
                              capture_output=True, text=True, check=True).stdout
        line = next(line for line in told.splitlines() if line.startswith("Log: ["))
        return int(line.rpartition(",")[2].strip(" ]"))

    def stop(self):
        for folder in self.folders:
            with contextlib.suppress(OSError, ValueError):
                with open(os.path.join(folder, "server.pid"), encoding="ascii") as text:
                    os.kill(int(text.read()), signal.SIGTERM)


def loopback_bytes():
    with open("/proc/net/dev", encoding="ascii") as text:  # Of this namespace; /sys may be another's.
        return int(next(line for line in text if line.strip().startswith("lo:")).split()[1])


class Run:
    """One number of hosts, with agents or with bare clients."""

    def __init__(self, kind, count, options, directory):
        self.kind, self.count, self.options, self.directory = kind, count, options, directory
        self.store = Store(directory)
        self.parts, self.watch = [], None
        self.result = {"kind": kind, "hosts": count, "nics": options.nics}

    def start_parts(self):
        for first in range(0, self.count, PER_PROCESS):
            self.parts.append(Part(self.kind, "--servers", self.store.remotes, "--first", first, "--count",
                                   min(PER_PROCESS, self.count - first), "--nics", self.options.nics, "--state", self.directory))

    def stop(self):
        for part in [*self.parts, *([self.watch] if self.watch else [])]:
            part.kill()
        self.store.stop()

    def note(self, name, value):
        self.result[name] = value
        print(f"  {self.kind} {self.count}: {name} {value}", file=sys.stderr, flush=True)

    def all_hosts(self, title, do, **values):
        before = self.store.cpu()
        took = self.watch.ask(do, hosts=self.count, timeout=self.options.timeout, **values)
        self.note(title, {key: round(took[key], 3) for key in ("put", "p50", "p99", "all") if key in took} |
                  {"servers_cpu": round(sum(self.store.cpu()) - sum(before), 2)})

    def status(self):
        told = [part.ask("status") for part in self.parts]
        return {key: sum(one[key] for one in told) for key in ("connected", "reports")}

    def apply(self, name, target):
        self.all_hosts(name, "apply", yaml=POLICY.format(target=target[0]), says=f"all {target[1]}", nics=self.options.nics)

    def go(self):
        self.watch = Part("watch", "--servers", self.store.remotes)
        self.watch.ask("remember")
        self.start_parts()
        self.all_hosts("start", "anew", nics=0)
        time.sleep(2)  # An agent that has just written waits a second.
        self.apply("apply", LOCAL)
        time.sleep(2)
        self.apply("change", REMOTE)
        self.rest()
        if self.count > 1:
            self.moves()
        self.watch.ask("remember")
        for part in self.parts:
            part.kill()
        self.parts = []
        self.start_parts()
        self.all_hosts("restart", "anew", nics=self.options.nics)
        time.sleep(2)
        self.all_hosts("delete", "drop", name="all")
        return self.result

    def rest(self):
        time.sleep(12)
        reports, before, begin, index = self.status()["reports"], self.store.cpu(), time.monotonic(), self.store.log_index()
        bytes_before = loopback_bytes()
        time.sleep(self.options.rest)
        took = time.monotonic() - begin
        used = [after - was for after, was in zip(self.store.cpu(), before)]
        self.idle_bytes = (loopback_bytes() - bytes_before) / took
        self.note("rest", {"servers_cpu_percent": [round(100 * cpu / took, 2) for cpu in used],
                           "bytes_per_second": round(self.idle_bytes), "transactions": self.store.log_index() - index,
                           "reports": self.status()["reports"] - reports, "resident_mb": round(self.store.resident(), 1)})

    def moves(self):
        took, paused, random_hosts = [], 0, random.Random(1)
        index, bytes_before, begin, disk = self.store.log_index(), loopback_bytes(), time.monotonic(), self.store.written()
        for number in range(self.options.moves):
            a, b = random_hosts.sample(range(self.count), 2)
            for guest_from, guest_to in (((a, 0), (b, 1000 + number)), ((b, 1000 + number), (a, 0))):
                self.watch.send("moved", **{"from": host_name(guest_from[0]), "from_port": f"vnet{guest_from[1]}",
                                            "to": host_name(guest_to[0]), "to_port": f"vnet{guest_to[1]}", "timeout": 30})
                time.sleep(0.02)
                self.plug("unplug", guest_from, a)
                plugged = self.plug("plug", guest_to, a)
                took.append((self.watch.answer()["there"] - plugged) / 1e6)
                time.sleep(1.2)
                paused += 1
        seconds = time.monotonic() - begin
        self.note("move", {
            "moves": len(took), "median_ms": round(statistics.median(took), 1), "max_ms": round(max(took), 1),
            "transactions": round((self.store.log_index() - index) / len(took), 2),
            "bytes": round((loopback_bytes() - bytes_before - self.idle_bytes * seconds) / len(took)),
            "disk_bytes": round((self.store.written() - disk) / len(took))})

    def plug(self, do, place, guest_of):
        host, nic = place
        return self.parts[host // PER_PROCESS].ask(do, host=host, nic=nic, guest_of=guest_of)["at"]


def table(results):
    """A row for each number of hosts: agents, and the ratio to bare clients."""
    by = {(r["hosts"], r["kind"]): r for r in results}
    columns = (("start s", "start", "all"), ("apply s", "apply", "all"), ("p50", "apply", "p50"), ("p99", "apply", "p99"),
               ("change s", "change", "all"), ("move ms", "move", "median_ms"), ("bytes a move", "move", "bytes"),
               ("transactions", "move", "transactions"), ("restart s", "restart", "all"))
    print("| hosts | " + " | ".join(title for title, *_ in columns) + " | CPU at rest, % a server | servers' MB |")
    print("|---" * (len(columns) + 3) + "|")
    for hosts in sorted({r["hosts"] for r in results}):
        agents, bare = by.get((hosts, "agents")), by.get((hosts, "bare"))
        cells = []
        for _, part, key in columns:
            mine, other = ((r or {}).get(part, {}).get(key) for r in (agents, bare))
            cells.append("" if mine is None else f"{mine:g}" + (f" ({mine / other:.1f})" if other else ""))
        for key in ("servers_cpu_percent", "resident_mb"):
            values = [max(r["rest"][key]) if isinstance(r["rest"][key], list) else r["rest"][key] for r in (agents, bare) if r]
            cells.append(" / ".join(f"{value:g}" for value in values))
        print(f"| {hosts} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0],
                                     epilog="Example: ./run sim 10 100 --json")
    parser.add_argument("hosts", nargs="*", type=int, default=[100])
    parser.add_argument("--nics", type=int, default=20)
    parser.add_argument("--moves", type=int, default=10)
    parser.add_argument("--rest", type=int, default=20, help="seconds for which the servers' CPU time at rest is measured")
    parser.add_argument("--timeout", type=int, default=180)
    parser.add_argument("--kinds", default="agents,bare")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("sim: root is needed for a network namespace")
    if os.environ.get("VMIRROR_SIM_INSIDE") != "1":
        os.execvpe("unshare", ["unshare", "--net", sys.executable, *sys.argv], {**os.environ, "VMIRROR_SIM_INSIDE": "1"})
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # By `finally`: no server is left behind.
    results = []
    for hosts in options.hosts:
        for kind in options.kinds.split(","):
            directory = tempfile.mkdtemp(prefix="vmirror-sim-")
            run = Run(kind, hosts, options, directory)
            try:
                results.append(run.go())
            finally:
                run.stop()
                shutil.rmtree(directory, ignore_errors=True)
    if options.json:
        print(json.dumps(results, indent=1))
    else:
        table(results)


if __name__ == "__main__":
    main()
