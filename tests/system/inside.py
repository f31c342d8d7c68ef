"""Runs a command in namespaces of its own (mount, network, UTS, PID; a user namespace too without
root), so that everything it starts is private and ends with it, however it ends.

    outside.run([...])  ->  unshare ... python3 SCRIPT --inside  ->  enter() mounts a private /run

The script inside is PID 1 of its namespace: when it ends, the kernel ends all that it started. It ends
when the process outside does (they share a pipe, the lifeline), unless it said `keep`.
"""

import os
import signal
import subprocess
import sys
import threading

LIFELINE = "VMIRROR_LIFELINE"


def unavailable():
    """Why namespaces can't be had here, in words; empty when they can."""
    probe = subprocess.run([*_unshare(), "true"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        return f"no namespaces: {probe.stderr.strip() or 'unshare failed'} (run as root)"
    try:
        with open("/dev/net/tun", "rb+", buffering=0):
            pass
    except OSError as error:
        return f"/dev/net/tun: {error.strerror} (Open vSwitch's internal ports need it; run as root)"
    return ""


def _unshare():
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--mount", "--net", "--uts", "--pid", "--fork", "--kill-child"]


def start(script, *arguments):
    """Starts `script` inside. The caller holds the lifeline: the returned object's `stdin`."""
    return subprocess.Popen([*_unshare(), sys.executable, script, *arguments, "--inside"],
                            stdin=subprocess.PIPE, start_new_session=True,
                            env={**os.environ, LIFELINE: "1"})


def run(script, *arguments):
    """Runs `script` inside and returns its exit status."""
    process = start(script, *arguments)
    try:
        return process.wait()
    except KeyboardInterrupt:
        return 130
    finally:
        process.kill()
        process.wait()


def enter(hostname):
    """Called first by the script inside. Returns its process ID as seen from outside."""
    outer_pid = int(os.readlink("/proc/self"))  # This /proc is still the one of outside.
    for command in (["mount", "--make-rprivate", "/"], ["mount", "-t", "proc", "proc", "/proc"],
                    ["mount", "-t", "tmpfs", "tmpfs", "/run"], ["ip", "link", "set", "lo", "up"],
                    ["hostname", hostname]):
        subprocess.run(command, check=True)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    if os.environ.pop(LIFELINE, ""):
        threading.Thread(target=_watch_lifeline, daemon=True).start()
    return outer_pid


def _watch_lifeline():
    if os.read(0, 1) == b"":
        os._exit(1)  # Whoever started this is gone: so is everything here.


def keep(process):
    """Outside: lets what runs inside live on by itself."""
    process.stdin.write(b"k")
    process.stdin.flush()
