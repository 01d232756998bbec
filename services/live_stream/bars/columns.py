"""Bars in the making, as columns. A trade is a bar of itself, and bars of one key merge into one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from services.live_stream.bars.conditions import SETS_FIRST, SETS_HIGH, SETS_LAST, SETS_LOW, SETS_VOLUME

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_UNITS_PER_DOLLAR: Final = 10_000
_UNITS_PER_CENT: Final = 100
_NUMBER_BITS: Final = 32
_SECOND_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class BarColumns:
    """Equally long columns. Prices in dollars, NaN for none; turnover in 1/10000 dollar.

    `key` orders bars by their open, then by the instrument's number: see `keys_of`.
    `last` is the last price that sets the close whatever came before it.
    """

    key: Ints
    open: Floats
    high: Floats
    low: Floats
    last: Floats
    volume: Ints
    count: Ints
    turnover: Ints

    def __len__(self) -> int:
        return len(self.key)

    @property
    def opens_us(self) -> Ints:
        return opens_us_of(self.key)

    @property
    def numbers(self) -> Ints:
        """The instruments' numbers."""
        return numbers_of(self.key)

    @property
    def close(self) -> Floats:
        return np.where(np.isnan(self.last), self.open, self.last)

    def rows(self, index: Any) -> Self:
        """The rows of a slice or an index array."""
        return type(self)(*(column[index] for column in self.columns()))

    def columns(self) -> list[NDArray[Any]]:
        return [getattr(self, name) for name in self.__slots__]


def keys_of(opens_us: Ints, numbers: Ints) -> Ints:
    """The keys of bars; they open at whole seconds."""
    return (opens_us // _SECOND_US << _NUMBER_BITS) | numbers


def opens_us_of(keys: Ints) -> Ints:
    """When the bars of keys open."""
    return (keys >> _NUMBER_BITS) * _SECOND_US


def numbers_of(keys: Ints) -> Ints:
    """The instruments' numbers of keys."""
    return keys & ((1 << _NUMBER_BITS) - 1)


def first_key_at(us: int) -> int:
    """The lowest key of a bar that opens at or after a time."""
    return -(-us // _SECOND_US) << _NUMBER_BITS


def bars_of_trades(key: Ints, condition: NDArray[Any], size: Ints, price: Floats) -> BarColumns:
    """One bar a trade, by its condition."""
    counted = SETS_VOLUME[condition]
    volume = np.where(counted, size, 0)
    return BarColumns(
        key=key,
        open=np.where(SETS_FIRST[condition], price, np.nan),
        high=np.where(SETS_HIGH[condition], price, np.nan),
        low=np.where(SETS_LOW[condition], price, np.nan),
        last=np.where(SETS_LAST[condition], price, np.nan),
        volume=volume,
        count=counted.astype(np.int64),
        turnover=volume * np.rint(price * _UNITS_PER_DOLLAR).astype(np.int64),
    )


def merged(parts: Sequence[BarColumns]) -> BarColumns:
    """One bar a key, ascending; what is earlier in the parts was traded earlier."""
    bars = BarColumns(*map(np.concatenate, zip(*(part.columns() for part in parts), strict=True)))
    if not len(bars):
        return bars
    bars = bars.rows(np.argsort(bars.key, kind="stable"))
    is_first = _is_first(bars.key)
    starts = np.flatnonzero(is_first)
    place = np.cumsum(is_first) - 1
    opening, last = np.full(len(starts), np.nan), np.full(len(starts), np.nan)
    # Of several values for one place the one assigned last stays.
    opens = np.flatnonzero(~np.isnan(bars.open))[::-1]
    opening[place[opens]] = bars.open[opens]
    lasts = np.flatnonzero(~np.isnan(bars.last))
    last[place[lasts]] = bars.last[lasts]
    return BarColumns(
        key=bars.key[starts],
        open=opening,
        high=np.fmax.reduceat(bars.high, starts),
        low=np.fmin.reduceat(bars.low, starts),
        last=last,
        volume=np.add.reduceat(bars.volume, starts),
        count=np.add.reduceat(bars.count, starts),
        turnover=np.add.reduceat(bars.turnover, starts),
    )


def _is_first(values: Ints) -> NDArray[np.bool_]:
    """Where a new value begins. Faster than `np.diff` on small batches."""
    first = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=first[1:])
    return first


class SessionTotals:
    """Volume and turnover of each instrument since the session's open, for the vendor's cumulative vwap."""

    def __init__(self) -> None:
        self._day = -1
        self._volume: Ints = np.zeros(0, np.int64)
        self._turnover: Ints = np.zeros(0, np.int64)

    def add(self, day: int, bars: BarColumns) -> Floats:
        """Add bars of one day, which are in time order; give the vwap after each. Days ascend: an earlier one is over.

        Dollars, two decimals, half up, as the vendor spells it.
        """
        if day > self._day:
            self._day = day
            self._volume, self._turnover = np.zeros(0, np.int64), np.zeros(0, np.int64)
        numbers = bars.numbers
        missing = int(numbers.max()) + 1 - len(self._volume)
        if missing > 0:
            self._volume = np.append(self._volume, np.zeros(missing, np.int64))
            self._turnover = np.append(self._turnover, np.zeros(missing, np.int64))
        volume = _running(self._volume, numbers, bars.volume)
        units = _running(self._turnover, numbers, bars.turnover) // np.maximum(volume, 1)
        cents: Ints = (units + _UNITS_PER_CENT // 2) // _UNITS_PER_CENT
        return cents / 100

    def is_over(self, day: int) -> bool:
        """Whether bars of a later day have been added."""
        return day < self._day


def _running(totals: Ints, numbers: Ints, values: Ints) -> Ints:
    """The total of each row's number after it; `totals` become those after the last."""
    order = np.argsort(numbers, kind="stable")
    number, value = numbers[order], values[order]
    starts = np.flatnonzero(_is_first(number))
    ends = np.append(starts[1:], len(number)) - 1
    running = np.cumsum(value)
    before = totals[number[starts]] - (running[starts] - value[starts])
    running += np.repeat(before, ends - starts + 1)
    totals[number[starts]] = running[ends]
    by_row = np.empty_like(running)
    by_row[order] = running
    return by_row
