"""What tshark says of a capture: per frame its time and its elements, in the order of the tree.

The engine of tshark is asked through sharkd, which comes with it: one process reads capture after capture, and so
a thousand captures cost one start. Its answers are lines of JSON (wireshark.org, "sharkd JSON-RPC"). A frame is a
tree of nodes; l: the words, f: a display filter that holds name and value, t "proto": a layer, n: what is inside.

    {"l": "Modbus/TCP", "t": "proto", "f": "mbtcp", "n": [
        {"l": "Transaction Identifier: 1", "f": "mbtcp.trans_id == 1"}, ...]}

What is taken of the trees is kept, packed, under the capture's hash: it does not depend on the table of protocols.
"""
import dataclasses
import json
import os
import pathlib
import re
import select
import shutil
import subprocess
import sys
import tempfile

import kept

# With segments put in order, tshark waits for ever at a hole in a capture; without, it loses what came out of order.
# The holes are more. The head of an HTTP message is told before its body has come. Names are not looked up.
PREFERENCES = """
tcp.reassemble_out_of_order: FALSE
http.desegment_body: FALSE
nameres.mac_name: FALSE
nameres.transport_name: FALSE
nameres.network_name: FALSE
gui.max_tree_depth: 500
"""
# An ICMP error quotes a message (RFC 792, RFC 4443), which tshark dissects as if somebody had sent it.
QUOTING = {"icmp.type": {"3", "4", "5", "11", "12"}, "icmpv6.type": {"1", "2", "3", "4"}}
# Of these layers only what follows is kept; they are most of a tree.
CARRIERS = ("frame", "eth", "ip", "ipv6", "tcp", "udp")
KEPT = {"frame.time_epoch", "tcp.analysis.retransmission", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport"}
PATIENCE = 120  # Seconds for an answer.
KEPT_VERSION = 1  # Of what the cache holds.
MALFORMED = "_ws.malformed"
CUT = "_ws.short"

sys.setrecursionlimit(20_000)  # Of json: a tree may be as deep as what it shows.

_VALUE = re.compile(r"^([\w.\-]+)(?: == (.*))?$", re.S)
_QUOTED = re.compile(r'\\(x[0-9a-fA-F]{2}|.)', re.S)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


@dataclasses.dataclass(frozen=True)
class Frame:
    number: int
    time_us: int
    malformed: bool       # by tshark, somewhere
    cut: bool             # the capture has less of it than was sent
    elements: tuple       # of (name, value or "", words)


def version():
    """The first line of `tshark --version`, or "" where there is none."""
    try:
        done = subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    if shutil.which("sharkd") is None:
        return ""
    return done.stdout.splitlines()[0] if done.stdout else ""


class Sharkd:
    """One process of sharkd. `decode_as`: lines of Wireshark's file of that name, as "tcp.port,1502,(none),mbtcp"."""

    def __init__(self, decode_as=()):
        # A person's own settings must not change what is compared.
        self._unread = b""
        self._settings = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        folder = pathlib.Path(self._settings.name)
        (folder / "preferences").write_text(PREFERENCES)
        (folder / "decode_as_entries").write_text("".join(f"decode_as_entry: {line}\n" for line in decode_as))
        environment = {**os.environ, "WIRESHARK_CONFIG_DIR": str(folder), "TZ": "UTC", "LC_ALL": "C.UTF-8"}
        self._process = subprocess.Popen(  # pylint: disable=consider-using-with
            ["sharkd", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=environment)

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        self._settings.cleanup()

    def _write(self, number, method, parameters):
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()

    def _read(self, method):
        pipe = self._process.stdout.fileno()
        while b"\n" not in self._unread:
            if not select.select([pipe], [], [], PATIENCE)[0]:
                raise RuntimeError(f"sharkd does not answer `{method}`")
            more = os.read(pipe, 1 << 20)
            if not more:
                raise RuntimeError(f"sharkd ended in `{method}`")
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        return json.loads(line)

    def ask(self, method, **parameters):
        self._write(1, method, parameters)
        return self._read(method).get("result")

    def load(self, path):
        """Loads a capture; gives its number of frames. Of a file that breaks off sharkd says nothing at all."""
        self._write(1, "load", {"file": str(path)})
        self._write(2, "status", {})
        answer = self._read("load")
        if answer["id"] == 1:
            if "error" in answer:
                raise RuntimeError(f"tshark could not read {path}")
            answer = self._read("status")
        return answer["result"]["frames"]

    def trees(self, path):
        """The trees of all frames of a capture."""
        return [(self.ask("frame", frame=number, proto=True) or {}).get("tree", [])
                for number in range(1, self.load(path) + 1)]


_RUNNING = {}


def frames(path, decode_as=(), cache="."):
    """The frames of a capture; from the cache, if it was read before. One sharkd a process and set of rules."""
    def read():
        if decode_as not in _RUNNING:
            _RUNNING[decode_as] = Sharkd(decode_as)
        try:
            trees = _RUNNING[decode_as].trees(path)
        except RuntimeError:
            _RUNNING.pop(decode_as).close()
            raise
        return [dataclasses.astuple(frame_of(number, tree)) for number, tree in enumerate(trees, 1)]

    key = kept.key_of(path, decode_as, PREFERENCES, KEPT_VERSION, version_once())
    return [dataclasses.replace(frame, elements=sent(frame.elements))
            for frame in (Frame(*fields) for fields in kept.kept(cache, key, read))]


_VERSION = []


def version_once():
    if not _VERSION:
        _VERSION.append(version())
    return _VERSION[0]


def _unquote(value):
    if len(value) < 2 or value[0] != '"':
        return value
    return _QUOTED.sub(lambda m: chr(int(m[1][1:], 16)) if m[1][0] == "x" and len(m[1]) > 1
                       else _ESCAPES.get(m[1], m[1]), value[1:-1])


def _walk(nodes, out):
    """Appends (name, value, label) of each node that has a name."""
    for node in nodes:
        match = _VALUE.match(node.get("f", ""))
        if match and (match[1] in KEPT or match[1].split(".")[0] not in CARRIERS):
            out.append((match[1], _unquote(match[2] or ""), node.get("l", "")))
        if "n" in node:
            _walk(node["n"], out)


def _microseconds(seconds):
    whole, _, fraction = seconds.partition(".")
    return int(whole) * 1_000_000 + int(fraction[:6].ljust(6, "0"))


def sent(elements):
    """The elements without those that an ICMP error quotes: what follows its type and is not ICMP's own, and all that
    follows a second layer of ICMP."""
    for at, (name, value, _) in enumerate(elements):
        if value in QUOTING.get(name, ()):
            own = name.split(".", maxsplit=1)[0]
            quoted = next((i for i in range(at, len(elements)) if elements[i][0] == own), len(elements))
            return [*elements[:at], *(one for one in elements[at:quoted] if one[0].split(".")[0] == own)]
    return elements


def frame_of(number, tree):
    elements = []
    _walk(tree, elements)
    names = {name for name, _, _ in elements}
    time = next((value for name, value, _ in elements if name == "frame.time_epoch"), "0")
    return Frame(number, _microseconds(time), MALFORMED in names, CUT in names, tuple(elements))
