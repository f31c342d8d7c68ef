"""The options that the demos have in common."""

import argparse


def parser(prog, description):
    """Of `prog`; the description is the first line of the text."""
    out = argparse.ArgumentParser(prog=prog, description=description.split("\n", 1)[0])
    out.add_argument("--keep", action="store_true", help="leave it up and print how to look around")
    out.add_argument("--json", action="store_true", help="print the end as one JSON object")
    out.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return out
