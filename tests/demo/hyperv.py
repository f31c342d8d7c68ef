"""./run demo --hyperv: Hyper-V by the agent through WMI, then by the PowerShell module: sessions, a move, the undo.

    hyperv.py [--keep] [--json]

PowerShell, the module, the TLS server that the document comes from, and the commands are real; Microsoft's modules
Hyper-V, FailoverClusters and CimCmdlets are the stand-ins of tests/hyperv, for they run on Windows alone. The agent's half is
hyperv_wmi.py.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

from options import fail, parser, say, tell

HERE = os.path.dirname(os.path.abspath(__file__))
HYPERV = os.path.join(os.path.dirname(HERE), "hyperv")
sys.path[:0] = [HYPERV, os.path.join(HYPERV, "support")]
# pylint: disable=wrong-import-position
import server
import tools


def show(options, folder):
    """Runs hyperv.ps1. Returns its object, and its tables as text; with --keep it is a shell, which shows them itself."""
    server.make_certificates(folder)
    result = os.path.join(folder, "result.json")
    environment = {**os.environ, "VMIRROR_PYTHON": sys.executable, "VMIRROR_CERTIFICATES": folder,
                   "POWERSHELL_TELEMETRY_OPTOUT": "1", "POWERSHELL_UPDATECHECK": "Off", "NO_COLOR": "1", "TERM": "dumb"}
    words = [tools.PWSH, "-NoProfile", *(["-NoExit"] if options.keep else []), "-File", os.path.join(HERE, "hyperv.ps1"),
             "-Result", result, *(["-Keep"] if options.keep else [])]
    done = subprocess.run(words, env=environment, stdout=subprocess.PIPE if not options.keep else
                          sys.stderr if options.json else None, text=True, check=False)
    if not os.path.exists(result):
        raise RuntimeError(f"PowerShell ended with {done.returncode}, without a result")
    with open(result, encoding="utf-8-sig") as file:
        return json.load(file), done.stdout or ""


def show_agent():
    """Runs hyperv_wmi.py in Debian's Python, which has the libraries of Debian's packages. `skipped` says why it could not."""
    done = subprocess.run(["/usr/bin/python3", os.path.join(HERE, "hyperv_wmi.py")], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the agent's half ended with {done.returncode}")
    return json.loads(done.stdout)


def listed(value):
    """PowerShell writes a list of one as that one."""
    return value if isinstance(value, list) else [value]


def agents_part(wmi):
    """What the agent's half says in each line of the verdict, by the line's word; nothing where it was not shown."""
    if why := wmi.get("skipped"):
        return {"asked": f"the agent's half is not shown ({why})"}
    def said(key):
        return ", ".join(f"{name} {mode}" for name, mode in sorted(wmi[key].items()))
    return {
        "asked": f"of the agent, by WMI ({' and '.join(wmi['logon'])}): policy watch, both VMs to the sensor of their host",
        "seen": said("applied"),
        "moved": f"vm1 to HV2, known after {wmi['moved_after_s']} s by an event: {said('moved')}",
        "proven": "a mode that somebody turned off was mended",
        "undone": "the policy went, and HV1 and HV2 are as they were"}


def module_part(told):
    def said(sessions):
        return ", ".join(f"{s['Name']} on {s['ComputerName']} {s['State']}" for s in sessions)
    checks = [check for check in listed(told["checks"]) if check["Passed"]]
    return {
        "asked": "of the PowerShell module: a document of two sessions, dc1 and plc, read over HTTPS",
        "seen": said(listed(told["applied"])),
        "moved": "dc1 to hv2: " + said(s for s in listed(told["sessions"]) if s["State"] == "ready"),
        "proven": f"{len(checks)} checks of Test-VMirror passed, none failed",
        "undone": "hv1 and hv2 are as they were" if told.get("undone") else "hv1 and hv2: no, by --keep"}


def verdict(told):
    """What was asked for, seen and proven, in five lines, each of both halves. The hosts are stand-ins: they carry no frames."""
    agent, module = agents_part(told["wmi"]), module_part(told)
    return [f"{word:<9}" + "; ".join(part[word] for part in (agent, module) if word in part) for word in module]


def main():
    out = parser("./run demo --hyperv", __doc__)
    out.add_argument("--hyperv", action="store_true", help=argparse.SUPPRESS)
    options = out.parse_args()
    if reason := tools.unavailable():
        return fail(options, f"not available: {reason}")
    began = time.monotonic()
    say("the agent: two hosts for tests, HV1 and HV2, by WS-Management")
    try:
        wmi = show_agent()
    except (RuntimeError, OSError, ValueError) as error:
        return fail(options, error)
    agents_tables = wmi.pop("tables", "")
    if not wmi.get("undone", True):
        return fail(options, "the hosts are not as they were before the agent's policy")
    say("the module: two stand-in Hyper-V hosts of the cluster hvc1: dc1 on hv1, plc on hv2, a sensor on each")
    try:
        with tempfile.TemporaryDirectory(prefix="vmirror-demo-") as folder:
            told, tables = show(options, folder)
            told["wmi"] = wmi
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        return fail(options, error)
    took = time.monotonic() - began
    if told["error"]:
        print(tables, file=sys.stderr)
        return fail(options, told["error"])
    if tell(options, verdict(told), {**told, "seconds": round(took, 1)}):
        print(agents_tables + "\n\n" + tables.strip())
        print(f"\nAll of it took {took:.1f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
