"""What the vendor would have answered from the recordings, by the rules of `market-data/as-vendor.md`.

Written from the rules and the files alone: no code of the simulator, none of the service.
"""

import csv
import io
import zipfile
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
OPEN_MS, CLOSE_MS, HALF_DAY_MS = 34_200_000, 57_600_000, 46_800_000
EXCHANGES = {
    "A": 4,
    "B": 47,
    "C": 8,
    "D": 57,
    "I": 6,
    "J": 64,
    "K": 65,
    "M": 17,
    "N": 3,
    "P": 7,
    "Q": 1,
    "T": 1,
    "W": 5,
    "X": 9,
    "Y": 63,
    "Z": 60,
}
CONDITIONS = [
    ("1000000", 51), ("4000000", 66), ("4000", 2), ("800", 13), ("2000", 1), ("100000", 4), ("200", 96),
    ("2000000", 8), ("40", 62), ("80", 98), ("100", 21), ("4", 9), ("2", 11), ("8", 12), ("200000", 45), ("20", 95),
    ("10", 79),
]  # fmt: skip
NO_CONDITIONS = dict.fromkeys(("ext_condition1", "ext_condition2", "ext_condition3", "ext_condition4"))
Row = dict[str, Any]


def lines(path: Path) -> Iterator[list[str]]:
    with zipfile.ZipFile(path) as archive:
        yield from csv.reader(io.TextIOWrapper(archive.open(archive.namelist()[0])))


@lru_cache
def midnight(day: date) -> datetime:
    """New York's, in UTC."""
    return datetime.combine(day, time(), NEW_YORK).astimezone(UTC)


def moment(day: date, ms: int) -> datetime:
    """Milliseconds since New York midnight, of a day without a change of the clocks."""
    return midnight(day) + timedelta(milliseconds=ms)


def dollars(units: str | int) -> float:
    return int(units or 0) / 10_000


@lru_cache
def condition(flags: str) -> int:
    mask = int(flags, 16)
    return next((code for bit, code in CONDITIONS if mask & int(bit, 16)), 0)


def trades(lean: Path, ticker: str, day: date) -> Iterator[Row]:
    """Every row of the tick file, in file order."""
    path = lean / f"equity/usa/tick/{ticker.lower()}/{day:%Y%m%d}_trade.zip"
    for number, (ms, price, size, exchange, flags, _) in enumerate(lines(path), 1):
        yield {
            "symbol": ticker,
            "ts_event": moment(day, int(ms)),
            "sequence": number,
            **NO_CONDITIONS,
            "condition": condition(flags),
            "size": int(size),
            "exchange": EXCHANGES[exchange],
            "price": dollars(price),
        }


@lru_cache(maxsize=1)
def quotes(lean: Path, ticker: str, day: date) -> list[Row]:
    """A bid row and the ask row after it, of the same millisecond, are one quote."""
    return list(_pairs(lean, ticker, day))


def _pairs(lean: Path, ticker: str, day: date) -> Iterator[Row]:
    before: list[str] | None = None
    for row in lines(lean / f"equity/usa/tick/{ticker.lower()}/{day:%Y%m%d}_quote.zip"):
        is_bid = row[3:5] == ["0", "0"]
        if before and not is_bid and before[0] == row[0]:
            yield {"symbol": ticker, "ts_event": moment(day, int(row[0])), **_sides(before, row)}
        before = row if is_bid else None


def _sides(bid: list[str], ask: list[str]) -> Row:
    return {
        "bid_size": int(bid[2]),
        "bid_exchange": EXCHANGES[bid[5]],
        "bid": dollars(bid[1]),
        "bid_condition": 0,
        "ask_size": int(ask[4]),
        "ask_exchange": EXCHANGES[ask[5]],
        "ask": dollars(ask[3]),
        "ask_condition": 0,
    }


def trade_quotes(lean: Path, ticker: str, day: date) -> Iterator[Row]:
    """Each trade with the last quote at or before it."""
    beside = quotes(lean, ticker, day)
    times = [quote["ts_event"] for quote in beside]
    for trade in trades(lean, ticker, day):
        quote = dict(beside[bisect_right(times, trade["ts_event"]) - 1])
        quote["quote_timestamp"] = quote.pop("ts_event")
        yield trade | quote


def minute_bars(lean: Path, ticker: str, day: date, first_ms: int = 0, end_ms: int = 86_400_000) -> Iterator[Row]:
    """The bars of the minute file that start from `first_ms` to before `end_ms`; vwap runs over the whole day."""
    turnover = volume_so_far = 0
    for row in lines(lean / f"equity/usa/minute/{ticker.lower()}/{day:%Y%m%d}_trade.zip"):
        ms, opening, high, low, close, volume = map(int, row)
        turnover, volume_so_far = turnover + close * volume, volume_so_far + volume
        if first_ms <= ms < end_ms:
            yield {
                "symbol": ticker,
                "ts_event": moment(day, ms),
                "open": dollars(opening),
                "high": dollars(high),
                "low": dollars(low),
                "close": dollars(close),
                "volume": volume,
                "count": 1,
                "vwap": turnover / volume_so_far / 10_000,
            }


def reports(lean: Path, ticker: str, start: date, end: date) -> Iterator[Row]:
    """The daily file: last trade at 16:00, reported at 17:15, no quote."""
    for at, opening, high, low, close, volume in lines(lean / f"equity/usa/daily/{ticker.lower()}.zip"):
        day = date(int(at[:4]), int(at[4:6]), int(at[6:8]))
        if start <= day <= end:
            sides = {f"{side}_{name}": 0 for side in ("bid", "ask") for name in ("size", "exchange", "condition")}
            yield {
                "symbol": ticker,
                "ts_event": moment(day, (17 * 60 + 15) * 60_000),
                "last_trade": moment(day, CLOSE_MS),
                "open": dollars(opening),
                "high": dollars(high),
                "low": dollars(low),
                "close": dollars(close),
                "volume": int(volume),
                "count": 0,
                **sides,
                "bid": 0.0,
                "ask": 0.0,
            }


def quotes_each_minute(lean: Path, ticker: str, day: date, first_ms: int, last_ms: int) -> Iterator[Row]:
    """The last quote of the tick file at or before each minute, both ends included."""
    all_quotes = quotes(lean, ticker, day)
    times = [quote["ts_event"] for quote in all_quotes]
    for ms in range(first_ms, last_ms + 1, 60_000):
        at = moment(day, ms)
        yield all_quotes[bisect_right(times, at) - 1] | {"ts_event": at}


def quotes_of_bars(lean: Path, ticker: str, day: date, first_ms: int, last_ms: int) -> Iterator[Row]:
    """At each minute the close of the quote bar that ended last; none before the first."""
    bars = {
        int(row[0]) + 60_000: row for row in lines(lean / f"equity/usa/minute/{ticker.lower()}/{day:%Y%m%d}_quote.zip")
    }
    now: Row | None = None
    for ms in range(0, last_ms + 1, 60_000):
        if ms in bars:
            bid, bid_size, ask, ask_size = bars[ms][4], bars[ms][5], bars[ms][9], bars[ms][10]
            now = {
                **{f"{side}_{name}": 0 for side in ("bid", "ask") for name in ("exchange", "condition")},
                "bid": dollars(bid),
                "bid_size": int(bid_size or 0),
                "ask": dollars(ask),
                "ask_size": int(ask_size or 0),
            }
        if now and ms >= first_ms:
            yield {"symbol": ticker, "ts_event": moment(day, ms), **now}
