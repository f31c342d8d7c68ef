"""Results that are kept in a folder, packed, under a hash of what they were made from."""
import hashlib
import json
import os
import pathlib
import zlib


def key_of(capture, *parts):
    """Of the capture's bytes and of anything else that the result depends on."""
    key = hashlib.sha256(repr(parts).encode())
    key.update(pathlib.Path(capture).read_bytes())
    return key.hexdigest()[:32]


def kept(folder, key, make):
    """The JSON value under the key; made and put there, if it is not."""
    path = pathlib.Path(folder) / f"{key}.z"
    if path.exists():
        return json.loads(zlib.decompress(path.read_bytes()))
    value = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_bytes(zlib.compress(json.dumps(value).encode(), 1))
    unfinished.rename(path)
    return value
