"""Normalisers: functions of one value that bring both sides to the same. Pure."""
import datetime
import re


def text(value):
    return str(value)


def loose(value):
    """Words by their letters and digits alone: "Read Device Identification" is read_device_identification."""
    return re.sub(r"[^a-z0-9]", "", str(value).lower())


def stripped(value):
    return str(value).strip(" \x00\r\n\t")


def dotless(value):
    """A domain name without the root's dot; tshark prints the root as <Root>, and a NUL as \\000."""
    value = str(value).replace("\\000", "\0")
    return "" if value in ("<Root>", ".") else value.rstrip(".")


def lower(value):
    return str(value).lower()


def hex_bytes(value):
    """"00:1f" and "001f"."""
    return str(value).replace(":", "").lower()


def words_in_hex(value):
    """"73:77:31" is sw1: tshark prints a text of which it does not know that it is one. A MAC stays."""
    parts = str(value).split(":")
    if len(parts) == 6 or not all(re.fullmatch("[0-9a-f]{2}", part) for part in parts):
        return value
    decoded = bytes.fromhex("".join(parts))
    return decoded.decode("ascii") if all(0x20 <= byte < 0x7f for byte in decoded) else value


def named(names):
    """The name of a number, for tshark's side: ours tells a name where it knows one, else the number."""
    def of(value):
        try:
            parsed = int(str(value), 16 if str(value).lower().startswith("0x") else 10)
        except ValueError:
            return value
        return names.get(parsed, parsed)
    return of


def same(value):
    return value


_TIMES = (
    (re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d{9}))?(?:Z|\+0000)$"), "%Y-%m-%d %H:%M:%S"),
    (re.compile(r"(\w{3} +\d+, \d{4} \d\d:\d\d:\d\d)(?:\.(\d{9}))? UTC$"), "%b %d, %Y %H:%M:%S"))


def utc(value):
    """tshark's times, in us since 1970; None, if it is no time."""
    for form, layout in _TIMES:
        match = form.match(str(value))
        if match:
            when = datetime.datetime.strptime(match[1] + " +0000", layout + " %z")
            return int(when.timestamp()) * 1_000_000 + int(match[2] or 0) // 1000
    return None


def seconds(value):
    """The same in seconds."""
    when = utc(value)
    return None if when is None else when // 1_000_000


_WORDS = re.compile(r"^[^:]*: (.*?)(?: \((?:0x)?[0-9a-fA-F]+\))?$", re.S)


def words_of(label):
    """"..00 0001 = Function Code: Read Coils (1)" says "Read Coils"."""
    match = _WORDS.match(label)
    return match[1] if match else label
