import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from stoculus.errors import InvalidRequest
from stoculus.export import Format
from stoculus.export.formats import ROW_GROUP_RECORDS, open_writer, read_batches
from stoculus.records.catalog import RecordType, record_type
from tests.unit.stoculus.reading.feeds import OPEN_US, records
from tests.unit.stoculus.records.rows import RECORDS, batch_of, rows_of

TABLES: st.SearchStrategy[tuple[RecordType, list[dict[str, Any]]]] = st.sampled_from(RECORDS).flatmap(
    lambda record: st.tuples(st.just(record), rows_of(record, most=5).filter(bool))
)
QUOTE = record_type("StockQuote")
TRADE = record_type("StockTrade")


def write(path: Path, form: Format, record: RecordType, *batches: pa.RecordBatch) -> Path:
    with path.open("wb") as sink:
        writer = open_writer(form, sink, record.arrow.with_metadata({"topic": "stock-aapl-quote-historical-42"}))
        for batch in batches:
            writer.write(batch)
        writer.close()
    return path


def read(path: Path, form: Format, record: RecordType) -> pa.Table:
    return pa.Table.from_batches(read_batches(form, path, record), record.arrow)


def finite(row: dict[str, Any]) -> dict[str, Any]:
    return {name: 0.0 if isinstance(value, float) and math.isinf(value) else value for name, value in row.items()}


@pytest.mark.parametrize("form", Format)
@given(TABLES, st.integers(0, 5))
@settings(max_examples=60)
def test_what_is_written_is_read_with_the_same_types_and_values(
    tmp_path_factory: pytest.TempPathFactory, form: Format, table: tuple[RecordType, list[dict[str, Any]]], cut: int
) -> None:
    record, rows = table
    batch = batch_of(record, [finite(row) for row in rows] if form is Format.JSON else rows)
    path = tmp_path_factory.getbasetemp() / f"round-trip.{form}"

    write(path, form, record, batch.slice(0, cut), batch.slice(cut))

    found = read(path, form, record)
    assert found.schema.equals(record.arrow, check_metadata=True)
    assert found.to_pylist() == batch.to_pylist()


@pytest.mark.parametrize("form", Format)
def test_a_column_of_nulls_and_the_ends_of_numbers_come_back(tmp_path: Path, form: Format) -> None:
    batch = records(TRADE, [OPEN_US, OPEN_US], price=[-0.0, 5e-324], ext_condition1=[None, None], size=[2**63 - 1, 0])

    found = read(write(tmp_path / "a", form, TRADE, batch), form, TRADE)

    assert found.to_batches() == [batch]
    assert math.copysign(1, found["price"][0].as_py()) == -1


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_json_has_no_word_for_what_is_no_number(tmp_path: Path, value: float) -> None:
    batch = records(TRADE, [OPEN_US], price=[value])

    with pytest.raises(InvalidRequest, match="price is infinite or no number"):
        write(tmp_path / "a", Format.JSON, TRADE, batch)


def test_json_is_an_object_a_line_with_iso_times_in_utc(tmp_path: Path) -> None:
    path = write(tmp_path / "a", Format.JSON, QUOTE, records(QUOTE, [OPEN_US, OPEN_US + 1500], symbol='A"A'))

    assert path.read_text().splitlines()[1] == (
        '{"symbol":"A\\"A","ts_event":"2024-01-02T14:30:00.001500Z","bid_size":1,"bid_exchange":1,"bid":1,'
        '"bid_condition":1,"ask_size":1,"ask_exchange":1,"ask":1,"ask_condition":1}'
    )


def test_csv_has_a_header_and_iso_times_in_utc(tmp_path: Path) -> None:
    lines = write(tmp_path / "a", Format.CSV, TRADE, records(TRADE, [OPEN_US], ext_condition1=[None])).read_text()

    assert lines.splitlines() == [
        ",".join(f'"{name}"' for name in TRADE.arrow.names),
        '"AAPL",2024-01-02 14:30:00.000000Z,0,,0,0,0,0,0,0,0',
    ]


def test_parquet_says_what_it_holds_in_row_groups_of_a_sensible_size(tmp_path: Path) -> None:
    batch = records(QUOTE, [OPEN_US + n for n in range(10_000)])

    path = write(tmp_path / "a", Format.PARQUET, QUOTE, *[batch] * 14)

    about = pq.ParquetFile(path)
    groups = [about.metadata.row_group(n) for n in range(about.num_row_groups)]
    assert [group.num_rows for group in groups] == [140_000]
    assert groups[0].num_rows >= ROW_GROUP_RECORDS
    assert (about.metadata.metadata or {})[b"topic"] == b"stock-aapl-quote-historical-42"
    assert about.schema_arrow.field("ts_event").type == pa.timestamp("us", "UTC")
    symbol = groups[0].column(0)
    assert (symbol.compression, symbol.has_dictionary_page) == ("ZSTD", True)


@pytest.mark.parametrize("form", Format)
def test_a_file_of_an_older_record_has_nulls_where_they_may_be(tmp_path: Path, form: Format) -> None:
    older = RecordType("StockTrade", "", pa.schema([each for each in TRADE.arrow if each.name != "ext_condition4"]))
    batch = records(older, [OPEN_US, OPEN_US + 1])

    found = read(write(tmp_path / "a", form, older, batch), form, TRADE)

    assert found["ext_condition4"].null_count == 2
    assert found["price"].to_pylist() == [0, 1]


@pytest.mark.parametrize("form", Format)
def test_a_file_of_another_record_is_refused(tmp_path: Path, form: Format) -> None:
    path = write(tmp_path / "a", form, QUOTE, records(QUOTE, [OPEN_US]))

    with pytest.raises(pa.ArrowInvalid, match="no sequence"):
        read(path, form, TRADE)
