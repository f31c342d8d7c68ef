"""What vmirror says of a capture: the records of `vmirror analyze --eve -`."""
import collections
import datetime
import json
import os
import subprocess

import kept

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MICROSECOND = datetime.timedelta(microseconds=1)


def time_us(text):
    return (datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z") - _EPOCH) // _MICROSECOND


def events(program, path, cache):
    """The EVE events of a capture, each as the dictionary that it is; from the cache, if this program has read it.

    A file that breaks off ends with exit code 1; its events until then count.
    """
    def read():
        done = subprocess.run([program, "analyze", "--eve", "-", str(path)], capture_output=True, check=False)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"vmirror could not read {path}: {done.stderr.decode(errors='replace').strip()}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    about = os.stat(program)
    return kept.kept(cache, kept.key_of(path, "vmirror", about.st_size, about.st_mtime_ns), read)


def by_type(all_events):
    """event_type -> [(time in us, the record)], in the order in which they were written."""
    out = collections.defaultdict(list)
    for event in all_events:
        kind = event["event_type"]
        if kind in event:
            out[kind].append((time_us(event["timestamp"]), event[kind]))
    return out
