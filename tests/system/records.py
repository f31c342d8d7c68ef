"""Compares what a guest's peer saw to what the recorders at the mirrors saw (peer.py, recorder.py); and what
a migration's record must keep to.
"""

import time

#: Each of these steps comes before the other.
ORDER = (("port_added", "mirror_active"), ("mirror_active", "suspended"), ("suspended", "resumed"),
         ("resumed", "first_frame"), ("suspended", "mirror_removed"), ("last_frame", "mirror_removed"))
#: The switch's clock and libvirt's events come by two ways; a record may have them this much out of order.
SLACK = 0.05


def seconds(record, step):
    """A step's time of a record as seconds since 1970."""
    text = record[step]
    whole, _, rest = text.rstrip("Z").partition(".")
    return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone + float("0." + (rest or "0"))


def out_of_order(record):
    """Pairs of its steps of which the second came first."""
    return [(earlier, later) for earlier, later in ORDER
            if seconds(record, earlier) > seconds(record, later) + SLACK]


def read_peer(path, since=0.0):
    """What the peer knows: the guest's frames that came, those of its own that the guest answered,
    how many of its own the guest says that it has, and the guest's TCP connections."""
    out = {"from_guest": set(), "to_guest": set(), "sent": 0, "guest_received": 0, "connections": 0,
           "requests": 0, "closed": 0}
    with open(path, encoding="ascii") as log:
        for line in log:
            words = line.split()
            if not line.endswith("\n") or float(words[-1]) < since:
                continue
            kind = words[0]
            if kind in ("got", "echo"):
                out["from_guest"].add(int(words[1]))
                out["guest_received"] = max(out["guest_received"], int(words[2]))
            if kind == "echo":
                out["to_guest"].add(int(words[3]))
            count = {"sent": "sent", "accept": "connections", "tcp": "requests", "closed": "closed"}.get(kind)
            if count:
                out[count] += 1
    return out


def read_recording(path, guest):
    """{(is it the guest's, number): how many copies} of the guest with that address, and the frames that
    the recorder lost."""
    copies, lost = {}, 0
    with open(path, encoding="ascii") as log:
        for line in log:
            words = line.split()
            if not line.endswith("\n"):
                continue
            if words[0] == "lost":
                lost = int(words[1])
            elif words[0] in ("VMG", "VMA", "VMP") and words[2] == guest:
                key = (words[0] != "VMP", int(words[1]))
                copies[key] = copies.get(key, 0) + 1
    return copies, lost


def times(path, guest, kinds=("VMG", "VMA")):
    """When frames of the guest with that address were recorded: those that it sent, or other kinds."""
    with open(path, encoding="ascii") as log:
        for line in log:
            words = line.split()
            if line.endswith("\n") and words[0] in kinds and words[2] == guest:
                yield float(words[3])


def first_from_guest(path, since):
    """When the peer got the guest's first frame from then on, or None."""
    with open(path, encoding="ascii") as log:
        for line in log:
            words = line.split()
            if line.endswith("\n") and words[0] in ("got", "echo") and float(words[-1]) >= since:
                return float(words[-1])
    return None


def compare(peer, recordings, guest, since=0.0):
    """Frames that the peer saw, and which of them no recorder saw, or more than one did. The peer is
    read first, and what it saw is given time to be in the recordings."""
    knows = read_peer(peer, since)
    time.sleep(0.3)
    seen, lost, each = {}, 0, []
    for path in recordings:
        copies, dropped = read_recording(path, guest)
        lost += dropped
        each.append(len(copies))
        for key, count in copies.items():
            seen[key] = seen.get(key, 0) + count
    wanted = {(True, n) for n in knows["from_guest"]} | {(False, n) for n in knows["to_guest"]}
    missing = sorted(wanted - seen.keys())
    return {"peer_frames": len(wanted), "missing": len(missing), "missing_frames": missing[:20],
            "duplicates": sum(seen[key] - 1 for key in wanted if key in seen),
            "from_guest": len(knows["from_guest"]), "to_guest": len(knows["to_guest"]),
            "guest_received": knows["guest_received"], "recorded": each, "recorder_lost": lost,
            "connections": knows["connections"], "requests": knows["requests"], "closed": knows["closed"]}
