"""vmirror-vcsim for tests: built, started, ordered about."""

import fcntl
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "..", "..", "build", "vsphere")
GOVMOMI = "/usr/share/gocode/src/github.com/vmware/govmomi"
START_S = 600


def missing():
    """What keeps this machine from building it, or an empty text."""
    if not shutil.which("go"):
        return "no go (Debian: golang-go)"
    if not os.path.isdir(GOVMOMI):
        return "no govmomi (Debian: golang-github-vmware-govmomi-dev)"
    # Later versions have another simulator.
    if not os.path.isfile(os.path.join(GOVMOMI, "simulator", "portgroup.go")) or "var Map = NewRegistry()" not in open(
            os.path.join(GOVMOMI, "simulator", "registry.go"), encoding="utf-8").read():
        return "govmomi's simulator is not that of 0.24 (Debian 12)"
    return ""


def go(*words):
    """Runs offline-go; one at a time, as two would build the same."""
    os.makedirs(BUILD, exist_ok=True)
    with open(os.path.join(BUILD, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return subprocess.run([os.path.join(HERE, "offline-go"), *words], capture_output=True, text=True, check=False)


def program():
    path = os.path.abspath(os.path.join(BUILD, "vmirror-vcsim"))
    done = go("build", "-o", path)
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)
    return path


class Vcsim:
    """A running one; use with `with`. `url`, `host`, `port`, `certificate` (a file), `thumbprint`."""

    def __init__(self, *options):
        self.folder = tempfile.mkdtemp(prefix="vmirror-vcsim-")
        self.log = open(os.path.join(self.folder, "log"), "w+", encoding="utf-8")
        # Its end is that of its standard input: none is left behind, however this process ends.
        self.process = subprocess.Popen([program(), "--with-parent", *options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise RuntimeError("vmirror-vcsim does not start: " + self.log.read())
        told = json.loads(line)
        self.url, self.control_url, self.thumbprint = told["url"], told["control"], told["thumbprint"]
        self.host, self.port = self.url.split("/")[2].rsplit(":", 1)
        self.certificate = os.path.join(self.folder, "certificate.pem")
        with open(self.certificate, "w", encoding="utf-8") as f:
            f.write(told["certificate"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(START_S)
        self.process.stdout.close()
        self.log.close()
        shutil.rmtree(self.folder)

    def tls(self):
        """Trusts this one's certificate and no other."""
        return ssl.create_default_context(cafile=self.certificate)

    def control(self, path, value=None, method=None):
        data = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(self.control_url + path, data, method=method or ("POST" if data else "GET"))
        with urllib.request.urlopen(request, timeout=START_S) as answer:
            return json.load(answer)

    def rule(self, method, how, **more):
        self.control("/rules", [{"method": method, "how": how, **more}])

    def order(self, do, **more):
        self.control("/orders", {"do": do, **more})

    def calls(self, method=None):
        return [call for call in self.control("/log") if method in (None, call["method"])]

    def state(self):
        return self.control("/state")
