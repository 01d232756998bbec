"""A made-up market: each (symbol, day) is a pure function of its name.

Quotes walk from one day's level to the next day's; trades happen at the quotes. Bars, quotes at an interval and the
end-of-day report are computed from these ticks by the vendor's rules, so that all answers of a day agree.
"""

import hashlib
import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from functools import cache, partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.caching import ByteCache
from simulator.market import (
    NO_CONDITION,
    SETS_HIGH,
    SETS_LAST,
    SETS_LOW,
    SETS_VOLUME,
    Bars,
    Eod,
    Grid,
    Ints,
    Quotes,
    Trades,
    bars_of_trades,
    quotes_on_grid,
)
from simulator.sources import Kind
from simulator.sources.tickers import LOAD, RATES, SYMBOLS
from stoculus.calendar import LAST_DAY, is_trading_day, session_close, trading_days

FIRST_DAY: Final = date(2012, 6, 1)
_HOUR_MS = 3_600_000
_PRE_MARKET_MS, _OPEN_MS, _CLOSE_MS = 4 * _HOUR_MS, 34_200_000, 16 * _HOUR_MS
_POST_MARKET_MS = 4 * _HOUR_MS
_REPORT_MS = 17 * _HOUR_MS + 15 * 60_000
_EXTENDED_SHARE = 0.03
_CACHE_BYTES = 384 * 1024 * 1024

# Drawn from by one random byte a row.
_EXCHANGES = np.repeat(np.array([1, 7, 60, 65, 57, 3, 73, 63, 64, 68], np.int16), [60, 45, 40, 30, 30, 20, 11, 8, 7, 5])
_QUOTE_SIZES = np.repeat(np.array([1, 2, 3, 4, 5, 8, 12, 20, 45, 110], np.int16), [80, 60, 40, 25, 15, 12, 10, 8, 4, 2])
_CONDITIONS = np.repeat(np.array([115, 0, 95, 96, 1, 124], np.int16), [150, 60, 40, 3, 2, 1])
_ODD_SIZES = np.repeat(
    np.array([1, 2, 5, 10, 20, 25, 40, 50, 75, 99], np.int32), [70, 40, 40, 30, 20, 16, 10, 15, 9, 6]
)
_ROUND_SIZES = np.repeat(np.array([100, 200, 300, 500, 1000, 4200], np.int32), [190, 35, 15, 9, 6, 1])
_SPREAD_CENTS = np.repeat(np.array([1, 2, 3, 5], np.int32), [180, 50, 20, 6])

_EVEN = np.linspace(0, 1, 1001)
_SPREAD = (_EVEN + 0.25 * ((2 * _EVEN - 1) ** 3 + 1)) / 1.5


@dataclass(frozen=True, slots=True)
class _Day:
    """The spans of a trading day: first ms, length, share of the rows. Half days have no post-market."""

    spans: tuple[tuple[int, int, float], ...]

    @classmethod
    def of(cls, symbol: str, day: date) -> "_Day":
        close = _ms(session_close(day))
        if symbol in LOAD:
            return cls(((_OPEN_MS, close - _OPEN_MS, 1.0),))
        before = (_PRE_MARKET_MS, _OPEN_MS - _PRE_MARKET_MS, _EXTENDED_SHARE)
        if close < _CLOSE_MS:  # so that the bars after an early close are zeros, as the vendor's are
            return cls((before, (_OPEN_MS, close - _OPEN_MS, 1 - _EXTENDED_SHARE)))
        regular = (_OPEN_MS, close - _OPEN_MS, 1 - 2 * _EXTENDED_SHARE)
        return cls((before, regular, (close, _POST_MARKET_MS, _EXTENDED_SHARE)))

    @property
    def first_ms(self) -> int:
        return self.spans[0][0]


class Synthetic:
    """The made-up market as a source."""

    limited_by_tier = True

    def __init__(self) -> None:
        self._held_quotes: ByteCache[tuple[str, date], Quotes] = ByteCache(_CACHE_BYTES, lambda ticks: ticks.bytes)
        self._held_trades: ByteCache[tuple[str, date], Trades] = ByteCache(_CACHE_BYTES, lambda ticks: ticks.bytes)
        self._held_reports: ByteCache[tuple[str, date], Eod] = ByteCache(100_000, lambda _: 1)

    def symbols(self) -> Sequence[str]:
        return SYMBOLS

    def dates(self, symbol: str, kind: Kind) -> Sequence[date]:  # noqa: ARG002 -- each day has both
        return _all_days() if symbol in RATES else []

    def trades(self, symbol: str, day: date) -> Trades | None:
        return self._trades(symbol, day) if _is_held(symbol, day) else None

    def quotes(self, symbol: str, day: date) -> Quotes | None:
        return self._quotes(symbol, day) if _is_held(symbol, day) else None

    def bars(self, symbol: str, day: date, grid: Grid) -> Bars | None:
        return bars_of_trades(self._trades(symbol, day), grid) if _is_held(symbol, day) else None

    def quotes_at(self, symbol: str, day: date, grid: Grid) -> Quotes | None:
        return quotes_on_grid(self._quotes(symbol, day), grid) if _is_held(symbol, day) else None

    def eod(self, symbol: str, start: date, end: date) -> Sequence[tuple[date, Eod]]:
        days = _all_days() if symbol in RATES else []
        some = days[bisect_left(days, start) : bisect_right(days, end)]
        return [(day, self._held_reports.get_or((symbol, day), partial(self._report, symbol, day))) for day in some]

    def _quotes(self, symbol: str, day: date) -> Quotes:
        return self._held_quotes.get_or((symbol, day), lambda: _quotes(symbol, day))

    def _trades(self, symbol: str, day: date) -> Trades:
        return self._held_trades.get_or((symbol, day), lambda: _trades(symbol, day, self._quotes(symbol, day)))

    def _report(self, symbol: str, day: date) -> Eod:
        created_ms = _REPORT_MS + int(seeded(symbol, day, "report").integers(500, 180_000))
        trades, quotes = self._trades(symbol, day), self._quotes(symbol, day)
        return report_of(trades.window(0, created_ms), quotes.window(0, created_ms), created_ms)


def _is_held(symbol: str, day: date) -> bool:
    return symbol in RATES and day >= FIRST_DAY and is_trading_day(day)


@cache
def _all_days() -> list[date]:
    return trading_days(FIRST_DAY, LAST_DAY)


def _ms(at: time) -> int:
    return ((at.hour * 60 + at.minute) * 60 + at.second) * 1000 + at.microsecond // 1000


def digest(text: str) -> int:
    """A number of 128 bits that stays the same for a text."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest())


def seeded(symbol: str, day: date, what: str) -> np.random.Generator:
    """The random numbers of one thing of an instrument and day."""
    return np.random.Generator(np.random.PCG64(digest(f"{symbol}/{day}/{what}")))


def level(symbol: str, ordinal: int) -> float:
    """Dollars: two slow waves round the symbol's own level."""
    digits = digest(symbol)
    base = 15.0 * 1.012 ** (digits % 256)
    yearly = math.sin(2 * math.pi * (ordinal + digits % 367) / 367)
    monthly = math.sin(2 * math.pi * (ordinal + digits % 41) / 41)
    return base * math.exp(0.20 * yearly + 0.04 * monthly)


def _times(random: np.random.Generator, day: _Day, rows: int) -> Ints:
    """Ascending times: most at open and close. None is at a span's first or last millisecond."""
    parts = []
    left = rows
    for number, (first_ms, length_ms, share) in enumerate(day.spans):
        count = left if number == len(day.spans) - 1 else round(rows * share)
        left -= count
        gaps = np.cumsum(random.standard_exponential(count + 1))
        parts.append(first_ms + 1 + (u_shape(gaps[:-1] / gaps[-1]) * (length_ms - 2)).astype(np.int32))
    return np.concatenate(parts)


def u_shape(uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Moves even shares of a session to its two ends."""
    return np.interp(uniform, _SPREAD, _EVEN)


def random_bytes(random: np.random.Generator, rows: int) -> NDArray[np.uint8]:
    """Fast draws from tables of 256 entries."""
    return np.frombuffer(random.bytes(rows), np.uint8)


def _mid_cents(random: np.random.Generator, symbol: str, day: date, rows: int) -> Ints:
    first, last = math.log(level(symbol, day.toordinal())), math.log(level(symbol, day.toordinal() + 1))
    walk = np.cumsum(random.standard_normal(rows, np.float32), dtype=np.float64) * (0.012 / math.sqrt(rows))
    bridge = walk + np.linspace(first, last - float(walk[-1]), rows)
    cents: Ints = np.rint(np.exp(bridge) * 100).astype(np.int32)
    return cents


def _quotes(symbol: str, day: date) -> Quotes:
    rows = RATES[symbol][0]
    random, shape = seeded(symbol, day, "quote"), _Day.of(symbol, day)
    times = _times(random, shape, rows)
    times[0] = shape.first_ms  # so that each trade has a quote before it
    bid = _mid_cents(random, symbol, day, rows)
    ask = bid + _SPREAD_CENTS[random_bytes(random, rows)]
    regular = np.zeros(rows, np.int16)
    return Quotes(
        ms=times,
        bid_size=_QUOTE_SIZES[random_bytes(random, rows)],
        bid_exchange=_EXCHANGES[random_bytes(random, rows)],
        bid=bid * 100,
        bid_condition=regular,
        ask_size=_QUOTE_SIZES[random_bytes(random, rows)],
        ask_exchange=_EXCHANGES[random_bytes(random, rows)],
        ask=ask * 100,
        ask_condition=regular,
    )


def _trades(symbol: str, day: date, quotes: Quotes) -> Trades:
    rows = RATES[symbol][1]
    random, shape = seeded(symbol, day, "trade"), _Day.of(symbol, day)
    times = _times(random, shape, rows)
    at = np.searchsorted(quotes.ms, times) - 1
    side = random_bytes(random, rows)
    middle = (quotes.bid[at] + quotes.ask[at]) // 2
    price = np.where(side < 110, quotes.bid[at], np.where(side < 230, quotes.ask[at], middle))
    condition = _CONDITIONS[random_bytes(random, rows)].copy()
    odd = condition == 115
    size = np.where(odd, _ODD_SIZES[random_bytes(random, rows)], _ROUND_SIZES[random_bytes(random, rows)])
    _mark_sessions(times, condition, size, _ms(session_close(day)))
    none = np.full(rows, NO_CONDITION, np.int16)
    return Trades(
        ms=times,
        sequence=_sequences(random, times),
        ext1=np.full(rows, 32, np.int16),
        ext2=np.where(condition == 95, np.int16(95), none),
        ext3=none,
        ext4=np.where(odd, np.int16(115), none),
        condition=condition,
        size=size,
        exchange=_EXCHANGES[random_bytes(random, rows)],
        price=price,
    )


def _mark_sessions(times: Ints, condition: Ints, size: Ints, close_ms: int) -> None:
    """Form T outside of the regular session; its last two trades are the closing print and the official close."""
    condition[(times < _OPEN_MS) | (times >= close_ms)] = 1
    last = int(np.searchsorted(times, close_ms)) - 1
    condition[last - 1 : last + 1] = (98, 51)
    size[last - 1 : last + 1] = size[: last + 1].sum() // 20 // 100 * 100 + 100


def _sequences(random: np.random.Generator, times: Ints) -> Ints:
    """Unique, but not rising where two trades share a millisecond, as on the tape."""
    order = np.arange(len(times), dtype=np.int64)
    pairs = np.flatnonzero(times[:-1:2] == times[1::2]) * 2
    order[pairs], order[pairs + 1] = pairs + 1, pairs
    sequences: Ints = int(random.integers(1_000, 90_000)) + 7 * order
    return sequences


def report_of(trades: Trades, quotes: Quotes, created_ms: int) -> Eod:
    """The day until the report is made, by the conditions of its trades; without trades zeros and midnight."""
    quote: Any = tuple(int(column[-1]) for column in quotes.columns()[1:])
    if not len(trades):
        return Eod(created_ms, 0, 0, 0, 0, 0, 0, 0, quote)
    condition, price = trades.condition, trades.price
    last = price[SETS_LAST[condition]]
    counted = SETS_VOLUME[condition]
    return Eod(
        created_ms=created_ms,
        last_trade_ms=int(trades.ms[-1]),
        open=int(last[0]),
        high=int(price[SETS_HIGH[condition]].max()),
        low=int(price[SETS_LOW[condition]].min()),
        close=int(last[-1]),
        volume=int(trades.size[counted].sum()),
        count=int(counted.sum()),
        quote=quote,
    )
