"""Every value of the recordings' option answers against the files, read by other means."""

import csv
import io
import shutil
import zipfile
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from simulator.market import Grid, Ticks
from simulator.options.recordings import OptionRecordings
from stoculus.instruments import OptionContract

pytestmark = pytest.mark.recordings
OPEN_MS, HALF_DAY_MS, CLOSE_MS, MINUTE_MS = 34_200_000, 46_800_000, 57_600_000, 60_000
WHOLE_DAY = Grid(0, 86_399_999, MINUTE_MS)
BEFORE_SPLIT, AFTER_SPLIT = date(2014, 6, 6), date(2014, 6, 9)
HALF_DAY = date(2015, 12, 24)


@pytest.fixture(scope="module")
def source(recordings: Path) -> OptionRecordings:
    return OptionRecordings(recordings)


Rows = dict[OptionContract, list[list[str]]]


def rows_of(path: Path, root: str) -> Rows:
    found = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            *_, right, strike, day = member.removesuffix(".csv").split("_")
            expiration = date.fromisoformat(day)
            assert int(strike) % 10 == 0
            contract = OptionContract(root, expiration, int(strike) // 10, "call" if right == "call" else "put")
            found[contract] = list(csv.reader(io.StringIO(archive.read(member).decode())))
    return found


def tuples(ticks: Ticks | None) -> list[tuple[int, ...]]:
    assert ticks is not None
    return list(zip(*(column.tolist() for column in ticks.columns()), strict=True))


TRADE_DAYS = [
    ("AAPL", BEFORE_SPLIT, "option/usa/minute/aapl/20140606_trade_american.zip", 1_185, 22_067),
    ("AAPL", AFTER_SPLIT, "option/usa/minute/aapl/20140609_trade_american.zip", 1_138, 21_617),
    ("GOOG", HALF_DAY, "option/usa/minute/goog/20151224_trade_american.zip", 241, 958),
    ("TWX", BEFORE_SPLIT, "option/usa/minute/twx/20140606_trade_american.zip", 31, 71),
    ("SPXW", date(2021, 1, 6), "indexoption-untrimmed/usa/minute/spxw/20210106_trade_european.zip", 86, 2_849),
    ("SPXW", date(2021, 1, 4), "indexoption/usa/minute/spxw/20210104_trade_european.zip.zip", 12, 1_918),
]


@pytest.mark.parametrize(("root", "day", "path", "contracts", "count"), TRADE_DAYS)
def test_minute_bars_agree_with_the_files_bar_by_bar(
    recordings: Path, source: OptionRecordings, root: str, day: date, path: str, contracts: int, count: int
) -> None:
    rows = rows_of(recordings / path, root)

    assert (len(rows), sum(map(len, rows.values()))) == (contracts, count)
    assert list(source.contracts(root, day, "trade")) == list(rows)
    for contract, bars in rows.items():
        turnover = total = vwap = 0
        expected = {}
        for row in bars:
            ms, *prices, close, volume = map(int, row)
            turnover, total = turnover + close * volume, total + volume
            expected[ms] = (ms, *prices, close, volume, 1 if volume else 0, turnover // total)
        answered = tuples(source.bars(contract, day, WHOLE_DAY))
        assert len(answered) == 1_440
        for bar in answered:
            vwap = expected[bar[0]][7] if bar[0] in expected else vwap
            assert bar == expected.get(bar[0], (bar[0], 0, 0, 0, 0, 0, 0, vwap))


def test_half_hours_are_made_of_minutes_on_the_vendors_grid(source: OptionRecordings) -> None:
    contract = OptionContract.parse("AAPL140613C00645000")
    minutes = tuples(source.bars(contract, BEFORE_SPLIT, Grid(OPEN_MS, CLOSE_MS, MINUTE_MS)))

    bars = tuples(source.bars(contract, BEFORE_SPLIT, Grid(OPEN_MS, CLOSE_MS, 30 * MINUTE_MS)))

    assert len(bars) == 14
    for number, bar in enumerate(bars[:-1]):
        traded = [minute for minute in minutes[30 * number : 30 * number + 30] if minute[5]]
        assert bar[1:5] == (traded[0][1], max(m[2] for m in traded), min(m[3] for m in traded), traded[-1][4])
        assert bar[5:] == (sum(m[5] for m in traded), len(traded), traded[-1][7])


QUOTE_DAYS = [
    ("GOOG", HALF_DAY, "option/usa/minute/goog/20151224_quote_american.zip", 2_192, 275_552, 112_322),
    ("TWX", date(2014, 6, 5), "option/usa/minute/twx/20140605_quote_american.zip", 184, 30_468, None),
    ("SPX", date(2021, 1, 14), "indexoption/usa/minute/spx/20210114_quote_european.zip", 6, 2_045, None),
    ("SPXW", date(2021, 1, 6), "indexoption-untrimmed/usa/minute/spxw/20210106_quote_european.zip", 108, 43_465, None),
]


@pytest.mark.parametrize(("root", "day", "path", "contracts", "count", "one_sided"), QUOTE_DAYS)
def test_quotes_are_the_closes_known_at_the_end_of_each_minute(
    recordings: Path,
    source: OptionRecordings,
    root: str,
    day: date,
    path: str,
    contracts: int,
    count: int,
    one_sided: int | None,
) -> None:
    rows = rows_of(recordings / path, root)
    grid = Grid(OPEN_MS, CLOSE_MS + 15 * MINUTE_MS, MINUTE_MS)

    assert (len(rows), sum(map(len, rows.values()))) == (contracts, count)
    assert list(source.contracts(root, day, "quote")) == list(rows)
    met = empty = 0
    for contract, bars in rows.items():
        known = {
            int(row[0]) + MINUTE_MS: (int(row[5]), 0, int(row[4] or 0), 0, int(row[10]), 0, int(row[9] or 0), 0)
            for row in bars
        }
        current = (0,) * 8
        for ms, *quote in tuples(source.quotes_at(contract, day, grid)):
            current = known.get(ms, current)
            assert tuple(quote) == current
            if ms in known:
                met += 1
                empty += quote[2] == 0 or quote[6] == 0
    assert met == count
    assert one_sided in (None, empty)


def test_an_empty_side_has_neither_price_nor_size(source: OptionRecordings) -> None:
    grid = Grid(OPEN_MS + MINUTE_MS, HALF_DAY_MS, MINUTE_MS)
    sides = Counter(
        (side[0] > 0, side[2] > 0)
        for contract in source.contracts("GOOG", HALF_DAY, "quote")
        for quote in tuples(source.quotes_at(contract, HALF_DAY, grid))
        for side in (quote[1:5], quote[5:9])
    )

    assert set(sides) == {(True, True), (False, False)}


@pytest.mark.parametrize(
    ("root", "day", "path", "count"),
    [
        ("AAPL", BEFORE_SPLIT, "option/usa/minute/aapl/20140606_openinterest_american.zip", 2_322),
        ("AAPL", AFTER_SPLIT, "option/usa/minute/aapl/20140609_openinterest_american.zip", 2_337),
        ("GOOG", HALF_DAY, "option/usa/minute/goog/20151224_openinterest_american.zip", 2_058),
        ("TWX", date(2014, 6, 5), "option/usa/minute/twx/20140605_openinterest_american.zip", 184),
        ("SPX", date(2021, 1, 4), "indexoption/usa/minute/spx/20210104_openinterest_european.zip", 6),
        ("SPXW", date(2021, 1, 4), "indexoption/usa/minute/spxw/20210104_openinterest_european.zip.zip", 12),
    ],
)
def test_open_interest_is_the_files_with_its_time(
    recordings: Path, source: OptionRecordings, root: str, day: date, path: str, count: int
) -> None:
    rows = rows_of(recordings / path, root)
    assert len(rows) == count

    answered = {
        contract: source.open_interest(contract, day)
        for contract in source.contracts(root, day, None)
        if source.open_interest(contract, day)
    }

    assert answered == {contract: tuple(map(int, lines[0])) for contract, lines in rows.items()}
    assert all(len(lines) == 1 for lines in rows.values())


def test_a_day_without_its_own_file_has_the_open_interest_of_the_years(
    recordings: Path, source: OptionRecordings
) -> None:
    rows = rows_of(recordings / "option/usa/daily/aapl_2014_openinterest_american.zip", "AAPL")
    expected = {
        contract: (0, int(line[1])) for contract, lines in rows.items() for line in lines if line[0] == "20140611 00:00"
    }

    answered = source.contracts("AAPL", date(2014, 6, 11), None)

    assert len(expected) == 96
    assert {contract: source.open_interest(contract, date(2014, 6, 11)) for contract in answered} == expected


def test_after_the_split_trades_have_new_strikes_and_open_interest_the_old_ones(source: OptionRecordings) -> None:
    traded = {contract.strike for contract in source.contracts("AAPL", AFTER_SPLIT, "trade")}
    every = source.contracts("AAPL", AFTER_SPLIT, None)
    open_strikes = {contract.strike for contract in every if source.open_interest(contract, AFTER_SPLIT)}

    assert (min(traded), max(traded)) == (28.57, 150.0)
    assert (min(open_strikes), max(open_strikes)) == (195.0, 1050.0)
    assert traded.isdisjoint(open_strikes)
    new = OptionContract.parse("AAPL140613C00093570")
    old = OptionContract.parse("AAPL140613C00655000")
    assert source.bars(new, AFTER_SPLIT, WHOLE_DAY)
    assert source.open_interest(new, AFTER_SPLIT) is None
    assert source.bars(old, AFTER_SPLIT, WHOLE_DAY) is None
    assert source.open_interest(old, AFTER_SPLIT)


@pytest.mark.parametrize(
    ("root", "path"),
    [
        ("AAPL", "option/usa/daily/aapl_2014_trade_american.zip"),
        ("AAPL", "option/usa/daily/aapl_2015_trade_american.zip"),
        ("GOOG", "option/usa/daily/goog_2015_trade_american.zip"),
        ("TWX", "option/usa/daily/twx_2014_trade_american.zip"),
        ("SPX", "indexoption/usa/daily/spx_2021_trade_european.zip"),
    ],
)
def test_reports_are_the_daily_files(recordings: Path, source: OptionRecordings, root: str, path: str) -> None:
    listed: dict[date, set[OptionContract]] = {}
    for contract, lines in rows_of(recordings / path, root).items():
        for text, *numbers in lines:
            day = date.fromisoformat(text[:8])
            assert text[8:] == " 00:00"
            report = source.eod(contract, day)
            assert report is not None
            assert [report.open, report.high, report.low, report.close, report.volume] == [int(n) for n in numbers]
            assert (report.created_ms, report.last_trade_ms, report.count) == (62_100_000, CLOSE_MS, 0)
            assert report.quote == (0,) * 8
            if day not in listed:
                listed[day] = set(source.contracts(root, day, None))
            assert contract in listed[day]


def test_the_untrimmed_file_wins(source: OptionRecordings) -> None:
    day = date(2021, 1, 6)

    assert len(source.contracts("SPXW", day, "quote")) == 108
    assert len(source.contracts("SPXW", day, "trade")) == 86
    assert len(source.contracts("SPXW", date(2021, 1, 8), "quote")) == 16


def test_lists_come_from_the_files(source: OptionRecordings) -> None:
    assert list(source.roots()) == ["AAPL", "FOXA", "GOOG", "NQX", "NWSA", "SPX", "SPXW", "SPY", "TWX"]
    assert list(source.expirations("SPX")) == [date(2021, 1, 15)]
    assert sorted(source.strikes("SPX", date(2021, 1, 15))) == [3_200_000, 3_700_000, 3_800_000, 4_200_000, 4_250_000]
    assert list(source.dates("SPX", date(2021, 1, 15), "quote")) == [date(2021, 1, 4), date(2021, 1, 14)]
    assert list(source.dates("GOOG", HALF_DAY, "quote")) == [date(2015, 12, 23), HALF_DAY]
    assert len(source.dates("AAPL", date(2016, 1, 15), "trade")) == 252
    assert source.expirations("MSFT") == []
    assert source.strikes("SPX", date(2021, 1, 16)) == []
    assert list(source.dates("AAPL", date(2014, 6, 13), "quote")) == [BEFORE_SPLIT, AFTER_SPLIT]
    assert source.dates("SPX", date(2021, 1, 16), "quote") == []
    assert source.contracts("AAPL", date(2014, 6, 7), None) == []


def test_each_expiration_and_strike_of_a_day_is_listed(recordings: Path, source: OptionRecordings) -> None:
    rows = rows_of(recordings / "option/usa/minute/goog/20151224_quote_american.zip", "GOOG")

    assert {contract.expiration for contract in rows} <= set(source.expirations("GOOG"))
    for expiration in {contract.expiration for contract in rows}:
        strikes = source.strikes("GOOG", expiration)
        assert len(strikes) == len(set(strikes))
        assert {c.strike_thousandths for c in rows if c.expiration == expiration} <= set(strikes)


@pytest.mark.parametrize(("day", "count"), [(BEFORE_SPLIT, 2_352), (AFTER_SPLIT, 2_180)])
def test_a_day_without_minute_quotes_lists_the_contracts_of_its_daily_quotes(
    recordings: Path, source: OptionRecordings, day: date, count: int
) -> None:
    rows = rows_of(recordings / "option/usa/daily/aapl_2014_quote_american.zip", "AAPL")
    quoted = source.contracts("AAPL", day, "quote")

    assert len(quoted) == count
    assert set(quoted) == {c for c, lines in rows.items() if any(line[0] == f"{day:%Y%m%d} 00:00" for line in lines)}
    assert set(source.contracts("AAPL", day, "trade")) < set(quoted)


def test_open_interest_of_an_hour_file_keeps_its_time(recordings: Path, source: OptionRecordings) -> None:
    rows = rows_of(recordings / "indexoption/usa/hour/nqx_2021_openinterest_european.zip", "NQX")

    assert sum(map(len, rows.values())) == 107
    for contract, lines in rows.items():
        for text, held in lines:
            day, at_ms = date.fromisoformat(text[:8]), int(text[9:11]) * 60 * MINUTE_MS
            assert source.open_interest(contract, day) == (at_ms, int(held))
            assert contract in source.contracts("NQX", day, None)


def test_what_no_file_holds_is_none(source: OptionRecordings) -> None:
    contract = next(iter(source.contracts("AAPL", BEFORE_SPLIT, "trade")))

    assert source.trades(contract, BEFORE_SPLIT) is None
    assert source.quotes(contract, BEFORE_SPLIT) is None
    assert source.quotes_at(contract, BEFORE_SPLIT, WHOLE_DAY) is None
    assert source.bars(contract, date(2014, 6, 5), WHOLE_DAY) is None
    assert source.bars(contract, BEFORE_SPLIT, Grid(OPEN_MS, CLOSE_MS, 30_000)) is None
    assert source.eod(contract, date(2014, 6, 5)) is None
    assert source.open_interest(contract, date(2014, 6, 5)) is None
    assert source.underlying("AAPL", BEFORE_SPLIT) is None
    assert source.limited_by_tier is False


def test_a_folder_without_options_holds_nothing(tmp_path: Path) -> None:
    source = OptionRecordings(tmp_path)

    assert source.roots() == []
    assert source.contracts("AAPL", BEFORE_SPLIT, None) == []


def test_no_zip_is_opened_at_the_start(tmp_path: Path) -> None:
    folder = tmp_path / "option/usa/minute/aapl"
    folder.mkdir(parents=True)
    (folder / "20140606_trade_american.zip").write_text("not a zip")

    source = OptionRecordings(tmp_path)

    assert list(source.roots()) == ["AAPL"]
    with pytest.raises(zipfile.BadZipFile):
        source.contracts("AAPL", BEFORE_SPLIT, "trade")


def test_a_root_may_hold_a_dot(recordings: Path, tmp_path: Path) -> None:
    (tmp_path / "option/usa/daily").mkdir(parents=True)
    name = "option/usa/daily/{}_2014_trade_american.zip"
    shutil.copy(recordings / name.format("twx"), tmp_path / name.format("brk.b"))

    source = OptionRecordings(tmp_path)

    assert list(source.roots()) == ["BRK.B"]
    assert {contract.root for contract in source.contracts("BRK.B", BEFORE_SPLIT, "trade")} == {"BRK.B"}
