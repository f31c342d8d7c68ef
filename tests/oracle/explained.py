"""explained.toml: the differences whose reason is known. Read, and held against the differences that there are."""
import collections
import tomllib


def read(path):
    """[(protocol, kind, capture)] -> (count, reason)."""
    with open(path, "rb") as file:
        entries = tomllib.load(file).get("explained", [])
    out = {}
    for entry in entries:
        for capture, count in entry["captures"].items():
            key = (entry["protocol"], entry["kind"], capture)
            if key in out:
                raise ValueError(f"{path}: {key} is explained twice")
            out[key] = (count, entry["reason"])
    return out


def judge(explained, results, captures):
    """results: {capture: {protocol: Result}}; captures: those that were compared.
    Gives ({(protocol, capture): differences explained}, [complaints])."""
    there = collections.Counter()
    for capture, protocols in results.items():
        for protocol, result in protocols.items():
            for difference in result.differences:
                there[(protocol, difference.kind, capture)] += 1
    done, complaints = collections.Counter(), []
    for key, count in sorted(there.items()):
        protocol, kind, capture = key
        known = explained.get(key, (0, ""))[0]
        if known == count:
            done[(protocol, capture)] += count
        else:
            complaints.append(f"{capture}: {protocol}: {kind}: {count}, explained {known}")
    for key, (count, _) in sorted(explained.items()):
        protocol, kind, capture = key
        if capture in captures and key not in there:
            complaints.append(f"{capture}: {protocol}: {kind}: explained {count}, there is none any more")
    return done, complaints
