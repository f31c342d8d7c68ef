"""Runs a script in namespaces of its own (mount, network, UTS, PID; a user namespace too without root),
so that everything it starts is private and ends with it, however it ends.

    outside: run(SCRIPT, ARGUMENTS)  ->  unshare ... python3 SCRIPT ARGUMENTS --inside
    inside:  enter(HOSTNAME)             mounts a private /run; SCRIPT is PID 1 in there

When PID 1 ends, the kernel ends all that it started and takes the namespaces down. It ends when the
process outside does, for whatever reason: they share a socket, the lifeline. `stay` cuts it.
"""

import os
import signal
import socket
import subprocess
import sys
import threading

_lifeline = None


def unavailable():
    """Why this can't be had here, in words; empty when it can."""
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


def run(script, *arguments):
    """Runs `script` inside. Returns its exit status, or 0 as soon as it calls `stay`."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen([*_unshare(), sys.executable, script, *arguments, "--inside"],
                               stdin=theirs, start_new_session=True)
    theirs.close()
    stays = False
    try:
        stays = ours.recv(1) == b"s"
        return 0 if stays else process.wait()
    except KeyboardInterrupt:
        return 130
    finally:
        if not stays:
            process.kill()
            process.wait()


def enter(hostname):
    """Called first by the script inside. Returns its process ID as seen from outside."""
    global _lifeline  # pylint: disable=global-statement
    outer_pid = int(os.readlink("/proc/self"))  # This /proc is still the one of outside.
    for command in (["mount", "--make-rprivate", "/"], ["mount", "-t", "proc", "proc", "/proc"],
                    ["mount", "-t", "tmpfs", "tmpfs", "/run"], ["ip", "link", "set", "lo", "up"],
                    ["hostname", hostname]):
        subprocess.run(command, check=True)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    _lifeline = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    threading.Thread(target=_watch_lifeline, daemon=True).start()
    return outer_pid


def _watch_lifeline():
    _lifeline.recv(1)  # Nothing is ever sent: this is the end of whoever started us.
    if not _staying.is_set():
        os._exit(1)


_staying = threading.Event()


def stay():
    """Inside: lets go of the process outside, which ends; then waits for SIGTERM for ever."""
    _staying.set()
    sys.stdout.flush()
    sys.stderr.flush()
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    _lifeline.send(b"s")
    while True:
        signal.pause()
