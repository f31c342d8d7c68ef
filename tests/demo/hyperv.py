"""./run demo --hyperv: the PowerShell module on two stand-in Hyper-V hosts: a document, sessions, a move, the undo.

    hyperv.py [--keep] [--json]

PowerShell, the module, the TLS server that the document comes from, and the commands are real; Microsoft's modules
Hyper-V, FailoverClusters and CimCmdlets are the stand-ins of tests/hyperv, for they run on Windows alone.
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


def listed(value):
    """PowerShell writes a list of one as that one."""
    return value if isinstance(value, list) else [value]


def verdict(told):
    """What was asked for, seen and proven, in a few lines."""
    checks = [check for check in listed(told["checks"]) if check["Passed"]]
    return [
        "asked    a document of two sessions, dc1 and plc, to the sensors of their hosts; read over HTTPS",
        "seen     " + ", ".join(f"{s['Name']} on {s['ComputerName']} {s['State']}" for s in listed(told["applied"])),
        "moved    dc1 to hv2: " + ", ".join(f"{s['Name']} on {s['ComputerName']} {s['State']}"
                                            for s in listed(told["sessions"]) if s["State"] == "ready"),
        f"proven   {len(checks)} checks of Test-VMirror passed, none failed",
        "undone   " + ("both hosts are as they were" if told.get("undone") else "no: --keep")]


def main():
    out = parser("./run demo --hyperv", __doc__)
    out.add_argument("--hyperv", action="store_true", help=argparse.SUPPRESS)
    options = out.parse_args()
    if reason := tools.unavailable():
        return fail(options, f"not available: {reason}")
    began = time.monotonic()
    say("two stand-in Hyper-V hosts of the cluster hvc1: dc1 on hv1, plc on hv2, a sensor on each")
    try:
        with tempfile.TemporaryDirectory(prefix="vmirror-demo-") as folder:
            told, tables = show(options, folder)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        return fail(options, error)
    took = time.monotonic() - began
    if told["error"]:
        print(tables, file=sys.stderr)
        return fail(options, told["error"])
    if tell(options, verdict(told), {**told, "seconds": round(took, 1)}):
        print(tables.rstrip())
        print(f"\nAll of it took {took:.1f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
