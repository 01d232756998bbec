"""Chunk planning: which trading days one request covers (rest.md 6.1), and how one that is too large is halved."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from stoculus.calendar import Session, session_hours, trading_days

Kind = Literal["eod", "ohlc", "quote", "trade", "trade_quote"]

EOD_DAYS = 365  # the terminal answers 400 to 366
BAR_DAYS = 28  # "one month" is the limit, its exact length is not documented
_COARSE = frozenset({"1m", "5m", "10m", "15m", "30m", "1h"})  # finer intervals are allowed for one day only


@dataclass(frozen=True, slots=True)
class Window:
    """One chunk: what is planned, fetched and ordered as one.

    New York days and times, both ends included; trading days at both ends; no times for EOD.
    """

    start: date
    end: date
    days: tuple[date, ...]
    start_time: time | None
    end_time: time | None


def plan_windows(kind: Kind, interval: str | None, start: date, end: date, session: Session) -> list[Window]:
    """The windows that cover the trading days from start to end, in order; the same request gives the same windows.

    A request has one end time for all its days, so days of different hours never share a window.
    """
    return [_window(days, _hours(kind, days[0], session)) for days in _runs(kind, interval, start, end, session)]


def halves(window: Window, *, by_time: bool) -> tuple[Window, Window] | None:
    """The window in two, by days or, where `by_time` allows it for a single day, by time; None below a minute."""
    if len(window.days) > 1:
        middle = len(window.days) // 2
        hours = window.start_time, window.end_time
        return _window(window.days[:middle], hours), _window(window.days[middle:], hours)
    if not by_time or window.start_time is None or window.end_time is None:
        return None
    first = datetime.combine(window.start, window.start_time)
    last = datetime.combine(window.start, window.end_time)
    minutes = round((last - first) / timedelta(minutes=1))
    if minutes < 2:
        return None
    middle_at = first + timedelta(minutes=minutes // 2)
    before = (middle_at - timedelta(milliseconds=1)).time()  # both ends are included: no row is asked for twice
    return _window(window.days, (window.start_time, before)), _window(window.days, (middle_at.time(), window.end_time))


def _runs(kind: Kind, interval: str | None, start: date, end: date, session: Session) -> Iterator[tuple[date, ...]]:
    longest_days = EOD_DAYS if kind == "eod" else BAR_DAYS if interval in _COARSE else 1
    run: list[date] = []
    for day in trading_days(start, end):
        full = run and (day - run[0]).days >= longest_days
        if run and (full or _hours(kind, day, session) != _hours(kind, run[0], session)):
            yield tuple(run)
            run = []
        run.append(day)
    if run:
        yield tuple(run)


def _hours(kind: Kind, day: date, session: Session) -> tuple[time | None, time | None]:
    return (None, None) if kind == "eod" else session_hours(day, session)


def _window(days: Iterable[date], hours: tuple[time | None, time | None]) -> Window:
    days = tuple(days)
    return Window(days[0], days[-1], days, *hours)
