"""The table of trade conditions against the vendor's own."""

import csv
from pathlib import Path

import numpy as np

from services.live_stream.bars.conditions import (
    SETS_ANYTHING,
    SETS_FIRST,
    SETS_HIGH,
    SETS_LAST,
    SETS_LOW,
    SETS_VOLUME,
    table_codes,
)


def test_the_table_is_the_vendors(theta_conditions: Path) -> None:
    with theta_conditions.open() as file:
        rows = {int(row["Code"]): row for row in csv.DictReader(file)}

    assert len(rows) == 145
    for code in range(256):
        row = rows.get(code, {})
        assert SETS_VOLUME[code] == (row.get("Volume") == "true"), code
        assert SETS_HIGH[code] == (row.get("High") == "true"), code
        assert SETS_LOW[code] == (row.get("Low") == "true"), code
        assert SETS_LAST[code] == (row.get("Last") == "true"), code
        assert SETS_FIRST[code] == (row.get("Last") in ("true", "*")), code
        assert SETS_ANYTHING[code] == ("true" in (row.get(name) for name in ("Volume", "High", "Low", "Last"))), code


def test_a_code_beyond_the_table_updates_nothing() -> None:
    codes = table_codes(np.array([0, 148, 149, 255, 256, 70_000, -1, -256], np.int32))

    assert SETS_ANYTHING[codes].tolist() == [True, True] + [False] * 6
