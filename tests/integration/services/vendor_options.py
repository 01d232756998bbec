"""What the vendor would have answered of options from the recordings, by the rules of `market-data/as-vendor.md`.

Written from the rules and the files alone: no code of the simulator, none of the service. Rows come as a topic has
them: by time, expiration, strike, calls before puts.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.integration.services.vendor import CLOSE_MS, OPEN_MS, Row, dollars, moment

LATE_MS = 58_500_000
MINUTE_MS = 60_000
NO_SIDES = {
    f"{side}_{name}": 0 for side in ("bid", "ask") for name in ("size", "exchange", "condition")
} | {"bid": 0.0, "ask": 0.0}  # fmt: skip
_TREES = ("indexoption-untrimmed", "indexoption", "option")


def members(lean: Path, pattern: str, root: str) -> Iterator[tuple[Row, list[list[str]]]]:
    """The contracts of the first file below the trees that the pattern names, each with its rows."""
    path = next(found for tree in _TREES for found in sorted((lean / tree / "usa").glob(pattern)))
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            text = io.TextIOWrapper(archive.open(name))
            yield _contract(name, root), list(csv.reader(text))


def _contract(member: str, root: str) -> Row:
    *_, right, strike, expiration = member.removesuffix(".csv").split("_")
    day, units = _day(expiration), int(strike)
    return {
        "symbol": f"{root:6}{day:%y%m%d}{right[0].upper()}{units // 10:08}",
        "root": root,
        "expiration": day,
        "strike": units / 10_000,
        "right": right.upper(),
    }


@lru_cache
def _day(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def in_order(row: Row) -> tuple[Any, ...]:
    """How rows of a topic are ordered."""
    return row["ts_event"], row["expiration"], row["strike"], row["right"]


def bars(lean: Path, root: str, day: date, first_ms: int = 0, end_ms: int = 86_400_000) -> list[Row]:
    """The bars with volume that start from `first_ms` to before `end_ms`; vwap runs over the whole day."""
    return sorted(_bars(lean, root, day, first_ms, end_ms), key=in_order)


def _bars(lean: Path, root: str, day: date, first_ms: int, end_ms: int) -> Iterator[Row]:
    for contract, rows in members(lean, f"minute/{root.lower()}/{day:%Y%m%d}_trade_*", root):
        turnover = volume_so_far = 0
        for row in rows:
            ms, opening, high, low, close, volume = map(int, row)
            turnover, volume_so_far = turnover + close * volume, volume_so_far + volume
            if first_ms <= ms < end_ms and volume:
                yield contract | {
                    "ts_event": moment(day, ms),
                    "open": dollars(opening),
                    "high": dollars(high),
                    "low": dollars(low),
                    "close": dollars(close),
                    "volume": volume,
                    "count": 1,
                    "vwap": turnover / volume_so_far / 10_000,
                }


def traded_contracts(lean: Path, root: str, day: date) -> int:
    """How many contracts the day's file of bars has."""
    return sum(1 for _ in members(lean, f"minute/{root.lower()}/{day:%Y%m%d}_trade_*", root))


def quotes(lean: Path, root: str, day: date, last_ms: int = CLOSE_MS, step_ms: int = MINUTE_MS) -> list[Row]:
    """At each step from the open the close of the quote bar that ended last, zeros before the first."""
    return sorted(_quotes(lean, root, day, last_ms, step_ms), key=in_order)


def _quotes(lean: Path, root: str, day: date, last_ms: int, step_ms: int) -> Iterator[Row]:
    for contract, rows in members(lean, f"minute/{root.lower()}/{day:%Y%m%d}_quote_*", root):
        ends = {int(row[0]) + MINUTE_MS: row for row in rows}
        sides = NO_SIDES
        for ms in range(OPEN_MS, last_ms + 1, MINUTE_MS):
            if ms in ends:
                sides = NO_SIDES | _sides(ends[ms])
            if (ms - OPEN_MS) % step_ms == 0:
                yield {**contract, "ts_event": moment(day, ms), **sides}


def _sides(row: list[str]) -> Row:
    return {
        "bid": dollars(row[4]),
        "bid_size": int(row[5] or 0),
        "ask": dollars(row[9]),
        "ask_size": int(row[10] or 0),
    }


def is_empty(quote: Row) -> bool:
    """Whether neither side has a price or a size."""
    return not any(quote[name] for name in ("bid", "ask", "bid_size", "ask_size"))


def open_interest(lean: Path, root: str, day: date) -> list[Row]:
    """The file of the day."""
    return sorted(
        (
            contract | {"ts_event": moment(day, int(ms)), "open_interest": int(count)}
            for contract, rows in members(lean, f"minute/{root.lower()}/{day:%Y%m%d}_openinterest_*", root)
            for ms, count in rows
        ),
        key=in_order,
    )


def reports(lean: Path, root: str, start: date, end: date) -> list[Row]:
    """The daily files: last trade at 16:00, reported at 17:15, no quote."""
    years = range(start.year, end.year + 1)
    return sorted((row for year in years for row in _reports(lean, root, year, start, end)), key=in_order)


def _reports(lean: Path, root: str, year: int, start: date, end: date) -> Iterator[Row]:
    for contract, rows in members(lean, f"daily/{root.lower()}_{year}_trade_*", root):
        for at, opening, high, low, close, volume in rows:
            day = _day(at[:8])
            if start <= day <= end:
                yield (
                    contract
                    | NO_SIDES
                    | {
                        "ts_event": moment(day, (17 * 60 + 15) * MINUTE_MS),
                        "last_trade": moment(day, CLOSE_MS),
                        "open": dollars(opening),
                        "high": dollars(high),
                        "low": dollars(low),
                        "close": dollars(close),
                        "volume": int(volume),
                        "count": 0,
                    }
                )


def without_vwap(rows: Iterable[Row]) -> Iterator[Row]:
    """The vendor's vwap is rounded."""
    return ({name: value for name, value in row.items() if name != "vwap"} for row in rows)
