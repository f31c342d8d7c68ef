"""A vmirrord on a switch far away, for tests in Python: started, given policies, asked."""

import json
import os
import shutil
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.abspath(os.environ.get("VMIRROR_BIN", os.path.join(ROOT, "build", "release", "bin")))
PATIENCE_S = 60


def missing():
    """Why there is no vmirrord to start, or an empty text."""
    return "" if os.path.exists(os.path.join(BIN, "vmirrord")) else f"no vmirrord in {BIN}"


def until(what, condition, seconds=PATIENCE_S):
    deadline = time.monotonic() + seconds
    while True:
        seen = condition()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"within {seconds} s not {what}")
        time.sleep(0.02)


class Agent:
    """A vmirrord, with `vmirror` that asks it; use with `with`. `switch`: that section of its configuration, without
    credentials. Without a user it has none. `on_stop`: `keep` ends at once where the switch can't be reached."""

    def __init__(self, switch, user, password, on_stop="remove"):
        self.folder = tempfile.mkdtemp(prefix="vmirror-driver-")
        self.policies, self.socket = os.path.join(self.folder, "policies.d"), os.path.join(self.folder, "control.sock")
        os.makedirs(self.policies)
        credentials = os.path.join(self.folder, "credentials")
        with open(os.open(credentials, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8") as out:
            out.write(f"username={user}\npassword={password}\n")
        self.config = os.path.join(self.folder, "vmirrord.yaml")
        with open(self.config, "w", encoding="utf-8") as out:
            json.dump({"host": "agent", "policies": self.policies, "socket": self.socket, "state": os.path.join(self.folder, "state"),
                       "on_stop": on_stop, "switch": {**({"credentials_file": credentials} if user else {}), **switch}}, out)
        self.log = open(os.path.join(self.folder, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([os.path.join(BIN, "vmirrord"), "--config", self.config], stdout=self.log, stderr=self.log)

    def __enter__(self):
        until("answering", lambda: self.run("status").returncode != 1 or self.process.poll() is not None)
        if self.process.poll() is not None:
            self.log.seek(0)
            raise AssertionError("vmirrord ended: " + self.log.read()[-2000:])
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.log.close()
        shutil.rmtree(self.folder)

    def write(self, name, text):
        path = os.path.join(self.policies, name + ".yaml")
        with open(path + ".new", "w", encoding="utf-8") as out:
            out.write(text)
        os.rename(path + ".new", path)

    def remove(self, name):
        os.remove(os.path.join(self.policies, name + ".yaml"))

    def run(self, *words):
        return subprocess.run([os.path.join(BIN, "vmirror"), *words], capture_output=True, text=True, check=False, timeout=PATIENCE_S,
                              env={**os.environ, "VMIRROR_SOCKET": self.socket})

    def ask(self, *words):
        done = self.run(*words, "--json")
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def sessions(self):
        return {one["name"]: one for one in self.ask("sessions").get("sessions", [])}

    def locations(self):
        """By VM, where it is: a NIC that is gone from a port is told for an hour beside the one that came."""
        return {one["vm"]: one for one in self.ask("locations").get("locations", []) if one["vm"] and one["presence"] != "gone"}
