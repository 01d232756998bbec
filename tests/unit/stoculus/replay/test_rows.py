"""Merges arranged for sending, and what of them was sent before."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from stoculus.reading.merge import Merged
from stoculus.records.catalog import record_type
from stoculus.replay.rows import Mark, Progress, arranged

RECORDS = ("StockQuote", "StockTrade", "StockQuote")
FEEDS: list[Any] = [SimpleNamespace(schema=SimpleNamespace(record=record_type(name))) for name in RECORDS]
_TIMES = st.lists(st.lists(st.integers(0, 9), max_size=9).map(sorted), min_size=3, max_size=3)


def part(record: str, times: list[int]) -> pa.RecordBatch:
    """A row at each time; `bid_size` or `size` counts them."""
    arrow = record_type(record).arrow
    rows: list[dict[str, Any]] = [
        dict.fromkeys(arrow.names, 0) | {"symbol": "A", "ts_event": time, "bid_size": n, "size": n}
        for n, time in enumerate(times)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=arrow).replace_schema_metadata({"topic": "x"})


def merged(times: list[list[int]]) -> Merged:
    rows = sorted((time, feed, n) for feed, some in enumerate(times) for n, time in enumerate(some))
    at, feed, row = (
        (np.array(column, np.int64) for column in zip(*rows, strict=True)) if rows else [np.empty(0, int)] * 3
    )
    return Merged(["a", "b", "c"], [part(*each) for each in zip(RECORDS, times, strict=True)], feed, row, at)


def sent(of: Merged, kept: Any) -> list[tuple[int, int]]:
    return list(zip(of.feed[kept].tolist(), of.row[kept].tolist(), strict=True))


@given(_TIMES, st.data())
def test_lanes_hold_the_rows_of_a_type_in_the_order_of_the_merge(times: list[list[int]], data: st.DataObject) -> None:
    of = merged(times)
    kept = np.array([data.draw(st.booleans()) for _ in range(len(of))], bool)

    rows = arranged(of, FEEDS, kept)

    found: dict[int, tuple[int, int]] = {}
    for lane in rows.lanes:
        counts = lane.records["bid_size" if "Quote" in lane.record.name else "size"].to_pylist()
        assert {record_type(RECORDS[n]).name for n in lane.topic_of.tolist()} == {lane.record.name}
        assert lane.records["ts_event"].cast(pa.int64()).to_pylist() == rows.available_us[lane.at].tolist()
        found |= dict(zip(lane.at.tolist(), zip(lane.topic_of.tolist(), counts, strict=True), strict=True))
    assert [found[n] for n in range(len(rows.available_us))] == sent(of, kept)


def test_a_span_of_all_rows_is_one_of_each_lane() -> None:
    of = merged([[1, 4], [2, 3], [5]])
    quotes, trades = arranged(of, FEEDS, np.ones(5, bool)).lanes

    assert (quotes.span(0, 2), trades.span(0, 2)) == (slice(0, 1), slice(0, 1))
    assert (quotes.span(2, 5), trades.span(2, 5)) == (slice(1, 3), slice(1, 2))


def cut(whole: Merged, at: int) -> tuple[Merged, Merged]:
    """A merge in two stretches."""
    taken = [int((whole.feed[:at] == n).sum()) for n in range(3)]
    early, late = (
        [batch.slice(0, count) for batch, count in zip(whole.parts, taken, strict=True)],
        [batch.slice(count) for batch, count in zip(whole.parts, taken, strict=True)],
    )
    rest = whole.row[at:] - np.array(taken)[whole.feed[at:]]
    return (
        Merged(whole.topics, early, whole.feed[:at], whole.row[:at], whole.available_us[:at]),
        Merged(whole.topics, late, whole.feed[at:], rest, whole.available_us[at:]),
    )


@given(_TIMES, st.data())
def test_whatever_was_sent_of_each_topic_the_rest_is_sent_once(times: list[list[int]], data: st.DataObject) -> None:
    whole = merged(times)
    expected = [list(range(len(some))) for some in times]
    marks = {}
    for feed, some in enumerate(times):
        if count := data.draw(st.integers(0, len(some))):
            marks[feed] = Mark(some[count - 1], some[:count].count(some[count - 1]))
            expected[feed] = expected[feed][count:]

    progress = Progress(marks)
    progress.start_over()
    found: list[list[int]] = [[], [], []]
    passed = [0, 0, 0]
    for stretch in cut(whole, data.draw(st.integers(0, len(whole)))):
        kept = progress.rest(stretch)
        progress.advance(stretch, kept)
        for feed, row in sent(stretch, kept):
            found[feed].append(passed[feed] + row)
        passed = [before + part.num_rows for before, part in zip(passed, stretch.parts, strict=True)]

    assert found == expected
    progress.start_over()
    assert not progress.rest(whole).any()
