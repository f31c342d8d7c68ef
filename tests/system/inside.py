"""Runs a script in namespaces of its own (mount, network, UTS, PID; a user namespace too without root),
so that everything it starts is private and ends with it, however it ends.

    outside: run(SCRIPT, ARGUMENTS)  ->  unshare ... python3 SCRIPT ARGUMENTS --inside
    inside:  enter(HOSTNAME)             mounts a private /run; SCRIPT goes on as the child of PID 1

When PID 1 ends, the kernel ends all that it started and takes the namespaces down. It ends when SCRIPT
does, and that when the process outside does, for whatever reason: they share a socket, the lifeline.
`stay` cuts it. PID 1 only waits: for SCRIPT, and for what daemons leave to it (libvirt takes a guest
for running while its process is a zombie).
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
    _become_init()
    _lifeline = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    threading.Thread(target=_watch_lifeline, daemon=True).start()
    return outer_pid


def _become_init():
    """Returns in a new process. This one waits for all children, and ends as the new one does."""
    script = os.fork()
    if script == 0:
        return
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):  # Whoever reads what SCRIPT prints sees its end.
        os.dup2(null, number)
    while True:
        ended, status = os.wait()
        if ended == script:
            os._exit(os.waitstatus_to_exitcode(status) & 0xff)


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
