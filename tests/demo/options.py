"""What the demos have in common: options, and how they fail."""

import argparse
import json
import sys


def parser(prog, description):
    """Of `prog`; the description is the first line of the text."""
    out = argparse.ArgumentParser(prog=prog, description=description.split("\n", 1)[0])
    out.add_argument("--keep", action="store_true", help="leave it up and print how to look around")
    out.add_argument("--json", action="store_true", help="print the end as one JSON object")
    out.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return out


def say(text):
    print(f"== {text}", file=sys.stderr, flush=True)


def tell(options, verdict, result):
    """The end: with --json one object that has the verdict, too; else the verdict, a line for each. True: tables are to follow."""
    if options.json:
        print(json.dumps({"verdict": verdict, **result}), flush=True)
    else:
        print("\n" + "\n".join(verdict), flush=True)
    return not options.json


def fail(options, error, logs=None):
    """Says why it failed; with --json the one object does, too. Returns the exit status."""
    say(f"failed: {error}")
    if logs:
        say(f"the logs are in {logs}")
    if options.json:
        print(json.dumps({"error": str(error), "logs": logs}))
    return 1
