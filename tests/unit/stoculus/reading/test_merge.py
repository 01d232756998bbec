from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from stoculus.reading.merge import Merged, merged
from stoculus.records.catalog import record_type
from tests.unit.stoculus.reading.feeds import OPEN_US, ListFeed, records

BAR, QUOTE, TRADE = record_type("StockOhlcv"), record_type("StockQuote"), record_type("StockTrade")
MINUTE_US = 60_000_000


def all_of(feeds: list[ListFeed]) -> list[tuple[int, str, int]]:
    """What a merge gives: when it could be known, the topic, the event time."""
    return [row for part in merged(feeds) for row in rows_of(part)]


def rows_of(part: Merged) -> list[tuple[int, str, int]]:
    times = [batch["ts_event"].cast(pa.int64()).to_pylist() for batch in part.parts]
    places = zip(part.available_us.tolist(), part.feed.tolist(), part.row.tolist(), strict=True)
    return [(at, part.topics[feed], times[feed][row]) for at, feed, row in places]


def test_no_bar_is_seen_before_the_trades_in_it() -> None:
    bars = ListFeed("bars", "ohlcv1m", [records(BAR, [OPEN_US, OPEN_US + MINUTE_US])])
    trades = ListFeed("trades", "trade", [records(TRADE, [OPEN_US, OPEN_US + 30_000_000, OPEN_US + MINUTE_US])])

    assert all_of([trades, bars]) == [
        (OPEN_US, "trades", OPEN_US),
        (OPEN_US + 30_000_000, "trades", OPEN_US + 30_000_000),
        (OPEN_US + MINUTE_US, "trades", OPEN_US + MINUTE_US),
        (OPEN_US + MINUTE_US, "bars", OPEN_US),
        (OPEN_US + 2 * MINUTE_US, "bars", OPEN_US + MINUTE_US),
    ]


def test_of_the_same_moment_the_first_of_the_request_comes_first() -> None:
    def feeds() -> list[ListFeed]:
        return [ListFeed(name, "quote", [records(QUOTE, [OPEN_US] * 2)]) for name in ("b", "a")]

    assert [topic for _, topic, _ in all_of(feeds())] == ["b", "b", "a", "a"]


def test_a_quiet_topic_is_not_waited_for() -> None:
    quiet = ListFeed("quiet", "trade", [OPEN_US + 5, *[None] * 1000])
    busy = ListFeed("busy", "quote", [records(QUOTE, [OPEN_US + n for n in range(10)])])

    first = next(iter(merged([quiet, busy])))

    assert [time for _, _, time in rows_of(first)] == [OPEN_US + n for n in range(5)]
    assert quiet.polls == 1


def test_nothing_is_told_before_all_topics_are_known_to_be_past_it() -> None:
    late = ListFeed("late", "trade", [None, records(TRADE, [OPEN_US])])
    early = ListFeed("early", "quote", [records(QUOTE, [OPEN_US + 1])])

    assert all_of([early, late]) == [(OPEN_US, "late", OPEN_US), (OPEN_US + 1, "early", OPEN_US + 1)]


def test_reports_come_when_they_are_made() -> None:
    greeks = record_type("OptionGreeksEod")
    day_us = 86_400_000_000
    midnight_us = OPEN_US - 9 * 3_600_000_000 - 1_800_000_000
    batch = records(
        greeks,
        [OPEN_US, OPEN_US + 1, OPEN_US + 2],
        root=["SPXW"] * 3,
        right=["CALL"] * 3,
        underlying_timestamp=[OPEN_US + 500, OPEN_US + 100, None],
    )
    feeds = [ListFeed("greeks", "greekseod", [batch])]

    assert all_of(feeds) == [
        (OPEN_US + 100, "greeks", OPEN_US + 1),
        (OPEN_US + 500, "greeks", OPEN_US),
        (midnight_us + day_us, "greeks", OPEN_US + 2),
    ]


TIMES = st.lists(st.integers(0, 12), max_size=30).map(sorted)


@given(st.lists(st.tuples(st.sampled_from(["ohlcv1m", "quote", "trade"]), TIMES, st.data()), min_size=1, max_size=5))
def test_a_merge_is_a_stable_sort_by_when_records_are_known(given: list[tuple[str, list[int], st.DataObject]]) -> None:
    feeds, expected = [], []
    for n, (schema, minutes, data) in enumerate(given):
        times = [OPEN_US + minute * MINUTE_US for minute in minutes]
        cuts = sorted(data.draw(st.lists(st.integers(0, len(times)), max_size=3)))
        record = {"ohlcv1m": BAR, "quote": QUOTE, "trade": TRADE}[schema]
        pieces: list[pa.RecordBatch | int | None] = []
        for first, stop in pairwise([0, *cuts, len(times)]):
            pieces.append(records(record, times[first:stop]) if first < stop else None)
        feeds.append(ListFeed(str(n), schema, pieces))
        expected += [(time + (MINUTE_US if schema == "ohlcv1m" else 0), str(n), time) for time in times]

    assert all_of(feeds) == sorted(expected, key=lambda row: row[0])
