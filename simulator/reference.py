"""Lists and calendar: answers of a few rows (rest.md 5, 10.1)."""

from collections.abc import Iterator
from datetime import date, timedelta

from simulator import tables
from simulator.clock import Clock
from simulator.endpoints import List
from simulator.formats import Block, Columns
from simulator.parameters import Query, day, required, symbols
from simulator.refusal import Refusal, no_data
from simulator.sources import Kind, Source
from stoculus.calendar import is_trading_day, session_close

CALENDAR_FIRST_YEAR = 2012
Answer = tuple[Columns, Block]


class Reference:
    """The endpoints that list what there is."""

    def __init__(self, source: Source, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self.endpoints: dict[str, List] = {
            "stock/list/symbols": self._symbols,
            "stock/list/dates/trade": lambda query: self._dates(query, "trade"),
            "stock/list/dates/quote": lambda query: self._dates(query, "quote"),
            "calendar/today": lambda _: self._calendar_day(clock.now().date()),
            "calendar/on_date": lambda query: self._calendar_day(day(query, "date")),
            "calendar/year_holidays": self._year_holidays,
        }

    def _symbols(self, _: Query) -> Answer:
        return tables.SYMBOLS, [list(self._source.symbols())]

    def _dates(self, query: Query, kind: Kind) -> Answer:
        asked = symbols(query)
        names = self._source.symbols() if asked == ["*"] else asked
        found: set[date] = set()
        for name in names:
            found.update(self._source.dates(name.replace("/", "."), kind))
        today = self._clock.now().date()
        days = [str(day) for day in sorted(found) if day <= today]
        return tables.DATES, [days]

    def _calendar_day(self, asked: date) -> Answer:
        self._check_year(asked.year)
        return tables.DAY_TYPE, [[cell] for cell in _day_type(asked)]

    def _year_holidays(self, query: Query) -> Answer:
        text = required(query, "year")
        if not (text.isdecimal() and len(text) == 4):
            raise Refusal(400, f"Invalid value for parameter year: {text}")
        year = int(text)
        self._check_year(year)
        rows = [(str(each), *_day_type(each)) for each in _days_of(year) if _day_type(each)[0] in _SPECIAL]
        return tables.HOLIDAYS, [list(column) for column in zip(*rows, strict=True)]

    def _check_year(self, year: int) -> None:
        if not CALENDAR_FIRST_YEAR <= year <= self._clock.now().year + 1:
            raise no_data()


_SPECIAL = ("full_close", "early_close")


def _days_of(year: int) -> Iterator[date]:
    first = date(year, 1, 1)
    return (first + timedelta(days=n) for n in range((date(year + 1, 1, 1) - first).days))


def _day_type(asked: date) -> tuple[str, str | None, str | None]:
    if not is_trading_day(asked):
        return ("weekend" if asked.weekday() >= 5 else "full_close", None, None)
    close = session_close(asked)
    return ("open" if close.hour == 16 else "early_close", "09:30:00", close.isoformat())
