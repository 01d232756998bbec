"""Market time as plots show it: one session after the other, without nights, weekends and holidays."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby, pairwise
from typing import Any, Final, Self

import numpy as np

from stoculus.calendar import DAY_START, NEW_YORK, to_utc_us
from stoculus.errors import InvalidRequest
from stoculus.reading.feed import FOREVER_US, Int64s

Floats = np.ndarray[Any, np.dtype[np.float64]]
Hours = tuple[time, time]
Span = tuple[int | None, int | None]

_SECOND_US: Final = 1_000_000
_STEPS_MINUTES: Final = (1, 2, 5, 10, 15, 30, 60, 120, 180)
_MOST_TIMES: Final = 16
_LEAST_SHARE: Final = 0.7
_MOST_GROUPS: Final = 14
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the axis that has a name: a day, week, month, quarter or year."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class MarketAxis:
    """The sessions of trading days, end to end. A position on it is seconds of session since the first open.

    `opens_us`, `closes_us` and `midnights_us` are microseconds since the epoch, one a day; `starts` are the positions
    of the opens and of the last close. What is outside of its day's session stands at the session's nearer end.
    """

    days: list[date]
    midnights_us: Int64s
    opens_us: Int64s
    closes_us: Int64s
    starts: Floats

    @classmethod
    def of(cls, days: Iterable[date], hours: Callable[[date], Hours], span_us: Span = (None, None)) -> Self:
        """The axis of trading days, cut to a start and an end; raise InvalidRequest where nothing is left."""
        low, high = span_us[0] or 0, span_us[1] or FOREVER_US
        kept: list[tuple[date, int, int]] = []
        for day in days:
            opens_us, closes_us = (to_utc_us(day, at) for at in hours(day))
            if max(opens_us, low) < min(closes_us, high):
                kept.append((day, max(opens_us, low), min(closes_us, high)))
        if not kept:
            raise InvalidRequest("There is no trading session between start and end.", remedy="Choose another time.")
        opens, closes = (np.array([each[n] for each in kept], np.int64) for n in (1, 2))
        return cls(
            [day for day, *_ in kept],
            np.array([to_utc_us(day, DAY_START) for day, *_ in kept], np.int64),
            opens,
            closes,
            np.concatenate(([0.0], np.cumsum(closes - opens) / _SECOND_US)),
        )

    @property
    def length(self) -> float:
        return float(self.starts[-1])

    def day_numbers(self, times_us: Int64s) -> Int64s:
        """Which day each time belongs to; the first and the last take what is before and behind them."""
        found = np.searchsorted(self.midnights_us, times_us, "right") - 1
        return np.clip(found, 0, len(self.days) - 1).astype(np.int64)

    def positions(self, times_us: Int64s) -> Floats:
        """Where each time stands."""
        numbers = self.day_numbers(times_us)
        # The close of a day is not the open of the next, though both stand at one position.
        inside = np.clip(times_us, self.opens_us[numbers], self.closes_us[numbers] - 1) - self.opens_us[numbers]
        positions: Floats = self.starts[numbers] + inside / _SECOND_US
        return positions

    def times(self) -> list[tuple[float, str]]:
        """Positions of round times of the day with their names; none where there are too many days for that."""
        minutes = self.length / 60
        step = next((step for step in _STEPS_MINUTES if minutes / step <= _MOST_TIMES), None)
        if step is None:
            return []
        found: list[tuple[float, str]] = []
        for opens_us, closes_us, start in zip(self.opens_us, self.closes_us, self.starts[:-1], strict=True):
            first = (_EPOCH + timedelta(microseconds=int(opens_us))).astimezone(NEW_YORK)
            into_day_s = first.hour * 3600 + first.minute * 60 + first.second + first.microsecond / _SECOND_US
            for n in range(-int(-into_day_s // (step * 60)), 24 * 60 // step):
                after_s = n * step * 60 - into_day_s
                if after_s > (closes_us - opens_us) / _SECOND_US:
                    break
                found.append((float(start) + after_s, f"{n * step // 60:02}:{n * step % 60:02}"))
        # A name at the end of a day would run into the first one of the next.
        nexts = [at for at, _ in found[1:]] + [np.inf]
        return [each for each, after in zip(found, nexts, strict=True) if after - each[0] > _LEAST_SHARE * step * 60]

    def stretches(self) -> list[Stretch]:
        """The days, or as many of them together as leave room for their names."""
        return next((found for key, form in _GROUPS if len(found := self._grouped(key, form)) <= _MOST_GROUPS), [])

    def _grouped(self, key: Callable[[date], Any], form: str) -> list[Stretch]:
        groups = [list(members) for _, members in groupby(enumerate(self.days), lambda each: key(each[1]))]
        firsts = [members[0][0] for members in groups]
        return [
            Stretch(float(self.starts[first]), float(self.starts[after]), f"{self.days[first]:{form}}")
            for first, after in pairwise([*firsts, len(self.days)])
        ]


_GROUPS: Final[tuple[tuple[Callable[[date], Any], str], ...]] = (
    (lambda day: day, "%a %d %b"),
    (lambda day: day.isocalendar()[:2], "%d %b"),
    (lambda day: (day.year, day.month), "%b %Y"),
    (lambda day: (day.year, (day.month - 1) // 3), "%b %Y"),
    (lambda day: day.year, "%Y"),
    (lambda day: day.year // 5, "%Y"),
)
