#!/usr/bin/env python3
"""Compares what vmirror says of captures with what tshark says, per protocol.

    tests/oracle/oracle.py                      the project's goldens, and the captures of ../shared if they are there
    tests/oracle/oracle.py --goldens            the goldens alone
    tests/oracle/oracle.py --show dns           every difference of a protocol that no reason explains
    tests/oracle/oracle.py zeek/dns53.pcap      captures by a part of their name

Prints a table: protocol, captures, records compared, agreeing, differing, explained. Exit code 0: every difference
is explained in explained.toml; 1: one is not, or an explained one is gone; 2: nothing could be compared; 77: there is
no tshark.
docs/HACKING.md, "The oracle", says how to read and extend it. VMIRROR_BIN names the folder of the program.
"""
import argparse
import collections
import json
import multiprocessing
import os
import pathlib
import sys
import tomllib

import compare
import explained
import ours
import table
import tshark

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SHARED = ROOT.parent / "shared"
SUFFIXES = {".pcap", ".pcapng", ".cap"}
# The cause of less than this share of agreement must be mended, not explained.
WANTED = 0.99
# The version of TShark whose words explained.toml is about.
EXPLAINED_OF = "4.0"


def is_pointer(path):
    """Whether only the name of the capture is there: Git LFS has the capture."""
    with open(path, "rb") as file:
        return file.read(12) == b"version http"


def captures_of(goldens_only, shared):
    """{name: path}. The name of a golden begins with golden/ or protocols/."""
    out = {}
    for path in (ROOT / "tests").rglob("*.pcap"):
        out[str(path.relative_to(ROOT / "tests"))] = path
    if not goldens_only:
        for folder in (shared / "captures", shared / "cases"):
            for path in folder.rglob("*"):
                if path.suffix in SUFFIXES and not is_pointer(path):
                    name = path.relative_to(shared / "captures" if "captures" in folder.parts else shared)
                    out[str(name)] = path
    return dict(sorted(out.items()))


def compare_one(job):
    """(name, path, program, cache, rules for -d) -> (name, {protocol: Result}, error)."""
    name, path, program, cache, decode_as = job
    try:
        frames = tshark.frames(path, decode_as, cache)
        events = ours.events(program, path, cache)
    except RuntimeError as error:
        return name, {}, str(error)
    records, anomalies = ours.by_type(events), collections.defaultdict(collections.Counter)
    for time_us, anomaly in records.get("anomaly", ()):
        anomalies[anomaly.get("app_proto", "")][time_us] += 1
    return name, compare.compare_capture(table.ROWS, frames, records, anomalies), None


def totals(results, done):
    """A line for each protocol of the table."""
    out = []
    for row in table.ROWS:
        mine = {name: result[row.name] for name, result in results.items() if row.name in result}
        compared = sum(r.compared for r in mine.values())
        agreeing = sum(r.agreeing for r in mine.values())
        out.append({
            "protocol": row.name, "captures": len(mine), "records": compared, "agreeing": agreeing,
            "differing": compared - agreeing, "explained": sum(done[(row.name, name)] for name in mine),
            "malformed": sum(r.malformed for r in mine.values()), "cut": sum(r.cut for r in mine.values()),
            "moved": sum(r.moved for r in mine.values()),
            "agreement": round(agreeing / compared, 5) if compared else None})
    return out


def print_table(lines):
    print(f"{'PROTOCOL':<16}{'CAPTURES':>9}{'RECORDS':>9}{'AGREEING':>10}{'DIFFERING':>11}{'EXPLAINED':>11}"
          f"{'MALFORMED':>11}{'CUT':>6}{'AGREEMENT':>11}")
    for line in lines:
        if line["records"] == 0:
            print(f"{line['protocol']:<16}{'no capture has it':>27}")
            continue
        print(f"{line['protocol']:<16}{line['captures']:>9}{line['records']:>9}{line['agreeing']:>10}"
              f"{line['differing']:>11}{line['explained']:>11}{line['malformed']:>11}{line['cut']:>6}"
              f"{line['agreement'] * 100:>10.2f}%{'  <' if line['agreement'] < WANTED else ''}")


def print_markdown(lines, captures):
    """The table of docs/oracle.md."""
    lines = [line for line in lines if line["records"] > 0]
    compared, agreeing, told = (sum(line[key] for line in lines) for key in ("records", "agreeing", "explained"))
    print(f"{captures} captures, {compared} records of {len(lines)} protocols: {agreeing / compared:.1%} agree, "
          f"{told / compared:.1%} differ for a known reason, {compared - agreeing - told} for none yet.\n")
    print("| protocol | captures | records | agreeing | explained | open | agreement |\n|---|---|---|---|---|---|---|")
    for line in lines:
        print(f"| {line['protocol']} | {line['captures']} | {line['records']} | {line['agreeing']} | {line['explained']} | "
              f"{line['differing'] - line['explained']} | {line['agreement']:.2%} |")


def show(protocol, results, limit):
    """Each difference: capture, frame, and the fields that differ."""
    row = next(row for row in table.ROWS if row.name == protocol)
    names = [field.name for field in row.fields]
    for capture, found in results.items():
        differences = found[protocol].differences if protocol in found else []
        for difference in differences[:limit]:
            print(f"{capture}: frame {difference.frame or '-'} (at {difference.time_us}): {difference.kind}")
            for name, values in (("tshark ", difference.tshark), ("vmirror", difference.ours)):
                if values is not None:
                    print(f"    {name} " + ", ".join(f"{n}={v!r}" for n, v in zip(names, values)))
        if len(differences) > limit:
            print(f"{capture}: {len(differences) - limit} more")


def arguments_of():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captures", nargs="*", metavar="CAPTURE", help="a part of the captures' names; all, if none")
    parser.add_argument("--goldens", action="store_true", help="only the captures of this repository")
    parser.add_argument("--show", metavar="PROTOCOL", help="print the differences of this protocol")
    parser.add_argument("--limit", type=int, default=5, help="with --show: as many of a capture (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--markdown", action="store_true", help="print the table as docs/oracle.md has it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="captures at a time (default: %(default)s)")
    parser.add_argument("--cache", default=str(ROOT / "build" / "oracle"), help="where tshark's output is kept")
    parser.add_argument("--shared", default=str(SHARED), help="the folder with captures/ and cases/ (default: ../shared)")
    return parser.parse_args()


def main():
    arguments = arguments_of()
    program = pathlib.Path(os.environ.get("VMIRROR_BIN", ROOT / "build" / "release" / "bin")) / "vmirror"
    if not tshark.version():
        print("oracle: skipped: no tshark, or no sharkd (apt-get install tshark)", file=sys.stderr)
        return 77
    if not tshark.version().startswith(f"TShark (Wireshark) {EXPLAINED_OF}."):
        print(f"oracle: {'skipped: ' if arguments.goldens else ''}explained.toml is of TShark {EXPLAINED_OF}, some of whose "
              f"fields are others later; here is {tshark.version()}", file=sys.stderr)
        if arguments.goldens:
            return 77
    if not program.exists():
        print(f"oracle: no {program} (./run build, or VMIRROR_BIN=FOLDER)", file=sys.stderr)
        return 2
    shared = pathlib.Path(arguments.shared)
    if not arguments.goldens and not shared.exists():
        print(f"oracle: no {shared}: only the goldens are compared", file=sys.stderr)
    captures = {name: path for name, path in captures_of(arguments.goldens, shared).items()
                if not arguments.captures or any(part in name for part in arguments.captures)}
    with open(HERE / "decode_as.toml", "rb") as file:
        decode_as = tomllib.load(file)
    jobs = [(name, path, str(program), arguments.cache, tuple(decode_as.get(name, ())))
            for name, path in captures.items()]
    results, errors = {}, {}
    with multiprocessing.Pool(arguments.jobs) as pool:
        for name, result, error in pool.imap_unordered(compare_one, jobs, chunksize=4):
            results[name] = result
            if error:
                errors[name] = error
    results = dict(sorted(results.items()))
    done, complaints = explained.judge(explained.read(HERE / "explained.toml"), results, set(captures))
    complaints += [f"{name}: {error}" for name, error in sorted(errors.items())]
    lines = totals(results, done)
    compared = sum(line["records"] for line in lines)
    if arguments.json:
        print(json.dumps({"tshark": tshark.version(), "captures": len(captures), "protocols": lines,
                          "not_explained": complaints}))
    elif arguments.markdown:
        print_markdown(lines, len(captures))
    elif arguments.show:
        show(arguments.show, results, arguments.limit)
    else:
        print_table(lines)
        print(f"{len(captures)} captures, {compared} records; {tshark.version()}")
        for complaint in complaints:
            print(complaint)
    return 2 if compared == 0 else 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
