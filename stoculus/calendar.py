"""Trading days, sessions, half days, and New York time to UTC.

Days come from `nyse_days.csv`, a table of the exceptions that exchange_calendars (XNYS) knows; `make calendar` writes
it anew. Outside of FIRST_DAY..LAST_DAY nothing is known, and asking raises InvalidRequest.
"""

import csv
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Final, Literal
from zoneinfo import ZoneInfo

from stoculus.errors import InvalidRequest

NEW_YORK: Final = ZoneInfo("America/New_York")
FIRST_DAY: Final = date(1998, 1, 2)
LAST_DAY: Final = date(2030, 12, 31)
OPEN: Final = time(9, 30)
CLOSE: Final = time(16)
DAY_START: Final = time(0)
DAY_END: Final = time(23, 59, 59, 999_000)
# rest.md 10.1: between 00:00 and 01:45 the previous day's history may be missing.
SETTLED_AT: Final = time(1, 45)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

Session = Literal["regular", "extended"]


@lru_cache(maxsize=1)
def _closes() -> dict[date, time]:
    """When the market closed, by trading day."""
    every_day = (FIRST_DAY + timedelta(days=n) for n in range((LAST_DAY - FIRST_DAY).days + 1))
    closes = {day: CLOSE for day in every_day if day.weekday() < 5}
    for row in csv.DictReader((files("stoculus") / "nyse_days.csv").read_text().splitlines()):
        day = date.fromisoformat(row["day"])
        if row["close"]:
            closes[day] = time.fromisoformat(row["close"])
        else:
            del closes[day]
    return closes


def check_known(day: date, *, field: str) -> None:
    """Raise InvalidRequest where no calendar is known for the day."""
    if not FIRST_DAY <= day <= LAST_DAY:
        raise InvalidRequest(
            f"{day} is outside of the calendar.", remedy=f"Use days from {FIRST_DAY} to {LAST_DAY}.", field=field
        )


def is_trading_day(day: date) -> bool:
    """Whether the New York stock market was open on the day."""
    return day in _closes()


def trading_days(start: date, end: date) -> list[date]:
    """The trading days from start to end, both included."""
    check_known(start, field="start")
    check_known(end, field="end")
    span = (start + timedelta(days=n) for n in range((end - start).days + 1))
    return [day for day in span if day in _closes()]


def session_close(day: date) -> time:
    """When the market closed on a trading day, New York time: 16:00, or 13:00 on half days."""
    return _closes()[day]


def session_hours(day: date, session: Session) -> tuple[time, time]:
    """First and last moment of the session, New York time, both included."""
    if session == "extended":
        return DAY_START, DAY_END
    return OPEN, session_close(day)


_LATE_INDEXES: Final = "DJX MRUT NDX NDXP NQX OEX RUT RUTW SPX SPXPM SPXQ SPXW VIX VIXW XEO XSP"
_LATE_FUNDS: Final = (
    "AMJ DBA DBB DBC DBO DIA EEM EFA GAZ GLD IWM IWN IWO IWV JJC KBE KRE MDY MOO OEF OIL QQQ SLX SPY SVIX SVXY UNG UUP "
    "UVIX UVXY VIXM VIXY VXX VXZ XHB XLB XLC XLE XLF XLI XLK XLP XLRE XLU XLV XLY XME XRT"
)
LATE_ROOTS: Final = frozenset({*_LATE_INDEXES.split(), *_LATE_FUNDS.split()})
"""Roots whose options trade until 16:15, on half days until 13:15.

Source: the brokers' lists of options that trade until 4:15 p.m. (Firstrade help, article 833), and former SPX roots.
"""


def option_session_hours(root: str, day: date, session: Session) -> tuple[time, time]:
    """First and last moment of the session of a root's options, New York time, both included."""
    if session == "extended":
        return DAY_START, DAY_END
    close = session_close(day)
    return OPEN, close.replace(minute=15) if root in LATE_ROOTS else close


def nearest_trading_days(day: date) -> tuple[date | None, date | None]:
    """The last trading day before and the first after a closed day."""
    around = trading_days(max(day - timedelta(days=10), FIRST_DAY), min(day + timedelta(days=10), LAST_DAY))
    before = [d for d in around if d < day]
    after = [d for d in around if d > day]
    return (before[-1] if before else None, after[0] if after else None)


def settled_from(day: date) -> datetime:
    """The moment from which the vendor's history of a day is complete (rest.md 10.1)."""
    return datetime.combine(day + timedelta(days=1), SETTLED_AT, NEW_YORK)


def is_settled(day: date, now: datetime) -> bool:
    """Whether the vendor's history of the day is complete at `now` (aware)."""
    return now >= settled_from(day)


def to_utc(day: date, at: time) -> datetime:
    """New York wall time to UTC; of a doubled hour the first."""
    return datetime.combine(day, at, NEW_YORK).astimezone(UTC)


def epoch_us(moment: datetime) -> int:
    """Microseconds since the epoch of an aware moment."""
    return (moment - _EPOCH) // _MICROSECOND


def to_utc_us(day: date, at: time) -> int:
    """New York wall time to microseconds since the epoch; of a doubled hour the first."""
    return epoch_us(to_utc(day, at))


def market_time_us(text: str, *, field: str | None = None) -> int:
    """Microseconds since the epoch of an ISO 8601 day or time; without an offset it is New York's.

    Raises InvalidRequest.
    """
    try:
        moment = datetime.fromisoformat(text)
        return epoch_us(moment if moment.tzinfo else moment.replace(tzinfo=NEW_YORK))
    except ValueError as error:
        raise InvalidRequest(
            f"{text[:60]!r} is not a time.",
            remedy="Use 2024-01-02, 2024-01-02T09:30 (New York) or 2024-01-02T14:30:00Z.",
            field=field,
        ) from error


def new_york_day(moment: datetime) -> date:
    """The New York day of an aware moment."""
    return moment.astimezone(NEW_YORK).date()
