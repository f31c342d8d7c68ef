"""WQL, as far as the WMI plug-in of WinRM takes it: SELECT ... FROM ... WHERE, ASSOCIATORS OF, REFERENCES OF.

    parse(text) -> Select | Related;  matches(Select.where, instance) -> bool

Comparisons ignore the case of texts, a backslash in a text is doubled, LIKE knows %, _, [a-f] and [^a]. A comparison with
NULL is false, but for IS NULL.
"""

import re
from typing import NamedTuple, Optional

import schema

TOKEN = re.compile(r"""\s*(?:("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(-?\d+(?:\.\d+)?)|(<>|!=|<=|>=|[=<>(),*])|([\w.]+))""")
RELATED = re.compile(r"\s*(ASSOCIATORS|REFERENCES)\s+OF\s*\{(.*)\}\s*(?:WHERE\s+(.*?))?\s*$", re.I | re.S)
RELATED_WORDS = ("assocclass", "resultclass", "role", "resultrole")


class WqlError(Exception):
    """Not a query of WQL, or one of a kind that this server lacks; the text says which."""


class Select(NamedTuple):
    columns: Optional[tuple]  # In lower case; None for *.
    cls: str
    where: Optional[tuple]
    within: Optional[str]


class Related(NamedTuple):
    """ASSOCIATORS OF or REFERENCES OF (`references`)."""

    references: bool
    path: str
    assoc_class: Optional[str]
    result_class: Optional[str]
    role: Optional[str]
    result_role: Optional[str]
    keys_only: bool
    class_defs_only: bool


class _Reader:
    def __init__(self, text):
        self.tokens, at = [], 0
        text = text.strip().rstrip(";")
        while at < len(text):
            match = TOKEN.match(text, at)
            if not match:
                raise WqlError(f"no word of WQL at `{text[at:at + 20]}`")
            self.tokens.append(match)
            at = match.end()
        self.at = 0

    def peek(self):
        return self.tokens[self.at][0].strip().upper() if self.at < len(self.tokens) else ""

    def take(self, *words):
        if self.at >= len(self.tokens) or (words and self.peek() not in words):
            raise WqlError(f"expected {' or '.join(words) or 'a word'}, found `{self.peek() or 'the end'}`")
        self.at += 1
        return self.tokens[self.at - 1]

    def accept(self, word):
        if self.peek() != word:
            return False
        self.at += 1
        return True

    def name(self):
        match = self.take()
        if not match[4]:
            raise WqlError(f"expected a name, found `{match[0].strip()}`")
        return match[4]

    def constant(self):
        match = self.take()
        if match[1]:
            return re.sub(r"\\(.)", r"\1", match[1][1:-1])
        if match[2]:
            return match[2]
        if match[4] and match[4].upper() in ("TRUE", "FALSE", "NULL"):
            return None if match[4].upper() == "NULL" else match[4].lower()
        raise WqlError(f"expected a constant, found `{match[0].strip()}`")

    # or := and (OR and)*;  and := not (AND not)*;  not := NOT not | ( or ) | name operator constant
    def either(self):
        left = self.both()
        while self.accept("OR"):
            left = ("or", left, self.both())
        return left

    def both(self):
        left = self.negated()
        while self.accept("AND"):
            left = ("and", left, self.negated())
        return left

    def negated(self):
        if self.accept("NOT"):
            return ("not", self.negated())
        if self.accept("("):
            inner = self.either()
            self.take(")")
            return inner
        name = self.name()
        if self.accept("IS"):
            no = self.accept("NOT")
            self.take("NULL")
            return ("not", ("null", name)) if no else ("null", name)
        operator = self.take("=", "<>", "!=", "<", ">", "<=", ">=", "LIKE", "ISA")[0].strip().upper()
        # TargetInstance.X != PreviousInstance.X, in event queries.
        if self.at < len(self.tokens) and self.tokens[self.at][4] and "." in self.tokens[self.at][4]:
            return (operator, name, ("property", self.name()))
        return (operator, name, self.constant())


def parse(text):
    if match := RELATED.match(text):
        return _related(match)
    reader = _Reader(text)
    reader.take("SELECT")
    columns = None
    if not reader.accept("*"):
        columns = [reader.name().lower()]
        while reader.accept(","):
            columns.append(reader.name().lower())
    reader.take("FROM")
    cls = reader.name()
    within = reader.constant() if reader.accept("WITHIN") else None
    where = reader.either() if reader.accept("WHERE") else None
    if reader.peek():
        raise WqlError(f"left over: `{reader.peek()}`")
    return Select(tuple(columns) if columns else None, cls, where, within)


def _related(match):
    found, flags = {}, set()
    words = re.sub(r"\s*=\s*", "=", match[3] or "").split()
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name.lower() in RELATED_WORDS and re.fullmatch(r"\w+", value):
            found[name.lower()] = value
        elif not equals and name.lower() in ("keysonly", "classdefsonly"):
            flags.add(name.lower())
        else:
            raise WqlError(f"`{word}` is no condition of {match[1].upper()} OF")
    return Related(match[1].upper() == "REFERENCES", match[2], *(found.get(word) for word in RELATED_WORDS),
                   "keysonly" in flags, "classdefsonly" in flags)


def _like(pattern):
    parts, at = [], 0
    while at < len(pattern):
        end = pattern.find("]", at + 1) if pattern[at] == "[" else -1
        if end > 0:
            parts.append("[" + pattern[at + 1:end].replace("\\", "\\\\").replace("=", "-") + "]")
            at = end
        else:
            parts.append({"%": ".*", "_": "."}.get(pattern[at]) or re.escape(pattern[at]))
        at += 1
    return re.compile("".join(parts), re.I | re.S)


def _compare(operator, value, constant):
    if operator == "LIKE":
        return _like(constant).fullmatch(str(value)) is not None
    if isinstance(value, bool):
        value, constant = int(value), {"true": "1", "false": "0"}.get(constant, constant)
    if isinstance(value, int):
        try:
            constant = float(constant)
        except ValueError:
            raise WqlError(f"`{constant}` is compared with a number") from None
    else:
        value, constant = str(value).lower(), str(constant).lower()
    return {"=": value == constant, "<>": value != constant, "!=": value != constant, "<": value < constant,
            ">": value > constant, "<=": value <= constant, ">=": value >= constant}[operator]


def matches(where, instance):
    """Whether `instance` meets the condition; an unknown property is an error, as the schema is known."""
    if where is None:
        return True
    operator = where[0]
    if operator in ("or", "and"):
        left = matches(where[1], instance)
        return (left or matches(where[2], instance)) if operator == "or" else (left and matches(where[2], instance))
    if operator == "not":
        return not matches(where[1], instance)
    if operator == "ISA" or "." in where[1] or isinstance(where[-1], tuple):
        raise WqlError(f"{where}: only event queries say that, and this server has none over instances")
    if where[1].upper() in ("__CLASS", "__THIS"):
        return _compare(operator, instance.cls.name, where[2])
    if where[1].lower() not in instance.cls.properties:
        raise WqlError(f"{instance.cls.name} has no property {where[1]}")
    value = instance.get(where[1])
    if operator == "null" or where[2] is None:
        return (value is None) == (operator in ("null", "="))
    if value is None or isinstance(value, (list, tuple)):
        return False
    return _compare(operator, value, where[2])


def is_below(instance, name):
    return name is None or schema.is_a(instance.cls, name)
