"""Query parameters as the terminal reads them: defaults, v2 names, limits (rest.md 4, 6, 7.2)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal, cast, get_args

from simulator.formats import Format
from simulator.market import DAY_MS
from simulator.refusal import Refusal

MAX_EOD_DAYS: Final = 365
MAX_INTRADAY_DAYS: Final = 31
INTERVALS_MS: Final = {
    "tick": 0,
    "10ms": 10,
    "100ms": 100,
    "500ms": 500,
    "1s": 1_000,
    "5s": 5_000,
    "10s": 10_000,
    "15s": 15_000,
    "30s": 30_000,
    "1m": 60_000,
    "5m": 300_000,
    "10m": 600_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
}
V2_NAMES: Final = {
    "annual_div": "annual_dividend",
    "exp": "expiration",
    "ivl": "interval",
    "perf_boost": "*unnecessary*",
    "pretty_time": "*unnecessary*",
    "rate": "rate_type",
    "root": "symbol",
    "rth": "*unnecessary*",
    "sec": "*path parameter*",
    "under_price": "stock_price",
    "use_csv": "format",
}
_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?")

Query = Mapping[str, str]
HistoryKind = Literal["eod", "ohlc", "quote", "trade", "trade_quote"]


@dataclass(frozen=True, slots=True)
class History:
    """A history request. Times are milliseconds of the New York day; both dates and both times are included."""

    kind: HistoryKind
    symbol: str
    start: date
    end: date
    format: Format
    start_ms: int = 0
    end_ms: int = DAY_MS - 1
    interval_ms: int = 0
    exclusive: bool = True


def refuse_v2_names(query: Query) -> None:
    """410 for a parameter of API v2, with one line for each."""
    old = [name for name in query if name in V2_NAMES]
    if old:
        lines = "".join(f"\t{name} -> {V2_NAMES[name]}\n" for name in old)
        raise Refusal(
            410,
            "We have upgraded to API v3. Please use API v3 query parameters instead. \n"
            f"Deprecated query parameters:\n{lines}"
            "Consult API v3 documentation for more information: https://docs.thetadata.us/",
        )


def history(kind: HistoryKind, query: Query) -> History:
    """Read a history request; 400 where an argument is missing, malformed or beyond a limit."""
    symbol = required(query, "symbol").replace("/", ".")
    form = output_format(query)
    start, end = days(query, eod=kind == "eod")
    if kind == "eod":
        return History(kind, symbol, start, end, form)
    interval = interval_ms(query, start, end, ticks=kind == "quote") if kind in ("ohlc", "quote") else 0
    choice(query, "venue", ("nqb", "utp_cta"), "nqb")
    return History(kind, symbol, start, end, form, *times_ms(query), interval, flag(query, "exclusive", default=True))


def required(query: Query, name: str) -> str:
    """The parameter's value; 400 where it is missing or empty."""
    if not query.get(name):
        raise Refusal(400, f"Missing required parameter: {name}")
    return query[name]


def symbols(query: Query) -> list[str]:
    """A comma list of symbols; `*` stays as it is."""
    return [symbol.strip() for symbol in required(query, "symbol").split(",")]


def choice(query: Query, name: str, allowed: tuple[str, ...], default: str) -> str:
    """One of the allowed words, whatever its case."""
    value = query.get(name, default).lower()
    if value not in allowed:
        raise Refusal(400, f"Invalid value for parameter {name}: {query[name]}")
    return value


def flag(query: Query, name: str, *, default: bool) -> bool:
    """`true` or `false`."""
    return choice(query, name, ("true", "false"), str(default).lower()) == "true"


def output_format(query: Query) -> Format:
    """csv, json, ndjson or html."""
    return cast(Format, choice(query, "format", get_args(Format), "csv"))


def day(query: Query, name: str) -> date:
    """A day written YYYYMMDD or YYYY-MM-DD."""
    match = _DATE.fullmatch(required(query, name))
    try:
        return date(*(int(part) for part in match.groups())) if match else _bad(query, name)
    except ValueError:
        return _bad(query, name)


def days(query: Query, *, eod: bool = False) -> tuple[date, date]:
    """First and last day of a request, both included; end-of-day reports have no `date` and a longer limit."""
    start, end = _pair(query) if eod else _days(query)
    if end - start >= timedelta(days=MAX_EOD_DAYS if eod else MAX_INTRADAY_DAYS):
        raise Refusal(400, "Too many days between start and end date")
    return start, end


def interval_ms(query: Query, start: date, end: date, *, ticks: bool) -> int:
    """The interval, 0 for `tick`; 400 where it is below a minute and the days are several, or where ticks are none."""
    interval = INTERVALS_MS[choice(query, "interval", tuple(INTERVALS_MS), "1s")]
    if interval < INTERVALS_MS["1m"] and start != end:
        raise Refusal(400, "Intervals less than 1m are available only for single-day requests")
    if interval == 0 and not ticks:
        raise Refusal(400, "Invalid interval: tick")
    return interval


def times_ms(query: Query) -> tuple[int, int]:
    """First and last millisecond of the day that are asked for, both included."""
    start_ms, end_ms = _time_ms(query, "start_time", "09:30:00"), _time_ms(query, "end_time", "16:00:00")
    if start_ms > end_ms:
        raise Refusal(400, "start_time is after end_time")
    return start_ms, end_ms


def covers(query: Query, day: date) -> bool:
    """Whether the request's dates include the day; False where they cannot be read."""
    try:
        start, end = _days(query)
    except Refusal:
        return False
    return start <= day <= end


def _bad(query: Query, name: str) -> date:
    raise Refusal(400, f"Invalid value for parameter {name}: {query[name]}")


def _days(query: Query) -> tuple[date, date]:
    if "date" in query:
        return day(query, "date"), day(query, "date")
    return _pair(query)


def _pair(query: Query) -> tuple[date, date]:
    start, end = day(query, "start_date"), day(query, "end_date")
    if start > end:
        raise Refusal(400, "start_date is after end_date")
    return start, end


def _time_ms(query: Query, name: str, default: str) -> int:
    text = query.get(name, default)
    match = _TIME.fullmatch(text)
    if not match:
        raise Refusal(400, f"Invalid value for parameter {name}: {text}")
    hours, minutes, seconds, fraction = match.groups()
    if int(hours) > 23 or int(minutes) > 59 or int(seconds or 0) > 59:
        raise Refusal(400, f"Invalid value for parameter {name}: {text}")
    return (int(hours) * 60 + int(minutes)) * 60_000 + int(seconds or 0) * 1_000 + int((fraction or "0").ljust(3, "0"))
