"""Ticks, bars and quotes of one stock and day as columns, and what the vendor computes from them (rest.md 6.4, 10).

Times are milliseconds since midnight in New York, ascending; prices are integers of 1/10000 dollar.
"""

from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[Any]
DAY_MS: Final = 86_400_000
NO_CONDITION: Final = 255


@dataclass(frozen=True, slots=True)
class Ticks:
    """Equally long columns; the first is the time."""

    ms: Ints

    def __len__(self) -> int:
        return len(self.ms)

    def columns(self) -> list[Ints]:
        return [getattr(self, field.name) for field in fields(self)]

    @property
    def bytes(self) -> int:
        return sum(column.nbytes for column in self.columns())

    def rows(self, index: Any) -> Self:
        """The rows of a slice or an index array."""
        return type(self)(*(column[index] for column in self.columns()))

    def window(self, start_ms: int, end_ms: int) -> Self:
        """The rows from start to end, both included."""
        return self.rows(slice(np.searchsorted(self.ms, start_ms), np.searchsorted(self.ms, end_ms, "right")))


@dataclass(frozen=True, slots=True)
class Trades(Ticks):
    sequence: Ints
    ext1: Ints
    ext2: Ints
    ext3: Ints
    ext4: Ints
    condition: Ints
    size: Ints
    exchange: Ints
    price: Ints


@dataclass(frozen=True, slots=True)
class Quotes(Ticks):
    bid_size: Ints
    bid_exchange: Ints
    bid: Ints
    bid_condition: Ints
    ask_size: Ints
    ask_exchange: Ints
    ask: Ints
    ask_condition: Ints


@dataclass(frozen=True, slots=True)
class Bars(Ticks):
    """`vwap` is cumulative, in 1/10000 dollar."""

    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    count: Ints
    vwap: Ints


@dataclass(frozen=True, slots=True)
class Grid:
    """start + k x interval, for every point up to the end, both ends included."""

    start_ms: int
    end_ms: int
    interval_ms: int

    @property
    def points(self) -> Ints:
        return np.arange(self.start_ms, self.end_ms + 1, self.interval_ms, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Eod:
    """A day's report. Times are milliseconds since its midnight; quote as the columns of Quotes after the time."""

    created_ms: int
    last_trade_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    count: int
    quote: tuple[int, int, int, int, int, int, int, int] = (0, 0, 0, 0, 0, 0, 0, 0)


def _codes(*codes: int) -> NDArray[np.bool_]:
    flags = np.zeros(256, np.bool_)
    flags[list(codes)] = True
    return flags


# rest.md 11.3. Codes that are not named here update nothing.
_CONDITIONAL = (2, 5, 8, 13, 15, 96, 98)
_REGULAR = (
    *(0, 7, 10, 14, 18, 21, 22, 25, 29, 30, 31, 32, 34, 35, 36, 37, 38, 39, 45, 46, 47, 52, 53, 54, 55, 58, 63, 67, 71),
    *(75, 76, 78, 79, 80, 81, 82, 83, 86, 87, 88, 95, 97, 100, *range(125, 147)),
)
_VOLUME_ONLY = (1, 4, 9, 11, 12, 16, 20, 28, 33, 59, 60, 65, 77, 89, 105, 109, 115, 124, 147, 148)
_NOT_LAST = (6, 17, 62, 99, 101, 102, 106)
SETS_VOLUME: Final = _codes(*_REGULAR, *_CONDITIONAL, *_VOLUME_ONLY, *_NOT_LAST)
SETS_HIGH: Final = _codes(*_REGULAR, *_CONDITIONAL, *_NOT_LAST, 56, 68, 69, 84, 117)
SETS_LOW: Final = _codes(*_REGULAR, *_CONDITIONAL, *_NOT_LAST, 56, 68, 69, 85, 117)
SETS_LAST: Final = _codes(*_REGULAR, 56, 107, 117)
SETS_LAST_IF_FIRST: Final = _codes(*_CONDITIONAL)


def bars_of_trades(trades: Trades, grid: Grid) -> Bars:
    """Bars by the condition of each trade; vwap from the window's start. A bar without trades is zeros."""
    points = grid.points
    inside = trades.window(grid.start_ms, grid.end_ms)
    slot = (inside.ms.astype(np.int64) - grid.start_ms) // grid.interval_ms
    condition, price = inside.condition, inside.price.astype(np.int64)
    counted = SETS_VOLUME[condition]
    volume = _sums(slot[counted], inside.size[counted], len(points))
    turnover = np.cumsum(_sums(slot[counted], inside.size[counted] * price[counted], len(points)))
    total = np.cumsum(volume)
    opening, closing = _first_and_last(slot, price, condition, len(points))
    high_set, low_set = SETS_HIGH[condition], SETS_LOW[condition]
    return Bars(
        ms=points,
        open=opening,
        high=_reduce(np.maximum, slot[high_set], price[high_set], len(points)),
        low=_reduce(np.minimum, slot[low_set], price[low_set], len(points)),
        close=closing,
        volume=volume,
        count=np.bincount(slot[counted], minlength=len(points)),
        vwap=turnover // np.maximum(total, 1),
    )


def _first_and_last(slot: Ints, price: Ints, condition: Ints, size: int) -> tuple[Ints, Ints]:
    """Open: the first trade that may set the last price. Close: the last one; a conditional one only if it is first."""
    either = SETS_LAST[condition] | SETS_LAST_IF_FIRST[condition]
    opening, closing = np.zeros(size, np.int64), np.zeros(size, np.int64)
    opening[slot[either][::-1]] = price[either][::-1]
    closing[:] = opening
    closing[slot[SETS_LAST[condition]]] = price[SETS_LAST[condition]]
    return opening, closing


def _sums(slot: Ints, values: Ints, size: int) -> Ints:
    total = np.zeros(size, np.int64)
    starts, slots = _runs(slot)
    if len(starts):
        total[slots] = np.add.reduceat(values.astype(np.int64), starts)
    return total


def _reduce(ufunc: np.ufunc, slot: Ints, values: Ints, size: int) -> Ints:
    reduced = np.zeros(size, np.int64)
    starts, slots = _runs(slot)
    if len(starts):
        reduced[slots] = ufunc.reduceat(values, starts)
    return reduced


def _runs(slot: Ints) -> tuple[Ints, Ints]:
    starts = np.flatnonzero(np.diff(slot, prepend=-1))
    return starts, slot[starts]


def bars_of_bars(base: Bars, grid: Grid) -> Bars:
    """Coarser bars of finer ones; vwap is the finer bars' own running value, carried forward."""
    points = grid.points
    inside = base.rows(slice(np.searchsorted(base.ms, grid.start_ms), np.searchsorted(base.ms, grid.end_ms)))
    slot = (inside.ms - grid.start_ms) // grid.interval_ms
    starts, slots = _runs(slot)
    opening, closing = np.zeros(len(points), np.int64), np.zeros(len(points), np.int64)
    if len(starts):
        opening[slots] = inside.open[starts]
        closing[slots] = inside.close[np.append(starts[1:], len(slot)) - 1]
    known = np.searchsorted(base.ms, np.minimum(points + grid.interval_ms, grid.end_ms)) - 1
    return Bars(
        ms=points,
        open=opening,
        high=_reduce(np.maximum, slot, inside.high, len(points)),
        low=_reduce(np.minimum, slot, inside.low, len(points)),
        close=closing,
        volume=_sums(slot, inside.volume, len(points)),
        count=_sums(slot, inside.count, len(points)),
        vwap=_at(base.vwap, known),
    )


def _at(column: Ints, index: Ints) -> Ints:
    """The column's rows at the index; zero where the index is below the first."""
    if not len(column):
        return np.zeros(len(index), np.int64)
    return np.where(index >= 0, column[np.maximum(index, 0)], 0)


def quotes_on_grid(quotes: Quotes, grid: Grid) -> Quotes:
    """The last quote at or before each point; zeros before the first."""
    points = grid.points
    index = np.searchsorted(quotes.ms, points, "right") - 1
    return Quotes(points, *(_at(column, index) for column in quotes.columns()[1:]))


def quotes_at_trades(trades: Trades, quotes: Quotes, *, exclusive: bool) -> Quotes:
    """For each trade the last quote before it (exclusive) or at or before it; zeros where there is none."""
    index = np.searchsorted(quotes.ms, trades.ms, "left" if exclusive else "right") - 1
    return Quotes(*(_at(column, index) for column in quotes.columns()))
