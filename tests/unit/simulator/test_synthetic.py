import subprocess
import sys
from datetime import date

import numpy as np
import pytest

from simulator.market import SETS_VOLUME, Grid, Ticks, bars_of_trades
from simulator.sources.synthetic import Synthetic
from simulator.sources.tickers import SYMBOLS

DAY = date(2024, 1, 3)
HALF_DAY = date(2015, 12, 24)
OPEN_MS, CLOSE_MS, HALF_CLOSE_MS = 34_200_000, 57_600_000, 46_800_000


def same(one: Ticks | None, other: Ticks | None) -> bool:
    assert one is not None
    assert other is not None
    return all(np.array_equal(a, b) for a, b in zip(one.columns(), other.columns(), strict=True))


def test_a_day_is_a_pure_function_of_symbol_and_date() -> None:
    first, second = Synthetic(), Synthetic()
    second.quotes("MSFT", DAY)
    second.eod("AAPL", DAY, DAY)

    assert same(first.trades("AAPL", DAY), second.trades("AAPL", DAY))
    assert same(first.quotes("AAPL", DAY), second.quotes("AAPL", DAY))
    assert not same(first.trades("SYM0001", DAY), first.trades("SYM0002", DAY))
    assert not same(first.trades("SYM0001", DAY), first.trades("SYM0001", date(2024, 1, 4)))


def test_another_process_makes_the_same_day() -> None:
    code = (
        "from datetime import date; from simulator.sources.synthetic import Synthetic;"
        "print(int(Synthetic().trades('AAPL', date(2024, 1, 3)).price.sum()))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    trades = Synthetic().trades("AAPL", DAY)
    assert trades is not None
    assert int(printed) == int(trades.price.sum())


@pytest.mark.parametrize("symbol", ["AAPL", "BRK.B", "SYM0999"])
def test_a_day_looks_like_a_tape(symbol: str) -> None:
    source = Synthetic()
    trades, quotes = source.trades(symbol, DAY), source.quotes(symbol, DAY)
    assert trades is not None
    assert quotes is not None

    for ticks in (trades, quotes):
        assert (np.diff(ticks.ms) >= 0).all()
        assert ticks.ms[0] >= 4 * 3_600_000
        assert ticks.ms[-1] < 20 * 3_600_000
        assert len(ticks.window(OPEN_MS, CLOSE_MS)) > 0.9 * len(ticks)
    assert (quotes.ask > quotes.bid).all()
    assert len(np.unique(trades.sequence)) == len(trades)
    before = quotes.rows(np.searchsorted(quotes.ms, trades.ms) - 1)
    assert ((trades.price >= before.bid) & (trades.price <= before.ask)).all()


def test_sequences_do_not_rise_within_a_millisecond() -> None:
    trades = Synthetic().trades("LOAD", DAY)

    assert trades is not None
    assert (np.diff(trades.sequence) < 0).any()


def test_a_half_day_ends_at_one() -> None:
    source = Synthetic()
    trades = source.trades("AAPL", HALF_DAY)
    bars = source.bars("AAPL", HALF_DAY, Grid(OPEN_MS, CLOSE_MS, 60_000))
    assert trades is not None
    assert bars is not None

    regular = trades.condition[(trades.ms >= OPEN_MS) & (trades.ms < HALF_CLOSE_MS)]
    assert (regular != 1).sum() > 0.9 * len(trades)
    assert trades.ms[-1] < HALF_CLOSE_MS
    assert len(bars) == 391
    assert bars.open[bars.ms < HALF_CLOSE_MS].all()
    assert not bars.open[bars.ms >= HALF_CLOSE_MS].any()
    assert (bars.vwap > 0).all()


def test_bars_come_from_the_trades_and_the_last_one_is_zero() -> None:
    source, grid = Synthetic(), Grid(OPEN_MS, CLOSE_MS, 60_000)
    trades, bars = source.trades("AAPL", DAY), source.bars("AAPL", DAY, grid)
    assert trades is not None
    assert bars is not None

    assert same(bars, bars_of_trades(trades, grid))
    assert (bars.volume[-1], bars.count[-1], bars.open[-1]) == (0, 0, 0)
    inside = trades.window(OPEN_MS, CLOSE_MS)
    assert bars.volume.sum() == inside.size[SETS_VOLUME[inside.condition]].sum()


def test_the_report_agrees_with_the_trades_until_it_was_made() -> None:
    source = Synthetic()
    trades, quotes = source.trades("AAPL", DAY), source.quotes("AAPL", DAY)
    assert trades is not None
    assert quotes is not None
    [(day, report)] = source.eod("AAPL", DAY, DAY)

    seen = trades.window(0, report.created_ms)
    assert day == DAY
    assert report.created_ms >= (17 * 60 + 15) * 60_000
    assert report.last_trade_ms == seen.ms[-1]
    assert report.volume == seen.size[SETS_VOLUME[seen.condition]].sum()
    [bar] = zip(
        *(c.tolist() for c in bars_of_trades(seen, Grid(0, report.created_ms, 86_400_000)).columns()), strict=True
    )
    assert bar[1:7] == (report.open, report.high, report.low, report.close, report.volume, report.count)
    assert report.quote[2] == quotes.window(0, report.created_ms).bid[-1]


@pytest.mark.parametrize("day", [date(2024, 1, 1), date(2024, 1, 6), date(2012, 5, 31)])
def test_a_closed_day_and_a_day_before_the_history_have_nothing(day: date) -> None:
    source = Synthetic()

    assert source.trades("AAPL", day) is None
    assert source.quotes("AAPL", day) is None
    assert source.eod("AAPL", day, day) == []


def test_an_unknown_symbol_has_nothing() -> None:
    source = Synthetic()

    assert source.trades("NOPE", DAY) is None
    assert source.eod("NOPE", DAY, DAY) == []
    assert source.dates("NOPE", "trade") == []


@pytest.mark.parametrize("day", [DAY, HALF_DAY])
def test_load_has_a_million_of_each_in_the_regular_session(day: date) -> None:
    source = Synthetic()
    close_ms = HALF_CLOSE_MS if day == HALF_DAY else CLOSE_MS

    for ticks in (source.trades("LOAD", day), source.quotes("LOAD", day)):
        assert ticks is not None
        assert len(ticks) == len(ticks.window(OPEN_MS, close_ms)) == 1_000_000


def test_the_symbols_are_sorted_and_hold_the_documented_families() -> None:
    symbols = Synthetic().symbols()

    assert list(symbols) == sorted(set(symbols))
    assert {"AAPL", "BRK.B", "SPY", "SYM0001", "SYM0999", "LOAD", "LOAD10"} <= set(SYMBOLS)
