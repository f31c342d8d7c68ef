"""Is a session's state true? Random changes, many at a time, and then what is said against what arrives.

Each round changes up to 50 ports, policies, VLANs, and now and then breaks something of the switch or of the way
to the collector; 6.5 s later it listens for 3 s at every output port and at the collector, asks vmirrord before
and after, and judges each session of which it says the same both times:

    active and fewer than 99% of the frames that should be copied arrived     active is not true
    failed and 99% or more of them arrived                                    failed is not true

A session that is *active, not proven* claims no arrival, and one whose copies are *sent* claims none while the way
to the collector is cut past the switch. What should be copied is what a listener saw enter the switch (out), or
reach its guest (in), of the VLANs that the policy asks for; a copy counts with the length that was asked for.

VMIRROR_CHANGES is the number of changes in all (`./run soak truth`: 10,000), VMIRROR_SEED what they
come from, and VMIRROR_ROUND the round to begin with: the rounds before are gone through without being carried out,
so that a fault that was found is found again.
"""

import collections
import copy
import dataclasses
import json
import os
import random
import sys
import time
import unittest

import fleet as f
import system
import world as w

PORTS = 50
CHANGES = int(os.environ.get("VMIRROR_CHANGES", "60"))
SEED = int(os.environ.get("VMIRROR_SEED", "1"))
FIRST_ROUND = int(os.environ.get("VMIRROR_ROUND", "0"))
SETTLE, LISTEN = 6.5 * w.PATIENCE, 3.0  #: Seconds: judged together 10 s after the change.
ENOUGH = 20  #: Frames that should have been copied, below which nothing is judged.
TARGETS = {"local": "local",
           "erspan2": {"erspan": {"address": w.COLLECTOR_ADDRESS, "version": 2}},
           "gre": {"gre": {"address": w.COLLECTOR_ADDRESS, "key": 77}}}
#: What is broken for one round, of all.
BREAKS = ("the switch's daemon is killed and started again", "the switch's daemon is killed",
          "the way to the collector is down", "the route to the collector is gone",
          "somebody cleared the mirrors", "somebody set a snaplen")


@dataclasses.dataclass
class Policy:
    direction: str
    snaplen: int
    vlans: list
    targets: list

    def text(self, guest):
        return json.dumps({"policy": f"p{guest}", "select": [{"port": f.port(guest)}],
                           "direction": self.direction, "snaplen": self.snaplen, "vlans": self.vlans,
                           "targets": [TARGETS[target] for target in self.targets]})

    def takes(self, tag):
        return not self.vlans or (tag or 0) in self.vlans


@dataclasses.dataclass
class Guest:
    plugged: int = 0  #: How often its port was added; 0: it is not there.
    tag: int = 0
    talks: bool = False
    policy: Policy = None


@dataclasses.dataclass
class Plan:
    """What the world should be like. Pure: `change` depends on the dice alone."""

    guests: list
    broken: str = ""

    @staticmethod
    def first():
        return Plan([Guest() for _ in range(PORTS)])

    def change(self, dice, count):
        """The next plan: `count` changes, each of another guest, and now and then a break."""
        after = copy.deepcopy(self)
        after.broken = dice.choice(BREAKS) if dice.random() < 0.25 else ""
        for number in dice.sample(range(PORTS), count):
            _change(after.guests[number], dice)
        return after


def _policy(dice):
    return Policy(dice.choice(("in", "out", "both", "both")), dice.choice((0, 0, 64, 128)),
                  dice.choice(([], [], [10], [10, 20], [0])),
                  dice.choice((["local"], ["local"], ["local"], ["erspan2"], ["gre"], ["local", "erspan2"])))


def _change(guest, dice):
    what = dice.choice(("plug", "tag", "talk", "policy", "policy", "policy", "unplug", "quiet"))
    if guest.plugged == 0 or what == "plug":
        guest.plugged += 1
        guest.tag = dice.choice((0, 10, 20))
        guest.talks = dice.random() < 0.9
        guest.policy = guest.policy or _policy(dice)
    elif what == "tag":
        guest.tag = dice.choice([tag for tag in (0, 10, 20) if tag != guest.tag])
    elif what == "talk":
        guest.talks = True
    elif what == "policy":
        guest.policy = None if guest.policy and dice.random() < 0.2 else _policy(dice)
    elif what == "unplug" and dice.random() < 0.3:
        guest.plugged = 0
    elif what == "quiet" and dice.random() < 0.5:
        guest.talks = False


def wanted_frames(plan, number, heard, sent):
    """The frames that a session of this guest should copy: (source, number) of each, in the window."""
    guest = plan.guests[number]
    sources = {number} if guest.policy.direction != "in" else set()
    out = set()
    for source in sources:
        if guest.policy.takes(plan.guests[source].tag):
            out |= {key for key in heard.entered if key[0] == source}
    source = (number - 1) % PORTS
    if guest.policy.direction != "out" and guest.policy.takes(plan.guests[source].tag):
        out |= {key for key in heard.delivered if key[0] == source}
    return {key for key in out if sent[key[0]][0] <= key[1] < sent[key[0]][1]}


def copies_of(session, heard):
    """What came where the session's copies go: length by frame."""
    if session["target"] == "local":
        return heard.copies.get(session["output"], {})
    return heard.remote.get(session["session_id"] or 0, {})


def arrived(frames, copies, policy):
    """Of `frames` those whose copy came, as long as the policy asks for."""
    # A tag that the copy carries is not among the bytes that a packet socket shows, and is among those kept.
    lengths = {policy.snaplen, policy.snaplen - 4} if policy.snaplen else {f.FRAME_BYTES}
    return {key for key in frames if copies.get(key) in lengths}


def told(session):
    """What is said of a session, and of which mirror."""
    return session["state"], session["proof"], session["output"], session["session_id"]


class Truth(unittest.TestCase):
    """The rounds, one after the other, on one switch."""

    @classmethod
    def setUpClass(cls):
        if reason := os.environ.get("VMIRROR_SKIP", ""):
            raise unittest.SkipTest(reason)
        cls.world = f.Fleet(f.in_test_folder(cls.__name__), PORTS)
        cls.world.start()
        cls.host = system.host_daemon(cls.world).start()
        cls.talkers = f.Talkers(PORTS)

    @classmethod
    def tearDownClass(cls):
        cls.talkers.end()
        cls.world.end()

    # ---- From one plan to the next ----

    def carry_out(self, before, after):
        self.mend(before)
        words, policies = [], {}
        for number, (was, now) in enumerate(zip(before.guests, after.guests)):
            self.talkers.talks[number] = now.talks and now.plugged > 0
            if now.plugged == 0:
                words += ["--", "--if-exists", "del-port", f.port(number)]
            elif now.plugged != was.plugged:
                words += self.world.plug_words(number, now.tag)
            elif now.tag != was.tag:
                words += ["--", "set", "Port", f.port(number), f"tag={now.tag or '[]'}"]
            if now.policy != was.policy:
                policies[number] = now.policy
        if words:
            self.world.vsctl(*words[1:])
        for number, policy in policies.items():
            if policy:
                self.host.write_policy(f"p{number}", policy.text(number))
            else:
                self.host.remove_policy(f"p{number}")
        if after.broken:
            self.break_it(after.broken)

    def start_switch_again(self):
        self.world.start_vswitchd()
        self.world.raise_bridges()

    def break_it(self, what):
        if what.startswith("the switch's daemon"):
            self.world.kill("ovs-vswitchd")
            if what.endswith("again"):
                self.start_switch_again()
        elif what == "the way to the collector is down":
            self.world.run("ip", "-n", "collector", "link", "set", "eth0", "down")
        elif what == "the route to the collector is gone":
            self.world.run("ip", "address", "flush", "dev", "br-wan")
        elif what == "somebody cleared the mirrors":
            self.world.vsctl("clear", "Bridge", "br0", "mirrors")
        else:
            for name in list(self.world.mirrors())[:1]:
                self.world.vsctl("--if-exists", "set", "Mirror", name, "snaplen=70")  # vmirrord may be faster.

    def mend(self, before):
        if before.broken == "the switch's daemon is killed":
            self.start_switch_again()
        elif before.broken == "the way to the collector is down":
            self.world.run("ip", "-n", "collector", "link", "set", "eth0", "up")
        elif before.broken == "the route to the collector is gone":
            self.world.raise_bridges()

    # ---- What is said, and what is so ----

    def judge(self, plan):
        """(faults, counts by state, sessions held against frames): each fault in words, with what explains it."""
        before = {s["name"]: told(s) for s in self.host.ask("sessions")["sessions"]}
        heard, sent, no_witness = f.listen(self.talkers, LISTEN, "collector")
        sessions = self.host.ask("sessions")["sessions"]
        faults, counts, judged = [], {}, 0
        if no_witness:
            print(f"not judged: {no_witness}", file=sys.stderr)
            return faults, counts, judged
        for session in sessions:
            number = int(session["port"].removeprefix("vnet"))
            guest, state = plan.guests[number], session["state_text"]
            counts[state] = counts.get(state, 0) + 1
            if guest.policy is None or session["state"] == "draining":
                continue
            frames = wanted_frames(plan, number, heard, sent)
            if (len(frames) < ENOUGH or not self.claims_arrival(session, plan) or
                    before.get(session["name"]) != told(session)):
                continue
            judged += 1
            copies = copies_of(session, heard)
            share = len(arrived(frames, copies, guest.policy)) / len(frames)
            if (session["state"] == "active" and share < 0.99) or (session["state"] == "failed" and share >= 0.99):
                lengths = collections.Counter(copies.get(key) for key in frames)
                faults.append(f"{session['name']} is {state} ({session['reason']}): {share:.3f} of "
                              f"{len(frames)} frames arrived, by length {dict(lengths)}, {len(copies)} of all "
                              f"there; {guest}; broken: {plan.broken or 'nothing'}\n"
                              + self.host.run("explain", session["name"], check=False).stdout)
        return faults, counts, judged

    @staticmethod
    def claims_arrival(session, plan):
        if session["state"] != "active":
            return session["state"] == "failed"
        cut = plan.broken == "the way to the collector is down"
        return session["proof"] != "none" and not (session["proof"] == "sent" and cut)

    def test_every_state_is_true_after_every_round(self):
        plan, changes, number, began = Plan.first(), 0, 0, time.monotonic()
        dice, faults, said, held = random.Random(SEED), [], {}, 0
        carried_out = Plan.first()
        while changes < CHANGES:
            count = min(CHANGES - changes, PORTS if number == 0 else dice.randint(PORTS // 2, PORTS))
            plan = plan.change(dice, count)
            changes += count
            number += 1
            if number <= FIRST_ROUND:
                continue
            self.carry_out(carried_out, plan)
            carried_out = plan
            time.sleep(SETTLE)
            found, counts, judged = self.judge(plan)
            held += judged
            for state, many in counts.items():
                said[state] = said.get(state, 0) + many
            found = [f"round {number} (VMIRROR_SEED={SEED} VMIRROR_ROUND={number - 1}): {one}" for one in found]
            faults += found
            print(f"round {number}, {changes} of {CHANGES} changes, {time.monotonic() - began:.0f} s, "
                  f"{plan.broken or 'nothing broken'}: {counts}, {judged} judged, {len(found)} untrue",
                  *found, sep="\n", file=sys.stderr, flush=True)
        self.mend(carried_out)
        print(f"{changes} changes in {number} rounds: sessions by state {said}, held against frames {held}, "
              f"untrue {len(faults)}")
        self.assertTrue(said.get("active (received)"), "no session was ever active: nothing was tried")
        self.assertGreater(held, 0, "no session was held against the frames that arrived")
        self.assertEqual(faults, [], "\n".join(faults))


if __name__ == "__main__":
    system.main(__file__)
