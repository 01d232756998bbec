import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.market import (
    SETS_HIGH,
    SETS_LAST,
    SETS_LAST_IF_FIRST,
    SETS_LOW,
    SETS_VOLUME,
    Bars,
    Grid,
    Quotes,
    Trades,
    bars_of_bars,
    bars_of_trades,
    quotes_at_trades,
    quotes_on_grid,
)

Tick = tuple[int, int, int, int]  # ms, condition, size, price

# Regular, conditional last, odd lot, official close (nothing), opening report (not last), high only.
CONDITIONS = [0, 95, 96, 115, 51, 62, 84, 250]
ticks = st.lists(
    st.tuples(
        st.integers(0, 10_000), st.sampled_from(CONDITIONS), st.integers(1, 10**7), st.integers(1_000_000, 2_000_000)
    ),
    max_size=60,
).map(sorted)


def trades_of(rows: list[Tick]) -> Trades:
    ms, condition, size, price = np.array(rows or np.zeros((0, 4)), np.int64).reshape(-1, 4).T
    zeros = np.zeros(len(ms), np.int64)
    return Trades(ms, zeros, zeros, zeros, zeros, zeros, condition, size, zeros, price)


def quotes_of(times: list[int]) -> Quotes:
    ms = np.array(times, np.int64)
    return Quotes(ms, *(np.arange(len(ms)) + 10 * column for column in range(1, 9)))


def bar_by_hand(rows: list[Tick]) -> tuple[int, int, int, int, int, int]:
    """Open, high, low, close, volume, count of one bar's trades, tick by tick."""
    opening = high = low = close = volume = count = 0
    for _, condition, size, price in rows:
        if SETS_LAST[condition] or (SETS_LAST_IF_FIRST[condition] and not close):
            opening, close = opening or price, price
        if SETS_HIGH[condition]:
            high = max(high, price)
        if SETS_LOW[condition]:
            low = min(low or price, price)
        if SETS_VOLUME[condition]:
            volume, count = volume + size, count + 1
    return opening, high, low, close, volume, count


@given(ticks, st.sampled_from([1, 7, 100, 1_000, 20_000]), st.integers(0, 9_000), st.integers(9_000, 11_000))
def test_bars_are_the_aggregation_of_their_trades(rows: list[Tick], interval: int, start: int, end: int) -> None:
    bars = bars_of_trades(trades_of(rows), Grid(start, end, interval))

    turnover = total = 0
    for at, *row, vwap in zip(*(column.tolist() for column in bars.columns()), strict=True):
        inside = [tick for tick in rows if at <= tick[0] < at + interval and tick[0] <= end]
        assert tuple(row) == bar_by_hand(inside)
        turnover += sum(size * price for _, condition, size, price in inside if SETS_VOLUME[condition])
        total += row[4]
        assert vwap == turnover // max(total, 1)
    assert bars.ms.tolist() == list(range(start, end + 1, interval))


@given(ticks, st.sampled_from([500, 1_000, 2_500]))
def test_bars_of_bars_keep_prices_and_volume(rows: list[Tick], interval: int) -> None:
    trades = trades_of(rows)
    fine = bars_of_trades(trades, Grid(0, 19_999, 500))

    coarse = bars_of_bars(fine, Grid(0, 19_999, interval))

    direct = bars_of_trades(trades, Grid(0, 19_999, interval))
    assert coarse.volume.tolist() == direct.volume.tolist()
    assert coarse.count.tolist() == direct.count.tolist()
    assert coarse.high.tolist() == direct.high.tolist()
    assert coarse.vwap.tolist() == direct.vwap.tolist()


def test_a_bar_that_starts_at_the_end_of_the_window_is_zero_with_the_vwap_carried() -> None:
    starts = np.array([0, 1_000, 2_000])
    base = Bars(starts, starts, starts, starts, starts, starts, starts, np.array([5, 6, 7]))

    bars = bars_of_bars(base, Grid(1_000, 2_000, 1_000))

    assert bars.open.tolist() == [1_000, 0]
    assert bars.volume.tolist() == [1_000, 0]
    assert bars.vwap.tolist() == [6, 6]


def test_a_minute_grid_of_a_full_day_has_both_ends() -> None:
    points = Grid(34_200_000, 57_600_000, 60_000).points

    assert len(points) == 391
    assert (points[0], points[-1]) == (34_200_000, 57_600_000)


def test_a_quote_on_the_grid_is_the_last_at_or_before_it_and_zeros_before_the_first() -> None:
    seen = quotes_on_grid(quotes_of([150, 200, 200, 310]), Grid(100, 400, 100))

    assert seen.ms.tolist() == [100, 200, 300, 400]
    assert seen.bid_size.tolist() == [0, 12, 12, 13]
    assert seen.ask_condition.tolist() == [0, 82, 82, 83]


@pytest.mark.parametrize(("exclusive", "expected"), [(True, [0, 100, 200]), (False, [100, 200, 200])])
def test_exclusive_pairs_with_a_quote_strictly_before_the_trade(*, exclusive: bool, expected: list[int]) -> None:
    trades = trades_of([(100, 0, 1, 1), (200, 0, 1, 1), (250, 0, 1, 1)])

    beside = quotes_at_trades(trades, quotes_of([100, 200]), exclusive=exclusive)

    assert beside.ms.tolist() == expected


@pytest.mark.recordings
def test_the_condition_table_is_the_vendors(recordings: Path) -> None:
    with (recordings.parent / "theta-reference" / "trade-conditions.csv").open() as file:
        rows = list(csv.DictReader(file))

    for row in rows:
        code = int(row["Code"])
        assert SETS_VOLUME[code] == (row["Volume"] == "true"), row["Name"]
        assert SETS_HIGH[code] == (row["High"] == "true"), row["Name"]
        assert SETS_LOW[code] == (row["Low"] == "true"), row["Name"]
        assert SETS_LAST[code] == (row["Last"] == "true"), row["Name"]
        assert SETS_LAST_IF_FIRST[code] == (row["Last"] == "*"), row["Name"]
    assert len(rows) > 100
