"""./run demo --migrate: a guest that talks migrates between two hosts, and monitoring goes with it.

    hosta: libvirtd, QEMU, Open vSwitch, vmirrord  <== there and back ==>  hostb: the same

    migrate.py [--keep] [--json]

The guest is real (QEMU without KVM), and so are the live migrations. What vmirrord says of them is one
half; the other is independent of it: the guest's peer and recorders at the mirrors' ports note every
numbered frame. Everything is private to the demo (tests/system/inside.py) and ends with it.
"""

import argparse
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
# pylint: disable=wrong-import-position
import cluster as c
import inside
import world as w
from options import fail, parser, say, tell

DIRECTORY = "/run/demo"  # Of the private /run: it goes with the demo.
POLICY = """\
policy: watch
select:
  - vm: resident
  - labels: {role: pump-control}
targets: [local]
"""
METADATA = ('<metadata><v:guest xmlns:v="urn:vmirror:guest:1"><v:label key="role" value="pump-control"/>'
            "</v:guest></metadata>")
STEPS = ("port_added", "mirror_active", "suspended", "resumed", "first_frame", "last_frame",
         "mirror_removed")


def show(cluster):
    """Two migrations of a guest that talks. Returns the guest, the records and the account."""
    a, b = cluster.hosts.values()
    guest = c.Guest("plc7", 7, metadata=METADATA)
    say("hosta and hostb: Open vSwitch, libvirtd, vmirrord; policy: guests labelled role=pump-control")
    cluster.start(POLICY)
    say(f"guest {guest.name} boots on hosta; a frame each 5 ms to its peer, an answer to each of the peer's")
    cluster.start_guest(guest, a)
    for source, to in ((a, b), (b, a)):
        took = cluster.migrate(guest, source, to)
        say(f"virsh migrate --live {guest.name}: {source.name} -> {to.name}, {took:.2f} s")
    w.wait_for("hosta to have the guest and its mirror alone",
               lambda: a.mirrored(guest) and not b.ports_of(guest))
    account = cluster.account(guest)
    say("the records of both, as hosta's agent has them")
    return guest, wait_for_records(a.daemon, guest), account


def wait_for_records(daemon, guest):
    def complete():
        records = daemon.ask("migrations", guest.name)["migrations"]
        ended = [r for r in records if r["state"] != "running" and
                 all(r.get(step) for step in STEPS)]
        return len(ended) == 2 and ended
    return w.wait_for("two complete records (vmirror migrations)", complete, 20)


def incomplete(records):
    """What the records lack, by name; empty: nothing."""
    return [f"{record['from']} -> {record['to']}: no {key}" for record in records
            for key in (*STEPS, "gap_frames", "gap_ms", "duplicates") if record.get(key) is None]


def summary(records, account):
    keys = ("id", "vm", "from", "to", "state", "gap_frames", "gap_ms", "downtime_ms", "duplicates", *STEPS,
            "handover", "notes")
    return {"migrations": [{key: record.get(key) for key in keys} for record in records],
            **{key: account[key] for key in ("peer_frames", "missing", "duplicates", "recorder_lost")},
            "tcp": {key: account[key] for key in ("connections", "requests", "closed")}}


def leg(record):
    """One migration in words."""
    handed = record["handover"]
    return (f"{record['from']} -> {record['to']}: down for {record['downtime_ms']} ms, {record['gap_frames']} frames not "
            f"mirrored, {handed['flows']} flows handed over")


def verdict(guest, records, account, lacks):
    """What was asked for, seen and proven, in five lines; a line more for each further fault."""
    return [
        f"asked    policy watch: guests labelled role=pump-control, on whichever host; {guest.name} is one",
        "moved    " + "; ".join(leg(record) for record in records),
        f"seen     {account['peer_frames']} frames that the peer and {guest.name} exchanged; the mirrors of both hosts "
        f"together lack {account['missing']}, {account['duplicates']} are there twice",
        f"kept     {account['connections']} TCP connection through both migrations, {account['requests']} requests",
        *([f"wrong    {what}" for what in lacks] or
          ["proven   by recorders at the mirrors' ports and by the peer, beside vmirror's own records"])]


LOOK_AROUND = """
It stays up. To look around:
  nsenter -t {pid} -a --wd=/        # a shell outside both hosts; there:
    nsenter -t {a} -n -m -u         # a shell on hosta ({b}: hostb); there:
      export VMIRROR_SOCKET={socket}
      {bin}/vmirror migrations
      virsh migrate --live plc7 qemu+tcp://{address}/system tcp://{address}
To end it:
  kill {pid}
"""


def main_inside(options):
    pid = inside.enter("vmirror-demo")
    try:
        cluster = c.Cluster(DIRECTORY)
        guest, records, account = show(cluster)
    except (w.Failed, RuntimeError, OSError, subprocess.SubprocessError) as error:
        return fail(options, error, w.World(DIRECTORY).save_logs("vmirror-demo-"))
    a, b = cluster.hosts.values()
    lacks = incomplete(records) + ([f"{account['missing']} frames are missing"] if account["missing"] else [])
    for what in lacks:
        say(what)
    if tell(options, verdict(guest, records, account, lacks), summary(records, account)):
        print(f"\n--- On hosta: vmirror migrations {guest.name}")
        print(a.daemon.run("migrations", guest.name).stdout.rstrip(), flush=True)
    if options.keep:
        sys.stderr.write(LOOK_AROUND.format(
            pid=pid, a=a.processes["namespaces"].pid, b=b.processes["namespaces"].pid, bin=w.BIN,
            socket=a.daemon.socket, address=b.address))
        inside.stay()
    return 1 if lacks else 0


def main():
    options = parser("./run demo --migrate", __doc__)
    options.add_argument("--migrate", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.inside:
        return main_inside(chosen)
    if reason := inside.unavailable() or c.unavailable():
        return fail(chosen, f"not available: {reason}")
    return inside.run(os.path.abspath(__file__), *sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
