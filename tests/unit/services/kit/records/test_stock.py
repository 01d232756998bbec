"""Vendor columns to record columns, for each kind."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from services.kit.columns import empty_bars, empty_quotes
from services.kit.records.stock import MAPPINGS, to_records
from stoculus.records.catalog import RECORDS, Kind, record_type
from stoculus.records.codec import decode, encode

WALL = datetime(2024, 7, 1, 9, 30, 0, 123_000)  # noqa: DTZ001
UTC_TIME = datetime(2024, 7, 1, 13, 30, 0, 123_000, tzinfo=UTC)
KINDS: list[Kind] = list(MAPPINGS)


def vendor_rows(kind: Kind, *rows: dict[str, Any]) -> pa.RecordBatch:
    """Rows of the vendor in which each number is the place of its column, with changes."""
    columns = MAPPINGS[kind].columns
    plain = {
        field.name: WALL if pa.types.is_timestamp(field.type) else field.type.to_pandas_dtype()(place)
        for place, field in enumerate(columns)
    }
    return pa.RecordBatch.from_pylist([plain | row for row in rows or ({},)], schema=columns)


def converted(kind: Kind, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    mapping, record = MAPPINGS[kind], record_type(RECORDS["stock"][kind])
    batch = to_records(vendor_rows(kind, *rows), mapping, record, "BRK.B")
    assert batch.schema == record.arrow
    assert decode([body or b"" for body in encode(batch, record).to_pylist()], record).equals(batch)
    return batch.to_pylist()


def test_each_kind_of_the_catalog_has_a_mapping() -> None:
    assert set(MAPPINGS) == set(RECORDS["stock"])


@pytest.mark.parametrize("kind", KINDS)
def test_each_field_of_the_record_comes_from_the_column_of_its_name(kind: Kind) -> None:
    [record] = converted(kind)

    assert (record.pop("symbol"), record.pop("ts_event")) == ("BRK.B", UTC_TIME)
    for name, value in record.items():
        place = MAPPINGS[kind].columns.get_field_index(name)
        assert value == (UTC_TIME if isinstance(value, datetime) else place), name


@pytest.mark.parametrize("kind", KINDS)
def test_each_column_that_is_asked_for_goes_into_the_record(kind: Kind) -> None:
    mapping = MAPPINGS[kind]

    assert {*mapping.columns.names} - {mapping.ts_event} == {*converted(kind)[0]} - {"symbol", "ts_event"}


@pytest.mark.parametrize("kind", KINDS)
def test_no_rows_are_no_records(kind: Kind) -> None:
    mapping, record = MAPPINGS[kind], record_type(RECORDS["stock"][kind])

    assert to_records(vendor_rows(kind).slice(1), mapping, record, "AAPL").num_rows == 0


@pytest.mark.parametrize("kind", ["trade", "tradequote"])
def test_255_is_no_extended_condition_but_a_main_condition_like_any_other(kind: Kind) -> None:
    none = dict.fromkeys(("ext_condition1", "ext_condition2", "ext_condition3", "ext_condition4", "condition"), 255)

    [without, with_one] = converted(kind, none, none | {"ext_condition2": 0})

    assert [without[f"ext_condition{n}"] for n in range(1, 5)] == [None] * 4
    assert without["condition"] == 255
    assert [with_one[f"ext_condition{n}"] for n in range(1, 5)] == [None, 0, None, None]


def test_a_trade_before_the_first_quote_has_no_quote_time() -> None:
    [without, with_one] = converted("tradequote", {"quote_timestamp": None}, {})

    assert without["quote_timestamp"] is None
    assert with_one["quote_timestamp"] == UTC_TIME


def test_a_report_is_stamped_with_the_time_of_the_report() -> None:
    [record] = converted("eod", {"last_trade": datetime(2024, 7, 1, 16, 0)})  # noqa: DTZ001

    assert record["ts_event"] == UTC_TIME
    assert record["last_trade"] == datetime(2024, 7, 1, 20, 0, tzinfo=UTC)


def test_a_bar_is_empty_without_volume_and_count() -> None:
    bars = vendor_rows("ohlcv", {}, {"volume": 0, "count": 0}, {"volume": 0}, {"count": 0}, {"open": 0.0})

    assert empty_bars(bars).to_pylist() == [False, True, False, False, False]


def test_a_quote_is_empty_with_neither_price_nor_size_on_either_side() -> None:
    nothing = {"bid": 0.0, "ask": 0.0, "bid_size": 0, "ask_size": 0}
    quotes = vendor_rows("quote", {}, nothing, *({name: 0} for name in nothing), *(nothing | {n: 1} for n in nothing))

    assert empty_quotes(quotes).to_pylist() == [False, True] + [False] * 8
