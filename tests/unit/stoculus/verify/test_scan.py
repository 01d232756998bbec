"""Whatever stands on a topic, it is counted and told."""

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stoculus.errors import SchemaNotRegistered
from stoculus.kafka.consume import Values
from stoculus.records import codec, framing
from stoculus.records.catalog import RecordType, Schema
from stoculus.verify.against import _decoded
from stoculus.verify.findings import Spots
from stoculus.verify.requested import Requested
from stoculus.verify.rows import Row
from stoculus.verify.scan import Scan

DAY = date(2024, 1, 2)
OPEN_MS = 1_704_205_800_000  # 09:30 in New York
SCHEMAS = [Schema("quote", None), Schema("quote", "1m", "option"), Schema("greekseod", None, "option")]
OWN, UNKNOWN = framing.header(1), framing.header(2)
BODIES = st.one_of(st.binary(max_size=90), st.binary(max_size=90).map(lambda rest: b"\x08AAPL" + rest))
HEADERS = st.sampled_from([OWN, OWN, OWN, UNKNOWN, b"\0\0", b"{foo}"])


class Registry:
    """Knows one schema id, as its own."""

    def __init__(self, record: RecordType) -> None:
        self._record = record

    def record_type(self, header: bytes) -> RecordType:
        if header[: framing.HEADER_BYTES] != OWN:
            raise SchemaNotRegistered("The registry has no such schema.")
        return self._record

    def decode_values(self, values: Values, record: RecordType) -> pa.RecordBatch:
        return self.decode([h + b for (h, _), b in zip(values.headers, values.bodies, strict=True)], record)

    def decode(self, values: list[bytes], record: RecordType) -> pa.RecordBatch:
        for value in values:
            self.record_type(value)
        try:
            return codec.decode([framing.body(value) for value in values], record)
        except (ValueError, EOFError) as error:
            raise SchemaNotRegistered("No Avro.") from error


def scan_of(schema: Schema) -> Scan:
    requested = Requested(schema, "AAPL", "regular", DAY, DAY, frozenset({DAY}))
    registry: Any = Registry(schema.record)
    return Scan(requested, registry)


@given(
    st.sampled_from(SCHEMAS), st.lists(st.tuples(HEADERS, BODIES, st.integers(-(2**50), 2**50)), min_size=1, max_size=9)
)
@settings(max_examples=300, deadline=None)
def test_whatever_the_values_are_each_is_counted(schema: Schema, given_values: list[tuple[bytes, bytes, int]]) -> None:
    scan = scan_of(schema)
    values = Values(
        [(header, 1) for header, _, _ in given_values],
        [body for _, body, _ in given_values],
        [b"AAPL"] * len(given_values),
        np.arange(len(given_values)),
        np.array([time_ms for _, _, time_ms in given_values], np.int64),
        [],
    )

    rows = scan._check(values)

    assert len(rows) == scan.records == sum(scan.days.values()) == len(given_values)
    assert (scan.last_offset, len(scan.hash)) == (len(given_values) - 1, 64)
    assert all(fault.message for fault in scan.spots.faults())
    for header, body, _ in given_values:
        if header == OWN:
            assert _decoded(Row(0, b"", 0, body), schema.record)


@pytest.mark.parametrize("count", [1, 3])
def test_the_same_fault_of_several_records_is_told_once(count: int) -> None:
    spots = Spots()
    for n in range(count):
        spots.add("key", "the key is not the symbol", np.array([n + 5]), DAY, "b'A' instead of 'B'")

    [fault] = spots.faults()

    assert (fault.offset, fault.day, fault.records) == (5, DAY, count)
    told = "the key is not the symbol: b'A' instead of 'B'."
    assert fault.message == (told if count == 1 else f"3 records, of the first: {told}")
