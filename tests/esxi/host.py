"""An ESXi host to run vmirror-esxi-span on: its state, the stand-in for esxcli (standin.py), and the shell that
ESXi has, busybox, with a PATH that holds only the applets which the script may count on.

`esxcli` and `vim-cmd` are scripts that hand their words to a thread of the test through one FIFO and print what comes
back by another: a Python program each would make the sweeps over all calls ten times as slow.
"""

import copy
import json
import os
import shutil
import subprocess
import tempfile
import threading

import standin

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = os.path.join(HERE, "..", "..", "esxi_scripts", "vmirror-esxi-span")
APPLETS = ("awk", "cat", "md5sum", "mkdir", "mv", "rm", "tr")
BUSYBOX = shutil.which("busybox")
# Debian's busybox prefers its own applets to PATH; dash does not, and so shows which ones the script needs.
SHELLS = {"busybox": [BUSYBOX, "sh"], "dash": ["/bin/sh"]}
SPAN = "SPAN Network"
DEADLINE_S = 600

# Asks with one write of `NUMBER OF WORDS`, and the words; is answered with `CODE STREAM LINES`, and the lines.
CLIENT = """#!/bin/sh
trap '' TERM
{ printf '%s\\n' "$(($# + 1))" PROGRAM "$@"; } >'FOLDER/words'
exec 3<'FOLDER/answer'
read -r code stream lines <&3
while [ "$lines" -gt 0 ]; do
  IFS= read -r line <&3
  printf '%s\\n' "$line" >&"$stream"
  lines=$((lines - 1))
done
exit "$code"
"""


def policy(promiscuous=False, mac=True, forged=True):
    return {"promiscuous": promiscuous, "mac": mac, "forged": forged}


def group(switch="vSwitch0", vlan=0, clients=0, **own):
    return {"switch": switch, "vlan": vlan, "clients": clients, "security": own}


WORLD = {
    "uuid": "5f0c1d6e-0000-1111-2222-0050568f0001", "version": "7.0.3", "option": 0, "build": {}, "vms": [],
    "switches": {
        "vSwitch0": {"uplinks": ["vmnic0", "vmnic1"], "security": policy()},
        "one uplink": {"uplinks": ["vmnic2"], "security": policy()},
        "open": {"uplinks": [], "security": policy(promiscuous=True)},
    },
    "groups": {
        "Management Network": group(clients=1),
        "VM Network": group(clients=2, vlan=12, mac=False),
        "lab": group("one uplink", 7),
    },
    "vmkernel": {"vmk0": "Management Network"},
    "faults": {}, "calls": [], "toggles": [],
}


def world(*changes):
    """A host's state, changed by functions of it."""
    state = copy.deepcopy(WORLD)
    for change in changes:
        change(state)
    return state


def configuration(state):
    """What an administrator sees: all but the log and the faults to come."""
    return {key: copy.deepcopy(state[key]) for key in ("switches", "groups", "vmkernel", "option")}


class Host:
    """A host in a folder of its own; use with `with`. `state` may be read and changed between runs."""

    def __init__(self, state=None, shell="busybox"):
        self.shell = SHELLS[shell]
        self.state = state or world()
        self.process = None
        self.folder = tempfile.mkdtemp(prefix="vmirror esxi ")
        self.store = os.path.join(self.folder, "rollback files")
        self.programs = os.path.join(self.folder, "bin")
        os.mkdir(self.programs)
        for applet in APPLETS:
            os.symlink(BUSYBOX, os.path.join(self.programs, applet))
        for program in ("esxcli", "vim-cmd"):
            name = os.path.join(self.programs, program)
            with open(name, "w", encoding="utf-8") as f:
                f.write(CLIENT.replace("PROGRAM", program).replace("FOLDER", self.folder))
            os.chmod(name, 0o755)
        self.words, self.answer = self.fifo("words"), self.fifo("answer")
        self.server = threading.Thread(target=self.serve)
        self.server.start()

    def fifo(self, name):
        """Opened for both directions, so that no open waits for the other side and nobody reads an end."""
        path = os.path.join(self.folder, name)
        os.mkfifo(path)
        return os.open(path, os.O_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.write(self.words, b"0\n")
        self.server.join()
        os.close(self.words)
        os.close(self.answer)
        shutil.rmtree(self.folder)

    def serve(self):
        with open(self.words, encoding="utf-8", closefd=False) as words:
            while count := int(words.readline()):
                asked = [words.readline()[:-1] for _ in range(count)]
                answer = standin.call(self.state, asked, lambda signal: os.killpg(self.process.pid, signal))
                if answer:
                    head = f"{answer.code} {answer.stream} {answer.text.count(chr(10))}\n"
                    os.write(self.answer, (head + answer.text).encode())

    def run(self, *words):
        """Exit code, standard output, standard error."""
        # A client that was killed while it waited may still take a byte, until it is dead: it has the old one.
        os.close(self.answer)
        os.remove(os.path.join(self.folder, "answer"))
        self.answer = self.fifo("answer")
        # A session of its own: what is killed is this run and nothing else.
        with subprocess.Popen([*self.shell, SCRIPT, *words, "--state", self.store], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"PATH": self.programs},
                              start_new_session=True) as self.process:
            out, err = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, out, err

    def json(self, *words):
        code, out, err = self.run(*words, "--json")
        return code, json.loads(out), err

    def configuration(self):
        return configuration(self.state)

    def records(self):
        folder = os.path.join(self.store, self.state["uuid"])
        return sorted(name for name in os.listdir(folder) if name != "lock") if os.path.isdir(folder) else []

    def writes(self):
        return [call["words"] for call in self.state["calls"] if call["writes"]]
