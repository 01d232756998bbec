"""The days of `stoculus/nyse_days.csv`, by exchange_calendars. `make calendar` writes them anew.

A table in the project, because that library and its pandas would be half of each program's start-up.
"""

from datetime import date, timedelta
from pathlib import Path
from typing import Final

import exchange_calendars

from stoculus.calendar import FIRST_DAY, LAST_DAY, NEW_YORK

TABLE: Final = Path(__file__).resolve().parents[1] / "stoculus" / "nyse_days.csv"


def table() -> str:
    """The weekdays on which the market did not close at 16:00: the day and when it closed, or nothing."""
    nyse = exchange_calendars.get_calendar("XNYS", start=FIRST_DAY.isoformat(), end=LAST_DAY.isoformat())
    closes = {day.date(): f"{close.astimezone(NEW_YORK):%H:%M}" for day, close in nyse.closes.items()}
    every_day = (FIRST_DAY + timedelta(days=n) for n in range((LAST_DAY - FIRST_DAY).days + 1))
    odd = [day for day in every_day if (day in closes) != _is_weekday(day) or closes.get(day, "16:00") != "16:00"]
    if weekends := [day for day in odd if not _is_weekday(day)]:
        raise ValueError(f"the table cannot say that the market was open on {weekends}")
    return "day,close\n" + "".join(f"{day},{closes.get(day, '')}\n" for day in odd)


def _is_weekday(day: date) -> bool:
    return day.weekday() < 5


if __name__ == "__main__":
    TABLE.write_text(table())
