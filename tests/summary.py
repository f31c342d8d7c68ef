"""Sums test reports into the one line that a test run ends with.

    python3 tests/summary.py [--passed NAME] [--failed NAME] [--again LABEL=REPORT.xml] LABEL=REPORT.xml...

A report is what `ctest --output-junit` wrote, with the whole output of every test. Test cases are
counted, not programs: GoogleTest's and unittest's by what they print; any other program is one. Prints
every failure and every skip with its reason. `--again` is the report of a second run of the programs that
failed: its result counts, and a case that failed first and passed then is printed and counted by itself.
Exits with 1 when a test failed, a report is missing, or nothing passed.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree

GTEST = re.compile(r"^\[ *(RUN|OK|FAILED|SKIPPED) *\] ([\w./]+?)(?:,.*)?(?: \(\d+ ms\))?$", re.M)
GTEST_REASON = re.compile(r"Skipped\n(.*)")
UNITTEST_RAN = re.compile(r"^Ran (\d+) tests? in", re.M)
UNITTEST_BAD = re.compile(r"^(?:FAIL|ERROR): (\S+)", re.M)
UNITTEST_CASE = re.compile(r"^\w+ \([\w.]+\)")
UNITTEST_SKIP = re.compile(r"\.\.\. skipped ['\"](.*)['\"]$")


class Counts:
    """What became of the cases of one program."""

    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []


def count_gtest(output, counts):
    last = {}
    for state, name in GTEST.findall(output):
        last[name] = "FAILED" if last.get(name) == "FAILED" else state
    reasons = GTEST_REASON.findall(output)
    for name, state in last.items():
        if state == "OK":
            counts.passed += 1
        elif state == "SKIPPED":
            counts.skipped.append((name, reasons[len(counts.skipped)] if len(counts.skipped) < len(reasons) else ""))
        else:  # Failed, or begun and never ended: a crash.
            counts.failed.append(name)


def count_unittest(output, counts):
    counts.failed += dict.fromkeys(UNITTEST_BAD.findall(output))  # Once, however many subtests failed.
    case = ""
    for line in output.splitlines():
        if match := UNITTEST_CASE.match(line):
            case = match[0]
        if match := UNITTEST_SKIP.search(line):
            counts.skipped.append((case, match[1]))
    ran = sum(int(n) for n in UNITTEST_RAN.findall(output))
    counts.passed += max(0, ran - len(counts.failed) - len(counts.skipped))


def count_case(status, output):
    """Counts of one ctest entry from its status and output."""
    counts = Counts()
    if "[ RUN      ]" in output:
        count_gtest(output, counts)
    elif UNITTEST_RAN.search(output):
        count_unittest(output, counts)
    elif status == "run":
        counts.passed = 1
    elif status in ("notrun", "disabled"):
        counts.skipped.append(("", output.strip().splitlines()[-1] if output.strip() else "not run"))
    if status == "fail" and not counts.failed:
        counts.failed.append("")
    return counts


def read_report(path):
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        output = "".join(node.text or "" for node in case.iter("system-out"))
        status = case.get("status", "run")
        if case.find("skipped") is not None and status == "run":
            status = "notrun"
        yield case.get("name"), count_case(status, output)


def main(arguments):
    passed, failed, skipped, second = 0, [], [], []
    again = {}  # By label: the counts of each program that ran twice.
    words = iter(arguments)
    for word in words:
        if word == "--passed":
            next(words)
            passed += 1
            continue
        if word == "--failed":
            failed.append(next(words))
            continue
        is_again = word == "--again"
        label, path = (next(words) if is_again else word).split("=", 1)
        try:
            programs = dict(read_report(path))
        except (OSError, ElementTree.ParseError) as error:
            failed.append(f"{label}: no report, it did not build or run ({error})")
            continue
        if is_again:
            again[label] = programs
            continue
        for name, counts in programs.items():
            where = f"{label}: {name}"
            if now := again.get(label, {}).get(name):
                second += [f"{where} {case}".rstrip() for case in counts.failed if case not in now.failed]
                counts = now
            passed += counts.passed
            failed += [f"{where} {case}".rstrip() for case in counts.failed]
            skipped += [f"{where} {case}: {reason}" for case, reason in counts.skipped]
    for text in skipped:
        print("skipped", text)
    for text in second:
        print("PASSED ONLY IN A SECOND RUN", text)
    for text in failed:
        print("FAILED", text)
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped" +
          (f"; {len(second)} of them passed only in a second run" if second else ""))
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
