from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.columns import empty_bars
from services.kit.prepare import IsEmpty, Prepared, Preparer
from services.kit.records.stock import MAPPINGS, to_records
from stoculus.calendar import to_utc
from stoculus.records.catalog import record_type
from stoculus.records.codec import decode
from tests.unit.services.kit.making import window
from theta_client.client import BadRow, Block, Window

BARS, BAR = MAPPINGS["ohlcv"], record_type("StockOhlcv")
DAY = date(2024, 1, 2)
OPEN, CLOSE = time(9, 30), time(16)


def bar(at: datetime, volume: int = 100, count: int = 1) -> dict[str, Any]:
    prices = dict.fromkeys(("open", "high", "low", "close", "vwap"), 1.5)
    return {"timestamp": at, **prices, "volume": volume, "count": count}


def block(rows: list[dict[str, Any]], first_line: int = 2, bad: list[BadRow] | None = None) -> Block:
    batch = pa.RecordBatch.from_pylist(rows, schema=BARS.columns)
    lines = pa.array(range(first_line, first_line + len(rows)), pa.int64())
    data = b"".join(b"row %d\r\n" % (first_line + row) for row in range(len(rows)))
    return Block(batch, lines, bad or [], data, first_line)


def prepare(*blocks: Block, is_empty: IsEmpty | None = None, within: Window | None = None) -> list[Prepared]:
    preparer = Preparer(
        b"AAPL", BAR, lambda batch: to_records(batch, BARS, BAR, "AAPL"), is_empty, within or window(DAY)
    )
    return list(preparer.prepare(iter(blocks)))


def minute(number: int) -> datetime:
    return datetime.combine(DAY, OPEN) + timedelta(minutes=number)


def test_rows_come_out_as_avro_with_their_times_in_utc() -> None:
    [rows] = prepare(block([bar(minute(0)), bar(minute(1))]))

    assert rows.ts_event.to_pylist() == [to_utc(DAY, time(9, 30)), to_utc(DAY, time(9, 31))]
    records = decode([body or b"" for body in rows.bodies.to_pylist()], BAR)
    assert records["ts_event"].equals(rows.ts_event)
    assert records["symbol"].to_pylist() == ["AAPL"] * 2
    assert (len(rows), rows.bad_rows, rows.empty_rows, rows.raw_bytes) == (2, [], 0, 14)


def test_equal_times_are_in_order_and_both_ends_are_inside() -> None:
    closing = datetime.combine(DAY, CLOSE)
    [rows] = prepare(block([bar(minute(0)), bar(minute(0)), bar(closing), bar(closing)]))

    assert len(rows) == 4
    assert rows.bad_rows == []


def test_a_row_that_goes_back_in_time_is_set_apart_with_its_line() -> None:
    [rows] = prepare(block([bar(minute(0)), bar(minute(5)), bar(minute(3)), bar(minute(5))], first_line=10))

    assert len(rows) == 3
    assert rows.bad_rows == [BadRow(12, b"row 12", "the time goes back")]


def test_order_is_checked_over_blocks() -> None:
    first, second = prepare(block([bar(minute(5))]), block([bar(minute(4)), bar(minute(6))], first_line=3))

    assert (len(first), len(second)) == (1, 1)
    assert [bad.line for bad in second.bad_rows] == [3]


@pytest.mark.parametrize(
    "outside", [minute(0) - timedelta(milliseconds=1), datetime.combine(DAY, CLOSE) + timedelta(milliseconds=1)]
)
def test_a_row_outside_of_the_request_is_set_apart_and_does_not_spoil_the_order(outside: datetime) -> None:
    [rows] = prepare(block([bar(minute(0)), bar(outside), bar(minute(1))]))

    assert len(rows) == 2
    assert rows.bad_rows == [BadRow(3, b"row 3", "the time is outside of the requested range")]


def test_reports_may_come_at_any_time() -> None:
    [rows] = prepare(block([bar(minute(10_000))]), within=window(DAY, start_time=None, end_time=None))

    assert len(rows) == 1


def test_empty_rows_are_left_out_and_counted_where_that_is_asked_for() -> None:
    rows = [bar(minute(0)), bar(minute(1), volume=0, count=0), bar(minute(2), volume=0, count=1)]

    [filled] = prepare(block(rows), is_empty=empty_bars)
    [whole] = prepare(block(rows))

    assert (len(filled), filled.empty_rows) == (2, 1)
    assert (len(whole), whole.empty_rows) == (3, 0)


def test_bad_rows_of_the_client_and_misplaced_ones_stand_in_the_order_of_lines() -> None:
    bad = [BadRow(2, b"x", "cause"), BadRow(9, b"y", "cause")]
    [rows] = prepare(block([bar(minute(2)), bar(minute(1)), bar(minute(0))], first_line=4, bad=bad))

    assert [row.line for row in rows.bad_rows] == [2, 5, 6, 9]


def test_a_block_of_bad_rows_alone_is_passed_on() -> None:
    [rows] = prepare(block([], bad=[BadRow(2, b"x", "cause")]), is_empty=empty_bars)

    assert (len(rows), len(rows.bad_rows)) == (0, 1)


@given(st.lists(st.integers(-3, 400), max_size=40), st.lists(st.integers(0, 40), max_size=3))
def test_what_is_kept_is_in_order_and_inside_and_nothing_is_lost(minutes: list[int], cuts: list[int]) -> None:
    rows = [bar(minute(number)) for number in minutes]
    edges = sorted({0, *(min(cut, len(rows)) for cut in cuts), len(rows)})
    blocks = [block(rows[i:j], 2 + i) for i, j in pairwise(edges)]

    parts = prepare(*blocks)

    times = [moment for part in parts for moment in part.ts_event.to_pylist()]
    assert times == sorted(moment for moment in times if moment)
    assert len(times) + sum(len(part.bad_rows) for part in parts) == len(rows)
    highest, kept = 0, []
    for number in minutes:
        if 0 <= number <= 390 and number >= highest:
            kept.append(number)
            highest = number
    assert len(times) == len(kept)


def test_a_split_leaves_what_was_set_apart_to_the_rest() -> None:
    [rows] = prepare(block([bar(minute(0)), bar(minute(1)), bar(minute(2))], bad=[BadRow(9, b"", "")]))
    head, rest = rows.split(1)

    assert (len(head), len(rest)) == (1, 2)
    assert (len(head.bad_rows), len(rest.bad_rows)) == (0, 1)
    assert pa.concat_arrays([head.bodies, rest.bodies]).equals(rows.bodies)
    assert pc.all(pc.equal(rest.ts_event, rows.ts_event[1:])).as_py()
