"""Recorded option chains over HTTP, value by value against the files."""

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

import httpx2
import pytest

pytestmark = pytest.mark.recordings
MINUTE_MS = 60_000
HALF_DAY, UNTRIMMED_DAY = date(2015, 12, 24), date(2021, 1, 6)
CHAIN = {"right": "both", "strike": "*"}

Contract = tuple[str, str, str]  # expiration, strike with three decimals, right


def files_rows(path: Path) -> dict[Contract, list[list[str]]]:
    found = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            *_, right, strike, day = member.removesuffix(".csv").split("_")
            contract = (str(date.fromisoformat(day)), f"{Decimal(strike) / 10_000:.3f}", right.upper())
            found[contract] = list(csv.reader(io.StringIO(archive.read(member).decode())))
    return found


def answer(terminal: httpx2.Client, path: str, **query: str) -> list[dict[str, str]]:
    response = terminal.get(f"/v3/option/{path}", params=query)
    assert response.status_code == 200, (path, query, response.text)
    return list(csv.DictReader(io.StringIO(response.text, newline="")))


def contract_of(row: dict[str, str]) -> Contract:
    return row["expiration"], row["strike"], row["right"]


@cache
def ms_of(timestamp: str, day: date) -> int:
    assert timestamp[:11] == f"{day}T"
    return ((int(timestamp[11:13]) * 60 + int(timestamp[14:16])) * 60 + int(timestamp[17:19])) * 1000


@cache
def units(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole) * 10_000 + int(fraction.ljust(4, "0"))


def chain_bars(terminal: httpx2.Client, root: str, day: date, end_time: str) -> Iterator[dict[str, str]]:
    """All minutes from the open; `ohlc` takes one expiration at a time."""
    listed = answer(terminal, "list/contracts/trade", symbol=root, date=str(day))
    for expiration in sorted({row["expiration"] for row in listed}):
        yield from answer(
            terminal,
            "history/ohlc",
            symbol=root,
            expiration=expiration,
            date=str(day),
            interval="1m",
            end_time=end_time,
            **CHAIN,
        )


BARS = [
    ("AAPL", date(2014, 6, 6), "option/usa/minute/aapl/20140606_trade_american.zip", "16:30:00", 22_067),
    ("GOOG", HALF_DAY, "option/usa/minute/goog/20151224_trade_american.zip", "13:00:00", 958),
    ("SPXW", UNTRIMMED_DAY, "indexoption-untrimmed/usa/minute/spxw/20210106_trade_european.zip", "16:15:00", 2_849),
    ("SPXW", date(2021, 1, 4), "indexoption/usa/minute/spxw/20210104_trade_european.zip.zip", "16:15:00", 1_918),
]


@pytest.mark.parametrize(("root", "day", "path", "end_time", "count"), BARS)
def test_bars_of_a_chain_are_the_files(
    recorded_terminal: httpx2.Client, recordings: Path, root: str, day: date, path: str, end_time: str, count: int
) -> None:
    rows = files_rows(recordings / path)
    expected = {
        (contract, int(ms)): [*map(int, prices), int(volume), 1]
        for contract, bars in rows.items()
        for ms, *prices, volume in bars
    }

    answered = {}
    contracts = set()
    for row in chain_bars(recorded_terminal, root, day, end_time):
        contracts.add(contract_of(row))
        values = [
            *(units(row[name]) for name in ("open", "high", "low", "close")),
            *map(int, (row["volume"], row["count"])),
        ]
        if any(values):
            answered[contract_of(row), ms_of(row["timestamp"], day)] = values

    assert len(expected) == count
    assert answered == expected
    assert contracts == set(rows)


QUOTES = [
    ("GOOG", HALF_DAY, "option/usa/minute/goog/20151224_quote_american.zip", "13:01:00", 275_552, 112_322),
    ("SPXW", UNTRIMMED_DAY, "indexoption-untrimmed/usa/minute/spxw/20210106_quote_european.zip", "16:16:00", 43_465, 1),
]


@pytest.mark.parametrize(("root", "day", "path", "end_time", "count", "one_sided"), QUOTES)
def test_quotes_of_a_chain_are_the_closes_of_the_files(
    recorded_terminal: httpx2.Client,
    recordings: Path,
    root: str,
    day: date,
    path: str,
    end_time: str,
    count: int,
    one_sided: int,
) -> None:
    rows = files_rows(recordings / path)
    known = {
        (contract, int(row[0]) + MINUTE_MS): tuple(int(row[at] or 0) for at in (5, 4, 10, 9))
        for contract, quotes in rows.items()
        for row in quotes
    }

    met = empty = 0
    current: dict[Contract, tuple[int, ...]] = dict.fromkeys(rows, (0, 0, 0, 0))
    for row in answer(
        recorded_terminal,
        "history/quote",
        symbol=root,
        expiration="*",
        date=str(day),
        interval="1m",
        end_time=end_time,
        **CHAIN,
    ):
        contract, ms = contract_of(row), ms_of(row["timestamp"], day)
        current[contract] = known.get((contract, ms), current[contract])
        seen = (int(row["bid_size"]), units(row["bid"]), int(row["ask_size"]), units(row["ask"]))
        assert seen == current[contract]
        if (contract, ms) in known:
            met += 1
            empty += seen[:2] == (0, 0) or seen[2:] == (0, 0)

    assert len(known) == met == count
    assert empty == one_sided


@pytest.mark.parametrize(
    ("root", "day", "path", "count"),
    [
        ("AAPL", date(2014, 6, 6), "option/usa/minute/aapl/20140606_openinterest_american.zip", 2_322),
        ("AAPL", date(2014, 6, 9), "option/usa/minute/aapl/20140609_openinterest_american.zip", 2_337),
        ("TWX", date(2014, 6, 5), "option/usa/minute/twx/20140605_openinterest_american.zip", 184),
        ("SPXW", date(2021, 1, 4), "indexoption/usa/minute/spxw/20210104_openinterest_european.zip.zip", 12),
    ],
)
def test_open_interest_of_a_chain_is_the_files(
    recorded_terminal: httpx2.Client, recordings: Path, root: str, day: date, path: str, count: int
) -> None:
    rows = files_rows(recordings / path)

    answered = answer(recorded_terminal, "history/open_interest", symbol=root, expiration="*", date=str(day), **CHAIN)

    assert len(answered) == len(rows) == count
    assert {contract_of(row): [ms_of(row["timestamp"], day), int(row["open_interest"])] for row in answered} == {
        contract: [int(cell) for cell in lines[0]] for contract, lines in rows.items()
    }


@pytest.mark.parametrize(
    ("root", "day", "path"),
    [
        ("SPX", date(2021, 1, 4), "indexoption/usa/daily/spx_2021_trade_european.zip"),
        ("TWX", date(2014, 6, 5), "option/usa/daily/twx_2014_trade_american.zip"),
        ("GOOG", HALF_DAY, "option/usa/daily/goog_2015_trade_american.zip"),
    ],
)
def test_reports_of_a_chain_are_the_daily_file(
    recorded_terminal: httpx2.Client, recordings: Path, root: str, day: date, path: str
) -> None:
    expected = {
        contract: [int(cell) for cell in line[1:]]
        for contract, lines in files_rows(recordings / path).items()
        for line in lines
        if line[0] == f"{day:%Y%m%d} 00:00"
    }

    answered = answer(
        recorded_terminal,
        "history/eod",
        symbol=root,
        expiration="*",
        start_date=str(day),
        end_date=str(day),
        **CHAIN,
    )

    assert {
        contract_of(row): [*(units(row[name]) for name in ("open", "high", "low", "close")), int(row["volume"])]
        for row in answered
    } == expected
    assert {row["created"] for row in answered} == {f"{day}T17:15:00.000"}
    assert {row["last_trade"] for row in answered} == {f"{day}T16:00:00.000"}


def test_after_the_split_trades_have_new_strikes_and_open_interest_the_old_ones(
    recorded_terminal: httpx2.Client,
) -> None:
    traded = answer(recorded_terminal, "list/contracts/trade", symbol="AAPL", date="2014-06-09")
    held = answer(recorded_terminal, "history/open_interest", symbol="AAPL", expiration="*", date="2014-06-09")
    strikes = [sorted({float(row["strike"]) for row in rows}) for rows in (traded, held)]

    assert [(found[0], found[-1]) for found in strikes] == [(28.57, 150.0), (195.0, 1050.0)]


def test_lists_come_from_the_files(recorded_terminal: httpx2.Client) -> None:
    symbols = [row["symbol"] for row in answer(recorded_terminal, "list/symbols")]
    expirations = answer(recorded_terminal, "list/expirations", symbol="SPX")
    strikes = answer(recorded_terminal, "list/strikes", symbol="SPX", expiration="2021-01-15")
    dates = answer(recorded_terminal, "list/dates/quote", symbol="GOOG", expiration="2015-12-24")

    assert symbols == ["AAPL", "FOXA", "GOOG", "NQX", "NWSA", "SPX", "SPXW", "SPY", "TWX"]
    assert expirations == [{"symbol": "SPX", "expiration": "2021-01-15"}]
    assert {float(row["strike"]) for row in strikes} == {3200, 3700, 3800, 4200, 4250}
    assert [row["date"] for row in dates] == ["2015-12-23", "2015-12-24"]
    for kind, count in (("quote", 108), ("trade", 86)):
        assert len(answer(recorded_terminal, f"list/contracts/{kind}", symbol="SPXW", date="2021-01-06")) == count
    for kind, count in (("quote", 2_352), ("trade", 1_185)):
        assert len(answer(recorded_terminal, f"list/contracts/{kind}", symbol="AAPL", date="2014-06-06")) == count


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("trade", {}),
        ("trade_quote", {}),
        ("quote", {"interval": "1m"}),
        ("ohlc", {"interval": "30s"}),
        ("greeks/first_order", {"interval": "1m"}),
        ("greeks/implied_volatility", {"interval": "1m"}),
        ("trade_greeks/all", {}),
        ("greeks/eod", {"start_date": "2014-06-06", "end_date": "2014-06-06"}),
    ],
)
def test_what_no_file_holds_is_472(recorded_terminal: httpx2.Client, path: str, query: dict[str, str]) -> None:
    asked = {"symbol": "AAPL", "expiration": "2014-06-13", "date": "2014-06-06", **query}

    assert recorded_terminal.get(f"/v3/option/history/{path}", params=asked).status_code == 472
