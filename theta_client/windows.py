"""Chunk planning: which trading days one request covers (rest.md 6.1), and how one that is too large is halved."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, Literal

from stoculus.calendar import Session, option_session_hours, session_hours, trading_days

Kind = Literal["eod", "ohlc", "quote", "trade", "trade_quote"]
OptionKind = Literal[
    "eod", "ohlc", "quote", "trade", "trade_quote", "open_interest", "greeks/first_order", "greeks/all",
    "greeks/implied_volatility", "greeks/eod", "trade_greeks/all",
]  # fmt: skip

EOD_DAYS = 365  # the terminal answers 400 to 366
BAR_DAYS = 28  # "one month" is the limit, its exact length is not documented
INTERVAL_MINUTES: Final = {"1m": 1, "5m": 5, "10m": 10, "15m": 15, "30m": 30, "1h": 60}
"""The intervals of a minute or longer; finer ones are allowed for one day only."""

_Hours = tuple[time | None, time | None]
_NO_HOURS: Final[_Hours] = None, None


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
    if kind == "eod":
        return _plan(start, end, EOD_DAYS, lambda _: _NO_HOURS)
    longest_days = BAR_DAYS if interval in INTERVAL_MINUTES else 1
    return _plan(start, end, longest_days, lambda day: session_hours(day, session))


def plan_option_windows(
    kind: OptionKind, root: str, start: date, end: date, session: Session, *, by_day: bool
) -> list[Window]:
    """As plan_windows, for a root's options: days stand alone, but for EOD kinds without `by_day` (a year at most).

    `by_day` is for selections that differ from day to day, and for all expirations at once.
    """
    if kind in ("eod", "greeks/eod"):
        return _plan(start, end, 1 if by_day else EOD_DAYS, lambda _: _NO_HOURS)
    if kind == "open_interest":
        return _plan(start, end, 1, lambda _: _NO_HOURS)
    return _plan(start, end, 1, lambda day: option_session_hours(root, day, session))


def halves(window: Window, *, by_time: bool, step_minutes: int = 1) -> tuple[Window, Window] | None:
    """The window in two, by days or, where `by_time` allows it for a single day, by whole steps of time.

    None below two steps.
    """
    if len(window.days) > 1:
        middle = len(window.days) // 2
        hours = window.start_time, window.end_time
        return _window(window.days[:middle], hours), _window(window.days[middle:], hours)
    if not by_time or window.start_time is None or window.end_time is None:
        return None
    first = datetime.combine(window.start, window.start_time)
    last = datetime.combine(window.start, window.end_time)
    minutes = round((last - first) / timedelta(minutes=1))
    steps = minutes // step_minutes
    if steps < 2:
        return None
    middle_at = first + timedelta(minutes=steps // 2 * step_minutes)
    before = (middle_at - timedelta(milliseconds=1)).time()  # both ends are included: no row is asked for twice
    return _window(window.days, (window.start_time, before)), _window(window.days, (middle_at.time(), window.end_time))


def _plan(start: date, end: date, longest_days: int, hours: Callable[[date], _Hours]) -> list[Window]:
    return [_window(days, hours(days[0])) for days in _runs(start, end, longest_days, hours)]


def _runs(start: date, end: date, longest_days: int, hours: Callable[[date], _Hours]) -> Iterator[tuple[date, ...]]:
    run: list[date] = []
    for day in trading_days(start, end):
        full = run and (day - run[0]).days >= longest_days
        if run and (full or hours(day) != hours(run[0])):
            yield tuple(run)
            run = []
        run.append(day)
    if run:
        yield tuple(run)


def _window(days: Iterable[date], hours: _Hours) -> Window:
    days = tuple(days)
    return Window(days[0], days[-1], days, *hours)
