#!/usr/bin/env python3
"""Validates every record of the goldens against the JSON Schema of its protocol.

Each record type has one, tests/protocols/NAME/schema.json: of the object that an event of `event_type` NAME has under
NAME. An alert, which is a finding, has tests/golden/alert.schema.json. What all events have in common, and the objects of
flows and assets, are in tests/golden/event.schema.json. A record without a schema, and a key that no schema names, are
failures.  Example: tests/golden/schemas.py
"""
import json
import pathlib
import sys

import jsonschema

TESTS = pathlib.Path(__file__).resolve().parent.parent
NOT_RECORDS = {"flow", "flow_interim", "asset", "stats", "migration"}


def goldens():
    yield from sorted((TESTS / "golden/cases").glob("*.golden"))
    yield from sorted((TESTS / "protocols").glob("*/*.golden"))


def main():
    validators, failures, seen = {}, [], 0
    for path in sorted((TESTS / "protocols").glob("*/schema.json")):
        schema = json.loads(path.read_text())
        jsonschema.Draft7Validator.check_schema(schema)
        validators[path.parent.name] = jsonschema.Draft7Validator(schema)
    alert = json.loads((TESTS / "golden/alert.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(alert)
    validators["alert"] = jsonschema.Draft7Validator(alert)
    common = json.loads((TESTS / "golden/event.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(common)
    every = jsonschema.Draft7Validator(common)
    for golden in goldens():
        for number, line in enumerate(golden.read_text().splitlines(), 1):
            event = json.loads(line)
            kind = event.get("event_type")
            if kind is None:
                continue
            where = f"{golden.relative_to(TESTS)}:{number}"
            for error in every.iter_errors(event):
                failures.append(f"{where}: {error.json_path}: {error.message}")
            failures += [f"{where}: no schema names {key}" for key in event if key not in (*common["properties"], kind)]
            if kind in NOT_RECORDS:
                continue
            seen += 1
            if kind not in validators:
                failures.append(f"{where}: no tests/protocols/{kind}/schema.json")
                continue
            for error in validators[kind].iter_errors(event[kind]):
                failures.append(f"{where}: {error.message}")
    print("\n".join(failures) or f"{seen} records are as their {len(validators)} schemas say")
    return 1 if failures or seen == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
