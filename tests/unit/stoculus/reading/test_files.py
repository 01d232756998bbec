import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stoculus.errors import Conflict, ExportDamaged, InvalidRequest, NotFound
from stoculus.export import Format
from stoculus.export.manifest import NAME, ExportManifest
from stoculus.reading.feed import FOREVER_US
from stoculus.reading.files import FileFeed, open_files
from stoculus.records.catalog import RecordType, parse_schema, record_type
from tests.unit.stoculus.export.exports import exported, schema_of
from tests.unit.stoculus.reading.feeds import OPEN_US, records
from tests.unit.stoculus.records.rows import RECORDS

QUOTE = record_type("StockQuote")
QUOTES, TRADES = parse_schema("quote"), parse_schema("trade")
DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
TIMES_US = [OPEN_US + day * DAY_US + hour * HOUR_US for day in range(3) for hour in range(3)]
WHOLE = records(QUOTE, TIMES_US)


@pytest.fixture
def export(tmp_path: Path) -> ExportManifest:
    """Three days of three quotes each."""
    return exported(tmp_path, Format.PARQUET, (QUOTES, [WHOLE]))


def polled(feed: FileFeed) -> list[pa.RecordBatch]:
    batches = []
    while not feed.is_done:
        if (batch := feed.poll()) is not None:
            batches.append(batch)
    return batches


def table(folder: Path, start_us: int | None = None, end_us: int | None = None) -> pa.Table:
    [feed] = open_files(folder, None, start_us, end_us)
    return pa.Table.from_batches(polled(feed), QUOTE.arrow)


def rows_between(start_us: int | None, end_us: int | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = WHOLE.to_pylist()
    return [
        row
        for row, time_us in zip(rows, TIMES_US, strict=True)
        if (start_us is None or time_us >= start_us) and (end_us is None or time_us < end_us)
    ]


@pytest.mark.parametrize("form", Format)
def test_every_record_type_comes_back_as_it_was(tmp_path: Path, form: Format) -> None:
    batches = {schema_of(record): records(record, TIMES_US, **texts(record)) for record in RECORDS}
    exported(tmp_path, form, *((schema, [batch]) for schema, batch in batches.items()))

    feeds = open_files(tmp_path, None, None, None)

    assert [feed.schema for feed in feeds] == list(batches)
    for feed, batch in zip(feeds, batches.values(), strict=True):
        assert pa.Table.from_batches(polled(feed)).equals(pa.Table.from_batches([batch]))


def texts(record: RecordType) -> dict[str, Any]:
    """What `records` cannot count; and nulls where they may be."""
    told: dict[str, Any] = {
        each.name: [None if n % 2 else n for n in range(9)] for each in record.arrow if each.nullable
    }
    names = {"root": ["SPXW"] * 9, "right": ["CALL", "PUT", "CALL"] * 3}
    return told | {name: values for name, values in names.items() if name in record.arrow.names}


MOMENTS = st.none() | st.integers(TIMES_US[0] - DAY_US, TIMES_US[-1] + DAY_US) | st.sampled_from(TIMES_US)


@given(MOMENTS, MOMENTS)
@settings(max_examples=50)
def test_a_slice_has_the_records_between_two_times(
    tmp_path_factory: pytest.TempPathFactory, start_us: int | None, end_us: int | None
) -> None:
    folder = tmp_path_factory.getbasetemp() / "slices"
    if not folder.exists():
        exported(folder, Format.PARQUET, (QUOTES, [WHOLE]))

    assert table(folder, start_us, end_us).to_pylist() == rows_between(start_us, end_us)


def test_a_slice_opens_the_files_of_its_days_alone(tmp_path: Path, export: ExportManifest) -> None:
    first, _, last = export.series[0].files
    (tmp_path / first.path).unlink()
    (tmp_path / last.path).unlink()

    # From 19:00 of the first day in New York to 19:00 of the second: 00:00 in UTC.
    start_us = OPEN_US + DAY_US - 14 * HOUR_US - HOUR_US // 2 + 5 * HOUR_US
    assert table(tmp_path, start_us, start_us + DAY_US - 5 * HOUR_US).num_rows == 3
    with pytest.raises(ExportDamaged, match=r"2024-01-02\.parquet is missing"):
        table(tmp_path, start_us - 1, start_us + HOUR_US)


def test_a_feed_knows_how_far_it_is(tmp_path: Path, export: ExportManifest) -> None:
    [feed] = open_files(tmp_path, None, None, None)

    assert (feed.topic, feed.symbol, feed.schema) == (export.series[0].topic, "AAPL", QUOTES)
    assert feed.complete_until_us <= TIMES_US[0]
    feed.poll()
    assert feed.complete_until_us == TIMES_US[2]
    polled(feed)
    assert feed.complete_until_us == FOREVER_US


def test_a_series_without_files_is_done_at_once(tmp_path: Path) -> None:
    exported(tmp_path, Format.PARQUET, (QUOTES, []))

    [feed] = open_files(tmp_path, None, None, None)

    assert feed.is_done
    assert feed.poll() is None


def test_a_feed_may_be_closed_before_its_end(tmp_path: Path, export: ExportManifest) -> None:
    [feed] = open_files(tmp_path, None, None, None)
    feed.poll()

    feed.close()

    assert not feed.is_done


def test_topics_are_chosen_by_name_in_that_order(tmp_path: Path) -> None:
    exported(tmp_path, Format.CSV, (QUOTES, []), (TRADES, []))
    quotes, trades = (f"stock-aapl-{name}-historical-42" for name in ("quote", "trade"))

    def opened(topics: Sequence[str] | None) -> list[str]:
        return [feed.topic for feed in open_files(tmp_path, topics, None, None)]

    assert opened(None) == [quotes, trades]
    assert opened([trades, quotes]) == [trades, quotes]
    with pytest.raises(InvalidRequest, match="'stock-msft-quote-historical-42' was not exported"):
        opened([quotes, "stock-msft-quote-historical-42"])


def test_a_file_that_was_cut_is_named(tmp_path: Path, export: ExportManifest) -> None:
    path = tmp_path / export.series[0].files[1].path
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(ExportDamaged, match=r"2024-01-03\.parquet is cut") as told:
        table(tmp_path)
    assert f"`stoculus export 42 --to {tmp_path.parent} --format parquet`" in told.value.remedy


def test_a_file_that_grew_is_named(tmp_path: Path, export: ExportManifest) -> None:
    with (tmp_path / export.series[0].files[1].path).open("ab") as file:
        file.write(b"\0")

    with pytest.raises(ExportDamaged, match=r"2024-01-03\.parquet is longer"):
        table(tmp_path)


def test_one_altered_byte_is_seen(tmp_path: Path) -> None:
    [series] = exported(tmp_path, Format.CSV, (QUOTES, [WHOLE])).series
    path = tmp_path / series.files[2].path
    content = path.read_bytes()
    path.write_bytes(content[:-2] + b"9" + content[-1:])

    with pytest.raises(ExportDamaged, match=r"2024-01-04\.csv was altered") as told:
        table(tmp_path)
    assert told.value.remedy.startswith("Remove it")


def test_a_file_that_is_none_of_the_format_is_named_even_where_the_manifest_says_so(tmp_path: Path) -> None:
    exported(tmp_path, Format.CSV, (QUOTES, [WHOLE]))
    manifest = tmp_path / NAME
    manifest.write_text(manifest.read_text().replace('"format": "csv"', '"format": "parquet"'))

    with pytest.raises(ExportDamaged, match=r"2024-01-02\.csv cannot be read"):
        table(tmp_path)


def test_an_export_that_has_not_ended_is_not_read(tmp_path: Path) -> None:
    exported(tmp_path, Format.CSV, (QUOTES, [WHOLE]), complete=False)

    with pytest.raises(Conflict, match="has not all of stock-aapl-quote-historical-42"):
        open_files(tmp_path, None, None, None)


def test_a_folder_without_an_export_and_one_of_a_newer_version_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="holds no export"):
        open_files(tmp_path, None, None, None)
    (tmp_path / NAME).write_text(json.dumps({"version": 99}))
    with pytest.raises(Conflict, match="newer version"):
        open_files(tmp_path, None, None, None)
