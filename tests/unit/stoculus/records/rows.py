"""Made-up rows of every record type."""

from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from stoculus.records.catalog import RecordType, record_types

RECORDS = record_types()
# 2000-01-01 to 2040-01-01, where Python's times and Avro's agree without loss.
_MICROS = st.integers(946_684_800_000_000, 2_208_988_800_000_000)


def values(field: "pa.Field[Any]") -> st.SearchStrategy[Any]:
    """Values of a record's field."""
    kind = field.type
    if field.name == "right":
        return st.sampled_from(["CALL", "PUT"])
    if pa.types.is_date(kind):
        return st.integers(0, 40_000)
    if pa.types.is_timestamp(kind):
        return _MICROS
    if pa.types.is_floating(kind):
        return st.floats(allow_nan=False)
    if pa.types.is_int32(kind):
        return st.integers(-(2**31), 2**31 - 1)
    if pa.types.is_int64(kind):
        return st.integers(-(2**63), 2**63 - 1)
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def rows_of(record: RecordType, *, most: int = 20) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Rows of a record type, nulls where they may be; times as microseconds."""
    fields = {field.name: values(field) | st.none() if field.nullable else values(field) for field in record.arrow}
    return st.lists(st.fixed_dictionaries(fields), max_size=most)


def batch_of(record: RecordType, rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """Rows as columns."""
    columns = [pa.array([row[field.name] for row in rows], field.type) for field in record.arrow]
    return pa.RecordBatch.from_arrays(columns, schema=record.arrow)
