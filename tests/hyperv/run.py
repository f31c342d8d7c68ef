"""Runs the Pester tests of hyperv/VMirror in PowerShell; the ctests `hyperv/NAME`.

    python3 tests/hyperv/run.py [NAME...]     # the files NAME.Tests.ps1; all, if none is named

Prints each test as GoogleTest does, which tests/summary.py counts. Where PowerShell is missing a file is one
test that was skipped, with the reason. A file begins with the line `# at least: N tests`: fewer is a failure, for
a file that can't be read has none, which Pester takes for success.
"""

import os
import re
import subprocess
import sys
import tempfile

import tools

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "support"))
import server  # pylint: disable=wrong-import-position

SUFFIX = ".Tests.ps1"


def at_least(name):
    with open(os.path.join(HERE, name + SUFFIX), encoding="ascii") as file:
        found = re.match(r"# at least: (\d+) tests\n", file.readline())
    if not found:
        raise SystemExit(f"{name}{SUFFIX}: its first line must be `# at least: N tests`")
    return int(found[1])


def main(names):
    names = names or sorted(file[:-len(SUFFIX)] for file in os.listdir(HERE) if file.endswith(SUFFIX))
    if reason := tools.unavailable():
        for name in names:
            print(f"[ RUN      ] {name}\nSkipped\n{reason}\n[  SKIPPED ] {name} (0 ms)")
        return 0
    floor = sum(at_least(name) for name in names)
    pester = os.path.join(tools.package("pester"), "tools", "Pester.psd1")
    with tempfile.TemporaryDirectory(prefix="vmirror-hyperv-") as folder:
        server.make_certificates(folder)
        environment = {**os.environ, "TERM": "dumb", "NO_COLOR": "1", "POWERSHELL_TELEMETRY_OPTOUT": "1",
                       "POWERSHELL_UPDATECHECK": "Off", "VMIRROR_PYTHON": sys.executable, "VMIRROR_PWSH": tools.PWSH,
                       # The tests' CA is what this machine trusts.
                       "VMIRROR_CERTIFICATES": folder, "SSL_CERT_FILE": os.path.join(folder, "ca.pem"),
                       "VMIRROR_STANDARD": tools.package("powershellstandard.library"),
                       "VMIRROR_FRAMEWORK": tools.package("microsoft.netframework.referenceassemblies.net461")}
        done = subprocess.run([tools.PWSH, "-NoProfile", "-NonInteractive", "-File", os.path.join(HERE, "run.ps1"),
                               "-Pester", pester, "-AtLeast", str(floor), "-Name", ",".join(names)],
                              env=environment, check=False)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
