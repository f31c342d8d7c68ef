"""A row of the table of protocols, and the records that it makes of both sides. Pure.

A record is a tuple of values, one a field of the row. Two records agree if their tuples are equal.
"""
import dataclasses
import functools
from collections.abc import Callable

from normal import words_of


def number(text):
    """tshark's "17", "0x0011", "True"; a number of ours as it is."""
    if isinstance(text, (int, float)):
        return int(text)
    if text in ("True", "False"):
        return int(text == "True")
    try:
        return int(text, 16 if text.lower().startswith("0x") else 10)
    except ValueError:
        return text.strip()


@dataclasses.dataclass(frozen=True)
class Field:
    """tshark: the element, or elements of which the first that is there counts. ours: the key in our record,
    with dots between levels, or a function of the record. Both values go through `both`; tshark's through
    `theirs` before, ours through `mine`. What is not there is None, and stays it. `many`: all that there are,
    as a tuple. `pick`: chooses tshark's values from {element: [values]}, where the first element's are not the ones.
    An element "NAME#" stands for the words that tshark prints for the value of NAME."""
    tshark: str | tuple
    ours: str | Callable
    both: Callable = number
    theirs: Callable | None = None
    mine: Callable | None = None
    many: bool = False
    pick: Callable | None = None
    absent: object = None  # what both sides are taken to say where they say nothing

    @property
    def name(self):
        """How a difference in it is called."""
        named = isinstance(self.ours, str) or self.ours.__name__ == "<lambda>"
        return self.ours if isinstance(self.ours, str) else self.elements[0] if named else self.ours.__name__

    @property
    def elements(self):
        return (self.tshark,) if isinstance(self.tshark, str) else self.tshark


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """name: of the protocol. begin: the element of tshark's with which a record begins; it lasts up to the next one
    in the frame. ours: the event types. only, unless: tshark's records count only if they have one of those elements,
    and none of these (a pair is an element and a test of its values; a function is a test of all values). mine: which
    of our records count. why: the reason why records do not count. once: a frame has one record at most; layers of
    that name inside it belong to it. within: names of layers; the last of them before the record must be the first."""
    name: str
    begin: str | tuple
    ours: str | tuple
    fields: tuple
    only: tuple = ()
    unless: tuple = ()
    mine: Callable | None = None
    once: bool = False
    within: tuple = ()
    why: str = ""

    @property
    def begins(self):
        return (self.begin,) if isinstance(self.begin, str) else self.begin

    @property
    def types(self):
        return (self.ours,) if isinstance(self.ours, str) else self.ours

    @functools.cached_property
    def elements(self):
        """All names that the row needs of tshark."""
        out = {*self.begins, *self.within}
        for field in self.fields:
            out.update(field.elements)
        for test in (*self.only, *self.unless):
            if not callable(test):
                out.add(test if isinstance(test, str) else test[0])
        return out


def _passes(values, test):
    if callable(test):
        return test(values)
    if isinstance(test, str):
        return test in values
    name, accepts = test
    return any(accepts(number(value)) for value in values.get(name, ()))


def _counts(row, values):
    if row.only and not any(_passes(values, test) for test in row.only):
        return False
    return not any(_passes(values, test) for test in row.unless)


def groups(row, frame):
    """The records of a frame on tshark's side, each as {element: [values]}."""
    begins, names, out, inside = set(row.begins), row.elements, [], None
    for name, value, label in frame.elements:
        if name in row.within:
            inside = name
        if name in begins and not (row.once and out) and (not row.within or inside == row.within[0]):
            out.append({})
        if out and name in names:
            out[-1].setdefault(name, []).append(value)
        if out and name + "#" in names:
            out[-1].setdefault(name + "#", []).append(words_of(label))
    return [values for values in out if _counts(row, values)]


def _finish(field, values, own):
    if own is not None:
        values = [own(value) for value in values]
    values = [field.both(value) for value in values if value is not None]
    values = [value for value in values if field.many or value != ""]
    if field.many:
        return tuple(values) if values else field.absent
    return values[0] if values else field.absent


def their_record(row, values):
    out = []
    for field in row.fields:
        if field.pick:
            found = field.pick(values)
        else:
            found = next((values[name] for name in field.elements if name in values), [])
        out.append(_finish(field, found if field.many else found[:1], field.theirs))
    return tuple(out)


def _at(record, path):
    """All values at "a.b" of our record; lists on the way are gone through."""
    found = [record]
    for key in path.split("."):
        found = [each[key] for each in found if isinstance(each, dict) and key in each]
        found = [one for each in found for one in (each if isinstance(each, list) else [each])]
    return found


def our_record(row, record):
    out = []
    for field in row.fields:
        if isinstance(field.ours, str):
            found = _at(record, field.ours)
        else:
            found = field.ours(record)
            found = [] if found is None else found if isinstance(found, list) else [found]
        out.append(_finish(field, found if field.many else found[:1], field.mine))
    return tuple(out)
