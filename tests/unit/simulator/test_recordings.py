"""Every value of the recordings' answers against the files, read by other means."""

import csv
import io
import zipfile
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from simulator.market import Grid, Ticks
from simulator.sources.lean import CONDITIONS, EXCHANGES, condition_of
from simulator.sources.recordings import Recordings
from stoculus.errors import SettingsInvalid

pytestmark = pytest.mark.recordings
OPEN_MS, CLOSE_MS = 34_200_000, 57_600_000
WHOLE_DAY = (0, 86_399_999)


@pytest.fixture(scope="module")
def source(recordings: Path) -> Recordings:
    return Recordings(recordings)


def rows_of(path: Path) -> list[list[str]]:
    with zipfile.ZipFile(path) as archive:
        return list(csv.reader(io.StringIO(archive.read(archive.namelist()[0]).decode())))


def tuples(ticks: Ticks | None) -> list[tuple[int, ...]]:
    assert ticks is not None
    return list(zip(*(column.tolist() for column in ticks.columns()), strict=True))


@pytest.mark.parametrize(
    ("symbol", "day", "count"),
    [
        ("SPY", date(2013, 10, 7), 250_601),
        ("BAC", date(2013, 10, 7), 88_172),
        ("BAC", date(2013, 10, 8), 125_872),
        ("IBM", date(2013, 10, 7), 24_293),
    ],
)
def test_trades_are_the_files_rows_in_file_order(
    recordings: Path, source: Recordings, symbol: str, day: date, count: int
) -> None:
    rows = rows_of(recordings / f"equity/usa/tick/{symbol.lower()}/{day:%Y%m%d}_trade.zip")

    assert len(rows) == count
    assert tuples(source.trades(symbol, day)) == [
        (int(ms), number, 255, 255, 255, 255, condition_of(flags), int(size), EXCHANGES[exchange], int(price))
        for number, (ms, price, size, exchange, flags, _) in enumerate(rows, 1)
    ]


@pytest.mark.parametrize(
    ("symbol", "day", "count"),
    [
        ("BAC", date(2013, 10, 7), 238_427),
        ("IBM", date(2013, 10, 7), 54_533),
        ("IBM", date(2013, 10, 8), 62_875),
    ],
)
def test_quotes_join_each_bid_row_with_the_ask_row_after_it(
    recordings: Path, source: Recordings, symbol: str, day: date, count: int
) -> None:
    rows = rows_of(recordings / f"equity/usa/tick/{symbol.lower()}/{day:%Y%m%d}_quote.zip")
    expected, bid = [], None
    for row in rows:
        ms, bid_price, _, ask_price, ask_size, exchange = row[:6]
        if int(bid_price):
            bid = row
        elif bid and bid[0] == ms:
            left = (int(bid[2]), EXCHANGES[bid[5]], int(bid[1]), 0)
            expected.append((int(ms), *left, int(ask_size), EXCHANGES[exchange], int(ask_price), 0))
            bid = None

    assert tuples(source.quotes(symbol, day)) == expected
    assert len(expected) == count


@pytest.mark.parametrize("day", [date(2014, 6, 5), date(2014, 6, 6), date(2014, 6, 9)])
def test_minute_bars_agree_with_the_files_bar_by_bar(recordings: Path, source: Recordings, day: date) -> None:
    rows = [
        [int(cell) for cell in row] for row in rows_of(recordings / f"equity/usa/minute/aapl/{day:%Y%m%d}_trade.zip")
    ]

    bars = tuples(source.bars("AAPL", day, Grid(*WHOLE_DAY, 60_000)))

    assert len(bars) == 1_440
    turnover = total = 0
    vwaps = {}
    for ms, _, _, _, close, volume in rows:
        turnover, total = turnover + close * volume, total + volume
        vwaps[ms] = turnover // total
    assert [bar for bar in bars if bar[5]] == [(*row, 1, vwaps[row[0]]) for row in rows]
    vwap = 0
    for bar in bars:
        vwap = vwaps.get(bar[0], vwap)
        assert bar[7] == vwap
        assert bar[5] or bar[1:7] == (0, 0, 0, 0, 0, 0)


def test_five_minute_bars_are_made_of_minutes_on_the_vendors_grid(source: Recordings) -> None:
    minutes = tuples(source.bars("SPY", date(2013, 10, 7), Grid(OPEN_MS, CLOSE_MS, 60_000)))

    bars = tuples(source.bars("SPY", date(2013, 10, 7), Grid(OPEN_MS, CLOSE_MS, 300_000)))

    assert len(bars) == 79
    for number, bar in enumerate(bars[:-1]):
        part = minutes[5 * number : 5 * number + 5]
        high, low = max(m[2] for m in part), min(m[3] for m in part)
        volume, count = sum(m[5] for m in part), sum(m[6] for m in part)
        assert bar == (part[0][0], part[0][1], high, low, part[-1][4], volume, count, part[-1][7])
    assert bars[-1][1:7] == (0, 0, 0, 0, 0, 0)
    assert bars[-1][7] == minutes[-2][7]


def test_bars_without_a_file_come_from_the_next_finer_one(source: Recordings) -> None:
    seconds = source.bars("SPY", date(2014, 6, 5), Grid(*WHOLE_DAY, 1_000))

    minutes = source.bars("SPY", date(2014, 6, 5), Grid(*WHOLE_DAY, 60_000))

    assert seconds is not None
    assert minutes is not None
    assert minutes.volume.sum() == seconds.volume.sum()
    assert set(minutes.count.tolist()) == {0, 1}
    assert source.bars("AAPL", date(2014, 6, 5), Grid(*WHOLE_DAY, 30_000)) is None


def test_sub_second_bars_come_from_ticks(source: Recordings) -> None:
    bars = source.bars("IBM", date(2013, 10, 7), Grid(OPEN_MS, OPEN_MS + 600_000, 500))

    assert bars is not None
    assert bars.count.max() > 1


def test_quotes_on_the_grid_are_the_last_tick_quote(source: Recordings) -> None:
    ticks = source.quotes("BAC", date(2013, 10, 7))
    seen = source.quotes_at("BAC", date(2013, 10, 7), Grid(OPEN_MS, CLOSE_MS, 60_000))
    assert ticks is not None
    assert seen is not None

    for number in (0, 1, 200, 390):
        last = np.flatnonzero(ticks.ms <= seen.ms[number])[-1]
        assert tuples(seen)[number][1:] == tuples(ticks.rows(slice(last, last + 1)))[0][1:]


def test_quotes_on_the_grid_from_bars_are_closes_known_at_the_bars_end(recordings: Path, source: Recordings) -> None:
    day = date(2014, 6, 5)
    rows = rows_of(recordings / f"equity/usa/minute/aapl/{day:%Y%m%d}_quote.zip")
    known = {int(row[0]) + 60_000: [int(row[at] or 0) for at in (5, 4, 10, 9)] for row in rows}

    seen = source.quotes_at("AAPL", day, Grid(*WHOLE_DAY, 60_000))

    current = [0, 0, 0, 0]
    for ms, bid_size, _, bid, _, ask_size, _, ask, _ in tuples(seen):
        current = known.get(ms, current)
        assert [bid_size, bid, ask_size, ask] == current


def test_the_finest_quote_bars_win(recordings: Path, source: Recordings) -> None:
    rows = rows_of(recordings / "equity/usa/second/spy/20131007_quote.zip")
    last = max((row for row in rows if int(row[0]) + 1_000 <= OPEN_MS), key=lambda row: int(row[0]))

    seen = source.quotes_at("SPY", date(2013, 10, 7), Grid(OPEN_MS, OPEN_MS, 60_000))

    assert seen is not None
    assert (seen.bid[0], seen.ask[0]) == (int(last[4]), int(last[9]))


def test_eod_is_the_daily_file_from_1998_on(recordings: Path, source: Recordings) -> None:
    rows = rows_of(recordings / "equity/usa/daily/aapl.zip")

    reports = source.eod("AAPL", date(1990, 1, 1), date(2030, 1, 1))

    assert len(reports) == len(rows)
    for (day, report), (text, *numbers) in zip(reports, rows, strict=True):
        assert f"{day:%Y%m%d} 00:00" == text
        assert [report.open, report.high, report.low, report.close, report.volume] == [int(n) for n in numbers]
        assert (report.created_ms, report.last_trade_ms, report.count) == (62_100_000, CLOSE_MS, 0)
        assert report.quote == (0,) * 8
    assert source.eod("AAPL", date(2014, 6, 7), date(2014, 6, 8)) == []


def test_lists_come_from_the_files(source: Recordings) -> None:
    assert list(source.symbols()) == ["AAPL", "AIG", "BAC", "FOXA", "GOOG", "GOOGL", "IBM", "NWSA", "SPY", "TWX"]
    assert list(source.dates("BAC", "quote")) == [date(2013, 10, 7), date(2013, 10, 8)]
    assert source.dates("AAPL", "trade")[0] == date(1998, 1, 2)
    assert source.dates("MSFT", "trade") == []


def test_what_no_file_holds_is_none(source: Recordings) -> None:
    assert source.trades("AAPL", date(2014, 6, 5)) is None
    assert source.quotes("SPY", date(2013, 10, 7)) is None
    assert source.bars("AAPL", date(2014, 6, 4), Grid(*WHOLE_DAY, 60_000)) is None
    assert source.quotes_at("MSFT", date(2014, 6, 5), Grid(*WHOLE_DAY, 60_000)) is None


@pytest.mark.parametrize(
    ("flags", "condition"),
    [("1", 0), ("20000020", 95), ("20002020", 1), ("1000001", 51), ("20104800", 2), ("42000", 1), ("20000004", 9)],
)
def test_the_first_bit_of_the_table_decides(flags: str, condition: int) -> None:
    assert condition_of(flags) == condition


def test_each_bit_of_the_table_has_its_condition() -> None:
    assert [condition_of(f"{bit:x}") for bit, _ in CONDITIONS] == [condition for _, condition in CONDITIONS]


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="holds no recordings"):
        Recordings(tmp_path)
