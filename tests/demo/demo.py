"""./run demo: the whole chain on real parts, in namespaces.

    guests --> Open vSwitch --mirror--> vmirrord on the host
                    +--ERSPAN II, then III--> vmirrord in the collector's namespace

    demo.py [--keep] [--json]

Everything is private to the demo (tests/system/inside.py) and ends with it. Where namespaces aren't
allowed it shows the offline half: a capture file through decapsulation to the tables.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
# pylint: disable=wrong-import-position
import capture
import inside
import world as w
from broken import break_and_heal, broken_text, proven_text
from daemon import collector_daemon, host_daemon
from options import fail, parser, say, tell

DIRECTORY = "/run/demo"  # Of the private /run: it goes with the demo.
POLICY = """\
policy: watch-plc
select:
  - vm: plc
direction: both
targets:
  - local
  - erspan: {{address: {collector}, version: {version}, session: {session}}}
"""


def settled(daemon):
    """True once every session is active: counters of the switch and of the mirror moved alike."""
    sessions = daemon.ask("sessions")["sessions"]
    return bool(sessions) and all(session["state"] == "active" for session in sessions)


def covered(daemon):
    """True once the engine's and the switch's counts of the guest were compared and agree: a ratio above 1
    is a fault of counting."""
    coverage = daemon.ask("status")["coverage"]
    return bool(coverage) and all(
        row["ratio"] is not None and 0.999 <= row["ratio"] <= 1 and row["faults"] == 0 for row in coverage)


def received(daemon, encapsulation):
    """Copies of that kind that the collector took in."""
    return sum(session["received"] for one in daemon.ask("status")["inputs"]
               for session in one["sessions"] if session["encapsulation"] == encapsulation)


def show(world):
    """The chain, step by step. Returns the two daemons."""
    say("Open vSwitch (userspace datapath), guests web, plc and hmi, a collector")
    world.start_switch()
    world.add_collector()
    world.start_guests()

    say("vmirrord on the host and in the collector")
    host = host_daemon(world).start()
    collector = collector_daemon(world).start()

    for version in (2, 3):
        say(f"policy watch-plc: to the local engine, and to the collector as ERSPAN type {version}")
        host.apply(POLICY.format(collector=w.COLLECTOR_ADDRESS, version=version, session=5))
        w.wait_for("the mirrors", lambda: len(host.ask("sessions")["sessions"]) == 2 and
                   host.in_sync())
        say("ARP, ICMP, TCP, DNS, mDNS and Modbus/TCP between the guests")
        kind = f"erspan{version}"
        w.wait_for(f"ERSPAN type {version} at the collector",
                   lambda k=kind: (world.talk(), received(collector, k) > 0)[1])
    say("more of it, until the switch's own counters (every 5 s) prove the mirrors complete")
    world.talk_until("full coverage and active sessions", lambda: covered(host) and settled(host))
    return host, collector


def summary(host, collector):
    """The end as one object."""
    status = host.ask("status")
    far = collector.ask("status")

    def frames(of):
        return {key: of["frames"][key] for key in ("received", "analysed", "held", "dropped")}

    return {
        "sessions": [{key: s[key] for key in ("name", "state", "state_text", "proof", "reason", "session_id")}
                     for s in host.ask("sessions")["sessions"]],
        "frames": frames(status),
        "coverage": status["coverage"],
        "assets": host.ask("assets")["assets"],
        "flows": host.ask("flows")["flows"],
        "collector": {"frames": frames(far), "inputs": far["inputs"],
                      "assets": collector.ask("assets")["assets"]},
    }


def taken_away(world, host):
    """Takes all mirrors away; returns what was told of it, and the sessions that are proven again."""
    before = sorted(world.mirrors())
    healed = break_and_heal(lambda: world.vsctl("clear", "bridge", "br0", "mirrors"),
                            lambda: sorted(world.mirrors()) == before, host, "vnet-plc@local")
    world.talk_until("sessions that are proven again", lambda: settled(host))
    healed["proven"] = proven_text(host.ask("sessions")["sessions"])
    return healed


def verdict(end, healed):
    """What was asked for, seen and proven, in five lines."""
    [nic] = end["coverage"]
    protocols = sorted({flow["app_proto"] for flow in end["flows"] if flow["app_proto"]})
    return [
        "asked    policy watch-plc: both directions of guest plc, to the engine here and to a collector",
        f"seen     {nic['received']} frames of {nic['port']} of {nic['counted']} that the switch counted; at the collector "
        f"{end['collector']['frames']['received']} copies",
        "proven   " + proven_text(end["sessions"]),
        f"found    {len(end['assets'])} assets, flows of {', '.join(protocols)}",
        f"{broken_text('', healed)}, proven again: {healed['proven']}"]


def tables(host, collector):
    for title, daemon, commands in (("On the host", host, ("status", "assets", "flows")),
                                    ("In the collector", collector, ("status", "assets"))):
        for command in commands:
            print(f"\n--- {title}: vmirror {command}")
            print(daemon.run(command).stdout.rstrip(), flush=True)


LOOK_AROUND = """
It stays up. To look around:
  nsenter -t {pid} -a --wd=/        # a shell on the demo's host; there:
    export VMIRROR_SOCKET={host}
    {bin}/vmirror status
    {bin}/vmirror explain vnet-plc@local
    ovs-vsctl list Mirror
    ip netns exec hmi python3 {traffic} modbus {plc} 100
    ip netns exec collector {bin}/vmirror status --socket {socket}
  Logs, policies and the database are in there, too: {directory}
To end it:
  kill {pid}
"""


def main_inside(options):
    pid = inside.enter("vmirror-demo")
    began = time.monotonic()
    world = w.World(DIRECTORY)
    try:
        host, collector = show(world)
        end = summary(host, collector)
        say("somebody takes all mirrors away")
        healed = taken_away(world, host)
    except (w.Failed, RuntimeError, OSError, subprocess.SubprocessError) as error:
        return fail(options, error, world.save_logs("vmirror-demo-"))
    took = time.monotonic() - began
    if tell(options, verdict(end, healed), {**end, "healed": healed, "seconds": round(took, 1)}):
        tables(host, collector)
        print(f"\nThe whole chain took {took:.1f} s.")
    if options.keep:
        sys.stderr.write(LOOK_AROUND.format(
            pid=pid, bin=w.BIN, traffic=os.path.join(w.HERE, "traffic.py"), plc=w.GUESTS["plc"][0],
            host=host.socket, socket=collector.socket, directory=DIRECTORY))
        inside.stay()
    return 0


def offline(options, reason):
    """Without namespaces: a capture file, decapsulated and analysed by the same pipeline."""
    say(f"{reason}; showing the offline half: a capture file of an ERSPAN II mirror")
    with tempfile.TemporaryDirectory(prefix="vmirror-demo-") as directory:
        path, eve = os.path.join(directory, "erspan.pcap"), os.path.join(directory, "eve.json")
        capture.write(path)
        vmirror = os.path.join(w.BIN, "vmirror")
        out = subprocess.run([vmirror, "analyze", "--json", "--eve", eve, path], check=True,
                             capture_output=True)
        report = json.loads(out.stdout)
        with open(eve, encoding="utf-8") as lines:
            events = [json.loads(line) for line in lines]
        assets = list({event["asset"]["mac"]: event["asset"]  # The latest of each.
                       for event in events if event["event_type"] == "asset"}.values())
        if options.json:
            frames = {"received": report["packets"], "analysed": report["analysed"],
                      "dropped": report["dropped"]}
            print(json.dumps({"offline": reason, "sessions": [], "frames": frames, "coverage": [],
                              "assets": assets, "analyze": report}))
            return 0
        for command in ("dissect", "analyze"):
            print(f"\n--- vmirror {command} erspan.pcap", flush=True)
            subprocess.run([vmirror, command, path], check=True)
        print("\n--- assets of its EVE events")
        for asset in assets:
            print(f"{asset['mac']}  {asset.get('vendor', '-'):26}{' '.join(asset['ips'])}")
    return 0


def main():
    chosen = parser("./run demo", __doc__).parse_args()
    if chosen.inside:
        return main_inside(chosen)
    if reason := inside.unavailable():
        return offline(chosen, reason)
    return inside.run(os.path.abspath(__file__), *sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
