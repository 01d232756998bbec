"""The bench checks the order of what it has measured."""

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from tests.bench.order import count_in_order

FIELDS: dict[str, pa.DataType] = {
    "ts_event": pa.timestamp("us", "UTC"),
    "expiration": pa.date32(),
    "strike": pa.float64(),
    "right": pa.string(),
}
SCHEMA = pa.schema(FIELDS)
Row = tuple[int, int, float, str]
IN_ORDER: list[Row] = [
    (30, 5, 100.0, "CALL"),
    (30, 5, 100.0, "PUT"),
    (30, 5, 102.5, "CALL"),
    (30, 12, 90.0, "CALL"),
    (31, 5, 100.0, "CALL"),
    (31, 5, 100.0, "CALL"),
]


def batch(rows: list[Row]) -> pa.RecordBatch:
    values: list[dict[str, Any]] = [
        {
            "ts_event": datetime(2024, 1, 2, 14, minute, tzinfo=UTC),
            "expiration": date(2024, 1, day),
            "strike": strike,
            "right": right,
        }
        for minute, day, strike, right in rows
    ]
    return pa.RecordBatch.from_pylist(values, schema=SCHEMA)


@pytest.mark.parametrize("size", [1, 2, 4, 6])
def test_records_in_the_markets_order_are_counted(size: int) -> None:
    batches = [batch(IN_ORDER[start : start + size]) for start in range(0, len(IN_ORDER), size)]

    assert count_in_order(batches) == len(IN_ORDER)


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("size", [1, 6])
def test_a_record_before_its_turn_is_found(place: int, size: int) -> None:
    rows = [*IN_ORDER[:place], IN_ORDER[place + 1], IN_ORDER[place], *IN_ORDER[place + 2 :]]
    batches = [batch(rows[start : start + size]) for start in range(0, len(rows), size)]

    with pytest.raises(RuntimeError, match="before its turn"):
        count_in_order(batches)
