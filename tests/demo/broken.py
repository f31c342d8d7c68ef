"""A break and its healing, as the demos on Open vSwitch show them."""

import time

import world as w

CHANGED = "someone changed what is ours"


def break_and_heal(clear, is_back, daemon, session):
    """Takes all mirrors away as somebody at the host might. Returns what the daemon said of it, and in how many
    milliseconds the switch had them again."""
    def told():
        return [line.split("  ", 1)[1] for line in daemon.run("explain", session).stdout.splitlines()
                if CHANGED in line]
    before = len(told())
    began = time.monotonic()
    clear()
    w.wait_for("the mirrors to be back", lambda: is_back() and daemon.in_sync())
    took = round((time.monotonic() - began) * 1000)
    events = told()[before:]
    if not events:
        raise w.Failed(f"the mirrors are back, and `vmirror explain {session}` does not say that they were away")
    return {"event": events[0], "ms": took}


def broken_text(whose, healed):
    """The line of the verdict about a break and its healing: by which event it was noticed."""
    return f"broken   all mirrors{whose} were taken away by hand. \"{healed['event'].split(';')[0]}\": back in {healed['ms']} ms"


def proven_text(sessions):
    """Which sessions are proven, and by what; those whose proof is not to be had on their host are told apart."""
    open_ones = [s["name"] for s in sessions if s["proof"] == "none"]
    return ", ".join(f"{s['name']} {s['state_text']}" for s in sessions if s["name"] not in open_ones) + (
        f"; not proven on this host: {', '.join(open_ones)}" if open_ones else "")
