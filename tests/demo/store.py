"""./run demo --cluster: one policy for three hosts, by a store of three servers that loses its leader.

    hosta, hostb, hostc: Open vSwitch, two guests, vmirrord, a server of the store each

    store.py [--keep] [--json]

A policy is applied once, a guest moves to another host, the leader of the store is killed, and another policy is
applied: the mirrors of all hosts are told throughout by Open vSwitch itself. Everything is private to the demo
(tests/system/inside.py) and ends with it.
"""

import argparse
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
# pylint: disable=wrong-import-position
import inside
import stores
import world as w
from broken import break_and_heal, broken_text
from options import fail, parser, say, tell

DIRECTORY = "/run/demo"  # Of the private /run: it goes with the demo.


def mirrored(hosts):
    """The ports that the mirrors of each host select, as its switch has them."""
    return {host.name: host.mirrored_ports() for host in hosts}


def show(joined):
    """What the end of the demo tells, as one object."""
    a, b, c = hosts = list(joined.hosts.values())
    say("hosta, hostb, hostc: Open vSwitch, two guests, a server of the store (vmirror cluster init, join), vmirrord")
    for host in hosts:
        host.make_server()
        host.start_machines()
        host.start_agent()
    say("vmirror apply, once, on hosta: the guests plc")
    a.daemon.apply(stores.POLICY.format(name="plcs", port="vnet-plc"))
    b.daemon.run("wait", "plcs", "--for", "realised")
    first = mirrored(hosts)
    say("the guest hmi of hostc becomes a plc: its port moves to that name")
    c.vsctl("del-port", "vnet-hmi")
    c.run("ip", "link", "set", "vnet-hmi", "name", "vnet-plc2")
    c.vsctl("add-port", "br0", "vnet-plc2")
    [leader] = [host for host in hosts if host.server_status()["role"] == "leader"]
    mirrors = {host.name: host.rows("Mirror", "_uuid") for host in hosts}
    leader.kill_server()
    say(f"the leader, the server of {leader.name}, is killed; vmirror apply on hostb: all that is called plc")
    w.wait_for("the policy to be taken",
               lambda: b.daemon.apply(stores.POLICY.format(name="plcs", port="vnet-plc*")), 60)
    b.daemon.run("wait", "plcs", "--for", "realised")
    second = mirrored(hosts)
    kept = mirrors == {host.name: host.rows("Mirror", "_uuid") for host in hosts}
    say("somebody takes all mirrors of hosta away")
    healed = break_and_heal(lambda: a.vsctl("clear", "bridge", "br0", "mirrors"),
                            lambda: a.mirrored_ports() == second[a.name], a.daemon, "vnet-plc@local")
    say(f"the server of {leader.name} comes back, and follows")
    return {"healed": healed, "before": first, "after": second, "mirrors_kept": kept, "leader_killed": leader.name,
            "member_again": leader.cluster_command("start")["well"],
            "policies": b.daemon.ask("get", "policies")["policies"],
            "sessions": b.daemon.ask("sessions", "--all-hosts")["sessions"]}


def wrong(told):
    """What is not as it should be, in words; empty: nothing."""
    plc, both = ["vnet-plc"], ["vnet-plc", "vnet-plc2"]
    out = []
    if told["before"] != dict.fromkeys(stores.HOSTS, plc):
        out.append(f"mirrored at first: {told['before']}")
    if told["after"] != {"hosta": plc, "hostb": plc, "hostc": both}:
        out.append(f"mirrored at the end: {told['after']}")
    for key in ("mirrors_kept", "member_again"):
        if not told[key]:
            out.append(f"not {key}")
    return out


def ports_text(mirrored_ports):
    return "; ".join(f"{host}: {', '.join(ports) or 'nothing'}" for host, ports in sorted(mirrored_ports.items()))


def verdict(told, faults):
    """What was asked for, seen and proven, in a few lines."""
    return [
        "asked    one policy for three hosts, stated once: the guests called plc",
        f"seen     Open vSwitch's own mirrors. {ports_text(told['before'])}",
        f"moved    the store's leader on {told['leader_killed']} was killed, then the policy changed on hostb: the guests plc*. "
        f"{ports_text(told['after'])}",
        *([f"wrong    {what}" for what in faults] or
          [f"proven   no mirror was made anew by that, and the server of {told['leader_killed']} is a member again"]),
        broken_text(" of hosta", told["healed"])]


LOOK_AROUND = """
It stays up. To look around:
  nsenter -t {pid} -a --wd=/        # a shell outside the hosts; there:
    nsenter -t {a} -n -m -u         # a shell on hosta ({b}: hostb, {c}: hostc); there:
      export VMIRROR_SOCKET={socket}
      {bin}/vmirror get policies; {bin}/vmirror get hosts; {bin}/vmirror sessions --all-hosts
      {bin}/vmirror cluster status --folder {folder}
To end it:
  kill {pid}
"""


def main_inside(options):
    pid = inside.enter("vmirror-demo")
    try:
        joined = stores.Joined(DIRECTORY, stores.HOSTS)
        told = show(joined)
    except (w.Failed, RuntimeError, OSError, subprocess.SubprocessError) as error:
        return fail(options, error, w.World(DIRECTORY).save_logs("vmirror-demo-"))
    hosts = list(joined.hosts.values())
    faults = wrong(told)
    for what in faults:
        say(what)
    if tell(options, verdict(told, faults), told):
        for words in (("get", "policies"), ("get", "hosts"), ("sessions", "--all-hosts")):
            print(f"\n--- On hosta: vmirror {' '.join(words)}")
            print(hosts[0].daemon.run(*words).stdout.rstrip(), flush=True)
    if options.keep:
        a, b, c = (host.processes["namespaces"].pid for host in hosts)
        sys.stderr.write(LOOK_AROUND.format(pid=pid, a=a, b=b, c=c, bin=w.BIN, socket=hosts[0].daemon.socket,
                                            folder=hosts[0].store_folder))
        inside.stay()
    return 1 if faults else 0


def main():
    options = parser("./run demo --cluster", __doc__)
    options.add_argument("--cluster", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.inside:
        return main_inside(chosen)
    if reason := inside.unavailable():
        return fail(chosen, f"not available: {reason}")
    return inside.run(os.path.abspath(__file__), *sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
