"""Which option contracts the synthetic market lists: roots, expirations, strikes, and on which days.

A contract exists from its listing to its expiration. Strikes are steps round the underlying's level; as the level moves
new ones are listed, and none is taken away. So a day's strikes follow from the highest and lowest level since listing.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from itertools import accumulate
from typing import Final, Literal

import numpy as np

from simulator.market import Ints
from simulator.sources import synthetic
from simulator.sources.tickers import LOAD, POPULAR, SYMBOLS
from stoculus.calendar import LAST_DAY, trading_days

Cycle = Literal["monthly", "weekly", "daily", "index_monthly", "index_daily", "load"]

LOAD_ROOT: Final = "LOAD"
"""Exactly 5,000 contracts on any trading day: 10 weekly expirations x 250 strikes x 2, each quoted all the time."""
TEST_EXPIRATION: Final = date(1882, 11, 17)
_LOAD_EXPIRATIONS, _LOAD_STRIKES = 10, 250
_INDEX_LEVEL, _INDEX_GROWTH = 4_700.0, 0.105
_INDEX_ANCHOR: Final = date(2024, 1, 2).toordinal()
_FRIDAYS_SINCE: Final = date(2015, 2, 1)  # monthly expirations before are dated the Saturday after (rest.md 10.9)
_DAILY_SINCE: Final = date(2022, 5, 16)  # before: Monday, Wednesday, Friday (rest.md 10.9)
_WEEKLY_DAYS, _DAILY_DAYS, _MONTHLY_DAYS, _LONG_DAYS = 42, 14, 240, 730  # listed that long before
_STEPS = (0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0)
_OPTION_ROOT_LETTERS = 6


@dataclass(frozen=True, slots=True)
class Root:
    """An option root. `symbol` is its underlying: a stock, or SPX; `scale` its part of the underlying's level.

    `activity` is relative to an ordinary stock; ticks in 1/10000 dollar, below and from 3 dollars.
    """

    name: str
    symbol: str
    cycle: Cycle
    activity: float
    ticks: tuple[int, int]
    scale: float = 1.0

    @property
    def is_index(self) -> bool:
        return self.symbol == "SPX"

    def level(self, day: date) -> float:
        """Dollars, at the start of the day."""
        if self.is_index:
            return self.scale * _index_level(day.toordinal())
        return synthetic.level(self.symbol, day.toordinal())


def _index_level(ordinal: int) -> float:
    days = ordinal - _INDEX_ANCHOR
    wave = 0.04 * math.sin(2 * math.pi * days / 367) + 0.012 * math.sin(2 * math.pi * days / 41)
    return _INDEX_LEVEL * math.exp(_INDEX_GROWTH * days / 365 + wave)


def _roots() -> Iterator[Root]:
    wide, narrow, penny = (500, 1000), (100, 500), (100, 100)
    yield Root("SPX", "SPX", "index_monthly", 4, wide)
    yield Root("SPXW", "SPX", "index_daily", 8, wide)
    yield Root("XSP", "SPX", "index_daily", 1, penny, scale=0.1)
    for symbol in SYMBOLS:
        name = symbol.replace(".", "")  # as OPRA spells share classes: BRKB
        if symbol in LOAD:
            if symbol == LOAD_ROOT:
                yield Root(name, symbol, "load", 1, narrow)
        elif symbol in ("SPY", "QQQ", "IWM"):
            yield Root(name, symbol, "daily", 8, penny)
        elif len(name) <= _OPTION_ROOT_LETTERS:
            popular = symbol in POPULAR
            yield Root(name, symbol, "weekly" if popular else "monthly", 4 if popular else 1, narrow)


ROOTS: Final[dict[str, Root]] = {root.name: root for root in sorted(_roots(), key=lambda root: root.name)}


@dataclass(frozen=True, slots=True)
class Term:
    """An expiration's first and last day with quotes and trades."""

    first: date
    last: date


@cache
def _days() -> list[date]:
    return trading_days(synthetic.FIRST_DAY, LAST_DAY)


def _on_or_before(day: date) -> date:
    return _days()[bisect_right(_days(), day) - 1]


def _listed(expiration: date, days_before: int) -> date:
    return _days()[bisect_left(_days(), expiration - timedelta(days=days_before))]


def _is_third(friday: date) -> bool:
    return 15 <= friday.day <= 21


def _fridays() -> list[date]:
    return [day for n in range(0, (LAST_DAY - synthetic.FIRST_DAY).days, 7) if (day := _friday(n)) <= LAST_DAY]


def _friday(days: int) -> date:
    return synthetic.FIRST_DAY + timedelta(days=days)  # itself a Friday


@cache
def terms(cycle: Cycle) -> dict[date, Term]:
    """All expirations of a cycle, ascending."""
    found: dict[date, Term] = {}
    if cycle == "load":
        found = _load_terms()
    elif cycle == "index_monthly":
        found = _monthly_terms(settled_at_open=True)
    else:
        if cycle in ("daily", "index_daily"):
            found |= _daily_terms()
        if cycle != "monthly":
            found |= _weekly_terms(third=cycle == "index_daily")
        if cycle != "index_daily":
            found |= _monthly_terms(settled_at_open=False)
    return dict(sorted(found.items()))


def _monthly_terms(*, settled_at_open: bool) -> dict[date, Term]:
    found = {}
    for friday in filter(_is_third, _fridays()):
        settled = _on_or_before(friday)
        last = _on_or_before(settled - timedelta(days=1)) if settled_at_open else settled
        expiration = settled if friday >= _FRIDAYS_SINCE else friday + timedelta(days=1)
        found[expiration] = Term(_listed(friday, _LONG_DAYS if friday.month == 1 else _MONTHLY_DAYS), last)
    return found


def _weekly_terms(*, third: bool) -> dict[date, Term]:
    """Fridays; the third of a month with longer life, or not at all where the monthly cycle has it."""
    found = {}
    for friday in _fridays():
        if third or not _is_third(friday):
            last = _on_or_before(friday)
            found[last] = Term(_listed(friday, _MONTHLY_DAYS if _is_third(friday) else _WEEKLY_DAYS), last)
    return found


def _daily_terms() -> dict[date, Term]:
    every_day = {0, 1, 2, 3}
    return {
        day: Term(_listed(day, _DAILY_DAYS), day)
        for day in _days()
        if day.weekday() in (every_day if day >= _DAILY_SINCE else {0, 2})
    }


def _load_terms() -> dict[date, Term]:
    lasts = [_on_or_before(friday) for friday in _fridays()]
    after = [synthetic.FIRST_DAY] * _LOAD_EXPIRATIONS + [_days()[bisect_right(_days(), last)] for last in lasts[:-1]]
    return {last: Term(first, last) for last, first in zip(lasts, after, strict=False)}


@dataclass(frozen=True, slots=True)
class _Ladder:
    """Multiples of a step between a day's bounds, all in 1/1000 dollar; one bound for each day of the listing."""

    step: int
    low: Ints
    high: Ints

    def strikes(self, number: int) -> Ints:
        first, last = -(-self.low[number] // self.step), self.high[number] // self.step
        return np.arange(first, last + 1, dtype=np.int64) * self.step

    def has(self, strike: int, number: int) -> bool:
        return strike % self.step == 0 and bool(self.low[number] <= strike <= self.high[number])


@dataclass(frozen=True, slots=True)
class Listing:
    """One expiration of a root: the days on which it lives, and its strikes on each of them."""

    root: Root
    expiration: date
    days: list[date]
    ladders: tuple[_Ladder, ...]

    def _number(self, day: date) -> int | None:
        number = bisect_left(self.days, day)
        return number if number < len(self.days) and self.days[number] == day else None

    def strikes(self, day: date) -> Ints:
        """The listed strikes of a day in 1/1000 dollar, ascending."""
        number = self._number(day)
        if number is None:
            return np.array([], np.int64)
        return np.unique(np.concatenate([ladder.strikes(number) for ladder in self.ladders]))

    def has(self, strike_thousandths: int, day: date) -> bool:
        number = self._number(day)
        return number is not None and any(ladder.has(strike_thousandths, number) for ladder in self.ladders)


@lru_cache(maxsize=4096)
def listing(root: Root, expiration: date) -> Listing | None:
    """The listing of an expiration; None where the root has no such one, or it is a test entry."""
    term = terms(root.cycle).get(expiration)
    if term is None:
        return None
    days = _days()[bisect_left(_days(), term.first) : bisect_right(_days(), term.last)]
    if not days:
        return None
    levels = [root.level(day) for day in days]
    if root.cycle == "load":
        return Listing(root, expiration, days, (_load_ladder(levels),))
    low, high = np.array(list(accumulate(levels, min))), np.array(list(accumulate(levels, max)))
    ladders = [
        _Ladder(round(step * 1000), _thousandths(low * (1 - width)), _thousandths(high * (1 + width)))
        for step, width in _rungs(root, levels[0])
    ]
    return Listing(root, expiration, days, tuple(ladders))


def _thousandths(dollars: Ints) -> Ints:
    rounded: Ints = np.rint(dollars * 1000).astype(np.int64)
    return rounded


def _load_ladder(levels: list[float]) -> _Ladder:
    step = 500
    first = round(levels[0] * 1000) // step - _LOAD_STRIKES // 2
    ones = np.ones(len(levels), np.int64)
    return _Ladder(step, ones * first * step, ones * (first + _LOAD_STRIKES - 1) * step)


def _rungs(root: Root, level: float) -> list[tuple[float, float]]:
    """Steps and how far from the level they go: finer where more is traded."""
    if root.is_index:
        finest = 5.0 if root.scale == 1 else 1.0
        return [(finest, 0.06), (5 * finest, 0.15), (20 * finest, 0.35)]
    share = {"daily": 0.004, "weekly": 0.006, "monthly": 0.015}[root.cycle]
    step = next((step for step in _STEPS if step >= share * level), _STEPS[-1])
    return [(step, 0.15), (5 * step, 0.45)]
