"""A vmirrord under test, with its files in a folder of its own, and `vmirror` that asks it."""

import json
import os
import signal
import subprocess

import world as w


class Daemon:
    """`settings` is the configuration without the paths, as a value; YAML takes JSON as it is."""

    def __init__(self, world, name, settings, netns=None):
        self.world, self.name, self.netns = world, name, netns
        self.folder = os.path.join(world.directory, name)
        self.policies = os.path.join(self.folder, "policies.d")
        self.socket = os.path.join(self.folder, "control.sock")
        self.config = os.path.join(self.folder, "vmirrord.yaml")
        self.eve = os.path.join(self.folder, "eve.json")
        self.state = os.path.join(self.folder, "state")
        os.makedirs(self.policies, exist_ok=True)
        if "switch" in settings:  # A test leaves the next one no mirrors.
            settings = {"on_stop": "remove", **settings}
        settings = {"host": name, "policies": self.policies, "socket": self.socket, "state": self.state,
                    **settings, "export": {"eve": [{"file": self.eve}], **settings.get("export", {})}}
        with open(self.config, "w", encoding="utf-8") as out:
            json.dump(settings, out, indent=1)

    # ---- Life ----

    def start(self):
        self.world.spawn(self.name, os.path.join(w.BIN, "vmirrord"), "--config", self.config,
                         netns=self.netns)
        w.wait_for(f"vmirrord of {self.name}", self._answers)
        return self

    def _answers(self):
        if not self.world.alive(self.name):
            with open(self.world.log_of(self.name), encoding="utf-8", errors="replace") as log:
                raise RuntimeError(f"vmirrord of {self.name} ended with {self.world.processes[self.name].poll()}: {log.read()[-2000:]}")
        return self.ask("status")

    def kill(self):
        self.world.kill(self.name)

    def stop(self):
        """Ends it as a service manager would; returns its exit status."""
        return self.world.kill(self.name, signal.SIGTERM)

    # ---- Policies ----

    def write_policy(self, name, text):
        """As an editor does: a new file takes the old one's place."""
        path = os.path.join(self.policies, name + ".yaml")
        with open(path + ".new", "w", encoding="utf-8") as out:
            out.write(text)
        os.rename(path + ".new", path)

    def remove_policy(self, name):
        os.remove(os.path.join(self.policies, name + ".yaml"))

    def apply(self, text):
        path = os.path.join(self.folder, "applied.yaml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return self.run("apply", "--wait", "0", path)

    # ---- Questions ----

    def run(self, *words, check=True, **options):
        """`vmirror` with these words; commands that talk to the daemon find it."""
        done = subprocess.run([os.path.join(w.BIN, "vmirror"), *words], capture_output=True, text=True, **options,
                              env={**os.environ, "VMIRROR_SOCKET": self.socket}, timeout=60, check=False)
        if check and done.returncode not in (0, 2):  # 2: an answer, with a `but`.
            raise w.Failed(f"`vmirror {' '.join(words)}`: {done.stderr.strip() or done.stdout.strip()}")
        return done

    def ask(self, *words):
        return json.loads(self.run(*words, "--json").stdout)

    def sessions(self):
        """State by session name."""
        return {s["name"]: s["state"] for s in self.ask("sessions")["sessions"]}

    def in_sync(self):
        done = self.run("plan", "--json", check=False)
        # A switch that can't be read is an error, which says nothing of that.
        return done.returncode in (0, 2) and json.loads(done.stdout).get("in_sync", False)


def host_daemon(world, **settings):
    """The one that drives the switch, on the host."""
    return Daemon(world, "host", {"switch": {"driver": "ovs", "remote": w.OVSDB},
                                  "local": {"offloads_off": True}, **settings})


def collector_daemon(world):
    """The one that takes ERSPAN in, in a namespace of its own."""
    return Daemon(world, "collector", {"inputs": [{"interface": "eth0", "accept": "encapsulated"}]},
                  netns="collector")
