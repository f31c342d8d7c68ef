"""The agent's half of ./run demo --hyperv: a policy on two Hyper-V hosts by WMI over WS-Management, a live migration, the undo.

    vmirrord --NTLM, TLS, WS-Management--> vmirror-wsman: HV1 (vm1, SENSOR-HV1), HV2 (vm2, SENSOR-HV2)

    hyperv_wmi.py        prints one JSON object, of which `tables` are for people

The hosts are tests/wsman's, which hold the settings and keep the hosts' rules, but move no frames: that copies flow is not
shown. vmirrord, the commands, the protocol and the logon are real.
"""

import json
import os
import sys
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "wsman"), os.path.join(TESTS, "support")]
# pylint: disable=wrong-import-position
import wsman
from agent import Agent, missing, until

SECURITY = "Msvm_EthernetSwitchPortSecuritySettingData"
MODES = {0: "none", 1: "destination", 2: "source"}
POLICY = "policy: watch\nselect: [{vm: 'vm*'}]\ntargets: [local]\n"


def say(text):
    print(f"== {text}", file=sys.stderr, flush=True)


def modes(server):
    """By host and adapter, of those that mirror."""
    found = {}
    for vm in server.state()["vms"]:
        for adapter in vm["adapters"]:
            mode = adapter["port"]["features"].get(SECURITY, {}).get("MonitorMode", 0)
            if mode:
                found[f"{vm['host']} {vm['name']}/{adapter['name']}"] = MODES[mode]
    return found


def sensors(server):
    return sorted(name.split()[0] for name, mode in modes(server).items() if mode == "destination")


def table(agent, command):
    return f"\n--- vmirror {command}\n{agent.run(command).stdout.rstrip()}"


def show(server, agent):
    before = wsman.without_empty_lines(server.state())
    say("policy watch: both VMs, to the sensor of their host")
    agent.write("watch", POLICY)
    until("two sources, two destinations", lambda: len(modes(server)) == 4)
    applied = modes(server)
    tables = table(agent, "sessions")
    until("a subscription", lambda: "cluster's events" in json.dumps(agent.ask("status")))
    say("a live migration: vm1 goes from HV1 to HV2")
    began = time.monotonic()
    server.order("move", vm="vm1", to="HV2")
    until("moved", lambda: agent.locations().get("vm1", {}).get("host") == "HV2")
    after = round(time.monotonic() - began, 2)
    until("HV1's sensor is free", lambda: sensors(server) == ["HV2"])
    moved = modes(server)
    tables += "\n" + table(agent, "locations")
    say("another administrator turns vm2's mirroring off")
    server.order("feature", vm="vm2", adapter="Network Adapter", **{"class": SECURITY}, values={"MonitorMode": 0})
    until("mended", lambda: modes(server) == moved)
    say("the policy goes")
    agent.remove("watch")
    until("no mark and no mode", lambda: not modes(server) and "[vmirror]" not in json.dumps(server.state()))
    server.order("move", vm="vm1", to="HV1")
    calls = [one for one in server.calls() if one.get("operation")]
    return {"applied": applied, "moved": moved, "moved_after_s": after, "mended": True, "undone": wsman.without_empty_lines(server.state()) == before,
            "calls": len(calls), "logon": sorted({one["auth"] for one in calls}), "tables": tables}


def main():
    if why := wsman.missing() or missing():
        print(json.dumps({"skipped": why}))
        return 0
    with wsman.Wsman("--hosts", "2", "--vms", "2", "--no-basic") as server:
        urls = [url.rsplit("/", 1)[0] for url in server.urls.values()]
        switch = {"driver": "hyperv", "url": " ".join(urls), "thumbprint": " ".join([server.thumbprint] * len(urls)),
                  "auth": "ntlm", "monitor": "SENSOR-*/Monitor"}
        with Agent(switch, "vmirror", "Secret-1") as agent:
            print(json.dumps(show(server, agent)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
