"""The released versions of every record type, in schemas/RELEASED.json: fingerprints, and the schemas they stand for.

{"StockQuote": [{"fingerprint": "…", "schema": {…}}, …oldest first]}
"""

import json
from importlib import resources
from pathlib import Path
from typing import Any

from stoculus.records.catalog import record_types

Released = dict[str, list[dict[str, Any]]]


def load() -> Released:
    """Read RELEASED.json."""
    released: Released = json.loads((resources.files("schemas") / "RELEASED.json").read_text())
    return released


def unreleased(released: Released) -> list[str]:
    """The record types whose .avsc is not the last released version."""
    return [
        record.name
        for record in record_types()
        if not (versions := released.get(record.name)) or versions[-1]["fingerprint"] != record.fingerprint
    ]


def release(path: Path) -> list[str]:
    """Append what is not released yet to the file; return the names. Compatibility is the registry's to judge."""
    released: Released = json.loads(path.read_text()) if path.exists() else {}
    names = unreleased(released)
    for record in record_types():
        if record.name in names:
            version = {"fingerprint": record.fingerprint, "schema": json.loads(record.avro)}
            released.setdefault(record.name, []).append(version)
    path.write_text(json.dumps(released, indent=1, sort_keys=True) + "\n")
    return names
