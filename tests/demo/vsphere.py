"""./run demo --vsphere: a policy on a vCenter's distributed switch, the session read back, a vMotion followed.

    VMs in namespaces --frames--> what each ESXi host would send --ERSPAN--> vmirrord in the agent's namespace
                                        ^ sessions, hosts                        |
                                     vmirror-vcsim <--------- vim25 -------------+

    vsphere.py [--keep] [--json]

The vCenter is tests/vsphere's, which speaks the real API over TLS; the ESXi hosts are a sender that emits, for each session
that the vCenter holds, the frames of its sources (tests/vsphere/esxi_sender.py). Frames, encapsulation, the agent and the
commands are real. Everything is private to the demo (tests/system/inside.py) and ends with it.
"""

import argparse
import os
import subprocess
import sys
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "vsphere")]
# pylint: disable=wrong-import-position
import inside
import vcsim
import world as w
from daemon import Daemon
from options import fail, parser, say, tell

DIRECTORY = "/run/demo"  # Of the private /run: it goes with the demo.
AGENT_ADDRESS = "192.0.2.50"
VMS = (*w.GUESTS, "spare")  # In the order of the vCenter's; the last one is silent.
COPIES = 10  # From each host, before the demo goes on.
POLICY = "policy: watch-plc\nselect: [{vm: plc}]\ntargets: [local]\n"


def bridge(world, name, *addresses):
    world.run("ip", "link", "add", name, "type", "bridge", "mcast_snooping", "0")
    world.run("ip", "link", "set", name, "up")
    for address in addresses:
        world.run("ip", "address", "add", address + "/24", "dev", name)


def start(world, server):
    """The VMs of the vCenter as namespaces, the hosts' addresses, and the sender; the agent in its own namespace."""
    state = server.state()
    hosts = {host["name"]: f"192.0.2.{11 + at}" for at, host in enumerate(state["hosts"])}
    world.run("sysctl", "-qw", w.QUIET, check=False)
    bridge(world, "br-vm")
    bridge(world, "br-wan", *hosts.values())
    ports = {}
    for vm in state["vms"]:
        name = vm["name"]
        if name not in w.GUESTS:
            continue
        device = ports[vm["ports"][0]] = w.guest_port(name)
        world.add_machine(name, None, device, w.GUESTS[name][0], mac=vm["macs"][0])
        world.run("ip", "link", "set", device, "master", "br-vm")
    world.add_machine("agent", None, "wan-agent", AGENT_ADDRESS, mtu=9000)
    world.run("ip", "link", "set", "wan-agent", "master", "br-wan")
    for name, kind in (("web", "dns"), ("plc", "modbus"), ("plc", "http")):
        world.serve(name, kind)
    world.spawn("esxi-sender", sys.executable, os.path.join(TESTS, "vsphere", "esxi_sender.py"), server.control_url,
                *(f"{key}={device}" for key, device in ports.items()), *(f"{host}={address}" for host, address in hosts.items()))
    credentials = os.path.join(world.directory, "credentials")
    with open(os.open(credentials, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8") as out:
        out.write("username=vmirror\npassword=vmirror\n")
    return Daemon(world, "agent", {
        "switch": {"driver": "vsphere", "url": server.url.rsplit("/", 1)[0], "thumbprint": server.thumbprint,
                   "credentials_file": credentials, "receiver": AGENT_ADDRESS},
        "inputs": [{"interface": "eth0", "accept": "encapsulated"}]}, netns="agent").start()


def received(daemon):
    """ERSPAN copies that the agent took in, by where they came from."""
    out = {}
    for one in daemon.ask("status")["inputs"]:
        for session in one["sessions"]:
            out[session["sender"]] = out.get(session["sender"], 0) + session["received"]
    return out


def plc(daemon):
    return next((at for at in daemon.ask("locations")["locations"] if at["vm"] == "plc"), None)


def show(world, server):
    """The chain, step by step. Returns the agent, and what was seen."""
    say("a vCenter with 2 hosts and 4 VMs; VMs web, plc and hmi in namespaces, the agent in its own")
    agent = start(world, server)
    say("policy watch-plc: to the engine of this agent, which is ERSPAN II to its address")
    agent.apply(POLICY)
    w.wait_for("the session", lambda: agent.in_sync() and agent.sessions())
    held = server.state()["switches"][0]["sessions"]
    say("the session as the vCenter has it: " + ", ".join(
        f"{key} {held[0][key]}" for key in ("Name", "Description", "SessionType", "EncapType", "ErspanId")))
    say("ARP, ICMP, TCP, DNS, mDNS and Modbus/TCP between the VMs, until the agent has seen it")
    w.wait_for("copies and assets", lambda: (world.talk(), received(agent) and len(agent.ask("assets")["assets"]) >= 3)[1], 60)
    w.wait_for("the proof", lambda: (world.talk(), [one["state_text"] for one in agent.ask("sessions")["sessions"]])[1] ==
               ["active (received)"], 60)
    before, was = received(agent), plc(agent)["host"]
    to = next(host["name"] for host in server.state()["hosts"] if host["name"] != was)
    say(f"vMotion: plc goes from {was} to {to}")
    began = time.monotonic()
    server.order("migrate", vm="plc", host=to)
    w.wait_for("the move in the location table", lambda: plc(agent)["host"] == to)
    say(f"in the location table after {time.monotonic() - began:.2f} s")
    w.wait_for("copies from the other host", lambda: (world.talk(), len(received(agent)) > len(before) and min(
        received(agent).values()) > COPIES)[1], 60)
    record, = w.wait_for("the record", lambda: agent.ask("migrations")["migrations"])
    return agent, {"session": held[0], "copies": {"before": before, "after": received(agent)}, "migration": record}


def copies_text(copies):
    return ", ".join(f"{count} from {sender}" for sender, count in sorted(copies.items()))


def verdict(seen, sessions):
    """What was asked for, seen and proven, in a few lines."""
    held, record = seen["session"], seen["migration"]
    return [
        "asked    policy watch-plc: both directions of the VM plc, to the engine of this agent",
        f"made     session {held['Name']} on the distributed switch, {held['EncapType']} {held['ErspanId']}, read back from the vCenter",
        f"seen     copies at the agent by the host that sent them: {copies_text(seen['copies']['after'])}",
        f"moved    plc {record['from']} -> {record['to']}, and the copies come from there",
        "proven   " + ", ".join(f"{one['name']} {one['state_text']}" for one in sessions)]


def main_inside(options):
    pid = inside.enter("vmirror-demo")
    began = time.monotonic()
    world = w.World(DIRECTORY)
    try:
        with vcsim.Vcsim("--listen", "0.0.0.0:0", "--hosts", "2", "--vms", str(len(VMS)), "--names", ",".join(VMS)) as server:
            server.url = server.url.replace("0.0.0.0", "192.0.2.11").replace("[::]", "192.0.2.11")
            agent, seen = show(world, server)
            took = time.monotonic() - began
            end = {**seen, **{key: agent.ask(key)[key] for key in ("sessions", "assets", "flows", "locations")},
                   "seconds": round(took, 1)}
            if tell(options, verdict(seen, end["sessions"]), end):
                for command in ("status", "sessions", "locations", "migrations", "assets", "flows"):
                    print(f"\n--- vmirror {command}")
                    print(agent.run(command).stdout.rstrip(), flush=True)
                print(f"\nThe whole chain took {took:.1f} s.")
            if options.keep:
                sys.stderr.write(f"\nIt stays up. To look around:\n  nsenter -t {pid} -a --wd=/\n"
                                 f"  export VMIRROR_SOCKET={agent.socket}\n  {w.BIN}/vmirror sessions\n"
                                 f"To end it:\n  kill {pid}\n")
                inside.stay()
    except (w.Failed, RuntimeError, OSError, subprocess.SubprocessError) as error:
        return fail(options, error, world.save_logs("vmirror-demo-"))
    return 0


def main():
    out = parser("./run demo --vsphere", __doc__)
    out.add_argument("--vsphere", action="store_true", help=argparse.SUPPRESS)
    options = out.parse_args()
    if options.inside:
        return main_inside(options)
    if reason := inside.unavailable() or vcsim.missing():
        return fail(options, f"not available: {reason}")
    vcsim.program()  # Built out here, where Go has its cache.
    return inside.run(os.path.abspath(__file__), *sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
