"""When bars open and end: the vendor's grid starts at the session's open (rest.md 6.4)."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.kit.new_york import days_of
from stoculus.calendar import DAY_START, is_trading_day, new_york_day, to_utc_us

Hours = Callable[[date], tuple[time, time]]
"""First and last moment of the session of a trading day, New York time, both included: see `stoculus.calendar`."""

OUTSIDE: Final = -1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = _EPOCH.date()


class BarGrid:
    """The bars of an interval on the sessions of `hours`. Times are microseconds since the epoch, UTC."""

    def __init__(self, interval_us: int, hours: Hours) -> None:
        self._interval_us = interval_us
        self._hours = hours
        self._sessions: dict[date, tuple[int, int] | None] = {}

    def opens(self, ts_event: pa.TimestampArray) -> NDArray[np.int64]:
        """The open of each trade's bar; OUTSIDE where its time is in no session. There is one trade at least."""
        times: NDArray[Any] = ts_event.view(pa.int64()).to_numpy()
        # Fast path: nearly every batch lies in one session.
        session = self._session_at(int(times[0]))
        if session and times.min() >= session[0] and times.max() <= session[1]:
            return cast(NDArray[np.int64], times - (times - session[0]) % self._interval_us)
        days = days_of(ts_event)
        opens = np.full(len(times), OUTSIDE, np.int64)
        for day in np.unique(days).tolist():
            session = self._session(_EPOCH_DAY + timedelta(days=day))
            if session:
                start_us, end_us = session
                rows = np.flatnonzero((days == day) & (times >= start_us) & (times <= end_us))
                opens[rows] = times[rows] - (times[rows] - start_us) % self._interval_us
        return opens

    def open_of(self, us: int) -> int:
        """The open of the bar that holds a time; the time itself where no session does."""
        session = self._session_at(us)
        return us - (us - session[0]) % self._interval_us if session else us

    def end_of(self, us: int) -> int:
        """The first moment after the bar that holds a time; the time itself where no session does."""
        session = self._session_at(us)
        return min(self.open_of(us) + self._interval_us, session[1] + 1) if session else us

    def _session_at(self, us: int) -> tuple[int, int] | None:
        session = self._session(day_at(us))
        return session if session and session[0] <= us <= session[1] else None

    def _session(self, day: date) -> tuple[int, int] | None:
        if day not in self._sessions:
            self._sessions[day] = session_us(day, self._hours) if is_trading_day(day) else None
        return self._sessions[day]


def day_at(us: int) -> date:
    """The New York day of a time."""
    return new_york_day(_EPOCH + timedelta(microseconds=us))


def midnight_us(day: date) -> int:
    """When a New York day begins."""
    return to_utc_us(day, DAY_START)


def session_us(day: date, hours: Hours) -> tuple[int, int]:
    """First and last moment of the session of a trading day, both included."""
    first, last = hours(day)
    return to_utc_us(day, first), to_utc_us(day, last)


def is_inside(hours: Hours, low_us: int, high_us: int) -> bool:
    """Whether a stretch of time lies in the session of the day on which it begins."""
    day = day_at(low_us)
    if not is_trading_day(day):
        return False
    first, last = session_us(day, hours)
    return first <= low_us and high_us <= last
