"""What the tests of hyperv/VMirror need, from NuGet, pinned: PowerShell, Pester, reference assemblies.

    python3 tests/hyperv/tools.py        # into build/hyperv; silent when all is there
    python3 tests/hyperv/tools.py --why  # prints why the tests can't run here, or nothing

PowerShellStandard.Library has the types of Windows PowerShell 5.1, Microsoft.NETFramework.ReferenceAssemblies
those of the .NET Framework that it runs on: what a script names must be in one of them.
"""

import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(ROOT, "build", "hyperv")
POWERSHELL = "7.6.9"
PACKAGES = {"pester": "6.2.0", "powershellstandard.library": "5.1.1",
            "microsoft.netframework.referenceassemblies.net461": "1.0.3"}
PWSH = os.path.join(FOLDER, f"powershell-{POWERSHELL}", "pwsh")


def package(name):
    return os.path.join(FOLDER, "packages", name, PACKAGES[name])


def missing():
    """What is still to be fetched, by name."""
    names = [] if os.path.exists(PWSH) else [f"PowerShell {POWERSHELL}"]
    return names + [f"{name} {version}" for name, version in PACKAGES.items() if not os.path.isdir(package(name))]


def unavailable():
    """Why the tests can't run here, or an empty text."""
    if not shutil.which("dotnet"):  # PowerShell needs it to start, too.
        return "no .NET SDK (dotnet), which brings PowerShell and Pester: the module VMirror was not tested"
    if not missing():
        return ""
    return f"not there: {', '.join(missing())} (python3 tests/hyperv/tools.py fetches it): the module VMirror was not tested"


def call(*words):
    environment = {**os.environ, "DOTNET_CLI_TELEMETRY_OPTOUT": "1", "DOTNET_NOLOGO": "1"}
    done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout.strip()[-2000:]}")


def fetch():
    """An SDK of version 10 or later: `dotnet package download` is new there."""
    os.makedirs(FOLDER, exist_ok=True)
    if not os.path.exists(PWSH):
        folder = os.path.dirname(PWSH)
        shutil.rmtree(folder, ignore_errors=True)  # Cut off in the middle.
        call("dotnet", "tool", "install", "PowerShell", "--version", POWERSHELL, "--tool-path", folder)
    wanted = [f"{name}@{version}" for name, version in PACKAGES.items() if not os.path.isdir(package(name))]
    if wanted:
        call("dotnet", "package", "download", *wanted, "--output", os.path.join(FOLDER, "packages"))


def main(arguments):
    if arguments == ["--why"]:
        print(unavailable(), end="")
        return 0
    if missing() and shutil.which("dotnet"):
        try:
            fetch()
        except (RuntimeError, OSError) as error:
            print(f"tools.py: {error}", file=sys.stderr)
    if reason := unavailable():
        print(f"tools.py: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
