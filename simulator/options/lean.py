"""LEAN's option files to columns: one zip, one CSV for each contract (`market-data/README.md`, `as-vendor.md`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain, repeat
from pathlib import Path
from typing import Generic, TypeVar, cast
from zipfile import ZipFile

import pyarrow as pa

from simulator.market import Bars, Eod, Quotes, Ticks
from simulator.sources.lean import (
    daily_reports,
    day_of,
    moment,
    quote_bars,
    read_columns,
    trade_bars,
)
from stoculus.instruments import OptionContract, Right

T = TypeVar("T", bound=Ticks)
V = TypeVar("V")
ByDay = dict[date, dict[OptionContract, V]]

MINUTE_MS = 60_000
_UNITS_PER_THOUSANDTH = 10


@dataclass(frozen=True, slots=True)
class ChainRows(Generic[T]):
    """The rows of a chain's day, one contract after the other, and where each contract's rows stand."""

    rows: T
    spans: dict[OptionContract, slice]

    def of(self, contract: OptionContract) -> T | None:
        """The contract's rows; None where the file has no member for it."""
        span = self.spans.get(contract)
        return None if span is None else self.rows.rows(span)


def contract_of(member: str, root: str) -> OptionContract:
    """The contract of a member, `…_<right>_<strike in 1/10000 dollar>_<expiration>.csv`."""
    _, right, strike, expiration = member.removesuffix(".csv").rsplit("_", 3)
    return OptionContract(root, day_of(expiration), int(strike) // _UNITS_PER_THOUSANDTH, cast(Right, right))


def contracts_of(path: Path, root: str) -> list[OptionContract]:
    """The contracts of a file, in its order; no member is unpacked."""
    with ZipFile(path) as archive:
        return [contract_of(name, root) for name in archive.namelist()]


def trade_bar_chain(path: Path, root: str) -> ChainRows[Bars]:
    """Minute bars, their count and vwap still zeros."""
    text, rows = _joined(path, root)
    return ChainRows(trade_bars(text), _spans(rows))


def quote_bar_chain(path: Path, root: str) -> ChainRows[Quotes]:
    """Minute quote bars as quotes at the end of each bar."""
    text, rows = _joined(path, root)
    return ChainRows(quote_bars(text, MINUTE_MS), _spans(rows))


def open_interest_of_day(path: Path, root: str) -> dict[OptionContract, tuple[int, int]]:
    """Report time in ms of the day, and open interest, from a file of one day."""
    text, rows = _joined(path, root)
    table = read_columns(text, "ms", "open_interest")
    reports = ((row["ms"], row["open_interest"]) for row in table.to_pylist())
    return dict(zip(_each_row(rows), reports, strict=True))


def open_interest_of_year(path: Path, root: str) -> ByDay[tuple[int, int]]:
    """Report time in ms of the day, and open interest, from an hour or daily file."""
    text, rows = _joined(path, root)
    found: ByDay[tuple[int, int]] = {}
    table = read_columns(text, "open_interest", first={"at": pa.string()})
    for contract, row in zip(_each_row(rows), table.to_pylist(), strict=True):
        at = moment(row["at"])
        found.setdefault(at.date(), {})[contract] = ((at.hour * 60 + at.minute) * MINUTE_MS, row["open_interest"])
    return found


def reports_of_year(path: Path, root: str) -> ByDay[Eod]:
    """End-of-day reports from a daily trade file."""
    text, rows = _joined(path, root)
    found: ByDay[Eod] = {}
    for contract, (day, report) in zip(_each_row(rows), daily_reports(text), strict=True):
        found.setdefault(day, {})[contract] = report
    return found


def quoted_days_of_year(path: Path, root: str) -> ByDay[None]:
    """The contracts of each day of a daily quote file."""
    text, rows = _joined(path, root)
    found: ByDay[None] = {}
    for contract, line in zip(_each_row(rows), text.splitlines(), strict=True):
        found.setdefault(day_of(line[:8].decode()), {})[contract] = None
    return found


def _joined(path: Path, root: str) -> tuple[bytes, dict[OptionContract, int]]:
    """All members as one text, which is read in one go, and how many rows each contract has in it."""
    texts = []
    rows = {}
    with ZipFile(path) as archive:
        for name in archive.namelist():
            text = archive.read(name).strip()  # some files have no line end at their end
            if text:
                texts.append(text)
                rows[contract_of(name, root)] = text.count(b"\n") + 1
    return b"\n".join(texts), rows


def _spans(rows: dict[OptionContract, int]) -> dict[OptionContract, slice]:
    spans = {}
    first = 0
    for contract, count in rows.items():
        spans[contract] = slice(first, first + count)
        first += count
    return spans


def _each_row(rows: dict[OptionContract, int]) -> Iterator[OptionContract]:
    return chain.from_iterable(repeat(contract, count) for contract, count in rows.items())
