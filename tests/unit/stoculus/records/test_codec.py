"""fastavro is the reference: the same bytes, both ways."""

import io
import json
from typing import Any

import fastavro
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoculus.records.catalog import RecordType, record_type
from stoculus.records.codec import decode, encode
from tests.unit.stoculus.records.rows import RECORDS, batch_of, rows_of

TABLES: st.SearchStrategy[tuple[RecordType, list[dict[str, Any]]]] = st.sampled_from(RECORDS).flatmap(
    lambda record: st.tuples(st.just(record), rows_of(record))
)


def by_fastavro(record: RecordType, row: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(record.avro)), row)
    return out.getvalue()


def bodies_of(batch: pa.RecordBatch, record: RecordType) -> list[bytes]:
    return [body or b"" for body in encode(batch, record).to_pylist()]


@given(TABLES)
def test_the_bytes_are_those_of_fastavro(table: tuple[RecordType, list[dict[str, Any]]]) -> None:
    record, rows = table

    assert encode(batch_of(record, rows), record).to_pylist() == [by_fastavro(record, row) for row in rows]


@given(TABLES)
def test_what_is_encoded_is_decoded_as_it_was(table: tuple[RecordType, list[dict[str, Any]]]) -> None:
    record, rows = table
    batch = batch_of(record, rows)

    assert decode(bodies_of(batch, record), record).equals(batch)


@given(TABLES, st.data())
def test_a_slice_of_a_batch_is_encoded_as_its_rows_alone(
    table: tuple[RecordType, list[dict[str, Any]]], data: st.DataObject
) -> None:
    record, rows = table
    start = data.draw(st.integers(0, len(rows)))

    assert encode(batch_of(record, rows).slice(start), record).equals(encode(batch_of(record, rows[start:]), record))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_a_null_in_a_field_that_has_none_is_refused(record: RecordType) -> None:
    """pyruhvro would write 0 without a word."""
    for field in record.arrow:
        columns = [pa.nulls(1, each.type) if each.name == field.name else _one(each) for each in record.arrow]
        batch = pa.RecordBatch.from_arrays(columns, schema=record.arrow)
        if field.nullable:
            assert decode(bodies_of(batch, record), record)[field.name].null_count == 1
        else:
            with pytest.raises(ValueError, match=field.name):
                encode(batch, record)


def _one(field: "pa.Field[Any]") -> "pa.Array[Any]":
    text = "CALL" if field.name == "right" else ""
    one: pa.Array[Any] = pa.array([text] if pa.types.is_string(field.type) else [0], field.type)
    return one


def test_no_rows_make_no_bodies() -> None:
    record = record_type("StockTrade")

    assert encode(batch_of(record, []), record).to_pylist() == []
    assert decode([], record).num_rows == 0
    assert decode([], record).schema == record.arrow
