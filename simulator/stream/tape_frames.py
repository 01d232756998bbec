"""Rows of a tape that is fed from outside to frames: Arrow record batches to what the vendor sends."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.cells import UNITS_PER_DOLLAR
from simulator.market import NO_CONDITION, Ints, Quotes, Trades
from simulator.stream.feeds import MESSAGES, Bar, Kind, bar_columns, contract_json, trade_columns
from simulator.stream.frames import Units, units
from simulator.stream.requests import Malformed, Security, Subject, What
from stoculus.calendar import NEW_YORK
from stoculus.errors import StoculusError
from stoculus.instruments import OptionContract

EPOCH: Final = date(1970, 1, 1)
_STREAMED: Final[dict[str, tuple[Security, What]]] = {
    "StockQuote": ("STOCK", "QUOTE"),
    "StockTrade": ("STOCK", "TRADE"),
    "OptionQuote": ("OPTION", "QUOTE"),
    "OptionTrade": ("OPTION", "TRADE"),
}
_PRICES: Final = frozenset({"bid", "ask", "price"})
_DAY_US: Final = 86_400_000_000
_UNKNOWN: Final = ("ext1", "ext2", "ext3", "ext4")


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows of one record type. `at`: their places among all rows; `local_us`: New York's wall time since 1970."""

    security: Security
    what: What
    table: pa.Table
    at: Ints
    local_us: Ints


@dataclass(frozen=True, slots=True)
class Rendered:
    """Frames of rows, `day` counts from 1970. `at` as in the body."""

    at: Ints
    day: Ints
    ms: Ints
    units: Units


class Renderer:
    """Spells bodies one after another, and keeps the days' bars. `is_held`: what is subscribed."""

    def __init__(self, is_held: Callable[[Subject], bool]) -> None:
        self.ohlc = True
        self.last_us = 0
        """New York's wall time of the last row, microseconds since 1970."""
        self._is_held = is_held
        self._bars: dict[str, tuple[int, Bar]] = {}

    def start_over(self) -> None:
        """Another tape begins."""
        self._bars.clear()
        self.last_us = 0

    def rendered(self, body: bytes) -> tuple[Rendered | None, int]:
        """The frames of the rows that somebody has subscribed, in order; and how many rows there were.

        See `Tape.feed`. Raise Malformed.
        """
        try:
            parts = list(_parts(body))
            if not parts:
                return None, 0
            if min(int(part.local_us[0]) for part in parts) < self.last_us:
                self._bars.clear()
            self.last_us = max(int(part.local_us[-1]) for part in parts)
            found = [each for part in parts for each in self._of_part(part)]
        except (pa.ArrowException, KeyError, IndexError, StoculusError) as error:
            raise Malformed(f"A tape cannot be read: {type(error).__name__} {error}") from error
        rows = sum(len(part.at) for part in parts)
        if not found:
            return None, rows
        at = np.concatenate([each.at for each in found])
        order = np.argsort(at, kind="stable")
        return (
            Rendered(
                at[order],
                np.concatenate([each.day for each in found])[order],
                np.concatenate([each.ms for each in found])[order],
                pa.concat_arrays([each.units for each in found]).take(pa.array(order)),
            ),
            rows,
        )

    def _of_part(self, part: _Part) -> Iterator[Rendered]:
        symbols: Any = part.table["symbol"].combine_chunks().dictionary_encode()
        owner, names = symbols.indices.to_numpy(), symbols.dictionary.to_pylist()
        instruments = [_instrument(part.security, name) for name in names]
        contracts = [contract_json(instrument) for instrument in instruments]
        is_heard = np.array([self._is_heard(part, instrument) for instrument in instruments])[owner]
        days = part.local_us // _DAY_US
        ms = part.local_us % _DAY_US // 1000
        kind = Kind.QUOTE if part.what == "QUOTE" else Kind.BAR_TRADE if self.ohlc else Kind.TRADE
        columns = self._columns(part, kind, ms, days, owner, names)
        for number in np.unique(days[is_heard]).tolist():
            rows = np.flatnonzero(is_heard & (days == number))
            day = EPOCH + timedelta(days=number)
            rendered = units(MESSAGES[kind], contracts, owner[rows], [column[rows] for column in columns], day)
            yield Rendered(part.at[rows], days[rows], ms[rows], rendered)

    def _is_heard(self, part: _Part, instrument: str | OptionContract) -> bool:
        if self._is_held(Subject(part.security, part.what, instrument)):
            return True
        return part.what == "TRADE" and self._is_held(Subject(part.security, "TRADE", None))

    def _columns(self, part: _Part, kind: Kind, ms: Ints, days: Ints, owner: Ints, names: list[str]) -> list[Ints]:
        """Those of the kind's messages, of all rows: a bar counts the trades that nobody hears, too."""
        if kind is Kind.QUOTE:
            return Quotes(ms, **{name: _ints(part.table, name) for name in _names(Quotes)}).columns()
        none = np.full(len(ms), NO_CONDITION)
        known = {name: none if name in _UNKNOWN else _ints(part.table, name) for name in _names(Trades)}
        trades = Trades(ms, **known)
        if kind is Kind.TRADE:
            return list(trade_columns(trades))
        bars = self._bar_columns(trades, days, owner, names)
        return [*bars, *trade_columns(trades)]

    def _bar_columns(self, trades: Trades, days: Ints, owner: Ints, names: list[str]) -> list[Ints]:
        bars = [np.empty(len(trades), np.int64) for _ in range(7)]
        for number, name in enumerate(names):
            own = np.flatnonzero(owner == number)
            for day in np.unique(days[own]).tolist():
                rows = own[days[own] == day]
                before_day, before = self._bars.get(name, (day, Bar()))
                columns = bar_columns(trades.rows(rows), before if before_day == day else Bar())
                for bar, column in zip(bars, columns, strict=True):
                    bar[rows] = column
                self._bars[name] = day, Bar(*(int(column[-1]) for column in columns[1:]))
        return bars


def _parts(body: bytes) -> Iterator[_Part]:
    reader = pa.BufferReader(body)
    while reader.tell() < len(body):
        with pa.ipc.open_stream(reader) as stream:
            table = stream.read_all()
        if table.num_rows:
            security, what = _STREAMED[(table.schema.metadata or {})[b"record"].decode()]
            zoned: Any = table["ts_event"].cast(pa.timestamp("us", str(NEW_YORK)))
            local_us = pc.local_timestamp(zoned).cast(pa.int64()).to_numpy()
            yield _Part(security, what, table, table["at"].to_numpy(), local_us)


def _names(columns: type[Quotes] | type[Trades]) -> list[str]:
    """All but the time."""
    return list(columns.__dataclass_fields__)[1:]


def _ints(table: pa.Table, name: str) -> Ints:
    values = table[name].to_numpy()
    return np.rint(values * UNITS_PER_DOLLAR).astype(np.int64) if name in _PRICES else values


@lru_cache(maxsize=65_536)
def _instrument(security: Security, symbol: str) -> str | OptionContract:
    return symbol if security == "STOCK" else OptionContract.parse(symbol)
