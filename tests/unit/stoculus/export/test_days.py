import hashlib
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stoculus.errors import BrokerUnavailable
from stoculus.export import Format
from stoculus.export.days import part_of, write_days
from stoculus.export.formats import read_batches
from stoculus.export.manifest import Series
from stoculus.records import codec
from stoculus.records.catalog import parse_schema, record_type
from stoculus.records.digest import DayDigest
from tests.unit.stoculus.export.exports import entry
from tests.unit.stoculus.reading.feeds import OPEN_US, ListFeed, records

QUOTE = record_type("StockQuote")
DAY_US = 86_400_000_000
EVENING_US = OPEN_US + 34_200_000_000  # 19:00 in New York: the next day in UTC
NEXT_DAY_US = OPEN_US + DAY_US


def series() -> Series:
    return Series(**entry(parse_schema("quote")).model_dump(by_alias=True), asset="stock")


def feed(*batches: pa.RecordBatch | None) -> ListFeed:
    return ListFeed("stock-aapl-quote-historical-42", "quote", batches)


def test_each_new_york_day_is_a_file_whatever_the_batches(tmp_path: Path) -> None:
    one = records(QUOTE, [OPEN_US, EVENING_US])
    two = records(QUOTE, [EVENING_US, NEXT_DAY_US, NEXT_DAY_US + 1])

    *_, first, third, last = write_days(tmp_path, Format.PARQUET, series(), feed(one, None, two))

    assert third == 3
    assert not isinstance(first, int)
    assert not isinstance(last, int)
    assert [(file.path, file.records) for file in (first, last)] == [
        ("stock/AAPL/quote/2024-01-02.parquet", 3),
        ("stock/AAPL/quote/2024-01-03.parquet", 2),
    ]
    part = part_of(tmp_path / last.path)
    assert pa.Table.from_batches(read_batches(Format.PARQUET, part, QUOTE)).to_batches() == [two.slice(1)]
    assert (last.bytes, last.sha256) == (part.stat().st_size, hashlib.sha256(part.read_bytes()).hexdigest())


def test_the_hash_of_a_day_is_the_receipts(tmp_path: Path) -> None:
    batch = records(QUOTE, [OPEN_US, NEXT_DAY_US])
    digest = DayDigest()
    for n in range(2):
        digest = DayDigest(None, digest.digest()) if n else digest
        row = batch.slice(n, 1)
        digest.add(b"AAPL", row["ts_event"], codec.encode(row, QUOTE))

    *_, last = write_days(tmp_path, Format.CSV, series(), feed(batch))

    assert not isinstance(last, int)
    assert last.hash == digest.digest()


def test_it_goes_on_from_the_day_before(tmp_path: Path) -> None:
    whole, resumed = series(), series()
    batch = records(QUOTE, [OPEN_US, NEXT_DAY_US])
    for file in write_days(tmp_path, Format.CSV, whole, feed(batch)):
        if not isinstance(file, int):
            whole.put(file)
    resumed.put(whole.files[0])

    *_, again = write_days(tmp_path, Format.CSV, resumed, feed(batch.slice(1)))

    assert again == whole.files[1]


@pytest.mark.parametrize("form", Format)
def test_a_day_that_is_broken_off_leaves_no_file(tmp_path: Path, form: Format) -> None:
    class Breaking(ListFeed):
        def poll(self) -> pa.RecordBatch | None:
            if self.polls:
                raise BrokerUnavailable("away")
            return super().poll()

    rows = records(QUOTE, [OPEN_US])
    days = write_days(tmp_path, form, series(), Breaking("stock-aapl-quote-historical-42", "quote", [rows, rows]))

    with pytest.raises(BrokerUnavailable):
        list(days)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("form", Format)
def test_a_disk_without_room_is_an_os_error(tmp_path: Path, form: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    opened = Path.open

    def open_full(path: Path, *arguments: Any, **named: Any) -> Any:
        return opened(full if path.name.endswith(".part") else path, *arguments, **named)

    monkeypatch.setattr(Path, "open", open_full)
    batch = records(QUOTE, [OPEN_US + n for n in range(50_000)])

    with pytest.raises(OSError, match="No space left"):
        list(write_days(tmp_path, form, series(), feed(batch)))


def test_no_records_are_no_files(tmp_path: Path) -> None:
    assert list(write_days(tmp_path, Format.JSON, series(), feed())) == []
    assert list(tmp_path.iterdir()) == []


def test_days_lie_by_asset_symbol_and_schema() -> None:
    assert series().path_of(date(2024, 1, 2), Format.JSON) == "stock/AAPL/quote/2024-01-02.json"
