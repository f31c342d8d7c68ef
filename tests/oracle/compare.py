"""Compares the records of both sides. Pure.

Records are paired in this order:
 1. equal, and of the same time (of the frame that completes them);
 2. equal, anywhere in the capture: `moved`, counted as agreeing;
 3. of the same time, but not equal: a difference in the fields that are not;
 4. what remains is a difference: "only tshark" or "only vmirror".
Before step 3, a record of tshark's in a frame that tshark calls malformed agrees with an anomaly of ours of that
protocol at that time (`malformed`); and one in a frame of which the capture has less than was sent agrees with
silence (`cut`): ours tells nothing of a message that it has only a part of.
"""
import collections
import dataclasses

from row import groups, our_record, their_record

ONLY_TSHARK, ONLY_OURS = "only tshark", "only vmirror"


@dataclasses.dataclass(frozen=True)
class Record:
    time_us: int
    values: tuple
    frame: int = 0      # of tshark; 0: ours
    malformed: bool = False
    cut: bool = False


@dataclasses.dataclass(frozen=True)
class Difference:
    kind: str           # "only tshark", "only vmirror", or the fields that differ, joined by a comma
    frame: int
    tshark: tuple | None
    ours: tuple | None
    time_us: int = 0


@dataclasses.dataclass
class Result:
    compared: int = 0
    agreeing: int = 0
    moved: int = 0
    malformed: int = 0
    cut: int = 0
    differences: list = dataclasses.field(default_factory=list)


def _take_equal(left, right, key):
    """The pairs of equal key, and what remains of both, in order."""
    waiting = collections.defaultdict(collections.deque)
    for record in right:
        waiting[key(record)].append(record)
    pairs, rest = [], []
    for record in left:
        queue = waiting.get(key(record))
        if queue:
            pairs.append((record, queue.popleft()))
        else:
            rest.append(record)
    taken = {id(pair[1]) for pair in pairs}
    return pairs, rest, [record for record in right if id(record) not in taken]


def compare(row, theirs, ours, anomalies):
    """theirs, ours: Records. anomalies: Counter of the times at which we called a message of the row malformed."""
    out = Result()
    same, theirs, ours = _take_equal(theirs, ours, lambda record: (record.time_us, record.values))
    moved, theirs, ours = _take_equal(theirs, ours, lambda record: record.values)
    anomalies = collections.Counter(anomalies)
    remaining = []
    told = {record.time_us for record in ours}
    for record in theirs:
        if record.malformed and anomalies[record.time_us] > 0:
            anomalies[record.time_us] -= 1
            out.malformed += 1
        elif record.cut and record.time_us not in told:
            out.cut += 1
        else:
            remaining.append(record)
    differing, theirs, ours = _take_equal(remaining, ours, lambda record: record.time_us)
    for left, right in differing:
        kind = ",".join(field.name for field, a, b in zip(row.fields, left.values, right.values) if a != b)
        out.differences.append(Difference(kind, left.frame, left.values, right.values, left.time_us))
    out.differences += [Difference(ONLY_TSHARK, r.frame, r.values, None, r.time_us) for r in theirs]
    out.differences += [Difference(ONLY_OURS, 0, None, r.values, r.time_us) for r in ours]
    out.moved = len(moved)
    out.agreeing = len(same) + len(moved) + out.malformed + out.cut
    out.compared = out.agreeing + len(out.differences)
    return out


def compare_capture(rows, frames, ours, anomalies):
    """frames: tshark's. ours: event_type -> [(time, record)]. anomalies: app_proto -> Counter of times.
    Gives {row's name: Result} of the rows that either side has records of."""
    out = {}
    for row in rows:
        theirs = [Record(frame.time_us, their_record(row, values), frame.number, frame.malformed, frame.cut)
                  for frame in frames for values in groups(row, frame)]
        mine = [Record(time_us, our_record(row, record))
                for kind in row.types for time_us, record in ours.get(kind, ())
                if row.mine is None or row.mine(record)]
        called = collections.Counter()
        for kind in row.types:
            called.update(anomalies.get(kind, ()))
        if theirs or mine:
            out[row.name] = compare(row, theirs, mine, called)
    return out
